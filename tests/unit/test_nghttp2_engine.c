/* What the engine takes and refuses of the heads of requests and responses. */
#include "../support/unit.h"
#include "../support/h2_side.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

/* --- header limits --------------------------------------------------------------------------- */

/* A request head of exactly |size| as RFC 9113 counts. */
static void sized_request(struct raw *raw, uint32_t id, size_t size)
{
    struct raw block = {0};
    size_t have = 0;
    for (const char *at = RAW_REQUEST_FIELDS; *at; at++)
        have += *at == '|' ? 32 : *at == '=' ? 0 : 1;
    have += 32;
    char *filler = test_calloc(1, size);
    memset(filler, 'x', size - have - 32 - 1);
    raw_block(&block, RAW_REQUEST_FIELDS);
    raw_field(&block, "f", filler);
    raw_frame(raw, RAW_HEADERS, RAW_END_STREAM, id, block.data,
              block.len < 16000 ? block.len : 16000);
    if (block.len >= 16000)
        raw_frame(raw, RAW_CONTINUATION, RAW_END_HEADERS, id, block.data + 16000,
                  block.len - 16000);
    else
        raw->data[raw->len - block.len - 5] |= RAW_END_HEADERS;
    raw_clear(&block);
    test_free(filler);
}

static void rule_26_heads_up_to_the_limit_are_taken(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    sized_request(&raw, 1, 16383);
    sized_request(&raw, 3, 16384);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(server.user_count, 2);
    sized_request(&raw, 5, 16385);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(server.user_count, 2);
    assert_string_equal(h2_side_take(&server), "RST_STREAM 5 11\n");
    h2_side_request(&server, 7);
    h2_side_clear(&server);
}

static void a_head_may_have_128_fields(void **state)
{
    (void)state;
    for (int count = 127; count <= 129; count++) {
        struct h2_side server;
        struct raw raw = {0}, block = {0};
        h2_side_start(&server, true, NULL);
        raw_block(&block, RAW_REQUEST_FIELDS);
        for (int i = 6; i < count; i++)
            raw_field(&block, "f", "v");
        raw_frame(&raw, RAW_HEADERS, RAW_END_HEADERS | RAW_END_STREAM, 1, block.data, block.len);
        raw_clear(&block);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        assert_int_equal(server.user_count, count <= 128);
        assert_string_equal(h2_side_take(&server), count <= 128 ? "" : "RST_STREAM 1 11\n");
        h2_side_clear(&server);
    }
}

static void a_response_head_over_the_limit_ends_its_call_alone(void **state)
{
    struct h2_side client;
    struct h2_user call, other;
    struct raw raw = {0};
    char *filler = test_calloc(1, 16001);
    (void)state;

    memset(filler, 'x', 16000);
    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&call, &client, true), 0);
    assert_int_equal(h2_user_open(&other, &client, true), 0);
    h2_side_take(&client);
    struct raw block = {0};
    raw_block(&block, ":status=200|a=b");
    raw_field(&block, "x", filler);
    raw_frame(&raw, RAW_HEADERS, 0, 1, block.data, 16000);
    raw_frame(&raw, RAW_CONTINUATION, 0, 1, block.data + 16000, block.len - 16000);
    raw_clear(&block);
    raw_block(&block,
              "y=123|and=more than fits into the limit of sixteen kibibytes, "
              "counted with thirty-two bytes for each field.............................."
              "............................................................................"
              "............................................................................");
    raw_frame(&raw, RAW_CONTINUATION, RAW_END_HEADERS, 1, block.data, block.len);
    raw_clear(&block);
    raw_headers(&raw, RAW_END_STREAM, 3, H2_RESPONSE_FIELDS "|grpc-status=0");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(call.log, "closed VIOLATION 11\n");
    assert_string_equal(other.log, "RESPONSE :status=200 content-type=application/grpc "
                                   "grpc-status=0 end\nclosed NORMAL 0\n");
    assert_string_equal(h2_side_take(&client), "RST_STREAM 1 11\n");
    h2_user_release(&call, H2_CANCEL);
    h2_user_release(&other, H2_CANCEL);
    assert_string_equal(h2_side_take(&client), "");
    h2_side_clear(&client);
    test_free(filler);
}

static void hpack_stays_in_step_when_a_head_is_refused(void **state)
{
    struct h2_side server;
    struct raw raw = {0}, block = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    /* 3,000 fields; the last enters the table, behind what is decoded without being looked at. */
    raw_block(&block, RAW_REQUEST_FIELDS);
    for (int i = 0; i < 3000; i++)
        raw_field(&block, "a", "b");
    raw_bytes(&block, "\x40\x04name\x05value", 12);
    raw_frame(&raw, RAW_HEADERS, RAW_END_HEADERS | RAW_END_STREAM, 1, block.data, block.len);
    raw_clear(&block);
    raw_block(&block, RAW_REQUEST_FIELDS);
    raw_bytes(&block, "\xbe", 1); /* the newest entry */
    raw_frame(&raw, RAW_HEADERS, RAW_END_HEADERS | RAW_END_STREAM, 3, block.data, block.len);
    raw_clear(&block);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(server.user_count, 1);
    assert_string_equal(server.users->log, H2_REQUEST_LINE " name=value end\n");
    assert_string_equal(h2_side_take(&server), "RST_STREAM 1 11\n");
    h2_side_clear(&server);
}

static void a_head_larger_than_the_peer_takes_is_not_sent(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;
    static const struct header_field fields[] = {{":status", "200", 7, 3, false},
                                                 {"a", "b", 1, 1, false}};

    assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
    raw_magic(&raw);
    raw_settings(&raw, 6, 42 + 33, 0);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    struct h2_user *user = h2_side_request(&server, 1);
    assert_int_equal(pgrpc__h2_stream_respond(&user->stream, fields, 2, true), -EMSGSIZE);
    raw_settings(&raw, 6, 42 + 34, 0);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(pgrpc__h2_stream_respond(&user->stream, fields, 2, true), 0);
    h2_side_clear(&server);
}

static void rule_20_values_that_http_forbids_are_dropped(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    raw_headers(&raw, RAW_END_STREAM, 1,
                RAW_REQUEST_FIELDS "|bad=a\x01z|good= spaces around |bad name=x|last=1");
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(server.user_count, 1);
    assert_string_equal(server.users->log, H2_REQUEST_LINE " good= spaces around  last=1 end\n");
    assert_string_equal(h2_side_take(&server), "");
    h2_side_clear(&server);
}

static void malformed_requests_are_reset_and_the_connection_lives(void **state)
{
    static const char *const heads[] = {
        ":method=POST|:scheme=http|:authority=a",         /* no path */
        ":method=POST|:scheme=http|:path=/a|te=trailers", /* no authority */
        ":method=POST|:scheme=http|:path=|:authority=a",
        ":method=POST|:method=POST|:scheme=http|:path=/a|:authority=a",
        "te=trailers|:method=POST|:scheme=http|:path=/a|:authority=a",
        ":method=POST|:scheme=http|:path=/a|:authority=a|Upper=x",
        ":method=POST|:scheme=http|:path=/a|:authority=a|connection=close",
        ":method=POST|:scheme=http|:path=/a|:authority=a|te=gzip",
        ":method=POST|:scheme=http|:path=/a|:authority=a|:other=x",
        ":status=200",
    };
    struct h2_side server;
    (void)state;

    h2_side_start(&server, true, NULL);
    uint32_t id = 1;
    for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++, id += 2) {
        struct raw raw = {0};
        char expected[32];
        raw_headers(&raw, RAW_END_STREAM, id, heads[i]);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        snprintf(expected, sizeof(expected), "RST_STREAM %u 1\n", id);
        assert_string_equal(h2_side_take(&server), expected);
    }
    assert_int_equal(server.user_count, 0);
    h2_user_answer(h2_side_request(&server, id));
    h2_side_clear(&server);
}

static void a_wrong_content_length_is_the_peers_fault(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    raw_headers(&raw, 0, 1, RAW_REQUEST_FIELDS "|content-length=4");
    raw_data(&raw, RAW_END_STREAM, 1, "abc", 3);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "RST_STREAM 1 1\n");
    assert_string_equal(server.users->log, H2_REQUEST_LINE " content-length=4\ndata 3\n"
                                                           "closed VIOLATION 1\n");
    h2_side_request(&server, 3);
    h2_side_clear(&server);
}

static void trailers_larger_than_the_peer_takes_reset_the_stream(void **state)
{
    static const struct header_field trailers[] = {{"a", "b", 1, 1, false}};
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
    raw_magic(&raw);
    raw_settings(&raw, 6, 200, 0);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    struct h2_user *user = h2_side_request(&server, 1);
    assert_int_equal(h2_user_respond(user, false), 0);
    h2_user_send(user, "hello", 5, false);
    h2_side_take(&server);
    raw_settings(&raw, 6, 33, 0);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    user->trailers = trailers;
    user->trailer_count = 1;
    user->output_end = true;
    pgrpc__h2_stream_resume(&user->stream);
    assert_string_equal(h2_side_take(&server), "SETTINGS ACK\nRST_STREAM 1 2\n");
    assert_int_equal(user->end, H2_END_VIOLATION);
    assert_int_equal(user->code, H2_INTERNAL_ERROR);
    h2_side_clear(&server);
}

static void many_fields_may_be_sent(void **state)
{
    struct header_field fields[100];
    struct h2_side server;
    char expected[2048];
    (void)state;

    h2_side_start(&server, true, NULL);
    fields[0] = (struct header_field){":status", "200", 7, 3, false};
    strcpy(expected, "HEADERS 1 END_STREAM :status=200");
    for (int i = 1; i < 100; i++) {
        fields[i] = (struct header_field){"name", "value", 4, 5, false};
        strcat(expected, " name=value");
    }
    strcat(expected, "\n");
    struct h2_user *user = h2_side_request(&server, 1);
    assert_int_equal(pgrpc__h2_stream_respond(&user->stream, fields, 100, true), 0);
    assert_string_equal(h2_side_take(&server), expected);
    h2_side_clear(&server);
}

/* What PGRPC_TRACE shows of a small conversation. */
static void frames_are_traced_in_order(void **state)
{
    char text[4096];
    struct h2_side server;
    struct raw raw = {0};
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    unsigned topics = pgrpc__trace_topics;
    (void)state;

    h2_side_start(&server, true, NULL);
    dup2(fileno(file), STDERR_FILENO);
    pgrpc__trace_topics = TRACE_FRAMES | TRACE_CONNECTIONS;
    raw_request(&raw, RAW_END_STREAM, 1);
    raw_frame(&raw, 250, 0, 3, "abc", 3);
    raw_ping(&raw, 0, "12345678");
    raw_goaway(&raw, 0, H2_NO_ERROR, "bye");
    h2_side_get(&server, &raw);
    h2_side_take(&server);
    pgrpc__trace_topics = topics;
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    static const char *const parts[] = {"server ",
                                        "gets  HEADERS stream 1, ",
                                        "END_STREAM END_HEADERS",
                                        "gets  type 250 stream 3, 3 bytes",
                                        "gets  PING stream 0, 8 bytes",
                                        "gets  GOAWAY stream 0",
                                        "the peer is leaving: code 0, last stream 0, \"bye\"",
                                        "sends PING stream 0, 8 bytes ACK"};
    const char *at = text;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        at = strstr(at, parts[i]);
        if (!at)
            fail_msg("no \"%s\" in\n%s", parts[i], text);
    }
    h2_side_clear(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_26_heads_up_to_the_limit_are_taken),
        cmocka_unit_test(a_head_may_have_128_fields),
        cmocka_unit_test(a_response_head_over_the_limit_ends_its_call_alone),
        cmocka_unit_test(hpack_stays_in_step_when_a_head_is_refused),
        cmocka_unit_test(a_head_larger_than_the_peer_takes_is_not_sent),
        cmocka_unit_test(rule_20_values_that_http_forbids_are_dropped),
        cmocka_unit_test(malformed_requests_are_reset_and_the_connection_lives),
        cmocka_unit_test(a_wrong_content_length_is_the_peers_fault),
        cmocka_unit_test(trailers_larger_than_the_peer_takes_reset_the_stream),
        cmocka_unit_test(many_fields_may_be_sent),
        cmocka_unit_test(frames_are_traced_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
