/* Compression, message by message. */
#include "cases.h"
#include "payload.h"

/* --- unary --- */

/* One UnaryCall, compressed or not, that says what the server shall find. 0 passed. */
static int probe_unary(const struct run *run, bool compress, bool expect, enum pgrpc_code code)
{
    struct pgrpc_call_options options = call_options();
    Grpc__Testing__Payload payload;
    Grpc__Testing__SimpleRequest request = simple_request(&payload, LARGE_REQUEST, LARGE_REPLY);
    Grpc__Testing__BoolValue expected = GRPC__TESTING__BOOL_VALUE__INIT;
    struct pgrpc_result result = {0};
    options.compression = compress ? "gzip" : "identity";
    expected.value = expect;
    request.expect_compressed = &expected;
    int failed = expect_unary(run->channel, &request, &options, code, &result);
    pgrpc_result_clear(&result);
    return failed;
}

static int client_compressed_unary_noprobe(const struct run *run)
{
    return probe_unary(run, true, true, PGRPC_OK) || probe_unary(run, false, false, PGRPC_OK);
}

static int client_compressed_unary(const struct run *run)
{
    return probe_unary(run, false, true, PGRPC_INVALID_ARGUMENT) ||
           client_compressed_unary_noprobe(run);
}

static int ask_unary(const struct run *run, bool compressed)
{
    const struct pgrpc_call_options options = call_options();
    Grpc__Testing__Payload payload;
    Grpc__Testing__SimpleRequest request = simple_request(&payload, LARGE_REQUEST, LARGE_REPLY);
    Grpc__Testing__BoolValue asked = GRPC__TESTING__BOOL_VALUE__INIT;
    struct pgrpc_result result = {0};
    asked.value = compressed;
    request.response_compressed = &asked;
    int failed = expect_unary(run->channel, &request, &options, PGRPC_OK, &result);
    if (!failed && (bool)(result.flags & PGRPC_MESSAGE_COMPRESSED) != compressed)
        failed = fail("the reply that was asked for %s came otherwise",
                      compressed ? "compressed" : "uncompressed");
    pgrpc_result_clear(&result);
    return failed;
}

static int server_compressed_unary(const struct run *run)
{
    return ask_unary(run, true) || ask_unary(run, false);
}

/* --- streams --- */

/* One message of StreamingInputCall that says what the server shall find. */
static enum pgrpc_io send_input(struct pgrpc_call *call, size_t len, bool compress, bool expect)
{
    Grpc__Testing__StreamingInputCallRequest request =
        GRPC__TESTING__STREAMING_INPUT_CALL_REQUEST__INIT;
    Grpc__Testing__BoolValue expected = GRPC__TESTING__BOOL_VALUE__INIT;
    Grpc__Testing__Payload payload = payload_zeros(len);
    expected.value = expect;
    request.expect_compressed = &expected;
    request.payload = &payload;
    return pgrpc_call_send(call, &request, compress ? 0 : PGRPC_MESSAGE_NO_COMPRESS);
}

static struct pgrpc_call *open_input(const struct run *run)
{
    struct pgrpc_call_options options = call_options();
    options.compression = "gzip";
    return Grpc__Testing__TestService__streaming_input_call__open(run->channel, &options);
}

static int client_compressed_streaming_noprobe(const struct run *run)
{
    const Grpc__Testing__StreamingInputCallResponse *reply;
    struct pgrpc_call *call = open_input(run);
    int failed = 0;
    if (send_input(call, 27182, true, true) != PGRPC_IO_DONE ||
        send_input(call, 45904, false, false) != PGRPC_IO_DONE)
        failed = fail("the messages cannot be sent");
    pgrpc_call_close_send(call);
    if (!failed && Grpc__Testing__TestService__streaming_input_call__recv_reply(call, &reply) ==
                       PGRPC_IO_DONE) {
        if (reply->aggregated_payload_size != 73086)
            failed = fail("%d bytes came together, expected 73086", reply->aggregated_payload_size);
    } else if (!failed)
        failed = fail("no reply");
    return expect_end(call, PGRPC_OK, failed);
}

static int client_compressed_streaming(const struct run *run)
{
    struct pgrpc_call *call = open_input(run);
    /* The server may have ended the call before the close: that is what is wanted. */
    send_input(call, 27182, false, true);
    pgrpc_call_close_send(call);
    return expect_end(call, PGRPC_INVALID_ARGUMENT, 0) || client_compressed_streaming_noprobe(run);
}

static int server_compressed_streaming(const struct run *run)
{
    static const int sizes[] = {31415, 92653};
    const struct pgrpc_call_options options = call_options();
    Grpc__Testing__StreamingOutputCallRequest request =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters asked[2];
    Grpc__Testing__ResponseParameters *list[2];
    Grpc__Testing__BoolValue compressed[2];
    int failed = 0;
    for (int i = 0; i < 2; i++) {
        grpc__testing__bool_value__init(&compressed[i]);
        grpc__testing__response_parameters__init(&asked[i]);
        compressed[i].value = i == 0;
        asked[i].size = sizes[i];
        asked[i].compressed = &compressed[i];
        list[i] = &asked[i];
    }
    request.response_parameters = list;
    request.n_response_parameters = 2;
    struct pgrpc_call *call =
        Grpc__Testing__TestService__streaming_output_call__open(run->channel, &request, &options);
    for (int i = 0; i < 2 && !failed; i++) {
        failed = recv_output(call, (size_t)sizes[i]);
        if (!failed &&
            (bool)(pgrpc_call_message_flags(call) & PGRPC_MESSAGE_COMPRESSED) != (i == 0))
            failed = fail("reply %d came %s", i + 1, i == 0 ? "uncompressed" : "compressed");
    }
    return expect_end(call, PGRPC_OK, failed);
}

const struct test_case compressed_cases[] = {
    {"client_compressed_unary", client_compressed_unary, 60},
    {"client_compressed_unary_noprobe", client_compressed_unary_noprobe, 60},
    {"server_compressed_unary", server_compressed_unary, 60},
    {"client_compressed_streaming", client_compressed_streaming, 60},
    {"client_compressed_streaming_noprobe", client_compressed_streaming_noprobe, 60},
    {"server_compressed_streaming", server_compressed_streaming, 60},
    {NULL, NULL, 0},
};
