#include "codec/codec.h"

#include <string.h>

/* The arena comes first: its address is the public one. */
struct own_arena {
    struct arena arena;
    struct pgrpc_allocator allocator;
};

struct pgrpc_arena *pgrpc_arena_new(const struct pgrpc_allocator *allocator, size_t max_bytes)
{
    if (!allocator)
        allocator = &pgrpc__default_allocator;
    struct own_arena *own = allocator->alloc(allocator->userdata, sizeof(*own));
    if (!own)
        return NULL;
    own->allocator = *allocator;
    pgrpc__arena_init(&own->arena, &own->allocator, NULL, 0);
    if (max_bytes > 0)
        own->arena.budget = max_bytes;
    return codec_arena(&own->arena);
}

void pgrpc_arena_free(struct pgrpc_arena *arena)
{
    struct own_arena *own = (struct own_arena *)(void *)arena;
    if (!own)
        return;
    struct pgrpc_allocator allocator = own->allocator;
    pgrpc__arena_clear(&own->arena);
    allocator.free(allocator.userdata, own);
}

void *pgrpc_arena_alloc(struct pgrpc_arena *arena, size_t size)
{
    return pgrpc__arena_alloc((struct arena *)(void *)arena, size);
}

static enum pgrpc_code raw_measure(const void *type, const void *message, size_t *len,
                                   const char **error)
{
    (void)type;
    const struct pgrpc_bytes *bytes = message;
    if (!bytes || (!bytes->data && bytes->len > 0)) {
        *error = bytes ? "the message has a length, but no data" : "the message is NULL";
        return PGRPC_INTERNAL;
    }
    *len = bytes->len;
    return PGRPC_OK;
}

static void raw_encode(const void *type, const void *message, uint8_t *data, size_t len)
{
    (void)type;
    if (len > 0)
        memcpy(data, ((const struct pgrpc_bytes *)message)->data, len);
}

static enum pgrpc_code raw_decode(const void *type, const uint8_t *data, size_t len,
                                  struct pgrpc_arena *arena, const void **message,
                                  const char **error)
{
    (void)type;
    struct pgrpc_bytes *bytes = pgrpc_arena_alloc(arena, sizeof(*bytes));
    if (!bytes) {
        *error = "out of memory for a message";
        return PGRPC_RESOURCE_EXHAUSTED;
    }
    bytes->data = data;
    bytes->len = len;
    *message = bytes;
    return PGRPC_OK;
}

const struct pgrpc_codec pgrpc_codec_raw = {
    .size = sizeof(struct pgrpc_codec),
    .name = "raw",
    .measure = raw_measure,
    .encode = raw_encode,
    .decode = raw_decode,
};

const struct pgrpc_codec *pgrpc__codec_find(const char *name, size_t len)
{
    if (len == 0 || (len == 5 && memcmp(name, "proto", 5) == 0))
        return &pgrpc_codec_proto;
    if (len == 3 && memcmp(name, "raw", 3) == 0)
        return &pgrpc_codec_raw;
    return NULL;
}
