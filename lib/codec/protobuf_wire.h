/* Varints, tags and fixed numbers as they stand on the wire, for who reads them. */
#ifndef PGRPC__CODEC_PROTOBUF_WIRE_H
#define PGRPC__CODEC_PROTOBUF_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { VARINT_BYTES_MAX = 10, LENGTH_BYTES_MAX = 5, TAG_BYTES_MAX = 5 };

/* The wire types that protobuf-c has no name for. */
enum { WIRE_TYPE_GROUP_START = 3, WIRE_TYPE_GROUP_END = 4 };

static const bool is_little_endian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

static inline uint32_t wire_swap32(uint32_t value)
{
    return is_little_endian ? value : __builtin_bswap32(value);
}

static inline uint64_t wire_swap64(uint64_t value)
{
    return is_little_endian ? value : __builtin_bswap64(value);
}

static inline uint32_t wire_load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return wire_swap32(value);
}

static inline uint64_t wire_load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return wire_swap64(value);
}

/* Where the bytes go on, NULL when there is no number. */
struct wire_number {
    const uint8_t *next;
    uint64_t value;
};

/* Longer than a byte, or bad: |max| bytes at most. Not inline, it is the rare way. */
struct wire_number pgrpc__wire_long(const uint8_t *at, const uint8_t *end, unsigned max);

/* Bits above the 64th are dropped, as everybody does. */
static inline struct wire_number wire_varint(const uint8_t *at, const uint8_t *end)
{
    if (at < end && *at < 0x80)
        return (struct wire_number){at + 1, *at};
    if (end - at > 1 && at[1] < 0x80)
        return (struct wire_number){at + 2, (uint64_t)at[1] << 7 | (*at & 0x7F)};
    return pgrpc__wire_long(at, end, VARINT_BYTES_MAX);
}

/* At most five bytes that fit 32 bits. */
static inline struct wire_number wire_uint32(const uint8_t *at, const uint8_t *end)
{
    if (at < end && *at < 0x80)
        return (struct wire_number){at + 1, *at};
    if (end - at > 1 && at[1] < 0x80)
        return (struct wire_number){at + 2, (uint64_t)at[1] << 7 | (*at & 0x7F)};
    struct wire_number number = pgrpc__wire_long(at, end, TAG_BYTES_MAX);
    if (number.value > UINT32_MAX)
        number.next = NULL;
    return number;
}

/*
 * The end of a value that begins behind its tag, NULL when it is malformed.  Groups may be nested
 * |depth| deep, this one included; |id| is the number that the group's end must have.
 */
const uint8_t *pgrpc__wire_skip(const uint8_t *at, const uint8_t *end, unsigned wire_type,
                                uint32_t id, unsigned depth, const char **problem);

extern const char pgrpc__wire_truncated[], pgrpc__wire_bad_tag[], pgrpc__wire_bad_varint[],
    pgrpc__wire_bad_length[], pgrpc__wire_too_deep[], pgrpc__wire_endless_group[],
    pgrpc__wire_other_group[];

#endif
