#include "codec/protobuf.h"

#include "codec/protobuf_field.h"
#include "wire/utf8.h"

static const char too_large[] = "protobuf message is 2 GiB or larger";

/* Recursion ends at PROTOBUF_DEPTH_MAX, and at 2 GiB. NULL, or the objection. */
static const char *measure_message(const ProtobufCMessageDescriptor *type, const void *message,
                                   unsigned depth, uint64_t *len);

/* The length of one string, bytes or message. */
static const char *measure_counted(const ProtobufCFieldDescriptor *field, const void *value,
                                   unsigned depth, uint64_t *len)
{
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *bytes = value;
        *len = bytes->len;
        return !bytes->data && bytes->len > 0 ? "a bytes field has a length, but its data is NULL"
                                              : NULL;
    }
    const void *pointer = field_pointer(value);
    if (!pointer)
        return field->label == PROTOBUF_C_LABEL_REPEATED ? "an element of a repeated field is NULL"
                                                         : "a required field is NULL";
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return measure_message(field->descriptor, pointer, depth + 1, len);
    size_t text_len = strlen(pointer);
    *len = text_len;
    return field_is_checked(field) && pgrpc__utf8_valid_len(pointer, text_len) < text_len
               ? "a string field is not valid UTF-8"
               : NULL;
}

/* The length of the values of a field, without tags and without the length of a packed field. */
static const char *measure_values(const ProtobufCFieldDescriptor *field, struct field_values values,
                                  unsigned depth, uint64_t *len)
{
    struct field_layout layout = field_layout(field->type);
    uint64_t total = 0;
    switch (layout.wire_type) {
    case PROTOBUF_C_WIRE_TYPE_32BIT:
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        total = (uint64_t)values.count * layout.size;
        break;
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        for (size_t i = 0; i < values.count; i++)
            total += varint_len(field_varint(field->type, values.first + i * layout.size));
        break;
    default:
        for (size_t i = 0; i < values.count && total <= INT32_MAX; i++) {
            uint64_t value_len = 0;
            const char *objection =
                measure_counted(field, values.first + i * layout.size, depth, &value_len);
            if (objection)
                return objection;
            if (value_len > INT32_MAX)
                return too_large;
            /* Behind a group stands another tag instead of a length in front. */
            total += varint_len(field_is_delimited(field) ? (uint64_t)field->id << 3 : value_len) +
                     value_len;
        }
    }
    *len = total;
    return NULL;
}

static const char *measure_unknown(const ProtobufCMessageUnknownField *unknown, uint64_t *len)
{
    *len = varint_len((uint64_t)unknown->tag << 3) + unknown->len;
    if (!unknown->data && unknown->len > 0)
        return "an unknown field has a length, but its data is NULL";
    return unknown->len > INT32_MAX ? too_large : NULL;
}

static const char *measure_message(const ProtobufCMessageDescriptor *type, const void *message,
                                   unsigned depth, uint64_t *len)
{
    const ProtobufCMessage *base = message;
    if (depth > PROTOBUF_DEPTH_MAX)
        return "protobuf message is nested too deeply, or holds itself";
    if (!field_is_of_type(base, type))
        return "protobuf message is of another type than the field or method asks for";

    uint64_t total = 0, part;
    for (unsigned i = 0; i < type->n_fields && total <= INT32_MAX; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        struct field_values values = field_values(field, message);
        if (values.count == 0)
            continue;
        if (!values.first)
            return "a repeated field has a count, but its array is NULL";
        if (values.count > INT32_MAX)
            return too_large;
        const char *objection = measure_values(field, values, depth, &part);
        if (objection)
            return objection;
        uint64_t tag_len = varint_len((uint64_t)field->id << 3);
        total += part + (field_is_packed(field) ? tag_len + varint_len(part)
                                                : tag_len * (uint64_t)values.count);
    }
    for (unsigned i = 0; i < base->n_unknown_fields && total <= INT32_MAX; i++) {
        const char *objection = measure_unknown(&base->unknown_fields[i], &part);
        if (objection)
            return objection;
        total += part;
    }
    *len = total;
    return total > INT32_MAX ? too_large : NULL;
}

enum pgrpc_code pgrpc__protobuf_measure(const ProtobufCMessageDescriptor *type, const void *message,
                                        size_t *len, const char **error)
{
    uint64_t total;
    const char *objection =
        message ? measure_message(type, message, 0, &total) : "the message is NULL";
    if (objection) {
        *error = objection;
        return objection == too_large ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_INTERNAL;
    }
    *len = (size_t)total;
    return PGRPC_OK;
}
