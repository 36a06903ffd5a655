/* Over the representations of a header block (RFC 7541 section 6) without decoding them. */
#include "h2/hpack.h"

enum { INDEXED = 0x80, STRING_PREFIX = 7, INDEX_PREFIX = 4, CONTINUATION_MAX = 5 };

/* Passes an integer with a prefix of |bits|. False when it does not end. */
static bool pass_integer(const uint8_t *block, size_t len, size_t *at, unsigned bits, size_t *value)
{
    size_t mask = ((size_t)1 << bits) - 1;

    if (*at == len)
        return false;
    *value = block[(*at)++] & mask;
    if (*value < mask)
        return true;
    for (unsigned count = 0; count < CONTINUATION_MAX && *at < len; count++) {
        uint8_t byte = block[(*at)++];
        *value += (size_t)(byte & 0x7f) << (7 * count);
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool pass_string(const uint8_t *block, size_t len, size_t *at)
{
    size_t string_len;

    if (!pass_integer(block, len, at, STRING_PREFIX, &string_len) || string_len > len - *at)
        return false;
    *at += string_len;
    return true;
}

bool pgrpc__hpack_changes_table(const uint8_t *block, size_t len)
{
    size_t at = 0, index;

    while (at < len) {
        uint8_t first = block[at];
        if (first & INDEXED) {
            if (!pass_integer(block, len, &at, 7, &index))
                return true;
            continue;
        }
        if (first & 0x60) /* incremental indexing, or a new size */
            return true;
        if (!pass_integer(block, len, &at, INDEX_PREFIX, &index) ||
            (index == 0 && !pass_string(block, len, &at)) || !pass_string(block, len, &at))
            return true;
    }
    return false;
}
