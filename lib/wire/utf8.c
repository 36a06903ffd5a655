#include "wire/utf8.h"

#include <stdbool.h>

#include "wire/word.h"

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
    return (marks_nul ? word | (word - word_of(1)) : word) & word_of(0x80);
}

static inline size_t valid_len(const uint8_t *text, size_t len, bool stops_at_nul)
{
    size_t position = 0;
    while (position < len) {
        size_t rest = len - position;
        if (rest <= sizeof(uint64_t)) {
            if (!marks(word_load_short(text + position, rest), stops_at_nul))
                return len;
        } else if (!marks(word_load(text + position), stops_at_nul)) {
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
