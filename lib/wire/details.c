#include "wire/details.h"

#include <string.h>

/* message Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
 */
enum { FIELD_CODE = 1, FIELD_MESSAGE = 2, FIELD_DETAILS = 3 };
enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

struct field {
    unsigned number;
    unsigned wire_type;
    uint64_t value;           /* of a VARINT */
    struct pgrpc_bytes bytes; /* of a LENGTH */
};

static bool read_varint(const uint8_t *data, size_t len, size_t *position, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && *position < len; shift += 7) {
        uint8_t byte = data[(*position)++];
        result |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *value = result;
            return true;
        }
    }
    return false;
}

static bool read_field(const uint8_t *data, size_t len, size_t *position, struct field *field)
{
    uint64_t tag, skipped = 0;
    if (!read_varint(data, len, position, &tag) || tag >> 3 == 0 || tag > UINT32_MAX)
        return false;
    field->number = (unsigned)(tag >> 3);
    field->wire_type = (unsigned)(tag & 7);
    switch (field->wire_type) {
    case VARINT:
        return read_varint(data, len, position, &field->value);
    case FIXED64:
        skipped = 8;
        break;
    case LENGTH:
        if (!read_varint(data, len, position, &skipped))
            return false;
        break;
    case FIXED32:
        skipped = 4;
        break;
    default:
        return false;
    }
    if (skipped > len - *position)
        return false;
    field->bytes.data = data + *position;
    field->bytes.len = (size_t)skipped;
    *position += (size_t)skipped;
    return true;
}

bool pgrpc__details_parse(const void *data, size_t len, struct details *details)
{
    struct details result = {.message = {"", 0}};
    struct field field;
    for (size_t position = 0; position < len;) {
        if (!read_field(data, len, &position, &field))
            return false;
        if (field.number == FIELD_CODE && field.wire_type == VARINT)
            result.code = (int32_t)(uint32_t)field.value;
        else if (field.number == FIELD_MESSAGE && field.wire_type == LENGTH)
            result.message = field.bytes;
        else if (field.number == FIELD_DETAILS && field.wire_type == LENGTH)
            result.any_count++;
    }
    *details = result;
    return true;
}

bool pgrpc__details_next(const void *data, size_t len, size_t *position, struct pgrpc_bytes *any)
{
    struct field field;
    while (*position < len && read_field(data, len, position, &field)) {
        if (field.number == FIELD_DETAILS && field.wire_type == LENGTH) {
            *any = field.bytes;
            return true;
        }
    }
    return false;
}

static size_t varint_len(uint64_t value)
{
    size_t len = 1;
    while (value >>= 7)
        len++;
    return len;
}

static uint8_t *put_varint(uint8_t *output, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *output++ = (uint8_t)(value | 0x80);
    *output++ = (uint8_t)value;
    return output;
}

static uint8_t *put_bytes(uint8_t *output, unsigned number, const void *data, size_t len)
{
    *output++ = (uint8_t)(number << 3 | LENGTH);
    output = put_varint(output, len);
    if (len > 0)
        memcpy(output, data, len);
    return output + len;
}

/* Adds the size of a field of |len| bytes; false on overflow. */
static bool add_bytes_len(size_t *total, size_t len)
{
    return !__builtin_add_overflow(*total, len, total) &&
           !__builtin_add_overflow(*total, 1 + varint_len(len), total);
}

enum pgrpc_code pgrpc__details_write(struct arena *arena, enum pgrpc_code code, const char *message,
                                     size_t message_len, const struct pgrpc_bytes *anys,
                                     size_t any_count, struct pgrpc_bytes *status)
{
    size_t total = code != PGRPC_OK ? 1 + varint_len((uint64_t)code) : 0;
    if (message_len > 0 && !add_bytes_len(&total, message_len))
        return PGRPC_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < any_count; i++)
        if (!add_bytes_len(&total, anys[i].len))
            return PGRPC_RESOURCE_EXHAUSTED;

    uint8_t *start = pgrpc__arena_alloc(arena, total);
    if (!start)
        return PGRPC_RESOURCE_EXHAUSTED;
    uint8_t *output = start;
    if (code != PGRPC_OK) {
        *output++ = FIELD_CODE << 3 | VARINT;
        output = put_varint(output, (uint64_t)code);
    }
    if (message_len > 0)
        output = put_bytes(output, FIELD_MESSAGE, message, message_len);
    for (size_t i = 0; i < any_count; i++)
        output = put_bytes(output, FIELD_DETAILS, anys[i].data, anys[i].len);
    status->data = start;
    status->len = total;
    return PGRPC_OK;
}
