#include "codec/protobuf.h"

#include "codec/codec.h"

static enum pgrpc_code measure(const void *type, const void *message, size_t *len,
                               const char **error)
{
    return pgrpc__protobuf_measure(type, message, len, error);
}

static void encode(const void *type, const void *message, uint8_t *data, size_t len)
{
    pgrpc__protobuf_encode(type, message, data, len);
}

static void *alloc_in_arena(void *arena, size_t size)
{
    return pgrpc__arena_alloc(arena, size);
}

/* The budget counts what was ever allocated: that is what stops merging a field over and over. */
static void free_with_arena(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

static enum pgrpc_code decode(const void *type, const uint8_t *data, size_t len,
                              struct pgrpc_arena *public_arena, const void **message,
                              const char **error)
{
    const char *objection = pgrpc__protobuf_scan(type, data, len);
    if (objection) {
        *error = objection;
        return PGRPC_INTERNAL;
    }
    struct arena *arena = (struct arena *)(void *)public_arena;
    ProtobufCAllocator allocator = {alloc_in_arena, free_with_arena, arena};
    const ProtobufCMessage *parsed = protobuf_c_message_unpack(type, &allocator, len, data);
    if (parsed) {
        *message = parsed;
        return PGRPC_OK;
    }
    if (arena->over_budget) {
        *error = "the message needs more memory when decoded than its limit allows";
        return PGRPC_RESOURCE_EXHAUSTED;
    }
    if (arena->out_of_memory) {
        *error = "out of memory for a message";
        return PGRPC_RESOURCE_EXHAUSTED;
    }
    *error = "malformed protobuf message: a field has the wrong type, or a required one is missing";
    return PGRPC_INTERNAL;
}

const struct pgrpc_codec pgrpc_codec_proto = {
    .size = sizeof(struct pgrpc_codec),
    .name = "proto",
    .measure = measure,
    .encode = encode,
    .decode = decode,
};
