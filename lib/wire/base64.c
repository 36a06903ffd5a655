#include "wire/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { BAD = 64 };

/* The six bits of a character, BAD when it has none. */
static unsigned value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : BAD;
}

void pgrpc__base64_encode(const void *data, size_t len, char *text)
{
    const uint8_t *bytes = data;
    for (; len >= 3; len -= 3, bytes += 3) {
        unsigned bits = (unsigned)bytes[0] << 16 | (unsigned)bytes[1] << 8 | bytes[2];
        *text++ = alphabet[bits >> 18];
        *text++ = alphabet[bits >> 12 & 63];
        *text++ = alphabet[bits >> 6 & 63];
        *text++ = alphabet[bits & 63];
    }
    if (len > 0) {
        unsigned bits = (unsigned)bytes[0] << 16 | (len == 2 ? (unsigned)bytes[1] << 8 : 0);
        *text++ = alphabet[bits >> 18];
        *text++ = alphabet[bits >> 12 & 63];
        if (len == 2)
            *text = alphabet[bits >> 6 & 63];
    }
}

bool pgrpc__base64_decode(const char *text, size_t len, uint8_t *data, size_t *data_len)
{
    if (len % 4 == 0 && len > 0 && text[len - 1] == '=')
        len -= text[len - 2] == '=' ? 2 : 1;
    if (len % 4 == 1)
        return false;

    uint8_t *start = data;
    for (; len >= 4; len -= 4, text += 4) {
        unsigned a = value_of(text[0]), b = value_of(text[1]), c = value_of(text[2]),
                 d = value_of(text[3]);
        if ((a | b | c | d) & BAD)
            return false;
        *data++ = (uint8_t)(a << 2 | b >> 4);
        *data++ = (uint8_t)(b << 4 | c >> 2);
        *data++ = (uint8_t)(c << 6 | d);
    }
    if (len > 0) {
        unsigned a = value_of(text[0]), b = value_of(text[1]), c = len == 3 ? value_of(text[2]) : 0;
        if ((a | b | c) & BAD)
            return false;
        *data++ = (uint8_t)(a << 2 | b >> 4);
        if (len == 3)
            *data++ = (uint8_t)(b << 4 | c >> 2);
    }
    *data_len = (size_t)(data - start);
    return true;
}
