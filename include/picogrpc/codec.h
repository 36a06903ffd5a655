/*
 * Codecs turn messages into bytes and back.  The codec of a call follows from its content-subtype:
 * "proto" (protobuf-c, the default) and "raw" (struct pgrpc_bytes: proxies, tests, other
 * serialisers) are built in; an application may register others.
 *
 * "proto" refuses, with a text that names the field: messages nested more than 100 deep, strings
 * that are not UTF-8 or that hold a NUL (a C string cannot), and what takes more memory when
 * decoded than 16 times the largest message allowed.  Fields that are unknown or of another wire
 * type are kept as unknown fields; what groups and other features ask for is at PGRPC_FIELD_...
 * below.  Bytes and unknown fields of a received message point into what was received.  An entry of
 * a map has a key and a value also when the peer left them out. A message to send may be zeroed
 * instead of initialised; a NULL in a repeated field or a required one is refused.
 */
#ifndef PICOGRPC_CODEC_H
#define PICOGRPC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picogrpc/allocator.h"
#include "picogrpc/export.h"
#include "picogrpc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Features of protobuf that protobuf-c has no word for, in ProtobufCFieldDescriptor.flags, where
 * generated code sets them.  protobuf-c's own functions do not look at them: they write a group as
 * another message and do not read it.
 */

/* The message is sent as a group: of proto2, or message_encoding = DELIMITED.  One that comes with
 * a length is an unknown field. */
#define PGRPC_FIELD_DELIMITED (UINT32_C(1) << 27)
/* A number that the enum has no name for becomes an unknown field (enum_type = CLOSED). */
#define PGRPC_FIELD_CLOSED_ENUM (UINT32_C(1) << 28)
/* The same of the value in an entry of a map: the whole entry becomes an unknown field. */
#define PGRPC_FIELD_CLOSED_VALUE (UINT32_C(1) << 29)
/* The string need not be UTF-8 (utf8_validation = NONE); a NUL is refused all the same. */
#define PGRPC_FIELD_NO_UTF8_CHECK (UINT32_C(1) << 30)

/* The message of the "raw" codec. */
struct pgrpc_bytes {
    const void *data;
    size_t len;
};

/*
 * Memory that dies at once.  Calls bring their own; one made here is for messages outside of calls:
 * a codec called by hand, the helpers in <picogrpc/well_known/...>.  One thread at a time.
 */
struct pgrpc_arena;
/*
 * An arena that hands out at most |max_bytes| (0: no limit), so that bytes from elsewhere cannot
 * make it grow at will.  |allocator| is copied; NULL means malloc and free.  NULL when out of
 * memory.
 */
PGRPC_API struct pgrpc_arena *pgrpc_arena_new(const struct pgrpc_allocator *allocator,
                                              size_t max_bytes);
/* Frees an arena that was made by pgrpc_arena_new and all that came from it. Accepts NULL. */
PGRPC_API void pgrpc_arena_free(struct pgrpc_arena *arena);
/* |size| bytes aligned to 16 that live as long as the decoded message; NULL when the message's
 * budget is used up or memory ran out. */
PGRPC_API void *pgrpc_arena_alloc(struct pgrpc_arena *arena, size_t size);

/*
 * Measures and encodes at once, into |arena|: *data are the *len bytes.  False when measure would
 * object, which is then asked why, or when the arena refused.
 */
typedef bool pgrpc_serialize_fn(const void *type, const void *message, struct pgrpc_arena *arena,
                                const uint8_t **data, size_t *len);

/*
 * A codec.  All functions may be called from several threads at once; |type| is what the method
 * descriptor names (for protobuf-c a ProtobufCMessageDescriptor).  The struct must outlive
 * everything that uses it.
 */
struct pgrpc_codec {
    size_t size;      /* sizeof(struct pgrpc_codec) */
    const char *name; /* content-subtype: lower case letters, digits, '-' and '_' */
    /* Bytes that encode will write. PGRPC_INTERNAL with a static text in *error when |message|
     * cannot be encoded, PGRPC_RESOURCE_EXHAUSTED when it is larger than the format allows. */
    enum pgrpc_code (*measure)(const void *type, const void *message, size_t *len,
                               const char **error);
    /* Writes exactly the |len| bytes that measure said. */
    void (*encode)(const void *type, const void *message, uint8_t *data, size_t len);
    /*
     * Makes a message in |arena| from bytes that live as long as the arena (it may point into
     * them). PGRPC_INTERNAL: malformed; PGRPC_RESOURCE_EXHAUSTED: the arena refused; |error| gets a
     * text that lives as long as the arena, or for ever.
     */
    enum pgrpc_code (*decode)(const void *type, const uint8_t *data, size_t len,
                              struct pgrpc_arena *arena, const void **message, const char **error);
    pgrpc_serialize_fn *serialize; /* or NULL */
};

/* The two built-in codecs. */
PGRPC_API extern const struct pgrpc_codec pgrpc_codec_proto;
PGRPC_API extern const struct pgrpc_codec pgrpc_codec_raw;

#ifdef __cplusplus
}
#endif
#endif
