#include "codec/protobuf.h"

#include "codec/protobuf_field.h"

/*
 * Messages are written from their end to their start: when a length has to be written, what it
 * counts stands there already, so that sizes need neither be remembered from measuring nor computed
 * again.  Each function writes in front of |end| and returns the start of what it wrote.
 */

static const bool is_little_endian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

static uint8_t *put_varint(uint8_t *end, uint64_t value)
{
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
    uint32_t value = *(const uint32_t *)member;
    for (unsigned i = 0; i < 4; i++)
        end[(int)i - 4] = (uint8_t)(value >> 8 * i);
    return end - 4;
}

static uint8_t *put_fixed64(uint8_t *end, const void *member)
{
    uint64_t value = *(const uint64_t *)member;
    for (unsigned i = 0; i < 8; i++)
        end[(int)i - 8] = (uint8_t)(value >> 8 * i);
    return end - 8;
}

static uint8_t *put_message(uint8_t *end, const ProtobufCMessageDescriptor *type,
                            const void *message);

/* A value without its tag. */
static uint8_t *put_value(uint8_t *end, const ProtobufCFieldDescriptor *field, const void *member)
{
    switch (field_layout(field->type).wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return put_varint(end, field_varint(field->type, member));
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return put_fixed64(end, member);
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return put_fixed32(end, member);
    default:
        break;
    }
    uint8_t *start;
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *bytes = member;
        start = put_bytes(end, bytes->data, bytes->len);
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = field_pointer(member);
        start = put_bytes(end, text, strlen(text));
    } else {
        start = put_message(end, field->descriptor, field_pointer(member));
    }
    return put_varint(start, (uint64_t)(end - start));
}

static uint8_t *put_repeated(uint8_t *end, const ProtobufCFieldDescriptor *field,
                             const void *message)
{
    size_t count = *(const size_t *)field_at(message, field->quantifier_offset);
    const char *values = field_pointer(field_at(message, field->offset));
    struct field_layout layout = field_layout(field->type);
    if (count == 0)
        return end;

    uint8_t *start = end;
    if (!field_is_packed(field)) {
        for (size_t i = count; i > 0; i--) {
            start = put_value(start, field, values + (i - 1) * layout.size);
            start = put_tag(start, field->id, layout.wire_type);
        }
        return start;
    }
    if (is_little_endian && layout.wire_type != PROTOBUF_C_WIRE_TYPE_VARINT)
        start = put_bytes(start, values, count * layout.size);
    else
        for (size_t i = count; i > 0; i--)
            start = put_value(start, field, values + (i - 1) * layout.size);
    start = put_varint(start, (uint64_t)(end - start));
    return put_tag(start, field->id, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
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
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            end = put_repeated(end, field, message);
        } else if (field_is_present(field, message)) {
            end = put_value(end, field, field_at(message, field->offset));
            end = put_tag(end, field->id, field_layout(field->type).wire_type);
        }
    }
    return end;
}

void pgrpc__protobuf_encode(const ProtobufCMessageDescriptor *type, const void *message,
                            uint8_t *data, size_t len)
{
    put_message(data + len, type, message);
}
