#include "../support/unit.h"

#include <stdlib.h>

#include "wire/timeout.h"

static void rule_08_values(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } table[] = {
        {"1H", 3600000},
        {"1M", 60000},
        {"1S", 1000},
        {"1m", 1},
        {"100m", 100},
        {"007m", 7},
        {"00000001S", 1000},
        {"99999999m", 99999999},
        {"99999999S", INT64_C(99999999000)},
        {"99999999H", INT64_C(359999996400000)},
        /* rounded up */
        {"1u", 1},
        {"999u", 1},
        {"1000u", 1},
        {"1001u", 2},
        {"1n", 1},
        {"1000000n", 1},
        {"1000001n", 2},
        {"99999999n", 100},
        /* expired on arrival */
        {"0H", 0},
        {"0n", 0},
        {"00000000u", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int64_t ms = -1;
        assert_true(pgrpc__timeout_parse(table[i].text, strlen(table[i].text), &ms));
        assert_true(ms == table[i].ms);
        assert_true(ms <= TIMEOUT_MS_MAX);
    }
}

static void rule_08_malformed(void **state)
{
    static const char *const table[] = {
        "",
        "1",
        "m",
        "S",
        "123456789m",
        "000000001S",
        "1234567890",
        "-1S",
        "+1S",
        " 1S",
        "1S ",
        "1 S",
        "1s",
        "1h",
        "1ms",
        "1us",
        "1N",
        "1U",
        "1x",
        "1.5S",
        "0x1S",
        "1SS",
        "S1",
        "1e3m",
        "1,S",
        "1\t",
        "\xc2\xb9S",
        "12a4m",
        "99999999999999999999H",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int64_t ms = -1;
        char *copy = malloc(strlen(table[i]) + 1);
        memcpy(copy, table[i], strlen(table[i]));
        if (pgrpc__timeout_parse(copy, strlen(table[i]), &ms))
            fail_msg("\"%s\" was taken", table[i]);
        assert_true(ms == -1);
        free(copy);
    }
    int64_t ms;
    assert_false(pgrpc__timeout_parse("1\0S", 3, &ms));
}

static void rule_09_finest_unit_rounded_up(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } table[] = {
        {1, "1m"},
        {10, "10m"},
        {5000, "5000m"},
        {99999998, "99999998m"},
        {99999999, "99999999m"},
        {100000000, "100000S"},
        {100000001, "100001S"},
        {INT64_C(99999999000), "99999999S"},
        {INT64_C(99999999001), "1666667M"},
        {INT64_C(99999999) * 60000, "99999999M"},
        {INT64_C(99999999) * 60000 + 1, "1666667H"},
        {TIMEOUT_MS_MAX - 1, "99999999H"},
        {TIMEOUT_MS_MAX, "99999999H"},
        {TIMEOUT_MS_MAX + 1, "99999999H"},
        {INT64_MAX, "99999999H"},
        {0, "1n"},
        {-1, "1n"},
        {INT64_MIN, "1n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[TIMEOUT_TEXT_MAX];
        size_t len = pgrpc__timeout_format(table[i].ms, text);
        assert_int_equal(len, strlen(table[i].text));
        assert_memory_equal(text, table[i].text, len);
    }
}

static void rule_09_never_earlier_for_the_server(void **state)
{
    (void)state;
    srandom(9);
    for (int turn = 0; turn < 100000; turn++) {
        int64_t ms = ((int64_t)random() << 20 ^ random()) >> (random() % 50), read;
        char text[TIMEOUT_TEXT_MAX];
        if (ms == 0 || ms > TIMEOUT_MS_MAX)
            continue;
        size_t len = pgrpc__timeout_format(ms, text);
        assert_true(pgrpc__timeout_parse(text, len, &read));
        assert_true(read >= ms);
        /* never later by more than one part in 100,000 */
        assert_true(read - ms <= ms / 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_08_values),
        cmocka_unit_test(rule_08_malformed),
        cmocka_unit_test(rule_09_finest_unit_rounded_up),
        cmocka_unit_test(rule_09_never_earlier_for_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
