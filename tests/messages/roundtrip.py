"""
Random messages through our C program and through Python's protobuf:

    roundtrip.py PROGRAM DESCRIPTORS TYPES COUNT SEED

Half of them are what Python writes, half are bytes in all the ways the format allows.  For each, the
values that C sees must be those that Python sees; what C writes must be read by Python as the same
message, to the bit of a NaN and with the same unknown fields; and where one message has one encoding
it must be the same bytes.  Ends with "same N" or with the first differences and status 1.
"""

import json
import random
import struct
import subprocess
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields
from google.protobuf.descriptor import FieldDescriptor as F

import values

BATCH = 1000
WITH_STOCK = 1 << 16


def bits(field, number):
    if number != number:
        return "nan"
    if field.type == F.TYPE_FLOAT:
        return "%08x" % struct.unpack("<I", struct.pack("<f", number))
    return "%016x" % struct.unpack("<Q", struct.pack("<d", number))


def shown(field, value):
    """A value as roundtrip.c shows it."""
    if field.type in (F.TYPE_FLOAT, F.TYPE_DOUBLE):
        return bits(field, value)
    if field.type == F.TYPE_STRING:
        # Python has bytes where it is not UTF-8.
        return (value if isinstance(value, bytes) else value.encode()).hex()
    if field.type == F.TYPE_BYTES:
        return value.hex()
    if field.type in values.MESSAGES:
        return shown_message(value)
    return int(value)


def is_zero(value):
    return value in (0, "", b"") and not (isinstance(value, float) and str(value) == "-0.0")


def shown_message(message):
    out = {"end": 0}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        name = str(field.number)
        if values.is_map(field):
            parts = field.message_type.fields_by_name
            if value:
                out[name] = {repr(shown(parts["key"], key)): shown(parts["value"], value[key])
                             for key in value}
        elif values.is_repeated(field):
            if value:
                out[name] = [shown(field, element) for element in value]
        elif not field.has_presence:
            if not is_zero(value):
                out[name] = shown(field, value)
        elif message.HasField(field.name):
            out[name] = shown(field, value)
        elif not field.containing_oneof or is_synthetic(field):
            if field.type not in values.MESSAGES and not is_zero(value):
                out["d" + name] = shown(field, value)
    return out


def is_synthetic(field):
    oneof = field.containing_oneof
    return len(oneof.fields) == 1 and oneof.name == "_" + field.name


EMPTY = {"end": 0}
DEFAULT = {F.TYPE_STRING: "", F.TYPE_BYTES: "", F.TYPE_FLOAT: "0" * 8, F.TYPE_DOUBLE: "0" * 16,
           F.TYPE_MESSAGE: EMPTY}


def with_maps(kind, seen):
    """What C showed, with the lists that are maps as maps."""
    for field in kind.fields:
        name = str(field.number)
        if name not in seen or field.type not in values.MESSAGES:
            continue
        if not values.is_map(field):
            for element in seen[name] if values.is_repeated(field) else [seen[name]]:
                with_maps(field.message_type, element)
            continue
        key, content = (field.message_type.fields_by_name[part] for part in ("key", "value"))
        entries = {}
        for entry in seen[name]:
            for part in entry.values():
                if isinstance(part, dict) and content.type == F.TYPE_MESSAGE:
                    with_maps(content.message_type, part)
            first = entry.get("1", DEFAULT.get(key.type, 0))
            last = entry.get("2", entry.get("d2", DEFAULT.get(content.type, 0)))
            entries[repr(first)] = last
        seen[name] = entries
    return seen


def unknowns(message):
    """Unknown fields of a message and of all in it, by path."""
    out = []

    def flat(fields):
        return [(field.field_number, field.wire_type,
                 flat(field.data) if field.wire_type == 3 else field.data) for field in fields]

    def walk(at, path):
        found = flat(unknown_fields.UnknownFieldSet(at))
        if found:
            out.append((path, found))
        for field, value in at.ListFields():
            if field.type not in values.MESSAGES:
                continue
            if values.is_map(field):
                if field.message_type.fields_by_name["value"].type == F.TYPE_MESSAGE:
                    for key in sorted(value):
                        walk(value[key], path + (field.number, key))
            elif values.is_repeated(field):
                for index, element in enumerate(value):
                    walk(element, path + (field.number, index))
            else:
                walk(value, path + (field.number,))

    walk(message, ())
    return out


class Checker:
    def __init__(self, program, pool, types):
        self.program = program
        self.types = types
        self.classes = [message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
                        for name in types]
        self.numbers = [number for number, kind in enumerate(self.classes)
                        if not kind.DESCRIPTOR.GetOptions().map_entry]
        self.differences = 0
        self.count = self.exact = 0

    def differs(self, number, data, what, ours, theirs):
        self.differences += 1
        if self.differences <= 10:
            print("%s %s: %s\n  bytes %s\n  ours   %.600s\n  theirs %.600s" % (
                self.types[number], what, "length %d" % len(data), data[:300].hex(), ours, theirs))

    def send(self, batch, is_plain):
        def flags(number):
            # It knows no groups.
            has_groups = values.has_groups(self.classes[number].DESCRIPTOR)
            return WITH_STOCK if is_plain and not has_groups else 0
        stream = b"".join(struct.pack("<II", number | flags(number), len(data)) + data
                          for number, data in batch)
        done = subprocess.run([self.program], input=stream, stdout=subprocess.PIPE)
        if done.returncode:
            if len(batch) > 1:
                for one in batch:
                    list(self.send([one], is_plain))
            number, data = batch[0]
            sys.exit("%s ended with status %d, with %s %s"
                     % (self.program, done.returncode, self.types[number], data.hex()))
        at = 0
        for number, data in batch:
            status, = struct.unpack_from("<I", done.stdout, at)
            at += 4
            blobs = []
            for _ in range(3):
                size, = struct.unpack_from("<I", done.stdout, at)
                blobs.append(done.stdout[at + 4:at + 4 + size])
                at += 4 + size
            yield number, data, status, blobs
        assert at == len(done.stdout)

    def parse(self, number, data):
        message = self.classes[number]()
        message.ParseFromString(data)
        return message

    def same_message(self, number, data, expected, output, what):
        """Whether Python reads |output| as the same message."""
        try:
            again = self.parse(number, output)
        except Exception as error:
            self.differs(number, data, what + " is not read: %s" % error, output.hex(), "")
            return
        ours, theirs = unknowns(again), unknowns(expected)
        if ours != theirs:
            self.differs(number, data, what + ": unknown fields", ours, theirs)
        again.DiscardUnknownFields()
        known = self.classes[number]()
        known.CopyFrom(expected)
        known.DiscardUnknownFields()
        ours, theirs = (m.SerializePartialToString(deterministic=True) for m in (again, known))
        if ours != theirs:
            self.differs(number, data, what + ": read as another message", ours.hex(), theirs.hex())

    def check(self, batch, is_plain):
        """|is_plain|: the bytes are what Python writes."""
        for number, data, status, (output, seen, stock) in self.send(batch, is_plain):
            self.count += 1
            expected = self.parse(number, data)
            if status:
                self.differs(number, data, "refused", output.decode(), "")
                continue
            ours = with_maps(expected.DESCRIPTOR, json.loads(seen))
            theirs = shown_message(expected)
            if ours != theirs:
                self.differs(number, data, "other values", difference(ours, theirs),
                             difference(theirs, ours))
            self.same_message(number, data, expected, output, "output")
            if stock:
                self.differs(number, data, "protobuf-c writes it otherwise", output.hex(),
                             stock.hex())
            if is_plain and output == data:
                self.exact += 1
            elif is_plain and not has_choices(expected):
                self.differs(number, data, "other bytes", output.hex(), data.hex())


def has_choices(message):
    """Whether it can be written in several ways: an entry of a map may leave out a key or value that is
    zero."""
    for field, value in message.ListFields():
        if values.is_map(field):
            return True
        if field.type in values.MESSAGES:
            for element in value if values.is_repeated(field) else [value]:
                if has_choices(element):
                    return True
    return False


def has_negative_zero(kind, seen):
    """In a field without presence, where protobuf-c's own encoder drops it."""
    for field in kind.fields:
        value = seen.get(str(field.number))
        if value is None:
            continue
        if field.type in values.MESSAGES:
            elements = value.values() if values.is_map(field) else \
                value if values.is_repeated(field) else [value]
            for element in elements:
                if values.is_map(field):
                    content = field.message_type.fields_by_name["value"]
                    if element in ("80000000", "8000000000000000"):
                        return True
                    if content.type != F.TYPE_MESSAGE:
                        continue
                    kind_below = content.message_type
                else:
                    kind_below = field.message_type
                if has_negative_zero(kind_below, element):
                    return True
        elif not values.is_repeated(field) and not field.has_presence and \
                value in ("80000000", "8000000000000000"):
            return True
    return False


def difference(one, other):
    return {key: one[key] for key in one if one[key] != other.get(key)}


def main():
    program, descriptors, types, count, seed = sys.argv[1:]
    pool = descriptor_pool.DescriptorPool()
    with open(descriptors, "rb") as data:
        for file in descriptor_pb2.FileDescriptorSet.FromString(data.read()).file:
            pool.AddSerializedFile(file.SerializeToString())
    checker = Checker(program, pool, types.split(","))
    source = random.Random(int(seed))
    left = int(count)
    while left > 0 and not checker.differences:
        batch = []
        objects = checker.count // BATCH % 2 == 0
        for _ in range(min(left, BATCH)):
            number = source.choice(checker.numbers)
            if objects:
                while True:
                    message = checker.classes[number]()
                    values.fill(source, message)
                    if not has_negative_zero(message.DESCRIPTOR, shown_message(message)):
                        break
                batch.append((number, message.SerializeToString(deterministic=True)))
            else:
                batch.append((number, values.message(source, checker.classes[number].DESCRIPTOR)))
        checker.check(batch, objects)
        left -= len(batch)
    print("%d messages, %d different; %d written with the same bytes as Python's"
          % (checker.count, checker.differences, checker.exact))
    sys.exit(checker.differences != 0 or checker.count == 0)


main()
