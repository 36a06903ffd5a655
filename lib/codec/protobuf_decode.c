#include "codec/protobuf_array.h"
#include "codec/protobuf_decode.h"
#include "codec/protobuf_field.h"
#include "codec/protobuf_wire.h"
#include "wire/utf8.h"
#include "wire/word.h"

/*
 * One pass over the bytes, without recursion: what is inside is read in place of what is outside,
 * which waits in decoder->levels.  A singular message that comes twice is read into the one that is
 * there, so merging costs what its bytes cost.
 *
 * Strings are copied, for their NUL; bytes and unknown fields stay where they were received.
 */

/* --- text --------------------------------------------------------------------------------------
 */

static inline __attribute__((always_inline)) bool
copy_other_text(struct decoder *decoder, const ProtobufCFieldDescriptor *field, char *copy,
                const uint8_t *text, size_t len)
{
    size_t valid_len = field_is_checked(field) ? pgrpc__utf8_text_len(text, len)
                                               : strnlen((const char *)text, len);
    if (valid_len < len)
        return decode_fail(decoder,
                           text[valid_len] == 0
                               ? "a protobuf string holds a NUL byte, which a C string cannot"
                               : "a protobuf string is not valid UTF-8");
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return true;
}

/* Copies a text and checks it on the way; |copy| has room for len + 1, rounded up to words. */
static inline bool copy_text(struct decoder *decoder, const ProtobufCFieldDescriptor *field,
                             char *copy, const uint8_t *text, size_t len)
{
    const uint64_t ones = word_of(1), high = word_of(0x80);
    size_t position = 0;
    /* Reading whole words, the last of them shortened to what belongs to the text; that its other
     * bytes are 0 ends the copy. */
    if (!is_little_endian || UNLIKELY((size_t)(decoder->limit - text) < (len | 7) + 1))
        return copy_other_text(decoder, field, copy, text, len);
    for (; len - position >= sizeof(uint64_t); position += sizeof(uint64_t)) {
        uint64_t word = word_load(text + position);
        if (UNLIKELY((word | (word - ones)) & high))
            return copy_other_text(decoder, field, copy, text, len);
        memcpy(copy + position, &word, sizeof(word));
    }
    uint64_t kept = (UINT64_C(1) << (8 * (len - position))) - 1;
    uint64_t word = word_load(text + position) & kept;
    if (UNLIKELY((word | ((word | (ones & ~kept)) - ones)) & high))
        return copy_other_text(decoder, field, copy, text, len);
    memcpy(copy + position, &word, sizeof(word));
    return true;
}

/* --- fields ------------------------------------------------------------------------------------
 */

static const ProtobufCFieldDescriptor *find_in_ranges(const ProtobufCMessageDescriptor *type,
                                                      uint32_t id)
{
    const ProtobufCIntRange *ranges = type->field_ranges;
    unsigned low = 0, high = type->n_field_ranges;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        uint32_t start = (uint32_t)ranges[middle].start_value;
        uint32_t count = ranges[middle + 1].orig_index - ranges[middle].orig_index;
        if (id < start)
            high = middle;
        else if (id - start >= count)
            low = middle + 1;
        else
            return &type->fields[ranges[middle].orig_index + (id - start)];
    }
    return NULL;
}

/* Most types number their fields without gaps, or most of them. */
static inline const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type,
                                                         uint32_t id)
{
    const ProtobufCIntRange *ranges = type->field_ranges;
    if (UNLIKELY(type->n_field_ranges == 0))
        return NULL;
    uint32_t index = id - (uint32_t)ranges[0].start_value;
    if (LIKELY(index < ranges[1].orig_index))
        return &type->fields[index];
    return type->n_field_ranges == 1 ? NULL : find_in_ranges(type, id);
}

static inline unsigned due_of(struct decoder *decoder, const ProtobufCMessageDescriptor *type)
{
    struct decode_type *known = &decoder->types[((uintptr_t)type >> 7) % DECODE_TYPES];
    if (UNLIKELY(known->type != type)) {
        known->type = type;
        known->due = pgrpc__decode_due(type);
    }
    return known->due;
}

char *pgrpc__decode_new_message(struct decoder *decoder, const ProtobufCMessageDescriptor *type)
{
    size_t head = 0;
    if (UNLIKELY(due_of(decoder, type)))
        head = (type->n_fields + 63) / 64 * sizeof(uint64_t);
    char *message = arena_take8(decoder->arena, head + decode_round_up(type->sizeof_message));
    if (!message)
        return NULL;
    if (head > 0)
        memset(message, 0, head);
    message += head;
    if (LIKELY(type->message_init))
        type->message_init((ProtobufCMessage *)(void *)message);
    else
        pgrpc__decode_init(type, message);
    return message;
}

/* Says that a field which is not repeated is there. */
static inline void set_present(const ProtobufCMessageDescriptor *type,
                               const ProtobufCFieldDescriptor *field, char *message)
{
    if (field->quantifier_offset) {
        uint32_t value = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ? field->id : 1;
        memcpy(message + field->quantifier_offset, &value, sizeof(value));
    }
    if (UNLIKELY(decode_is_required(field))) {
        unsigned index = (unsigned)(field - type->fields);
        *decode_seen(message, index) |= UINT64_C(1) << (index % 64);
    }
}

/* --- messages ----------------------------------------------------------------------------------
 */

/* A number of a known field, at |slot| of a message or of an array; false when it is unknown. */
static inline bool store_number(const ProtobufCFieldDescriptor *field, unsigned wire_type,
                                uint64_t value, char *slot)
{
    uint32_t value32 = (uint32_t)value;
    if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT)
        return store_varint(field, field->type, value, slot);
    if (field_layout(field->type).wire_type != wire_type)
        return false;
    if (wire_type == PROTOBUF_C_WIRE_TYPE_32BIT)
        memcpy(slot, &value32, sizeof(value32));
    else
        memcpy(slot, &value, sizeof(value));
    return true;
}

/* The message that the bytes of a field go into: one that is there is added to. */
static inline __attribute__((always_inline)) char *
inner_message(struct decoder *decoder, const ProtobufCMessageDescriptor *type,
              const ProtobufCFieldDescriptor *field, char *message, struct place place)
{
    char *inner;
    char *slot = message + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        slot = next_slot(decoder, field, message, sizeof(inner), place);
        if (!slot || !(inner = pgrpc__decode_new_message(decoder, field->descriptor)))
            return NULL;
        count_one(field, message);
    } else {
        memcpy(&inner, slot, sizeof(inner));
        if (LIKELY(!inner || inner == field->default_value ||
                   (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
                    field_uint32(message + field->quantifier_offset) != field->id))) {
            inner = pgrpc__decode_new_message(decoder, field->descriptor);
            if (!inner)
                return NULL;
        }
        set_present(type, field, message);
    }
    memcpy(slot, &inner, sizeof(inner));
    return inner;
}

/* The |len| bytes of a string or bytes field. */
static inline bool read_counted(struct decoder *decoder, const ProtobufCMessageDescriptor *type,
                                const ProtobufCFieldDescriptor *field, char *message,
                                const uint8_t *at, size_t len, struct place place)
{
    bool is_text = field->type == PROTOBUF_C_TYPE_STRING;
    bool is_repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    char *slot = message + field->offset;
    if (is_repeated) {
        slot = next_slot(decoder, field, message,
                         is_text ? sizeof(char *) : sizeof(ProtobufCBinaryData), place);
        if (!slot)
            return decode_fail(decoder, NULL);
    }
    if (is_text) {
        char *copy = arena_take8(decoder->arena, decode_round_up(len + 1));
        if (!copy)
            return decode_fail(decoder, NULL);
        if (!copy_text(decoder, field, copy, at, len))
            return false;
        memcpy(slot, &copy, sizeof(copy));
    } else {
        ProtobufCBinaryData bytes = {len, len > 0 ? (uint8_t *)(uintptr_t)at : NULL};
        memcpy(slot, &bytes, sizeof(bytes));
    }
    if (is_repeated)
        count_one(field, message);
    else
        set_present(type, field, message);
    return true;
}

/*
 * Where reading stopped: at something special, at the end of all (no level), or it failed
 * (neither). Special is what few messages have; it is read elsewhere, so that the others do not pay
 * for it: tags of groups, numbers of closed enums, ends of messages that have something due.
 */
struct stop {
    struct decode_level *level;
    const uint8_t *tag;
};

static inline bool is_special(const ProtobufCFieldDescriptor *field, unsigned wire_type)
{
    return wire_type == WIRE_TYPE_GROUP_START || wire_type == WIRE_TYPE_GROUP_END ||
           (field && field_is_closed(field) && wire_type == PROTOBUF_C_WIRE_TYPE_VARINT);
}

/* Reads from |at| on, in the message of |level|. */
static struct stop read_on(struct decoder *decoder, struct decode_level *level, const uint8_t *at)
{
    struct decode_level *const last_level = &decoder->levels[PROTOBUF_DEPTH_MAX];
    const ProtobufCFieldDescriptor *field = NULL;
    char *message = level->message;
    const ProtobufCMessageDescriptor *type = level->type;
    const uint8_t *end = level->end;
    unsigned due = level->due;

    for (;;) {
        while (at == end) {
            if (due == DECODE_DUE_REQUIRED) {
                if (!pgrpc__decode_has_required(type, message))
                    decoder->lacks_required = true;
            } else if (UNLIKELY(due)) {
                *level = (struct decode_level){message, type, NULL, end, due};
                return (struct stop){level, at};
            }
            if (level == decoder->levels)
                return (struct stop){NULL, end};
            level--;
            if (type->n_fields == 2 && decode_may_be_short(type, message) &&
                !pgrpc__decode_complete_entry(decoder, level->type, level->field, message,
                                              level + 1 < last_level))
                goto failed;
            message = level->message;
            type = level->type;
            end = level->end;
            due = level->due;
        }

        struct place place = {at, at, end};
        uint64_t tag = *at;
        field = NULL;
        if (tag < 0x80) {
            at++;
        } else {
            struct wire_number number = wire_uint32(at, end);
            at = number.next;
            tag = number.value;
            if (!at) {
                decoder->problem = pgrpc__wire_bad_tag;
                goto failed;
            }
        }
        place.at = at;
        uint32_t id = (uint32_t)tag >> 3;
        unsigned wire_type = tag & 7;
        if (id == 0) {
            decoder->problem = pgrpc__wire_bad_tag;
            goto failed;
        }
        field = find_field(type, id);

        uint64_t value;
        switch (wire_type) {
        case PROTOBUF_C_WIRE_TYPE_VARINT: {
            struct wire_number number = wire_varint(at, end);
            at = number.next;
            value = number.value;
            if (UNLIKELY(!at)) {
                decoder->problem = pgrpc__wire_bad_varint;
                goto failed;
            }
            break;
        }
        case PROTOBUF_C_WIRE_TYPE_64BIT:
            if (UNLIKELY(end - at < 8)) {
                decoder->problem = pgrpc__wire_truncated;
                goto failed;
            }
            value = wire_load64(at);
            at += 8;
            break;
        case PROTOBUF_C_WIRE_TYPE_32BIT:
            if (UNLIKELY(end - at < 4)) {
                decoder->problem = pgrpc__wire_truncated;
                goto failed;
            }
            value = wire_load32(at);
            at += 4;
            break;
        case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED: {
            struct wire_number number = wire_uint32(at, end);
            if (UNLIKELY(!number.next || number.value > (size_t)(end - number.next))) {
                decoder->problem = number.next ? pgrpc__wire_truncated : pgrpc__wire_bad_length;
                goto failed;
            }
            at = number.next;
            size_t part_len = (size_t)number.value;
            if (!field)
                goto unknown;
            if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
                if (UNLIKELY(field_is_delimited(field)))
                    goto unknown;
                char *inner = NULL;
                if (level == last_level)
                    decoder->problem = pgrpc__wire_too_deep;
                else
                    inner = inner_message(decoder, type, field, message, place);
                if (UNLIKELY(!inner))
                    goto failed;
                *level++ = (struct decode_level){message, type, field, end, due};
                message = inner;
                type = field->descriptor;
                end = at + part_len;
                due = due_of(decoder, type);
                continue;
            }
            if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES) {
                if (UNLIKELY(!read_counted(decoder, type, field, message, at, part_len, place)))
                    goto failed;
            } else if (field->label == PROTOBUF_C_LABEL_REPEATED) {
                if (UNLIKELY(!pgrpc__decode_packed(decoder, field, message, at, part_len)))
                    goto failed;
            } else {
                goto unknown;
            }
            at += part_len;
            continue;
        }
        default:
            goto unknown;
        }

        if (!field)
            goto unknown;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            struct field_layout layout = field_layout(field->type);
            if (layout.wire_type != wire_type || field_is_closed(field))
                goto unknown;
            char *slot = next_slot(decoder, field, message, layout.size, place);
            if (!slot)
                goto failed;
            store_number(field, wire_type, value, slot);
            count_one(field, message);
        } else {
            if (UNLIKELY(!store_number(field, wire_type, value, message + field->offset)))
                goto unknown;
            set_present(type, field, message);
        }
        continue;

    unknown:
        if (is_special(field, wire_type)) {
            *level = (struct decode_level){message, type, field, end, due};
            return (struct stop){level, place.tag};
        }
        at = pgrpc__wire_skip(place.at, end, wire_type, id, 0, &decoder->problem);
        if (!at || !pgrpc__decode_unknown(decoder, message, id, wire_type, place.at, at))
            goto failed;
    }

failed:
    level->message = message;
    level->type = type;
    level->field = field;
    decoder->depth = (unsigned)(level - decoder->levels);
    return (struct stop){NULL, NULL};
}

/* A message that is sent as a group. */
static bool begin_group(struct decoder *decoder, struct stop *stop, struct place place)
{
    struct decode_level *level = stop->level;
    if (level == &decoder->levels[PROTOBUF_DEPTH_MAX])
        return decode_fail(decoder, pgrpc__wire_too_deep);
    char *inner = inner_message(decoder, level->type, level->field, level->message, place);
    if (!inner)
        return false;
    level[1] = (struct decode_level){inner, level->field->descriptor, NULL, level->end, 0};
    level[1].due = DECODE_DUE_END_TAG | due_of(decoder, level[1].type);
    *stop = (struct stop){level + 1, place.at};
    return true;
}

/* A message with something due ends behind |at|. */
static bool end_message(struct decoder *decoder, struct stop *stop, const uint8_t *at)
{
    struct decode_level *level = stop->level;
    *stop = (struct stop){level > decoder->levels ? level - 1 : NULL, at};
    if (!pgrpc__decode_settle(decoder, level))
        return false;
    return !stop->level || level->type->n_fields != 2 ||
           pgrpc__decode_complete_entry(decoder, level[-1].type, level[-1].field, level->message,
                                        decoder->depth < PROTOBUF_DEPTH_MAX);
}

/* A number of a closed enum. */
static bool read_closed(struct decoder *decoder, const struct decode_level *level,
                        struct place place, struct wire_number number)
{
    const ProtobufCFieldDescriptor *field = level->field;
    int32_t value = (int32_t)(uint32_t)number.value;
    char *slot = level->message + field->offset;
    if (pgrpc__decode_is_nameless(field->descriptor, value))
        return pgrpc__decode_unknown(decoder, level->message, field->id,
                                     PROTOBUF_C_WIRE_TYPE_VARINT, place.at, number.next);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        slot = next_slot(decoder, field, level->message, sizeof(value), place);
        if (!slot)
            return false;
        count_one(field, level->message);
    } else {
        set_present(level->type, field, level->message);
    }
    memcpy(slot, &value, sizeof(value));
    return true;
}

/* What stands where reading stopped.  False with decoder->problem. */
static bool read_special(struct decoder *decoder, struct stop *stop)
{
    struct decode_level *level = stop->level;
    const ProtobufCFieldDescriptor *field = level->field;
    decoder->depth = (unsigned)(level - decoder->levels);
    if (stop->tag == level->end)
        return end_message(decoder, stop, stop->tag);

    const struct wire_number tag = wire_uint32(stop->tag, level->end);
    const struct place place = {stop->tag, tag.next, level->end};
    const uint32_t id = (uint32_t)tag.value >> 3;
    const unsigned wire_type = tag.value & 7;
    if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT) {
        struct wire_number number = wire_varint(place.at, place.end);
        stop->tag = number.next;
        return read_closed(decoder, level, place, number);
    }
    if (wire_type == WIRE_TYPE_GROUP_START && field && field_is_delimited(field))
        return begin_group(decoder, stop, place);
    if (wire_type == WIRE_TYPE_GROUP_END && level->due & DECODE_DUE_END_TAG) {
        if (level[-1].field->id != id)
            return decode_fail(decoder, pgrpc__wire_other_group);
        level->due &= ~(unsigned)DECODE_DUE_END_TAG;
        return end_message(decoder, stop, place.at);
    }
    stop->tag = pgrpc__wire_skip(place.at, place.end, wire_type, id,
                                 PROTOBUF_DEPTH_MAX - decoder->depth, &decoder->problem);
    return stop->tag &&
           pgrpc__decode_unknown(decoder, level->message, id, wire_type, place.at, stop->tag);
}

/* Reads |len| bytes into a new message; false with decoder->problem, and decoder->levels says
 * where: the problem is NULL when the arena refused. */
static bool read_message(struct decoder *decoder, const ProtobufCMessageDescriptor *type,
                         char *message, const uint8_t *at, size_t len)
{
    struct stop stop = {decoder->levels, at};
    *stop.level = (struct decode_level){message, type, NULL, at + len, due_of(decoder, type)};
    decoder->limit = at + len;
    for (;;) {
        stop = read_on(decoder, stop.level, stop.tag);
        if (!stop.level)
            return stop.tag != NULL;
        if (!read_special(decoder, &stop))
            return false;
        if (!stop.level)
            return true;
    }
}

enum pgrpc_code pgrpc__protobuf_decode(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                       size_t len, struct arena *arena, const void **message,
                                       const char **error)
{
    static const uint8_t nothing[1];
    struct decoder decoder;
    decoder.arena = arena;
    decoder.problem = NULL;
    decoder.depth = 0;
    decoder.lacks_required = false;
    memset(decoder.types, 0, sizeof(decoder.types));
    pgrpc__arena_align8(arena);
    char *read = pgrpc__decode_new_message(&decoder, type);
    bool is_read = read && read_message(&decoder, type, read, len > 0 ? data : nothing, len);
    if (is_read && decoder.lacks_required && pgrpc__decode_find_missing(&decoder, type, read, 0)) {
        decoder.problem = "a required field of a protobuf message is missing";
        is_read = false;
    }
    if (is_read) {
        *message = read;
        return PGRPC_OK;
    }
    if (decoder.problem) {
        *error = pgrpc__decode_describe(&decoder);
        return PGRPC_INTERNAL;
    }
    *error = arena->over_budget ? "the message needs more memory when decoded than its limit allows"
                                : "out of memory for a message";
    return PGRPC_RESOURCE_EXHAUSTED;
}
