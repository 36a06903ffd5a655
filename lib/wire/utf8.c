#include "wire/utf8.h"

#include <stdbool.h>
#include <string.h>

static const uint64_t ones = UINT64_C(0x0101010101010101);
static const uint64_t high_bits = UINT64_C(0x8080808080808080);

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Length of the character of two bytes or more at |text|, 0 when there is none. */
static size_t long_character_len(const uint8_t *text, size_t len)
{
    uint8_t first = text[0];
    if (first < 0xC2 || first > 0xF4 || len < 2 || !is_continuation(text[1]))
        return 0;
    if (first < 0xE0)
        return 2;
    /* The second byte decides about overlong forms, surrogates and what is above U+10FFFF. */
    if ((first == 0xE0 && text[1] < 0xA0) || (first == 0xED && text[1] > 0x9F) ||
        (first == 0xF0 && text[1] < 0x90) || (first == 0xF4 && text[1] > 0x8F))
        return 0;
    if (len < 3 || !is_continuation(text[2]))
        return 0;
    if (first < 0xF0)
        return 3;
    return len >= 4 && is_continuation(text[3]) ? 4 : 0;
}

/* Not 0 when a byte is not ASCII, or is NUL: the subtraction sets a high bit there. */
static inline uint64_t marks(uint64_t word, bool marks_nul)
{
    return (marks_nul ? word | (word - ones) : word) & high_bits;
}

static inline uint64_t load(const uint8_t *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof(word));
    return word;
}

/* A short text (1 to 8 bytes), some of its bytes twice. */
static inline uint64_t load_short(const uint8_t *text, size_t len)
{
    uint32_t first, last;
    if (len < sizeof(first))
        return ones << 24 | text[0] | (uint64_t)text[len / 2] << 8 | (uint64_t)text[len - 1] << 16;
    memcpy(&first, text, sizeof(first));
    memcpy(&last, text + len - sizeof(last), sizeof(last));
    return first | (uint64_t)last << 32;
}

static inline size_t valid_len(const uint8_t *text, size_t len, bool stops_at_nul)
{
    size_t position = 0;
    while (position < len) {
        size_t rest = len - position;
        if (rest <= sizeof(uint64_t)) {
            if (!marks(load_short(text + position, rest), stops_at_nul))
                return len;
        } else if (!marks(load(text + position), stops_at_nul)) {
            position += sizeof(uint64_t);
            continue;
        }
        /* A character that is worth a look is near. */
        for (; rest > 0 && text[position] < 0x80; rest--)
            if (text[position++] == 0 && stops_at_nul)
                return position - 1;
        size_t character_len = long_character_len(text + position, rest);
        if (character_len == 0)
            break;
        position += character_len;
    }
    return position;
}

size_t pgrpc__utf8_valid_len(const void *text, size_t len)
{
    return valid_len(text, len, false);
}

size_t pgrpc__utf8_text_len(const void *text, size_t len)
{
    return valid_len(text, len, true);
}
