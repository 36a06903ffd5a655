/*
 * google.protobuf.Any: a message with the name of its type, over the application's own generated
 * type:
 *
 *     protoc --picogrpc_out=DIR google/protobuf/any.proto
 *
 * and DIR among the include folders.  A type URL is anything, a slash and the full name of the
 * message; only what follows the last slash counts.  Bytes are decoded by pgrpc_codec_proto, which
 * trusts nothing.  Any thread, one at a time for an arena.  Source: google/protobuf/any.proto.
 */
#ifndef PICOGRPC_WELL_KNOWN_ANY_H
#define PICOGRPC_WELL_KNOWN_ANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "google/protobuf/any.pb-c.h"
#include "picogrpc/codec.h"
#include "picogrpc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether |any| says that it holds a |type|. */
static inline bool pgrpc_any_is(const Google__Protobuf__Any *any,
                                const ProtobufCMessageDescriptor *type)
{
    const char *slash = any->type_url ? strrchr(any->type_url, '/') : NULL;
    return slash && strcmp(slash + 1, type->name) == 0;
}

/*
 * Sets type_url ("type.googleapis.com/NAME") and value of |any| and nothing else of it; both live
 * in |arena|.
 *   PGRPC_INTERNAL            |message| cannot be encoded: see codec.h
 *   PGRPC_RESOURCE_EXHAUSTED  the arena refused, or the message is too large for the format
 */
static inline enum pgrpc_code pgrpc_any_pack(const ProtobufCMessageDescriptor *type,
                                             const void *message, struct pgrpc_arena *arena,
                                             Google__Protobuf__Any *any)
{
    static const char prefix[] = "type.googleapis.com/";
    size_t prefix_len = sizeof(prefix) - 1, name_len = strlen(type->name), len = 0;
    const char *error = NULL;
    enum pgrpc_code code = pgrpc_codec_proto.measure(type, message, &len, &error);
    if (code != PGRPC_OK)
        return code;
    char *url = (char *)pgrpc_arena_alloc(arena, prefix_len + name_len + 1);
    uint8_t *data = (uint8_t *)pgrpc_arena_alloc(arena, len > 0 ? len : 1);
    if (!url || !data)
        return PGRPC_RESOURCE_EXHAUSTED;
    memcpy(url, prefix, prefix_len);
    memcpy(url + prefix_len, type->name, name_len + 1);
    pgrpc_codec_proto.encode(type, message, data, len);
    any->type_url = url;
    any->value.data = data;
    any->value.len = len;
    return PGRPC_OK;
}

/*
 * Decodes the message in |any| into |arena|.  It may point into any->value, whose bytes must live
 * as long as it does.
 *
 *   PGRPC_INVALID_ARGUMENT    |any| holds another type
 *   PGRPC_INTERNAL            its bytes are not a |type|
 *   PGRPC_RESOURCE_EXHAUSTED  the arena refused
 */
static inline enum pgrpc_code pgrpc_any_unpack(const Google__Protobuf__Any *any,
                                               const ProtobufCMessageDescriptor *type,
                                               struct pgrpc_arena *arena, const void **message)
{
    const char *error = NULL;
    if (!pgrpc_any_is(any, type))
        return PGRPC_INVALID_ARGUMENT;
    return pgrpc_codec_proto.decode(type, any->value.data, any->value.len, arena, message, &error);
}

#ifdef __cplusplus
}
#endif
#endif
