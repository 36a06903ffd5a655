"""The buf curl client: runs cases (../README.md says what each must show) and prints one line for each."""

import glob
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tool import HERE, SERVICE, Failed, Result, Tool, first_json, json_values, must, unb64  # noqa: E402

CODES = ["ok", "canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists",
         "permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range",
         "unimplemented", "internal", "unavailable", "data_loss", "unauthenticated"]


class BufCurl(Tool):
    cancels_after_input = True

    def base(self):
        [binary] = glob.glob(os.path.join(self.dir, "node_modules/@bufbuild/buf-*/bin/buf"))
        base = [binary, "curl", "--protocol", "grpc"]
        return base + (["--cacert", self.ca] if self.ca else ["--http2-prior-knowledge"])

    def url(self, path=""):
        return ("https" if self.ca else "http") + f"://{self.args.target}/{path}"

    def command(self, method, schema, headers, timeout):
        command = [*self.base(), "-v", "-d", "@-"]
        if schema:
            command += ["--schema", os.path.join(HERE, "peertest.proto")]
        for key, value in headers:
            command += ["-H", f'"{key}: {value}"']  # quoted, or commas separate headers
        if timeout:
            command += ["--timeout", f"{timeout}s"]
        return [*command, self.url(method)]

    def parse(self, stdout, stderr, exit_code):
        result = Result()
        if exit_code >= 8:
            status = first_json(stderr[re.search(r"^\{$", stderr, re.M).start():])
            result.code, result.message = CODES.index(status["code"]), status.get("message", "")
            must(result.code == exit_code >> 3, f"exit code {exit_code} with {stderr}")
            result.details = [(d["type"], unb64(d["value"])) for d in status.get("details", [])]
        elif exit_code:
            result.code, result.message = -exit_code, stderr
        # The last request is the call; reflection may have come before it.
        lines = re.findall(r"^buf: < \(#(\d+)\) ?(.*)$", stderr, re.M)
        block = result.headers
        for number, line in lines:
            if number != lines[-1][0] or line.startswith("HTTP/"):
                continue
            if not line:
                block = result.trailers
                continue
            key, _, value = line.partition(":")
            block.append((key.lower(), value.removeprefix(" ")))
        if any(key == "grpc-status" for key, _ in result.headers):
            result.headers, result.trailers = [], result.headers
        result.received = sum(int(n) for n in re.findall(r"^buf: \{ \(#\d+\) \[(\d+) bytes data\]$", stderr, re.M))
        result.replies = json_values(stdout)
        return result

    def check_compressed(self, result, sent):
        must(("grpc-encoding", "gzip") in result.headers, f"headers {result.headers}")
        plain = len(result.replies) - sent
        must(result.received < plain * 20_100 + sent * 10_000,
             f"{result.received} bytes are too many for {sent} compressed replies of {len(result.replies)}")

    def reflection(self, _):
        # grpcio's own reflection service has no v1.
        for protocol in ["grpc-v1alpha"] if self.args.peer == "python" else ["grpc-v1", "grpc-v1alpha"]:
            def run(*arguments):
                process = subprocess.run([*self.base(), "--reflect-protocol", protocol, *arguments],
                                         capture_output=True, text=True)
                if process.returncode:
                    raise Failed(f"{protocol}: {process.stderr}")
                return process.stdout

            services = run("--list-services", self.url()).split()
            must(SERVICE in services and "grpc.health.v1.Health" in services, f"{protocol}: {services}")
            methods = run("--list-methods", self.url()).split()
            must(f"{SERVICE}/Bidi" in methods, f"{protocol}: {methods}")
            reply = json.loads(run("-d", '{"text": "reflected"}', self.url(f"{SERVICE}/Unary")))
            must(reply["text"] == "reflected", f"{protocol}: {reply}")


BufCurl().main()
