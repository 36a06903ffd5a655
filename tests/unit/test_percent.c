#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/percent.h"

static struct arena arena;

static int start(void **state)
{
    (void)state;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pgrpc__arena_clear(&arena);
    return 0;
}

static void expect_encoded(const char *text, size_t len, size_t max_len, const char *expected)
{
    const char *encoded;
    size_t encoded_len;
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    assert_int_equal(pgrpc__percent_encode(&arena, copy, len, max_len, &encoded, &encoded_len),
                     PGRPC_OK);
    assert_int_equal(encoded_len, strlen(expected));
    assert_memory_equal(encoded, expected, encoded_len);
    free(copy);
}

static void expect_decoded(const char *encoded, size_t len, const char *expected)
{
    const char *text;
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, encoded, len);
    assert_int_equal(pgrpc__percent_decode(&arena, copy, len, &text), PGRPC_OK);
    free(copy);
    assert_string_equal(text, expected);
}

static void rule_43_what_is_escaped(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char text[] = {(char)c}, expected[8];
        if (c >= 0x20 && c <= 0x7E && c != '%')
            snprintf(expected, sizeof(expected), "%c", (int)c);
        else
            snprintf(expected, sizeof(expected), "%%%02X", c);
        expect_encoded(text, 1, SIZE_MAX, expected);
    }
    expect_encoded("", 0, SIZE_MAX, "");
    expect_encoded("a, b", 4, SIZE_MAX, "a, b");
    expect_encoded("100% \xe2\x98\xba\n", 9, SIZE_MAX, "100%25 %E2%98%BA%0A");
}

static void plain_text_is_not_copied(void **state)
{
    static const char text[] = "nothing to escape";
    const char *encoded;
    size_t len;
    (void)state;
    assert_int_equal(pgrpc__percent_encode(&arena, text, strlen(text), SIZE_MAX, &encoded, &len),
                     PGRPC_OK);
    assert_ptr_equal(encoded, text);
    assert_int_equal(arena.used, 0);
}

static void long_texts_are_cut_at_a_character(void **state)
{
    static const char text[] = "ab\xe2\x82\xac%c"; /* a b EURO % c: 1 1 9 3 1 */
    static const struct {
        size_t max_len;
        const char *expected;
    } table[] = {
        {0, ""},
        {1, "a"},
        {2, "ab"},
        {3, "ab"},
        {10, "ab"},
        {11, "ab%E2%82%AC"},
        {13, "ab%E2%82%AC"},
        {14, "ab%E2%82%AC%25"},
        {15, "ab%E2%82%AC%25c"},
        {16, "ab%E2%82%AC%25c"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        expect_encoded(text, strlen(text), table[i].max_len, table[i].expected);
    expect_encoded("plain", 5, 3, "pla");
}

static void rule_43_bad_escapes_stay(void **state)
{
    static const char *const table[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"a%20b", "a b"},
        {"%41%42", "AB"},
        {"%e2%98%ba", "\xe2\x98\xba"},
        {"%E2%98%BA!", "\xe2\x98\xba!"},
        {"%25", "%"},
        {"%2525", "%25"},
        {"%", "%"},
        {"%%", "%%"},
        {"%2", "%2"},
        {"%2g", "%2g"},
        {"%g2", "%g2"},
        {"% 41", "% 41"},
        {"%%41", "%A"},
        {"%4%41", "%4A"},
        {"100%", "100%"},
        {"a,b", "a,b"},
        /* neither a NUL nor what is not UTF-8 gets into the text */
        {"a%00b", "a%00b"},
        {"%FF", "%FF"},
        {"%ff%fe!", "%FF%FE!"},
        {"%E2%98", "%E2%98"},
        {"%C0%80", "%C0%80"},
        {"%ED%A0%80", "%ED%A0%80"},
        {"ok %E2%98%BA %80 %00", "ok \xe2\x98\xba %80 %00"},
        /* raw bytes, as some peers send them */
        {"\xe2\x98\xba", "\xe2\x98\xba"},
        {"caf\xe9", "caf%E9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        expect_decoded(table[i][0], strlen(table[i][0]), table[i][1]);
    expect_decoded("a\0b", 3, "a%00b");
}

static void random_texts_come_back(void **state)
{
    (void)state;
    srandom(43);
    for (int turn = 0; turn < 2000; turn++) {
        char text[64];
        size_t len = 0;
        while (len < 40) {
            static const char *const parts[] = {
                "a", "%", " ", "\n", "\xc3\xa9", "\xe2\x98\xba", "\xf0\x9f\x98\x80", "%41", "\x7f"};
            const char *part = parts[random() % 9];
            memcpy(text + len, part, strlen(part));
            len += strlen(part);
        }
        text[len] = '\0';
        const char *encoded, *decoded;
        size_t encoded_len;
        assert_int_equal(pgrpc__percent_encode(&arena, text, len, SIZE_MAX, &encoded, &encoded_len),
                         PGRPC_OK);
        assert_int_equal(pgrpc__percent_decode(&arena, encoded, encoded_len, &decoded), PGRPC_OK);
        assert_string_equal(decoded, text);
        pgrpc__arena_reset(&arena);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct arena scarce;
        const char *text = NULL;
        size_t len;
        static char invalid[3000];
        memset(invalid, 0xFF, sizeof(invalid));
        faulty_allocator_init(&faulty, n);
        pgrpc__arena_init(&scarce, &faulty.hook, NULL, 0);
        enum pgrpc_code code =
            pgrpc__percent_encode(&scarce, invalid, sizeof(invalid), SIZE_MAX, &text, &len);
        if (code == PGRPC_OK)
            code = pgrpc__percent_decode(&scarce, invalid, sizeof(invalid), &text);
        bool failed = faulty_allocator_has_failed(&faulty);
        assert_int_equal(code, failed ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
        pgrpc__arena_clear(&scarce);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!failed) {
            assert_in_range(n, 3, 4);
            break;
        }
    }
}

static void every_allocation_may_exceed_the_budget(void **state)
{
    enum pgrpc_code code;
    size_t budget = 0;
    (void)state;
    do {
        const char *text;
        pgrpc__arena_clear(&arena);
        arena.budget = budget++;
        code = pgrpc__percent_decode(&arena, "\xff\xff", 2, &text);
        assert_int_equal(code, arena.over_budget ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
    } while (code != PGRPC_OK);
    assert_in_range(budget, 10, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rule_43_what_is_escaped, start, stop),
        cmocka_unit_test_setup_teardown(plain_text_is_not_copied, start, stop),
        cmocka_unit_test_setup_teardown(long_texts_are_cut_at_a_character, start, stop),
        cmocka_unit_test_setup_teardown(rule_43_bad_escapes_stay, start, stop),
        cmocka_unit_test_setup_teardown(random_texts_come_back, start, stop),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test_setup_teardown(every_allocation_may_exceed_the_budget, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
