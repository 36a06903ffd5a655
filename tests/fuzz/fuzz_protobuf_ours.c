#include "fuzz.h"
#include "fuzz_protobuf_cpp.h"

#include <string.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "codec2.pb-c.h"
#include "codec3.pb-c.h"

#include "../support/features.h"

static const ProtobufCMessageDescriptor *const types[FUZZ_TYPES] = {
    &codec3__tree__descriptor,     &codec3__scalars__descriptor, &codec3__repeated__descriptor,
    &codec3__choice__descriptor,   &codec3__maps__descriptor,    &codec2__required__descriptor,
    &codec2__optional__descriptor, &codec2__gaps__descriptor,    &codec3__people__descriptor,
    &codec3__atlas__descriptor,    &codec2__grouped__descriptor, &codec2__needs_group__descriptor,
    &codec2__coloured__descriptor, &codec2__nothing__descriptor, &codec2__holds_nothing__descriptor,
};

/* What codec2.proto means to C++ takes an edition to say. */
static const ProtobufCMessageDescriptor *type_of(unsigned index)
{
    const ProtobufCMessageDescriptor *type = types[index];
    return strcmp(type->package_name, "codec2") == 0 ? with_features(type) : type;
}

void fuzz_recode(unsigned index, const uint8_t *data, size_t len, struct fuzz_result *result)
{
    const ProtobufCMessageDescriptor *type = type_of(index);
    struct arena arena;
    const void *message;
    const char *error;
    /* Exactly these bytes, so that a sanitizer sees what is read beyond them. */
    uint8_t *copy = malloc(len > 0 ? len : 1);
    CHECK(copy);
    memcpy(copy, data, len);
    result->data = NULL;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    enum pgrpc_code code =
        pgrpc_codec_proto.decode(type, copy, len, codec_arena(&arena), &message, &error);
    if (code) {
        CHECK(code == PGRPC_INTERNAL);
        snprintf(result->error, sizeof(result->error), "%s", error);
    } else {
        const uint8_t *written;
        CHECK(pgrpc_codec_proto.measure(type, message, &result->len, &error) == PGRPC_OK);
        result->data = malloc(result->len > 0 ? result->len : 1);
        CHECK(result->data);
        pgrpc_codec_proto.encode(type, message, result->data, result->len);
        CHECK(pgrpc_codec_proto.serialize(type, message, codec_arena(&arena), &written, &len));
        CHECK(len == result->len && memcmp(written, result->data, len) == 0);
    }
    pgrpc__arena_clear(&arena);
    free(copy);
}

void fuzz_free(struct fuzz_result *result)
{
    free(result->data);
}
