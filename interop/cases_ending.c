/* Metadata, and every way for a call to end: a status, a cancellation, a deadline. */
#include <string.h>

#include "cases.h"

static const struct pgrpc_metadatum custom[] = {
    {"x-grpc-test-echo-initial", "test_initial_metadata_value", 27},
    {"x-grpc-test-echo-trailing-bin", "\xab\xab\xab", 3},
};

/* |metadata| must have |entry| exactly once. */
static int expect_entry(const struct pgrpc_metadata *metadata, const struct pgrpc_metadatum *entry)
{
    size_t count = 0;
    for (size_t i = 0; i < pgrpc_metadata_count(metadata); i++)
        count += strcmp(pgrpc_metadata_at(metadata, i).key, entry->key) == 0;
    if (count != 1)
        return fail("%s came %zu times, expected once", entry->key, count);
    const struct pgrpc_metadatum *found = pgrpc_metadata_find(metadata, entry->key);
    if (found->len != entry->len || memcmp(found->value, entry->value, entry->len) != 0)
        return fail("%s came with another value", entry->key);
    return 0;
}

static struct pgrpc_call_options custom_options(void)
{
    struct pgrpc_call_options options = call_options();
    options.metadata = custom;
    options.metadata_count = 2;
    return options;
}

static int custom_metadata_unary(const struct run *run)
{
    const struct pgrpc_call_options options = custom_options();
    Grpc__Testing__Payload payload;
    const Grpc__Testing__SimpleRequest request =
        simple_request(&payload, LARGE_REQUEST, LARGE_REPLY);
    struct pgrpc_result result = {0};
    int failed = expect_unary(run->channel, &request, &options, PGRPC_OK, &result) ||
                 expect_entry(result.headers, &custom[0]) ||
                 expect_entry(result.trailers, &custom[1]);
    pgrpc_result_clear(&result);
    return failed;
}

static int custom_metadata_stream(const struct run *run)
{
    const struct pgrpc_call_options options = custom_options();
    struct pgrpc_call *call =
        Grpc__Testing__TestService__full_duplex_call__open(run->channel, &options);
    if (!call)
        return fail("no call");
    int failed = exchange(call, LARGE_REQUEST, LARGE_REPLY) ||
                 expect_entry(pgrpc_call_headers(call), &custom[0]);
    pgrpc_call_close_send(call);
    pgrpc_call_ref(call); /* for the trailers */
    failed =
        expect_end(call, PGRPC_OK, failed) || expect_entry(pgrpc_call_trailers(call), &custom[1]);
    pgrpc_call_unref(call);
    return failed;
}

static int custom_metadata(const struct run *run)
{
    return custom_metadata_unary(run) || custom_metadata_stream(run);
}

/* --- statuses --- */

static int expect_text(const struct pgrpc_status *status, enum pgrpc_code code, const char *text)
{
    if (expect_status(status, code))
        return 1;
    return strcmp(status->message, text)
               ? fail("message \"%s\", expected \"%s\"", status->message, text)
               : 0;
}

/* Asks UnaryCall for a status. */
static int ask_unary(const struct run *run, const char *text)
{
    const struct pgrpc_call_options options = call_options();
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__EchoStatus asked = GRPC__TESTING__ECHO_STATUS__INIT;
    struct pgrpc_result result = {0};
    asked.code = PGRPC_UNKNOWN;
    asked.message = (char *)text;
    request.response_status = &asked;
    Grpc__Testing__TestService__unary_call(run->channel, &request, &options, &result);
    int failed = expect_text(&result.status, PGRPC_UNKNOWN, text);
    pgrpc_result_clear(&result);
    return failed;
}

static int ask_stream(const struct run *run, const char *text)
{
    const struct pgrpc_call_options options = call_options();
    Grpc__Testing__StreamingOutputCallRequest request =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__EchoStatus asked = GRPC__TESTING__ECHO_STATUS__INIT;
    const Grpc__Testing__StreamingOutputCallResponse *reply;
    struct pgrpc_call *call =
        Grpc__Testing__TestService__full_duplex_call__open(run->channel, &options);
    int failed = 0;
    asked.code = PGRPC_UNKNOWN;
    asked.message = (char *)text;
    request.response_status = &asked;
    if (Grpc__Testing__TestService__full_duplex_call__send_request(call, &request) != PGRPC_IO_DONE)
        failed = fail("the request cannot be sent");
    pgrpc_call_close_send(call);
    if (Grpc__Testing__TestService__full_duplex_call__recv_reply(call, &reply) == PGRPC_IO_DONE)
        failed = fail("a reply, expected a status");
    failed = expect_text(pgrpc_call_wait(call), PGRPC_UNKNOWN, text) || failed;
    pgrpc_call_unref(call);
    return failed;
}

static int status_code_and_message(const struct run *run)
{
    return ask_unary(run, "test status message") || ask_stream(run, "test status message");
}

static int special_status_message(const struct run *run)
{
    return ask_unary(run, "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
                          "\xf0\x9f\x98\x88\t\n");
}

static int unimplemented_method(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    const Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    struct pgrpc_result result = {0};
    Grpc__Testing__TestService__unimplemented_call(run->channel, &request, &options, &result);
    int failed = expect_status(&result.status, PGRPC_UNIMPLEMENTED);
    pgrpc_result_clear(&result);
    return failed;
}

static int unimplemented_service(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    const Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    struct pgrpc_result result = {0};
    Grpc__Testing__UnimplementedService__unimplemented_call(run->channel, &request, &options,
                                                            &result);
    int failed = expect_status(&result.status, PGRPC_UNIMPLEMENTED);
    pgrpc_result_clear(&result);
    return failed;
}

/* --- cancellation and deadline --- */

static int cancel_after_begin(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    struct pgrpc_call *call =
        Grpc__Testing__TestService__streaming_input_call__open(run->channel, &options);
    pgrpc_call_cancel(call);
    return expect_end(call, PGRPC_CANCELLED, 0);
}

static int cancel_after_first_response(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    struct pgrpc_call *call =
        Grpc__Testing__TestService__full_duplex_call__open(run->channel, &options);
    int failed = exchange(call, 27182, 31415);
    pgrpc_call_cancel(call);
    return expect_end(call, PGRPC_CANCELLED, failed);
}

static int timeout_on_sleeping_server(const struct run *run)
{
    struct pgrpc_call_options options = call_options();
    options.timeout_ms = 1;
    struct pgrpc_call *call =
        Grpc__Testing__TestService__full_duplex_call__open(run->channel, &options);
    /* The deadline may have passed by now. */
    send_full_duplex(call, 27182, -1);
    return expect_end(call, PGRPC_DEADLINE_EXCEEDED, 0);
}

const struct test_case ending_cases[] = {
    {"custom_metadata", custom_metadata, 60},
    {"status_code_and_message", status_code_and_message, 60},
    {"special_status_message", special_status_message, 60},
    {"unimplemented_method", unimplemented_method, 60},
    {"unimplemented_service", unimplemented_service, 60},
    {"cancel_after_begin", cancel_after_begin, 60},
    {"cancel_after_first_response", cancel_after_first_response, 60},
    {"timeout_on_sleeping_server", timeout_on_sleeping_server, 60},
    {NULL, NULL, 0},
};
