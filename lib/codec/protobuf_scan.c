#include "codec/protobuf.h"

#include "wire/utf8.h"

enum { VARINT_MAX = 10, LENGTH_BYTES_MAX = 5, TAG_BYTES_MAX = 5 };

/* A message that is left for one inside it. */
struct level {
    const ProtobufCMessageDescriptor *type;
    const ProtobufCFieldDescriptor *field;
    const uint8_t *end;
};

static const char truncated[] = "malformed protobuf message: truncated";
static const char bad_tag[] = "malformed protobuf message: bad tag";

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type,
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

/* Reads a varint of at most |max| bytes that fits 32 bits; NULL when there is none. */
static const uint8_t *read_uint32(const uint8_t *at, const uint8_t *end, unsigned max,
                                  uint32_t *value)
{
    uint64_t result = 0;
    for (unsigned i = 0; i < max && at < end; i++) {
        result |= (uint64_t)(*at & 0x7F) << (7 * i);
        if (!(*at++ & 0x80)) {
            *value = (uint32_t)result;
            return result <= UINT32_MAX ? at : NULL;
        }
    }
    return NULL;
}

static const char *check_text(const uint8_t *text, size_t len)
{
    size_t valid_len = pgrpc__utf8_text_len(text, len);
    if (valid_len == len)
        return NULL;
    return text[valid_len] == 0 ? "a protobuf string holds a NUL byte, which a C string cannot"
                                : "a protobuf string is not valid UTF-8";
}

const char *pgrpc__protobuf_scan(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                 size_t len)
{
    struct level levels[PROTOBUF_DEPTH_MAX];
    unsigned depth = 0;
    const ProtobufCFieldDescriptor *field = type->fields; /* the last one seen: the next is near */
    const uint8_t *at = data;
    if (len == 0)
        return NULL;
    const uint8_t *end = data + len;

    for (;;) {
        while (at == end) {
            if (depth == 0)
                return NULL;
            depth--;
            type = levels[depth].type;
            field = levels[depth].field;
            end = levels[depth].end;
        }

        uint32_t tag = *at;
        if (tag < 0x80)
            at++;
        else if (!(at = read_uint32(at, end, TAG_BYTES_MAX, &tag)))
            return bad_tag;
        uint32_t id = tag >> 3;
        if (id == 0)
            return bad_tag;

        switch (tag & 7) {
        case PROTOBUF_C_WIRE_TYPE_VARINT: {
            const uint8_t *start = at;
            while (at < end && *at >= 0x80)
                at++;
            if (at == end || at - start >= VARINT_MAX)
                return "malformed protobuf message: bad varint";
            at++;
            continue;
        }
        case PROTOBUF_C_WIRE_TYPE_64BIT:
            if (end - at < 8)
                return truncated;
            at += 8;
            continue;
        case PROTOBUF_C_WIRE_TYPE_32BIT:
            if (end - at < 4)
                return truncated;
            at += 4;
            continue;
        case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
            break;
        case 3:
        case 4:
            return "protobuf message holds a group, which is not supported";
        default:
            return bad_tag;
        }

        uint32_t part_len;
        if (at < end && *at < 0x80)
            part_len = *at++;
        else if (!(at = read_uint32(at, end, LENGTH_BYTES_MAX, &part_len)))
            return "malformed protobuf message: bad length";
        if (part_len > (size_t)(end - at))
            return truncated;

        const ProtobufCFieldDescriptor *known = field;
        if (!known || known->id != id) {
            if (known && known + 1 < type->fields + type->n_fields && known[1].id == id)
                known = &known[1];
            else
                known = find_field(type, id);
            if (known)
                field = known;
        }
        if (known && known->type == PROTOBUF_C_TYPE_STRING) {
            const char *objection = check_text(at, part_len);
            if (objection)
                return objection;
        } else if (known && known->type == PROTOBUF_C_TYPE_MESSAGE) {
            /* protobuf-c's own initialiser then has put a string's default where a message is
             * looked for. */
            if (!type->message_init && (known->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
                return "a oneof in a message type without init helper: generate it with "
                       "gen_init_helpers";
            if (depth == PROTOBUF_DEPTH_MAX)
                return "protobuf message is nested too deeply";
            levels[depth++] = (struct level){type, field, end};
            type = known->descriptor;
            field = type->fields;
            end = at + part_len;
            continue;
        }
        at += part_len;
    }
}
