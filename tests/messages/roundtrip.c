/*
 * Decodes and encodes messages, for the comparison with other implementations:
 *
 *     roundtrip <MESSAGES >RESULTS
 *
 * A message is the number of its type in |types|, plus WITH_STOCK if it likes, a length and the
 * bytes; a result is a status and three blobs: what our encoder wrote, the values that C sees as
 * JSON, and what protobuf-c's own functions make of it (WITH_STOCK) where that is something else.
 * Lengths and numbers have four bytes, the lowest first.  The status is 0, or 1 with the objection
 * as the first blob.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <picogrpc/codec.h>

#include "types.h"

enum { WITH_STOCK = 1 << 16 };

/* --- growing bytes ---------------------------------------------------------------------------- */

struct bytes {
    uint8_t *data;
    size_t len, capacity;
};

static void add(struct bytes *bytes, const void *data, size_t len)
{
    if (bytes->capacity - bytes->len < len) {
        bytes->capacity = (bytes->len + len) * 2;
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (!bytes->data) {
            fputs("out of memory\n", stderr);
            exit(2);
        }
    }
    if (len > 0)
        memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

static void add_text(struct bytes *bytes, const char *text)
{
    add(bytes, text, strlen(text));
}

static void add_hex(struct bytes *bytes, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    add(bytes, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        char pair[2] = {digits[data[i] >> 4], digits[data[i] & 15]};
        add(bytes, pair, 2);
    }
    add(bytes, "\"", 1);
}

/* --- values as JSON --------------------------------------------------------------------------- */

static void show_message(struct bytes *out, const ProtobufCMessageDescriptor *type,
                         const void *message);

static void show_string(struct bytes *out, const char *text)
{
    add_hex(out, (const uint8_t *)text, strlen(text));
}

static void show_float(struct bytes *out, float value)
{
    char text[32];
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    snprintf(text, sizeof(text), value != value ? "\"nan\"" : "\"%08" PRIx32 "\"", bits);
    add_text(out, text);
}

static void show_double(struct bytes *out, double value)
{
    char text[32];
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    snprintf(text, sizeof(text), value != value ? "\"nan\"" : "\"%016" PRIx64 "\"", bits);
    add_text(out, text);
}

/* One value, whatever is around it. */
static void show_value(struct bytes *out, const ProtobufCFieldDescriptor *field, const void *member)
{
    char text[32] = "";
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_ENUM:
        snprintf(text, sizeof(text), "%" PRId32, *(const int32_t *)member);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        snprintf(text, sizeof(text), "%" PRId64, *(const int64_t *)member);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        snprintf(text, sizeof(text), "%" PRIu32, *(const uint32_t *)member);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        snprintf(text, sizeof(text), "%" PRIu64, *(const uint64_t *)member);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        show_float(out, *(const float *)member);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        show_double(out, *(const double *)member);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        snprintf(text, sizeof(text), "%d", (int)*(const protobuf_c_boolean *)member);
        break;
    case PROTOBUF_C_TYPE_STRING:
        show_string(out, *(char *const *)member ? *(char *const *)member : "");
        break;
    case PROTOBUF_C_TYPE_BYTES:
        add_hex(out, ((const ProtobufCBinaryData *)member)->data,
                ((const ProtobufCBinaryData *)member)->len);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        show_message(out, field->descriptor, *(void *const *)member);
        break;
    }
    add_text(out, text);
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

/* Whether a member holds what an absent field of proto3 does. */
static int is_empty(const ProtobufCFieldDescriptor *field, const void *member)
{
    static const char zeros[sizeof(ProtobufCBinaryData)];
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return !*(char *const *)member || !**(char *const *)member;
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)member)->len == 0;
    return memcmp(member, zeros, size_of(field)) == 0;
}

static int is_present(const ProtobufCFieldDescriptor *field, const void *member,
                      const void *quantifier)
{
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)quantifier == field->id;
    if (field->label == PROTOBUF_C_LABEL_REQUIRED)
        return 1;
    if (field->label == PROTOBUF_C_LABEL_NONE)
        return !is_empty(field, member);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)member != NULL;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return *(char *const *)member && *(char *const *)member != field->default_value;
    return *(const protobuf_c_boolean *)quantifier;
}

/* "number": value; absent fields that are not empty stand as "dNUMBER": the default. */
static void show_field(struct bytes *out, const ProtobufCFieldDescriptor *field,
                       const void *message)
{
    const char *member = (const char *)message + field->offset;
    const char *quantifier = (const char *)message + field->quantifier_offset;
    const char *key = "";
    char text[32];
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)(const void *)quantifier;
        const char *first = *(char *const *)(const void *)member;
        if (count == 0)
            return;
        snprintf(text, sizeof(text), "\"%u\":[", (unsigned)field->id);
        add_text(out, text);
        for (size_t i = 0; i < count; i++) {
            show_value(out, field, first + i * size_of(field));
            add_text(out, i + 1 < count ? "," : "],");
        }
        return;
    }
    if (!is_present(field, member, quantifier)) {
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF || field->type == PROTOBUF_C_TYPE_MESSAGE ||
            is_empty(field, member))
            return;
        key = "d";
    }
    snprintf(text, sizeof(text), "\"%s%u\":", key, (unsigned)field->id);
    add_text(out, text);
    show_value(out, field, member);
    add_text(out, ",");
}

static void show_message(struct bytes *out, const ProtobufCMessageDescriptor *type,
                         const void *message)
{
    add_text(out, "{");
    for (unsigned i = 0; i < type->n_fields; i++)
        show_field(out, &type->fields[i], message);
    add_text(out, "\"end\":0}");
}

/* --- messages --------------------------------------------------------------------------------- */

static const char *encode(const ProtobufCMessageDescriptor *type, const void *message,
                          struct bytes *out)
{
    const char *error = NULL;
    size_t len;
    if (pgrpc_codec_proto.measure(type, message, &len, &error) != PGRPC_OK)
        return error;
    uint8_t *data = malloc(len + 1);
    if (!data)
        return "out of memory";
    data[len] = 0x5a;
    pgrpc_codec_proto.encode(type, message, data, len);
    error = data[len] == 0x5a ? NULL : "the encoder wrote more than it measured";
    add(out, data, len);
    free(data);
    return error;
}

static void add_if_other(struct bytes *out, const struct bytes *ours, const void *data, size_t len)
{
    if (ours->len != len || (len > 0 && memcmp(ours->data, data, len) != 0))
        add(out, data, len);
}

/* What stock protobuf-c writes of our message, and what we write of one it has decoded. */
static const char *compare_with_stock(const ProtobufCMessageDescriptor *type, const void *message,
                                      const uint8_t *data, size_t len, const struct bytes *ours,
                                      struct bytes *out)
{
    struct bytes again = {0};
    uint8_t *packed = malloc(protobuf_c_message_get_packed_size(message) + 1);
    ProtobufCMessage *theirs = protobuf_c_message_unpack(type, NULL, len, data);
    const char *error = theirs ? encode(type, theirs, &again) : "protobuf-c does not decode it";
    if (packed)
        add_if_other(out, ours, packed, protobuf_c_message_pack(message, packed));
    if (!error)
        add_if_other(out, ours, again.data, again.len);
    if (theirs)
        protobuf_c_message_free_unpacked(theirs, NULL);
    free(packed);
    free(again.data);
    return error;
}

static void write_number(size_t number)
{
    for (int i = 0; i < 4; i++)
        putchar((int)(number >> 8 * i & 0xff));
}

static void write_bytes(const struct bytes *bytes)
{
    write_number(bytes->len);
    if (bytes->len > 0)
        fwrite(bytes->data, 1, bytes->len, stdout);
}

static void one_message(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t len,
                        int with_stock)
{
    struct bytes encoded = {0}, values = {0}, stock = {0};
    struct pgrpc_arena *arena = pgrpc_arena_new(NULL, 0);
    const void *message = NULL;
    const char *error = "out of memory";
    if (arena && pgrpc_codec_proto.decode(type, data, len, arena, &message, &error) == PGRPC_OK) {
        show_message(&values, type, message);
        error = encode(type, message, &encoded);
        if (!error && with_stock)
            error = compare_with_stock(type, message, data, len, &encoded, &stock);
    }
    write_number(error != NULL);
    if (error) {
        encoded.len = 0;
        add_text(&encoded, error);
    }
    write_bytes(&encoded);
    write_bytes(&values);
    write_bytes(&stock);
    pgrpc_arena_free(arena);
    free(encoded.data);
    free(values.data);
    free(stock.data);
}

static int read_number(size_t *number)
{
    *number = 0;
    for (int i = 0; i < 4; i++) {
        int byte = getchar();
        if (byte == EOF)
            return 0;
        *number |= (size_t)byte << 8 * i;
    }
    return 1;
}

int main(void)
{
    size_t type, len;
    while (read_number(&type) && read_number(&len)) {
        uint8_t *data = malloc(len > 0 ? len : 1);
        int with_stock = (type & WITH_STOCK) != 0;
        type &= ~(size_t)WITH_STOCK;
        if (!data || fread(data, 1, len, stdin) != len || type >= sizeof(types) / sizeof(types[0]))
            return 2;
        one_message(types[type], data, len, with_stock);
        free(data);
    }
    return fflush(stdout) ? 2 : 0;
}
