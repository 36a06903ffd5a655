"""The grpcurl client: runs cases (../README.md says what each must show) and prints one line for each."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tool import HERE, SERVICE, Failed, Result, Tool, first_json, must  # noqa: E402


class Grpcurl(Tool):
    compressed_note = "limit: the tool does not show whether replies came compressed"
    cancel_note = "limit: the tool does not reset the call, it closes the connection"

    def base(self):
        return [os.path.join(self.dir, "bin", "grpcurl"), *(["-cacert", self.ca] if self.ca else ["-plaintext"])]

    def command(self, method, schema, headers, timeout):
        command = [*self.base(), "-v", "-format-error", "-d", "@"]
        if schema:
            command += ["-import-path", HERE, "-proto", "peertest.proto"]
        for key, value in headers:
            command += ["-H", f"{key}: {value}"]
        if timeout:
            command += ["-max-time", str(timeout)]
        return [*command, self.args.target, method]

    def parse(self, stdout, stderr, exit_code):
        result = Result()
        if exit_code > 64:
            status = first_json(stderr[stderr.index("{"):])
            result.code, result.message = status["code"], status.get("message", "")
            must(result.code == exit_code - 64, f"exit code {exit_code} with {stderr}")
            for value in status.get("details", []):
                kind = value["@type"].rpartition("/")[2]
                detail = value["text"].encode()
                result.details.append((kind, b"\x0a" + bytes([len(detail)]) + detail))
        elif exit_code:
            result.code, result.message = -exit_code, stderr
        for name in ("headers", "trailers"):
            found = re.search(rf"^Response {name} received:\n((?:.+\n)*)", stdout, re.M)
            lines = found[1].splitlines() if found else []
            setattr(result, name, [tuple(line.split(": ", 1)) for line in lines if ": " in line])
        for text in re.split(r"^Response contents:\n", stdout, flags=re.M)[1:]:
            result.replies.append(first_json(text))
        return result

    def reflection(self, _):
        def run(*arguments):
            process = subprocess.run([*self.base(), self.args.target, *arguments], capture_output=True, text=True)
            if process.returncode:
                raise Failed(process.stderr)
            return process.stdout

        services = run("list").split()
        must(SERVICE in services and "grpc.health.v1.Health" in services, f"{services}")
        methods = run("list", SERVICE).split()
        must(methods == sorted(f"{SERVICE}.{m}" for m in
                               ("Bidi", "ClientStream", "Observe", "ServerStream", "Unary")), f"{methods}")
        must("rpc Bidi ( stream .picogrpc.peertest.Request )" in run("describe", SERVICE), "describe service")
        must("bool compress_replies = 8;" in run("describe", "picogrpc.peertest.Request"), "describe message")
        result = self.call("Unary", [{"text": "reflected"}], schema=False)
        must(result.replies and result.replies[0]["text"] == "reflected", f"{result.message}")


Grpcurl().main()
