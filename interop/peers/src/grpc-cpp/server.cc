// The interop server on gRPC's C++: server PORT plain|tls
#include <csignal>
#include <thread>
#include <vector>

#include "common.h"

using namespace grpc::testing;
using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;

namespace {

void echo(ServerContext *context)
{
    const auto &metadata = context->client_metadata();
    auto initial = metadata.find(INITIAL), trailing = metadata.find(TRAILING);
    if (initial != metadata.end())
        context->AddInitialMetadata(INITIAL, {initial->second.data(), initial->second.size()});
    if (trailing != metadata.end())
        context->AddTrailingMetadata(TRAILING, {trailing->second.data(), trailing->second.size()});
}

Status ending(const EchoStatus &asked)
{
    return Status(static_cast<StatusCode>(asked.code()), asked.message());
}

template <class Request> bool came_wrong(ServerContext *context, const Request &request)
{
    return request.has_expect_compressed() &&
           request.expect_compressed().value() != came_compressed(*context);
}

const Status WRONG(StatusCode::INVALID_ARGUMENT, "the message did not come as expect_compressed says");

template <class Writer> Status output(const StreamingOutputCallRequest &request, Writer *writer)
{
    if (request.response_status().code())
        return ending(request.response_status());
    for (const ResponseParameters &asked : request.response_parameters()) {
        StreamingOutputCallResponse reply;
        set_zeros(reply.mutable_payload(), asked.size());
        std::this_thread::sleep_for(std::chrono::microseconds(asked.interval_us()));
        grpc::WriteOptions options;
        if (!asked.compressed().value())
            options.set_no_compression();
        if (!writer->Write(reply, options))
            return Status(StatusCode::CANCELLED, "nobody waits for it");
    }
    return Status::OK;
}

class Service : public TestService::Service {
    Status EmptyCall(ServerContext *context, const Empty *, Empty *) override
    {
        echo(context);
        return Status::OK;
    }

    Status UnaryCall(ServerContext *context, const SimpleRequest *request, SimpleResponse *reply) override
    {
        echo(context);
        if (came_wrong(context, *request))
            return WRONG;
        if (request->response_status().code())
            return ending(request->response_status());
        if (request->response_compressed().value())
            context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        if (request->fill_server_id())
            reply->set_server_id("grpc-cpp " + std::to_string(getpid()));
        set_zeros(reply->mutable_payload(), request->response_size());
        return Status::OK;
    }

    Status StreamingInputCall(ServerContext *context, grpc::ServerReader<StreamingInputCallRequest> *reader,
                              StreamingInputCallResponse *reply) override
    {
        StreamingInputCallRequest request;
        int sum = 0;
        echo(context);
        while (reader->Read(&request)) {
            if (came_wrong(context, request))
                return WRONG;
            sum += static_cast<int>(request.payload().body().size());
        }
        reply->set_aggregated_payload_size(sum);
        return Status::OK;
    }

    Status StreamingOutputCall(ServerContext *context, const StreamingOutputCallRequest *request,
                               grpc::ServerWriter<StreamingOutputCallResponse> *writer) override
    {
        echo(context);
        for (const ResponseParameters &asked : request->response_parameters()) {
            if (asked.compressed().value())
                context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        }
        return output(*request, writer);
    }

    using Stream = grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>;

    Status FullDuplexCall(ServerContext *context, Stream *stream) override
    {
        StreamingOutputCallRequest request;
        echo(context);
        stream->SendInitialMetadata();
        while (stream->Read(&request)) {
            Status status = output(request, stream);
            if (!status.ok())
                return status;
        }
        return Status::OK;
    }

    Status HalfDuplexCall(ServerContext *context, Stream *stream) override
    {
        std::vector<StreamingOutputCallRequest> requests;
        StreamingOutputCallRequest request;
        echo(context);
        while (stream->Read(&request))
            requests.push_back(request);
        for (const StreamingOutputCallRequest &asked : requests) {
            Status status = output(asked, stream);
            if (!status.ok())
                return status;
        }
        return Status::OK;
    }
};

} // namespace

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    // SIGTERM is for the thread that waits for it.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
    if (std::string(argv[2]) == "tls") {
        grpc::SslServerCredentialsOptions options;
        options.pem_key_cert_pairs.push_back({file("server.key"), file("server.pem")});
        credentials = grpc::SslServerCredentials(options);
    }
    Service service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(std::string("127.0.0.1:") + argv[1], credentials);
    builder.SetMaxReceiveMessageSize(MESSAGE_MAX);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, METADATA_MAX);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        return 1;
    int number;
    sigwait(&signals, &number);
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    return 0;
}
