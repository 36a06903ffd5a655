/* What our own engine does where nghttp2's does otherwise or where its own files decide: the rest
 * is tested through connections (test_connection*.c), for both. */
#include "../support/unit.h"
#include "../support/h2_side.h"

#include <stdio.h>

static void configure(struct h2_connection_config *config, bool is_server)
{
    h2_side_config(config, is_server);
    config->engine = &pgrpc__h2_frame_engine;
}

static void start(struct h2_side *side, bool is_server)
{
    struct h2_connection_config config;
    configure(&config, is_server);
    h2_side_start(side, is_server, &config);
}

/* --- SETTINGS --------------------------------------------------------------------------------- */

static void settings_that_are_wrong_end_the_connection(void **state)
{
    static const struct {
        unsigned id;
        unsigned value;
        unsigned code; /* 0: it is taken */
    } cases[] = {{1, 0, 0},          {1, 0xffffffff, 0}, {2, 1, 0},          {2, 2, 1},
                 {3, 0xffffffff, 0}, {4, 0x7fffffff, 0}, {4, 0x80000000, 3}, {5, 16383, 1},
                 {5, 16384, 0},      {5, 0xffffff, 0},   {5, 0x1000000, 1},  {6, 0, 0},
                 {8, 1, 0},          {8, 2, 1},          {9, 1, 0},          {9, 2, 1},
                 {7, 5, 0},          {0xffff, 5, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct h2_side server;
        struct raw raw = {0};
        char expected[32];
        start(&server, true);
        raw_settings(&raw, cases[i].id, cases[i].value, 0);
        assert_int_equal(h2_side_get(&server, &raw) < 0, cases[i].code != 0);
        snprintf(expected, sizeof(expected), "GOAWAY last=0 code=%u ", cases[i].code);
        if (cases[i].code)
            assert_non_null(strstr(h2_side_take(&server), expected));
        else
            assert_string_equal(h2_side_take(&server), "SETTINGS ACK\n");
        h2_side_clear(&server);
    }
}

static void a_frame_of_32_settings_is_taken_and_no_more(void **state)
{
    (void)state;
    for (size_t count = 32; count <= 33; count++) {
        static const uint8_t payload[33 * 6] = {0};
        struct h2_side server;
        struct raw raw = {0};
        start(&server, true);
        raw_frame(&raw, RAW_SETTINGS, 0, 0, payload, count * 6);
        assert_int_equal(h2_side_get(&server, &raw) < 0, count > 32);
        h2_side_clear(&server);
    }
}

/* RFC 9113 section 6.9.2: the connection's fault, not the stream's. */
static void a_window_that_settings_make_too_large_ends_the_connection(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    start(&server, true);
    raw_request(&raw, RAW_END_STREAM, 1);
    raw_window_update(&raw, 1, 1);
    raw_settings(&raw, 4, 0x7ffffffe, 0);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    raw_settings(&raw, 4, 0x7fffffff, 0);
    assert_true(h2_side_get(&server, &raw) < 0);
    assert_non_null(strstr(h2_side_take(&server), "GOAWAY last=1 code=3 "));
    h2_side_clear(&server);
}

static void an_unasked_acknowledgement_ends_the_connection(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    start(&server, true); /* ours is acknowledged by now */
    raw_settings_ack(&raw);
    assert_true(h2_side_get(&server, &raw) < 0);
    assert_non_null(strstr(h2_side_take(&server), "GOAWAY last=0 code=1 "));
    h2_side_clear(&server);
}

/* --- windows ---------------------------------------------------------------------------------- */

/* Until a client knows our window it may use HTTP's first one. */
static void a_small_window_holds_when_it_is_acknowledged(void **state)
{
    struct h2_connection_config config;
    struct h2_side server;
    struct raw raw = {0};
    static const uint8_t data[2000];
    (void)state;

    configure(&config, true);
    config.stream_window = 1000;
    assert_int_equal(h2_side_init(&server, true, &config, NULL), 0);
    raw_magic(&raw);
    raw_settings(&raw, 0);
    raw_request(&raw, 0, 1);
    raw_data(&raw, 0, 1, data, 600);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    const char *text = h2_side_take(&server);
    assert_null(strstr(text, "WINDOW_UPDATE 1 "));
    raw_settings_ack(&raw); /* 400 are left: what was read is worth telling now */
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "WINDOW_UPDATE 1 +600\n");
    raw_data(&raw, 0, 1, data, 1000);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "WINDOW_UPDATE 1 +1000\n");
    raw_data(&raw, 0, 1, data, 1001);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "RST_STREAM 1 3\n");
    h2_side_clear(&server);
}

/* RFC 9113 section 6.9.1: what was sent before our SETTINGS came may leave less than nothing of the
 * window, and an empty frame needs none. */
static void an_empty_frame_needs_no_window(void **state)
{
    struct h2_connection_config config;
    struct h2_side server;
    struct raw raw = {0};
    static const uint8_t data[6000];
    (void)state;

    configure(&config, true);
    config.stream_window = 1000;
    assert_int_equal(h2_side_init(&server, true, &config, NULL), 0);
    server.consumes = false;
    raw_magic(&raw);
    raw_settings(&raw, 0);
    raw_request(&raw, 0, 1);
    raw_request(&raw, 0, 3);
    raw_data(&raw, 0, 1, data, sizeof(data));
    raw_data(&raw, 0, 3, data, sizeof(data));
    raw_settings_ack(&raw); /* -5000 are left */
    raw_data(&raw, 0, 1, "", 0);
    raw_data(&raw, RAW_END_STREAM, 1, "", 0);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_null(strstr(h2_side_take(&server), "RST_STREAM"));
    assert_string_equal(server.users->log, H2_REQUEST_LINE "\ndata 6000\nend\n");
    raw_data(&raw, 0, 3, data, 1);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "RST_STREAM 3 3\n");
    h2_side_clear(&server);
}

static void a_connections_window_may_be_smaller_than_https_first_one(void **state)
{
    enum { WINDOW = 20000, PIECE = 1000 };
    struct h2_connection_config config;
    struct h2_side server;
    static const uint8_t data[PIECE];
    size_t sent = 0, window = 65535;
    (void)state;

    configure(&config, true);
    config.connection_window = WINDOW;
    h2_side_start(&server, true, &config);
    struct raw raw = {0};
    raw_request(&raw, 0, 1);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    /* All that is used beyond the window is not given back. */
    for (; sent < 200000; sent += PIECE) {
        unsigned increment;
        assert_true(window >= PIECE);
        raw_data(&raw, 0, 1, data, PIECE);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        window -= PIECE;
        const char *at = h2_side_take(&server);
        while ((at = strstr(at, "WINDOW_UPDATE 0 +")) != NULL) {
            assert_int_equal(sscanf(at, "WINDOW_UPDATE 0 +%u", &increment), 1);
            window += increment;
            at++;
        }
        if (sent > 65535)
            assert_true(window <= WINDOW);
    }
    h2_side_clear(&server);
}

/* Who never reads what we write never hears of new window: he may not go on as if he had, and
 * what we have to say does not grow. */
static void window_that_was_not_yet_announced_is_not_given(void **state)
{
    enum { PIECE = 10000, PIECES = 1000 };
    static const uint8_t data[PIECE];
    (void)state;
    for (int is_closed = 0; is_closed < 2; is_closed++) {
        struct h2_side server;
        struct raw raw = {0};
        int error = 0, count = 0;
        start(&server, true);
        raw_request(&raw, 0, 1);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        if (is_closed)
            pgrpc__h2_stream_release(&server.users->stream, H2_CANCEL);
        for (; !error && count < PIECES; count++) {
            raw_data(&raw, 0, 1, data, PIECE);
            error = h2_side_get(&server, &raw);
            assert_in_range(server.mem.live_bytes, 0, 100000);
            if (!is_closed && server.users->has_closed)
                break;
        }
        assert_true(count < PIECES);
        assert_non_null(strstr(h2_side_take(&server), is_closed ? "code=3 " : "RST_STREAM 1 3\n"));
        h2_side_clear(&server);
    }
}

/* What came together while one announcement waited is announced when that went out. */
static void window_is_announced_when_there_is_room_to_say_so(void **state)
{
    struct h2_connection_config config;
    struct h2_side server;
    struct raw raw = {0};
    static const uint8_t data[1000];
    (void)state;

    configure(&config, true);
    config.stream_window = 1000;
    h2_side_start(&server, true, &config);
    raw_request(&raw, 0, 1);
    raw_data(&raw, 0, 1, data, 500);
    raw_data(&raw, 0, 1, data, 500);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "WINDOW_UPDATE 1 +500\nWINDOW_UPDATE 1 +500\n");
    raw_data(&raw, 0, 1, data, 1000);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "WINDOW_UPDATE 1 +1000\n");
    h2_side_clear(&server);
}

/* --- streams ---------------------------------------------------------------------------------- */

static void requests_on_impossible_streams_end_the_connection(void **state)
{
    static const uint32_t ids[] = {0, 2, 0x7ffffffe};
    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        struct h2_side server;
        struct raw raw = {0};
        start(&server, true);
        raw_request(&raw, RAW_END_STREAM, ids[i]);
        assert_true(h2_side_get(&server, &raw) < 0);
        assert_non_null(strstr(h2_side_take(&server), "GOAWAY last=0 code=1 "));
        h2_side_clear(&server);
    }
}

static void the_last_stream_id_may_be_used(void **state)
{
    struct h2_side server;
    (void)state;

    start(&server, true);
    h2_user_answer(h2_side_request(&server, 0x7fffffff));
    assert_non_null(strstr(h2_side_take(&server), "HEADERS 2147483647 END_STREAM"));
    h2_side_clear(&server);
}

/* Next to one another, and as far apart as a client may choose them. */
static void many_streams_are_found_again(void **state)
{
    enum { COUNT = 3000 };
    (void)state;
    for (uint32_t step = 2; step < 0x7fffffff / COUNT; step *= 512) {
        struct h2_connection_config config;
        struct h2_side server;
        struct raw raw = {0};
        configure(&config, true);
        config.max_concurrent_streams = COUNT;
        h2_side_start(&server, true, &config);
        for (uint32_t i = 0; i < COUNT; i++)
            raw_request(&raw, 0, 1 + i * step);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        assert_int_equal(server.user_count, COUNT);
        for (uint32_t i = 0; i < COUNT; i++)
            raw_data(&raw, RAW_END_STREAM, 1 + i * step, "x", 1);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        for (struct h2_user *user = server.users; user; user = user->next) {
            assert_int_equal(user->received.len, 1);
            h2_user_answer(user);
        }
        h2_side_take(&server);
        assert_int_equal(pgrpc__h2_connection_stream_count(server.connection), 0);
        h2_side_clear(&server);
    }
}

/* Some stay while hundreds come and go between them. */
static void streams_that_stay_are_found_among_those_that_go(void **state)
{
    enum { COUNT = 600 };
    struct h2_side server;
    struct raw raw = {0};
    struct h2_user *users[COUNT];
    (void)state;

    start(&server, true);
    for (uint32_t i = 0; i < COUNT; i++) {
        users[i] = h2_side_request(&server, 2 * i + 1);
        if (i >= 30 && i % 20 != 0)
            h2_user_answer(users[i - 30]);
        h2_side_take(&server);
        raw_window_update(&raw, 2 * i + 1, 1);
        assert_int_equal(h2_side_get(&server, &raw), 0);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        if (users[i]->has_closed)
            continue;
        raw_rst(&raw, 2 * i + 1, 100 + i);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        assert_true(users[i]->has_closed);
        assert_int_equal(users[i]->code, 100 + i);
    }
    assert_int_equal(pgrpc__h2_connection_stream_count(server.connection), 0);
    h2_side_clear(&server);
}

/* A response that waits when the client gives up is not sent, and HPACK stays in step. */
static void an_answer_to_a_stream_that_was_reset_is_dropped(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    start(&server, true);
    struct h2_user *first = h2_side_request(&server, 1), *second = h2_side_request(&server, 3);
    h2_user_answer(first);
    h2_user_answer(second);
    raw_rst(&raw, 1, H2_CANCEL);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server),
                        "HEADERS 3 :status=200 content-type=application/grpc\n"
                        "HEADERS 3 END_STREAM grpc-status=0\n");
    h2_side_clear(&server);
}

/* Of a client that reads nothing and resets what a draining server refuses. */
static void unread_refusals_of_a_draining_server_are_limited(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    size_t refused = 0;
    int error = 0;
    (void)state;

    start(&server, true);
    raw_request(&raw, 0, 1);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    pgrpc__h2_connection_drain(server.connection, "max_age");
    h2_side_pass(&server, 1);
    h2_side_pass(&server, 5000);
    for (uint32_t id = 3; !error && refused < 2000; id += 2, refused++) {
        assert_int_equal(pgrpc__h2_connection_wants_input(server.connection), refused < 100);
        raw_request(&raw, 0, id);
        raw_rst(&raw, id, H2_CANCEL);
        error = h2_side_get(&server, &raw);
    }
    assert_true(error < 0);
    assert_int_equal(refused, 1000);
    assert_int_equal(server.user_count, 1);
    h2_side_clear(&server);
}

/* What was opened and not yet sent when GOAWAY came must not be sent. */
static void nothing_is_opened_after_goaway(void **state)
{
    struct h2_side client;
    struct h2_user sent, unsent;
    struct raw raw = {0};
    (void)state;

    start(&client, false);
    assert_int_equal(h2_user_open(&sent, &client, true), 0);
    h2_side_take(&client);
    assert_int_equal(h2_user_open(&unsent, &client, true), 0);
    raw_goaway(&raw, INT32_MAX, H2_NO_ERROR, "");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(unsent.log, "closed UNSENT 7\n");
    assert_string_equal(h2_side_take(&client), "");
    assert_false(sent.has_closed);
    h2_user_release(&sent, H2_CANCEL);
    h2_user_release(&unsent, H2_CANCEL);
    h2_side_clear(&client);
}

/* DATA before the response's head: an empty frame does no harm. */
static void data_waits_for_the_head_of_the_response(void **state)
{
    (void)state;
    for (size_t len = 0; len < 2; len++) {
        struct h2_side client;
        struct h2_user call;
        struct raw raw = {0};
        start(&client, false);
        assert_int_equal(h2_user_open(&call, &client, true), 0);
        h2_side_take(&client);
        raw_headers(&raw, 0, 1, ":status=103");
        raw_data(&raw, 0, 1, "x", len);
        assert_int_equal(h2_side_get(&client, &raw), 0);
        assert_string_equal(h2_side_take(&client), len ? "RST_STREAM 1 1\n" : "");
        assert_int_equal(call.has_closed, len > 0);
        h2_user_release(&call, H2_CANCEL);
        h2_side_clear(&client);
    }
}

/* RFC 9113 section 5.1 leaves it open what follows from frames on a closed stream.  No client of
 * gRPC's (grpc-go, C-core, net/http2) lets the other calls suffer: they are dropped, and what they
 * took of the windows is given back. */
static void what_follows_the_servers_end_is_dropped(void **state)
{
    enum { PIECE = 16000, PIECES = 100 };
    static const uint8_t data[PIECE];
    struct h2_side client;
    struct h2_user calls[2];
    struct raw raw = {0};
    (void)state;

    start(&client, false);
    for (int i = 0; i < 2; i++)
        assert_int_equal(h2_user_open(&calls[i], &client, true), 0);
    h2_side_take(&client);
    raw_headers(&raw, RAW_END_STREAM, 1, H2_RESPONSE_FIELDS "|grpc-status=0");
    raw_headers(&raw, 0, 1, H2_RESPONSE_FIELDS "|x=y");
    raw_window_update(&raw, 1, 1);
    raw_rst(&raw, 1, H2_NO_ERROR);
    for (int i = 0; i < PIECES; i++) {
        raw_data(&raw, i % 2 ? RAW_END_STREAM : 0, 1, data, PIECE);
        assert_int_equal(h2_side_get(&client, &raw), 0);
        h2_side_take(&client);
    }
    raw_headers(&raw, RAW_END_STREAM, 3, H2_RESPONSE_FIELDS "|x=y|grpc-status=0");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_non_null(strstr(calls[0].log, "end\nclosed NORMAL 0\n"));
    assert_non_null(strstr(calls[1].log, "x=y grpc-status=0 end\nclosed NORMAL 0\n"));
    assert_null(strstr(h2_side_take(&client), "GOAWAY"));
    for (int i = 0; i < 2; i++)
        h2_user_release(&calls[i], H2_CANCEL);
    h2_side_clear(&client);
}

/* Both have more to send than the connection's window lets through: who went last waits. */
static void streams_take_turns_at_the_connections_window(void **state)
{
    enum { PIECE = 16384, ROUNDS = 6 };
    static const uint8_t data[65535 + ROUNDS * PIECE];
    struct h2_connection_config config;
    struct h2_side client;
    struct h2_user calls[3];
    size_t left[3];
    struct raw raw = {0};
    (void)state;

    configure(&config, false);
    h2_side_start(&client, false, &config);
    raw_settings(&raw, 4, 1000000, 0);
    assert_int_equal(h2_side_get(&client, &raw), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(h2_user_open(&calls[i], &client, false), 0);
        h2_user_send(&calls[i], data, sizeof(data), true);
    }
    h2_side_take(&client);
    for (int i = 0; i < 3; i++)
        left[i] = calls[i].output_len;
    for (int round = 0; round < ROUNDS; round++) {
        pgrpc__h2_stream_resume(&calls[round % 3].stream); /* asking costs nobody his turn */
        h2_side_take(&client);
        raw_window_update(&raw, 0, PIECE);
        assert_int_equal(h2_side_get(&client, &raw), 0);
        h2_side_take(&client);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(left[i] - calls[i].output_len, ROUNDS / 3 * PIECE);
        h2_user_release(&calls[i], H2_CANCEL);
    }
    h2_side_clear(&client);
}

/* RFC 9113 section 6.8: a later GOAWAY names no higher stream. */
static void a_later_goaway_names_no_higher_stream(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    start(&server, true);
    h2_side_request(&server, 1);
    pgrpc__h2_connection_drain(server.connection, "max_age");
    h2_side_take(&server);
    raw_ping(&raw, RAW_ACK, "draining");
    raw_request(&raw, RAW_END_STREAM, 3); /* in the same breath: it comes after our GOAWAY */
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "GOAWAY last=1 code=0 \"max_age\"\n"
                                               "RST_STREAM 3 7\n");
    pgrpc__h2_connection_abort(server.connection, H2_NO_ERROR, "shutdown");
    assert_string_equal(h2_side_take(&server), "GOAWAY last=1 code=0 \"shutdown\"\n");
    h2_side_clear(&server);
}

/* The id in a client's GOAWAY is about pushes, which we never send.  Go's net/http2 names the
 * stream that it would have opened next and lets those that run go on. */
static void a_client_may_name_any_stream_in_its_goaway(void **state)
{
    static const uint32_t ids[] = {3, 5, 2, INT32_MAX, 0};
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    start(&server, true);
    struct h2_user *user = h2_side_request(&server, 1);
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
        raw_goaway(&raw, ids[i], H2_NO_ERROR, "");
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "");
    h2_user_answer(user);
    assert_non_null(strstr(h2_side_take(&server), "HEADERS 1 END_STREAM grpc-status=0\n"));
    assert_string_equal(server.log, "ready\ndraining 0 \nclosed connection was drained\n");
    h2_side_clear(&server);
}

/* RFC 9113 section 5.1.2: what waits to be sent when SETTINGS come is bound by them. */
static void a_limit_that_was_lowered_holds_for_heads_that_wait(void **state)
{
    struct h2_side client;
    struct h2_user calls[3];
    struct raw raw = {0};
    (void)state;

    start(&client, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(h2_user_open(&calls[i], &client, true), 0);
    raw_settings(&raw, 3, 1, 0);
    assert_int_equal(h2_side_get(&client, &raw), 0);
    const char *text = h2_side_take(&client);
    assert_non_null(strstr(text, "SETTINGS ACK\nHEADERS 1 "));
    assert_null(strstr(text, "HEADERS 3 "));
    raw_headers(&raw, RAW_END_STREAM, 1, H2_RESPONSE_FIELDS "|grpc-status=0");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_true(calls[0].has_closed);
    text = h2_side_take(&client);
    assert_non_null(strstr(text, "HEADERS 3 "));
    assert_null(strstr(text, "HEADERS 5 "));
    h2_user_release(&calls[1], H2_CANCEL); /* one that is reset makes room as well */
    text = h2_side_take(&client);
    assert_non_null(strstr(text, "RST_STREAM 3 8\nHEADERS 5 "));
    for (int i = 0; i < 3; i++)
        h2_user_release(&calls[i], H2_CANCEL);
    h2_side_clear(&client);
}

/* --- heads ------------------------------------------------------------------------------------ */

static void large_heads_are_continued(void **state)
{
    enum { LEN = 40000 };
    struct h2_side client, server;
    struct h2_connection_config config;
    struct h2_user call;
    char *value = test_calloc(1, LEN + 1);
    (void)state;

    memset(value, '~', LEN); /* does not become shorter */
    configure(&config, true);
    config.max_header_bytes = 100000;
    assert_int_equal(h2_side_init(&server, true, &config, NULL), 0);
    configure(&config, false);
    assert_int_equal(h2_side_init(&client, false, &config, NULL), 0);
    h2_side_join(&client, &server);
    struct header_field fields[] = {{":method", "POST", 7, 4, false},
                                    {":scheme", "http", 7, 4, false},
                                    {":path", "/a", 5, 2, false},
                                    {":authority", "a", 10, 1, false},
                                    {"large", value, 5, LEN, false}};
    h2_user_init(&call, &client);
    h2_user_open(&call, &client, true); /* gives the stream its events */
    h2_user_release(&call, H2_CANCEL);
    struct h2_stream stream = {.events = call.stream.events};
    assert_int_equal(pgrpc__h2_connection_open(client.connection, &stream, fields, 5, true), 0);
    h2_side_join(&client, &server);
    assert_int_equal(server.user_count, 1);
    pgrpc__h2_stream_release(&stream, H2_CANCEL);
    h2_side_clear(&client);
    h2_side_clear(&server);
    test_free(value);
}

static void frames_of_a_block_may_be_padded_and_weighted(void **state)
{
    struct h2_side server;
    struct raw raw = {0}, block = {0};
    (void)state;

    start(&server, true);
    raw_bytes(&block, "\2\0\0\0\0\7", 6); /* padding, then a priority */
    raw_block(&block, RAW_REQUEST_FIELDS);
    raw_bytes(&block, "\0\0", 2);
    raw_frame(&raw, RAW_HEADERS, RAW_END_HEADERS | RAW_END_STREAM | RAW_PADDED | 32, 1, block.data,
              block.len);
    raw_clear(&block);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(server.user_count, 1);
    assert_string_equal(server.users->log, H2_REQUEST_LINE " end\n");
    raw_frame(&raw, RAW_HEADERS, RAW_PADDED | 32, 3, "\2\0\0\0\0", 5); /* cut */
    assert_true(h2_side_get(&server, &raw) < 0);
    assert_non_null(strstr(h2_side_take(&server), "GOAWAY last=1 code=6 "));
    h2_side_clear(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_are_wrong_end_the_connection),
        cmocka_unit_test(a_frame_of_32_settings_is_taken_and_no_more),
        cmocka_unit_test(a_window_that_settings_make_too_large_ends_the_connection),
        cmocka_unit_test(an_unasked_acknowledgement_ends_the_connection),
        cmocka_unit_test(a_small_window_holds_when_it_is_acknowledged),
        cmocka_unit_test(an_empty_frame_needs_no_window),
        cmocka_unit_test(a_connections_window_may_be_smaller_than_https_first_one),
        cmocka_unit_test(window_that_was_not_yet_announced_is_not_given),
        cmocka_unit_test(window_is_announced_when_there_is_room_to_say_so),
        cmocka_unit_test(requests_on_impossible_streams_end_the_connection),
        cmocka_unit_test(the_last_stream_id_may_be_used),
        cmocka_unit_test(many_streams_are_found_again),
        cmocka_unit_test(streams_that_stay_are_found_among_those_that_go),
        cmocka_unit_test(an_answer_to_a_stream_that_was_reset_is_dropped),
        cmocka_unit_test(unread_refusals_of_a_draining_server_are_limited),
        cmocka_unit_test(nothing_is_opened_after_goaway),
        cmocka_unit_test(data_waits_for_the_head_of_the_response),
        cmocka_unit_test(what_follows_the_servers_end_is_dropped),
        cmocka_unit_test(streams_take_turns_at_the_connections_window),
        cmocka_unit_test(a_later_goaway_names_no_higher_stream),
        cmocka_unit_test(a_client_may_name_any_stream_in_its_goaway),
        cmocka_unit_test(a_limit_that_was_lowered_holds_for_heads_that_wait),
        cmocka_unit_test(large_heads_are_continued),
        cmocka_unit_test(frames_of_a_block_may_be_padded_and_weighted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
