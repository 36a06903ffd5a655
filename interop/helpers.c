/* What the cases share. */
#include <stdarg.h>
#include <stdio.h>

#include "cases.h"
#include "payload.h"

static const char *running = "";

void fail_as(const char *name)
{
    running = name;
}

int fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    flockfile(stderr); /* soak cases have several threads */
    fprintf(stderr, "FAIL %s: ", running);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(arguments);
    return 1;
}

struct pgrpc_channel *open_channel(const struct run *run, struct pgrpc_loop *loop)
{
    struct pgrpc_channel_options options = {.size = sizeof(options),
                                            .loop = loop,
                                            .authority = run->authority,
                                            .user_agent = "interop",
                                            .max_receive_bytes = MESSAGE_MAX,
                                            .max_metadata_bytes = MAX_METADATA_BYTES,
                                            .backoff_max_ms = run->backoff.max_ms,
                                            .interceptors = run->interceptor,
                                            .interceptor_count = run->interceptor ? 1 : 0};
    struct pgrpc_channel *channel;
    struct pgrpc_error error;
    if (pgrpc_channel_new(run->target, run->credentials, &options, &channel, &error) == PGRPC_OK)
        return channel;
    fail("no channel to %s: %s", run->target, error.text);
    return NULL;
}

struct pgrpc_channel *open_channel_and_loop(const struct run *run, struct pgrpc_loop **loop)
{
    *loop = pgrpc_loop_new(NULL);
    if (*loop)
        return open_channel(run, *loop);
    fail("no loop");
    return NULL;
}

struct pgrpc_call_options call_options(void)
{
    return (struct pgrpc_call_options){.size = sizeof(struct pgrpc_call_options),
                                       .timeout_ms = CALL_TIMEOUT_MS};
}

int expect_status(const struct pgrpc_status *status, enum pgrpc_code code)
{
    if (status->code == code)
        return 0;
    return fail("status %s (%s), expected %s", pgrpc_code_name(status->code), status->message,
                pgrpc_code_name(code));
}

int expect_body(const Grpc__Testing__Payload *payload, size_t len)
{
    if (payload_is_zeros(payload, len))
        return 0;
    return fail("a body of type %d with %zu bytes, expected %zu zeros",
                payload ? (int)payload->type : 0, payload ? payload->body.len : 0, len);
}

int expect_end(struct pgrpc_call *call, enum pgrpc_code code, int failed)
{
    const void *reply;
    if (!failed && code == PGRPC_OK && pgrpc_call_recv(call, &reply, NULL) == PGRPC_IO_DONE)
        failed = fail("a reply more than expected");
    if (failed)
        pgrpc_call_cancel(call);
    const struct pgrpc_status *status = pgrpc_call_wait(call);
    if (!failed)
        failed = expect_status(status, code);
    else if (status->code != PGRPC_CANCELLED)
        fail("the call ended with %s (%s)", pgrpc_code_name(status->code), status->message);
    pgrpc_call_unref(call);
    return failed;
}

Grpc__Testing__SimpleRequest simple_request(Grpc__Testing__Payload *payload, size_t request_len,
                                            size_t reply_len)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    *payload = payload_zeros(request_len);
    request.payload = payload;
    request.response_size = (int32_t)reply_len;
    return request;
}

int expect_unary(struct pgrpc_channel *channel, const Grpc__Testing__SimpleRequest *request,
                 const struct pgrpc_call_options *options, enum pgrpc_code code,
                 struct pgrpc_result *result)
{
    const Grpc__Testing__SimpleResponse *reply =
        Grpc__Testing__TestService__unary_call(channel, request, options, result);
    if (expect_status(&result->status, code))
        return 1;
    if (code != PGRPC_OK)
        return reply ? fail("a reply, and the call failed") : 0;
    return reply ? expect_body(reply->payload, (size_t)request->response_size)
                 : fail("OK without a reply");
}

int call_unary(struct pgrpc_channel *channel, size_t request_len, size_t reply_len)
{
    const struct pgrpc_call_options options = call_options();
    Grpc__Testing__Payload payload;
    const Grpc__Testing__SimpleRequest request = simple_request(&payload, request_len, reply_len);
    struct pgrpc_result result = {0};
    int failed = expect_unary(channel, &request, &options, PGRPC_OK, &result);
    pgrpc_result_clear(&result);
    return failed;
}

enum pgrpc_io send_full_duplex(struct pgrpc_call *call, size_t request_len, int reply_len)
{
    Grpc__Testing__StreamingOutputCallRequest request =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters asked = GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
    Grpc__Testing__ResponseParameters *list[] = {&asked};
    Grpc__Testing__Payload payload = payload_zeros(request_len);
    asked.size = reply_len;
    request.response_parameters = list;
    request.n_response_parameters = reply_len < 0 ? 0 : 1;
    request.payload = &payload;
    return Grpc__Testing__TestService__full_duplex_call__send_request(call, &request);
}

int exchange(struct pgrpc_call *call, size_t request_len, size_t reply_len)
{
    if (send_full_duplex(call, request_len, (int)reply_len) != PGRPC_IO_DONE)
        return fail("a request of %zu bytes cannot be sent", request_len);
    return recv_output(call, reply_len);
}

int recv_output(struct pgrpc_call *call, size_t len)
{
    const Grpc__Testing__StreamingOutputCallResponse *reply;
    if (Grpc__Testing__TestService__full_duplex_call__recv_reply(call, &reply) != PGRPC_IO_DONE)
        return fail("no reply where one of %zu bytes was expected", len);
    return expect_body(reply->payload, len);
}
