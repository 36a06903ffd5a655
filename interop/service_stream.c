/* The methods with streams. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "payload.h"
#include "service.h"

enum { MAX_BUFFERED_REPLIES = 1 << 20 };

/* One reply that was asked for; the request it came in may be gone. */
struct wanted {
    Grpc__Testing__PayloadType type;
    int size;
    int interval_us;
    bool compressed;
    bool fill_peer;
};

static struct wanted wanted(const Grpc__Testing__StreamingOutputCallRequest *request, size_t index)
{
    const Grpc__Testing__ResponseParameters *asked = request->response_parameters[index];
    return (struct wanted){.type = request->response_type,
                           .size = asked->size,
                           .interval_us = asked->interval_us,
                           .compressed = asked->compressed && asked->compressed->value,
                           .fill_peer = asked->fill_peer_socket_address &&
                                        asked->fill_peer_socket_address->value};
}

/* Sleeps in steps, so that a call that nobody waits for keeps no worker. */
static void sleep_us(const struct pgrpc_call *call, int us)
{
    const int step_us = 50000;
    for (; us > 0 && !pgrpc_call_is_cancelled(call); us -= step_us) {
        struct timespec rest = {.tv_nsec = (us < step_us ? us : step_us) * 1000L};
        while (nanosleep(&rest, &rest) && errno == EINTR)
            ;
    }
}

/* Sends one reply. False when the call is over. */
static bool send_reply(struct pgrpc_call *call, const struct wanted *wanted)
{
    Grpc__Testing__StreamingOutputCallResponse reply =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
    if (service_refuses_reply(call, wanted->type, wanted->size))
        return false;
    Grpc__Testing__Payload payload = payload_zeros((size_t)wanted->size);
    reply.payload = &payload;
    if (wanted->fill_peer)
        reply.peer_socket_address = (char *)pgrpc_call_peer(call);
    sleep_us(call, wanted->interval_us);
    return pgrpc_call_send(call, &reply, wanted->compressed ? 0 : PGRPC_MESSAGE_NO_COMPRESS) ==
           PGRPC_IO_DONE;
}

/* Answers one request. False when the call is over. */
static bool answer(struct pgrpc_call *call,
                   const Grpc__Testing__StreamingOutputCallRequest *request)
{
    if (service_ends_as_asked(call, request->response_status))
        return false;
    for (size_t i = 0; i < request->n_response_parameters; i++) {
        const struct wanted reply = wanted(request, i);
        if (!send_reply(call, &reply))
            return false;
    }
    return true;
}

/* The headers name the compression, whichever of the replies will be compressed. */
static void may_compress(struct pgrpc_call *call)
{
    pgrpc_call_set_compression(call, "gzip");
}

/* Headers that were asked for come at once, not with the first reply. */
static void send_headers_if_asked(struct pgrpc_call *call)
{
    if (pgrpc_metadata_find(pgrpc_call_headers(call), "x-grpc-test-echo-initial"))
        pgrpc_call_send_headers(call);
}

void service_streaming_output_call(struct pgrpc_call *call,
                                   const Grpc__Testing__StreamingOutputCallRequest *request,
                                   void *userdata)
{
    (void)userdata;
    may_compress(call);
    answer(call, request);
    /* Changes nothing when the call has ended. */
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

void service_streaming_input_call(struct pgrpc_call *call, void *userdata)
{
    Grpc__Testing__StreamingInputCallResponse reply =
        GRPC__TESTING__STREAMING_INPUT_CALL_RESPONSE__INIT;
    const Grpc__Testing__StreamingInputCallRequest *request;
    uint32_t sum = 0;
    (void)userdata;
    while (Grpc__Testing__TestService__streaming_input_call__recv_request(call, &request) ==
           PGRPC_IO_DONE) {
        if (service_refuses_message(call, request->expect_compressed))
            return;
        if (request->payload)
            sum += (uint32_t)request->payload->body.len;
    }
    reply.aggregated_payload_size = (int32_t)sum;
    Grpc__Testing__TestService__streaming_input_call__reply(call, &reply);
}

void service_full_duplex_call(struct pgrpc_call *call, void *userdata)
{
    const Grpc__Testing__StreamingOutputCallRequest *request;
    (void)userdata;
    may_compress(call);
    send_headers_if_asked(call);
    while (Grpc__Testing__TestService__full_duplex_call__recv_request(call, &request) ==
               PGRPC_IO_DONE &&
           answer(call, request))
        ;
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

/* What half_duplex_call keeps until the client has closed its end. */
struct buffer {
    struct wanted *replies;
    size_t count, room;
};

static enum pgrpc_code keep(struct buffer *buffer,
                            const Grpc__Testing__StreamingOutputCallRequest *request)
{
    for (size_t i = 0; i < request->n_response_parameters; i++) {
        if (buffer->count == MAX_BUFFERED_REPLIES)
            return PGRPC_RESOURCE_EXHAUSTED;
        if (buffer->count == buffer->room) {
            size_t room = buffer->room ? buffer->room * 2 : 16;
            struct wanted *replies = realloc(buffer->replies, room * sizeof(*replies));
            if (!replies)
                return PGRPC_RESOURCE_EXHAUSTED;
            buffer->replies = replies;
            buffer->room = room;
        }
        buffer->replies[buffer->count++] = wanted(request, i);
    }
    return PGRPC_OK;
}

void service_half_duplex_call(struct pgrpc_call *call, void *userdata)
{
    const Grpc__Testing__StreamingOutputCallRequest *request;
    struct buffer buffer = {0};
    enum pgrpc_io io;
    (void)userdata;
    may_compress(call);
    while ((io = Grpc__Testing__TestService__half_duplex_call__recv_request(call, &request)) ==
           PGRPC_IO_DONE) {
        if (service_ends_as_asked(call, request->response_status))
            break;
        if (keep(&buffer, request)) {
            pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "too many replies to keep");
            break;
        }
    }
    for (size_t i = 0; io == PGRPC_IO_END && i < buffer.count; i++) {
        if (!send_reply(call, &buffer.replies[i]))
            break;
    }
    free(buffer.replies);
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}
