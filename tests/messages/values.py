"""
Random messages: as objects of Python's protobuf, and as bytes that say the same in every way that the
format allows (orders, repetitions, packed or not, overlong varints, unknown fields, wrong wire types).
"""

import struct

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor as F

VARINT, FIXED64, LEN, GROUP, END, FIXED32 = 0, 1, 2, 3, 4, 5
WIRE = {F.TYPE_DOUBLE: FIXED64, F.TYPE_FLOAT: FIXED32, F.TYPE_FIXED64: FIXED64, F.TYPE_FIXED32: FIXED32,
        F.TYPE_SFIXED64: FIXED64, F.TYPE_SFIXED32: FIXED32, F.TYPE_STRING: LEN, F.TYPE_BYTES: LEN,
        F.TYPE_MESSAGE: LEN, F.TYPE_GROUP: GROUP}
SIGNED = {F.TYPE_INT32: 32, F.TYPE_SINT32: 32, F.TYPE_SFIXED32: 32,
          F.TYPE_INT64: 64, F.TYPE_SINT64: 64, F.TYPE_SFIXED64: 64}
UNSIGNED = {F.TYPE_UINT32: 32, F.TYPE_FIXED32: 32, F.TYPE_UINT64: 64, F.TYPE_FIXED64: 64}
MESSAGES = (F.TYPE_MESSAGE, F.TYPE_GROUP)
TEXTS = ["", "a", "\u00e9", "\u20ac", "\U0001f600", "\x7f\x01", "\ufffd\ufffe\uffff", "x" * 127, "y" * 128,
         "\ud7ff\ue000", "\U00010000\U0010ffff", "z" * 16383, "z" * 16384]
DATA = [b"", b"\0", b"\0\0\0", b"\xff\xfe\xc3", b"\0" * 127, b"\x80" * 128, b"b" * 70000]
FLOATS = [0x00000000, 0x80000000, 0x3f800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345, 0x7f812345,
          0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff]
DOUBLES = [0, 1 << 63, 0x3ff << 52, 0x7ff << 52, 0xfff << 52, 0x7ff8 << 48, 0xfff8123456789abc,
           0x7ff0123456789abc, 1, (1 << 63) + 1, 0x7fefffffffffffff, 0xffefffffffffffff, 1 << 52]


def is_repeated(field):
    return field.is_repeated


def is_map(field):
    return field.type == F.TYPE_MESSAGE and field.message_type.GetOptions().map_entry


def has_groups(kind, seen=None):
    """At any depth."""
    seen = set() if seen is None else seen
    seen.add(kind.full_name)
    return any(field.type == F.TYPE_GROUP or (field.type == F.TYPE_MESSAGE and
                                              field.message_type.full_name not in seen and
                                              has_groups(field.message_type, seen))
               for field in kind.fields)


def integer(random, bits):
    """Unsigned, with the edges often."""
    pick = random.random()
    if pick < 0.25:
        return random.choice((0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1))
    if pick < 0.5:
        return ((1 << random.randrange(bits)) + random.choice((-1, 0, 1))) % (1 << bits)
    return random.getrandbits(random.randrange(1, bits + 1))


def signed(value, bits):
    value %= 1 << bits
    return value - (1 << bits) if value >> (bits - 1) else value


def text(random):
    if random.random() < 0.5:
        return random.choice(TEXTS[:-2] if random.random() < 0.99 else TEXTS)
    return "".join(random.choice(TEXTS[1:7]) for _ in range(random.randrange(1, 9)))


def text_bytes(random, field):
    """Anything without NUL where it need not be UTF-8."""
    if field.name.endswith("unchecked") and random.random() < 0.5:
        return data(random).replace(b"\0", b"\xc0")
    return text(random).encode()


def data(random):
    if random.random() < 0.5:
        return random.choice(DATA[:-1] if random.random() < 0.99 else DATA)
    return random.randbytes(random.randrange(20))


def float_bits(random):
    return random.choice(FLOATS) if random.random() < 0.5 else random.getrandbits(32)


def double_bits(random):
    return random.choice(DOUBLES) if random.random() < 0.5 else random.getrandbits(64)


def is_closed(field):
    return field.enum_type.is_closed


EDITIONS = {}


def is_edition(file):
    if file.name not in EDITIONS:
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        EDITIONS[file.name] = proto.syntax == "editions"
    return EDITIONS[file.name]


def enum_number(random, field, is_named=False):
    """In proto2, C keeps numbers that Python does not."""
    is_named = is_named or (is_closed(field) and not is_edition(field.file))
    if is_named or random.random() < 0.7:
        return random.choice(field.enum_type.values).number
    return signed(integer(random, 32), 32)


# --- objects ---


def value(random, field):
    kind = field.type
    if kind in SIGNED:
        return signed(integer(random, SIGNED[kind]), SIGNED[kind])
    if kind in UNSIGNED:
        return integer(random, UNSIGNED[kind])
    if kind == F.TYPE_FLOAT:
        return struct.unpack("<f", struct.pack("<I", float_bits(random)))[0]
    if kind == F.TYPE_DOUBLE:
        return struct.unpack("<d", struct.pack("<Q", double_bits(random)))[0]
    if kind == F.TYPE_BOOL:
        return random.random() < 0.5
    if kind == F.TYPE_ENUM:
        return enum_number(random, field, is_closed(field))
    return text(random) if kind == F.TYPE_STRING else data(random)


def fill(random, message, room=6):
    """Sets some fields of |message|; |room| bounds how deep it goes."""
    fields = message.DESCRIPTOR.fields
    share = random.choice((0.02, 0.1, 0.3, 1.0)) if room > 4 else 3.0 / max(len(fields), 1)
    for field in fields:
        if random.random() >= share and not field.is_required:
            continue
        has_fields = field.type in (F.TYPE_MESSAGE, F.TYPE_GROUP)
        if is_map(field):
            fill_map(random, getattr(message, field.name), field, room - 1)
        elif is_repeated(field):
            count = random.choice((1, 1, 2, 3, 3 if has_fields else 40))
            for _ in range(count):
                if not has_fields:
                    getattr(message, field.name).append(value(random, field))
                elif room > 0:
                    fill(random, getattr(message, field.name).add(), room - 2)
        elif not has_fields:
            setattr(message, field.name, value(random, field))
        elif room > 0 or field.is_required:
            getattr(message, field.name).SetInParent()
            fill(random, getattr(message, field.name), room - 1)


def fill_map(random, entries, field, room):
    key = field.message_type.fields_by_name["key"]
    content = field.message_type.fields_by_name["value"]
    for _ in range(random.choice((1, 2, 5))):
        if content.type != F.TYPE_MESSAGE:
            entries[value(random, key)] = value(random, content)
        elif room > 0:
            fill(random, entries[value(random, key)], room - 1)


# --- bytes ---


def varint(number, random=None):
    """Sometimes longer than needed."""
    out = bytearray()
    while number > 0x7f:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    out.append(number)
    if random and random.random() < 0.05:
        for _ in range(random.randrange(10 - len(out) + 1)):
            out[-1] |= 0x80
            out.append(0)
    return bytes(out)


def tag(number, wire, random=None):
    plain = varint(number << 3 | wire)
    if random and random.random() < 0.02 and len(plain) < 5:
        return plain[:-1] + bytes([plain[-1] | 0x80]) + b"\x80" * (4 - len(plain)) + b"\0"
    return plain


def counted(content, random=None):
    return varint(len(content)) + content


def scalar(random, field):
    """The bytes of one value that is not a message."""
    kind = field.type
    wire = WIRE.get(kind, VARINT)
    if wire == FIXED32:
        bits = float_bits(random) if kind == F.TYPE_FLOAT else integer(random, 32)
        return struct.pack("<I", bits)
    if wire == FIXED64:
        bits = double_bits(random) if kind == F.TYPE_DOUBLE else integer(random, 64)
        return struct.pack("<Q", bits)
    if wire == LEN:
        return counted(text_bytes(random, field) if kind == F.TYPE_STRING else data(random))
    if kind == F.TYPE_ENUM:
        return varint(enum_number(random, field, field.is_required) % (1 << 64), random)
    return varint(integer(random, 64), random)


def unknown_value(random, number, wire, depth=0):
    if wire == VARINT:
        return varint(integer(random, 64), random)
    if wire == FIXED64:
        return random.randbytes(8)
    if wire == FIXED32:
        return random.randbytes(4)
    if wire == LEN:
        return counted(data(random))
    out = b""
    for _ in range(random.randrange(3)):
        out += unknown(random, random.randrange(1, 100), depth + 1)
    return out + tag(number, END)


def unknown(random, number, depth=0):
    wire = random.choice((VARINT, FIXED64, LEN, FIXED32, GROUP if depth < 4 else LEN))
    return tag(number, wire, random) + unknown_value(random, number, wire, depth)


def entry(random, field, room):
    """A map entry: key and value in any order, either perhaps missing."""
    parts = []
    for part in field.message_type.fields:
        # Of an entry that is unknown for its value, Python keeps other bytes than C++ and we do when it
        # has no key or a number is longer than it need be.
        if part.type == F.TYPE_ENUM and is_closed(part):
            number = enum_number(random, part, not parts)
            parts.append(tag(part.number, VARINT) + varint(number % (1 << 64)))
        elif random.random() < 0.9:
            if part.type == F.TYPE_MESSAGE:
                parts.append(tag(part.number, LEN) + counted(message(random, part.message_type, room)))
            else:
                parts.append(tag(part.number, WIRE.get(part.type, VARINT)) + scalar(random, part))
    random.shuffle(parts)
    return b"".join(parts)


def one(random, field, room):
    """One occurrence of a field."""
    wire = WIRE.get(field.type, VARINT)
    if is_map(field):
        return tag(field.number, LEN) + counted(entry(random, field, room - 1))
    if random.random() < 0.02:
        others = [w for w in (VARINT, FIXED64, FIXED32, GROUP) if w != wire]
        if wire == GROUP or (not is_repeated(field) and wire != LEN):
            others.append(LEN)
        other = random.choice(others)
        return tag(field.number, other) + unknown_value(random, field.number, other)
    if field.type == F.TYPE_GROUP:
        return tag(field.number, GROUP) + message(random, field.message_type, room - 1) + \
            tag(field.number, END)
    if field.type == F.TYPE_MESSAGE:
        return tag(field.number, LEN, random) + counted(message(random, field.message_type, room - 1))
    if is_repeated(field) and wire != LEN and random.random() < 0.5:
        packed = b"".join(scalar(random, field) for _ in range(random.choice((0, 1, 2, 20))))
        return tag(field.number, LEN) + counted(packed)
    return tag(field.number, wire, random) + scalar(random, field)


def message(random, kind, room=5):
    fields = [field for field in kind.fields
              if room > 0 or field.type not in (F.TYPE_MESSAGE, F.TYPE_GROUP)]
    parts = []
    for _ in range(random.choice((0, 1, 2, 4, 30 if room > 3 else 3))):
        if random.random() < 0.1:
            number = random.choice((998, 1000, 1999, 3500, 18999, 536870910))
            if number not in kind.fields_by_number:
                parts.append(unknown(random, number))
        elif fields:
            field = random.choice(fields)
            # Neighbours again: what is merged, and what a oneof forgets.
            near = fields[fields.index(field):][:2]
            for _ in range(random.choice((1, 1, 2))):
                parts.append(one(random, random.choice(near), room))
    if random.random() < 0.7:
        random.shuffle(parts)
    for field in kind.fields:
        if field.is_required:
            content = tag(field.number, WIRE.get(field.type, VARINT))
            if field.type == F.TYPE_MESSAGE:
                content += counted(message(random, field.message_type, room - 1))
            elif field.type == F.TYPE_GROUP:
                content += message(random, field.message_type, room - 1) + tag(field.number, END)
            else:
                content += scalar(random, field)
            parts.insert(random.randrange(len(parts) + 1), content)
    return b"".join(parts)
