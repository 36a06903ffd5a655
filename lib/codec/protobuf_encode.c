#include "codec/protobuf.h"

#include "codec/protobuf_field.h"
#include "codec/protobuf_wire.h"
#include "wire/utf8.h"
#include "wire/word.h"

/*
 * Messages are written from their end to their start, in one pass: when a length has to be written,
 * what it counts stands there already.  Each function writes in front of |at| and returns the start
 * of what it wrote, or NULL when that cannot be: there is no room and no arena to get more from, or
 * pgrpc__protobuf_measure would object, which then also says why.
 *
 * Recursion ends at PROTOBUF_DEPTH_MAX.
 */
struct output {
    uintptr_t floor; /* where the room begins */
    uint8_t *end;
    struct arena *arena; /* for a larger buffer, or NULL */
};

enum { NUMBER_MAX = VARINT_BYTES_MAX + TAG_BYTES_MAX, BUFFER_MIN = 512 };

/* Moves what was written to the end of a buffer with room for |len| bytes in front of it. */
static __attribute__((noinline)) uint8_t *grow(struct output *output, uint8_t *at, size_t len)
{
    size_t written = (size_t)(output->end - at);
    size_t cap = 2 * ((uintptr_t)output->end - output->floor);
    if (!output->arena || len > INT32_MAX || written > INT32_MAX)
        return NULL;
    if (cap < written + len + BUFFER_MIN)
        cap = written + len + BUFFER_MIN;
    uint8_t *buffer = pgrpc__arena_alloc(output->arena, cap);
    if (!buffer)
        return NULL;
    output->floor = (uintptr_t)buffer;
    output->end = buffer + cap;
    if (written > 0)
        memcpy(output->end - written, at, written);
    return output->end - written;
}

static inline bool has_room(const struct output *output, const uint8_t *at, size_t len)
{
    return __builtin_expect((uintptr_t)at - output->floor >= len, 1);
}

static inline uint8_t *make_room(struct output *output, uint8_t *at, size_t len)
{
    return has_room(output, at, len) ? at : grow(output, at, len);
}

/* --- numbers, where there is room ---------------------------------------------------------------
 */

static uint8_t *put_long_varint(uint8_t *at, uint64_t value)
{
    uint8_t *start = at - varint_len(value);
    uint8_t *output = start;
    for (; value >= 0x80; value >>= 7)
        *output++ = (uint8_t)(value | 0x80);
    *output = (uint8_t)value;
    return start;
}

static inline uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    if (value < 0x80) {
        *--at = (uint8_t)value;
        return at;
    }
    if (value >= 0x4000)
        return put_long_varint(at, value);
    at -= 2;
    at[0] = (uint8_t)(value | 0x80);
    at[1] = (uint8_t)(value >> 7);
    return at;
}

static inline uint8_t *put_tag(uint8_t *at, uint32_t id, unsigned wire_type)
{
    if (__builtin_expect(id >= 16, 0))
        return put_long_varint(at, (uint64_t)id << 3 | wire_type);
    *--at = (uint8_t)(id << 3 | wire_type);
    return at;
}

static inline uint8_t *put_fixed32(uint8_t *at, uint32_t value)
{
    value = wire_swap32(value);
    at -= sizeof(value);
    memcpy(at, &value, sizeof(value));
    return at;
}

static inline uint8_t *put_fixed64(uint8_t *at, uint64_t value)
{
    value = wire_swap64(value);
    at -= sizeof(value);
    memcpy(at, &value, sizeof(value));
    return at;
}

/* --- what has a length --------------------------------------------------------------------------
 */

static uint8_t *put_bytes(struct output *output, uint8_t *at, const void *data, size_t len)
{
    if (len > INT32_MAX || (!data && len > 0) || !(at = make_room(output, at, len + NUMBER_MAX)))
        return NULL;
    at -= len;
    if (len > 0)
        memcpy(at, data, len);
    return at;
}

static inline bool is_ascii(uint64_t word)
{
    return !(word & word_of(0x80));
}

/* Copies a text and checks on the way whether it is UTF-8. */
static inline bool copy_text(uint8_t *copy, const uint8_t *text, size_t len)
{
    uint64_t seen = 0;
    if (len >= sizeof(uint64_t)) {
        uint64_t word;
        for (size_t i = 0; i < len - sizeof(word); i += sizeof(word)) {
            word = word_load(text + i);
            seen |= word;
            memcpy(copy + i, &word, sizeof(word));
        }
        word = word_load(text + len - sizeof(word));
        seen |= word;
        memcpy(copy + len - sizeof(word), &word, sizeof(word));
    } else if (len >= sizeof(uint32_t)) {
        uint32_t first, last;
        memcpy(&first, text, sizeof(first));
        memcpy(&last, text + len - sizeof(last), sizeof(last));
        memcpy(copy, &first, sizeof(first));
        memcpy(copy + len - sizeof(last), &last, sizeof(last));
        seen = first | last;
    } else if (len > 0) {
        seen = text[0] | text[len / 2] | text[len - 1];
        copy[0] = text[0];
        copy[len / 2] = text[len / 2];
        copy[len - 1] = text[len - 1];
    }
    return is_ascii(seen) || pgrpc__utf8_valid_len(text, len) == len;
}

static inline __attribute__((always_inline)) uint8_t *
put_text(struct output *output, uint8_t *at, const ProtobufCFieldDescriptor *field,
         const char *text)
{
    size_t len = strlen(text);
    if (!has_room(output, at, len + NUMBER_MAX) && !(at = grow(output, at, len + NUMBER_MAX)))
        return NULL;
    at -= len;
    return copy_text(at, (const uint8_t *)text, len) || !field_is_checked(field)
               ? put_varint(at, len)
               : NULL;
}

static uint8_t *put_message(struct output *output, uint8_t *at,
                            const ProtobufCMessageDescriptor *type, const void *message,
                            unsigned depth);

static inline uint8_t *put_inner(struct output *output, uint8_t *at,
                                 const ProtobufCMessageDescriptor *type, const void *message,
                                 unsigned depth)
{
    size_t before = (size_t)(output->end - at);
    at = put_message(output, at, type, message, depth + 1);
    if (!at || !(at = make_room(output, at, NUMBER_MAX)))
        return NULL;
    return put_varint(at, (uint64_t)(output->end - at) - before);
}

/* A group, with both its tags. */
static __attribute__((noinline)) uint8_t *put_group(struct output *output, uint8_t *at,
                                                    const ProtobufCFieldDescriptor *field,
                                                    const void *message, unsigned depth)
{
    if (!(at = make_room(output, at, NUMBER_MAX)))
        return NULL;
    at = put_tag(at, field->id, WIRE_TYPE_GROUP_END);
    at = put_message(output, at, field->descriptor, message, depth + 1);
    if (!at || !(at = make_room(output, at, NUMBER_MAX)))
        return NULL;
    return put_tag(at, field->id, WIRE_TYPE_GROUP_START);
}

/* --- repeated fields ----------------------------------------------------------------------------
 */

/* Inlined with a |type| that is known, so that the loop does not ask for it.  |tagged|: each value
 * with the tag of this field. */
static inline __attribute__((always_inline)) uint8_t *
put_varints_of(ProtobufCType type, size_t size, struct output *output, uint8_t *at,
               const char *values, size_t count, const ProtobufCFieldDescriptor *tagged)
{
    const char *value = values + count * size;
    while (value > values) {
        /* As many as there is room for in any case, and grow for one. */
        if (!has_room(output, at, NUMBER_MAX) && !(at = grow(output, at, NUMBER_MAX)))
            return NULL;
        size_t fitting = ((uintptr_t)at - output->floor) / NUMBER_MAX;
        size_t left = (size_t)(value - values) / size;
        const char *first = left > fitting ? value - fitting * size : values;
        while (value > first) {
            value -= size;
            at = put_varint(at, field_varint(type, value));
            if (tagged)
                at = put_tag(at, tagged->id, PROTOBUF_C_WIRE_TYPE_VARINT);
        }
    }
    return at;
}

static uint8_t *put_varints(struct output *output, uint8_t *at,
                            const ProtobufCFieldDescriptor *field, const char *values, size_t count)
{
    const ProtobufCFieldDescriptor *tagged = field_is_packed(field) ? NULL : field;
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
        return put_varints_of(PROTOBUF_C_TYPE_UINT32, 4, output, at, values, count, tagged);
    case PROTOBUF_C_TYPE_SINT32:
        return put_varints_of(PROTOBUF_C_TYPE_SINT32, 4, output, at, values, count, tagged);
    case PROTOBUF_C_TYPE_BOOL:
        return put_varints_of(PROTOBUF_C_TYPE_BOOL, 4, output, at, values, count, tagged);
    case PROTOBUF_C_TYPE_SINT64:
        return put_varints_of(PROTOBUF_C_TYPE_SINT64, 8, output, at, values, count, tagged);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return put_varints_of(PROTOBUF_C_TYPE_UINT64, 8, output, at, values, count, tagged);
    default:
        return put_varints_of(PROTOBUF_C_TYPE_INT32, 4, output, at, values, count, tagged);
    }
}

static uint8_t *put_fixed(struct output *output, uint8_t *at, const ProtobufCFieldDescriptor *field,
                          const char *values, size_t count)
{
    struct field_layout layout = field_layout(field->type);
    if (field_is_packed(field) && is_little_endian) {
        if (count > INT32_MAX || !(at = make_room(output, at, count * layout.size)))
            return NULL;
        at -= count * layout.size;
        memcpy(at, values, count * layout.size);
        return at;
    }
    while (count-- > 0) {
        const char *value = values + count * layout.size;
        if (!(at = make_room(output, at, NUMBER_MAX)))
            return NULL;
        at = layout.size == 4 ? put_fixed32(at, field_uint32(value))
                              : put_fixed64(at, field_uint64(value));
        if (!field_is_packed(field))
            at = put_tag(at, field->id, layout.wire_type);
    }
    return at;
}

/* Strings, bytes or messages, each with length and tag. */
static uint8_t *put_counted_array(struct output *output, uint8_t *at,
                                  const ProtobufCFieldDescriptor *field, const char *values,
                                  size_t count, unsigned depth)
{
    while (count-- > 0 && at) {
        if (field->type == PROTOBUF_C_TYPE_BYTES) {
            const ProtobufCBinaryData *bytes =
                (const ProtobufCBinaryData *)(const void *)values + count;
            at = put_bytes(output, at, bytes->data, bytes->len);
            if (at)
                at = put_varint(at, bytes->len);
        } else {
            const void *pointer = field_pointer(values + count * sizeof(pointer));
            if (!pointer)
                return NULL;
            at = field->type == PROTOBUF_C_TYPE_STRING
                     ? put_text(output, at, field, pointer)
                     : put_inner(output, at, field->descriptor, pointer, depth);
        }
        if (at)
            at = put_tag(at, field->id, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
    }
    return at;
}

static __attribute__((noinline)) uint8_t *put_groups(struct output *output, uint8_t *at,
                                                     const ProtobufCFieldDescriptor *field,
                                                     const char *values, size_t count,
                                                     unsigned depth)
{
    while (count-- > 0 && at) {
        const void *message = field_pointer(values + count * sizeof(message));
        at = message ? put_group(output, at, field, message, depth) : NULL;
    }
    return at;
}

static uint8_t *put_array(struct output *output, uint8_t *at, const ProtobufCFieldDescriptor *field,
                          const char *values, size_t count, unsigned depth)
{
    struct field_layout layout = field_layout(field->type);
    if (!values)
        return NULL;
    if (field_is_delimited(field))
        return put_groups(output, at, field, values, count, depth);
    if (layout.wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return put_counted_array(output, at, field, values, count, depth);

    bool is_packed = field_is_packed(field);
    size_t before = (size_t)(output->end - at);
    if (layout.wire_type == PROTOBUF_C_WIRE_TYPE_VARINT)
        at = put_varints(output, at, field, values, count);
    else
        at = put_fixed(output, at, field, values, count);
    if (!is_packed || !at || !(at = make_room(output, at, NUMBER_MAX)))
        return at;
    at = put_varint(at, (uint64_t)(output->end - at) - before);
    return put_tag(at, field->id, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
}

/* --- messages -----------------------------------------------------------------------------------
 */

/* A field that is not repeated; |skips_zero|: it has no presence of its own. */
static inline __attribute__((always_inline)) uint8_t *put_one(struct output *output, uint8_t *at,
                                                              const ProtobufCFieldDescriptor *field,
                                                              const void *member, bool skips_zero,
                                                              unsigned depth)
{
    unsigned wire_type = PROTOBUF_C_WIRE_TYPE_VARINT;
    const void *pointer;
    switch (field->type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        if (skips_zero && field_uint32(member) == 0)
            return at;
        at = put_fixed32(at, field_uint32(member));
        wire_type = PROTOBUF_C_WIRE_TYPE_32BIT;
        break;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: /* by bits: -0.0 is a value of its own */
        if (skips_zero && field_uint64(member) == 0)
            return at;
        at = put_fixed64(at, field_uint64(member));
        wire_type = PROTOBUF_C_WIRE_TYPE_64BIT;
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *bytes = member;
        if (skips_zero && bytes->len == 0)
            return at;
        at = put_bytes(output, at, bytes->data, bytes->len);
        if (!at)
            return NULL;
        at = put_varint(at, bytes->len);
        wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
        break;
    }
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        pointer = field_pointer(member);
        if (!pointer)
            return field->label == PROTOBUF_C_LABEL_REQUIRED ? NULL : at;
        if (pointer == field->default_value && field->label == PROTOBUF_C_LABEL_OPTIONAL &&
            !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
            return at;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            if (__builtin_expect(field_is_delimited(field), 0))
                return put_group(output, at, field, pointer, depth);
            at = put_inner(output, at, field->descriptor, pointer, depth);
        } else {
            if (skips_zero && !*(const char *)pointer)
                return at;
            at = put_text(output, at, field, pointer);
        }
        if (!at)
            return NULL;
        wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_SINT32:
        if (skips_zero && field_uint32(member) == 0)
            return at;
        at = put_varint(at, field_varint(field->type, member));
        break;
    default:
        if (skips_zero && field_uint64(member) == 0)
            return at;
        at = put_varint(at, field_varint(field->type, member));
    }
    return put_tag(at, field->id, wire_type);
}

static uint8_t *put_unknown(struct output *output, uint8_t *at, const ProtobufCMessage *base)
{
    for (unsigned i = base->n_unknown_fields; i > 0 && at; i--) {
        const ProtobufCMessageUnknownField *unknown = &base->unknown_fields[i - 1];
        at = put_bytes(output, at, unknown->data, unknown->len);
        if (at)
            at = put_tag(at, unknown->tag, unknown->wire_type);
    }
    return at;
}

static uint8_t *put_message(struct output *output, uint8_t *at,
                            const ProtobufCMessageDescriptor *type, const void *message,
                            unsigned depth)
{
    const ProtobufCMessage *base = message;
    if (depth > PROTOBUF_DEPTH_MAX || !field_is_of_type(base, type))
        return NULL;
    if (base->n_unknown_fields > 0 && !(at = put_unknown(output, at, base)))
        return NULL;
    if (type->n_fields == 0)
        return at;
    const ProtobufCFieldDescriptor *first = type->fields, *field = first + type->n_fields;
    do {
        field--;
        const void *quantifier = field_at(message, field->quantifier_offset);
        const void *member = field_at(message, field->offset);
        bool skips_zero = false;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = *(const size_t *)quantifier;
            if (count > 0 &&
                !(at = put_array(output, at, field, field_pointer(member), count, depth)))
                return NULL;
            continue;
        }
        if (field->quantifier_offset == 0)
            skips_zero = field->label == PROTOBUF_C_LABEL_NONE;
        else if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ? field_uint32(quantifier) != field->id
                                                            : field_uint32(quantifier) == 0)
            continue;
        if (!has_room(output, at, NUMBER_MAX) && !(at = grow(output, at, NUMBER_MAX)))
            return NULL;
        if (!(at = put_one(output, at, field, member, skips_zero, depth)))
            return NULL;
    } while (field > first);
    return at;
}

/* ------------------------------------------------------------------------------------------------
 */

void pgrpc__protobuf_encode(const ProtobufCMessageDescriptor *type, const void *message,
                            uint8_t *data, size_t len)
{
    /* What was measured fits, and room is always asked for with up to NUMBER_MAX bytes to spare. */
    struct output output = {(uintptr_t)data - NUMBER_MAX, data + len, NULL};
    put_message(&output, data + len, type, message, 0);
}

bool pgrpc__protobuf_serialize(const ProtobufCMessageDescriptor *type, const void *message,
                               struct arena *arena, const uint8_t **data, size_t *len)
{
    /* First into what the arena has at hand. */
    size_t room = (size_t)(arena->end - arena->position);
    size_t cap = room >= BUFFER_MIN + 16 ? (room - 16) & ~(size_t)15 : BUFFER_MIN;
    uint8_t *buffer = message ? pgrpc__arena_alloc(arena, cap) : NULL;
    if (!buffer)
        return false;
    struct output output = {(uintptr_t)buffer, buffer + cap, arena};
    const uint8_t *start = put_message(&output, output.end, type, message, 0);
    if (!start || output.end - start > INT32_MAX)
        return false;
    *data = start;
    *len = (size_t)(output.end - start);
    return true;
}
