// The interop client on gRPC's C++: client CASE HOST PORT plain|tls
#include <cstdio>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "common.h"

using namespace grpc::testing;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;

namespace {

enum { LARGE_REQUEST = 271828, LARGE_REPLY = 314159, LIMIT_SECONDS = 60 };
const int OUTPUT_SIZES[] = {31415, 9, 2653, 58979};
const int INPUT_SIZES[] = {27182, 8, 1828, 45904};

std::string target;
std::shared_ptr<grpc::ChannelCredentials> credentials;
grpc::ChannelArguments arguments;

[[noreturn]] void fail(const std::string &what)
{
    fprintf(stderr, "FAIL: %s\n", what.c_str());
    fflush(stderr);
    _exit(1);
}

void check(bool truth, const std::string &what)
{
    if (!truth)
        fail(what);
}

void check(const Status &status, StatusCode code, const char *message = nullptr)
{
    check(status.error_code() == code && (!message || status.error_message() == message),
          "status " + std::to_string(status.error_code()) + " (" + status.error_message() + "), expected " +
              std::to_string(code));
}

void check_body(const Payload &payload, int size)
{
    check(payload.body() == std::string(static_cast<size_t>(size), '\0'),
          "a body of " + std::to_string(payload.body().size()) + " bytes, expected " + std::to_string(size) + " zeros");
}

std::shared_ptr<grpc::Channel> open_channel()
{
    return grpc::CreateCustomChannel(target, credentials, arguments);
}

std::unique_ptr<TestService::Stub> stub()
{
    static const std::shared_ptr<grpc::Channel> channel = open_channel();
    return TestService::NewStub(channel);
}

// A context with a deadline, which may compress.
struct Context : ClientContext {
    explicit Context(bool compress = false)
    {
        set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(LIMIT_SECONDS));
        if (compress)
            set_compression_algorithm(GRPC_COMPRESS_GZIP);
    }
};

SimpleRequest simple(int request = LARGE_REQUEST, int reply = LARGE_REPLY)
{
    SimpleRequest made;
    made.set_response_size(reply);
    set_zeros(made.mutable_payload(), request);
    return made;
}

StreamingOutputCallRequest output(int request, std::vector<int> replies)
{
    StreamingOutputCallRequest made;
    set_zeros(made.mutable_payload(), request);
    for (int size : replies)
        made.add_response_parameters()->set_size(size);
    return made;
}

void empty_unary()
{
    Context context;
    Empty reply;
    check(stub()->EmptyCall(&context, Empty(), &reply), StatusCode::OK);
}

void unary(TestService::Stub *on, const SimpleRequest &request, int size, bool compress = false)
{
    Context context(compress);
    SimpleResponse reply;
    check(on->UnaryCall(&context, request, &reply), StatusCode::OK);
    check_body(reply.payload(), size);
    check(!request.has_response_compressed() ||
              request.response_compressed().value() == came_compressed(context),
          "the reply did not come as asked");
}

void large_unary() { unary(stub().get(), simple(), LARGE_REPLY); }
void very_large_request() { unary(stub().get(), simple(10 << 20, 10), 10); }

void client_compressed_unary_noprobe()
{
    for (bool compressed : {true, false}) {
        SimpleRequest request = simple();
        request.mutable_expect_compressed()->set_value(compressed);
        unary(stub().get(), request, LARGE_REPLY, compressed);
    }
}

void client_compressed_unary()
{
    Context context;
    SimpleRequest request = simple();
    SimpleResponse reply;
    request.mutable_expect_compressed()->set_value(true);
    check(stub()->UnaryCall(&context, request, &reply), StatusCode::INVALID_ARGUMENT);
    client_compressed_unary_noprobe();
}

void server_compressed_unary()
{
    for (bool compressed : {true, false}) {
        SimpleRequest request = simple();
        request.mutable_response_compressed()->set_value(compressed);
        unary(stub().get(), request, LARGE_REPLY);
    }
}

// Sizes, and whether they are sent compressed; -1 says nothing of what is expected.
void input(const std::vector<std::pair<int, int>> &sizes, bool compress, int expected, StatusCode code)
{
    Context context(compress);
    StreamingInputCallResponse reply;
    auto writer = stub()->StreamingInputCall(&context, &reply);
    for (auto [size, compressed] : sizes) {
        StreamingInputCallRequest request;
        grpc::WriteOptions options;
        set_zeros(request.mutable_payload(), size);
        if (compressed >= 0)
            request.mutable_expect_compressed()->set_value(compressed);
        if (compressed <= 0)
            options.set_no_compression();
        if (!writer->Write(request, options))
            break;
    }
    writer->WritesDone();
    check(writer->Finish(), code);
    check(code != StatusCode::OK || reply.aggregated_payload_size() == expected,
          std::to_string(reply.aggregated_payload_size()) + " bytes, expected " + std::to_string(expected));
}

void client_streaming()
{
    input({{27182, -1}, {8, -1}, {1828, -1}, {45904, -1}}, false, 74922, StatusCode::OK);
}

void client_compressed_streaming_noprobe()
{
    input({{27182, true}, {45904, false}}, true, 73086, StatusCode::OK);
}

void client_compressed_streaming()
{
    input({{27182, true}}, false, 0, StatusCode::INVALID_ARGUMENT);
    client_compressed_streaming_noprobe();
}

void server_stream(const StreamingOutputCallRequest &request, int pause_ms)
{
    Context context;
    StreamingOutputCallResponse reply;
    auto reader = stub()->StreamingOutputCall(&context, request);
    for (const ResponseParameters &asked : request.response_parameters()) {
        check(reader->Read(&reply), "a reply is missing");
        check_body(reply.payload(), asked.size());
        check(!asked.has_compressed() ||
                  asked.compressed().value() == came_compressed(context),
              "a reply did not come as asked");
        std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
    }
    check(!reader->Read(&reply), "a reply too many");
    check(reader->Finish(), StatusCode::OK);
}

void server_streaming() { server_stream(output(0, {31415, 9, 2653, 58979}), 0); }
void slow_consumer() { server_stream(output(0, std::vector<int>(2000, 1030)), 20); }

void server_compressed_streaming()
{
    StreamingOutputCallRequest request = output(0, {31415, 92653});
    request.mutable_response_parameters(0)->mutable_compressed()->set_value(true);
    request.mutable_response_parameters(1)->mutable_compressed()->set_value(false);
    server_stream(request, 0);
}

void ping_pong()
{
    Context context;
    StreamingOutputCallResponse reply;
    auto stream = stub()->FullDuplexCall(&context);
    for (int i = 0; i < 4; i++) {
        check(stream->Write(output(INPUT_SIZES[i], {OUTPUT_SIZES[i]})), "cannot send");
        check(stream->Read(&reply), "a reply is missing");
        check_body(reply.payload(), OUTPUT_SIZES[i]);
    }
    stream->WritesDone();
    check(!stream->Read(&reply), "a reply too many");
    check(stream->Finish(), StatusCode::OK);
}

void half_duplex()
{
    Context context;
    StreamingOutputCallResponse reply;
    auto stream = stub()->HalfDuplexCall(&context);
    for (int size : OUTPUT_SIZES)
        check(stream->Write(output(0, {size})), "cannot send");
    stream->WritesDone();
    for (int size : OUTPUT_SIZES) {
        check(stream->Read(&reply), "a reply is missing");
        check_body(reply.payload(), size);
    }
    check(!stream->Read(&reply), "a reply too many");
    check(stream->Finish(), StatusCode::OK);
}

void empty_stream()
{
    Context context;
    StreamingOutputCallResponse reply;
    auto stream = stub()->FullDuplexCall(&context);
    stream->WritesDone();
    check(!stream->Read(&reply), "a reply");
    check(stream->Finish(), StatusCode::OK);
}

const std::string INITIAL_VALUE = "test_initial_metadata_value", TRAILING_VALUE = "\xab\xab\xab";

void add_metadata(ClientContext *context)
{
    context->AddMetadata(INITIAL, INITIAL_VALUE);
    context->AddMetadata(TRAILING, TRAILING_VALUE);
}

void check_metadata(const ClientContext &context)
{
    const auto &headers = context.GetServerInitialMetadata();
    const auto &trailers = context.GetServerTrailingMetadata();
    auto initial = headers.find(INITIAL), trailing = trailers.find(TRAILING);
    check(initial != headers.end() && initial->second == INITIAL_VALUE, "the header did not come back");
    check(trailing != trailers.end() && trailing->second == TRAILING_VALUE, "the trailer did not come back");
}

void custom_metadata()
{
    Context context, stream_context;
    SimpleResponse reply;
    StreamingOutputCallResponse output_reply;
    add_metadata(&context);
    check(stub()->UnaryCall(&context, simple(), &reply), StatusCode::OK);
    check_body(reply.payload(), LARGE_REPLY);
    check_metadata(context);
    add_metadata(&stream_context);
    auto stream = stub()->FullDuplexCall(&stream_context);
    check(stream->Write(output(LARGE_REQUEST, {LARGE_REPLY})), "cannot send");
    stream->WritesDone();
    check(stream->Read(&output_reply), "a reply is missing");
    check_body(output_reply.payload(), LARGE_REPLY);
    check(!stream->Read(&output_reply), "a reply too many");
    check(stream->Finish(), StatusCode::OK);
    check_metadata(stream_context);
}

void unary_status(const char *text)
{
    Context context;
    SimpleRequest request = simple(0, 0);
    SimpleResponse reply;
    request.mutable_response_status()->set_code(2);
    request.mutable_response_status()->set_message(text);
    check(stub()->UnaryCall(&context, request, &reply), StatusCode::UNKNOWN, text);
}

void status_code_and_message()
{
    const char *text = "test status message";
    Context context;
    StreamingOutputCallRequest request;
    StreamingOutputCallResponse reply;
    unary_status(text);
    request.mutable_response_status()->set_code(2);
    request.mutable_response_status()->set_message(text);
    auto stream = stub()->FullDuplexCall(&context);
    check(stream->Write(request), "cannot send");
    stream->WritesDone();
    check(!stream->Read(&reply), "a reply");
    check(stream->Finish(), StatusCode::UNKNOWN, text);
}

void special_status_message()
{
    unary_status("\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n");
}

void unimplemented_method()
{
    Context context;
    Empty reply;
    check(stub()->UnimplementedCall(&context, Empty(), &reply), StatusCode::UNIMPLEMENTED);
}

void unimplemented_service()
{
    Context context;
    Empty reply;
    check(UnimplementedService::NewStub(open_channel())->UnimplementedCall(&context, Empty(), &reply),
          StatusCode::UNIMPLEMENTED);
}

void cancel_after_begin()
{
    Context context;
    StreamingInputCallResponse reply;
    auto writer = stub()->StreamingInputCall(&context, &reply);
    context.TryCancel();
    check(writer->Finish(), StatusCode::CANCELLED);
}

void cancel_after_first(int request, int size)
{
    Context context;
    StreamingOutputCallResponse reply;
    auto stream = stub()->FullDuplexCall(&context);
    check(stream->Write(output(request, {size})), "cannot send");
    check(stream->Read(&reply), "a reply is missing");
    check_body(reply.payload(), size);
    context.TryCancel();
    check(stream->Finish(), StatusCode::CANCELLED);
}

void cancel_after_first_response() { cancel_after_first(27182, 31415); }

void timeout_on_sleeping_server()
{
    ClientContext context;
    StreamingOutputCallResponse reply;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
    auto stream = stub()->FullDuplexCall(&context);
    stream->Write(output(27182, {}));
    check(!stream->Read(&reply), "a reply");
    check(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

void pick_first_unary()
{
    std::string id;
    for (int i = 0; i < 100; i++) {
        Context context;
        SimpleRequest request = simple(1, 1);
        SimpleResponse reply;
        request.set_fill_server_id(true);
        check(stub()->UnaryCall(&context, request, &reply), StatusCode::OK);
        check(!reply.server_id().empty() && (id.empty() || id == reply.server_id()), "server_id " + reply.server_id());
        id = reply.server_id();
    }
}

void concurrent_large_unary()
{
    struct Call {
        ClientContext context;
        SimpleResponse reply;
        Status status;
        std::unique_ptr<grpc::ClientAsyncResponseReader<SimpleResponse>> reader;
    };
    grpc::CompletionQueue queue;
    std::vector<Call> calls(1000);
    auto on = stub();
    for (Call &call : calls) {
        call.reader = on->AsyncUnaryCall(&call.context, simple(), &queue);
        call.reader->Finish(&call.reply, &call.status, &call);
    }
    for (size_t i = 0; i < calls.size(); i++) {
        void *tag;
        bool ok;
        check(queue.Next(&tag, &ok), "the queue is empty");
        check(static_cast<Call *>(tag)->status, StatusCode::OK);
        check_body(static_cast<Call *>(tag)->reply.payload(), LARGE_REPLY);
    }
}

void many_calls()
{
    for (int i = 0; i < 4000; i++) {
        if (i % 4)
            unary(stub().get(), simple(8, 9), 9);
        else
            cancel_after_first(8, 9);
    }
}

void rpc_soak()
{
    for (int i = 0; i < 20; i++)
        large_unary();
}

void channel_soak()
{
    for (int i = 0; i < 20; i++)
        unary(TestService::NewStub(open_channel()).get(), simple(), LARGE_REPLY);
}

#define CASE(name) {#name, name}
const std::pair<std::string, std::function<void()>> CASES[] = {
    CASE(empty_unary),
    CASE(large_unary),
    CASE(very_large_request),
    CASE(client_compressed_unary),
    CASE(client_compressed_unary_noprobe),
    CASE(server_compressed_unary),
    CASE(client_streaming),
    CASE(client_compressed_streaming),
    CASE(client_compressed_streaming_noprobe),
    CASE(server_streaming),
    CASE(server_compressed_streaming),
    CASE(slow_consumer),
    CASE(ping_pong),
    CASE(half_duplex),
    CASE(empty_stream),
    CASE(custom_metadata),
    CASE(status_code_and_message),
    CASE(special_status_message),
    CASE(unimplemented_method),
    CASE(unimplemented_service),
    CASE(cancel_after_begin),
    CASE(cancel_after_first_response),
    CASE(timeout_on_sleeping_server),
    CASE(pick_first_unary),
    CASE(concurrent_large_unary),
    CASE(many_calls),
    CASE(rpc_soak),
    CASE(channel_soak),
};

} // namespace

int main(int argc, char **argv)
{
    check(argc == 5, "client CASE HOST PORT plain|tls");
    target = std::string(argv[2]) + ":" + argv[3];
    credentials = grpc::InsecureChannelCredentials();
    arguments.SetMaxReceiveMessageSize(MESSAGE_MAX);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (std::string(argv[4]) == "tls") {
        grpc::SslCredentialsOptions options;
        options.pem_root_certs = file("ca.pem");
        credentials = grpc::SslCredentials(options);
        arguments.SetSslTargetNameOverride("foo.test.google.fr");
    }
    for (const auto &[name, run] : CASES) {
        if (name == argv[1]) {
            run();
            return 0;
        }
    }
    fail("there is no such case");
}
