/* Which heads HTTP allows. */
#include "../support/unit.h"

#include "h2/head_check.h"

/* "name=value|..." through the checks: a letter for each field (K kept, D dropped, B bad: the end),
 * then what the end says. */
static const char *judge(bool is_request, enum h2_head_kind kind, const char *fields)
{
    static char verdicts[64];
    struct head_check check;
    size_t count = 0;

    pgrpc__head_check_init(&check, is_request, kind, LENGTH_UNKNOWN);
    while (*fields) {
        size_t len = strcspn(fields, "|");
        const char *equals = memchr(fields, '=', len);
        assert_non_null(equals);
        struct header_field field = {fields, equals + 1, (size_t)(equals - fields),
                                     len - (size_t)(equals + 1 - fields), false};
        verdicts[count++] = "KDB"[pgrpc__head_check_field(&check, &field)];
        if (verdicts[count - 1] == 'B') {
            verdicts[count] = '\0';
            return verdicts;
        }
        fields += len;
        if (*fields == '|')
            fields++;
    }
    strcpy(verdicts + count, pgrpc__head_check_end(&check) ? " good" : " bad");
    return verdicts;
}

#define REQUEST(fields) judge(true, H2_HEAD_REQUEST, fields)
#define RESPONSE(fields) judge(false, H2_HEAD_RESPONSE, fields)
#define GET ":method=GET|:scheme=http|:path=/|:authority=a"

static void requests_that_are_right(void **state)
{
    (void)state;
    assert_string_equal(REQUEST(GET), "KKKK good");
    assert_string_equal(REQUEST(GET "|te=trailers|te=Trailers|x=y"), "KKKKKKK good");
    assert_string_equal(REQUEST(":method=GET|:scheme=http|:path=/|host=a"), "KKKK good");
    assert_string_equal(REQUEST(":method=CONNECT|:authority=a:1"), "KK good");
    assert_string_equal(REQUEST(":method=OPTIONS|:scheme=HTTP|:path=*|:authority=a"), "KKKK good");
    assert_string_equal(REQUEST(":method=GET|:scheme=x+1|:path=any|:authority=a"), "KKKK good");
    assert_string_equal(REQUEST(GET "|content-length=12"), "KKKKK good");
}

static void requests_that_lack_something(void **state)
{
    (void)state;
    assert_string_equal(REQUEST(""), " bad");
    assert_string_equal(REQUEST(":scheme=http|:path=/|:authority=a"), "KKK bad");
    assert_string_equal(REQUEST(":method=GET|:path=/|:authority=a"), "KKK bad");
    assert_string_equal(REQUEST(":method=GET|:scheme=http|:authority=a"), "KKK bad");
    assert_string_equal(REQUEST(":method=GET|:scheme=http|:path=/"), "KKK bad");
    assert_string_equal(REQUEST(":method=CONNECT"), "K bad");
    assert_string_equal(REQUEST(":method=CONNECT|:authority=a|:path=/"), "KKK bad");
    assert_string_equal(REQUEST(":method=GET|:scheme=http|:path=*|:authority=a"), "KKKK bad");
    assert_string_equal(REQUEST(":method=GET|:scheme=https|:path=x|:authority=a"), "KKKK bad");
}

static void pseudo_headers_that_must_not_be_there(void **state)
{
    (void)state;
    assert_string_equal(REQUEST(":method=GET|:method=GET"), "KB");
    assert_string_equal(REQUEST(":path=/|:path=/"), "KB");
    assert_string_equal(REQUEST("x=y|:method=GET"), "KB");
    assert_string_equal(REQUEST(":status=200"), "B");
    assert_string_equal(REQUEST(":protocol=websocket"), "B");
    assert_string_equal(REQUEST(":path="), "B");
    assert_string_equal(REQUEST(":path=/a b"), "B");
    assert_string_equal(REQUEST(":method=G T"), "B");
    assert_string_equal(REQUEST(":scheme=1x"), "B");
    assert_string_equal(REQUEST(":authority=a b"), "B");
    assert_string_equal(judge(true, H2_HEAD_TRAILERS, ":path=/"), "B");
    assert_string_equal(judge(false, H2_HEAD_TRAILERS, ":status=200"), "B");
    assert_string_equal(RESPONSE(":method=GET"), "B");
}

static void fields_that_are_dropped_or_bad(void **state)
{
    (void)state;
    assert_string_equal(REQUEST(GET "|bad name=x|x=a\nb|=x"), "KKKKDDD good");
    assert_string_equal(REQUEST(GET "|host=a b"), "KKKKD good");
    assert_string_equal(REQUEST(GET "|host=a|host=b"), "KKKKKB");
    assert_string_equal(REQUEST(GET "|Upper=x"), "KKKKB");
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
                                        "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char fields[64];
        strcpy(fields, names[i]);
        strcat(fields, "=x");
        assert_string_equal(REQUEST(fields), "B");
        assert_string_equal(RESPONSE(fields), "B");
    }
    assert_string_equal(REQUEST("te=gzip"), "B");
    assert_string_equal(REQUEST("trailer=x"), "K bad");
    assert_string_equal(REQUEST("content-length=1|content-length=1"), "KB");
    assert_string_equal(REQUEST("content-length=1x"), "B");
    assert_string_equal(REQUEST("content-length="), "B");
    assert_string_equal(REQUEST("content-length=9223372036854775807"), "K bad");
    assert_string_equal(REQUEST("content-length=9223372036854775808"), "B");
    assert_string_equal(REQUEST("content-length=99999999999999999999"), "B");
}

static void responses(void **state)
{
    (void)state;
    assert_string_equal(RESPONSE(":status=200|x=y"), "KK good");
    assert_string_equal(RESPONSE("x=y"), "K bad");
    assert_string_equal(RESPONSE(":status=200|:status=200"), "KB");
    assert_string_equal(RESPONSE(":status=101"), "B");
    assert_string_equal(RESPONSE(":status=20"), "B");
    assert_string_equal(RESPONSE(":status=099"), "B");
    assert_string_equal(RESPONSE(":status=2000"), "B");
    assert_string_equal(RESPONSE(":status=2x0"), "B");
    assert_string_equal(RESPONSE(":status=204|content-length=0"), "KD good");
    assert_string_equal(RESPONSE(":status=204|content-length=1"), "KB");
    assert_string_equal(RESPONSE(":status=103|content-length=1"), "KB");
    assert_string_equal(RESPONSE(":status=200|host=a b"), "KK good");
    assert_string_equal(judge(false, H2_HEAD_TRAILERS, "grpc-status=0"), "K good");
}

static void informational_heads_and_lengths_are_known(void **state)
{
    struct head_check check;
    struct header_field early = {":status", "103", 7, 3, false};
    struct header_field none = {":status", "304", 7, 3, false};
    (void)state;

    pgrpc__head_check_init(&check, false, H2_HEAD_RESPONSE, LENGTH_UNKNOWN);
    pgrpc__head_check_field(&check, &early);
    assert_true(pgrpc__head_check_is_informational(&check));
    pgrpc__head_check_init(&check, false, H2_HEAD_RESPONSE, LENGTH_UNKNOWN);
    pgrpc__head_check_field(&check, &none);
    assert_false(pgrpc__head_check_is_informational(&check));
    assert_true(pgrpc__head_check_end(&check));
    assert_int_equal(check.content_length, 0); /* 304 has no body */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_that_are_right),
        cmocka_unit_test(requests_that_lack_something),
        cmocka_unit_test(pseudo_headers_that_must_not_be_there),
        cmocka_unit_test(fields_that_are_dropped_or_bad),
        cmocka_unit_test(responses),
        cmocka_unit_test(informational_heads_and_lengths_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
