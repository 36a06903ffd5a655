#include "codec/protobuf.h"

#include "codec/protobuf_field.h"
#include "wire/utf8.h"

static const char too_large[] = "protobuf message is 2 GiB or larger";

/* NULL, or the objection. Recursion ends at PROTOBUF_DEPTH_MAX, and at 2 GiB. */
static const char *measure_message(const ProtobufCMessageDescriptor *type, const void *message,
                                   unsigned depth, uint64_t *len);

/* Adds what follows the tag of a value that has a length. */
static const char *measure_counted(const ProtobufCFieldDescriptor *field, const void *member,
                                   unsigned depth, uint64_t *total)
{
    uint64_t len = 0;
    const char *objection = NULL;
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *bytes = member;
        if (!bytes->data && bytes->len > 0)
            return "a bytes field has a length, but its data is NULL";
        len = bytes->len;
    } else if (!field_pointer(member)) {
        return field->label == PROTOBUF_C_LABEL_REPEATED ? "an element of a repeated field is NULL"
                                                         : "a required field is NULL";
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = field_pointer(member);
        len = strlen(text);
        if (pgrpc__utf8_valid_len(text, (size_t)len) < len)
            return "a string field is not valid UTF-8";
    } else {
        objection = measure_message(field->descriptor, field_pointer(member), depth + 1, &len);
    }
    if (!objection && len > INT32_MAX)
        return too_large;
    *total += varint_len(len) + len;
    return objection;
}

static const char *measure_value(const ProtobufCFieldDescriptor *field, const void *member,
                                 unsigned depth, uint64_t *total)
{
    switch (field_layout(field->type).wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        *total += varint_len(field_varint(field->type, member));
        return NULL;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        *total += 8;
        return NULL;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        *total += 4;
        return NULL;
    default:
        return measure_counted(field, member, depth, total);
    }
}

static const char *measure_repeated(const ProtobufCFieldDescriptor *field, const void *message,
                                    unsigned depth, uint64_t *total)
{
    size_t count = *(const size_t *)field_at(message, field->quantifier_offset);
    const char *values = field_pointer(field_at(message, field->offset));
    if (count == 0)
        return NULL;
    if (!values)
        return "a repeated field has a count, but its array is NULL";
    if (count > INT32_MAX)
        return too_large;

    struct field_layout layout = field_layout(field->type);
    uint64_t len = 0;
    if (layout.wire_type == PROTOBUF_C_WIRE_TYPE_64BIT ||
        layout.wire_type == PROTOBUF_C_WIRE_TYPE_32BIT) {
        len = (uint64_t)count * layout.size;
    } else {
        for (size_t i = 0; i < count; i++) {
            const char *objection = measure_value(field, values + i * layout.size, depth, &len);
            if (objection)
                return objection;
            if (len > INT32_MAX)
                return too_large;
        }
    }
    *total += len;
    *total += field_is_packed(field) ? tag_len(field) + varint_len(len) : count * tag_len(field);
    return NULL;
}

/* One type has two descriptors when two libraries carry the same generated file. */
static bool is_of_type(const ProtobufCMessage *message, const ProtobufCMessageDescriptor *type)
{
    const ProtobufCMessageDescriptor *given = message->descriptor;
    if (!given || given == type)
        return true;
    return given->sizeof_message == type->sizeof_message && given->name && type->name &&
           strcmp(given->name, type->name) == 0;
}

static const char *measure_message(const ProtobufCMessageDescriptor *type, const void *message,
                                   unsigned depth, uint64_t *len)
{
    const ProtobufCMessage *base = message;
    if (depth > PROTOBUF_DEPTH_MAX)
        return "protobuf message is nested too deeply, or holds itself";
    if (!is_of_type(base, type))
        return "protobuf message is of another type than the field or method asks for";

    uint64_t total = 0;
    const char *objection = NULL;
    for (unsigned i = 0; i < type->n_fields && !objection && total <= INT32_MAX; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            objection = measure_repeated(field, message, depth, &total);
        } else if (field_is_present(field, message)) {
            total += tag_len(field);
            objection = measure_value(field, field_at(message, field->offset), depth, &total);
        }
    }
    for (unsigned i = 0; i < base->n_unknown_fields && !objection && total <= INT32_MAX; i++) {
        const ProtobufCMessageUnknownField *unknown = &base->unknown_fields[i];
        if (!unknown->data && unknown->len > 0)
            objection = "an unknown field has a length, but its data is NULL";
        else if (unknown->len > INT32_MAX)
            objection = too_large;
        else
            total += varint_len((uint64_t)unknown->tag << 3) + unknown->len;
    }
    *len = total;
    return objection ? objection : total > INT32_MAX ? too_large : NULL;
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
