/* Rules 35 to 44: status, HTTP status, and the texts that come with them. */
#include "../support/phrases.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* Ends a call by a head without body. */
static struct world_call *end_with(struct world *world, const char *changes)
{
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, RAW_END_STREAM, world->id, changes);
    world_talk(world);
    return call;
}

/* Ends a call that got its reply by these trailers. */
static struct world_call *end_after_reply(struct world *world, const char *trailers)
{
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, 0, world->id, "");
    world_message(world, 0, world->id, "yes");
    world_trailers(world, world->id, trailers);
    world_talk(world);
    return call;
}

/* --- rule 35 ------------------------------------------------------------------------------------
 */

static void rule_35_client_reads_every_code(void **state)
{
    struct world *world = *state;
    for (int code = 1; code <= 16; code++) {
        char fields[40];
        snprintf(fields, sizeof(fields), "grpc-status=%d", code);
        assert_int_equal(end_after_reply(world, fields)->code, code);
        assert_int_equal(end_with(world, fields)->code, code);
    }
    assert_int_equal(end_after_reply(world, "grpc-status=0")->code, PGRPC_OK);
}

static void rule_35_what_is_no_code_is_unknown(void **state)
{
    static const char *const texts[] = {"17", "18", "99",  "100", "4294967296", "-1",
                                        "00", "01", "001", "013", "",           "abc",
                                        "1a", "+1", "1 3", "0x1", "0.0",        "1,2"};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char fields[40];
        snprintf(fields, sizeof(fields), "grpc-status=%s", texts[i]);
        struct world_call *call = end_after_reply(world, fields);
        world_check_done(call, PGRPC_UNKNOWN, "");
        assert_string_equal(call->log, "headers\ndone UNKNOWN\n");
        assert_int_equal(end_with(world, fields)->code, PGRPC_UNKNOWN);
    }
    world_check(world);
}

/* Finishes with the code that the request names. */
static void finish_as_told(struct pgrpc_call *call, const void *message, const void *handlers,
                           void *userdata)
{
    const struct pgrpc_bytes *request = message;
    char text[16];
    (void)handlers;
    (void)userdata;
    snprintf(text, sizeof(text), "%.*s", (int)request->len, (const char *)request->data);
    pgrpc_call_send(call, message, 0);
    pgrpc_call_finish(call, (enum pgrpc_code)atoi(text), NULL);
}

static void rule_35_server_writes_every_code_in_trailers(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_SERVER_STREAM].invoke = finish_as_told;
    world_serve(world, NULL);
    for (int code = 0; code <= 16; code++) {
        char text[16], trailers[80];
        snprintf(text, sizeof(text), "%d", code);
        snprintf(trailers, sizeof(trailers), "HEADERS ID END_STREAM grpc-status=%d\n", code);
        const char *frames = world_ask(world, ":path=/test.Echo/Pour", text);
        assert_ptr_equal(strstr(frames, WORLD_HEAD "DATA ID "), frames);
        assert_non_null(strstr(frames, trailers));
    }
}

/* --- rule 36 ------------------------------------------------------------------------------------
 */

static void rule_36_server_sends_one_head_when_there_is_nothing_else(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "fail"),
                        WORLD_ONLY("200", "13", "it failed: 100%25 of it, %E2%98%BA"));
    /* For a good end without messages, too. */
    assert_string_equal(
        world_ask(world, ":path=/test.Echo/Chat", NULL),
        "HEADERS ID END_STREAM :status=200 content-type=application/grpc " WORLD_ACCEPTS
        " grpc-status=0\n");
}

static void rule_36_client_takes_one_head(void **state)
{
    static const char *const changes[] = {"", "-content-type",
                                          "content-type=application/grpc+proto"};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        char fields[200];
        snprintf(fields, sizeof(fields), "%s|grpc-status=5|grpc-message=not here|a=b", changes[i]);
        struct world_call *call = end_with(world, *fields == '|' ? fields + 1 : fields);
        world_check_done(call, PGRPC_NOT_FOUND, "not here");
        /* Its metadata are trailers; there were no headers. */
        assert_string_equal(call->log, "done NOT_FOUND a=b\n");
        world_check(world);
    }
}

/* --- rule 37 ------------------------------------------------------------------------------------
 */

static void rule_37_a_status_before_the_body_is_ignored(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        world_response(world, 0, world->id,
                       i ? "grpc-status=0|grpc-message=no" : "grpc-status=13|grpc-message=no");
        world_message(world, 0, world->id, "yes");
        world_trailers(world, world->id, i ? "grpc-status=3" : "grpc-status=0");
        world_talk(world);
        world_check_done(call, i ? PGRPC_INVALID_ARGUMENT : PGRPC_OK, "");
    }
}

static void rule_37_it_does_not_stand_in_for_trailers(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, 0, world->id, "grpc-status=0");
    world_message(world, RAW_END_STREAM, world->id, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_UNKNOWN, "the response ended without grpc-status");
    assert_string_equal(call->log, "headers\ndone UNKNOWN\n");
    call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, 0, world->id, "grpc-status=0");
    raw_data(&world->out, RAW_END_STREAM, world->id, NULL, 0);
    world_talk(world);
    world_check_done(call, PGRPC_UNKNOWN, "the response ended without grpc-status");
    world_check(world);
}

/* --- rule 38 ------------------------------------------------------------------------------------
 */

static void rule_38_trailers_without_status_are_never_good(void **state)
{
    struct world *world = *state;
    struct world_call *call = end_after_reply(world, "a=b");
    world_check_done(call, PGRPC_UNKNOWN, "the response ended without grpc-status");
    assert_string_equal(call->log, "headers\ndone UNKNOWN a=b\n");
    call = end_after_reply(world, "grpc-message=fine");
    assert_int_equal(call->code, PGRPC_UNKNOWN);
    call = world_begin(world, WORLD_SERVER_STREAM, "hi", NULL);
    world_response(world, 0, world->id, "");
    world_message(world, 0, world->id, "yes");
    world_trailers(world, world->id, "a=b");
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 3 yes\ndone UNKNOWN a=b\n");
    /* One head alone is the same. */
    call = end_with(world, "");
    world_check_done(call, PGRPC_UNKNOWN, "the response ended without grpc-status");
    world_check(world);
}

/* --- rule 39 ------------------------------------------------------------------------------------
 */

static const struct {
    unsigned http;
    enum pgrpc_code code;
} http_codes[] = {
    {201, PGRPC_UNKNOWN},           {204, PGRPC_UNKNOWN},         {206, PGRPC_UNKNOWN},
    {300, PGRPC_UNKNOWN},           {302, PGRPC_UNKNOWN},         {304, PGRPC_UNKNOWN},
    {400, PGRPC_INTERNAL},          {401, PGRPC_UNAUTHENTICATED}, {402, PGRPC_UNKNOWN},
    {403, PGRPC_PERMISSION_DENIED}, {404, PGRPC_UNIMPLEMENTED},   {405, PGRPC_UNKNOWN},
    {408, PGRPC_UNKNOWN},           {415, PGRPC_UNKNOWN},         {428, PGRPC_UNKNOWN},
    {429, PGRPC_UNAVAILABLE},       {430, PGRPC_UNKNOWN},         {431, PGRPC_UNKNOWN},
    {499, PGRPC_UNKNOWN},           {500, PGRPC_UNKNOWN},         {501, PGRPC_UNKNOWN},
    {502, PGRPC_UNAVAILABLE},       {503, PGRPC_UNAVAILABLE},     {504, PGRPC_UNAVAILABLE},
    {505, PGRPC_UNKNOWN},           {511, PGRPC_UNKNOWN},         {599, PGRPC_UNKNOWN},
};

static void rule_39_http_status_stands_in_for_a_missing_status(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(http_codes); i++) {
        for (int kind = 0; kind < 4; kind++) {
            char changes[80];
            struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
            snprintf(changes, sizeof(changes), ":status=%u%s", http_codes[i].http,
                     kind % 2 ? "" : "|content-type=text/html");
            world_response(world, kind / 2 ? 0 : RAW_END_STREAM, world->id, changes);
            if (kind / 2)
                world_trailers(world, world->id, "a=b");
            world_talk(world);
            assert_true(call->is_done);
            assert_string_equal(pgrpc_code_name(call->code), pgrpc_code_name(http_codes[i].code));
            char text[8];
            snprintf(text, sizeof(text), "%u", http_codes[i].http);
            assert_non_null(strstr(call->message, text));
        }
    }
}

static void rule_39_grpc_status_wins(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(http_codes); i++) {
        for (int kind = 0; kind < 2; kind++) {
            char changes[120];
            snprintf(changes, sizeof(changes), ":status=%u|grpc-status=9|grpc-message=mine%s",
                     http_codes[i].http, kind ? "|content-type=text/html" : "");
            world_check_done(end_with(world, changes), PGRPC_FAILED_PRECONDITION, "mine");
        }
        char changes[40];
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        snprintf(changes, sizeof(changes), ":status=%u", http_codes[i].http);
        world_response(world, 0, world->id, changes);
        world_trailers(world, world->id, "grpc-status=9|grpc-message=mine");
        world_talk(world);
        world_check_done(call, PGRPC_FAILED_PRECONDITION, "mine");
    }
}

/* Codes of calls never become HTTP statuses. */
static void rule_39_server_answers_200_whatever_the_code(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_SERVER_STREAM].invoke = finish_as_told;
    world_serve(world, NULL);
    for (int code = 0; code <= 16; code++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", code);
        assert_ptr_equal(
            strstr(world_ask(world, ":path=/test.Echo/Pour", text), "HEADERS ID :status=200 "),
            world->heard);
    }
    assert_ptr_equal(
        strstr(world_ask(world, ":path=/no/where", NULL), "HEADERS ID END_STREAM :status=200 "),
        world->heard);
}

/* --- rule 40 ------------------------------------------------------------------------------------
 */

static void rule_40_informational_heads_are_skipped(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_headers(&world->out, 0, world->id, ":status=100");
    raw_headers(&world->out, 0, world->id, ":status=103|link=x|grpc-status=13");
    world_talk(world);
    assert_string_equal(call->log, "");
    world_answer(world, "yes");
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 3 yes\nend\ndone OK\n");
    /* Before one head alone, too. */
    call = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_headers(&world->out, 0, world->id, ":status=100");
    world_response(world, RAW_END_STREAM, world->id, "grpc-status=7");
    world_talk(world);
    world_check_done(call, PGRPC_PERMISSION_DENIED, "");
}

static void rule_40_informational_heads_do_not_commit_a_call(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_headers(&world->out, 0, world->id, ":status=100");
    raw_rst(&world->out, world->id, 7);
    world_talk(world);
    assert_false(call->is_done);
    world->id += 2;
    world_answer(world, "yes");
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 3 yes\nend\ndone OK\n");
}

static void rule_40_a_response_that_never_gets_serious_ends(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    for (int i = 0; i < 9; i++) {
        assert_false(call->is_done);
        raw_headers(&world->out, 0, world->id, ":status=102");
        world_hear(world);
    }
    assert_string_equal(world->heard, "RST_STREAM ID 1\n");
    assert_int_equal(call->code, PGRPC_INTERNAL);
    /* 101 and an end in an informational head are against HTTP/2. */
    call = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_headers(&world->out, RAW_END_STREAM, world->id, ":status=100");
    assert_string_equal(world_hear(world), "RST_STREAM ID 1\n");
    assert_int_equal(call->code, PGRPC_INTERNAL);
    world_check(world);
}

/* --- rules 41 and 42 ----------------------------------------------------------------------------
 */

static void rule_41_another_content_type_is_unknown_and_shown(void **state)
{
    static const char *const types[] = {"text/html", "application/json", "application/grpc-web",
                                        "application/grpcx"};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(types); i++) {
        char changes[60], expected[200];
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        snprintf(changes, sizeof(changes), "content-type=%s", types[i]);
        world_response(world, 0, world->id, changes);
        raw_data(&world->out, 0, world->id, "<html>\n<b>Hello\xff", 16);
        raw_data(&world->out, RAW_END_STREAM, world->id, "</b>", 4);
        world_talk(world);
        snprintf(expected, sizeof(expected),
                 "not a gRPC response: HTTP status 200, content-type %s, body: <html> <b>Hello "
                 "</b>",
                 types[i]);
        world_check_done(call, PGRPC_UNKNOWN, expected);
        assert_string_equal(call->log, "done UNKNOWN\n");
    }
    world_check(world);
}

/* A gateway may answer with megabytes: the start is enough. */
static void rule_41_a_long_body_is_cut(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    char body[2000];
    memset(body, 'x', sizeof(body));
    world_response(world, 0, world->id, "content-type=text/plain");
    raw_data(&world->out, 0, world->id, body, sizeof(body));
    assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
    assert_int_equal(call->code, PGRPC_UNKNOWN);
    assert_true(strlen(call->message) > 150 && strlen(call->message) < 400);
    world_check(world);
}

static void rule_41_trailers_with_a_status_win(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, 0, world->id, "content-type=text/html");
    raw_data(&world->out, 0, world->id, "odd", 3);
    world_trailers(world, world->id, "grpc-status=16|grpc-message=who?");
    world_talk(world);
    world_check_done(call, PGRPC_UNAUTHENTICATED, "who?");
}

static void rule_42_a_body_without_trailers_ends_the_call(void **state)
{
    static const struct {
        unsigned http;
        enum pgrpc_code code;
    } cases[] = {{404, PGRPC_UNIMPLEMENTED}, {502, PGRPC_UNAVAILABLE}, {500, PGRPC_UNKNOWN}};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int kind = 0; kind < 3; kind++) {
            char changes[80], text[16];
            struct world_call *call =
                world_begin(world, kind == 2 ? WORLD_SERVER_STREAM : WORLD_UNARY, "hi", NULL);
            snprintf(changes, sizeof(changes), ":status=%u|%s", cases[i].http,
                     kind ? "-content-type" : "content-type=text/plain");
            world_response(world, 0, world->id, changes);
            raw_data(&world->out, 0, world->id, "no ", 3);
            raw_data(&world->out, RAW_END_STREAM, world->id, "such page", 9);
            assert_string_equal(world_hear(world), "");
            assert_true(call->is_done);
            assert_int_equal(call->code, cases[i].code);
            snprintf(text, sizeof(text), "%u", cases[i].http);
            assert_non_null(strstr(call->message, text));
            assert_non_null(strstr(call->message, "no such page"));
        }
    }
    world_check(world);
}

static void rule_42_an_empty_body_ends_the_call_too(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, 0, world->id, ":status=503|content-type=text/plain");
    raw_data(&world->out, RAW_END_STREAM, world->id, NULL, 0);
    world_talk(world);
    assert_int_equal(call->code, PGRPC_UNAVAILABLE);
    /* One that looks like gRPC for a while. */
    call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, 0, world->id, ":status=503");
    world_message(world, RAW_END_STREAM, world->id, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_UNAVAILABLE, "HTTP status 503 without grpc-status");
    world_check(world);
}

/* --- rule 43 ------------------------------------------------------------------------------------
 */

static void rule_43_client_decodes_what_it_can(void **state)
{
    static const struct {
        const char *wire, *text;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"a b, c", "a b, c"},
        {"100%25", "100%"},
        {"%E2%98%BA", "\xe2\x98\xba"},
        {"%e2%98%ba", "\xe2\x98\xba"},
        {"%", "%"},
        {"%4", "%4"},
        {"%zz", "%zz"},
        {"%%41", "%A"},
        {"a%2", "a%2"},
        {"%0A%0D%09", "\n\r\t"},
        {"%00", "%00"},
        {"%FF", "%FF"},
        {"%C3%28", "%C3("},
        {"\xe2\x98\xba", "\xe2\x98\xba"},
        {"%ED%A0%80", "%ED%A0%80"},
        {"1%2B1", "1+1"},
    };
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char fields[80];
        snprintf(fields, sizeof(fields), "grpc-status=10|grpc-message=%s", cases[i].wire);
        world_check_done(end_with(world, fields), PGRPC_ABORTED, cases[i].text);
        world_check_done(end_after_reply(world, fields), PGRPC_ABORTED, cases[i].text);
    }
    world_check(world);
}

static void rule_43_good_calls_have_no_text(void **state)
{
    struct world *world = *state;
    world_check_done(end_after_reply(world, "grpc-status=0|grpc-message=all is well"), PGRPC_OK,
                     "");
}

static void finish_with_text(struct pgrpc_call *call, const void *message, const void *handlers,
                             void *userdata)
{
    const struct pgrpc_bytes *request = message;
    char text[256];
    (void)handlers;
    (void)userdata;
    snprintf(text, sizeof(text), "%.*s", (int)request->len, (const char *)request->data);
    pgrpc_call_finish(call, PGRPC_UNKNOWN, "%s", text);
}

static void rule_43_server_encodes_what_it_must(void **state)
{
    static const struct {
        const char *text, *wire;
    } cases[] = {
        {"plain", "plain"},
        {"a b, c", "a b, c"},
        {"100%", "100%25"},
        {"%41", "%2541"},
        {"\xe2\x98\xba", "%E2%98%BA"},
        {"line\nbreak\r\t", "line%0Abreak%0D%09"},
        {"\x7f", "%7F"},
        {"~ !", "~ !"},
        {"\xff\xfe", "%FF%FE"},
    };
    struct world *world = *state;
    world->bindings[WORLD_UNARY].invoke = finish_with_text;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char expected[300];
        snprintf(expected, sizeof(expected),
                 "HEADERS ID END_STREAM :status=200 content-type=application/grpc " WORLD_ACCEPTS
                 " grpc-status=2 grpc-message=%s\n",
                 cases[i].wire);
        assert_string_equal(world_ask(world, "", cases[i].text), expected);
    }
}

static void finish_ok_with_text(struct pgrpc_call *call, const void *message, const void *handlers,
                                void *userdata)
{
    struct pgrpc_status status = {PGRPC_OK, "well done", "\x08\x00", 2};
    (void)handlers;
    (void)userdata;
    pgrpc_call_send(call, message, 0);
    pgrpc_call_finish_status(call, &status);
}

static void rule_43_server_sends_no_text_with_ok(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_UNARY].invoke = finish_ok_with_text;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "hello"), WORLD_ECHO("10", "\\x05hello"));
}

/* Whole characters of a text that is too long. */
static void finish_at_length(struct pgrpc_call *call, const void *message, const void *handlers,
                             void *userdata)
{
    char text[5001];
    (void)message;
    (void)handlers;
    (void)userdata;
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof(text) - 1] = '\0';
    struct pgrpc_status status = {PGRPC_UNKNOWN, text, NULL, 0};
    pgrpc_call_finish_status(call, &status);
}

static void rule_43_a_text_without_end_does_not_cost_the_status(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_UNARY].invoke = finish_at_length;
    world_serve(world, NULL);
    assert_ptr_equal(
        strstr(world_ask(world, "", "hello"),
               "HEADERS ID END_STREAM :status=200 content-type=application/grpc " WORLD_ACCEPTS
               " grpc-status=2 grpc-message=%C3%A9%C3%A9"),
        world->heard);
}

/* --- rule 44 ------------------------------------------------------------------------------------
 */

static void rule_44_details_go_out_unpadded_beside_the_status(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(
        world_ask(world, "", "details"),
        "HEADERS ID END_STREAM :status=200 content-type=application/grpc " WORLD_ACCEPTS
        " grpc-status=10 grpc-message=with details "
        "grpc-status-details-bin=CAoSAA\n");
}

static void rule_44_details_do_not_go_with_ok(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_UNARY].invoke = finish_ok_with_text;
    world_serve(world, NULL);
    assert_null(strstr(world_ask(world, "", "hello"), "details"));
    world_clear(world);
    world_init(world);
    struct world_call *call =
        end_after_reply(world, "grpc-status=0|grpc-status-details-bin=CAoSAA");
    world_check_done(call, PGRPC_OK, "");
    assert_int_equal(call->details_len, 0);
}

static void rule_44_client_hands_details_over(void **state)
{
    static const char *const fields[] = {"grpc-status=10|grpc-status-details-bin=CAoSAA",
                                         "grpc-status=10|grpc-status-details-bin=CAoSAA=="};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        struct world_call *call = end_with(world, fields[i]);
        world_check_done(call, PGRPC_ABORTED, "");
        assert_int_equal(call->details_len, 4);
        assert_memory_equal(call->details, "\x08\x0a\x12\x00", 4);
        /* They are not metadata. */
        assert_string_equal(call->log, "done ABORTED\n");
    }
}

static void rule_44_grpc_status_is_trusted_on_a_mismatch(void **state)
{
    struct world *world = *state;
    /* The details say 5 and "x". */
    struct world_call *call =
        end_with(world, "grpc-status=10|grpc-message=y|grpc-status-details-bin=CAUSAXg");
    world_check_done(call, PGRPC_ABORTED, "y");
    assert_int_equal(call->details_len, 5);
}

static void rule_44_bad_details_cost_only_themselves(void **state)
{
    static const char *const bad[] = {"!", "A", "CAo=SAA"};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char fields[80];
        snprintf(fields, sizeof(fields), "grpc-status=10|grpc-message=y|grpc-status-details-bin=%s",
                 bad[i]);
        struct world_call *call = end_with(world, fields);
        world_check_done(call, PGRPC_ABORTED, "y");
        assert_int_equal(call->details_len, 0);
    }
    world_check(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_35_client_reads_every_code),
        WORLD_TEST(rule_35_what_is_no_code_is_unknown),
        WORLD_TEST(rule_35_server_writes_every_code_in_trailers),
        WORLD_TEST(rule_36_server_sends_one_head_when_there_is_nothing_else),
        WORLD_TEST(rule_36_client_takes_one_head),
        WORLD_TEST(rule_37_a_status_before_the_body_is_ignored),
        WORLD_TEST(rule_37_it_does_not_stand_in_for_trailers),
        WORLD_TEST(rule_38_trailers_without_status_are_never_good),
        WORLD_TEST(rule_39_http_status_stands_in_for_a_missing_status),
        WORLD_TEST(rule_39_grpc_status_wins),
        WORLD_TEST(rule_39_server_answers_200_whatever_the_code),
        WORLD_TEST(rule_40_informational_heads_are_skipped),
        WORLD_TEST(rule_40_informational_heads_do_not_commit_a_call),
        WORLD_TEST(rule_40_a_response_that_never_gets_serious_ends),
        WORLD_TEST(rule_41_another_content_type_is_unknown_and_shown),
        WORLD_TEST(rule_41_a_long_body_is_cut),
        WORLD_TEST(rule_41_trailers_with_a_status_win),
        WORLD_TEST(rule_42_a_body_without_trailers_ends_the_call),
        WORLD_TEST(rule_42_an_empty_body_ends_the_call_too),
        WORLD_TEST(rule_43_client_decodes_what_it_can),
        WORLD_TEST(rule_43_good_calls_have_no_text),
        WORLD_TEST(rule_43_server_encodes_what_it_must),
        WORLD_TEST(rule_43_server_sends_no_text_with_ok),
        WORLD_TEST(rule_43_a_text_without_end_does_not_cost_the_status),
        WORLD_TEST(rule_44_details_go_out_unpadded_beside_the_status),
        WORLD_TEST(rule_44_details_do_not_go_with_ok),
        WORLD_TEST(rule_44_client_hands_details_over),
        WORLD_TEST(rule_44_grpc_status_is_trusted_on_a_mismatch),
        WORLD_TEST(rule_44_bad_details_cost_only_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
