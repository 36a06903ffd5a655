#include "codec/protobuf.h"

#include "codec/protobuf_field.h"
#include "codec/protobuf_wire.h"

/*
 * Messages are written from their end to their start: when a length has to be written, what it
 * counts stands there already, so that sizes need neither be remembered from measuring nor computed
 * again.  Each function writes in front of |end| and returns the start of what it wrote.
 */

static inline uint8_t *put_varint(uint8_t *end, uint64_t value)
{
    if (value < 0x80) {
        *--end = (uint8_t)value;
        return end;
    }
    uint8_t *start = end - varint_len(value);
    uint8_t *output = start;
    for (; value >= 0x80; value >>= 7)
        *output++ = (uint8_t)(value | 0x80);
    *output = (uint8_t)value;
    return start;
}

static uint8_t *put_tag(uint8_t *end, uint32_t id, unsigned wire_type)
{
    return put_varint(end, (uint64_t)id << 3 | wire_type);
}

static uint8_t *put_bytes(uint8_t *end, const void *data, size_t len)
{
    end -= len;
    if (len > 0)
        memcpy(end, data, len);
    return end;
}

static uint8_t *put_fixed32(uint8_t *end, const void *member)
{
    uint32_t value = field_uint32(member);
    if (!is_little_endian)
        value = __builtin_bswap32(value);
    return put_bytes(end, &value, sizeof(value));
}

static uint8_t *put_fixed64(uint8_t *end, const void *member)
{
    uint64_t value = field_uint64(member);
    if (!is_little_endian)
        value = __builtin_bswap64(value);
    return put_bytes(end, &value, sizeof(value));
}

static uint8_t *put_message(uint8_t *end, const ProtobufCMessageDescriptor *type,
                            const void *message);

/* One string, bytes or message, with its length. */
static uint8_t *put_counted(uint8_t *end, const ProtobufCFieldDescriptor *field, const void *value)
{
    uint8_t *start;
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *bytes = value;
        start = put_bytes(end, bytes->data, bytes->len);
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = field_pointer(value);
        start = put_bytes(end, text, strlen(text));
    } else {
        start = put_message(end, field->descriptor, field_pointer(value));
    }
    return put_varint(start, (uint64_t)(end - start));
}

static uint8_t *put_values(uint8_t *end, const ProtobufCFieldDescriptor *field,
                           struct field_values values)
{
    struct field_layout layout = field_layout(field->type);
    bool is_packed = field_is_packed(field);
    uint8_t *start = end;
    if (is_packed && layout.wire_type != PROTOBUF_C_WIRE_TYPE_VARINT && is_little_endian) {
        start = put_bytes(end, values.first, values.count * layout.size);
        values.count = 0;
    }
    for (size_t i = values.count; i > 0; i--) {
        const char *value = values.first + (i - 1) * layout.size;
        switch (layout.wire_type) {
        case PROTOBUF_C_WIRE_TYPE_VARINT:
            start = put_varint(start, field_varint(field->type, value));
            break;
        case PROTOBUF_C_WIRE_TYPE_32BIT:
            start = put_fixed32(start, value);
            break;
        case PROTOBUF_C_WIRE_TYPE_64BIT:
            start = put_fixed64(start, value);
            break;
        default:
            start = put_counted(start, field, value);
        }
        if (!is_packed)
            start = put_tag(start, field->id, layout.wire_type);
    }
    if (is_packed) {
        start = put_varint(start, (uint64_t)(end - start));
        start = put_tag(start, field->id, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
    }
    return start;
}

static uint8_t *put_message(uint8_t *end, const ProtobufCMessageDescriptor *type,
                            const void *message)
{
    const ProtobufCMessage *base = message;
    for (unsigned i = base->n_unknown_fields; i > 0; i--) {
        const ProtobufCMessageUnknownField *unknown = &base->unknown_fields[i - 1];
        end = put_bytes(end, unknown->data, unknown->len);
        end = put_tag(end, unknown->tag, unknown->wire_type);
    }
    for (unsigned i = type->n_fields; i > 0; i--) {
        const ProtobufCFieldDescriptor *field = &type->fields[i - 1];
        struct field_values values = field_values(field, message);
        if (values.count > 0)
            end = put_values(end, field, values);
    }
    return end;
}

void pgrpc__protobuf_encode(const ProtobufCMessageDescriptor *type, const void *message,
                            uint8_t *data, size_t len)
{
    put_message(data + len, type, message);
}
