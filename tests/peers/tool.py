"""Cases for peers that are command line tools: each call is one process. See README.md for the cases."""

import argparse
import base64
import json
import os
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICE = "picogrpc.peertest.PeerTest"
METHODS = {"unary": "Unary", "server_stream": "ServerStream", "client_stream": "ClientStream", "bidi": "Bidi"}
TEXT = "Grüße ☺ 😈"
ERROR_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈, 100% %41 \t\n"
ERROR_DETAIL = "why ☺"
ECHOED = [
    ("x-echo-ascii", "plain, with comma"),
    ("x-echo-dup", "first"), ("x-echo-dup", "second"), ("x-echo-dup", "first"),
    ("x-echo-bytes-bin", "AAEC/wD+gA=="),
    ("x-echo-dup-bin", "AA=="), ("x-echo-dup-bin", "AAA="), ("x-echo-dup-bin", "/w=="),
    ("x-echo-empty-bin", ""),
]
# protobuf's JSON leaves out what is zero.
REPLY = {"text": "", "payload": "", "index": 0, "receivedCount": 0, "receivedBytes": 0, "receivedSum": 0,
         "deadlineMs": "0", "seesCompression": False, "receivedCompressed": 0, "sentCompressed": False}


class Failed(Exception):
    pass


def must(condition, text):
    if not condition:
        raise Failed(text)


def pattern(n):
    """The payload of n bytes: byte i is i % 251."""
    return bytes(i % 251 for i in range(n))


def b64(data):
    return base64.b64encode(data).decode()


def unb64(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


def json_values(text):
    """All JSON values that stand one after another in a text."""
    decoder, values, at = json.JSONDecoder(), [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        values.append(value)
    return values


def first_json(text):
    return json.JSONDecoder().raw_decode(text)[0]


def script(kind, count, **fields):
    """The usual requests of a kind: one, or `count` of them where the client streams."""
    if kind in ("unary", "server_stream"):
        return [{"reply_count": count, **fields}]
    return [{"reply_count": 1, **fields} for _ in range(count)]


class Result:
    """What came of one call. `headers` and `trailers` are lists of (key, value), -bin in base64;
    `details` are (type, bytes) pairs."""

    def __init__(self):
        self.code, self.message, self.details = 0, "", []
        self.headers, self.trailers, self.replies = [], [], []


class Tool:
    """A subclass gives command(), parse() and says what the tool cannot do."""

    compressed_note = ""
    cancel_note = ""
    # The tool takes notice of an interrupt only when its input ends; the server holds the call meanwhile.
    cancels_after_input = False

    def __init__(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--target", required=True)
        parser.add_argument("--ca", help="CA certificate: use TLS")
        parser.add_argument("--other-ca", help="a CA that did not sign the server's certificate")
        parser.add_argument("--peer", help="who the server is, for its known limits")
        parser.add_argument("--cases", required=True, help="comma separated")
        self.args = parser.parse_args()
        self.ca = self.args.ca
        self.dir = os.environ["PICOGRPC_PEER_DIR"]

    def start(self, method, schema=True, headers=(), timeout=None, **popen):
        return subprocess.Popen(self.command(method, schema, headers, timeout), encoding="utf-8",
                                **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen})

    def call(self, method, requests, service=SERVICE, **options):
        with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
            for request in requests:
                json.dump(request, file)
                file.write("\n")
            file.seek(0)
            process = self.start(f"{service}/{method}", stdin=file, **options)
            return self.parse(*process.communicate(timeout=20), process.returncode)

    def observe(self, call_id, wanted):
        """Asks the server about a call until the answer is as wanted, for 5 seconds at most."""
        until = time.monotonic() + 5
        while time.monotonic() < until:
            result = self.call("Observe", [{"call_id": call_id}])
            must(result.code == 0, f"observe: {result.code} {result.message}")
            if result.replies and wanted(result.replies[0]):
                return result.replies[0]
            time.sleep(0.05)
        raise Failed("the server never saw it")

    def check(self, kind, requests, result, deadline=False):
        """Compares all replies with what the script says."""
        want, texts, count, size, total, request = [], "", 0, 0, 0, {}
        for request in requests:
            count += 1
            payload = base64.b64decode(request.get("payload", ""))
            size += len(payload)
            total = (total + sum(payload)) % 2**32
            texts += request.get("text", "")
            row = (request.get("reply_bytes", 0), count, size, total)
            if kind in ("server_stream", "bidi"):
                want += [(request.get("text", ""), *row)] * request.get("reply_count", 0)
            if "failure" in request:
                break
        if kind in ("unary", "client_stream") and "failure" not in request:
            want.append((texts, request.get("reply_bytes", 0), count, size, total))
        replies = [{**REPLY, **reply} for reply in result.replies]
        must(len(replies) == len(want), f"{len(replies)} replies, not {len(want)}")
        for i, (reply, expected) in enumerate(zip(replies, want)):
            must(reply["text"] == expected[0], f"reply {i}: text {reply['text']!r}, not {expected[0]!r}")
            must(base64.b64decode(reply["payload"]) == pattern(expected[1]), f"reply {i}: payload is wrong")
            must(reply["index"] == i, f"reply {i}: index {reply['index']}")
            got = (reply["receivedCount"], reply["receivedBytes"], reply["receivedSum"])
            must(got == expected[2:], f"reply {i}: received {got}, not {expected[2:]}")
            if not deadline:
                must(reply["deadlineMs"] == "-1", f"reply {i}: deadline {reply['deadlineMs']} where none was set")
        return replies

    def succeed(self, kind, requests, **options):
        result = self.call(METHODS[kind], requests, **options)
        must(result.code == 0, f"status {result.code} {result.message!r}")
        result.replies = self.check(kind, requests, result, deadline="timeout" in options)
        return result

    # The cases.

    def basic(self, kind):
        self.succeed(kind, script(kind, 5, text=TEXT, payload=b64(pattern(5)), reply_bytes=10))
        if kind == "bidi":
            self.ping_pong()
        self.succeed(kind, [{}] if kind in ("unary", "server_stream") else [])

    def ping_pong(self):
        """Sends a message only after the reply to the one before."""
        errors = tempfile.TemporaryFile("w+", encoding="utf-8")
        process = self.start(f"{SERVICE}/Bidi", stdin=subprocess.PIPE, stderr=errors)
        output = ""
        for i in range(5):
            process.stdin.write(json.dumps({"text": f"ping {i}", "reply_count": 1}) + "\n")
            process.stdin.flush()
            while f'"ping {i}"' not in output:
                line = process.stdout.readline()
                must(line, "the tool ended early")
                output += line
        process.stdin.close()
        output += process.stdout.read()
        exit_code = process.wait(5)
        errors.seek(0)
        result = self.parse(output, errors.read(), exit_code)
        must(result.code == 0 and len(result.replies) == 5, f"ping-pong: {result.code}, {len(result.replies)} replies")

    def large(self, kind):
        size, count = (1_000_000, 1) if kind == "unary" else (100_000, 20)
        self.succeed(kind, script(kind, count, text="x", payload=b64(pattern(size)), reply_bytes=size))

    def check_echo(self, result):
        """Compares headers with what was sent, and trailers under their longer name."""
        def values(pairs, key):
            return [unb64(value) if key.endswith("-bin") else value for k, value in pairs if k == key]

        note = ""
        for key in dict.fromkeys(key for key, _ in ECHOED):
            want = values(ECHOED, key)
            trailer_key = "x-echo-trailer-" + key[len("x-echo-"):]
            for where, got in (("header", values(result.headers, key)),
                               ("trailer", values(result.trailers, trailer_key))):
                if self.args.peer == "node" and key == "x-echo-dup" and got == [", ".join(want)]:
                    note = "limit: the peer joins the values of one key"
                else:
                    must(got == want, f"{where} {key}: {got}, not {want}")
            must(not values(result.headers, trailer_key) and not values(result.trailers, key),
                 f"headers and trailers of {key} are mixed up")
        return note

    def metadata(self, kind):
        return self.check_echo(self.succeed(kind, script(kind, 2, text=TEXT), headers=ECHOED))

    def error(self, kind):
        def fail(**failure):
            requests = script(kind, 2, text=TEXT)
            requests[-1] = {**requests[-1], "failure": failure}
            result = self.call(METHODS[kind], requests, headers=ECHOED)
            want = (failure["code"], failure.get("message", ""))
            must((result.code, result.message) == want, f"status {result.code} {result.message!r}, not {want}")
            self.check(kind, requests, result)
            return result

        result = fail(code=9, message=ERROR_MESSAGE, detail=ERROR_DETAIL)
        detail = ERROR_DETAIL.encode()
        must(result.details == [("picogrpc.peertest.Detail", b"\x0a" + bytes([len(detail)]) + detail)],
             f"details: {result.details}")
        note = self.check_echo(result)
        must(not fail(code=5).details, "details where there are none")
        return note

    def early(self, kind):
        requests = [{"failure": {"code": 8, "message": "enough"}}] + [{"payload": b64(pattern(50_000))}] * 200
        result = self.call(METHODS[kind], requests)
        must((result.code, result.message) == (8, "enough"), f"status {result.code} {result.message!r}")

    def deadline(self, kind):
        left = int(self.succeed(kind, script(kind, 1), timeout=30).replies[0]["deadlineMs"])
        must(20_000 < left <= 31_000, f"of 30 s the server sees {left} ms")
        call_id = self.new_id(kind)
        result = self.call(METHODS[kind], script(kind, 1, call_id=call_id, hold=True), timeout=0.7)
        must(result.code == 4, f"status {result.code} {result.message!r}")
        seen = self.observe(call_id, lambda o: o.get("ended"))
        left = int(seen.get("deadlineMs", 0))
        must(seen.get("cancelled") and 1 <= left <= 730, f"the server saw {seen}")
        return f"server saw {left} of 700 ms"

    def cancel(self, kind):
        call_id = self.new_id(kind)
        process = self.start(f"{SERVICE}/{METHODS[kind]}", stdin=subprocess.PIPE)
        one_request = kind in ("unary", "server_stream")
        hold = one_request or self.cancels_after_input
        process.stdin.write(json.dumps(script(kind, 1, call_id=call_id, hold=hold)[0]) + "\n")
        process.stdin.flush()
        if one_request:
            process.stdin.close()
            process.stdin = None
        self.observe(call_id, lambda o: o.get("started"))
        process.send_signal(signal.SIGINT)
        if not one_request and self.cancels_after_input:
            process.stdin.close()
            process.stdin = None
        try:
            self.observe(call_id, lambda o: o.get("ended") and o.get("cancelled"))
        finally:
            process.communicate(timeout=5)
        must(process.returncode != 0, "the tool was interrupted, and yet succeeded")
        return self.cancel_note

    def gzip(self, kind):
        requests = script(kind, 4, text=TEXT, payload=b64(pattern(20_000)), reply_bytes=20_000, compress_replies=True)
        result = self.succeed(kind, requests)
        sent = sum(reply["sentCompressed"] for reply in result.replies)
        notes = ["limit: the tool cannot compress requests"]
        if sent:
            self.check_compressed(result, sent)
            notes += [self.compressed_note] if self.compressed_note else []
        else:
            must(self.args.peer == "node", "no reply was compressed")
            notes.append("limit: the peer's server cannot compress")
        return "; ".join(notes + [f"{sent} of {len(result.replies)} replies compressed"])

    def check_compressed(self, result, sent):
        """For tools that show enough to tell."""

    def unimplemented(self, _):
        result = self.call("Missing", [{}], service="picogrpc.peertest.NotServed")
        must(result.code == 12, f"status {result.code} {result.message!r}")

    def health(self, _):
        result = self.call("Check", [{}], service="grpc.health.v1.Health", schema=False)
        must(result.replies == [{"status": "SERVING"}], f"{result.code} {result.message} {result.replies}")

    def untrusted(self, _):
        self.ca = self.args.other_ca
        try:
            result = self.call("Unary", [{}])
        finally:
            self.ca = self.args.ca
        must(result.code != 0 and "certificate" in result.message, f"{result.code} {result.message}")

    def new_id(self, kind):
        return f"{type(self).__name__}-{os.getpid()}-{kind}-{time.monotonic_ns()}"

    def main(self):
        for name in self.args.cases.split(","):
            kind, feature = name.split(".")
            try:
                note = getattr(self, feature)(kind)
                print(name, "pass", note or "", flush=True)
            except Exception as error:  # whatever it is, it belongs into the table
                print(name, "fail", f"{type(error).__name__}: {error}".replace("\n", "; "), flush=True)
