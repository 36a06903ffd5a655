/* Codecs by content-subtype, and how the rest of the library calls them. */
#ifndef PGRPC__CODEC_CODEC_H
#define PGRPC__CODEC_CODEC_H

#include "base/arena.h"
#include "picogrpc/codec.h"

/* The public arena is the private one. */
static inline struct pgrpc_arena *codec_arena(struct arena *arena)
{
    return (struct pgrpc_arena *)(void *)arena;
}

/* codec->serialize, or NULL: also when the codec was built before there was one. */
static inline pgrpc_serialize_fn *codec_serializer(const struct pgrpc_codec *codec)
{
    bool has_one =
        codec->size >= offsetof(struct pgrpc_codec, serialize) + sizeof(codec->serialize);
    return has_one ? codec->serialize : NULL;
}

/* A decoded message may use this many times the maximum message size. */
enum { CODEC_BUDGET_FACTOR = 16 };

/* "proto", "raw" or NULL/"" (proto); NULL when unknown. |name| need not be terminated. */
const struct pgrpc_codec *pgrpc__codec_find(const char *name, size_t len);

#endif
