/* Rules 19 to 27: metadata. */
#include "../support/phrases.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* "key=value " for each entry; other bytes than printable ASCII as <ff>. */
static void describe(char *text, size_t size, const struct pgrpc_metadata *metadata)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < pgrpc_metadata_count(metadata); i++) {
        struct pgrpc_metadatum entry = pgrpc_metadata_at(metadata, i);
        const uint8_t *value = entry.value;
        assert_int_equal(value[entry.len], 0);
        len += (size_t)snprintf(text + len, size - len, "%s=", entry.key);
        for (size_t j = 0; j < entry.len && len < size; j++)
            len +=
                (size_t)snprintf(text + len, size - len,
                                 value[j] >= 0x20 && value[j] < 0x7f ? "%c" : "<%02x>", value[j]);
        if (len < size)
            len += (size_t)snprintf(text + len, size - len, " ");
    }
}

/* Notes what came in world->log and answers; a request "fail" with INTERNAL. x-* keys come back as
 * headers and as trailers. */
static void dump(struct pgrpc_call *call, const void *message, const void *handlers, void *userdata)
{
    struct world *world = userdata;
    const struct pgrpc_bytes *request = message;
    const struct pgrpc_metadata *headers = pgrpc_call_headers(call);
    (void)handlers;
    world->log[0] = '\0';
    describe(world->log, sizeof(world->log), headers);
    for (size_t i = 0; i < pgrpc_metadata_count(headers); i++) {
        struct pgrpc_metadatum entry = pgrpc_metadata_at(headers, i);
        if (strncmp(entry.key, "x-", 2) == 0) {
            assert_int_equal(pgrpc_call_add_header(call, &entry), PGRPC_OK);
            assert_int_equal(pgrpc_call_add_trailer(call, &entry), PGRPC_OK);
        }
    }
    if (request->len == 4 && memcmp(request->data, "fail", 4) == 0)
        pgrpc_call_finish(call, PGRPC_INTERNAL, "as asked");
    else
        pgrpc_call_reply(call, request);
}

static void serve_dump(struct world *world)
{
    world->bindings[WORLD_UNARY].invoke = dump;
    world_serve(world, NULL);
}

/* Starts a unary call with |count| entries. */
static struct world_call *call_with(struct world *world, const struct pgrpc_metadatum *entries,
                                    size_t count)
{
    struct pgrpc_call_options options = {
        .size = sizeof(options), .metadata = entries, .metadata_count = count};
    return world_begin(world, WORLD_UNARY, "hi", &options);
}

/* A good answer with these headers and trailers to a new call; its log. */
static const char *answer_with(struct world *world, const char *headers, const char *trailers)
{
    char fields[2048];
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, 0, world->id, headers);
    world_message(world, 0, world->id, "yes");
    snprintf(fields, sizeof(fields), "grpc-status=0%s%s", *trailers ? "|" : "", trailers);
    world_trailers(world, world->id, fields);
    world_talk(world);
    assert_true(call->is_done);
    return call->log;
}

/* --- rule 19 ------------------------------------------------------------------------------------
 */

static void rule_19_server_shows_only_what_is_metadata(void **state)
{
    struct world *world = *state;
    serve_dump(world);
    world_ask(world,
              "user-agent=someone/1|grpc-timeout=1H|grpc-encoding=identity|"
              "grpc-accept-encoding=gzip|grpc-message-type=x|grpc-status=3|grpc-message=m|"
              "grpc-previous-rpc-attempts=2|grpc-retry-pushback-ms=5|0key_a.b-c=value",
              "hello");
    assert_string_equal(world->log,
                        ":authority=localhost user-agent=someone/1 grpc-previous-rpc-attempts=2 "
                        "grpc-retry-pushback-ms=5 0key_a.b-c=value ");
}

static void rule_19_client_shows_only_what_is_metadata(void **state)
{
    struct world *world = *state;
    assert_string_equal(
        answer_with(world,
                    "grpc-encoding=identity|grpc-accept-encoding=gzip|grpc-status=5|"
                    "grpc-message=ignored|server=x/1|grpc-previous-rpc-attempts=2",
                    "grpc-message=m|grpc-status-details-bin=AA|grpc-retry-pushback-ms=5|k_1.2-3=v"),
        "headers server=x/1 grpc-previous-rpc-attempts=2\nmessage 3 yes\nend\n"
        "done OK grpc-retry-pushback-ms=5 k_1.2-3=v\n");
}

static void rule_19_keys_that_may_not_be_sent_fail_the_call(void **state)
{
    static const char *const keys[] = {"",
                                       "X-Upper",
                                       "with space",
                                       "colon:",
                                       ":path",
                                       "a=b",
                                       "te",
                                       "content-type",
                                       "grpc-status",
                                       "grpc-foo",
                                       "host",
                                       "user-agent",
                                       "\xc3\xa9",
                                       "connection",
                                       "grpc-timeout",
                                       "grpc-encoding",
                                       "transfer-encoding"};
    struct world *world = *state;
    world_start_client(world, NULL);
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct pgrpc_metadatum entry = {keys[i], "1", 1};
        struct world_call *call = call_with(world, &entry, 1);
        assert_int_equal(world->id, 0);
        assert_true(call->is_done);
        assert_int_equal(call->code, PGRPC_INTERNAL);
        assert_ptr_equal(strstr(call->message, "metadata "), call->message);
    }
    assert_int_equal(world->connection_count, 0);
}

static void add_bad_keys(struct pgrpc_call *call, const void *message, const void *handlers,
                         void *userdata)
{
    static const char *const keys[] = {"", "Upper", "te", ":status", "grpc-status", "a b"};
    (void)handlers;
    (void)userdata;
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct pgrpc_metadatum entry = {keys[i], "1", 1};
        assert_int_equal(pgrpc_call_add_header(call, &entry), PGRPC_INVALID_ARGUMENT);
        assert_string_not_equal(pgrpc_call_error(call), "");
        assert_int_equal(pgrpc_call_add_trailer(call, &entry), PGRPC_INVALID_ARGUMENT);
    }
    pgrpc_call_reply(call, message);
}

static void rule_19_handlers_cannot_send_them_either(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_UNARY].invoke = add_bad_keys;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "hello"), WORLD_ECHO("10", "\\x05hello"));
}

/* HTTP/2 takes upper case for a malformed request. */
static void rule_19_upper_case_on_the_wire_costs_one_stream(void **state)
{
    struct world *world = *state;
    serve_dump(world);
    assert_string_equal(world_ask(world, "X-Upper=1", "hello"), "RST_STREAM ID 1\n");
    world_check(world);
}

/* --- rule 20 ------------------------------------------------------------------------------------
 */

static void rule_20_server_bears_values_that_are_not_ascii(void **state)
{
    static const struct {
        const char *changes, *log, *frames;
    } cases[] = {
        {"x-k= v ", "x-k=v ", "x-k=v"},
        {"x-k=\tv\t ", "x-k=v ", "x-k=v"},
        {"x-k=a b", "x-k=a b ", "x-k=a b"},
        {"x-k=a\tb", "", ""},
        {"x-k=\xc3\xa9", "", ""},
        {"x-k=a\x7f", "", ""},
        {"x-k=a\x01"
         "b",
         "", ""},
        {"x-k=\xff|x-l=1", "x-l=1 ", "x-l=1"},
        {"x-k=~ !", "x-k=~ ! ", "x-k=~ !"},
    };
    struct world *world = *state;
    serve_dump(world);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char expected[300];
        const char *frames = world_ask(world, cases[i].changes, "hello");
        snprintf(expected, sizeof(expected), ":authority=localhost %s", cases[i].log);
        assert_string_equal(world->log, expected);
        snprintf(
            expected, sizeof(expected),
            "HEADERS ID :status=200 content-type=application/grpc " WORLD_ACCEPTS
            "%s%s\n" WORLD_DATA("10", "\\x05hello") "HEADERS ID END_STREAM grpc-status=0%s%s\n",
            *cases[i].frames ? " " : "", cases[i].frames, *cases[i].frames ? " " : "",
            cases[i].frames);
        assert_string_equal(frames, expected);
    }
}

static void rule_20_client_bears_values_that_are_not_ascii(void **state)
{
    struct world *world = *state;
    assert_string_equal(
        answer_with(world, "a= v |b=\xc3\xa9|c=a\x01|d=x y", "e=\x80|f=\tv \t|g=\x7f"),
        "headers a=v d=x y\nmessage 3 yes\nend\ndone OK f=v\n");
    world_check(world);
}

static void rule_20_values_that_may_not_be_sent_fail_the_call(void **state)
{
    static const char *const values[] = {"\xc3\xa9", "a\nb", "a\x7f", "\x01", "a\tb", "\r"};
    struct world *world = *state;
    world_start_client(world, NULL);
    for (size_t i = 0; i < COUNT(values); i++) {
        struct pgrpc_metadatum entry = {"key", values[i], strlen(values[i])};
        struct world_call *call = call_with(world, &entry, 1);
        assert_int_equal(call->code, PGRPC_INTERNAL);
        assert_string_equal(call->message, "metadata \"key\" is not printable ASCII (a key that "
                                           "ends in -bin carries any bytes)");
    }
    struct pgrpc_metadatum zero = {"key", "a\0b", 3};
    assert_int_equal(call_with(world, &zero, 1)->code, PGRPC_INTERNAL);
    struct pgrpc_metadatum spaces = {"key", "  v ", 4};
    call_with(world, &spaces, 1);
    assert_non_null(strstr(world->heard, " key=v\n"));
}

/* --- rule 21 ------------------------------------------------------------------------------------
 */

static void rule_21_binary_values_go_out_unpadded(void **state)
{
    struct world *world = *state;
    struct pgrpc_metadatum entries[] = {
        {"a-bin", "\x00", 1},         {"b-bin", "\x00\xff", 2}, {"c-bin", "\x00\xff\x10", 3},
        {"d-bin", "\xfb\xff\xbf", 3}, {"e-bin", "hello", 5},
    };
    call_with(world, entries, COUNT(entries));
    assert_non_null(strstr(world->heard, " " WORLD_ACCEPTS " a-bin=AA b-bin=AP8 c-bin=AP8Q "
                                         "d-bin=+/+/ e-bin=aGVsbG8\n"));
}

static void rule_21_server_takes_padded_and_unpadded(void **state)
{
    struct world *world = *state;
    serve_dump(world);
    const char *frames =
        world_ask(world, "a-bin=AA==|b-bin=AA|c-bin=AP8=|d-bin=AP8|e-bin=AP8Q|x-bin=+/+/", "hello");
    assert_string_equal(world->log, ":authority=localhost a-bin=<00> b-bin=<00> c-bin=<00><ff> "
                                    "d-bin=<00><ff> e-bin=<00><ff><10> x-bin=<fb><ff><bf> ");
    assert_non_null(strstr(frames, " x-bin=+/+/\nDATA"));
    assert_non_null(strstr(frames, " grpc-status=0 x-bin=+/+/\n"));
}

static void rule_21_client_takes_padded_and_unpadded(void **state)
{
    struct world *world = *state;
    assert_string_equal(answer_with(world, "a-bin=aGVsbG8=|b-bin=aGVsbG8", "c-bin=aGk=|d-bin=aGk"),
                        "headers a-bin=hello b-bin=hello\nmessage 3 yes\nend\n"
                        "done OK c-bin=hi d-bin=hi\n");
}

/* --- rule 22 ------------------------------------------------------------------------------------
 */

static void rule_22_server_splits_binary_values_at_commas_only(void **state)
{
    struct world *world = *state;
    serve_dump(world);
    world_ask(world, "a-bin=AA==,AQ,AgM=|a-bin2=1,2|x=1, 2,3|b-bin=AA, AQ ,,Ag|c-bin=,", "hello");
    assert_string_equal(world->log,
                        ":authority=localhost a-bin=<00> a-bin=<01> a-bin=<02><03> a-bin2=1,2 "
                        "x=1, 2,3 b-bin=<00> b-bin=<01> b-bin= b-bin=<02> c-bin= c-bin= ");
}

static void rule_22_client_splits_binary_values_at_commas_only(void **state)
{
    struct world *world = *state;
    assert_string_equal(answer_with(world, "a-bin=aA,aQ|x=1,2", "b-bin=aA==,aQ==|y=1,2"),
                        "headers a-bin=h a-bin=i x=1,2\nmessage 3 yes\nend\n"
                        "done OK b-bin=h b-bin=i y=1,2\n");
}

/* --- rule 23 ------------------------------------------------------------------------------------
 */

static void rule_23_server_keeps_the_order_of_duplicates(void **state)
{
    struct world *world = *state;
    serve_dump(world);
    const char *frames = world_ask(world, "x-a=1|x-b=1|+x-a=2|+x-a=1|+x-b=0", "hello");
    assert_string_equal(world->log, ":authority=localhost x-a=1 x-b=1 x-a=2 x-a=1 x-b=0 ");
    assert_string_equal(
        frames,
        "HEADERS ID :status=200 content-type=application/grpc " WORLD_ACCEPTS
        " x-a=1 x-b=1 x-a=2 x-a=1 x-b=0\n" WORLD_DATA(
            "10",
            "\\x05hello") "HEADERS ID END_STREAM grpc-status=0 x-a=1 x-b=1 x-a=2 x-a=1 x-b=0\n");
    /* On an error too, and headers stay headers, as with the other implementations. */
    assert_string_equal(
        world_ask(world, "x-a=1|x-b=1|+x-a=2", "fail"),
        "HEADERS ID :status=200 content-type=application/grpc " WORLD_ACCEPTS " x-a=1 x-b=1 x-a=2\n"
        "HEADERS ID END_STREAM grpc-status=13 grpc-message=as asked x-a=1 x-b=1 x-a=2\n");
}

static void rule_23_client_keeps_the_order_of_duplicates(void **state)
{
    struct world *world = *state;
    assert_string_equal(answer_with(world, "a=1|b=1|+a=2|+a=1|+b=0", "c=2|c=1|d=x|c=2"),
                        "headers a=1 b=1 a=2 a=1 b=0\nmessage 3 yes\nend\n"
                        "done OK c=2 c=1 d=x c=2\n");
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, RAW_END_STREAM, world->id, "grpc-status=9|a=1|+a=0|b=x|+a=1");
    world_talk(world);
    assert_string_equal(call->log, "done FAILED_PRECONDITION a=1 a=0 b=x a=1\n");
}

static void rule_23_client_sends_duplicates_in_order(void **state)
{
    struct world *world = *state;
    struct pgrpc_metadatum entries[] = {{"a", "1", 1}, {"b", "1", 1}, {"a", "0", 1}, {"a", "1", 1}};
    call_with(world, entries, COUNT(entries));
    assert_non_null(strstr(world->heard, " " WORLD_ACCEPTS " a=1 b=1 a=0 a=1\n"));
}

/* --- rule 24 ------------------------------------------------------------------------------------
 */

static void rule_24_empty_values_go_both_ways(void **state)
{
    struct world *world = *state;
    serve_dump(world);
    const char *frames = world_ask(world, "x-a-bin=|x-b=|c= ", "hello");
    assert_string_equal(world->log, ":authority=localhost x-a-bin= x-b= c= ");
    assert_non_null(strstr(frames, " x-a-bin= x-b=\nDATA"));
}

static void rule_24_client_takes_and_sends_empty_values(void **state)
{
    struct world *world = *state;
    struct pgrpc_metadatum entries[] = {{"a-bin", NULL, 0}, {"b", "", 0}};
    struct world_call *call = call_with(world, entries, COUNT(entries));
    assert_non_null(strstr(world->heard, " " WORLD_ACCEPTS " a-bin= b=\n"));
    world_response(world, 0, world->id, "a-bin=|b=");
    world_message(world, 0, world->id, "yes");
    world_trailers(world, world->id, "grpc-status=0|c-bin=|d=");
    world_talk(world);
    assert_string_equal(call->log, "headers a-bin= b=\nmessage 3 yes\nend\ndone OK c-bin= d=\n");
}

/* --- rule 25 ------------------------------------------------------------------------------------
 */

static const char *const not_base64[] = {
    "!", "A", "AAAAA", "A=", "AA=A", "AA=A=", "_-_-", "AA AA", "AAA==", "===", "AA,!", "\xff\xff"};

static void rule_25_server_fails_calls_with_bad_base64(void **state)
{
    struct world *world = *state;
    serve_dump(world);
    for (size_t i = 0; i < COUNT(not_base64); i++) {
        char changes[40];
        snprintf(changes, sizeof(changes), "x-bin=%s", not_base64[i]);
        assert_string_equal(world_ask(world, changes, "hello"),
                            WORLD_ONLY("200", "13", "metadata \"x-bin\" is not valid base64"));
        assert_string_equal(world->log, "");
    }
    world_check(world);
}

static void rule_25_client_fails_calls_with_bad_base64(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < 2 * COUNT(not_base64); i++) {
        char changes[40], trailers[60];
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        snprintf(changes, sizeof(changes), "x-bin=%s", not_base64[i / 2]);
        snprintf(trailers, sizeof(trailers), "grpc-status=0|%s", changes);
        world_response(world, 0, world->id, i % 2 ? changes : "");
        world_message(world, 0, world->id, "yes");
        world_trailers(world, world->id, i % 2 ? "grpc-status=0" : trailers);
        world_talk(world);
        world_check_done(call, PGRPC_INTERNAL, "metadata \"x-bin\" is not valid base64");
        assert_null(strstr(call->log, "message"));
    }
    world_check(world);
}

/* --- rule 26 ------------------------------------------------------------------------------------
 */

/* Bytes of a head as rule 26 counts them, in raw_block's notation. */
static size_t head_size(const char *fields)
{
    size_t size = 0;
    while (*fields) {
        size_t len = strcspn(fields, "|");
        size += len - 1 + 32;
        fields += len + (fields[len] == '|');
    }
    return size;
}

/* "k=vvv..." so that a head of |usual| and it has |size| bytes. */
static char *fill(const char *usual, size_t size)
{
    size_t rest = size - head_size(usual) - 32 - 1;
    char *change = malloc(rest + 3);
    assert_non_null(change);
    change[0] = 'k';
    change[1] = '=';
    memset(change + 2, 'v', rest);
    change[rest + 2] = '\0';
    return change;
}

static void rule_26_server_counts_heads_to_its_limit(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options), .max_metadata_bytes = 1000};
    world_start_server(world, &options);
    world_greet_server(world);
    assert_non_null(strstr(world_talk(world), " 6=1000"));
    for (size_t size = 998; size <= 1002; size++) {
        char *change = fill(RAW_REQUEST_FIELDS, size);
        const char *frames = world_ask(world, change, "hello");
        /* ENHANCE_YOUR_CALM is RESOURCE_EXHAUSTED for the client. */
        assert_string_equal(frames,
                            size <= 1000 ? WORLD_ECHO("10", "\\x05hello") : "RST_STREAM ID 11\n");
        free(change);
    }
    world_check(world);
}

static void rule_26_server_counts_binary_values_as_base64(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options), .max_metadata_bytes = 1000};
    world_serve(world, &options);
    for (size_t size = 999; size <= 1002; size += 3) {
        char *filled = fill(RAW_REQUEST_FIELDS, size);
        char *changes = malloc(strlen(filled) + 8);
        assert_non_null(changes);
        /* The name is 4 longer, the value 4 shorter, and all its letters are base64. */
        sprintf(changes, "k-bin=%s", filled + 2 + 4);
        const char *frames = world_ask(world, changes, "hello");
        if (size <= 1000)
            assert_string_equal(frames, WORLD_ECHO("10", "\\x05hello"));
        else
            assert_string_equal(frames, "RST_STREAM ID 11\n");
        free(changes);
        free(filled);
    }
}

static void rule_26_the_default_limit_is_told_and_held(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    world_greet_server(world);
    assert_non_null(strstr(world_talk(world), " 6=16384"));
    for (size_t size = 16383; size <= 16385; size++) {
        char *change = fill(RAW_REQUEST_FIELDS, size);
        struct raw block = {0}, *out = &world->out;
        world->id += world->id ? 2 : 1;
        raw_block(&block, RAW_REQUEST_FIELDS);
        raw_block(&block, change);
        /* A head may come in pieces. */
        raw_frame(out, RAW_HEADERS, 0, world->id, block.data, 100);
        raw_frame(out, RAW_CONTINUATION, 0, world->id, block.data + 100, 9000);
        raw_frame(out, RAW_CONTINUATION, RAW_END_HEADERS, world->id, block.data + 9100,
                  block.len - 9100);
        world_message(world, RAW_END_STREAM, world->id, "hello");
        assert_string_equal(world_hear(world),
                            size <= 16384 ? WORLD_ECHO("10", "\\x05hello") : "RST_STREAM ID 11\n");
        raw_clear(&block);
        free(change);
    }
    world_check(world);
}

static void rule_26_client_counts_heads_and_trailers_to_its_limit(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .max_metadata_bytes = 500};
    world_start_client(world, &options);
    for (size_t i = 0; i < 6; i++) {
        size_t size = 499 + i / 2;
        bool in_trailers = i % 2;
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        char *change =
            fill(in_trailers ? "grpc-status=0" : ":status=200|content-type=application/grpc", size);
        char trailers[600];
        world_response(world, 0, world->id, in_trailers ? "" : change);
        world_message(world, 0, world->id, "yes");
        snprintf(trailers, sizeof(trailers), "grpc-status=0%s%s", in_trailers ? "|" : "",
                 in_trailers ? change : "");
        world_trailers(world, world->id, trailers);
        const char *frames = world_hear(world);
        if (size <= 500) {
            assert_string_equal(frames, "");
            world_check_done(call, PGRPC_OK, "");
        } else {
            assert_string_equal(frames, "RST_STREAM ID 11\n");
            world_check_done(call, PGRPC_RESOURCE_EXHAUSTED,
                             "the response headers exceed max_metadata_bytes");
        }
        free(change);
    }
    world_check(world);
}

static void rule_26_client_tells_its_limit(void **state)
{
    struct world *world = *state;
    world_start_client(world, NULL);
    world_call(world, WORLD_UNARY, "hi", NULL);
    assert_string_equal(world_talk(world),
                        "MAGIC\nSETTINGS 2=0 4=65536 6=16384\nWINDOW_UPDATE 0 +983041\n");
}

/* The head of our client's usual request for Say. */
#define CLIENT_FIELDS                                                                        \
    ":method=POST|:scheme=http|:path=/test.Echo/Say|:authority=localhost:50051|te=trailers|" \
    "content-type=application/grpc|user-agent=grpc-c-picogrpc/" PGRPC_VERSION "|" WORLD_ACCEPTS

static void rule_26_client_respects_the_limit_of_the_server(void **state)
{
    struct world *world = *state;
    world_start_client(world, NULL);
    world_call(world, WORLD_UNARY, "hi", NULL);
    world_talk(world);
    raw_settings(&world->out, 6, 700, 0);
    raw_settings_ack(&world->out);
    world_talk(world);
    for (size_t size = 699; size <= 701; size++) {
        char *change = fill(CLIENT_FIELDS, size);
        struct pgrpc_metadatum entry = {"k", change + 2, strlen(change) - 2};
        struct world_call *call = call_with(world, &entry, 1);
        if (size <= 700) {
            assert_non_null(strstr(world->heard, "HEADERS ID "));
            assert_false(call->is_done);
        } else {
            assert_string_equal(world->heard, "");
            world_check_done(call, PGRPC_RESOURCE_EXHAUSTED,
                             "the request headers exceed what the server takes");
        }
        free(change);
    }
    /* Nobody waits behind it. */
    world_check(world);
}

static void rule_26_server_respects_the_limit_of_the_client(void **state)
{
    struct world *world = *state;
    char value[300];
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    world->bindings[WORLD_UNARY].invoke = dump;
    world_start_server(world, NULL);
    raw_magic(&world->out);
    raw_settings(&world->out, 6, 400, 0);
    raw_settings_ack(&world->out);
    world_talk(world);
    char changes[400];
    snprintf(changes, sizeof(changes), "x-k=%s", value);
    assert_string_equal(
        world_ask(world, changes, "hello"),
        WORLD_ONLY("200", "8", "the response headers exceed what the client takes"));
    /* A status that was decided stays what it is. */
    assert_string_equal(world_ask(world, changes, "fail"), WORLD_ONLY("200", "13", "as asked"));
    world_check(world);
}

static void large_trailers(struct pgrpc_call *call, const void *message, const void *handlers,
                           void *userdata)
{
    char value[300];
    (void)handlers;
    (void)userdata;
    memset(value, 'v', sizeof(value));
    struct pgrpc_metadatum entry = {"k", value, sizeof(value)};
    assert_int_equal(pgrpc_call_add_trailer(call, &entry), PGRPC_OK);
    pgrpc_call_reply(call, message);
}

static void rule_26_large_trailers_do_not_leave_the_client_hanging(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_UNARY].invoke = large_trailers;
    world_start_server(world, NULL);
    raw_magic(&world->out);
    raw_settings(&world->out, 6, 300, 0);
    raw_settings_ack(&world->out);
    world_talk(world);
    assert_string_equal(world_ask(world, "", "hello"),
                        WORLD_HEAD WORLD_DATA("10", "\\x05hello") "RST_STREAM ID 2\n");
    assert_string_equal(world_ask(world, ":path=/test.Echo/Chat", "hello"),
                        WORLD_ECHO("10", "\\x05hello"));
}

static void rule_26_more_entries_than_any_call_has(void **state)
{
    struct world *world = *state;
    serve_dump(world);
    world->id = 1;
    struct raw block = {0};
    raw_block(&block, RAW_REQUEST_FIELDS);
    for (int i = 0; i < 130; i++)
        raw_field(&block, "k", "v");
    raw_frame(&world->out, RAW_HEADERS, RAW_END_HEADERS, 1, block.data, block.len);
    raw_clear(&block);
    world_message(world, RAW_END_STREAM, 1, "hello");
    assert_string_equal(world_hear(world), "RST_STREAM ID 11\n");
    world_check(world);
}

/* --- rule 27 ------------------------------------------------------------------------------------
 */

static void rule_27_client_names_itself(void **state)
{
    struct world *world = *state;
    world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_non_null(strstr(world->heard, " user-agent=grpc-c-picogrpc/" PGRPC_VERSION " "));
    /* grpc-<language>-<variant>/<version> of three numbers. */
    unsigned major, minor, patch;
    char rest;
    assert_int_equal(sscanf(PGRPC_VERSION "|", "%u.%u.%u%c", &major, &minor, &patch, &rest), 4);
    assert_int_equal(rest, '|');
}

static void rule_27_an_application_stands_before_it(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .user_agent = "me/2 (x)"};
    world_start_client(world, &options);
    world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_non_null(
        strstr(world->heard, " user-agent=me/2 (x) grpc-c-picogrpc/" PGRPC_VERSION " "));
}

static void rule_27_handlers_see_who_calls(void **state)
{
    struct world *world = *state;
    serve_dump(world);
    world_ask(world, "user-agent=grpc-go/1.60.0", "hello");
    assert_string_equal(world->log, ":authority=localhost user-agent=grpc-go/1.60.0 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_19_server_shows_only_what_is_metadata),
        WORLD_TEST(rule_19_client_shows_only_what_is_metadata),
        WORLD_TEST(rule_19_keys_that_may_not_be_sent_fail_the_call),
        WORLD_TEST(rule_19_handlers_cannot_send_them_either),
        WORLD_TEST(rule_19_upper_case_on_the_wire_costs_one_stream),
        WORLD_TEST(rule_20_server_bears_values_that_are_not_ascii),
        WORLD_TEST(rule_20_client_bears_values_that_are_not_ascii),
        WORLD_TEST(rule_20_values_that_may_not_be_sent_fail_the_call),
        WORLD_TEST(rule_21_binary_values_go_out_unpadded),
        WORLD_TEST(rule_21_server_takes_padded_and_unpadded),
        WORLD_TEST(rule_21_client_takes_padded_and_unpadded),
        WORLD_TEST(rule_22_server_splits_binary_values_at_commas_only),
        WORLD_TEST(rule_22_client_splits_binary_values_at_commas_only),
        WORLD_TEST(rule_23_server_keeps_the_order_of_duplicates),
        WORLD_TEST(rule_23_client_keeps_the_order_of_duplicates),
        WORLD_TEST(rule_23_client_sends_duplicates_in_order),
        WORLD_TEST(rule_24_empty_values_go_both_ways),
        WORLD_TEST(rule_24_client_takes_and_sends_empty_values),
        WORLD_TEST(rule_25_server_fails_calls_with_bad_base64),
        WORLD_TEST(rule_25_client_fails_calls_with_bad_base64),
        WORLD_TEST(rule_26_server_counts_heads_to_its_limit),
        WORLD_TEST(rule_26_server_counts_binary_values_as_base64),
        WORLD_TEST(rule_26_the_default_limit_is_told_and_held),
        WORLD_TEST(rule_26_client_counts_heads_and_trailers_to_its_limit),
        WORLD_TEST(rule_26_client_tells_its_limit),
        WORLD_TEST(rule_26_client_respects_the_limit_of_the_server),
        WORLD_TEST(rule_26_server_respects_the_limit_of_the_client),
        WORLD_TEST(rule_26_large_trailers_do_not_leave_the_client_hanging),
        WORLD_TEST(rule_26_more_entries_than_any_call_has),
        WORLD_TEST(rule_27_client_names_itself),
        WORLD_TEST(rule_27_an_application_stands_before_it),
        WORLD_TEST(rule_27_handlers_see_who_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
