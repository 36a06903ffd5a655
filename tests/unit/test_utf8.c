#include "../support/unit.h"

#include <stdlib.h>

#include "wire/utf8.h"

static size_t valid_len(const void *text, size_t len)
{
    void *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    size_t valid = pgrpc__utf8_valid_len(copy, len);
    /* NUL is the only difference. */
    size_t text_len = pgrpc__utf8_text_len(copy, len);
    const uint8_t *nul = memchr(copy, 0, len);
    if (nul && (size_t)(nul - (uint8_t *)copy) < valid)
        assert_int_equal(text_len, nul - (uint8_t *)copy);
    else
        assert_int_equal(text_len, valid);
    free(copy);
    return valid;
}

static size_t encode(uint32_t point, uint8_t *output)
{
    if (point < 0x80) {
        output[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        output[0] = (uint8_t)(0xC0 | point >> 6);
        output[1] = (uint8_t)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        output[0] = (uint8_t)(0xE0 | point >> 12);
        output[1] = (uint8_t)(0x80 | (point >> 6 & 63));
        output[2] = (uint8_t)(0x80 | (point & 63));
        return 3;
    }
    output[0] = (uint8_t)(0xF0 | point >> 18);
    output[1] = (uint8_t)(0x80 | (point >> 12 & 63));
    output[2] = (uint8_t)(0x80 | (point >> 6 & 63));
    output[3] = (uint8_t)(0x80 | (point & 63));
    return 4;
}

static void every_code_point(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x1FFFFF; point++) {
        uint8_t text[4];
        size_t len = encode(point, text);
        bool is_valid = point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
        if (pgrpc__utf8_valid_len(text, len) != (is_valid ? len : 0))
            fail_msg("U+%04X", (unsigned)point);
    }
}

static void every_pair_of_bytes(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            uint8_t text[] = {(uint8_t)first, (uint8_t)second};
            size_t expected;
            if (first < 0x80)
                expected = second < 0x80 ? 2 : 1;
            else
                expected = first >= 0xC2 && first < 0xE0 && (second & 0xC0) == 0x80 ? 2 : 0;
            assert_int_equal(valid_len(text, 2), expected);
        }
    }
}

static void invalid_forms(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } table[] = {
        {"\x80", 1},
        {"\xbf", 1},
        {"\xc0\x80", 2}, /* overlong NUL */
        {"\xc1\xbf", 2},
        {"\xe0\x80\x80", 3},
        {"\xe0\x9f\xbf", 3},
        {"\xf0\x80\x80\x80", 4},
        {"\xf0\x8f\xbf\xbf", 4},
        {"\xed\xa0\x80", 3}, /* surrogates */
        {"\xed\xbf\xbf", 3},
        {"\xf4\x90\x80\x80", 4}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 4},
        {"\xfe", 1},
        {"\xff", 1},
        {"\xc3", 1}, /* cut */
        {"\xe2\x82", 2},
        {"\xf0\x9f\x98", 3},
        {"\xe2\x28\xa1", 3},
        {"\xe2\x82\x28", 3},
        {"\xf0\x28\x8c\xbc", 4},
        {"\xf0\x90\x28\xbc", 4},
        {"\xf0\x90\x8c\x28", 4},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(valid_len(table[i].text, table[i].len), 0);
        /* behind every length of valid text, so that the step of eight bytes meets it anywhere */
        for (size_t before = 0; before < 20; before++) {
            char text[40];
            memset(text, 'a', sizeof(text));
            memcpy(text + before, table[i].text, table[i].len);
            assert_int_equal(valid_len(text, before + table[i].len), before);
            /* what follows may complete a character that was cut, but not with an 'a' */
            assert_int_equal(valid_len(text, sizeof(text)), before);
        }
    }
}

static void nul_anywhere(void **state)
{
    char text[40];
    (void)state;
    for (size_t at = 0; at < sizeof(text); at++) {
        memset(text, 0x7F, sizeof(text));
        text[at] = '\0';
        assert_int_equal(pgrpc__utf8_text_len(text, sizeof(text)), at);
        assert_int_equal(pgrpc__utf8_valid_len(text, sizeof(text)), sizeof(text));
        assert_int_equal(pgrpc__utf8_text_len(text, at), at);
    }
    assert_int_equal(pgrpc__utf8_text_len(NULL, 0), 0);
}

static void mixed_text(void **state)
{
    (void)state;
    srandom(5);
    for (int turn = 0; turn < 3000; turn++) {
        uint8_t text[300];
        size_t len = 0;
        while (len < 200) {
            static const uint32_t tops[] = {0x80, 0x80, 0x800, 0xD800, 0x10FFFF};
            uint32_t point = (uint32_t)random() % tops[random() % 5];
            if (point < 0xD800 || point > 0xDFFF)
                len += encode(point, text + len);
        }
        assert_int_equal(valid_len(text, len), len);
        text[(size_t)random() % len] = 0xFF;
        assert_in_range(valid_len(text, len), 0, len - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point), cmocka_unit_test(every_pair_of_bytes),
        cmocka_unit_test(invalid_forms),    cmocka_unit_test(nul_anywhere),
        cmocka_unit_test(mixed_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
