"""
Random messages through "protoc --encode", our C program and "protoc --decode":

    text.py PROGRAM DESCRIPTORS NUMBER TYPE COUNT SEED PROTOC...

What protoc reads of what Python wrote, of what C made of that, and of what C made of what protoc
wrote of the first text must be the same text.  |NUMBER| is that of TYPE to the program.
"""

import difflib
import random
import struct
import subprocess
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import values


def main():
    program, descriptors, number, name, count, seed = sys.argv[1:7]
    protoc = sys.argv[7:]
    pool = descriptor_pool.DescriptorPool()
    with open(descriptors, "rb") as data:
        for file in descriptor_pb2.FileDescriptorSet.FromString(data.read()).file:
            pool.Add(file)
    batch = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()
    source = random.Random(int(seed))
    repeated = [field for field in batch.DESCRIPTOR.fields if values.is_repeated(field)]
    for index in range(int(count)):
        values.fill(source, getattr(batch, repeated[index % len(repeated)].name).add())

    def through(command, data):
        done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            sys.exit("%s: %s" % (command, done.stderr.decode(errors="replace")[:1000]))
        return done.stdout

    def through_c(data):
        said = through([program], struct.pack("<II", int(number), len(data)) + data)
        status, size = struct.unpack_from("<II", said)
        if status:
            sys.exit("refused: " + said[8:8 + size].decode())
        return said[8:8 + size]

    def same(what, ours):
        if ours != text:
            lines = difflib.unified_diff(text.decode().split("\n"), ours.decode().split("\n"), n=1)
            sys.exit("%s is other text:\n%s" % (what, "\n".join(list(lines)[:30])))

    if not int(count):
        sys.exit("no messages to compare")
    written = batch.SerializeToString(deterministic=True)
    text = through(protoc + ["--decode=" + name], written)
    same("what C wrote", through(protoc + ["--decode=" + name], through_c(written)))
    encoded = through(protoc + ["--encode=" + name], text)
    same("what C wrote of what protoc wrote", through(protoc + ["--decode=" + name], through_c(encoded)))
    print("%d messages, %d lines of text" % (int(count), text.count(b"\n")))


main()
