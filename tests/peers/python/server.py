"""The grpcio server: does what each request's script says (../peertest.proto)."""

from common import compression, pattern  # first: it sets up C-core's trace

import argparse
import os
import signal
import threading
from concurrent import futures

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

import peertest_pb2 as pb
import peertest_pb2_grpc as pb_grpc

CODES = {code.value[0]: code for code in grpc.StatusCode}


class Call:
    """The state of one RPC on the server."""

    def __init__(self, servicer, context):
        self.servicer, self.context = servicer, context
        self.over = threading.Event()
        if not context.add_callback(self.over.set):
            self.over.set()
        left = context.time_remaining()
        self.deadline_ms = int(left * 1000) if left is not None and left < 1e9 else -1
        echo = [(k, v) for k, v in context.invocation_metadata() if k.startswith("x-echo-")]
        self.trailers = [("x-echo-trailer-" + k[len("x-echo-"):], v) for k, v in echo]
        self.headers = echo
        self.first = None
        self.count = self.bytes = self.sum = self.index = self.compressed = 0
        self.texts = []

    def receive(self, request):
        if self.first is None:
            self.first = request
            self.observe(started=True, deadline_ms=self.deadline_ms)
            self.begin()
        self.compressed += compression.received()
        self.count += 1
        self.bytes += len(request.payload)
        self.sum += sum(request.payload)
        self.texts.append(request.text)

    def begin(self):
        if self.first and self.first.compress_replies:
            self.context.set_compression(grpc.Compression.Gzip)
        self.context.send_initial_metadata(self.headers)
        self.context.set_trailing_metadata(self.trailers)

    def end_of_requests(self):
        if not self.count:
            self.begin()
        # A cancelled call may look like this first, and like a cancelled one a moment later.
        self.over.wait(0.05)

    def reply(self, request, text):
        self.over.wait(request.delay_ms / 1000)
        compress = bool(self.first and self.first.compress_replies) and self.index % 2 == 0
        if not compress:
            self.context.disable_next_message_compression()
        self.index += 1
        return pb.Reply(
            text=text, payload=pattern(request.reply_bytes), index=self.index - 1,
            received_count=self.count, received_bytes=self.bytes, received_sum=self.sum % 2**32,
            deadline_ms=self.deadline_ms, sees_compression=True,
            received_compressed=self.compressed, sent_compressed=compress)

    def finish(self, request):
        """The last steps of a request's script: hold, fail."""
        if request.hold:
            self.over.wait(10)
        if request.HasField("failure"):
            failure = request.failure
            if failure.detail:
                detail = any_pb2.Any()
                detail.Pack(pb.Detail(text=failure.detail))
                status = status_pb2.Status(code=failure.code, message=failure.message, details=[detail])
                self.trailers.append(("grpc-status-details-bin", status.SerializeToString()))
                self.context.set_trailing_metadata(self.trailers)
            self.context.abort(CODES[failure.code], failure.message)

    def observe(self, **fields):
        if self.first and self.first.call_id:
            with self.servicer.lock:
                self.servicer.observed.setdefault(self.first.call_id, {}).update(fields)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        compression.received()
        self.observe(ended=True, cancelled=self.over.is_set() or not self.context.is_active())


class Servicer(pb_grpc.PeerTestServicer):
    def __init__(self):
        self.lock = threading.Lock()
        self.observed = {}

    def Unary(self, request, context):
        with Call(self, context) as call:
            call.receive(request)
            reply = call.reply(request, request.text)
            call.finish(request)
            return reply

    def ServerStream(self, request, context):
        with Call(self, context) as call:
            call.receive(request)
            for _ in range(request.reply_count):
                yield call.reply(request, request.text)
            call.finish(request)

    def ClientStream(self, requests, context):
        with Call(self, context) as call:
            request = pb.Request()
            for request in requests:
                call.receive(request)
                call.finish(request)
            call.end_of_requests()
            return call.reply(request, "".join(call.texts))

    def Bidi(self, requests, context):
        with Call(self, context) as call:
            for request in requests:
                call.receive(request)
                for _ in range(request.reply_count):
                    yield call.reply(request, request.text)
                call.finish(request)
            call.end_of_requests()

    def Observe(self, request, context):
        with self.lock:
            return pb.Observation(**self.observed.get(request.call_id, {}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    args = parser.parse_args()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=128))
    pb_grpc.add_PeerTestServicer_to_server(Servicer(), server)
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection(
        [pb.DESCRIPTOR.services_by_name["PeerTest"].full_name, health.SERVICE_NAME, reflection.SERVICE_NAME],
        server)
    address = f"127.0.0.1:{args.port}"
    if args.tls_cert:
        with open(args.tls_key, "rb") as key, open(args.tls_cert, "rb") as cert:
            credentials = grpc.ssl_server_credentials([(key.read(), cert.read())])
        port = server.add_secure_port(address, credentials)
    else:
        port = server.add_insecure_port(address)
    server.start()
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    with open(args.port_file + ".new", "w") as file:
        file.write(str(port))
    os.rename(args.port_file + ".new", args.port_file)
    stop.wait()
    server.stop(0).wait(5)


main()
