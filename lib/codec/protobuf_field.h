/* Fields of a message in memory, as measuring and encoding both see them. */
#ifndef PGRPC__CODEC_PROTOBUF_FIELD_H
#define PGRPC__CODEC_PROTOBUF_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <protobuf-c/protobuf-c.h>

static inline const void *field_at(const void *message, unsigned offset)
{
    return (const char *)message + offset;
}

static inline const void *field_pointer(const void *member)
{
    return *(const void *const *)member;
}

static inline bool field_is_packed(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0;
}

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
        return *(const uint32_t *)member;
    case PROTOBUF_C_TYPE_SINT32: {
        uint32_t value = *(const uint32_t *)member;
        return (uint32_t)(value << 1 ^ -(value >> 31));
    }
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return *(const uint64_t *)member;
    case PROTOBUF_C_TYPE_SINT64: {
        uint64_t value = *(const uint64_t *)member;
        return value << 1 ^ -(value >> 63);
    }
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)member != 0;
    default: /* INT32, ENUM: negative ones have ten bytes */
        return (uint64_t)(int64_t) * (const int32_t *)member;
    }
}

static inline size_t varint_len(uint64_t value)
{
    /* 1 + floor(bit length - 1) / 7), without a division */
    return (size_t)(9 * (63 - __builtin_clzll(value | 1)) + 73) / 64;
}

static inline size_t tag_len(const ProtobufCFieldDescriptor *field)
{
    return varint_len((uint64_t)field->id << 3);
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
        return field_layout(field->type).size == 8 ? *(const uint64_t *)member == 0
                                                   : *(const uint32_t *)member == 0;
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
        return *(const uint32_t *)field_at(message, field->quantifier_offset) == field->id &&
               (!is_pointer || field_pointer(member));
    if (field->label == PROTOBUF_C_LABEL_NONE)
        return !is_zero(field, member);
    if (is_pointer)
        return field_pointer(member) && field_pointer(member) != field->default_value;
    return *(const protobuf_c_boolean *)field_at(message, field->quantifier_offset) != 0;
}

#endif
