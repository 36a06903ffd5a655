/* A connection against frames made by hand: handshake, requests and responses, byte for byte. */
#include "../support/unit.h"
#include "../support/h2_side.h"

#include <stdio.h>

#define SERVER_HELLO "SETTINGS 3=100 4=65536 6=16384\nWINDOW_UPDATE 0 +983041\n"
#define CLIENT_HELLO "MAGIC\nSETTINGS 2=0 4=65536 6=16384\nWINDOW_UPDATE 0 +983041\n"

/* --- both ends ------------------------------------------------------------------------------- */

static void a_call_goes_through_both_sides(void **state)
{
    struct h2_side client, server;
    struct h2_user call;
    (void)state;

    assert_int_equal(h2_side_init(&client, false, NULL, NULL), 0);
    assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
    assert_int_equal(h2_user_open(&call, &client, false), 0);
    h2_user_send(&call, "hello", 5, true);
    h2_side_join(&client, &server);
    assert_string_equal(client.log, "ready\n");
    assert_string_equal(server.log, "ready\n");
    assert_int_equal(server.user_count, 1);
    struct h2_user *handler = server.users;
    assert_string_equal(handler->log, H2_REQUEST_LINE "\ndata 5\nend\n");
    assert_memory_equal(handler->received.data, "hello", 5);

    assert_int_equal(h2_user_respond(handler, false), 0);
    h2_user_send(handler, "answer", 6, false);
    h2_user_finish(handler);
    h2_side_join(&client, &server);
    assert_string_equal(call.log, "RESPONSE :status=200 content-type=application/grpc\n"
                                  "data 6\nTRAILERS grpc-status=0 end\nclosed NORMAL 0\n");
    assert_memory_equal(call.received.data, "answer", 6);
    assert_true(handler->has_closed);
    assert_int_equal(handler->end, H2_END_NORMAL);
    h2_user_release(&call, H2_CANCEL);
    h2_side_clear(&client);
    h2_side_clear(&server);
}

static void a_large_message_goes_through_both_sides(void **state)
{
    enum { LEN = 3 * 1000 * 1000 };
    struct h2_side client, server;
    struct h2_user call;
    uint8_t *data = test_malloc(LEN);
    (void)state;

    for (size_t i = 0; i < LEN; i++)
        data[i] = (uint8_t)(i * 31 >> 4);
    assert_int_equal(h2_side_init(&client, false, NULL, NULL), 0);
    assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
    assert_int_equal(h2_user_open(&call, &client, false), 0);
    call.consumes = true;
    h2_user_send(&call, data, LEN, true);
    h2_side_join(&client, &server);
    struct h2_user *handler = server.users;
    assert_int_equal(handler->received.len, LEN);
    assert_memory_equal(handler->received.data, data, LEN);
    assert_int_equal(h2_user_respond(handler, false), 0);
    h2_user_send(handler, data, LEN, false);
    h2_user_finish(handler);
    h2_side_join(&client, &server);
    assert_int_equal(call.received.len, LEN);
    assert_memory_equal(call.received.data, data, LEN);
    assert_int_equal(call.end, H2_END_NORMAL);
    h2_user_release(&call, H2_CANCEL);
    h2_side_clear(&client);
    h2_side_clear(&server);
    test_free(data);
}

/* --- handshake ------------------------------------------------------------------------------- */

static void rule_61_each_side_says_its_settings_first(void **state)
{
    struct h2_side client, server;
    struct raw raw = {0};
    struct h2_user call;
    (void)state;

    assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
    assert_string_equal(h2_side_take(&server), SERVER_HELLO);
    raw_magic(&raw);
    raw_settings(&raw, 4, 70000, 0);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "SETTINGS ACK\n");
    assert_string_equal(server.log, "ready\n");
    h2_side_clear(&server);

    /* A client does not wait for the server's. */
    assert_int_equal(h2_side_init(&client, false, NULL, NULL), 0);
    assert_int_equal(h2_user_open(&call, &client, true), 0);
    assert_string_equal(h2_side_take(&client),
                        CLIENT_HELLO "HEADERS 1 END_STREAM :method=POST :scheme=http "
                                     ":path=/test.Echo/Say :authority=localhost te=trailers "
                                     "content-type=application/grpc\n");
    assert_string_equal(client.log, "");
    h2_user_release(&call, H2_CANCEL);
    h2_side_clear(&client);
}

static void rule_61_push_promise_ends_the_connection(void **state)
{
    struct h2_side client;
    struct h2_user call;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&call, &client, true), 0);
    h2_side_take(&client);
    raw_bytes(&raw, "\0\0\0\2", 4);
    raw_block(&raw, RAW_REQUEST_FIELDS);
    struct raw frame = {0};
    raw_frame(&frame, RAW_PUSH_PROMISE, RAW_END_HEADERS, 1, raw.data, raw.len);
    raw_clear(&raw);
    h2_side_get(&client, &frame);
    assert_string_equal(h2_side_take(&client),
                        "GOAWAY last=0 code=1 \"PUSH_PROMISE: push disabled\"\n");
    assert_string_equal(client.log, "ready\nclosed the server broke the HTTP/2 protocol: "
                                    "PROTOCOL_ERROR: PUSH_PROMISE: push disabled\n");
    assert_string_equal(call.log, "closed LOST 0\n");
    assert_true(pgrpc__h2_connection_is_finished(client.connection));
    h2_user_release(&call, H2_CANCEL);
    h2_side_clear(&client);
}

static void what_is_not_http2_is_told_so(void **state)
{
    struct h2_side server;
    (void)state;
    const char *text = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
    assert_true(h2_side_receive(&server, text, strlen(text)) < 0);
    assert_string_equal(h2_side_take(&server),
                        SERVER_HELLO "GOAWAY last=0 code=1 \"the client does not speak HTTP/2\"\n");
    assert_string_equal(server.log, "closed the client broke the HTTP/2 protocol: the client does "
                                    "not speak HTTP/2\n");
    assert_true(pgrpc__h2_connection_is_finished(server.connection));
    h2_side_clear(&server);
}

static void a_server_without_settings_is_given_up_after_its_time(void **state)
{
    struct h2_side server;
    (void)state;

    assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
    h2_side_take(&server);
    assert_int_equal(h2_side_pass(&server, 0), 1010000);
    assert_int_equal(h2_side_pass(&server, 9999), 1010000);
    assert_string_equal(server.log, "");
    h2_side_pass(&server, 1);
    assert_string_equal(server.log, "closed the peer sent no HTTP/2 SETTINGS within 10000 ms\n");
    assert_string_equal(h2_side_take(&server), "GOAWAY last=0 code=4 \"handshake_timeout\"\n");
    h2_side_clear(&server);
}

static void headers_that_never_end_are_given_up_after_their_time(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    raw_frame(&raw, RAW_HEADERS, 0, 1, "", 0);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(h2_side_pass(&server, 0), 1010000);
    h2_side_pass(&server, 9999);
    assert_string_equal(server.log, "ready\n");
    h2_side_pass(&server, 1);
    assert_string_equal(server.log,
                        "ready\nclosed the peer did not complete its headers within 10000 ms\n");
    h2_side_clear(&server);
}

/* --- requests and responses ------------------------------------------------------------------ */

static void frames_of_a_response(void **state)
{
    struct h2_side server;
    (void)state;

    h2_side_start(&server, true, NULL);
    struct h2_user *user = h2_side_request(&server, 1);
    assert_string_equal(user->log, H2_REQUEST_LINE " end\n");
    assert_int_equal(h2_user_respond(user, false), 0);
    h2_user_send(user, "hello", 5, false);
    assert_string_equal(
        h2_side_take(&server),
        "HEADERS 1 :status=200 content-type=application/grpc\nDATA 1 5 \"hello\"\n");
    h2_user_finish(user);
    assert_string_equal(h2_side_take(&server), "HEADERS 1 END_STREAM grpc-status=0\n");
    assert_string_equal(user->log, H2_REQUEST_LINE " end\nclosed NORMAL 0\n");
    h2_user_release(user, H2_CANCEL);
    assert_string_equal(h2_side_take(&server), "");
    h2_side_clear(&server);
}

static void data_and_trailers_go_together(void **state)
{
    struct h2_side server;
    (void)state;

    h2_side_start(&server, true, NULL);
    struct h2_user *user = h2_side_request(&server, 1);
    assert_int_equal(h2_user_respond(user, false), 0);
    h2_user_send(user, "hello", 5, false);
    h2_user_finish(user);
    assert_string_equal(h2_side_take(&server),
                        "HEADERS 1 :status=200 content-type=application/grpc\nDATA 1 5 \"hello\"\n"
                        "HEADERS 1 END_STREAM grpc-status=0\n");
    h2_side_clear(&server);
}

static void a_response_may_be_one_head(void **state)
{
    struct h2_side server;
    (void)state;

    h2_side_start(&server, true, NULL);
    struct h2_user *user = h2_side_request(&server, 1);
    assert_int_equal(h2_user_respond(user, true), 0);
    assert_string_equal(h2_side_take(&server),
                        "HEADERS 1 END_STREAM :status=200 content-type=application/grpc\n");
    assert_int_equal(user->end, H2_END_NORMAL);
    assert_true(user->has_closed);
    h2_side_clear(&server);
}

static void an_empty_body_ends_with_an_empty_data_frame(void **state)
{
    struct h2_side client;
    struct h2_user call;
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&call, &client, false), 0);
    h2_side_take(&client);
    h2_user_send(&call, "", 0, true);
    assert_string_equal(h2_side_take(&client), "DATA 1 END_STREAM 0 \"\"\n");
    h2_user_release(&call, H2_CANCEL);
    assert_string_equal(h2_side_take(&client), "RST_STREAM 1 8\n");
    h2_side_clear(&client);
}

static void sensitive_fields_are_never_indexed(void **state)
{
    static const struct header_field fields[] = {{":status", "200", 7, 3, false},
                                                 {"authorization", "secret", 13, 6, true}};
    struct h2_side server;
    struct h2_user *user;
    (void)state;

    h2_side_start(&server, true, NULL);
    user = h2_side_request(&server, 1);
    assert_int_equal(pgrpc__h2_stream_respond(&user->stream, fields, 2, true), 0);
    assert_string_equal(h2_side_take(&server),
                        "HEADERS 1 END_STREAM :status=200 authorization=secret (never indexed)\n");
    h2_side_clear(&server);
}

static void rule_46_a_client_that_still_talks_is_told_to_stop_after_the_trailers(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    raw_request(&raw, 0, 1);
    raw_data(&raw, 0, 1, "abc", 3);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    struct h2_user *user = server.users;
    h2_user_answer(user);
    assert_string_equal(h2_side_take(&server),
                        "HEADERS 1 :status=200 content-type=application/grpc\n"
                        "HEADERS 1 END_STREAM grpc-status=0\nRST_STREAM 1 0\n");
    assert_string_equal(user->log, H2_REQUEST_LINE "\ndata 3\nclosed NORMAL 0\n");
    h2_user_release(user, H2_CANCEL);
    assert_string_equal(h2_side_take(&server), "");
    h2_side_clear(&server);
}

static void rule_46_a_client_keeps_the_trailers_when_a_reset_follows(void **state)
{
    struct h2_side client;
    struct h2_user call;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&call, &client, false), 0);
    h2_side_take(&client);
    raw_headers(&raw, 0, 1, H2_RESPONSE_FIELDS);
    raw_headers(&raw, RAW_END_STREAM, 1, "grpc-status=5");
    raw_rst(&raw, 1, H2_NO_ERROR);
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(call.log, "RESPONSE :status=200 content-type=application/grpc\n"
                                  "TRAILERS grpc-status=5 end\nclosed NORMAL 0\n");
    h2_user_release(&call, H2_CANCEL);
    assert_string_equal(h2_side_take(&client), "");
    h2_side_clear(&client);
}

static void rule_46_a_client_that_is_done_resets_with_the_code_it_wants(void **state)
{
    struct h2_side client;
    struct h2_user call;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&call, &client, false), 0);
    h2_side_take(&client);
    raw_headers(&raw, RAW_END_STREAM, 1, H2_RESPONSE_FIELDS "|grpc-status=5");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_false(call.has_closed);
    h2_user_release(&call, H2_NO_ERROR);
    assert_string_equal(h2_side_take(&client), "RST_STREAM 1 0\n");
    assert_int_equal(pgrpc__h2_connection_stream_count(client.connection), 0);
    h2_side_clear(&client);
}

static void trailers_need_no_window(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
    raw_magic(&raw);
    raw_settings(&raw, 4, 5, 0);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    struct h2_user *user = h2_side_request(&server, 1);
    h2_side_take(&server);
    assert_int_equal(h2_user_respond(user, false), 0);
    h2_user_send(user, "hello", 5, false);
    assert_string_equal(
        h2_side_take(&server),
        "HEADERS 1 :status=200 content-type=application/grpc\nDATA 1 5 \"hello\"\n");
    h2_user_finish(user);
    assert_string_equal(h2_side_take(&server), "HEADERS 1 END_STREAM grpc-status=0\n");
    assert_int_equal(user->end, H2_END_NORMAL);
    assert_true(user->has_closed);
    h2_side_clear(&server);
}

static void trailers_wait_for_data_that_waits_for_window(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
    raw_magic(&raw);
    raw_settings(&raw, 4, 3, 0);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    struct h2_user *user = h2_side_request(&server, 1);
    h2_side_take(&server);
    assert_int_equal(h2_user_respond(user, false), 0);
    h2_user_send(user, "hello", 5, false);
    h2_user_finish(user);
    assert_string_equal(h2_side_take(&server),
                        "HEADERS 1 :status=200 content-type=application/grpc\nDATA 1 3 \"hel\"\n");
    raw_window_update(&raw, 1, 2);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server),
                        "DATA 1 2 \"lo\"\nHEADERS 1 END_STREAM grpc-status=0\n");
    h2_side_clear(&server);
}

static void trailers_of_a_request_are_reported(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    raw_request(&raw, 0, 1);
    raw_data(&raw, 0, 1, "abc", 3);
    raw_headers(&raw, RAW_END_STREAM, 1, "x-sum=6");
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(server.users->log, H2_REQUEST_LINE "\ndata 3\nTRAILERS x-sum=6 end\n");
    h2_side_clear(&server);
}

static void bytes_may_be_cut_anywhere(void **state)
{
    struct raw script = {0};
    char whole[4096] = "";
    (void)state;

    raw_magic(&script);
    raw_settings(&script, 4, 70000, 0);
    raw_frame(&script, RAW_HEADERS, 0, 1, "", 0);
    struct raw block = {0};
    raw_block(&block, RAW_REQUEST_FIELDS);
    raw_frame(&script, RAW_CONTINUATION, 0, 1, block.data, 30);
    raw_frame(&script, RAW_CONTINUATION, RAW_END_HEADERS, 1, block.data + 30, block.len - 30);
    raw_clear(&block);
    raw_data(&script, RAW_PADDED, 1, "\3abcdefgh\0\0\0", 12);
    raw_ping(&script, 0, "12345678");
    raw_frame(&script, 0xee, 0, 3, "unknown", 7);
    raw_data(&script, RAW_END_STREAM, 1, "", 0);
    for (size_t step = script.len; step > 0; step = step > 60 ? step / 2 : step - 1) {
        struct h2_side server;
        char text[4096];
        assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
        for (size_t at = 0; at < script.len; at += step)
            assert_int_equal(h2_side_receive(&server, script.data + at,
                                             script.len - at < step ? script.len - at : step),
                             0);
        assert_int_equal(server.user_count, 1);
        struct h2_user *user = server.users;
        assert_int_equal(user->received.len, 8);
        assert_memory_equal(user->received.data, "abcdefgh", 8);
        snprintf(text, sizeof(text), "%s", h2_side_take(&server));
        if (step == script.len)
            strcpy(whole, text);
        assert_string_equal(text, whole);
        h2_side_clear(&server);
    }
    raw_clear(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_through_both_sides),
        cmocka_unit_test(a_large_message_goes_through_both_sides),
        cmocka_unit_test(rule_61_each_side_says_its_settings_first),
        cmocka_unit_test(rule_61_push_promise_ends_the_connection),
        cmocka_unit_test(what_is_not_http2_is_told_so),
        cmocka_unit_test(a_server_without_settings_is_given_up_after_its_time),
        cmocka_unit_test(headers_that_never_end_are_given_up_after_their_time),
        cmocka_unit_test(frames_of_a_response),
        cmocka_unit_test(data_and_trailers_go_together),
        cmocka_unit_test(a_response_may_be_one_head),
        cmocka_unit_test(an_empty_body_ends_with_an_empty_data_frame),
        cmocka_unit_test(sensitive_fields_are_never_indexed),
        cmocka_unit_test(rule_46_a_client_that_still_talks_is_told_to_stop_after_the_trailers),
        cmocka_unit_test(rule_46_a_client_keeps_the_trailers_when_a_reset_follows),
        cmocka_unit_test(rule_46_a_client_that_is_done_resets_with_the_code_it_wants),
        cmocka_unit_test(trailers_need_no_window),
        cmocka_unit_test(trailers_wait_for_data_that_waits_for_window),
        cmocka_unit_test(trailers_of_a_request_are_reported),
        cmocka_unit_test(bytes_may_be_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
