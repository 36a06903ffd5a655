/* What all methods of the service share, and those without streams: they run on the loop. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "payload.h"
#include "service.h"

static const char ECHO_INITIAL[] = "x-grpc-test-echo-initial";
static const char ECHO_TRAILING[] = "x-grpc-test-echo-trailing-bin";

static enum pgrpc_verdict echo(struct pgrpc_call *call, void *userdata)
{
    const struct pgrpc_metadata *headers = pgrpc_call_headers(call);
    const struct pgrpc_metadatum *initial = pgrpc_metadata_find(headers, ECHO_INITIAL);
    const struct pgrpc_metadatum *trailing = pgrpc_metadata_find(headers, ECHO_TRAILING);
    (void)userdata;
    if ((initial && pgrpc_call_add_header(call, initial)) ||
        (trailing && pgrpc_call_add_trailer(call, trailing)))
        pgrpc_call_finish(call, PGRPC_INTERNAL, "no echo: %s", pgrpc_call_error(call));
    return PGRPC_CONTINUE;
}

const struct pgrpc_interceptor service_echo = {.size = sizeof(service_echo), .on_start = echo};

bool service_refuses_message(struct pgrpc_call *call, const Grpc__Testing__BoolValue *expected)
{
    bool compressed = pgrpc_call_message_flags(call) & PGRPC_MESSAGE_COMPRESSED;
    if (!expected || (bool)expected->value == compressed)
        return false;
    pgrpc_call_finish(call, PGRPC_INVALID_ARGUMENT, "the message came %s",
                      compressed ? "compressed" : "uncompressed");
    return true;
}

bool service_ends_as_asked(struct pgrpc_call *call, const Grpc__Testing__EchoStatus *asked)
{
    if (!asked || asked->code == PGRPC_OK)
        return false;
    const struct pgrpc_status status = {(enum pgrpc_code)asked->code, asked->message, NULL, 0};
    pgrpc_call_finish_status(call, &status);
    return true;
}

bool service_refuses_reply(struct pgrpc_call *call, Grpc__Testing__PayloadType type, int size)
{
    if (type != GRPC__TESTING__PAYLOAD_TYPE__COMPRESSABLE)
        pgrpc_call_finish(call, PGRPC_INVALID_ARGUMENT, "there is no payload of type %d",
                          (int)type);
    else if (size < 0 || size > PAYLOAD_MAX)
        pgrpc_call_finish(call, PGRPC_INVALID_ARGUMENT, "a body has 0 to %d bytes, not %d",
                          PAYLOAD_MAX, size);
    else
        return false;
    return true;
}

static void empty_call(struct pgrpc_call *call, const Grpc__Testing__Empty *request, void *userdata)
{
    const Grpc__Testing__Empty reply = GRPC__TESTING__EMPTY__INIT;
    (void)request, (void)userdata;
    Grpc__Testing__TestService__empty_call__reply(call, &reply);
}

static void unary_call(struct pgrpc_call *call, const Grpc__Testing__SimpleRequest *request,
                       void *userdata)
{
    char host[64] = "", id[96];
    (void)userdata;
    if (service_refuses_message(call, request->expect_compressed) ||
        service_ends_as_asked(call, request->response_status) ||
        service_refuses_reply(call, request->response_type, request->response_size))
        return;
    Grpc__Testing__SimpleResponse reply = GRPC__TESTING__SIMPLE_RESPONSE__INIT;
    Grpc__Testing__Payload payload = payload_zeros((size_t)request->response_size);
    reply.payload = &payload;
    if (gethostname(host, sizeof(host) - 1) == 0)
        reply.hostname = host;
    snprintf(id, sizeof(id), "%s:%ld", host, (long)getpid());
    if (request->fill_server_id)
        reply.server_id = id;
    if (request->response_compressed && request->response_compressed->value)
        pgrpc_call_set_compression(call, "gzip");
    Grpc__Testing__TestService__unary_call__reply(call, &reply);
}

static void cacheable_unary_call(struct pgrpc_call *call,
                                 const Grpc__Testing__SimpleRequest *request, void *userdata)
{
    static const struct pgrpc_metadatum cache = {"cache-control", "max-age=60", 10};
    Grpc__Testing__SimpleResponse reply = GRPC__TESTING__SIMPLE_RESPONSE__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    struct timespec now;
    char text[48];
    (void)request, (void)userdata;
    clock_gettime(CLOCK_REALTIME, &now);
    payload.body.len =
        (size_t)snprintf(text, sizeof(text), "%lld%09ld", (long long)now.tv_sec, now.tv_nsec);
    payload.body.data = (uint8_t *)text;
    reply.payload = &payload;
    pgrpc_call_add_header(call, &cache);
    Grpc__Testing__TestService__cacheable_unary_call__reply(call, &reply);
}

const struct Grpc__Testing__TestService_handlers service_handlers = {
    .empty_call = {empty_call, PGRPC_RUN_INLINE},
    .unary_call = {unary_call, PGRPC_RUN_INLINE},
    .cacheable_unary_call = {cacheable_unary_call, PGRPC_RUN_INLINE},
    .streaming_output_call = {service_streaming_output_call, PGRPC_RUN_WORKER},
    .streaming_input_call = {service_streaming_input_call, PGRPC_RUN_WORKER},
    .full_duplex_call = {service_full_duplex_call, PGRPC_RUN_WORKER},
    .half_duplex_call = {service_half_duplex_call, PGRPC_RUN_WORKER},
};
