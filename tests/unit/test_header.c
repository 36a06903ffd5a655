#include "../support/unit.h"

#include <stdlib.h>

#include "wire/header.h"

static enum header_id find(const char *name, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, name, len);
    enum header_id id = pgrpc__header_find(copy, len);
    free(copy);
    return id;
}

static const struct {
    const char *name;
    enum header_id id;
} known[] = {
    {":authority", HEADER_AUTHORITY},
    {":method", HEADER_METHOD},
    {":path", HEADER_PATH},
    {":scheme", HEADER_SCHEME},
    {":status", HEADER_STATUS},
    {"content-type", HEADER_CONTENT_TYPE},
    {"host", HEADER_HOST},
    {"te", HEADER_TE},
    {"user-agent", HEADER_USER_AGENT},
    {"connection", HEADER_CONNECTION},
    {"keep-alive", HEADER_CONNECTION},
    {"proxy-connection", HEADER_CONNECTION},
    {"transfer-encoding", HEADER_CONNECTION},
    {"upgrade", HEADER_CONNECTION},
    {"trailer", HEADER_CONNECTION},
    {"content-length", HEADER_CONNECTION},
    {"grpc-accept-encoding", HEADER_GRPC_ACCEPT_ENCODING},
    {"grpc-encoding", HEADER_GRPC_ENCODING},
    {"grpc-message", HEADER_GRPC_MESSAGE},
    {"grpc-message-type", HEADER_GRPC_MESSAGE_TYPE},
    {"grpc-previous-rpc-attempts", HEADER_GRPC_PREVIOUS_RPC_ATTEMPTS},
    {"grpc-retry-pushback-ms", HEADER_GRPC_RETRY_PUSHBACK_MS},
    {"grpc-status", HEADER_GRPC_STATUS},
    {"grpc-status-details-bin", HEADER_GRPC_STATUS_DETAILS_BIN},
    {"grpc-timeout", HEADER_GRPC_TIMEOUT},
};
enum { KNOWN_COUNT = sizeof(known) / sizeof(known[0]) };

static void known_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        const char *name = known[i].name;
        size_t len = strlen(name);
        assert_int_equal(find(name, len), known[i].id);
        /* one character less, more or other is another name */
        enum header_id other = name[0] == ':' ? HEADER_UNKNOWN_PSEUDO : HEADER_OTHER;
        char changed[40];
        memcpy(changed, name, len);
        changed[len] = 'x';
        assert_int_equal(find(changed, len + 1), other);
        assert_int_equal(find(changed, len - 1), other);
        for (size_t at = 0; at < len; at++) {
            changed[at] ^= 0x20;
            if (at > 0)
                assert_int_equal(find(changed, len), other);
            else
                assert_int_not_equal(find(changed, len), known[i].id);
            changed[at] ^= 0x20;
        }
    }
}

static void other_names(void **state)
{
    char long_name[300];
    (void)state;
    memset(long_name, 'a', sizeof(long_name));
    for (size_t len = 0; len < sizeof(long_name); len++)
        assert_int_equal(find(long_name, len), HEADER_OTHER);
    long_name[0] = ':';
    for (size_t len = 1; len < sizeof(long_name); len++)
        assert_int_equal(find(long_name, len), HEADER_UNKNOWN_PSEUDO);
    assert_int_equal(find("TE", 2), HEADER_OTHER);
    assert_int_equal(find("grpc-trace-bin", 14), HEADER_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_names),
        cmocka_unit_test(other_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
