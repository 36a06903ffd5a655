#include "../support/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "../support/served.h"
#include "reflect/one.pgrpc.h"
#include "reflect/two.pgrpc.h"
#include "services/proto/reflection.pb-c.h"
#include "services/reflection_descriptor.h"

/* --- a client -----------------------------------------------------------------------------------
 */

static const struct pgrpc_method info_method = {
    .path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    .flags = PGRPC_METHOD_CLIENT_STREAMING | PGRPC_METHOD_SERVER_STREAMING,
    .request_type = &pgrpc__bundled__server_reflection_request__descriptor,
    .reply_type = &pgrpc__bundled__server_reflection_response__descriptor,
};
static const struct pgrpc_method alpha_method = {
    .path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    .flags = PGRPC_METHOD_CLIENT_STREAMING | PGRPC_METHOD_SERVER_STREAMING,
    .request_type = &pgrpc__bundled__server_reflection_request__descriptor,
    .reply_type = &pgrpc__bundled__server_reflection_response__descriptor,
};

typedef Pgrpc__Bundled__ServerReflectionRequest request_type;
typedef Pgrpc__Bundled__ServerReflectionResponse response_type;
#define REQUEST(name) PGRPC__BUNDLED__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define RESPONSE(name) PGRPC__BUNDLED__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

/* "file a.proto b.proto", "numbers a.B 1 2", "services a.B a.C", "NOT_FOUND text". */
static void note_response(struct served_call *call, const void *reply)
{
    const response_type *response = reply;
    assert_non_null(response->original_request);
    switch (response->message_response_case) {
    case RESPONSE(FILE_DESCRIPTOR_RESPONSE): {
        const Pgrpc__Bundled__FileDescriptorResponse *files = response->file_descriptor_response;
        served_note(call, "file");
        for (size_t i = 0; i < files->n_file_descriptor_proto; i++) {
            struct descriptor_bytes file = {
                (const char *)files->file_descriptor_proto[i].data,
                files->file_descriptor_proto[i].len,
            };
            struct descriptor_bytes name = pgrpc__descriptor_get(file, 1);
            served_note(call, " %.*s", (int)name.len, name.data);
        }
        break;
    }
    case RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE): {
        const Pgrpc__Bundled__ExtensionNumberResponse *numbers =
            response->all_extension_numbers_response;
        served_note(call, "numbers %s", numbers->base_type_name);
        for (size_t i = 0; i < numbers->n_extension_number; i++)
            served_note(call, " %d", numbers->extension_number[i]);
        break;
    }
    case RESPONSE(LIST_SERVICES_RESPONSE):
        served_note(call, "services");
        for (size_t i = 0; i < response->list_services_response->n_service; i++)
            served_note(call, " %s", response->list_services_response->service[i]->name);
        break;
    case RESPONSE(ERROR_RESPONSE):
        served_note(call, "%s %s",
                    pgrpc_code_name((enum pgrpc_code)response->error_response->error_code),
                    response->error_response->error_message);
        break;
    default:
        served_note(call, "nothing");
    }
    served_note(call, "\n");
}

/* --- a server -----------------------------------------------------------------------------------
 */

/* Reflection is registered between the two: both are to be seen. */
static bool register_all(struct pgrpc_server *server)
{
    static const struct Test__One_handlers one = {0};
    static const struct Second_handlers two = {0};
    return Test__One_register(server, &one, NULL) == PGRPC_OK &&
           pgrpc_reflection_register(server) == PGRPC_OK &&
           Second_register(server, &two, NULL) == PGRPC_OK;
}

struct fixture {
    struct served served;
    struct served_call call;
    struct served_call other;
};

static bool open_stream(struct served *served, struct served_call *call,
                        const struct pgrpc_method *method)
{
    return served_call(served, call, method, NULL, note_response);
}

static void begin(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    assert_true(served_init(&fixture->served, 0, NULL));
    assert_true(register_all(fixture->served.server));
    assert_true(served_start(&fixture->served, NULL));
    assert_true(open_stream(&fixture->served, &fixture->call, &info_method));
}

static void end(struct fixture *fixture)
{
    served_call_clear(&fixture->call);
    served_call_clear(&fixture->other);
    served_clear(&fixture->served);
}

static enum pgrpc_io ask(struct served_call *call, int kind, const char *text)
{
    request_type request = PGRPC__BUNDLED__SERVER_REFLECTION_REQUEST__INIT;
    request.message_request_case = kind;
    if (kind == REQUEST(FILE_BY_FILENAME))
        request.file_by_filename = text;
    else if (kind == REQUEST(FILE_CONTAINING_SYMBOL))
        request.file_containing_symbol = text;
    else if (kind == REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE))
        request.all_extension_numbers_of_type = text;
    else
        request.list_services = text;
    return pgrpc_call_send(call->call, &request, 0);
}

/* Asks on a stream, and returns what came of it alone. */
static const char *ask_on(struct fixture *fixture, struct served_call *call, int kind,
                          const char *text)
{
    served_call_reset(call);
    assert_int_equal(ask(call, kind, text), PGRPC_IO_DONE);
    served_run(&fixture->served);
    return call->log;
}

static const char *ask_file(struct fixture *fixture, const char *name)
{
    return ask_on(fixture, &fixture->call, REQUEST(FILE_BY_FILENAME), name);
}

static const char *ask_symbol(struct fixture *fixture, const char *name)
{
    return ask_on(fixture, &fixture->call, REQUEST(FILE_CONTAINING_SYMBOL), name);
}

static const char *ask_numbers(struct fixture *fixture, const char *name)
{
    return ask_on(fixture, &fixture->call, REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE), name);
}

static const char *ask_extension(struct fixture *fixture, const char *type, int32_t number)
{
    request_type request = PGRPC__BUNDLED__SERVER_REFLECTION_REQUEST__INIT;
    Pgrpc__Bundled__ExtensionRequest extension = PGRPC__BUNDLED__EXTENSION_REQUEST__INIT;
    extension.containing_type = type;
    extension.extension_number = number;
    request.message_request_case = REQUEST(FILE_CONTAINING_EXTENSION);
    request.file_containing_extension = &extension;
    served_call_reset(&fixture->call);
    assert_int_equal(pgrpc_call_send(fixture->call.call, &request, 0), PGRPC_IO_DONE);
    served_run(&fixture->served);
    return fixture->call.log;
}

/* --- services and files -------------------------------------------------------------------------
 */

static void services_are_listed_whenever_they_were_registered(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_string_equal(ask_on(&fixture, &fixture.call, REQUEST(LIST_SERVICES), "*"),
                        "services Second grpc.reflection.v1.ServerReflection "
                        "grpc.reflection.v1alpha.ServerReflection test.One\n");
    end(&fixture);
}

static void both_versions_say_the_same(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_true(open_stream(&fixture.served, &fixture.other, &alpha_method));
    assert_string_equal(ask_on(&fixture, &fixture.other, REQUEST(LIST_SERVICES), ""),
                        ask_on(&fixture, &fixture.call, REQUEST(LIST_SERVICES), ""));
    assert_string_equal(
        ask_on(&fixture, &fixture.other, REQUEST(FILE_CONTAINING_SYMBOL), "test.One"),
        ask_symbol(&fixture, "test.One"));
    end(&fixture);
}

static void stream_ends_when_the_client_has_no_more_to_ask(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_int_equal(ask(&fixture.call, REQUEST(FILE_BY_FILENAME), "reflect/common.proto"),
                     PGRPC_IO_DONE);
    pgrpc_call_close_send(fixture.call.call);
    served_run(&fixture.served);
    assert_string_equal(fixture.call.log, "file reflect/common.proto\nOK\n");
    end(&fixture);
}

static void file_comes_with_what_it_imports_once_in_a_stream(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_string_equal(ask_file(&fixture, "reflect/one.proto"),
                        "file reflect/one.proto reflect/base.proto reflect/common.proto\n");
    /* What was asked for comes again, the rest does not. */
    assert_string_equal(ask_file(&fixture, "reflect/one.proto"), "file reflect/one.proto\n");
    assert_string_equal(ask_file(&fixture, "reflect/two.proto"), "file reflect/two.proto\n");
    assert_string_equal(ask_file(&fixture, "reflect/common.proto"), "file reflect/common.proto\n");
    /* Another stream knows nothing of this one. */
    assert_true(open_stream(&fixture.served, &fixture.other, &info_method));
    assert_string_equal(
        ask_on(&fixture, &fixture.other, REQUEST(FILE_BY_FILENAME), "reflect/base.proto"),
        "file reflect/base.proto reflect/common.proto\n");
    assert_string_equal(
        ask_on(&fixture, &fixture.other, REQUEST(FILE_BY_FILENAME), "reflect/two.proto"),
        "file reflect/two.proto\n");
    end(&fixture);
}

static void unknown_things_are_errors_inside_the_stream(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_string_equal(ask_file(&fixture, "reflect/none.proto"),
                        "NOT_FOUND file not found: reflect/none.proto\n");
    assert_string_equal(ask_file(&fixture, ""), "NOT_FOUND file not found\n");
    assert_string_equal(ask_symbol(&fixture, "test.None"),
                        "NOT_FOUND symbol not found: test.None\n");
    assert_string_equal(ask_extension(&fixture, "test.base.Base", 199),
                        "NOT_FOUND extension not found, of message: test.base.Base\n");
    assert_string_equal(ask_numbers(&fixture, "test.None"),
                        "NOT_FOUND message not found: test.None\n");
    assert_string_equal(ask_on(&fixture, &fixture.call, 0, ""),
                        "UNIMPLEMENTED this kind of request is not known\n");
    assert_string_equal(ask_file(&fixture, "reflect/common.proto"), "file reflect/common.proto\n");
    end(&fixture);
}

static void request_and_host_are_repeated(void **state)
{
    struct pgrpc_channel *channel;
    struct served served;
    const void *reply;
    (void)state;
    assert_true(served_init(&served, 0, NULL));
    assert_true(register_all(served.server));
    assert_true(served_start(&served, NULL));
    channel = served.channel;
    request_type request = PGRPC__BUNDLED__SERVER_REFLECTION_REQUEST__INIT;
    request.host = "here";
    request.message_request_case = REQUEST(FILE_CONTAINING_SYMBOL);
    request.file_containing_symbol = "test.One";
    struct pgrpc_call *call = pgrpc_call_start(channel, &info_method, NULL, NULL, NULL, NULL);
    pgrpc_call_ref(call);
    assert_int_equal(pgrpc_call_send(call, &request, 0), PGRPC_IO_DONE);
    served_run(&served);
    assert_int_equal(pgrpc_call_recv(call, &reply, NULL), PGRPC_IO_DONE);
    const response_type *response = reply;
    assert_string_equal(response->valid_host, "here");
    assert_string_equal(response->original_request->host, "here");
    assert_string_equal(response->original_request->file_containing_symbol, "test.One");
    pgrpc_call_cancel(call);
    pgrpc_call_unref(call);
    served_clear(&served);
}

/* --- symbols ------------------------------------------------------------------------------------
 */

static void symbols_of_every_kind_are_found(void **state)
{
    static const struct {
        const char *symbol;
        const char *file;
    } cases[] = {
        {"test.One", "one"},                         /* service */
        {"test.One.Ask", "one"},                     /* method */
        {"test.added_by_one", "one"},                /* extension */
        {"test.base.Base", "base"},                  /* message */
        {"test.base.Base.common", "base"},           /* field */
        {"test.base.Base.choice", "base"},           /* oneof */
        {"test.base.Base.left", "base"},             /* field in a oneof */
        {"test.base.Base.Inner", "base"},            /* nested message */
        {"test.base.Base.Inner.Color", "base"},      /* nested enum */
        {"test.base.Base.Inner.GREEN", "base"},      /* its value, beside it */
        {"test.base.Base.Inner.Deep", "base"},       /* nested deeper */
        {"test.base.Base.Inner.Deep.color", "base"}, /* a field there */
        {"test.base.Base.Inner.Deep.deep", "base"},  /* extension inside a message */
        {"test.base.Base.Inner.DeepsEntry", "base"}, /* of a map */
        {"test.base.Base.Inner.DeepsEntry.key", "base"},
        {"test.base.Size", "base"},  /* enum */
        {"test.base.LARGE", "base"}, /* value */
        {"test.base.outer", "base"}, /* extension */
        {"test.common.Common.text", "common"},
        {"Two", "two"}, /* without a package */
        {"Two.common", "two"},
        {"Second.Ask", "two"},
    };
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[64];
        snprintf(expected, sizeof(expected), "file reflect/%s.proto", cases[i].file);
        const char *answer = ask_symbol(&fixture, cases[i].symbol);
        if (strncmp(answer, expected, strlen(expected)) != 0)
            fail_msg("%s: %s", cases[i].symbol, answer);
    }
    end(&fixture);
}

static void what_only_looks_like_a_symbol_is_not_found(void **state)
{
    static const char *const cases[] = {
        "",
        ".",
        "test",
        "test.",
        "test..One",
        ".test.One",
        "test.One.",
        "test.One.Ask.",
        "test.One.Ask.more",
        "test.Onex",
        "test.On",
        "tes.One",
        "testxOne",
        "test.base",
        "test.base.Size.LARGE", /* a value is beside its enum */
        "test.base.Base.Inner.Color.GREEN",
        "test.base.Base.common.text", /* a field is no scope */
        "base.Base",
        "Common",
        "reflect/one.proto",
    };
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *answer = ask_symbol(&fixture, cases[i]);
        if (strncmp(answer, "NOT_FOUND symbol not found", 26) != 0)
            fail_msg("%s: %s", cases[i], answer);
    }
    end(&fixture);
}

static void long_names_are_cut_between_characters(void **state)
{
    struct fixture fixture;
    char name[1000], expected[1000];
    (void)state;
    begin(&fixture);
    name[0] = 'x';
    for (size_t i = 1; i + 3 < sizeof(name); i += 3)
        memcpy(name + i, "\xe2\x82\xac", 4);
    snprintf(expected, sizeof(expected), "NOT_FOUND symbol not found: %.*s\n", 1 + 66 * 3, name);
    assert_string_equal(ask_symbol(&fixture, name), expected);
    end(&fixture);
}

/* --- extensions ---------------------------------------------------------------------------------
 */

static void extensions_are_found_by_number(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_string_equal(ask_extension(&fixture, "test.base.Base", 105),
                        "file reflect/one.proto reflect/base.proto reflect/common.proto\n");
    assert_string_equal(ask_extension(&fixture, "test.base.Base", 110),
                        "file reflect/base.proto\n");
    assert_string_equal(ask_extension(&fixture, "test.base.Base", 120),
                        "file reflect/base.proto\n");
    assert_string_equal(ask_extension(&fixture, "test.base.Bas", 120),
                        "NOT_FOUND extension not found, of message: test.base.Bas\n");
    end(&fixture);
}

static void extension_numbers_come_from_all_files(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_string_equal(ask_numbers(&fixture, "test.base.Base"),
                        "numbers test.base.Base 105 110 120\n");
    assert_string_equal(ask_numbers(&fixture, "test.base.Closed"), "numbers test.base.Closed\n");
    assert_string_equal(ask_numbers(&fixture, "test.One"),
                        "NOT_FOUND message not found: test.One\n");
    end(&fixture);
}

/* --- odd services -------------------------------------------------------------------------------
 */

static void service_without_descriptors_is_listed(void **state)
{
    static const struct pgrpc_service bare = {
        .version = 1, .method_size = sizeof(struct pgrpc_method), .name = "by.Hand"};
    struct fixture fixture;
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    assert_true(served_init(&fixture.served, 0, NULL));
    assert_int_equal(pgrpc_server_register(fixture.served.server, &bare, NULL, NULL, NULL),
                     PGRPC_OK);
    assert_int_equal(pgrpc_reflection_register(fixture.served.server), PGRPC_OK);
    assert_true(served_start(&fixture.served, NULL));
    assert_true(open_stream(&fixture.served, &fixture.call, &info_method));
    assert_string_equal(ask_on(&fixture, &fixture.call, REQUEST(LIST_SERVICES), ""),
                        "services by.Hand grpc.reflection.v1.ServerReflection "
                        "grpc.reflection.v1alpha.ServerReflection\n");
    assert_string_equal(ask_symbol(&fixture, "by.Hand"), "NOT_FOUND symbol not found: by.Hand\n");
    end(&fixture);
}

static void broken_descriptors_do_not_hurt_the_others(void **state)
{
    /* Not one of them is a FileDescriptorProto; one has the name of a good one, later. */
    static const struct pgrpc_file files[] = {
        {"cut.proto",
         (const unsigned char *)"\x0a\x7f"
                                "cut",
         5},
        {"group.proto", (const unsigned char *)"\x0b", 1},
        {"long.proto", (const unsigned char *)"\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
        {"nothing.proto", (const unsigned char *)"", 0},
        {NULL, NULL, 0},
    };
    static const struct pgrpc_service broken = {.version = 1,
                                                .method_size = sizeof(struct pgrpc_method),
                                                .name = "by.Hand",
                                                .files = files,
                                                .file_count = 5};
    struct fixture fixture;
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    assert_true(served_init(&fixture.served, 0, NULL));
    assert_int_equal(pgrpc_server_register(fixture.served.server, &broken, NULL, NULL, NULL),
                     PGRPC_OK);
    assert_true(register_all(fixture.served.server));
    assert_true(served_start(&fixture.served, NULL));
    assert_true(open_stream(&fixture.served, &fixture.call, &info_method));
    assert_string_equal(ask_symbol(&fixture, "by.Hand"), "NOT_FOUND symbol not found: by.Hand\n");
    assert_string_equal(ask_symbol(&fixture, "test.common.Common"), "file reflect/common.proto\n");
    assert_string_equal(ask_file(&fixture, "group.proto"), "file \n");
    end(&fixture);
}

static void registering_twice_fails(void **state)
{
    struct fixture fixture;
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    assert_true(served_init(&fixture.served, 0, NULL));
    assert_true(register_all(fixture.served.server));
    assert_int_equal(pgrpc_reflection_register(fixture.served.server), PGRPC_ALREADY_EXISTS);
    assert_true(served_start(&fixture.served, NULL));
    assert_int_equal(pgrpc_reflection_register(fixture.served.server), PGRPC_FAILED_PRECONDITION);
    assert_true(open_stream(&fixture.served, &fixture.call, &info_method));
    assert_string_equal(ask_symbol(&fixture, "test.common.Common"), "file reflect/common.proto\n");
    end(&fixture);
}

/* --- flow ---------------------------------------------------------------------------------------
 */

static void note_nothing(struct served_call *call, const void *reply)
{
    (void)call;
    (void)reply;
}

static void client_that_does_not_read_is_not_answered_for_ever(void **state)
{
    struct fixture fixture;
    size_t sent = 0;
    (void)state;
    begin(&fixture);
    fixture.call.holds_back = true;
    /* Some 1,700 bytes are answered to 40. */
    while (sent < 100000 && ask(&fixture.call, REQUEST(FILE_CONTAINING_SYMBOL),
                                "grpc.reflection.v1.ServerReflection") == PGRPC_IO_DONE) {
        served_run(&fixture.served);
        sent++;
    }
    assert_in_range(sent, 50, 20000);
    fixture.call.holds_back = false;
    fixture.call.note = note_nothing;
    served_call_read(&fixture.call);
    served_run(&fixture.served);
    assert_int_equal(fixture.call.message_count, sent);
    fixture.call.note = note_response;
    assert_string_equal(ask_file(&fixture, "reflect/common.proto"), "file reflect/common.proto\n");
    end(&fixture);
}

static void endless_stream_does_not_grow(void **state)
{
    struct fixture fixture;
    size_t live = 0;
    (void)state;
    begin(&fixture);
    for (unsigned i = 0; i < 2000; i++) {
        ask_symbol(&fixture, "test.None");
        ask_file(&fixture, "reflect/one.proto");
        ask_numbers(&fixture, "test.base.Base");
        if (i == 1000)
            live = faulty_allocator_live(&fixture.served.faulty);
    }
    assert_int_equal(faulty_allocator_live(&fixture.served.faulty), live);
    end(&fixture);
}

static void client_may_go_at_any_time(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_int_equal(ask(&fixture.call, REQUEST(LIST_SERVICES), ""), PGRPC_IO_DONE);
    pgrpc_call_cancel(fixture.call.call);
    served_run(&fixture.served);
    assert_true(open_stream(&fixture.served, &fixture.other, &info_method));
    served_run(&fixture.served);
    pgrpc_call_cancel(fixture.other.call);
    served_run(&fixture.served);
    assert_string_equal(fixture.other.log, "CANCELLED cancelled\n");
    end(&fixture);
}

/* --- memory and threads -------------------------------------------------------------------------
 */

static bool use_everything(struct served *served, struct served_call *call)
{
    if (!open_stream(served, call, &info_method))
        return false;
    ask(call, REQUEST(LIST_SERVICES), "");
    ask(call, REQUEST(FILE_BY_FILENAME), "reflect/two.proto");
    ask(call, REQUEST(FILE_CONTAINING_SYMBOL), "test.None");
    ask(call, REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE), "test.base.Base");
    pgrpc_call_close_send(call->call);
    served_run(served);
    return strcmp(call->log, "services Second grpc.reflection.v1.ServerReflection "
                             "grpc.reflection.v1alpha.ServerReflection test.One\n"
                             "file reflect/two.proto reflect/base.proto reflect/common.proto\n"
                             "NOT_FOUND symbol not found: test.None\n"
                             "numbers test.base.Base 105 110 120\n"
                             "OK\n") == 0;
}

static void every_allocation_may_fail(void **state)
{
    static struct served_call calls[2];
    (void)state;
    for (size_t n = 1;; n++) {
        struct served served;
        bool is_good = false, is_good_again = false;
        memset(calls, 0, sizeof(calls));
        if (served_init(&served, n, NULL) && register_all(served.server) &&
            served_start(&served, NULL)) {
            is_good = use_everything(&served, &calls[0]);
            /* What failed once is not lost for the next stream, unless the connection was. */
            bool had_failed = faulty_allocator_has_failed(&served.faulty);
            is_good_again = use_everything(&served, &calls[1]) || !had_failed ||
                            calls[1].code == PGRPC_UNAVAILABLE;
        } else {
            is_good_again = true;
        }
        served_call_clear(&calls[0]);
        served_call_clear(&calls[1]);
        bool has_failed = faulty_allocator_has_failed(&served.faulty);
        served_clear(&served);
        assert_true(is_good_again);
        if (has_failed)
            continue;
        assert_true(is_good);
        break;
    }
}

enum { LOOPS = 4, CLIENTS = 8 };

static void *run_server(void *server)
{
    return (void *)(intptr_t)pgrpc_server_run(server);
}

static void *run_client(void *userdata)
{
    struct pgrpc_channel *channel = userdata;
    request_type request = PGRPC__BUNDLED__SERVER_REFLECTION_REQUEST__INIT;
    request.message_request_case = REQUEST(FILE_CONTAINING_SYMBOL);
    request.file_containing_symbol = "test.One";
    for (int i = 0; i < 20; i++) {
        const void *reply;
        struct pgrpc_call *call =
            pgrpc_call_open(channel, i % 2 ? &info_method : &alpha_method, NULL, NULL);
        if (!call || pgrpc_call_send(call, &request, 0) != PGRPC_IO_DONE ||
            pgrpc_call_recv(call, &reply, NULL) != PGRPC_IO_DONE ||
            ((const response_type *)reply)->file_descriptor_response->n_file_descriptor_proto != 3)
            return userdata;
        pgrpc_call_close_send(call);
        bool is_good = pgrpc_call_wait(call)->code == PGRPC_OK;
        pgrpc_call_unref(call);
        if (!is_good)
            return userdata;
    }
    return NULL;
}

static void several_loops_ask_first_at_once(void **state)
{
    struct pgrpc_server_options options = {.size = sizeof(options), .loops = LOOPS};
    struct pgrpc_channel *channels[CLIENTS];
    pthread_t server_thread, threads[CLIENTS];
    struct pgrpc_server *server;
    void *result;
    (void)state;
    assert_int_equal(pgrpc_server_new(&options, &server, NULL), PGRPC_OK);
    assert_true(register_all(server));
    assert_int_equal(pgrpc_server_start(server), PGRPC_OK);
    assert_int_equal(pthread_create(&server_thread, NULL, run_server, server), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        assert_int_equal(pgrpc_server_adopt_fd(server, ends[0], pgrpc_credentials_insecure()),
                         PGRPC_OK);
        assert_int_equal(pgrpc_channel_new_from_fd(ends[1], "server", pgrpc_credentials_insecure(),
                                                   NULL, &channels[i], NULL),
                         PGRPC_OK);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_client, channels[i]), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], &result);
        assert_null(result);
        pgrpc_channel_unref(channels[i]);
    }
    pgrpc_server_shutdown(server, 0);
    pthread_join(server_thread, NULL);
    pgrpc_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_listed_whenever_they_were_registered),
        cmocka_unit_test(both_versions_say_the_same),
        cmocka_unit_test(stream_ends_when_the_client_has_no_more_to_ask),
        cmocka_unit_test(file_comes_with_what_it_imports_once_in_a_stream),
        cmocka_unit_test(unknown_things_are_errors_inside_the_stream),
        cmocka_unit_test(request_and_host_are_repeated),
        cmocka_unit_test(symbols_of_every_kind_are_found),
        cmocka_unit_test(what_only_looks_like_a_symbol_is_not_found),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(extensions_are_found_by_number),
        cmocka_unit_test(extension_numbers_come_from_all_files),
        cmocka_unit_test(service_without_descriptors_is_listed),
        cmocka_unit_test(broken_descriptors_do_not_hurt_the_others),
        cmocka_unit_test(registering_twice_fails),
        cmocka_unit_test(client_that_does_not_read_is_not_answered_for_ever),
        cmocka_unit_test(endless_stream_does_not_grow),
        cmocka_unit_test(client_may_go_at_any_time),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(several_loops_ask_first_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
