#include "../support/unit.h"

#include <stdlib.h>

#include "wire/base64.h"

/* Decodes exactly |len| characters into exactly base64_decoded_max bytes. */
static bool decode(const char *text, size_t len, uint8_t *data, size_t *data_len)
{
    char *copy = malloc(len + 1);
    uint8_t *output = malloc(base64_decoded_max(len));
    assert_non_null(copy);
    assert_non_null(output);
    memcpy(copy, text, len);
    copy = realloc(copy, len > 0 ? len : 1);
    bool decoded = pgrpc__base64_decode(copy, len, output, data_len);
    if (decoded) {
        assert_in_range(*data_len, 0, base64_decoded_max(len));
        memcpy(data, output, *data_len);
    }
    free(copy);
    free(output);
    return decoded;
}

static void rule_21_padded_or_not(void **state)
{
    static const struct {
        const char *text;
        const char *data;
    } table[] = {
        /* RFC 4648 section 10 */
        {"", ""},
        {"Zg==", "f"},
        {"Zg", "f"},
        {"Zm8=", "fo"},
        {"Zm8", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYg", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmE", "fooba"},
        {"Zm9vYmFy", "foobar"},
        {"+/+/", "\xfb\xff\xbf"},
        /* bits that stand for nothing */
        {"Zh", "f"},
        {"Zm9=", "fo"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint8_t data[16];
        size_t len;
        assert_true(decode(table[i].text, strlen(table[i].text), data, &len));
        assert_int_equal(len, strlen(table[i].data));
        assert_memory_equal(data, table[i].data, len);
    }
}

static void rule_21_written_without_padding(void **state)
{
    static const char *const expected[] = {"",       "Zg",      "Zm8",     "Zm9v",
                                           "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"};
    char text[16];
    (void)state;
    for (size_t len = 0; len <= 6; len++) {
        assert_int_equal(base64_encoded_len(len), strlen(expected[len]));
        memset(text, '!', sizeof(text));
        pgrpc__base64_encode("foobar", len, text);
        assert_memory_equal(text, expected[len], strlen(expected[len]));
        assert_int_equal(text[strlen(expected[len])], '!');
    }
}

static void rule_25_what_is_not_base64(void **state)
{
    static const char *const table[] = {
        "Z",     "Zm9vY", "=",       "==",       "===",      "====", "Z===",   "Zg=",  "Zg===",
        "Zm8==", "Zm9v=", "Zm9v==",  "Zm9v====", "Z=g=",     "=Zg=", "Zg==Zg", "Zg=g", "Zm 8",
        "Zm8\n", "Zm-_",  "Zm9\x80", "Zm9*",     "\xff\xff", ",Zg",  "Zg==\t",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint8_t data[16];
        size_t len;
        if (decode(table[i], strlen(table[i]), data, &len))
            fail_msg("\"%s\" was decoded", table[i]);
    }
    uint8_t data[16];
    size_t len;
    assert_false(decode("Zm\0v", 4, data, &len));
}

static void alphabet_is_the_standard_one(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char text[] = {'A', 'A', 'A', (char)c};
        uint8_t data[8];
        size_t len;
        const char *found = c ? strchr(alphabet, (int)c) : NULL;
        bool decoded = decode(text, 4, data, &len);
        if (c == '=') { /* padding: two bytes */
            assert_true(decoded);
            assert_int_equal(len, 2);
            continue;
        }
        assert_int_equal(decoded, found != NULL);
        if (found)
            assert_int_equal(data[2], found - alphabet);
    }
}

static void random_bytes_come_back(void **state)
{
    (void)state;
    srandom(21);
    for (size_t turn = 0; turn < 2000; turn++) {
        size_t len = (size_t)random() % 100, decoded_len;
        uint8_t data[100], decoded[128];
        char text[140];
        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)random();
        size_t text_len = base64_encoded_len(len);
        pgrpc__base64_encode(data, len, text);
        assert_true(decode(text, text_len, decoded, &decoded_len));
        assert_int_equal(decoded_len, len);
        assert_memory_equal(decoded, data, len);
        while (text_len % 4 != 0)
            text[text_len++] = '=';
        assert_true(decode(text, text_len, decoded, &decoded_len));
        assert_int_equal(decoded_len, len);
        assert_memory_equal(decoded, data, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_21_padded_or_not),
        cmocka_unit_test(rule_21_written_without_padding),
        cmocka_unit_test(rule_25_what_is_not_base64),
        cmocka_unit_test(alphabet_is_the_standard_one),
        cmocka_unit_test(random_bytes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
