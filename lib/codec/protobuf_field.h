/* Fields of a message in memory, as measuring and encoding both see them. */
#ifndef PGRPC__CODEC_PROTOBUF_FIELD_H
#define PGRPC__CODEC_PROTOBUF_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <protobuf-c/protobuf-c.h>

#include "picogrpc/codec.h"

static inline const void *field_at(const void *message, unsigned offset)
{
    return (const char *)message + offset;
}

/* Copies, because a member may be a double or a char *, and aliasing rules hold for it too. */
static inline const void *field_pointer(const void *member)
{
    const void *pointer;
    memcpy(&pointer, member, sizeof(pointer));
    return pointer;
}

static inline uint32_t field_uint32(const void *member)
{
    uint32_t value;
    memcpy(&value, member, sizeof(value));
    return value;
}

static inline uint64_t field_uint64(const void *member)
{
    uint64_t value;
    memcpy(&value, member, sizeof(value));
    return value;
}

static inline bool field_is_packed(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0;
}

static inline bool field_is_delimited(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PGRPC_FIELD_DELIMITED) != 0;
}

static inline bool field_is_closed(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PGRPC_FIELD_CLOSED_ENUM) != 0;
}

static inline bool field_is_checked(const ProtobufCFieldDescriptor *field)
{
    return !(field->flags & PGRPC_FIELD_NO_UTF8_CHECK);
}

_Static_assert(sizeof(protobuf_c_boolean) == 4, "read as 32 bits, like all that are not 64");

/* How a value of a type is laid out in memory and on the wire. */
struct field_layout {
    uint8_t wire_type;
    uint8_t size; /* of one value in memory */
};

static inline struct field_layout field_layout(ProtobufCType type)
{
    static const struct field_layout layouts[] = {
        [PROTOBUF_C_TYPE_INT32] = {PROTOBUF_C_WIRE_TYPE_VARINT, 4},
        [PROTOBUF_C_TYPE_SINT32] = {PROTOBUF_C_WIRE_TYPE_VARINT, 4},
        [PROTOBUF_C_TYPE_SFIXED32] = {PROTOBUF_C_WIRE_TYPE_32BIT, 4},
        [PROTOBUF_C_TYPE_INT64] = {PROTOBUF_C_WIRE_TYPE_VARINT, 8},
        [PROTOBUF_C_TYPE_SINT64] = {PROTOBUF_C_WIRE_TYPE_VARINT, 8},
        [PROTOBUF_C_TYPE_SFIXED64] = {PROTOBUF_C_WIRE_TYPE_64BIT, 8},
        [PROTOBUF_C_TYPE_UINT32] = {PROTOBUF_C_WIRE_TYPE_VARINT, 4},
        [PROTOBUF_C_TYPE_FIXED32] = {PROTOBUF_C_WIRE_TYPE_32BIT, 4},
        [PROTOBUF_C_TYPE_UINT64] = {PROTOBUF_C_WIRE_TYPE_VARINT, 8},
        [PROTOBUF_C_TYPE_FIXED64] = {PROTOBUF_C_WIRE_TYPE_64BIT, 8},
        [PROTOBUF_C_TYPE_FLOAT] = {PROTOBUF_C_WIRE_TYPE_32BIT, 4},
        [PROTOBUF_C_TYPE_DOUBLE] = {PROTOBUF_C_WIRE_TYPE_64BIT, 8},
        [PROTOBUF_C_TYPE_BOOL] = {PROTOBUF_C_WIRE_TYPE_VARINT, sizeof(protobuf_c_boolean)},
        [PROTOBUF_C_TYPE_ENUM] = {PROTOBUF_C_WIRE_TYPE_VARINT, 4},
        [PROTOBUF_C_TYPE_STRING] = {PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, sizeof(char *)},
        [PROTOBUF_C_TYPE_BYTES] = {PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
                                   sizeof(ProtobufCBinaryData)},
        [PROTOBUF_C_TYPE_MESSAGE] = {PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, sizeof(void *)},
    };
    return layouts[type];
}

/* The number that stands on the wire for a value whose wire type is VARINT. */
static inline uint64_t field_varint(ProtobufCType type, const void *member)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
        return field_uint32(member);
    case PROTOBUF_C_TYPE_SINT32: {
        uint32_t value = field_uint32(member);
        return (uint32_t)(value << 1 ^ -(value >> 31));
    }
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return field_uint64(member);
    case PROTOBUF_C_TYPE_SINT64: {
        uint64_t value = field_uint64(member);
        return value << 1 ^ -(value >> 63);
    }
    case PROTOBUF_C_TYPE_BOOL:
        return field_uint32(member) != 0;
    default: /* INT32, ENUM: negative ones have ten bytes */
        return (uint64_t)(int64_t)(int32_t)field_uint32(member);
    }
}

static inline size_t varint_len(uint64_t value)
{
    if (value < 0x80)
        return 1;
    /* The number of bits divided by 7, rounded up. */
    return (size_t)(64 - __builtin_clzll(value) + 6) / 7;
}

static inline bool is_zero(const ProtobufCFieldDescriptor *field, const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = field_pointer(member);
        return !text || !*text;
    }
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)member)->len == 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return !field_pointer(member);
    default: /* by bits: -0.0 is a value of its own */
        return field_layout(field->type).size == 8 ? field_uint64(member) == 0
                                                   : field_uint32(member) == 0;
    }
}

/* Whether a field that is not repeated is to be written. */
static inline bool field_is_present(const ProtobufCFieldDescriptor *field, const void *message)
{
    const void *member = field_at(message, field->offset);
    bool is_pointer =
        field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;

    if (field->label == PROTOBUF_C_LABEL_REQUIRED)
        return true;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return field_uint32(field_at(message, field->quantifier_offset)) == field->id &&
               (!is_pointer || field_pointer(member));
    if (field->label == PROTOBUF_C_LABEL_NONE)
        return !is_zero(field, member);
    if (is_pointer)
        return field_pointer(member) && field_pointer(member) != field->default_value;
    return field_uint32(field_at(message, field->quantifier_offset)) != 0;
}

/* The values of a field that are to be written: an array, or the member itself. */
struct field_values {
    const char *first; /* NULL with a count: the application's mistake */
    size_t count;
};

static inline struct field_values field_values(const ProtobufCFieldDescriptor *field,
                                               const void *message)
{
    const void *member = field_at(message, field->offset);
    struct field_values values;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        values.first = field_pointer(member);
        values.count = *(const size_t *)field_at(message, field->quantifier_offset);
    } else {
        values.first = member;
        values.count = field_is_present(field, message);
    }
    return values;
}

/* One type has two descriptors when two libraries carry the same generated file. */
static inline bool field_is_of_type(const ProtobufCMessage *message,
                                    const ProtobufCMessageDescriptor *type)
{
    const ProtobufCMessageDescriptor *given = message->descriptor;
    if (!given || given == type)
        return true;
    return given->sizeof_message == type->sizeof_message && given->name && type->name &&
           strcmp(given->name, type->name) == 0;
}

#endif
