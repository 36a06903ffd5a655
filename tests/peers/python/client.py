"""The grpcio client: runs cases (../README.md says what each must show) and prints one line for each."""

from common import compression, pattern  # first: it sets up C-core's trace

import argparse
import os
import threading
import time
from collections import defaultdict

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

import peertest_pb2 as pb
import peertest_pb2_grpc as pb_grpc

TEXT = "Grüße ☺ 😈"
ERROR_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈, 100% %41 \t\n"
ERROR_DETAIL = "why ☺"
ECHOED = [
    ("x-echo-ascii", "plain, with comma"),
    ("x-echo-dup", "first"), ("x-echo-dup", "second"), ("x-echo-dup", "first"),
    ("x-echo-bytes-bin", b"\x00\x01\x02\xff\x00\xfe\x80"),
    ("x-echo-dup-bin", b"\x00"), ("x-echo-dup-bin", b"\x00\x00"), ("x-echo-dup-bin", b"\xff"),
    ("x-echo-empty-bin", b""),
]
METHODS = {"unary": "Unary", "server_stream": "ServerStream", "client_stream": "ClientStream", "bidi": "Bidi"}


class Failed(Exception):
    pass


def must(condition, text):
    if not condition:
        raise Failed(text)


class Exchange:
    """One RPC of any kind: what came of it."""

    def __init__(self, client, kind, requests, timeout=None, metadata=None, gzip=False, cancel_id=None):
        """With cancel_id the call is cancelled, without half-closing before, once the server has
        started it and the first reply of a stream was seen."""
        self.kind, self.requests, self.timeout = kind, requests, timeout
        self.replies, self.compressed = [], []
        compression.received()
        method = getattr(client.gzip_stub if gzip else client.stub, METHODS[kind])
        options = {"timeout": timeout, "metadata": metadata}
        first_reply, cancelled = threading.Event(), threading.Event()

        def outgoing():
            yield from requests
            if cancel_id:
                cancelled.wait(10)

        if kind == "unary":
            call = method.future(requests[0], **options)
        elif kind == "server_stream":
            call = method(requests[0], **options)
        elif kind == "client_stream":
            call = method.future(outgoing(), **options)
        else:
            call = method(outgoing(), **options)

        def cancel():
            if kind in ("server_stream", "bidi"):
                first_reply.wait(5)
            client.observe(cancel_id, lambda o: o.started)
            call.cancel()
            cancelled.set()

        if cancel_id:
            threading.Thread(target=cancel).start()
        try:
            for reply in [call.result()] if kind in ("unary", "client_stream") else call:
                self.replies.append(reply)
                self.compressed.append(compression.received() != 0)
                first_reply.set()
        except (grpc.RpcError, grpc.FutureCancelledError):
            pass
        self.call = call
        self.code, self.message = call.code().value[0], call.details()
        self.headers, self.trailers = call.initial_metadata(), call.trailing_metadata()

    def check(self):
        """Compares all replies with what the script says."""
        want, texts, count, size, total = [], "", 0, 0, 0
        request = pb.Request()
        for request in self.requests:
            count += 1
            size += len(request.payload)
            total = (total + sum(request.payload)) % 2**32
            texts += request.text
            if self.kind in ("server_stream", "bidi"):
                want += [(request.text, request.reply_bytes, count, size, total)] * request.reply_count
            if request.HasField("failure"):
                break
        if self.kind in ("unary", "client_stream") and not request.HasField("failure"):
            want.append((texts, request.reply_bytes, count, size, total))
        must(len(self.replies) == len(want), f"{len(self.replies)} replies, not {len(want)}")
        for i, (reply, expected) in enumerate(zip(self.replies, want)):
            must(reply.text == expected[0], f"reply {i}: text {reply.text!r}, not {expected[0]!r}")
            must(reply.payload == pattern(expected[1]), f"reply {i}: payload of {len(reply.payload)} bytes is wrong")
            must(reply.index == i, f"reply {i}: index {reply.index}")
            got = (reply.received_count, reply.received_bytes, reply.received_sum)
            must(got == expected[2:], f"reply {i}: received {got}, not {expected[2:]}")
            if self.timeout is None:
                must(reply.deadline_ms == -1, f"reply {i}: deadline {reply.deadline_ms} ms where none was set")

    def succeed(self):
        must(self.code == 0, f"status {self.code} {self.message!r}")
        self.check()
        return self


def script(kind, count, **fields):
    """The usual requests of a kind: one, or `count` of them where the client streams."""
    if kind in ("unary", "server_stream"):
        return [pb.Request(reply_count=count, **fields)]
    return [pb.Request(reply_count=1, **fields) for _ in range(count)]


class Client:
    def __init__(self, args, ca):
        self.args = args
        self.ca = ca
        self.channel = self.open()
        self.stub = pb_grpc.PeerTestStub(self.channel)
        # A whole channel, because future() of a client stream forgets its argument `compression`.
        self.gzip_stub = pb_grpc.PeerTestStub(self.open(compression=grpc.Compression.Gzip))

    def open(self, **options):
        if not self.ca:
            return grpc.insecure_channel(self.args.target, **options)
        with open(self.ca, "rb") as file:
            return grpc.secure_channel(self.args.target, grpc.ssl_channel_credentials(file.read()), **options)

    def observe(self, call_id, wanted):
        """Asks the server about a call until the answer is as wanted, for 5 seconds at most."""
        for _ in range(100):
            observation = self.stub.Observe(pb.ObserveRequest(call_id=call_id), timeout=5)
            if wanted(observation):
                return observation
            time.sleep(0.05)
        raise Failed("the server never saw it")

    def run(self, kind, requests, **options):
        return Exchange(self, kind, requests, **options)

    def basic(self, kind):
        self.run(kind, script(kind, 5, text=TEXT, payload=pattern(5), reply_bytes=10)).succeed()
        if kind == "bidi":
            self.ping_pong()
        self.run(kind, [pb.Request()] if kind in ("unary", "server_stream") else []).succeed()

    def ping_pong(self):
        """Sends a message only after the reply to the one before."""
        replied = threading.Semaphore(0)

        def pings():
            for i in range(5):
                yield pb.Request(text=f"ping {i}", reply_count=1)
                must(replied.acquire(timeout=5), "no reply")

        texts = []
        for reply in self.stub.Bidi(pings()):
            texts.append(reply.text)
            replied.release()
        must(texts == [f"ping {i}" for i in range(5)], f"replies {texts}")

    def large(self, kind):
        size, count = (1_000_000, 1) if kind == "unary" else (100_000, 20)
        self.run(kind, script(kind, count, text="x", payload=pattern(size), reply_bytes=size)).succeed()

    def check_echo(self, exchange):
        """Compares headers with what was sent, and trailers under their longer name."""
        def group(pairs):
            grouped = defaultdict(list)
            for key, value in pairs:
                grouped[key].append(value)
            return grouped

        note = None
        headers, trailers = group(exchange.headers), group(exchange.trailers)
        for key, values in group(ECHOED).items():
            trailer_key = "x-echo-trailer-" + key[len("x-echo-"):]
            for where, got in (("header", headers[key]), ("trailer", trailers[trailer_key])):
                if self.args.peer == "node" and key == "x-echo-dup" and got == [", ".join(values)]:
                    note = "limit: the peer joins the values of one key"
                else:
                    must(got == values, f"{where} {key}: {got}, not {values}")
            must(not headers[trailer_key] and not trailers[key], f"headers and trailers of {key} are mixed up")
        return note

    def metadata(self, kind):
        return self.check_echo(self.run(kind, script(kind, 2, text=TEXT), metadata=ECHOED).succeed())

    def error(self, kind):
        def fail(**failure):
            requests = script(kind, 2, text=TEXT)
            requests[-1].failure.CopyFrom(pb.Failure(**failure))
            exchange = self.run(kind, requests, metadata=ECHOED)
            want = (failure["code"], failure.get("message", ""))
            must((exchange.code, exchange.message) == want, f"status {exchange.code} {exchange.message!r}, not {want}")
            exchange.check()
            return exchange

        exchange = fail(code=9, message=ERROR_MESSAGE, detail=ERROR_DETAIL)
        status = rpc_status.from_call(exchange.call)  # fails when code or message differ
        must(status and len(status.details) == 1, f"details: {status}")
        detail = pb.Detail()
        must(status.details[0].Unpack(detail) and detail.text == ERROR_DETAIL, f"detail: {status.details[0]}")
        note = self.check_echo(exchange)
        must(not rpc_status.from_call(fail(code=5).call), "details where there are none")
        return note

    def early(self, kind):
        requests = [pb.Request(failure=pb.Failure(code=8, message="enough"))]
        requests += [pb.Request(payload=pattern(50_000))] * 200
        exchange = self.run(kind, requests)
        must((exchange.code, exchange.message) == (8, "enough"), f"status {exchange.code} {exchange.message!r}")

    def deadline(self, kind):
        left = self.run(kind, script(kind, 1), timeout=30).succeed().replies[0].deadline_ms
        must(20_000 < left <= 31_000, f"of 30 s the server sees {left} ms")
        for _ in range(5):
            call_id = new_id(kind)
            exchange = self.run(kind, script(kind, 1, call_id=call_id, hold=True), timeout=0.7)
            # C-core calls it CANCELLED when the server's reset wins over its own timer by a moment.
            if exchange.code != 1:
                break
        must(exchange.code == 4, f"status {exchange.code} {exchange.message!r}")
        observation = self.observe(call_id, lambda o: o.ended)
        must(observation.cancelled and 1 <= observation.deadline_ms <= 730, f"the server saw {observation}")
        return f"server saw {observation.deadline_ms} of 700 ms"

    def cancel(self, kind):
        call_id = new_id(kind)
        hold = kind in ("unary", "server_stream")
        exchange = self.run(kind, script(kind, 1, call_id=call_id, hold=hold), cancel_id=call_id)
        must(exchange.code == 1, f"status {exchange.code} {exchange.message!r}")
        self.observe(call_id, lambda o: o.ended and o.cancelled)

    def gzip(self, kind):
        requests = script(kind, 4, text=TEXT, payload=pattern(20_000), reply_bytes=20_000, compress_replies=True)
        replies = (exchange := self.run(kind, requests, gzip=True).succeed()).replies
        sent = [reply.sent_compressed for reply in replies]
        must(sent == exchange.compressed, f"sent compressed {sent}, arrived {exchange.compressed}")
        notes = []
        if not any(sent):
            must(self.args.peer == "node", "no reply was compressed")
            notes.append("limit: the peer's server cannot compress")
        if not replies[-1].sees_compression:
            notes.append("limit: the peer's server cannot see the flag")
        else:
            seen = replies[-1].received_compressed
            must(seen == len(requests), f"the server saw {seen} of {len(requests)} requests compressed")
        return "; ".join(notes + [f"{sum(sent)} of {len(sent)} replies compressed"])

    def concurrent(self, _):
        calls = [self.stub.Unary.future(pb.Request(text=str(i), delay_ms=20)) for i in range(100)]
        for i, call in enumerate(calls):
            must(call.result().text == str(i), f"reply {call.result().text} to {i}")

    def unimplemented(self, _):
        missing = self.channel.unary_unary(
            "/picogrpc.peertest.PeerTest/Missing", pb.Request.SerializeToString, pb.Reply.FromString)
        for method in (pb_grpc.NotServedStub(self.channel).Missing, missing):
            call = method.future(pb.Request())
            must(call.code().value[0] == 12, f"status {call.code()}")

    def untrusted(self, _):
        call = Client(self.args, self.args.other_ca).stub.Unary.future(pb.Request())
        must(call.code().value[0] == 14, f"status {call.code()}")

    def health(self, _):
        reply = health_pb2_grpc.HealthStub(self.channel).Check(health_pb2.HealthCheckRequest())
        must(reply.status == health_pb2.HealthCheckResponse.SERVING, f"{reply}")


def new_id(kind):
    return f"python-{os.getpid()}-{kind}-{time.monotonic_ns()}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True)
    parser.add_argument("--ca", help="CA certificate: use TLS")
    parser.add_argument("--other-ca", help="a CA that did not sign the server's certificate")
    parser.add_argument("--peer", help="who the server is, for its known limits")
    parser.add_argument("--cases", required=True, help="comma separated")
    args = parser.parse_args()
    client = Client(args, args.ca)
    for name in args.cases.split(","):
        kind, feature = name.split(".")
        try:
            note = getattr(client, feature)(kind)
            print(name, "pass", note or "", flush=True)
        except Exception as error:  # whatever it is, it belongs into the table
            print(name, "fail", f"{type(error).__name__}: {error}".replace("\n", "; "), flush=True)


main()
