/* Base64 of -bin metadata: the standard alphabet of RFC 4648, written without padding, read with or
 * without. */
#ifndef PGRPC__WIRE_BASE64_H
#define PGRPC__WIRE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters for |len| bytes; |len| at most SIZE_MAX / 2. */
static inline size_t base64_encoded_len(size_t len)
{
    return len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0);
}

/* Enough bytes for |len| characters. */
static inline size_t base64_decoded_max(size_t len)
{
    return len / 4 * 3 + 2;
}

/* Writes base64_encoded_len(len) characters, no NUL. */
void pgrpc__base64_encode(const void *data, size_t len, char *text);
/*
 * False for characters outside the alphabet, a length that no bytes have, or padding that is not
 * what the length asks for. Bits left over in the last character are ignored.  |data| may be partly
 * written on failure.
 */
bool pgrpc__base64_decode(const char *text, size_t len, uint8_t *data, size_t *data_len);

#endif
