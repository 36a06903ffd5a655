/* Rules 1 to 10: the heads of requests, as our client writes and our server reads them. */
#include "../support/phrases.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* Answers with what is left of the deadline, and the name the client called us by. */
static void tell(struct pgrpc_call *call, const void *message, const void *handlers, void *userdata)
{
    struct world *world = userdata;
    const struct pgrpc_metadatum *authority =
        pgrpc_metadata_find(pgrpc_call_headers(call), ":authority");
    int64_t left = pgrpc_call_remaining_ms(call);
    char text[128];
    (void)message;
    (void)handlers;
    strcat(world->log, "told\n");
    int len = left == INT64_MAX ? snprintf(text, sizeof(text), "no deadline")
                                : snprintf(text, sizeof(text), "%" PRId64 " ms", left);
    if (authority)
        snprintf(text + len, sizeof(text) - (size_t)len, ", %s", (const char *)authority->value);
    struct pgrpc_bytes reply = {text, strlen(text)};
    pgrpc_call_reply(call, &reply);
}

static void serve_tell(struct world *world)
{
    world->bindings[WORLD_UNARY].invoke = tell;
    world_serve(world, NULL);
}

/* The text in the one DATA frame of |frames|. */
static const char *told(const char *frames)
{
    static char text[128];
    const char *start = strstr(frames, "DATA ID ");
    text[0] = '\0';
    if (start)
        start = strstr(start, "\\x00\\x00\\x00\\x00");
    if (start) {
        start += 16;
        /* The last byte of the length, printable or not. */
        start += *start == '\\' ? 4 : 1;
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(start, "\""), start);
    }
    return text;
}

/* --- rule 1 -------------------------------------------------------------------------------------
 */

static void rule_01_client_sends_fields_in_the_order_of_the_protocol(void **state)
{
    struct world *world = *state;
    struct pgrpc_metadatum metadata[] = {{"x-second", "2", 1}, {"a-first", "1", 1}};
    struct pgrpc_call_options options = {.size = sizeof(options),
                                         .timeout_ms = 5000,
                                         .compression = "gzip",
                                         .metadata = metadata,
                                         .metadata_count = 2};
    struct world_call *call = world_begin(world, WORLD_SERVER_STREAM, "hi", &options);
    char *end = strchr(world->heard, '\n');
    assert_non_null(end);
    *end = '\0';
    assert_string_equal(world->heard,
                        "HEADERS ID :method=POST :scheme=http :path=/test.Echo/Pour "
                        ":authority=localhost:50051 grpc-timeout=5000m te=trailers "
                        "content-type=application/grpc user-agent=grpc-c-picogrpc/" PGRPC_VERSION
                        " grpc-encoding=gzip " WORLD_ACCEPTS " x-second=2 a-first=1");
    world_answer(world, NULL);
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
    world_check(world);
}

static void rule_01_server_takes_fields_in_any_order(void **state)
{
    static const char *const heads[] = {
        "x-a=1|content-type=application/grpc|grpc-timeout=1S|te=trailers",
        "te=trailers|x-a=1|grpc-timeout=1S|content-type=application/grpc",
        "grpc-timeout=1S|x-a=1|user-agent=me|content-type=application/grpc|te=trailers",
    };
    static const char *const pseudo[] = {
        ":path=/test.Echo/Say|:authority=localhost|:scheme=http|:method=POST|",
        ":scheme=http|:method=POST|:authority=localhost|:path=/test.Echo/Say|",
        ":authority=localhost|:path=/test.Echo/Say|:method=POST|:scheme=http|",
    };
    struct world *world = *state;
    serve_tell(world);
    for (size_t i = 0; i < COUNT(heads); i++) {
        char fields[256];
        world->id += world->id ? 2 : 1;
        snprintf(fields, sizeof(fields), "%s%s", pseudo[i], heads[i]);
        raw_headers(&world->out, 0, world->id, fields);
        world_message(world, RAW_END_STREAM, world->id, "hello");
        assert_string_equal(told(world_hear(world)), "1000 ms, localhost");
    }
    assert_string_equal(world->log, "told\ntold\ntold\n");
}

static void rule_01_pseudo_header_after_a_field_costs_one_stream(void **state)
{
    static const char *const heads[] = {
        ":method=POST|:scheme=http|te=trailers|:path=/test.Echo/Say|:authority=localhost",
        ":method=POST|:scheme=http|:path=/test.Echo/Say|:path=/test.Echo/Say|te=trailers",
        ":method=POST|:scheme=http|:authority=localhost|te=trailers",
        ":method=POST|:scheme=http|:path=/test.Echo/Say|:strange=1|te=trailers",
        ":method=POST|:scheme=http|:path=/test.Echo/Say|:status=200|te=trailers",
    };
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(heads); i++) {
        world->id += world->id ? 2 : 1;
        raw_headers(&world->out, RAW_END_STREAM, world->id, heads[i]);
        assert_string_equal(world_hear(world), "RST_STREAM ID 1\n");
        world_check(world);
    }
    assert_null(strstr(world->log, "say hello"));
}

/* --- rule 2 -------------------------------------------------------------------------------------
 */

static void rule_02_client_always_sends_te_trailers(void **state)
{
    static const char *const paths[] = {"Say", "Pour", "Gather", "Chat"};
    struct world *world = *state;
    for (int method = WORLD_UNARY; method <= WORLD_BIDI; method++) {
        char head[400];
        bool is_streaming = method == WORLD_CLIENT_STREAM || method == WORLD_BIDI;
        struct world_call *call =
            world_begin(world, (enum world_method)method, is_streaming ? NULL : "hi", NULL);
        snprintf(head, sizeof(head),
                 "HEADERS ID :method=POST :scheme=http :path=/test.Echo/%s "
                 ":authority=localhost:50051 te=trailers content-type=application/grpc "
                 "user-agent=grpc-c-picogrpc/" PGRPC_VERSION " " WORLD_ACCEPTS "\n%s",
                 paths[method],
                 is_streaming ? "" : "DATA ID END_STREAM 7 \"\\x00\\x00\\x00\\x00\\x02hi\"\n");
        assert_string_equal(world->heard, head);
        world_answer(world, "fine");
        world_talk(world);
        world_check_done(call, PGRPC_OK, "");
    }
}

static void count_te_lines(void *userdata, enum pgrpc_log_level level, const char *message,
                           const struct pgrpc_log_field *fields, size_t field_count)
{
    (void)fields;
    (void)field_count;
    if (strstr(message, "te: trailers")) {
        assert_int_equal(level, PGRPC_LOG_INFO);
        ++*(unsigned *)userdata;
    }
}

static void rule_02_server_answers_requests_without_te_and_logs_them(void **state)
{
    struct world *world = *state;
    unsigned lines = 0;
    pgrpc_log_set(count_te_lines, PGRPC_LOG_INFO, &lines);
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "hello"), WORLD_ECHO("10", "\\x05hello"));
    assert_int_equal(lines, 0);
    assert_string_equal(world_ask(world, "-te", "hello"), WORLD_ECHO("10", "\\x05hello"));
    assert_int_equal(lines, 1);
    pgrpc_log_set(NULL, PGRPC_LOG_ERROR, NULL);
}

static void rule_02_strict_server_refuses_requests_without_te(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options), .strict_te = true};
    world_serve(world, &options);
    assert_string_equal(world_ask(world, "-te", "hello"),
                        WORLD_ONLY("400", "13", "the request lacks te: trailers"));
    world_check(world);
}

/* HTTP/2 itself allows no other value. */
static void rule_02_another_te_costs_one_stream(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "te=gzip", "hello"), "RST_STREAM ID 1\n");
    world_check(world);
}

/* --- rule 3 -------------------------------------------------------------------------------------
 */

static void rule_03_server_answers_405_to_other_methods(void **state)
{
    static const char *const methods[] = {"GET", "PUT", "HEAD", "OPTIONS", "post", "POST2", "PRI"};
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(methods); i++) {
        char changes[64];
        snprintf(changes, sizeof(changes), ":method=%s", methods[i]);
        assert_string_equal(world_ask(world, changes, "hello"),
                            WORLD_ONLY("405", "13", "gRPC requests use POST"));
        world_check(world);
    }
    /* CONNECT has neither scheme nor path. */
    assert_string_equal(world_ask(world, ":method=CONNECT|-:scheme|-:path", "hello"),
                        WORLD_ONLY("405", "13", "gRPC requests use POST"));
    world_check(world);
    assert_null(strstr(world->log, "say hello"));
}

static void rule_03_client_ends_when_its_method_is_refused(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, RAW_END_STREAM, world->id, ":status=405|grpc-status=13|grpc-message=no");
    world_talk(world);
    world_check_done(call, PGRPC_INTERNAL, "no");
    call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, RAW_END_STREAM, world->id, ":status=405|-content-type");
    world_talk(world);
    assert_int_equal(call->code, PGRPC_UNKNOWN);
    world_check(world);
}

/* --- rule 4 -------------------------------------------------------------------------------------
 */

static void rule_04_server_takes_grpc_content_types(void **state)
{
    static const char *const types[] = {"application/grpc",
                                        "application/grpc+proto",
                                        "application/grpc;charset=utf-8",
                                        "application/grpc ; x=y",
                                        "application/grpc+proto;charset=utf-8",
                                        "application/grpc;"};
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(types); i++) {
        char changes[80];
        snprintf(changes, sizeof(changes), "content-type=%s", types[i]);
        const char *frames = world_ask(world, changes, "hello");
        assert_non_null(strstr(frames, WORLD_DATA("10", "\\x05hello") WORLD_OK));
        assert_ptr_equal(strstr(frames, "HEADERS ID :status=200 content-type=application/grpc"),
                         frames);
    }
}

static void rule_04_server_answers_415_to_other_content_types(void **state)
{
    static const char *const types[] = {"application/grpc-web", "application/grpc-web+proto",
                                        "application/grpcfoo",  "application/grp",
                                        "application/json",     "text/html",
                                        "application/grpc/x",   "application/grpc foo",
                                        "x application/grpc",   ""};
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(types); i++) {
        char changes[80];
        snprintf(changes, sizeof(changes), "content-type=%s", types[i]);
        assert_string_equal(world_ask(world, changes, "hello"),
                            WORLD_ONLY("415", "13", "the content-type is not application/grpc"));
        world_check(world);
    }
    assert_string_equal(world_ask(world, "-content-type", "hello"),
                        WORLD_ONLY("415", "13", "the content-type is not application/grpc"));
    assert_null(strstr(world->log, "say hello"));
}

/* --- rule 5 -------------------------------------------------------------------------------------
 */

#define HEAD_OF(type) "HEADERS ID :status=200 content-type=" type " " WORLD_ACCEPTS "\n"

static void rule_05_server_echoes_the_subtype(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "content-type=application/grpc+proto", "hello"),
                        HEAD_OF("application/grpc+proto") WORLD_DATA("10", "\\x05hello") WORLD_OK);
    assert_string_equal(world_ask(world, "content-type=application/grpc+raw", "hello"),
                        HEAD_OF("application/grpc+raw") WORLD_DATA("10", "\\x05hello") WORLD_OK);
    assert_string_equal(world_ask(world, "content-type=application/grpc", "hello"),
                        HEAD_OF("application/grpc") WORLD_DATA("10", "\\x05hello") WORLD_OK);
}

static void rule_05_server_refuses_subtypes_without_codec(void **state)
{
    static const char *const subtypes[] = {"json", "foo", "protofoo", "Proto", "rawx"};
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(subtypes); i++) {
        char changes[80], expected[300];
        snprintf(changes, sizeof(changes), "content-type=application/grpc+%s", subtypes[i]);
        snprintf(expected, sizeof(expected),
                 "HEADERS ID END_STREAM :status=200 content-type=application/grpc+%s " WORLD_ACCEPTS
                 " grpc-status=12 grpc-message=no codec for this content-subtype is registered\n",
                 subtypes[i]);
        assert_string_equal(world_ask(world, changes, "hello"), expected);
        world_check(world);
    }
}

/* A codec of the application's: bytes backwards. */
static enum pgrpc_code backwards_measure(const void *type, const void *message, size_t *len,
                                         const char **error)
{
    (void)type;
    (void)error;
    *len = ((const struct pgrpc_bytes *)message)->len;
    return PGRPC_OK;
}

static void backwards_encode(const void *type, const void *message, uint8_t *data, size_t len)
{
    const uint8_t *bytes = ((const struct pgrpc_bytes *)message)->data;
    (void)type;
    for (size_t i = 0; i < len; i++)
        data[i] = bytes[len - 1 - i];
}

static enum pgrpc_code backwards_decode(const void *type, const uint8_t *data, size_t len,
                                        struct pgrpc_arena *arena, const void **message,
                                        const char **error)
{
    struct pgrpc_bytes *bytes = pgrpc_arena_alloc(arena, sizeof(*bytes) + len + 1);
    (void)type;
    if (!bytes) {
        *error = "no memory";
        return PGRPC_RESOURCE_EXHAUSTED;
    }
    struct pgrpc_bytes source = {data, len};
    bytes->data = bytes + 1;
    bytes->len = len;
    backwards_encode(NULL, &source, (uint8_t *)(bytes + 1), len);
    *message = bytes;
    return PGRPC_OK;
}

static const struct pgrpc_codec backwards = {
    .size = sizeof(backwards),
    .name = "backwards",
    .measure = backwards_measure,
    .encode = backwards_encode,
    .decode = backwards_decode,
};

static void rule_05_server_uses_a_registered_codec(void **state)
{
    struct world *world = *state;
    const struct pgrpc_codec *codecs[] = {&backwards};
    struct pgrpc_server_options options = {
        .size = sizeof(options), .codecs = codecs, .codec_count = 1};
    world_serve(world, &options);
    assert_string_equal(world_ask(world, "content-type=application/grpc+backwards", "abc"),
                        HEAD_OF("application/grpc+backwards") WORLD_DATA("8", "\\x03"
                                                                              "abc") WORLD_OK);
    assert_string_equal(world->log, "say cba\n");
    assert_string_equal(world_ask(world, "", "abc"), WORLD_ECHO("8", "\\x03"
                                                                     "abc"));
}

static void rule_05_client_names_the_codec_of_a_call(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .codec = &backwards};
    struct world_call *call = world_begin(world, WORLD_UNARY, "abc", &options);
    assert_non_null(strstr(world->heard, " content-type=application/grpc+backwards "));
    assert_non_null(strstr(world->heard, "\\x03"
                                         "cba\""));
    world_response(world, 0, world->id, "content-type=application/grpc+backwards");
    world_message(world, 0, world->id, "olleh");
    world_trailers(world, world->id, "grpc-status=0");
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 5 hello\nend\ndone OK\n");
    world_check(world);
}

static void rule_05_client_takes_replies_with_and_without_subtype(void **state)
{
    static const char *const types[] = {"application/grpc", "application/grpc+proto",
                                        "application/grpc;x=y", "application/grpc+proto; x=y"};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(types); i++) {
        char changes[80];
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        snprintf(changes, sizeof(changes), "content-type=%s", types[i]);
        world_response(world, 0, world->id, changes);
        world_message(world, 0, world->id, "yes");
        world_trailers(world, world->id, "grpc-status=0");
        world_talk(world);
        assert_string_equal(call->log, "headers\nmessage 3 yes\nend\ndone OK\n");
    }
}

/* --- rule 6 -------------------------------------------------------------------------------------
 */

static void rule_06_unknown_paths_are_unimplemented(void **state)
{
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"/test.Echo/Nope", "unknown method Nope of service test.Echo"},
        {"/test.Echo/say", "unknown method say of service test.Echo"},
        {"/test.echo/Say", "unknown method Say of service test.echo"},
        {"/Echo/Say", "unknown method Say of service Echo"},
        {"/test.Echo/Say/", "the path is not /service/method"},
        {"/test.Echo/", "the path is not /service/method"},
        {"/test.Echo", "the path is not /service/method"},
        {"/", "the path is not /service/method"},
        {"//", "the path is not /service/method"},
        {"//Say", "the path is not /service/method"},
        {"/test.Echo//Say", "the path is not /service/method"},
        {"/a/test.Echo/Say", "the path is not /service/method"},
        {"/test.Echo/Say?x=1", "the path is not /service/method"},
        {"/test.Echo/%53ay", "the path is not /service/method"},
        {"/test.Echo/../test.Echo/Say", "the path is not /service/method"},
        {"*", "the path is not /service/method"},
    };
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char changes[80], expected[300];
        snprintf(changes, sizeof(changes), ":path=%s", cases[i].path);
        if (*cases[i].path == '*')
            strcat(changes, "|:method=OPTIONS");
        snprintf(expected, sizeof(expected),
                 "HEADERS ID END_STREAM :status=%s content-type=application/grpc " WORLD_ACCEPTS
                 " grpc-status=%s grpc-message=%s\n",
                 *cases[i].path == '*' ? "405" : "200", *cases[i].path == '*' ? "13" : "12",
                 *cases[i].path == '*' ? "gRPC requests use POST" : cases[i].text);
        assert_string_equal(world_ask(world, changes, "hello"), expected);
    }
    world_check(world);
    assert_string_equal(world->log, "say again\n");
}

static void rule_06_an_open_client_is_told_to_stop_after_the_status(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    world->id = 1;
    world_request(world, 0, 1, ":path=/no.Such/Thing");
    assert_string_equal(world_hear(world),
                        WORLD_ONLY("200", "12", "unknown method Thing of service no.Such")
                            WORLD_STOP);
    /* What is still on its way does no harm. */
    world_message(world, RAW_END_STREAM, 1, "hello");
    assert_string_equal(world_hear(world), "");
    world_check(world);
}

static void rule_06_a_method_without_handler_is_unimplemented(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_BIDI].invoke = NULL;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, ":path=/test.Echo/Chat", "hello"),
                        WORLD_ONLY("200", "12", "this method is not implemented here"));
    world_check(world);
}

static void rule_06_client_shows_unimplemented(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, RAW_END_STREAM, world->id, "grpc-status=12|grpc-message=unknown");
    world_talk(world);
    world_check_done(call, PGRPC_UNIMPLEMENTED, "unknown");
    world_check(world);
}

/* --- rule 7 -------------------------------------------------------------------------------------
 */

static void rule_07_host_stands_in_for_a_missing_authority(void **state)
{
    static const struct {
        const char *changes, *told;
    } cases[] = {
        {"", "no deadline, localhost"},
        {"-:authority|host=by.host", "no deadline, by.host"},
        {":authority=same|host=same", "no deadline, same"},
    };
    struct world *world = *state;
    serve_tell(world);
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(told(world_ask(world, cases[i].changes, "hello")), cases[i].told);
    /* With neither of them the request is malformed for nghttp2. */
    assert_string_equal(world_ask(world, "-:authority", "hello"), "RST_STREAM ID 1\n");
    assert_string_equal(told(world_ask(world, "", "hello")), "no deadline, localhost");
}

static void rule_07_several_authorities_are_refused(void **state)
{
    static const char *const changes[] = {
        "host=other",
        "-:authority|host=one|+host=two",
        "-:authority|host=one|+host=one",
        ":authority=one|host=one|+host=one",
    };
    struct world *world = *state;
    serve_tell(world);
    for (size_t i = 0; i < COUNT(changes); i++) {
        const char *frames = world_ask(world, changes[i], "hello");
        /* nghttp2 takes the second Host for a malformed request before we see it. */
        if (strcmp(frames, "RST_STREAM ID 1\n") != 0)
            assert_string_equal(frames,
                                WORLD_ONLY("400", "13", "the request names several authorities"));
    }
    assert_string_equal(world_ask(world, "+:authority=localhost", "hello"), "RST_STREAM ID 1\n");
    assert_string_equal(world->log, "");
    assert_string_equal(told(world_ask(world, "", "hello")), "no deadline, localhost");
}

static void rule_07_client_sends_the_authority_it_was_given(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .authority = "other.name:443"};
    world_start_client(world, &options);
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_non_null(strstr(world->heard, ":scheme=http "));
    assert_non_null(strstr(world->heard, " :authority=other.name:443 "));
    assert_null(strstr(world->heard, " host="));
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
}

/* --- rule 8 -------------------------------------------------------------------------------------
 */

static void rule_08_timeouts_of_every_unit(void **state)
{
    static const struct {
        const char *timeout, *told;
    } cases[] = {
        {"1H", "3600000 ms, localhost"},
        {"1M", "60000 ms, localhost"},
        {"1S", "1000 ms, localhost"},
        {"1m", "1 ms, localhost"},
        {"1u", "1 ms, localhost"},
        {"1n", "1 ms, localhost"},
        {"1000001u", "1001 ms, localhost"},
        {"99999999n", "100 ms, localhost"},
        {"0000001S", "1000 ms, localhost"},
        {"00000017S", "17000 ms, localhost"},
        {"9999999H", "35999996400000 ms, localhost"},
        {"99999999H", "359999996400000 ms, localhost"},
        {"99999999m", "99999999 ms, localhost"},
    };
    struct world *world = *state;
    serve_tell(world);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char changes[40];
        snprintf(changes, sizeof(changes), "grpc-timeout=%s", cases[i].timeout);
        assert_string_equal(told(world_ask(world, changes, "hello")), cases[i].told);
    }
}

static void rule_08_malformed_timeouts_fail_the_call(void **state)
{
    static const char *const timeouts[] = {
        "100000000m", "000000001S", "999999999H", "m",        "1",         "",     "+1S", "-1S",
        " 1S",        "1 S",        "1S ",        "1s",       "1h",        "1.5S", "1SS", "0x1S",
        "1e3m",       "S1",         "1m1",        "99999999", "\xc2\xb2S", "1\tS"};
    struct world *world = *state;
    serve_tell(world);
    for (size_t i = 0; i < COUNT(timeouts); i++) {
        char changes[40];
        snprintf(changes, sizeof(changes), "grpc-timeout=%s", timeouts[i]);
        assert_string_equal(world_ask(world, changes, "hello"),
                            WORLD_ONLY("200", "13", "malformed grpc-timeout"));
        assert_string_equal(told(world_ask(world, "", "hello")), "no deadline, localhost");
    }
}

/* --- rule 9 -------------------------------------------------------------------------------------
 */

static void rule_09_client_rounds_timeouts_up_to_the_finest_unit(void **state)
{
    static const struct {
        int64_t timeout_ms;
        const char *text;
    } cases[] = {
        {1, "1m"},
        {99999999, "99999999m"},
        {100000000, "100000S"},
        {100000001, "100001S"},
        {INT64_C(99999999) * 1000, "99999999S"},
        {INT64_C(99999999) * 1000 + 1, "1666667M"},
        {INT64_C(99999999) * 60000 + 1, "1666667H"},
        {INT64_C(99999999) * 3600000, "99999999H"},
        {INT64_MAX / 2, "99999999H"},
    };
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pgrpc_call_options options = {.size = sizeof(options),
                                             .timeout_ms = cases[i].timeout_ms};
        char expected[40];
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", &options);
        snprintf(expected, sizeof(expected), " grpc-timeout=%s te=", cases[i].text);
        assert_non_null(strstr(world->heard, expected));
        world_answer(world, "yes");
        world_talk(world);
        world_check_done(call, PGRPC_OK, "");
    }
}

static void rule_09_largest_timeout_does_not_overflow(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = INT64_MAX};
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", &options);
    assert_false(call->is_done);
    assert_non_null(strstr(world->heard, "grpc-timeout=99999999H"));
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
}

static void rule_09_expired_deadline_opens_nothing(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = -1};
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", &options);
    assert_false(call->is_done);
    world_run(world);
    world_check_done(call, PGRPC_DEADLINE_EXCEEDED, "the deadline passed before the call started");
    assert_int_equal(world->connection_count, 0);
    /* On a connection that is there it says nothing either. */
    world_answer(world, "yes");
    raw_clear(&world->out);
    world_begin(world, WORLD_UNARY, "hi", NULL);
    options.timeout_ms = INT64_MIN;
    call = world_call(world, WORLD_UNARY, "hi", &options);
    assert_string_equal(world_talk_streams(world), "");
    assert_int_equal(call->code, PGRPC_DEADLINE_EXCEEDED);
}

static void rule_09_deadline_passes_while_connecting(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 1000};
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", &options);
    world_talk(world);
    world_sleep(world, 999);
    assert_false(call->is_done);
    world_sleep(world, 1);
    world_check_done(call, PGRPC_DEADLINE_EXCEEDED,
                     "deadline of 1000 ms exceeded while waiting for a connection");
    world_greet_client(world);
    assert_string_equal(world_talk_streams(world), "");
    world_check(world);
}

static void rule_09_time_spent_waiting_counts(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 5000};
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", &options);
    world_talk(world);
    world_sleep(world, 2000);
    world_greet_client(world);
    assert_non_null(strstr(world_talk(world), " grpc-timeout=3000m "));
    world_sleep(world, 2999);
    assert_false(call->is_done);
    world_sleep(world, 1);
    world_check_done(call, PGRPC_DEADLINE_EXCEEDED, "deadline of 5000 ms exceeded");
    assert_string_equal(world_talk_streams(world), "RST_STREAM 1 8\n");
}

static void rule_09_server_takes_zero_as_expired(void **state)
{
    static const char *const zeros[] = {"0n", "0u", "0m", "0S", "0M", "0H", "00000000n"};
    struct world *world = *state;
    serve_tell(world);
    for (size_t i = 0; i < COUNT(zeros); i++) {
        char changes[40];
        snprintf(changes, sizeof(changes), "grpc-timeout=%s", zeros[i]);
        assert_string_equal(world_ask(world, changes, "hello"), "RST_STREAM ID 8\n");
    }
    assert_string_equal(world->log, "");
    assert_string_equal(told(world_ask(world, "", "hello")), "no deadline, localhost");
}

/* --- rule 10 ------------------------------------------------------------------------------------
 */

static void rule_10_client_without_timeout_waits_for_ever(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_null(strstr(world->heard, "grpc-timeout"));
    world_sleep(world, INT64_C(10) * 365 * 24 * 3600 * 1000);
    assert_string_equal(world_talk(world), "");
    assert_false(call->is_done);
    world_answer(world, "late");
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 4 late\nend\ndone OK\n");
}

static void rule_10_server_without_timeout_waits_for_ever(void **state)
{
    struct world *world = *state;
    serve_tell(world);
    world->id = 1;
    world_request(world, 0, 1, "");
    assert_string_equal(world_hear(world), "");
    world_sleep(world, 7100 * 1000);
    world_message(world, RAW_END_STREAM, 1, "hello");
    assert_string_equal(told(world_hear(world)), "no deadline, localhost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_01_client_sends_fields_in_the_order_of_the_protocol),
        WORLD_TEST(rule_01_server_takes_fields_in_any_order),
        WORLD_TEST(rule_01_pseudo_header_after_a_field_costs_one_stream),
        WORLD_TEST(rule_02_client_always_sends_te_trailers),
        WORLD_TEST(rule_02_server_answers_requests_without_te_and_logs_them),
        WORLD_TEST(rule_02_strict_server_refuses_requests_without_te),
        WORLD_TEST(rule_02_another_te_costs_one_stream),
        WORLD_TEST(rule_03_server_answers_405_to_other_methods),
        WORLD_TEST(rule_03_client_ends_when_its_method_is_refused),
        WORLD_TEST(rule_04_server_takes_grpc_content_types),
        WORLD_TEST(rule_04_server_answers_415_to_other_content_types),
        WORLD_TEST(rule_05_server_echoes_the_subtype),
        WORLD_TEST(rule_05_server_refuses_subtypes_without_codec),
        WORLD_TEST(rule_05_server_uses_a_registered_codec),
        WORLD_TEST(rule_05_client_names_the_codec_of_a_call),
        WORLD_TEST(rule_05_client_takes_replies_with_and_without_subtype),
        WORLD_TEST(rule_06_unknown_paths_are_unimplemented),
        WORLD_TEST(rule_06_an_open_client_is_told_to_stop_after_the_status),
        WORLD_TEST(rule_06_a_method_without_handler_is_unimplemented),
        WORLD_TEST(rule_06_client_shows_unimplemented),
        WORLD_TEST(rule_07_host_stands_in_for_a_missing_authority),
        WORLD_TEST(rule_07_several_authorities_are_refused),
        WORLD_TEST(rule_07_client_sends_the_authority_it_was_given),
        WORLD_TEST(rule_08_timeouts_of_every_unit),
        WORLD_TEST(rule_08_malformed_timeouts_fail_the_call),
        WORLD_TEST(rule_09_client_rounds_timeouts_up_to_the_finest_unit),
        WORLD_TEST(rule_09_largest_timeout_does_not_overflow),
        WORLD_TEST(rule_09_expired_deadline_opens_nothing),
        WORLD_TEST(rule_09_deadline_passes_while_connecting),
        WORLD_TEST(rule_09_time_spent_waiting_counts),
        WORLD_TEST(rule_09_server_takes_zero_as_expired),
        WORLD_TEST(rule_10_client_without_timeout_waits_for_ever),
        WORLD_TEST(rule_10_server_without_timeout_waits_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
