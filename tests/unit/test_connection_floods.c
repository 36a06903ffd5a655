/*
 * What a peer sends to make us work for nothing.  Each flood comes twice: from a peer that reads
 * what we answer, and from one that does not; each must end with few frames taken and little memory
 * held, and the limits are exact where they can be.
 */
#include "../support/unit.h"
#include "../support/h2_side.h"

#include <stdio.h>
#include <stdlib.h>

enum { MEMORY_MAX = 2 * 1024 * 1024, PIECE = 100, NEVER = 200000 };

/* Appends the |index|-th unit of a flood. */
typedef void flood_fn(struct raw *raw, unsigned index);

struct flood {
    unsigned units;  /* taken before the connection was closed or reading stopped */
    size_t requests; /* handed to the owner */
    size_t running;  /* most handlers at a time */
    size_t memory;   /* most bytes at a time */
    bool was_closed;
    bool was_paused;
    char last[128]; /* the GOAWAY, when the peer reads */
};

/* Handlers of streams that are over return after a while: counted as held until then. */
static void run_handlers(struct h2_side *side, bool handlers_return)
{
    struct h2_user **at = &side->users;
    size_t count = 0;

    for (struct h2_user *user = side->users; user; user = user->next)
        count++;
    while (*at) {
        struct h2_user *user = *at;
        if (user->has_closed && !user->hold.connection)
            pgrpc__h2_connection_hold(side->connection, &user->hold);
        /* The first half of those that are over return. */
        if (user->has_closed && handlers_return && count > 20) {
            *at = user->next;
            pgrpc__h2_connection_unhold(&user->hold);
            h2_user_release(user, H2_CANCEL);
            free(user);
            count--;
        } else {
            at = &user->next;
        }
    }
    side->last_user = at;
}

static size_t count_users(const struct h2_side *side)
{
    size_t count = 0;
    for (const struct h2_user *user = side->users; user; user = user->next)
        count++;
    return count;
}

static void take(struct h2_side *side, struct flood *flood)
{
    const char *text = h2_side_take(side);
    for (const char *at = strstr(text, "GOAWAY"); at; at = strstr(at + 1, "GOAWAY"))
        snprintf(flood->last, sizeof(flood->last), "%.*s", (int)strcspn(at, "\n"), at);
}

static void run(struct h2_side *side, flood_fn *add, unsigned max, bool peer_reads,
                bool handlers_return, struct flood *flood)
{
    memset(flood, 0, sizeof(*flood));
    for (unsigned index = 0; index < max;) {
        struct raw raw = {0};
        unsigned piece = 0;
        for (; piece < PIECE && index < max; piece++)
            add(&raw, index++);
        int error = h2_side_get(side, &raw);
        flood->units = index;
        run_handlers(side, handlers_return);
        if (count_users(side) > flood->running)
            flood->running = count_users(side);
        if (peer_reads)
            take(side, flood);
        else if (side->outq.bytes < 65536)
            pgrpc__h2_connection_output(side->connection, &side->outq, 65536);
        if (side->mem.live_bytes > flood->memory)
            flood->memory = side->mem.live_bytes;
        flood->was_closed = error < 0 || side->has_closed;
        flood->was_paused =
            !flood->was_closed && !pgrpc__h2_connection_wants_input(side->connection);
        if (flood->was_closed || flood->was_paused)
            break;
    }
    flood->requests = side->user_count;
    if (peer_reads)
        take(side, flood);
    assert_true(flood->memory < MEMORY_MAX);
    for (struct h2_user *user = side->users; user; user = user->next)
        pgrpc__h2_connection_unhold(&user->hold);
}

/* The flood must be over after at most |units|, whether the peer reads or not. */
static void assert_bounded(bool is_server, flood_fn *add, unsigned units, const char *reason)
{
    for (int reads = 0; reads < 2; reads++) {
        struct h2_side side;
        struct flood flood;
        h2_side_start(&side, is_server, NULL);
        run(&side, add, NEVER, reads, true, &flood);
        if (!(flood.was_closed || flood.was_paused) || flood.units > units)
            fail_msg("%s: %u units taken, closed %d, paused %d", reads ? "reading" : "not reading",
                     flood.units, flood.was_closed, flood.was_paused);
        assert_true(flood.running <= 100);
        if (reads) {
            assert_true(flood.was_closed);
            if (!strstr(flood.last, reason))
                fail_msg("\"%s\" instead of \"%s\"", flood.last, reason);
        }
        h2_side_clear(&side);
    }
}

/* --- streams --------------------------------------------------------------------------------- */

static void rapid_reset(struct raw *raw, unsigned index)
{
    raw_request(raw, RAW_END_STREAM, 2 * index + 1);
    raw_rst(raw, 2 * index + 1, H2_CANCEL);
}

static void rule_65_rapid_reset(void **state)
{
    (void)state;
    assert_bounded(true, rapid_reset, 600, "code=11 \"too_many_resets\"");
}

static void rule_65_rapid_reset_with_handlers_that_do_not_return(void **state)
{
    (void)state;
    for (int reads = 0; reads < 2; reads++) {
        struct h2_side side;
        struct flood flood;
        h2_side_start(&side, true, NULL);
        run(&side, rapid_reset, NEVER, reads, false, &flood);
        assert_int_equal(flood.running, 100);
        assert_true(flood.was_paused);
        assert_int_equal(flood.units, 100);
        h2_side_clear(&side);
    }
}

static void most_calls_finish(struct raw *raw, unsigned index)
{
    raw_request(raw, RAW_END_STREAM, 2 * index + 1);
    if (index % 5 < 2)
        raw_rst(raw, 2 * index + 1, H2_CANCEL);
}

static void who_cancels_often_but_lets_most_calls_finish_is_served(void **state)
{
    struct h2_side side;
    (void)state;

    h2_side_start(&side, true, NULL);
    for (unsigned index = 0; index < 20000; index++) {
        struct raw raw = {0};
        most_calls_finish(&raw, index);
        assert_int_equal(h2_side_get(&side, &raw), 0);
        struct h2_user *user = side.users;
        if (!user->has_closed)
            h2_user_answer(user);
        h2_side_take(&side);
        assert_true(user->has_closed);
        h2_user_release(user, H2_CANCEL);
        side.users = NULL;
        side.last_user = &side.users;
        free(user);
    }
    h2_side_clear(&side);
}

/* Calls that a slow server makes their clients give up are no abuse. */
static void streams_that_lived_a_second_may_all_be_cancelled(void **state)
{
    struct h2_side side;
    (void)state;

    h2_side_start(&side, true, NULL);
    for (uint32_t id = 1; id < 4000; id += 2) {
        struct raw raw = {0};
        struct h2_user *user = h2_side_request(&side, id);
        raw_rst(&raw, id, H2_CANCEL);
        side.now_ms += 1000;
        assert_int_equal(h2_side_get(&side, &raw), 0);
        h2_user_release(user, H2_CANCEL);
        side.users = NULL;
        side.last_user = &side.users;
        free(user);
    }
    h2_side_clear(&side);
}

static void overflow_window(struct raw *raw, unsigned index)
{
    raw_request(raw, RAW_END_STREAM, 2 * index + 1);
    raw_window_update(raw, 2 * index + 1, 0x7fffffff);
}

static void wrong_length(struct raw *raw, unsigned index)
{
    raw_headers(raw, 0, 2 * index + 1, RAW_REQUEST_FIELDS "|content-length=1");
    raw_data(raw, RAW_END_STREAM, 2 * index + 1, "abc", 3);
}

static void bad_trailers(struct raw *raw, unsigned index)
{
    raw_request(raw, 0, 2 * index + 1);
    raw_headers(raw, RAW_END_STREAM, 2 * index + 1, "Bad=x");
}

static void no_path(struct raw *raw, unsigned index)
{
    raw_headers(raw, RAW_END_STREAM, 2 * index + 1, ":method=POST|:scheme=http|:authority=a");
}

static void empty_headers(struct raw *raw, unsigned index)
{
    raw_request(raw, 0, 2 * index + 1);
    raw_headers(raw, 0, 2 * index + 1, "");
}

static void large_head(struct raw *raw, unsigned index)
{
    struct raw block = {0};
    raw_block(&block, RAW_REQUEST_FIELDS);
    for (int i = 0; i < 130; i++)
        raw_field(&block, "a", "b");
    raw_frame(raw, RAW_HEADERS, RAW_END_HEADERS, 2 * index + 1, block.data, block.len);
    raw_clear(&block);
}

static void rule_65_resets_that_the_peer_provokes(void **state)
{
    (void)state;
    assert_bounded(true, overflow_window, 600, "code=11 \"too_many_resets\"");
    assert_bounded(true, wrong_length, 600, "code=11 \"too_many_resets\"");
    assert_bounded(true, bad_trailers, 600, "code=11 \"too_many_resets\"");
    assert_bounded(true, no_path, 600, "code=11 \"too_many_resets\"");
    assert_bounded(true, empty_headers, 600, "code=11 \"too_many_resets\"");
    assert_bounded(true, large_head, 600, "code=11 \"too_many_resets\"");
}

static void zero_window(struct raw *raw, unsigned index)
{
    raw_request(raw, RAW_END_STREAM, 2 * index + 1);
    raw_window_update(raw, 2 * index + 1, 0);
}

static void data_after_end(struct raw *raw, unsigned index)
{
    raw_request(raw, RAW_END_STREAM, 2 * index + 1);
    raw_data(raw, 0, 2 * index + 1, "abc", 3);
}

static void short_priority(struct raw *raw, unsigned index)
{
    raw_request(raw, RAW_END_STREAM, 2 * index + 1);
    raw_frame(raw, RAW_PRIORITY, 0, 2 * index + 1, "1234", 4);
}

static void some_provocations_end_the_connection_at_once(void **state)
{
    (void)state;
    assert_bounded(true, zero_window, PIECE, "code=1 ");
    assert_bounded(true, data_after_end, PIECE, "code=5 ");
    assert_bounded(true, short_priority, PIECE, "code=6 ");
}

static void only_open(struct raw *raw, unsigned index)
{
    raw_request(raw, RAW_END_STREAM, 2 * index + 1);
}

static void rule_65_streams_beyond_the_limit(void **state)
{
    (void)state;
    for (int reads = 0; reads < 2; reads++) {
        struct h2_side side;
        struct flood flood;
        struct raw raw = {0};
        /* The SETTINGS are never acknowledged. */
        assert_int_equal(h2_side_init(&side, true, NULL, NULL), 0);
        raw_magic(&raw);
        raw_settings(&raw, 0);
        assert_int_equal(h2_side_get(&side, &raw), 0);
        run(&side, only_open, NEVER, reads, true, &flood);
        assert_int_equal(flood.requests, 100);
        assert_true(flood.was_closed || flood.was_paused);
        assert_true(flood.units <= 1000);
        if (reads)
            assert_non_null(strstr(flood.last, "code=11 \"too_many_resets\""));
        h2_side_clear(&side);
    }
}

/* --- frames ---------------------------------------------------------------------------------- */

static void on_one_stream(struct raw *raw, unsigned index)
{
    if (index == 0)
        raw_request(raw, 0, 1);
}

static void empty_data(struct raw *raw, unsigned index)
{
    on_one_stream(raw, index);
    raw_data(raw, 0, 1, "", 0);
}

/* We closed it, so the peer may not know. */
static void empty_data_on_a_closed_stream(struct raw *raw, unsigned index)
{
    if (index == 0)
        raw_headers(raw, 0, 1, ":method=POST|:scheme=http|:authority=a");
    raw_data(raw, 0, 1, "", 0);
}

static void rule_65_empty_data(void **state)
{
    (void)state;
    assert_bounded(true, empty_data, 200, "code=11 \"too_many_empty_frames\"");
    assert_bounded(true, empty_data_on_a_closed_stream, 200, "code=11 \"too_many_empty_frames\"");
}

static void ping(struct raw *raw, unsigned index)
{
    (void)index;
    raw_ping(raw, 0, "12345678");
}

static void ping_ack(struct raw *raw, unsigned index)
{
    (void)index;
    raw_ping(raw, RAW_ACK, "12345678");
}

static void settings(struct raw *raw, unsigned index)
{
    raw_settings(raw, 4, 70000 + index % 2, 0);
}

static void priority(struct raw *raw, unsigned index)
{
    raw_frame(raw, RAW_PRIORITY, 0, 2 * (index % 100) + 1, "\0\0\0\0\1", 5);
}

static void window_update(struct raw *raw, unsigned index)
{
    (void)index;
    raw_window_update(raw, 0, 1);
}

static void unknown(struct raw *raw, unsigned index)
{
    raw_frame(raw, 0xfa, 0, index & 0x7fffffff, "", 0);
}

static void altsvc(struct raw *raw, unsigned index)
{
    (void)index;
    raw_frame(raw, 10, 0, 0, "\0\0", 2);
}

static void rule_65_pings(void **state)
{
    (void)state;
    assert_bounded(true, ping, PIECE, "code=11 \"too_many_pings\"");
    assert_bounded(true, ping_ack, 1100, "code=11 \"too_many_frames\"");
    assert_bounded(false, ping, 1100, "code=11 \"too_many_frames\"");
}

static void rule_65_settings(void **state)
{
    (void)state;
    assert_bounded(true, settings, 200, "code=11 \"too_many_frames\"");
    assert_bounded(false, settings, 200, "code=11 \"too_many_frames\"");
}

static void rule_65_frames_without_effect(void **state)
{
    (void)state;
    assert_bounded(true, priority, 1100, "code=11 \"too_many_frames\"");
    assert_bounded(true, window_update, 1100, "code=11 \"too_many_frames\"");
    assert_bounded(true, unknown, 1100, "code=11 \"too_many_frames\"");
    assert_bounded(true, altsvc, 1100, "code=11 \"too_many_frames\"");
    assert_bounded(false, priority, 1100, "code=11 \"too_many_frames\"");
    assert_bounded(false, window_update, 1100, "code=11 \"too_many_frames\"");
    assert_bounded(false, unknown, 1100, "code=11 \"too_many_frames\"");
}

static void goaway(struct raw *raw, unsigned index)
{
    (void)index;
    raw_goaway(raw, 0x7fffffff, 0, "");
}

static void goaways_of_a_server_that_goes_on(void **state)
{
    struct h2_side side;
    struct flood flood;
    struct h2_user call;
    (void)state;

    h2_side_start(&side, false, NULL);
    assert_int_equal(h2_user_open(&call, &side, true), 0);
    h2_side_take(&side);
    run(&side, goaway, NEVER, true, true, &flood);
    assert_true(flood.was_closed && flood.units <= 1100);
    assert_string_equal(side.log, "ready\ndraining 0 \nclosed connection was closed: "
                                  "too_many_frames\n");
    h2_user_release(&call, H2_CANCEL);
    h2_side_clear(&side);
}

static void many_small_pieces(void **state)
{
    struct h2_side side;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&side, true, NULL);
    raw_request(&raw, 0, 1);
    for (int i = 0; i < 60000; i++)
        raw_data(&raw, 0, 1, "x", 1);
    size_t before = side.mem.live_bytes;
    assert_int_equal(h2_side_get(&side, &raw), 0);
    assert_int_equal(side.users->received.len, 60000);
    assert_true(side.mem.live_bytes < before + 4096);
    h2_side_clear(&side);
}

/* --- replies that nobody reads ---------------------------------------------------------------- */

static void unread_replies_pause_at_100_and_close_at_1000(void **state)
{
    struct h2_side client;
    struct h2_user call;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&call, &client, true), 0);
    for (int count = 1; count <= 999; count++) {
        client.now_ms += 10; /* slowly enough for every other limit */
        raw_ping(&raw, 0, "12345678");
        assert_int_equal(h2_side_get(&client, &raw), 0);
        assert_int_equal(pgrpc__h2_connection_wants_input(client.connection), count < 100);
    }
    raw_ping(&raw, 0, "12345678");
    client.now_ms += 10;
    assert_true(h2_side_get(&client, &raw) < 0);
    assert_non_null(strstr(client.log, "too_many_unread_replies"));
    h2_user_release(&call, H2_CANCEL);
    h2_side_clear(&client);
}

static void reading_goes_on_when_the_replies_are_written(void **state)
{
    struct h2_side client;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    for (int round = 0; round < 20; round++) {
        for (int count = 0; count < 100; count++) {
            client.now_ms += 10;
            raw_ping(&raw, 0, "12345678");
            assert_int_equal(h2_side_get(&client, &raw), 0);
        }
        assert_false(pgrpc__h2_connection_wants_input(client.connection));
        h2_side_take(&client);
        assert_true(pgrpc__h2_connection_wants_input(client.connection));
    }
    h2_side_clear(&client);
}

static void what_we_send_ourselves_does_not_count(void **state)
{
    struct h2_connection_config config;
    struct h2_side server;
    (void)state;

    h2_side_config(&config, true);
    config.max_concurrent_streams = 2000;
    h2_side_start(&server, true, &config);
    for (uint32_t id = 1; id < 4000; id += 2) {
        struct raw raw = {0};
        raw_request(&raw, RAW_END_STREAM, id);
        assert_int_equal(h2_side_get(&server, &raw), 0);
    }
    for (struct h2_user *user = server.users; user; user = user->next)
        h2_user_answer(user);
    assert_true(pgrpc__h2_connection_wants_input(server.connection));
    assert_string_equal(server.log, "ready\n");
    h2_side_clear(&server);
}

/* --- header blocks --------------------------------------------------------------------------- */

/* A request whose block comes in |count| CONTINUATION frames after an empty HEADERS. */
static void continued(struct raw *raw, uint32_t id, unsigned count, const struct raw *block)
{
    raw_frame(raw, RAW_HEADERS, RAW_END_STREAM, id, "", 0);
    for (unsigned i = 0; i < count; i++) {
        size_t from = block->len * i / count, to = block->len * (i + 1) / count;
        raw_frame(raw, RAW_CONTINUATION, i + 1 == count ? RAW_END_HEADERS : 0, id,
                  block->data + from, to - from);
    }
}

static void rule_65_eight_continuations_are_taken(void **state)
{
    struct raw block = {0};
    (void)state;

    raw_block(&block, RAW_REQUEST_FIELDS);
    for (unsigned count = 7; count <= 9; count++) {
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            struct h2_side server;
            struct raw raw = {0};
            int error = 0;
            h2_side_start(&server, true, NULL);
            continued(&raw, 1, count, &block);
            for (size_t i = 0; bytewise && i < raw.len && !error; i++)
                error = h2_side_receive(&server, raw.data + i, 1);
            if (!bytewise)
                error = h2_side_receive(&server, raw.data, raw.len);
            raw_clear(&raw);
            assert_int_equal(error<0, count> 8);
            assert_int_equal(server.user_count, count <= 8);
            if (count > 8)
                assert_non_null(
                    strstr(h2_side_take(&server), "code=11 \"too many CONTINUATION frames\"\n"));
            h2_side_clear(&server);
        }
    }
    raw_clear(&block);
}

static unsigned continuation_size;

static void continuation(struct raw *raw, unsigned index)
{
    uint8_t *zeros = test_calloc(1, continuation_size + 1);
    if (index == 0)
        raw_frame(raw, RAW_HEADERS, 0, 1, "", 0);
    memset(zeros, 0x82, continuation_size);
    raw_frame(raw, RAW_CONTINUATION, 0, 1, zeros, continuation_size);
    test_free(zeros);
}

static void rule_65_continuations(void **state)
{
    static const unsigned sizes[] = {0, 1, 16384};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        continuation_size = sizes[i];
        assert_bounded(true, continuation, PIECE, "code=11 \"too many CONTINUATION frames\"");
    }
}

/* One entry of 4,000 bytes in the table, named again and again: 1 byte for each 4,000. */
static void hpack_bomb(struct raw *raw, unsigned index)
{
    struct raw block = {0};
    char value[3900];
    memset(value, 'x', sizeof(value));
    raw_block(&block, RAW_REQUEST_FIELDS);
    raw_bytes(&block, "\x40\x01y\x7f\xbd\x1d", 6);
    raw_bytes(&block, value, 3900);
    for (int i = 0; i < 10000; i++)
        raw_bytes(&block, "\xbe", 1);
    raw_frame(raw, RAW_HEADERS, RAW_END_HEADERS | RAW_END_STREAM, 2 * index + 1, block.data,
              block.len);
    raw_clear(&block);
}

static void an_hpack_bomb_costs_one_stream(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    hpack_bomb(&raw, 0);
    size_t before = server.mem.live_bytes;
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_true(server.mem.live_bytes < before + 8192);
    assert_string_equal(h2_side_take(&server), "RST_STREAM 1 11\n");
    h2_side_request(&server, 3);
    h2_side_clear(&server);
    assert_bounded(true, hpack_bomb, 600, "code=11 \"too_many_resets\"");
}

/* --- servers against clients ------------------------------------------------------------------ */

static void rule_40_eight_informational_heads_are_taken(void **state)
{
    struct h2_side client;
    struct h2_user call, other;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&call, &client, true), 0);
    assert_int_equal(h2_user_open(&other, &client, true), 0);
    h2_side_take(&client);
    for (int i = 0; i < 8; i++)
        raw_headers(&raw, 0, 1, ":status=103|a=b");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_false(call.has_closed);
    assert_true(strncmp(call.log, "INFORMATIONAL :status=103 a=b\n", 30) == 0);
    raw_headers(&raw, 0, 3, ":status=100");
    raw_headers(&raw, RAW_END_STREAM, 3, H2_RESPONSE_FIELDS "|grpc-status=0");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(other.log, "INFORMATIONAL :status=100\n"
                                   "RESPONSE :status=200 content-type=application/grpc "
                                   "grpc-status=0 end\nclosed NORMAL 0\n");
    raw_headers(&raw, 0, 1, ":status=103");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_true(call.has_closed);
    assert_int_equal(call.end, H2_END_VIOLATION);
    assert_string_equal(h2_side_take(&client), "RST_STREAM 1 1\n");
    h2_user_release(&call, H2_CANCEL);
    h2_user_release(&other, H2_CANCEL);
    h2_side_clear(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_65_rapid_reset),
        cmocka_unit_test(rule_65_rapid_reset_with_handlers_that_do_not_return),
        cmocka_unit_test(who_cancels_often_but_lets_most_calls_finish_is_served),
        cmocka_unit_test(streams_that_lived_a_second_may_all_be_cancelled),
        cmocka_unit_test(rule_65_resets_that_the_peer_provokes),
        cmocka_unit_test(some_provocations_end_the_connection_at_once),
        cmocka_unit_test(rule_65_streams_beyond_the_limit),
        cmocka_unit_test(rule_65_empty_data),
        cmocka_unit_test(rule_65_pings),
        cmocka_unit_test(rule_65_settings),
        cmocka_unit_test(rule_65_frames_without_effect),
        cmocka_unit_test(goaways_of_a_server_that_goes_on),
        cmocka_unit_test(many_small_pieces),
        cmocka_unit_test(unread_replies_pause_at_100_and_close_at_1000),
        cmocka_unit_test(reading_goes_on_when_the_replies_are_written),
        cmocka_unit_test(what_we_send_ourselves_does_not_count),
        cmocka_unit_test(rule_65_eight_continuations_are_taken),
        cmocka_unit_test(rule_65_continuations),
        cmocka_unit_test(an_hpack_bomb_costs_one_stream),
        cmocka_unit_test(rule_40_eight_informational_heads_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
