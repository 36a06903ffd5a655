#include "../support/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "wire/status.h"

static void names_of_codes(void **state)
{
    (void)state;
    assert_string_equal(pgrpc_code_name(PGRPC_OK), "OK");
    assert_string_equal(pgrpc_code_name(PGRPC_CANCELLED), "CANCELLED");
    assert_string_equal(pgrpc_code_name(PGRPC_RESOURCE_EXHAUSTED), "RESOURCE_EXHAUSTED");
    assert_string_equal(pgrpc_code_name(PGRPC_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(pgrpc_code_name((enum pgrpc_code)17), "UNKNOWN_CODE");
    assert_string_equal(pgrpc_code_name((enum pgrpc_code) - 1), "UNKNOWN_CODE");
    for (int code = 0; code <= 16; code++)
        assert_string_not_equal(pgrpc_code_name((enum pgrpc_code)code), "UNKNOWN_CODE");
}

static void rule_35_numbers(void **state)
{
    (void)state;
    for (int code = 0; code <= 200; code++) {
        char text[8];
        int len = snprintf(text, sizeof(text), "%d", code);
        assert_int_equal(pgrpc__status_parse(text, (size_t)len), code <= 16 ? code : PGRPC_UNKNOWN);
        if (code <= 16) {
            char written[STATUS_TEXT_MAX];
            assert_int_equal(pgrpc__status_format((enum pgrpc_code)code, written), len);
            assert_memory_equal(written, text, len);
        }
    }
    char written[STATUS_TEXT_MAX];
    assert_int_equal(pgrpc__status_format((enum pgrpc_code)17, written), 1);
    assert_int_equal(written[0], '2');
}

static void rule_35_unparsable_is_unknown(void **state)
{
    static const char *const table[] = {
        "",    " ",   "00",       "01", "013", "0x1", "-1",  "+1",
        " 0",  "0 ",  "1 ",       "OK", "1a",  "a1",  "1\t", "99999999999999999999",
        "0\n", "1.0", "\xd9\xa1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(pgrpc__status_parse(table[i], strlen(table[i])), PGRPC_UNKNOWN);
}

static void rule_39_from_http(void **state)
{
    (void)state;
    for (unsigned status = 0; status < 1000; status++) {
        enum pgrpc_code expected = PGRPC_UNKNOWN;
        if (status == 400)
            expected = PGRPC_INTERNAL;
        else if (status == 401)
            expected = PGRPC_UNAUTHENTICATED;
        else if (status == 403)
            expected = PGRPC_PERMISSION_DENIED;
        else if (status == 404)
            expected = PGRPC_UNIMPLEMENTED;
        else if (status == 429 || (status >= 502 && status <= 504))
            expected = PGRPC_UNAVAILABLE;
        assert_int_equal(pgrpc__status_from_http(status), expected);
    }
}

static void rule_47_from_reset(void **state)
{
    static const enum pgrpc_code expected[] = {
        PGRPC_INTERNAL,           /* NO_ERROR */
        PGRPC_INTERNAL,           /* PROTOCOL_ERROR */
        PGRPC_INTERNAL,           /* INTERNAL_ERROR */
        PGRPC_INTERNAL,           /* FLOW_CONTROL_ERROR */
        PGRPC_INTERNAL,           /* SETTINGS_TIMEOUT */
        PGRPC_INTERNAL,           /* STREAM_CLOSED: no mapping */
        PGRPC_INTERNAL,           /* FRAME_SIZE_ERROR */
        PGRPC_UNAVAILABLE,        /* REFUSED_STREAM */
        PGRPC_CANCELLED,          /* CANCEL */
        PGRPC_INTERNAL,           /* COMPRESSION_ERROR */
        PGRPC_INTERNAL,           /* CONNECT_ERROR */
        PGRPC_RESOURCE_EXHAUSTED, /* ENHANCE_YOUR_CALM */
        PGRPC_PERMISSION_DENIED,  /* INADEQUATE_SECURITY */
        PGRPC_INTERNAL,           /* HTTP_1_1_REQUIRED: no mapping */
        PGRPC_INTERNAL,           /* unknown ones */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(pgrpc__status_from_reset(i), expected[i]);
    assert_int_equal(pgrpc__status_from_reset(UINT32_MAX), PGRPC_INTERNAL);
}

static void rule_04_content_type(void **state)
{
    static const struct {
        const char *text;
        const char *subtype; /* NULL: not gRPC's */
    } table[] = {
        {"application/grpc", ""},
        {"application/grpc+proto", "proto"},
        {"application/grpc+json", "json"},
        {"application/grpc+", ""},
        {"application/grpc;charset=utf-8", ""},
        {"application/grpc;", ""},
        {"application/grpc+proto;x=y", "proto"},
        {"application/grpc+proto; x=y", "proto"},
        {"application/grpc ; x=y", ""},
        {"application/grpc+raw ;", "raw"},
        {"application/grpc ", ""},
        {"Application/GRPC+proto", "proto"},
        {"application/grpc-web", NULL},
        {"application/grpc-web+proto", NULL},
        {"application/grpcfoo", NULL},
        {"application/grpc x", NULL},
        {"application/grpc+proto x", NULL},
        {"application/grpc,application/grpc", NULL},
        {"application/grp", NULL},
        {" application/grpc", NULL},
        {"application/json", NULL},
        {"text/html", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *subtype;
        size_t len = strlen(table[i].text), subtype_len;
        char *copy = malloc(len > 0 ? len : 1);
        memcpy(copy, table[i].text, len);
        bool is_grpc = pgrpc__content_type_parse(copy, len, &subtype, &subtype_len);
        if (is_grpc != (table[i].subtype != NULL))
            fail_msg("%s", table[i].text);
        if (is_grpc) {
            assert_int_equal(subtype_len, strlen(table[i].subtype));
            assert_memory_equal(subtype, table[i].subtype, subtype_len);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_codes),
        cmocka_unit_test(rule_35_numbers),
        cmocka_unit_test(rule_35_unparsable_is_unknown),
        cmocka_unit_test(rule_39_from_http),
        cmocka_unit_test(rule_47_from_reset),
        cmocka_unit_test(rule_04_content_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
