#include "codec/protobuf_wire.h"

#include <protobuf-c/protobuf-c.h>

#include "codec/protobuf.h"

const char pgrpc__wire_truncated[] = "malformed protobuf message: truncated";
const char pgrpc__wire_bad_tag[] = "malformed protobuf message: bad tag";
const char pgrpc__wire_bad_varint[] = "malformed protobuf message: bad varint";
const char pgrpc__wire_bad_length[] = "malformed protobuf message: bad length";
const char pgrpc__wire_too_deep[] = "protobuf message is nested too deeply";
const char pgrpc__wire_endless_group[] = "malformed protobuf message: a group without an end";
const char pgrpc__wire_other_group[] = "malformed protobuf message: the end of another group";

struct wire_number pgrpc__wire_long(const uint8_t *at, const uint8_t *end, unsigned max)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < max && at < end; i++) {
        value |= (uint64_t)(*at & 0x7F) << (7 * i);
        if (!(*at++ & 0x80))
            return (struct wire_number){at, value};
    }
    return (struct wire_number){NULL, 0};
}

static const uint8_t *fail(const char *text, const char **problem)
{
    *problem = text;
    return NULL;
}

static const uint8_t *skip_counted(const uint8_t *at, const uint8_t *end, const char **problem)
{
    struct wire_number len = wire_uint32(at, end);
    if (!len.next)
        return fail(pgrpc__wire_bad_length, problem);
    if (len.value > (size_t)(end - len.next))
        return fail(pgrpc__wire_truncated, problem);
    return len.next + len.value;
}

static const uint8_t *skip_group(const uint8_t *at, const uint8_t *end, uint32_t id, unsigned depth,
                                 const char **problem)
{
    uint32_t ids[PROTOBUF_DEPTH_MAX];
    unsigned inside = 0;
    if (depth == 0)
        return fail(pgrpc__wire_too_deep, problem);
    ids[inside++] = id;
    while (inside > 0) {
        struct wire_number tag = wire_uint32(at, end);
        if (!tag.next && at == end)
            return fail(pgrpc__wire_endless_group, problem);
        if (!tag.next || tag.value >> 3 == 0)
            return fail(pgrpc__wire_bad_tag, problem);
        at = tag.next;
        id = (uint32_t)tag.value >> 3;
        unsigned wire_type = tag.value & 7;
        if (wire_type == WIRE_TYPE_GROUP_START) {
            if (inside == depth)
                return fail(pgrpc__wire_too_deep, problem);
            ids[inside++] = id;
        } else if (wire_type == WIRE_TYPE_GROUP_END) {
            if (ids[--inside] != id)
                return fail(pgrpc__wire_other_group, problem);
        } else if (!(at = pgrpc__wire_skip(at, end, wire_type, id, 0, problem))) {
            return NULL;
        }
    }
    return at;
}

const uint8_t *pgrpc__wire_skip(const uint8_t *at, const uint8_t *end, unsigned wire_type,
                                uint32_t id, unsigned depth, const char **problem)
{
    size_t len = 0;
    switch (wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        at = wire_varint(at, end).next;
        return at ? at : fail(pgrpc__wire_bad_varint, problem);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        len = 8;
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        len = 4;
        break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        return skip_counted(at, end, problem);
    case WIRE_TYPE_GROUP_START:
        return skip_group(at, end, id, depth, problem);
    case WIRE_TYPE_GROUP_END:
        return fail("malformed protobuf message: the end of a group that did not begin", problem);
    default:
        return fail(pgrpc__wire_bad_tag, problem);
    }
    return len <= (size_t)(end - at) ? at + len : fail(pgrpc__wire_truncated, problem);
}
