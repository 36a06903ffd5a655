/* Windows, quotas and keepalive of whole connections. */
#include "../support/unit.h"
#include "../support/h2_side.h"

#include <stdlib.h>

/* --- flow control ---------------------------------------------------------------------------- */

static void rule_60_a_slow_reader_does_not_hold_the_connection(void **state)
{
    struct h2_connection_config config;
    struct h2_side server;
    struct raw raw = {0};
    uint8_t *data = test_calloc(1, 16384);
    (void)state;

    h2_side_config(&config, true);
    config.connection_window = 65536;
    h2_side_start(&server, true, &config);
    server.consumes = false;
    raw_request(&raw, 0, 1);
    for (int i = 0; i < 4; i++)
        raw_data(&raw, 0, 1, data, 16384);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    /* All of the stream's window is used, and all of the connection's is back. */
    assert_string_equal(h2_side_take(&server), "WINDOW_UPDATE 0 +32768\nWINDOW_UPDATE 0 +32768\n");
    raw_request(&raw, 0, 3);
    for (int i = 0; i < 4; i++)
        raw_data(&raw, 0, 3, data, 16384);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "WINDOW_UPDATE 0 +32768\nWINDOW_UPDATE 0 +32768\n");
    pgrpc__h2_stream_consume(&server.users->stream, 32767);
    assert_string_equal(h2_side_take(&server), "");
    pgrpc__h2_stream_consume(&server.users->stream, 1);
    assert_string_equal(h2_side_take(&server), "WINDOW_UPDATE 1 +32768\n");
    h2_side_clear(&server);
    test_free(data);
}

static void rule_60_padding_is_given_back(void **state)
{
    struct h2_connection_config config;
    struct h2_side server;
    struct raw raw = {0};
    uint8_t *data = test_calloc(1, 16384);
    (void)state;

    h2_side_config(&config, true);
    config.connection_window = 65536;
    h2_side_start(&server, true, &config);
    server.consumes = false;
    raw_request(&raw, 0, 1);
    data[0] = 255; /* one byte of length, 255 of padding, nothing else */
    for (int i = 0; i < 1000; i++) {
        raw_data(&raw, RAW_PADDED, 1, data, 256);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        h2_side_take(&server);
    }
    assert_int_equal(server.users->received.len, 0);
    raw_data(&raw, RAW_PADDED | RAW_END_STREAM, 1, data, 300);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(server.users->received.len, 44);
    h2_side_clear(&server);
    test_free(data);
}

static void rule_60_a_stream_beyond_its_window_is_reset(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    uint8_t *data = test_calloc(1, 16384);
    (void)state;

    h2_side_start(&server, true, NULL);
    server.consumes = false;
    raw_request(&raw, 0, 1);
    for (int i = 0; i < 4; i++)
        raw_data(&raw, 0, 1, data, 16384);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    raw_data(&raw, 0, 1, data, 1);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "RST_STREAM 1 3\n");
    assert_int_equal(server.users->end, H2_END_VIOLATION);
    assert_int_equal(server.users->code, H2_FLOW_CONTROL_ERROR);
    h2_side_request(&server, 3);
    h2_side_clear(&server);
    test_free(data);
}

static void a_message_larger_than_the_window_gets_through_unread(void **state)
{
    struct h2_connection_config config;
    struct h2_side client, server;
    struct h2_user call;
    size_t quota_used = 0;
    enum { LEN = 1000000 };
    uint8_t *data = test_calloc(1, LEN);
    (void)state;

    h2_side_config(&config, true);
    config.quota_used = &quota_used;
    assert_int_equal(h2_side_init(&server, true, &config, NULL), 0);
    server.consumes = false;
    assert_int_equal(h2_side_init(&client, false, NULL, NULL), 0);
    assert_int_equal(h2_user_open(&call, &client, false), 0);
    h2_user_send(&call, data, LEN, true);
    h2_side_join(&client, &server);
    struct h2_user *user = server.users;
    assert_int_equal(user->received.len, 65536);
    while (user->received.len < LEN) {
        size_t before = user->received.len;
        pgrpc__h2_stream_expect(&user->stream, LEN - before);
        h2_side_join(&client, &server);
        assert_true(user->received.len > before);
        assert_true(quota_used >= before - 65536 && quota_used <= user->received.len);
    }
    pgrpc__h2_stream_expect(&user->stream, 0);
    pgrpc__h2_stream_consume(&user->stream, LEN);
    assert_int_equal(quota_used, 0);
    h2_user_release(&call, H2_CANCEL);
    h2_side_clear(&client);
    h2_side_clear(&server);
    test_free(data);
}

/* Streams of every kind of end, at random; what a reader never took is given back. */
static void windows_are_whole_again_after_all_kinds_of_ends(void **state)
{
    enum { ROUNDS = 2000 };
    struct h2_connection_config config;
    struct h2_side client, server;
    struct h2_user calls[8];
    size_t client_quota = 0, server_quota = 0;
    static uint8_t data[300000];
    uint32_t seed = 4711;
    (void)state;

    h2_side_config(&config, true);
    config.quota_used = &server_quota;
    config.quota_limit = 100000;
    assert_int_equal(h2_side_init(&server, true, &config, NULL), 0);
    server.consumes = false;
    h2_side_config(&config, false);
    config.quota_used = &client_quota;
    config.quota_limit = 100000;
    assert_int_equal(h2_side_init(&client, false, &config, NULL), 0);
    for (int i = 0; i < 8; i++)
        h2_user_init(&calls[i], &client);
    for (int round = 0; round < ROUNDS; round++) {
        seed = seed * 1664525 + 1013904223;
        unsigned choice = seed >> 24;
        struct h2_user *call = &calls[choice % 8];
        if (!call->stream.connection) {
            assert_int_equal(h2_user_open(call, &client, false), 0);
            h2_user_send(call, data, (seed >> 4) % sizeof(data), choice & 64);
        } else if (choice & 128) {
            h2_user_release(call, choice & 32 ? H2_CANCEL : H2_NO_ERROR);
            h2_user_init(call, &client);
        } else if (choice & 64) {
            pgrpc__h2_stream_expect(&call->stream, (seed >> 3) % 200000);
        } else {
            pgrpc__h2_stream_consume(&call->stream, call->stream.buffered_bytes / 2);
        }
        h2_side_join(&client, &server);
        /* Handlers answer, read a little, or give up. */
        struct h2_user **at = &server.users;
        while (*at) {
            struct h2_user *user = *at;
            seed = seed * 1664525 + 1013904223;
            unsigned act = seed >> 28;
            if (act == 0 && !user->has_closed && !user->output_end) {
                h2_user_respond(user, false);
                h2_user_send(user, data, (seed >> 8) % 200000, false);
                h2_user_finish(user);
            } else if (act == 1) {
                pgrpc__h2_stream_expect(&user->stream, seed % 300000);
            } else if (act == 2) {
                pgrpc__h2_stream_consume(&user->stream, user->stream.buffered_bytes);
            }
            if (user->has_closed || act == 3) {
                *at = user->next;
                h2_user_release(user, H2_CANCEL);
                free(user);
            } else {
                at = &user->next;
            }
        }
        server.last_user = at;
        h2_side_join(&client, &server);
        client.log[0] = server.log[0] = '\0';
    }
    for (int i = 0; i < 8; i++)
        h2_user_release(&calls[i], H2_CANCEL);
    h2_side_join(&client, &server);
    while (server.users) {
        struct h2_user *user = server.users;
        server.users = user->next;
        h2_user_release(user, H2_CANCEL);
        free(user);
    }
    server.last_user = &server.users;
    h2_side_join(&client, &server);
    assert_int_equal(client_quota, 0);
    assert_int_equal(server_quota, 0);
    /* A whole connection's worth fits through once more. */
    assert_int_equal(h2_user_open(&calls[0], &client, false), 0);
    h2_user_send(&calls[0], data, 65536, true);
    h2_side_join(&client, &server);
    assert_int_equal(server.users->received.len, 65536);
    h2_user_release(&calls[0], H2_CANCEL);
    h2_side_clear(&client);
    h2_side_clear(&server);
}

/* --- keepalive ------------------------------------------------------------------------------- */

static void rule_57_a_client_asks_and_gives_up(void **state)
{
    struct h2_connection_config config;
    struct h2_side client;
    struct h2_user call;
    struct raw raw = {0};
    (void)state;

    h2_side_config(&config, false);
    config.keepalive_ms = 10000;
    h2_side_start(&client, false, &config);
    assert_true(h2_side_pass(&client, 100000) == INT64_MAX);
    assert_int_equal(h2_user_open(&call, &client, true), 0);
    h2_side_take(&client);
    assert_int_equal(h2_side_pass(&client, 0), client.now_ms + 10000);
    h2_side_pass(&client, 10000);
    assert_string_equal(h2_side_take(&client), "PING keeppico\n");
    raw_ping(&raw, RAW_ACK, "keeppico");
    h2_side_pass(&client, 1000);
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_int_equal(h2_side_pass(&client, 0), client.now_ms + 10000);
    h2_side_pass(&client, 10000);
    assert_string_equal(h2_side_take(&client), "PING keeppico\n");
    int64_t next_ms = h2_side_pass(&client, 19999);
    assert_int_equal(next_ms, client.now_ms + 1);
    assert_false(call.has_closed);
    h2_side_pass(&client, 1);
    assert_string_equal(call.log, "closed LOST 0\n");
    assert_non_null(strstr(client.log, "closed keepalive: no answer within 20000 ms\n"));
    h2_user_release(&call, H2_CANCEL);
    h2_side_clear(&client);
}

static void rule_57_pings_too_close_end_the_connection(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    h2_side_request(&server, 1);
    for (int i = 0; i < 3; i++) {
        raw_ping(&raw, 0, "12345678");
        assert_int_equal(h2_side_get(&server, &raw), 0);
        assert_string_equal(h2_side_take(&server), "PING ACK 12345678\n");
    }
    raw_ping(&raw, 0, "12345678");
    assert_true(h2_side_get(&server, &raw) < 0);
    assert_non_null(strstr(h2_side_take(&server), "GOAWAY last=1 code=11 \"too_many_pings\"\n"));
    assert_true(pgrpc__h2_connection_is_finished(server.connection));
    h2_side_clear(&server);
}

static void rule_57_pings_beside_data_are_welcome(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    struct h2_user *user = h2_side_request(&server, 1);
    assert_int_equal(h2_user_respond(user, false), 0);
    for (int i = 0; i < 50; i++) {
        h2_user_send(user, "x", 1, false);
        h2_side_take(&server);
        raw_ping(&raw, 0, "12345678");
        assert_int_equal(h2_side_get(&server, &raw), 0);
        assert_string_equal(h2_side_take(&server), "PING ACK 12345678\n");
    }
    h2_side_clear(&server);
}

static void a_paused_connection_is_not_given_up(void **state)
{
    struct h2_connection_config config;
    struct h2_side server;
    struct h2_hold hold = {.connection = NULL};
    (void)state;

    h2_side_config(&config, true);
    config.max_concurrent_streams = 1;
    config.keepalive_ms = 10000;
    h2_side_start(&server, true, &config);
    pgrpc__h2_connection_hold(server.connection, &hold);
    assert_false(pgrpc__h2_connection_wants_input(server.connection));
    for (int i = 0; i < 10; i++)
        h2_side_pass(&server, 10000);
    assert_string_equal(server.log, "ready\n");
    assert_string_equal(h2_side_take(&server), "");
    pgrpc__h2_connection_unhold(&hold);
    h2_side_clear(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_60_a_slow_reader_does_not_hold_the_connection),
        cmocka_unit_test(rule_60_padding_is_given_back),
        cmocka_unit_test(rule_60_a_stream_beyond_its_window_is_reset),
        cmocka_unit_test(a_message_larger_than_the_window_gets_through_unread),
        cmocka_unit_test(windows_are_whole_again_after_all_kinds_of_ends),
        cmocka_unit_test(rule_57_a_client_asks_and_gives_up),
        cmocka_unit_test(rule_57_pings_too_close_end_the_connection),
        cmocka_unit_test(rule_57_pings_beside_data_are_welcome),
        cmocka_unit_test(a_paused_connection_is_not_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
