#include "features.h"

#include <stdlib.h>
#include <string.h>

#include <picogrpc/codec.h>

enum { TYPES_MAX = 32, FIELDS_MAX = 16 };

static struct changed {
    const ProtobufCMessageDescriptor *original;
    ProtobufCMessageDescriptor type;
    ProtobufCFieldDescriptor fields[FIELDS_MAX];
} changed[TYPES_MAX];
static unsigned changed_count;

static int is_entry(const ProtobufCMessageDescriptor *type)
{
    size_t len = strlen(type->name);
    return len > 5 && strcmp(type->name + len - 5, "Entry") == 0;
}

const ProtobufCMessageDescriptor *with_features(const ProtobufCMessageDescriptor *type)
{
    for (unsigned i = 0; i < changed_count; i++)
        if (changed[i].original == type)
            return &changed[i].type;
    if (changed_count == TYPES_MAX || type->n_fields > FIELDS_MAX)
        abort();
    struct changed *one = &changed[changed_count++];
    one->original = type;
    one->type = *type;
    one->type.fields = type->fields ? one->fields : NULL;
    for (unsigned i = 0; i < type->n_fields; i++) {
        ProtobufCFieldDescriptor *field = &one->fields[i];
        *field = type->fields[i];
        if (field->type == PROTOBUF_C_TYPE_MESSAGE)
            field->descriptor = with_features(field->descriptor);
        if (field->type == PROTOBUF_C_TYPE_STRING)
            field->flags |= PGRPC_FIELD_NO_UTF8_CHECK;
        if (field->type == PROTOBUF_C_TYPE_ENUM)
            field->flags |= is_entry(type) ? PGRPC_FIELD_CLOSED_VALUE : PGRPC_FIELD_CLOSED_ENUM;
    }
    return &one->type;
}
