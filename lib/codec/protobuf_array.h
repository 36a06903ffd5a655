/*
 * What the decoder appends to: arrays of repeated fields, and unknown fields.
 *
 * An array has its capacity in the word in front of it, so that a later part of the same message
 * can add to it.
 */
#ifndef PGRPC__CODEC_PROTOBUF_ARRAY_H
#define PGRPC__CODEC_PROTOBUF_ARRAY_H

#include <string.h>

#include "codec/protobuf_decode.h"

enum { ARRAY_HEAD = 8 };

static inline size_t *capacity_of(char *array)
{
    return (size_t *)(void *)(array - ARRAY_HEAD);
}

/* What stands on the wire around a value: its tag, the value behind it, the end of the message. */
struct place {
    const uint8_t *tag, *at, *end;
};

/*
 * A full array of |count| values, or none yet, with room for more; NULL when the arena refuses. The
 * next value stands at |place|.
 */
char *pgrpc__decode_grow(struct decoder *decoder, char *array, size_t count, size_t size,
                         struct place place);
/* Appends the values of a packed field. */
bool pgrpc__decode_packed(struct decoder *decoder, const ProtobufCFieldDescriptor *field,
                          char *message, const uint8_t *at, size_t len);
/* Keeps what stands behind a tag, up to |data_end|. */
bool pgrpc__decode_unknown(struct decoder *decoder, char *message, uint32_t id, unsigned wire_type,
                           const uint8_t *data, const uint8_t *data_end);

/*
 * Where the next value of a repeated field belongs; the caller then counts it.  NULL when the arena
 * refuses.
 */
static inline char *next_slot(struct decoder *decoder, const ProtobufCFieldDescriptor *field,
                              char *message, size_t size, struct place place)
{
    size_t count = *(size_t *)(void *)(message + field->quantifier_offset);
    char *array;
    memcpy(&array, message + field->offset, sizeof(array));
    if (UNLIKELY(!array || count == *capacity_of(array))) {
        array = pgrpc__decode_grow(decoder, array, count, size, place);
        if (!array)
            return NULL;
        memcpy(message + field->offset, &array, sizeof(array));
    }
    return array + count * size;
}

static inline void count_one(const ProtobufCFieldDescriptor *field, char *message)
{
    ++*(size_t *)(void *)(message + field->quantifier_offset);
}

/* Whether a closed enum has no name for |number|. */
bool pgrpc__decode_is_nameless(const ProtobufCEnumDescriptor *type, int32_t number);

/* A varint as a value of |type|; false when such values are no varints, or the enum of |field| is
 * closed. */
static inline bool store_varint(const ProtobufCFieldDescriptor *field, ProtobufCType type,
                                uint64_t value, char *slot)
{
    uint32_t value32 = (uint32_t)value;
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
        break;
    case PROTOBUF_C_TYPE_ENUM:
        if (UNLIKELY(field_is_closed(field)))
            return false;
        break;
    case PROTOBUF_C_TYPE_SINT32:
        value32 = value32 >> 1 ^ -(value32 & 1);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        value32 = value != 0;
        break;
    case PROTOBUF_C_TYPE_SINT64:
        value = value >> 1 ^ -(value & 1);
        memcpy(slot, &value, sizeof(value));
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        memcpy(slot, &value, sizeof(value));
        return true;
    default:
        return false;
    }
    memcpy(slot, &value32, sizeof(value32));
    return true;
}

#endif
