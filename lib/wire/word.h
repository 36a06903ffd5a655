/*
 * Eight bytes of a text at a time, for loops that look for bytes of some kind and rarely find one.
 * A word has the same bytes in it wherever they stand, so the byte order of the machine is all the
 * same.
 */
#ifndef PGRPC__WIRE_WORD_H
#define PGRPC__WIRE_WORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A word of one byte, eight times. */
static inline uint64_t word_of(uint8_t byte)
{
    return UINT64_C(0x0101010101010101) * byte;
}

static inline uint64_t word_load(const uint8_t *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof(word));
    return word;
}

/* All of a text of one to eight bytes, some of them more than once. */
static inline uint64_t word_load_short(const uint8_t *text, size_t len)
{
    uint32_t first, last;
    if (len < sizeof(first))
        return UINT64_C(0x0101010101000001) * text[0] | (uint64_t)text[len / 2] << 8 |
               (uint64_t)text[len - 1] << 16;
    memcpy(&first, text, sizeof(first));
    memcpy(&last, text + len - sizeof(last), sizeof(last));
    return first | (uint64_t)last << 32;
}

#endif
