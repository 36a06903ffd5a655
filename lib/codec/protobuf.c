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

static bool serialize(const void *type, const void *message, struct pgrpc_arena *arena,
                      const uint8_t **data, size_t *len)
{
    return pgrpc__protobuf_serialize(type, message, (struct arena *)(void *)arena, data, len);
}

static enum pgrpc_code decode(const void *type, const uint8_t *data, size_t len,
                              struct pgrpc_arena *arena, const void **message, const char **error)
{
    return pgrpc__protobuf_decode(type, data, len, (struct arena *)(void *)arena, message, error);
}

const struct pgrpc_codec pgrpc_codec_proto = {
    .size = sizeof(struct pgrpc_codec),
    .name = "proto",
    .measure = measure,
    .encode = encode,
    .decode = decode,
    .serialize = serialize,
};
