/* Streams without compression. */
#include <time.h>

#include "cases.h"
#include "payload.h"

static const int request_sizes[] = {27182, 8, 1828, 45904};
static const int reply_sizes[] = {31415, 9, 2653, 58979};
enum { SIZES = 4, SLOW_REPLIES = 2000, SLOW_REPLY = 1030, SLOW_MS = 20 };

static int client_streaming(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    const Grpc__Testing__StreamingInputCallResponse *reply;
    struct pgrpc_call *call =
        Grpc__Testing__TestService__streaming_input_call__open(run->channel, &options);
    int failed = 0;
    for (int i = 0; i < SIZES && !failed; i++) {
        Grpc__Testing__StreamingInputCallRequest request =
            GRPC__TESTING__STREAMING_INPUT_CALL_REQUEST__INIT;
        Grpc__Testing__Payload payload = payload_zeros((size_t)request_sizes[i]);
        request.payload = &payload;
        if (Grpc__Testing__TestService__streaming_input_call__send_request(call, &request) !=
            PGRPC_IO_DONE)
            failed = fail("message %d cannot be sent", i + 1);
    }
    pgrpc_call_close_send(call);
    if (!failed &&
        Grpc__Testing__TestService__streaming_input_call__recv_reply(call, &reply) != PGRPC_IO_DONE)
        failed = fail("no reply");
    if (!failed && reply->aggregated_payload_size != 74922)
        failed = fail("%d bytes came together, expected 74922", reply->aggregated_payload_size);
    return expect_end(call, PGRPC_OK, failed);
}

/* Opens StreamingOutputCall for |count| replies, of |sizes| or of |size| each. */
static struct pgrpc_call *open_output(const struct run *run, int count, const int *sizes, int size,
                                      const struct pgrpc_call_options *options)
{
    Grpc__Testing__StreamingOutputCallRequest request =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters asked[SLOW_REPLIES];
    Grpc__Testing__ResponseParameters *list[SLOW_REPLIES];
    for (int i = 0; i < count; i++) {
        grpc__testing__response_parameters__init(&asked[i]);
        asked[i].size = sizes ? sizes[i] : size;
        list[i] = &asked[i];
    }
    request.response_parameters = list;
    request.n_response_parameters = (size_t)count;
    return Grpc__Testing__TestService__streaming_output_call__open(run->channel, &request, options);
}

static int server_streaming(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    struct pgrpc_call *call = open_output(run, SIZES, reply_sizes, 0, &options);
    int failed = 0;
    for (int i = 0; i < SIZES && !failed; i++)
        failed = recv_output(call, (size_t)reply_sizes[i]);
    return expect_end(call, PGRPC_OK, failed);
}

static int slow_consumer(const struct run *run)
{
    struct pgrpc_call_options options = call_options();
    options.timeout_ms = 4 * CALL_TIMEOUT_MS;
    struct pgrpc_call *call = open_output(run, SLOW_REPLIES, NULL, SLOW_REPLY, &options);
    int failed = 0;
    for (int i = 0; i < SLOW_REPLIES && !failed; i++) {
        failed = recv_output(call, SLOW_REPLY);
        nanosleep(&(struct timespec){.tv_nsec = SLOW_MS * 1000000L}, NULL);
    }
    return expect_end(call, PGRPC_OK, failed);
}

static int ping_pong(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    struct pgrpc_call *call =
        Grpc__Testing__TestService__full_duplex_call__open(run->channel, &options);
    int failed = 0;
    for (int i = 0; i < SIZES && !failed; i++)
        failed = exchange(call, (size_t)request_sizes[i], (size_t)reply_sizes[i]);
    pgrpc_call_close_send(call);
    return expect_end(call, PGRPC_OK, failed);
}

static int empty_stream(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    struct pgrpc_call *call =
        Grpc__Testing__TestService__full_duplex_call__open(run->channel, &options);
    pgrpc_call_close_send(call);
    return expect_end(call, PGRPC_OK, 0);
}

static int half_duplex(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    struct pgrpc_call *call =
        Grpc__Testing__TestService__half_duplex_call__open(run->channel, &options);
    int failed = 0;
    for (int i = 0; i < SIZES && !failed; i++) {
        if (send_full_duplex(call, 0, reply_sizes[i]) != PGRPC_IO_DONE)
            failed = fail("request %d cannot be sent", i + 1);
    }
    pgrpc_call_close_send(call);
    for (int i = 0; i < SIZES && !failed; i++)
        failed = recv_output(call, (size_t)reply_sizes[i]);
    return expect_end(call, PGRPC_OK, failed);
}

const struct test_case stream_cases[] = {
    {"client_streaming", client_streaming, 60},
    {"server_streaming", server_streaming, 60},
    {"ping_pong", ping_pong, 60},
    {"empty_stream", empty_stream, 60},
    {"half_duplex", half_duplex, 60},
    {"slow_consumer", slow_consumer, 150},
    {NULL, NULL, 0},
};
