"""What the grpcio server and client share. Import it before grpc."""

import os
import sys
import tempfile

PATTERN = bytes(range(251))


def pattern(n):
    """The payload of n bytes: byte i is i % 251."""
    return (PATTERN * (n // 251 + 1))[:n]


class Compression:
    """Counts the messages that arrive compressed. grpcio hides the flag from its users, but C-core's
    own trace tells the size on the wire. It is enough where one call at a time uses gzip, and every
    message is well above SMALL before compression."""

    SMALL = 10_000

    def __init__(self):
        os.environ["GRPC_TRACE"] = "compression"
        os.environ["GRPC_VERBOSITY"] = "info"
        self._offset = 0
        self._file = tempfile.TemporaryFile("w+")
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)  # ours stays where it was
        os.dup2(self._file.fileno(), 2)

    def received(self):
        """How many came since the last question."""
        # Writers share the file offset, so read without moving it.
        data = b""
        while chunk := os.pread(self._file.fileno(), 1 << 16, self._offset + len(data)):
            data += chunk
        end = data.rfind(b"\n") + 1
        self._offset += end
        count = 0
        for line in data[:end].decode().splitlines():
            if "DecompressMessage:" in line:
                fields = dict(f.split("=") for f in line.split("DecompressMessage:")[1].split())
                count += fields["alg"] != "0" and int(fields["len"]) < self.SMALL
        return count

compression = Compression()
