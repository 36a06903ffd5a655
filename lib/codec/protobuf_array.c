#include "codec/protobuf_array.h"

#include <limits.h>

#include "codec/protobuf_wire.h"
#include "wire/word.h"

enum { ARRAY_FIRST = 4 };
static const size_t ARRAY_LEN_MAX = PTRDIFF_MAX - 64;

/*
 * How many values of a field stand behind one another, from the one at |at|: as many as an encoder
 * writes, so that most arrays are allocated once and fit.  What is malformed ends the count.
 */
static size_t count_run(struct place place)
{
    const uint8_t *at = place.at;
    size_t tag_len = (size_t)(at - place.tag), count = 0;
    for (;;) {
        struct wire_number len = wire_uint32(at, place.end);
        count++;
        if (!len.next || len.value >= (size_t)(place.end - len.next))
            return count;
        at = len.next + len.value;
        if (*at != *place.tag || tag_len > (size_t)(place.end - at) ||
            memcmp(at, place.tag, tag_len) != 0)
            return count;
        at += tag_len;
    }
}

/* Room for |more| values of |size| bytes after |count|; NULL when the arena refuses. */
static char *grow(struct decoder *decoder, char *array, size_t count, size_t more, size_t size)
{
    size_t old_len = array ? decode_round_up(*capacity_of(array) * size) : 0;
    size_t capacity = array && more < ARRAY_FIRST ? ARRAY_FIRST : more;
    if (capacity < count)
        capacity = count;
    if (__builtin_add_overflow(capacity, count, &capacity) || capacity > ARRAY_LEN_MAX / size) {
        decoder->arena->over_budget = true;
        return NULL;
    }
    size_t len = decode_round_up(capacity * size);
    if (!array || !pgrpc__arena_extend(decoder->arena, array, old_len, len)) {
        char *grown = arena_take8(decoder->arena, ARRAY_HEAD + len);
        if (!grown)
            return NULL;
        grown += ARRAY_HEAD;
        if (array)
            memcpy(grown, array, count * size);
        array = grown;
    }
    *capacity_of(array) = capacity;
    return array;
}

char *pgrpc__decode_grow(struct decoder *decoder, char *array, size_t count, size_t size,
                         struct place place)
{
    bool is_counted = (*place.tag & 7) == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    return grow(decoder, array, count, is_counted ? count_run(place) : 1, size);
}

/* --- packed fields ------------------------------------------------------------------------------
 */

/* As many varints as there are bytes below 0x80: no other byte of a varint is. */
static size_t count_varints(const uint8_t *at, size_t len)
{
    const uint64_t ones = word_of(1);
    size_t count = 0;
    for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t), at += sizeof(uint64_t))
        count += ((~word_load(at) >> 7 & ones) * ones) >> 56;
    for (; len > 0; len--)
        count += *at++ < 0x80;
    return count;
}

/* Inlined with a |type| that is known, so that the loop does not ask for it. */
static inline __attribute__((always_inline)) bool
read_varints_of(ProtobufCType type, size_t size, const uint8_t *at, const uint8_t *end, char *slot)
{
    for (; at < end; slot += size) {
        uint64_t value = *at++;
        if (value >= 0x80) {
            if (*at < 0x80) {
                value += ((uint64_t)*at++ << 7) - 0x80;
            } else {
                struct wire_number number = pgrpc__wire_long(at - 1, end, VARINT_BYTES_MAX);
                if (!number.next)
                    return false;
                at = number.next;
                value = number.value;
            }
        }
        store_varint(NULL, type, value, slot);
    }
    return true;
}

bool pgrpc__decode_is_nameless(const ProtobufCEnumDescriptor *type, int32_t number)
{
    unsigned low = 0, high = type->n_value_ranges;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        const ProtobufCIntRange *range = &type->value_ranges[middle];
        int64_t index = (int64_t)number - range->start_value;
        if (index < 0)
            high = middle;
        else if (index >= (int64_t)range[1].orig_index - range->orig_index)
            low = middle + 1;
        else
            return false;
    }
    return true;
}

/* The same of a closed enum: what it has no name for was counted, but is an unknown field. */
static bool read_closed(struct decoder *decoder, const ProtobufCFieldDescriptor *field,
                        char *message, const uint8_t *at, const uint8_t *end, char *slot)
{
    size_t *count = (size_t *)(void *)(message + field->quantifier_offset);
    while (at < end) {
        struct wire_number number = wire_varint(at, end);
        if (!number.next)
            return decode_fail(decoder, pgrpc__wire_bad_varint);
        int32_t value = (int32_t)(uint32_t)number.value;
        if (!pgrpc__decode_is_nameless(field->descriptor, value)) {
            memcpy(slot, &value, sizeof(value));
            slot += sizeof(value);
        } else if (pgrpc__decode_unknown(decoder, message, field->id, PROTOBUF_C_WIRE_TYPE_VARINT,
                                         at, number.next)) {
            --*count;
        } else {
            return false;
        }
        at = number.next;
    }
    return true;
}

/* Fills |slot| with what stands up to |end|, where the last varint ends. */
static bool read_varints(struct decoder *decoder, const ProtobufCFieldDescriptor *field,
                         char *message, const uint8_t *at, const uint8_t *end, char *slot)
{
    bool is_whole;
    switch (field->type) {
    case PROTOBUF_C_TYPE_SINT32:
        is_whole = read_varints_of(PROTOBUF_C_TYPE_SINT32, 4, at, end, slot);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        is_whole = read_varints_of(PROTOBUF_C_TYPE_BOOL, 4, at, end, slot);
        break;
    case PROTOBUF_C_TYPE_SINT64:
        is_whole = read_varints_of(PROTOBUF_C_TYPE_SINT64, 8, at, end, slot);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        is_whole = read_varints_of(PROTOBUF_C_TYPE_UINT64, 8, at, end, slot);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        if (UNLIKELY(field->flags & PGRPC_FIELD_CLOSED_ENUM))
            return read_closed(decoder, field, message, at, end, slot);
        /* fall through */
    default:
        is_whole = read_varints_of(PROTOBUF_C_TYPE_UINT32, 4, at, end, slot);
    }
    return is_whole || decode_fail(decoder, pgrpc__wire_bad_varint);
}

static void read_fixed(size_t size, const uint8_t *at, size_t count, char *slot)
{
    memcpy(slot, at, count * size);
    if (is_little_endian)
        return;
    for (size_t i = 0; i < count; i++, at += size, slot += size) {
        uint32_t value32 = wire_load32(at);
        if (size == 4) {
            memcpy(slot, &value32, sizeof(value32));
        } else {
            uint64_t value64 = wire_load64(at);
            memcpy(slot, &value64, sizeof(value64));
        }
    }
}

bool pgrpc__decode_packed(struct decoder *decoder, const ProtobufCFieldDescriptor *field,
                          char *message, const uint8_t *at, size_t len)
{
    struct field_layout layout = field_layout(field->type);
    bool is_varint = layout.wire_type == PROTOBUF_C_WIRE_TYPE_VARINT;
    if (len == 0)
        return true;
    if (is_varint ? at[len - 1] >= 0x80 : len % layout.size != 0)
        return decode_fail(decoder, is_varint
                                        ? pgrpc__wire_bad_varint
                                        : "malformed protobuf message: part of a packed value");

    size_t count = is_varint ? count_varints(at, len) : len / layout.size;
    size_t *total = (size_t *)(void *)(message + field->quantifier_offset);
    char *array;
    memcpy(&array, message + field->offset, sizeof(array));
    if (!array || count > *capacity_of(array) - *total) {
        array = grow(decoder, array, *total, count, layout.size);
        if (!array)
            return decode_fail(decoder, NULL);
        memcpy(message + field->offset, &array, sizeof(array));
    }
    char *slot = array + *total * layout.size;
    *total += count;
    if (is_varint)
        return read_varints(decoder, field, message, at, at + len, slot);
    read_fixed(layout.size, at, count, slot);
    return true;
}

/* ------------------------------------------------------------------------------------------------
 */

bool pgrpc__decode_unknown(struct decoder *decoder, char *message, uint32_t id, unsigned wire_type,
                           const uint8_t *data, const uint8_t *data_end)
{
    ProtobufCMessage *base = (ProtobufCMessage *)(void *)message;
    char *array = (char *)base->unknown_fields;
    size_t count = base->n_unknown_fields;
    if (!array || count == *capacity_of(array)) {
        array = count < UINT_MAX
                    ? grow(decoder, array, count, 1, sizeof(ProtobufCMessageUnknownField))
                    : NULL;
        if (!array)
            return decode_fail(decoder, NULL);
        base->unknown_fields = (ProtobufCMessageUnknownField *)(void *)array;
    }
    base->unknown_fields[base->n_unknown_fields++] = (ProtobufCMessageUnknownField){
        .tag = id,
        .wire_type = (ProtobufCWireType)wire_type,
        .len = (size_t)(data_end - data),
        .data = (uint8_t *)(uintptr_t)data,
    };
    return true;
}
