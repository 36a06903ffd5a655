/*
 * google.protobuf.FieldMask: names of fields, "a" or "a.b.c", over the application's own generated
 * type:
 *
 *     protoc --picogrpc_out=DIR google/protobuf/field_mask.proto
 *
 * and DIR among the include folders.  Any thread.  Source: google/protobuf/field_mask.proto.
 */
#ifndef PICOGRPC_WELL_KNOWN_FIELD_MASK_H
#define PICOGRPC_WELL_KNOWN_FIELD_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "google/protobuf/field_mask.pb-c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether |mask| names |path| or a message that |path| is in: "a" and "a.b" contain "a.b". */
static inline bool pgrpc_field_mask_contains(const Google__Protobuf__FieldMask *mask,
                                             const char *path)
{
    for (size_t i = 0; i < mask->n_paths; i++) {
        size_t len = strlen(mask->paths[i]);
        if (len > 0 && strncmp(mask->paths[i], path, len) == 0 &&
            (path[len] == '\0' || path[len] == '.'))
            return true;
    }
    return false;
}

/*
 * Whether |path| leads from a |type| to one of its fields.  Only messages that are not repeated
 * have fields a path can go on to.  False for a type that was generated without names of fields
 * (option optimize_for = CODE_SIZE).
 */
static inline bool pgrpc_field_mask_path_is_valid(const char *path,
                                                  const ProtobufCMessageDescriptor *type)
{
    for (;;) {
        size_t len = strcspn(path, ".");
        const ProtobufCFieldDescriptor *field = NULL;
        for (unsigned i = 0; i < type->n_fields && !field; i++) {
            const char *name = type->fields[i].name;
            if (name && strncmp(name, path, len) == 0 && name[len] == '\0')
                field = &type->fields[i];
        }
        if (!field)
            return false;
        if (path[len] == '\0')
            return true;
        if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label == PROTOBUF_C_LABEL_REPEATED)
            return false;
        type = (const ProtobufCMessageDescriptor *)field->descriptor;
        path += len + 1;
    }
}

/* Whether every path of |mask|, which a peer may have sent, leads from a |type| to a field. */
static inline bool pgrpc_field_mask_is_valid(const Google__Protobuf__FieldMask *mask,
                                             const ProtobufCMessageDescriptor *type)
{
    for (size_t i = 0; i < mask->n_paths; i++)
        if (!pgrpc_field_mask_path_is_valid(mask->paths[i], type))
            return false;
    return true;
}

#ifdef __cplusplus
}
#endif
#endif
