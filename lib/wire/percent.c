#include "wire/percent.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "wire/utf8.h"

static const char hex_digits[] = "0123456789ABCDEF";

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte <= 0x7E && byte != '%';
}

static bool starts_character(uint8_t byte)
{
    return (byte & 0xC0) != 0x80;
}

static char *put_escape(char *output, uint8_t byte)
{
    output[0] = '%';
    output[1] = hex_digits[byte >> 4];
    output[2] = hex_digits[byte & 15];
    return output + 3;
}

enum pgrpc_code pgrpc__percent_encode(struct arena *arena, const char *text, size_t len,
                                      size_t max_len, const char **encoded, size_t *encoded_len)
{
    /* How much fits: |fitting| characters of the text, a whole number of UTF-8 characters. */
    size_t total = 0, position = 0, fitting = 0, fitting_total = 0;
    for (; position < len; position++) {
        uint8_t byte = (uint8_t)text[position];
        if (starts_character(byte)) {
            fitting = position;
            fitting_total = total;
        }
        size_t cost = is_plain(byte) ? 1 : 3;
        if (cost > max_len - total)
            break;
        total += cost;
    }
    if (position == len) {
        fitting = len;
        fitting_total = total;
    }

    const char *result = text;
    if (fitting_total != fitting) {
        char *output = pgrpc__arena_alloc(arena, fitting_total);
        if (!output)
            return PGRPC_RESOURCE_EXHAUSTED;
        result = output;
        for (position = 0; position < fitting; position++) {
            if (is_plain((uint8_t)text[position]))
                *output++ = text[position];
            else
                output = put_escape(output, (uint8_t)text[position]);
        }
    }
    *encoded = result;
    *encoded_len = fitting_total;
    return PGRPC_OK;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that an escape at |text| stands for; -1 when it is not one, or one for NUL. */
static int escaped_byte(const char *text, size_t len)
{
    if (len < 3 || text[0] != '%')
        return -1;
    int high = hex_value(text[1]), low = hex_value(text[2]);
    return high < 0 || low < 0 || (high | low) == 0 ? -1 : high << 4 | low;
}

static size_t unescape(const char *encoded, size_t len, char *output)
{
    size_t output_len = 0, position = 0;
    while (position < len) {
        int byte = escaped_byte(encoded + position, len - position);
        output[output_len++] = byte < 0 ? encoded[position] : (char)byte;
        position += byte < 0 ? 1 : 3;
    }
    return output_len;
}

/* Copies |text|, with escapes for what is not UTF-8; returns the length. NULL |output| only counts.
 */
static size_t escape_invalid(const char *text, size_t len, char *output)
{
    size_t output_len = 0, position = 0;
    while (position < len) {
        size_t valid = pgrpc__utf8_text_len(text + position, len - position);
        if (output)
            memcpy(output + output_len, text + position, valid);
        output_len += valid;
        position += valid;
        if (position < len) {
            if (output)
                put_escape(output + output_len, (uint8_t)text[position]);
            output_len += 3;
            position++;
        }
    }
    return output_len;
}

enum pgrpc_code pgrpc__percent_decode(struct arena *arena, const char *encoded, size_t len,
                                      const char **text)
{
    char *output = pgrpc__arena_strndup(arena, encoded, len);
    if (!output)
        return PGRPC_RESOURCE_EXHAUSTED;
    size_t output_len = unescape(encoded, len, output);
    if (pgrpc__utf8_text_len(output, output_len) < output_len) {
        size_t escaped_len = escape_invalid(output, output_len, NULL);
        char *escaped = pgrpc__arena_alloc(arena, escaped_len + 1);
        if (!escaped)
            return PGRPC_RESOURCE_EXHAUSTED;
        escape_invalid(output, output_len, escaped);
        output = escaped;
        output_len = escaped_len;
    }
    output[output_len] = '\0';
    *text = output;
    return PGRPC_OK;
}
