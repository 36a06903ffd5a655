/*
 * The protobuf decoder against protobuf-c's runtime, on the same bytes.  The first byte of the
 * input chooses the type, the rest is the message.  What makes the two differ on purpose is found
 * by a reading of the bytes that is as plain as can be; everywhere else they must accept the same
 * and understand the same.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "codec/protobuf.h"
#include "codec2.pb-c.h"
#include "codec3.pb-c.h"
#include "wire/utf8.h"

enum { STOCK_DEPTH_MAX = 2000 }; /* it needs stack */

static const ProtobufCMessageDescriptor *const types[] = {
    &codec3__tree__descriptor,     &codec3__scalars__descriptor, &codec3__repeated__descriptor,
    &codec3__choice__descriptor,   &codec3__maps__descriptor,    &codec2__required__descriptor,
    &codec2__optional__descriptor, &codec2__gaps__descriptor,    &codec3__people__descriptor,
    &codec3__atlas__descriptor,    &codec3__empty__descriptor,
};

/* What a message holds. */
struct findings {
    bool is_malformed;    /* we refuse it */
    bool has_bad_text;    /* we refuse it */
    bool has_wrong_type;  /* a known field with another wire type: protobuf-c does not keep it */
    bool has_group;       /* protobuf-c refuses it */
    bool has_parts;       /* a singular message twice: protobuf-c merges wrongly */
    bool has_short_entry; /* an entry of a map without key or value: ours are completed */
    unsigned depth;
};

static bool read_varint(const uint8_t **at, const uint8_t *end, unsigned max, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < max && *at < end; i++) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80)
            return true;
    }
    return false;
}

static const ProtobufCFieldDescriptor *find(const ProtobufCMessageDescriptor *type, uint64_t id)
{
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].id == id)
            return &type->fields[i];
    return NULL;
}

static unsigned wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return 5;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 1;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return 2;
    default:
        return 0;
    }
}

/* Whether a packed field holds whole values. */
static bool is_packed_well(const ProtobufCFieldDescriptor *field, const uint8_t *at,
                           const uint8_t *end)
{
    unsigned wire_type = wire_type_of(field->type);
    uint64_t value;
    if (wire_type)
        return (size_t)(end - at) % (wire_type == 5 ? 4 : 8) == 0;
    while (at < end)
        if (!read_varint(&at, end, 10, &value))
            return false;
    return true;
}

static bool is_entry(const ProtobufCMessageDescriptor *type)
{
    size_t len = strlen(type->name);
    return len > 5 && strcmp(type->name + len - 5, "Entry") == 0;
}

/* Reads up to |end|, or to the end of group |group|; returns where it stopped. */
static const uint8_t *examine(const ProtobufCMessageDescriptor *type, const uint8_t *at,
                              const uint8_t *end, uint64_t group, unsigned depth,
                              struct findings *findings)
{
    bool seen[64] = {false};
    if (findings->depth < depth)
        findings->depth = depth;
    while (at < end && !findings->is_malformed) {
        uint64_t tag, value;
        if (!read_varint(&at, end, 5, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
            break;
        const ProtobufCFieldDescriptor *field = type ? find(type, tag >> 3) : NULL;
        bool is_repeated = field && field->label == PROTOBUF_C_LABEL_REPEATED;
        bool can_be_packed = is_repeated && wire_type_of(field->type) != 2;
        if (field && wire_type_of(field->type) != (tag & 7) && !(can_be_packed && (tag & 7) == 2))
            findings->has_wrong_type = true;
        else if (field)
            seen[field - type->fields] = true;
        switch (tag & 7) {
        case 0:
            if (!read_varint(&at, end, 10, &value))
                goto malformed;
            continue;
        case 1:
        case 5: {
            size_t len = (tag & 7) == 1 ? 8 : 4;
            if ((size_t)(end - at) < len)
                goto malformed;
            at += len;
            continue;
        }
        case 2:
            if (!read_varint(&at, end, 5, &value) || value > (size_t)(end - at))
                goto malformed;
            if (can_be_packed && !is_packed_well(field, at, at + value))
                goto malformed;
            if (field && field->type == PROTOBUF_C_TYPE_STRING &&
                pgrpc__utf8_text_len(at, value) < value)
                findings->has_bad_text = true;
            if (field && field->type == PROTOBUF_C_TYPE_MESSAGE) {
                if (!is_repeated)
                    findings->has_parts |= seen[63 - (field - type->fields)];
                seen[63 - (field - type->fields)] = true;
                examine(field->descriptor, at, at + value, 0, depth + 1, findings);
            }
            at += value;
            continue;
        case 3:
            findings->has_group = true;
            at = examine(NULL, at, end, tag >> 3, depth + 1, findings);
            continue;
        case 4:
            if (group != tag >> 3)
                goto malformed;
            return at;
        default:
            goto malformed;
        }
    }
    if (at == end && group == 0) {
        if (type && is_entry(type) && (!seen[0] || !seen[1]))
            findings->has_short_entry = true;
        return at;
    }
malformed:
    findings->is_malformed = true;
    return end;
}

static uint8_t *pack(const ProtobufCMessage *message, size_t *len)
{
    *len = protobuf_c_message_get_packed_size(message);
    uint8_t *data = malloc(*len > 0 ? *len : 1);
    CHECK(data);
    CHECK(protobuf_c_message_pack(message, data) == *len);
    return data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
    uint8_t *bytes = malloc(len);
    CHECK(bytes);
    memcpy(bytes, data + 1, --len);
    bytes = realloc(bytes, len > 0 ? len : 1);

    struct findings findings = {.depth = 0};
    examine(type, bytes, bytes + len, 0, 0, &findings);
    struct arena arena;
    const void *ours = NULL;
    const char *error = NULL;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    enum pgrpc_code code =
        pgrpc_codec_proto.decode(type, bytes, len, codec_arena(&arena), &ours, &error);
    CHECK(code == PGRPC_OK || (code == PGRPC_INTERNAL && error));
    if (findings.is_malformed || findings.has_bad_text || findings.depth > PROTOBUF_DEPTH_MAX)
        CHECK(code == PGRPC_INTERNAL);

    ProtobufCMessage *stock = NULL;
    if (findings.depth <= STOCK_DEPTH_MAX)
        stock = protobuf_c_message_unpack(type, NULL, len, bytes);
    bool is_ordinary = !findings.is_malformed && !findings.has_bad_text &&
                       !findings.has_wrong_type && !findings.has_group && !findings.has_parts &&
                       findings.depth <= PROTOBUF_DEPTH_MAX;
    if (is_ordinary)
        CHECK((code == PGRPC_OK) == (stock != NULL));
    if (is_ordinary && stock && !findings.has_short_entry) {
        size_t ours_len, stock_len;
        uint8_t *ours_data = pack(ours, &ours_len), *stock_data = pack(stock, &stock_len);
        CHECK(ours_len == stock_len && memcmp(ours_data, stock_data, ours_len) == 0);
        free(ours_data);
        free(stock_data);
    }
    if (stock)
        protobuf_c_message_free_unpacked(stock, NULL);
    pgrpc__arena_clear(&arena);
    free(bytes);
    return 0;
}
