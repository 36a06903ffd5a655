"""The interop server on grpcio: server.py PORT plain|tls."""

import concurrent.futures
import os
import signal
import sys
import time

import grpc
from grpc.testing import empty_pb2, messages_pb2, test_pb2, test_pb2_grpc  # noqa: F401

INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
CODES = {code.value[0]: code for code in grpc.StatusCode}
WORKERS = 64


def echo(context):
    metadata = dict(context.invocation_metadata())
    if INITIAL in metadata:
        context.send_initial_metadata(((INITIAL, metadata[INITIAL]),))
    if TRAILING in metadata:
        context.set_trailing_metadata(((TRAILING, metadata[TRAILING]),))


def end_as_asked(request, context):
    if request.response_status.code:
        context.abort(CODES[request.response_status.code], request.response_status.message)


def body(size):
    return messages_pb2.Payload(body=bytes(size))


class Service(test_pb2_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        echo(context)
        return empty_pb2.Empty()

    def UnaryCall(self, request, context):
        # What the headers name is what a message may be compressed with.
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        echo(context)
        end_as_asked(request, context)
        return messages_pb2.SimpleResponse(payload=body(request.response_size))

    def StreamingInputCall(self, requests, context):
        echo(context)
        return messages_pb2.StreamingInputCallResponse(aggregated_payload_size=sum(len(request.payload.body) for request in requests))

    def replies(self, request, context):
        for parameters in request.response_parameters:
            time.sleep(parameters.interval_us / 1e6)
            if not parameters.compressed.value:
                context.disable_next_message_compression()
            yield messages_pb2.StreamingOutputCallResponse(payload=body(parameters.size))

    def StreamingOutputCall(self, request, context):
        if any(parameters.compressed.value for parameters in request.response_parameters):
            context.set_compression(grpc.Compression.Gzip)
        echo(context)
        end_as_asked(request, context)
        yield from self.replies(request, context)

    def FullDuplexCall(self, requests, context):
        echo(context)
        for request in requests:
            end_as_asked(request, context)
            yield from self.replies(request, context)

    def HalfDuplexCall(self, requests, context):
        echo(context)
        for request in list(requests):
            yield from self.replies(request, context)


def main():
    port, transport = sys.argv[1:]
    options = [("grpc.max_receive_message_length", 20 << 20), ("grpc.max_metadata_size", 256 << 10),
               ("grpc.absolute_max_metadata_size", 256 << 10), ("grpc.so_reuseport", 0)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(WORKERS), options=options)
    test_pb2_grpc.add_TestServiceServicer_to_server(Service(), server)
    if transport == "tls":
        folder = os.environ["INTEROP_TLS"]
        with open(os.path.join(folder, "server.key"), "rb") as key, open(os.path.join(folder, "server.pem"), "rb") as certificate:
            credentials = grpc.ssl_server_credentials([(key.read(), certificate.read())])
        server.add_secure_port(f"127.0.0.1:{port}", credentials)
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    signal.signal(signal.SIGTERM, lambda number, frame: server.stop(0))
    server.start()
    server.wait_for_termination()


main()
