"""The interop client on grpcio: client.py CASE HOST PORT plain|tls"""

import os
import sys
import threading

import grpc
from grpc.testing import empty_pb2, messages_pb2, test_pb2, test_pb2_grpc  # noqa: F401

LARGE_REQUEST, LARGE_REPLY = 271828, 314159
SECONDS = 60
NAME = "foo.test.google.fr"
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"


def check(truth, what):
    if not truth:
        sys.exit(f"FAIL: {what}")


def payload(size):
    return messages_pb2.Payload(body=bytes(size))


def flag(value):
    return messages_pb2.BoolValue(value=value)


def simple(request=LARGE_REQUEST, reply=LARGE_REPLY, **fields):
    return messages_pb2.SimpleRequest(response_size=reply, payload=payload(request), **fields)


def output(sizes, request=None, **fields):
    parameters = [messages_pb2.ResponseParameters(size=size) for size in sizes]
    body = {} if request is None else {"payload": payload(request)}
    return messages_pb2.StreamingOutputCallRequest(response_parameters=parameters, **body, **fields)


def inputs(sizes):
    return iter([messages_pb2.StreamingInputCallRequest(payload=payload(size)) for size in sizes])


def check_body(reply, size):
    check(reply.payload.body == bytes(size), f"a body of {len(reply.payload.body)} bytes, expected {size} zeros")


def check_bodies(replies, sizes):
    check(len(replies) == len(sizes), f"{len(replies)} replies, expected {len(sizes)}")
    for reply, size in zip(replies, sizes):
        check_body(reply, size)


def check_error(code, message, function):
    """The call must end with that status (and message, unless None); the error."""
    try:
        function()
    except grpc.RpcError as error:
        check(error.code() == code, f"{error.code()} ({error.details()}), expected {code}")
        check(message is None or error.details() == message, f"message {error.details()!r}, expected {message!r}")
        return error
    sys.exit(f"FAIL: OK, expected {code}")


class Pipe:
    """An iterator of requests that is filled while it is read."""

    def __init__(self):
        self.items, self.changed, self.closed = [], threading.Condition(), False

    def put(self, *items, close=False):
        with self.changed:
            self.items += items
            self.closed = self.closed or close
            self.changed.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self.changed:
            self.changed.wait_for(lambda: self.items or self.closed)
            if not self.items:
                raise StopIteration
            return self.items.pop(0)


PING_PONG = [(27182, 31415), (8, 9), (1828, 2653), (45904, 58979)]


class Cases:
    def __init__(self, open_channel):
        self.open_channel = open_channel
        self.channel = open_channel()
        self.stub = test_pb2_grpc.TestServiceStub(self.channel)

    def unary(self, stub=None, **options):
        reply = (stub or self.stub).UnaryCall(simple(), timeout=SECONDS, **options)
        check_body(reply, LARGE_REPLY)

    def empty_unary(self):
        check(self.stub.EmptyCall(empty_pb2.Empty(), timeout=SECONDS) == empty_pb2.Empty(), "not an empty reply")

    def large_unary(self):
        self.unary()

    def client_compressed_unary_noprobe(self):
        for compressed in (True, False):
            how = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
            check_body(self.stub.UnaryCall(simple(expect_compressed=flag(compressed)), timeout=SECONDS, compression=how), LARGE_REPLY)

    def client_compressed_unary(self):
        probe = simple(expect_compressed=flag(True))
        check_error(grpc.StatusCode.INVALID_ARGUMENT, None, lambda: self.stub.UnaryCall(probe, timeout=SECONDS))
        self.client_compressed_unary_noprobe()

    def client_streaming(self):
        reply = self.stub.StreamingInputCall(inputs([27182, 8, 1828, 45904]), timeout=SECONDS)
        check(reply.aggregated_payload_size == 74922, f"{reply.aggregated_payload_size} bytes, expected 74922")

    def server_streaming(self):
        sizes = [31415, 9, 2653, 58979]
        replies = list(self.stub.StreamingOutputCall(output(sizes), timeout=SECONDS))
        check_bodies(replies, sizes)

    def ping_pong(self):
        pipe = Pipe()
        replies = self.stub.FullDuplexCall(pipe, timeout=SECONDS)
        for request, reply in PING_PONG:
            pipe.put(output([reply], request))
            check_body(next(replies), reply)
        pipe.put(close=True)
        check(list(replies) == [], "a fifth reply")
        check(replies.code() == grpc.StatusCode.OK, replies.code())

    def half_duplex(self):
        sizes = [31415, 9, 2653, 58979]
        replies = list(self.stub.HalfDuplexCall(iter([output([size]) for size in sizes]), timeout=SECONDS))
        check_bodies(replies, sizes)

    def empty_stream(self):
        check(list(self.stub.FullDuplexCall(iter([]), timeout=SECONDS)) == [], "a reply")

    def custom_metadata(self):
        metadata = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
        _, unary = self.stub.UnaryCall.with_call(simple(), timeout=SECONDS, metadata=metadata)
        stream = self.stub.FullDuplexCall(iter([output([LARGE_REPLY], LARGE_REQUEST)]), timeout=SECONDS, metadata=metadata)
        check_body(next(stream), LARGE_REPLY)
        check(list(stream) == [], "a second reply")
        for call in (unary, stream):
            initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
            check(initial.get(INITIAL) == "test_initial_metadata_value", f"headers {initial}")
            check(trailing.get(TRAILING) == b"\xab\xab\xab", f"trailers {trailing}")

    def status_code_and_message(self):
        status = messages_pb2.EchoStatus(code=2, message="test status message")
        unknown = grpc.StatusCode.UNKNOWN
        check_error(unknown, status.message, lambda: self.stub.UnaryCall(simple(response_status=status), timeout=SECONDS))
        check_error(unknown, status.message,
                    lambda: list(self.stub.FullDuplexCall(iter([output([], response_status=status)]), timeout=SECONDS)))

    def special_status_message(self):
        text = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
        status = messages_pb2.EchoStatus(code=2, message=text)
        check_error(grpc.StatusCode.UNKNOWN, text, lambda: self.stub.UnaryCall(simple(response_status=status), timeout=SECONDS))

    def unimplemented_method(self):
        check_error(grpc.StatusCode.UNIMPLEMENTED, None, lambda: self.stub.UnimplementedCall(empty_pb2.Empty(), timeout=SECONDS))

    def unimplemented_service(self):
        stub = test_pb2_grpc.UnimplementedServiceStub(self.channel)
        check_error(grpc.StatusCode.UNIMPLEMENTED, None, lambda: stub.UnimplementedCall(empty_pb2.Empty(), timeout=SECONDS))

    def cancel_after_begin(self):
        pipe = Pipe()
        call = self.stub.StreamingInputCall.future(pipe)
        call.cancel()
        pipe.put(close=True)
        check(call.cancelled() and call.code() == grpc.StatusCode.CANCELLED, f"{call.code()}")

    def cancel_after_first_response(self):
        pipe = Pipe()
        replies = self.stub.FullDuplexCall(pipe, timeout=SECONDS)
        pipe.put(output([31415], 27182))
        check_body(next(replies), 31415)
        replies.cancel()
        check_error(grpc.StatusCode.CANCELLED, None, lambda: next(replies))
        pipe.put(close=True)

    def timeout_on_sleeping_server(self):
        pipe = Pipe()
        pipe.put(output([], 27182))
        check_error(grpc.StatusCode.DEADLINE_EXCEEDED, None, lambda: next(self.stub.FullDuplexCall(pipe, timeout=0.001)))
        pipe.put(close=True)

    def concurrent_large_unary(self):
        for call in [self.stub.UnaryCall.future(simple(), timeout=2 * SECONDS) for _ in range(1000)]:
            check_body(call.result(), LARGE_REPLY)

    def very_large_request(self):
        reply = self.stub.UnaryCall(simple(10 << 20, 10), timeout=SECONDS)
        check_body(reply, 10)

    def rpc_soak(self):
        for _ in range(20):
            self.unary()

    def channel_soak(self):
        for _ in range(20):
            with self.open_channel() as channel:
                self.unary(test_pb2_grpc.TestServiceStub(channel))


def main():
    case, host, port, transport = sys.argv[1:]

    def open_channel():
        target, options = f"{host}:{port}", [("grpc.use_local_subchannel_pool", 1)]
        if transport == "plain":
            return grpc.insecure_channel(target, options)
        with open(os.path.join(os.environ["INTEROP_TLS"], "ca.pem"), "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        return grpc.secure_channel(target, credentials, [*options, ("grpc.ssl_target_name_override", NAME)])

    try:
        getattr(Cases(open_channel), case)()
    except grpc.RpcError as error:
        sys.exit(f"FAIL: {error.code()} ({error.details()})")


main()
