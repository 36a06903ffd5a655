#include "../support/unit.h"

#include "wire/error.h"

static void text_is_printable_and_terminated(void **state)
{
    struct error_text error;
    (void)state;
    assert_int_equal(pgrpc__error_set(&error, PGRPC_INTERNAL, "%s and %d", "\r\n\x7f\xff~ ", 7),
                     PGRPC_INTERNAL);
    assert_string_equal(error.text, "????~  and 7");
    assert_int_equal(pgrpc__error_set(&error, PGRPC_UNKNOWN, "%0*d", 4 * ERROR_TEXT_MAX, 1),
                     PGRPC_UNKNOWN);
    assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
    assert_int_equal(pgrpc__error_set(NULL, PGRPC_ABORTED, "nobody asks"), PGRPC_ABORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_printable_and_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
