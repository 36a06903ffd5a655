/*
 * The protobuf codec.  The first byte of the input chooses the type and the budget, the rest is the
 * message.  What decodes must encode, and from then on nothing may change.
 */
#include "fuzz.h"

#include <string.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "codec2.pb-c.h"
#include "codec3.pb-c.h"

#include "../support/features.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &codec3__tree__descriptor,     &codec3__scalars__descriptor,
    &codec3__repeated__descriptor, &codec3__choice__descriptor,
    &codec3__maps__descriptor,     &codec2__required__descriptor,
    &codec2__optional__descriptor, &codec2__gaps__descriptor,
    &codec2__grouped__descriptor,  &codec2__needs_group__descriptor,
    &codec2__nothing__descriptor,  &codec2__holds_nothing__descriptor,
};
enum { TYPES = sizeof(types) / sizeof(types[0]) + 1 };

static const ProtobufCMessageDescriptor *type_of(unsigned index)
{
    return index + 1 < TYPES ? types[index] : with_features(&codec2__coloured__descriptor);
}

static uint8_t *encode(const void *type, const void *message, size_t *len)
{
    const char *error = NULL;
    CHECK(pgrpc_codec_proto.measure(type, message, len, &error) == PGRPC_OK);
    uint8_t *data = malloc(*len > 0 ? *len : 1);
    CHECK(data);
    pgrpc_codec_proto.encode(type, message, data, *len);
    return data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    const ProtobufCMessageDescriptor *type = type_of(data[0] % TYPES);
    struct arena arena;
    const void *message;
    const char *error = NULL;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    arena.budget = (size_t)1 << (8 + (data[0] >> 4));
    enum pgrpc_code code =
        pgrpc_codec_proto.decode(type, data + 1, len - 1, codec_arena(&arena), &message, &error);
    CHECK(arena.used <= arena.budget);
    if (code == PGRPC_OK) {
        size_t first_len, second_len;
        uint8_t *first = encode(type, message, &first_len);
        arena.budget = SIZE_MAX;
        CHECK(pgrpc_codec_proto.decode(type, first, first_len, codec_arena(&arena), &message,
                                       &error) == PGRPC_OK);
        uint8_t *second = encode(type, message, &second_len);
        CHECK(first_len == second_len && memcmp(first, second, first_len) == 0);
        free(first);
        free(second);
    } else {
        CHECK(code == (arena.over_budget ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_INTERNAL));
        CHECK(error);
    }
    pgrpc__arena_clear(&arena);
    return 0;
}
