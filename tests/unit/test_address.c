#include "../support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#include "io/address.h"

static void what_is_parsed_is_formatted(void **state)
{
    static const struct {
        const char *text, *formatted;
        int port;
    } table[] = {
        {"127.0.0.1:50051", "ipv4:127.0.0.1:50051", 50051},
        {"0.0.0.0:0", "ipv4:0.0.0.0:0", 0},
        {"localhost:65535", "ipv4:127.0.0.1:65535", 65535},
        {"ipv4:10.1.2.3:80", "ipv4:10.1.2.3:80", 80},
        {"[::]:0", "ipv6:[::]:0", 0},
        {"[::1]:443", "ipv6:[::1]:443", 443},
        {"ipv6:[2001:db8::1]:1", "ipv6:[2001:db8::1]:1", 1},
        {"[::ffff:1.2.3.4]:7", "ipv4:1.2.3.4:7", 7},
        {"[fe80::1%1]:7", "ipv6:[fe80::1%1]:7", 7},
        {"unix:/tmp/socket", "unix:/tmp/socket", 0},
        {"unix:///tmp/socket", "unix:/tmp/socket", 0},
        {"unix:relative", "unix:relative", 0},
        {"unix-abstract:name", "unix-abstract:name", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct socket_address address;
        char text[ADDRESS_TEXT_MAX], error[128] = "";
        assert_int_equal(pgrpc__address_parse(table[i].text, &address, error, sizeof(error)), 0);
        pgrpc__address_format(&address, text);
        assert_string_equal(text, table[i].formatted);
        assert_int_equal(pgrpc__address_port(&address), table[i].port);
    }
}

static void what_is_wrong_is_told(void **state)
{
    static const struct {
        const char *text, *part;
    } table[] = {
        {"", "the port is missing"},
        {"127.0.0.1", "the port is missing"},
        {"127.0.0.1:", "not a number"},
        {"127.0.0.1:x", "not a number"},
        {"127.0.0.1:-1", "not a number"},
        {"127.0.0.1:65536", "not a number"},
        {"127.0.0.1:000080", "not a number"},
        {"127.0.0.1:80 ", "not a number"},
        {"256.0.0.1:80", "no IPv4 address"},
        {"example.com:80", "names are not looked up"},
        {":80", "no IPv4 address"},
        {"::1:80", "[address]:port"},
        {"[::1]", "the port is missing"},
        {"[::1]80", "the port is missing"},
        {"[::1", "closing ]"},
        {"[::1%no-such-thing]:80", "network interface"},
        {"[1.2.3.4]:80", "no IPv6 address"},
        {"[]:80", "no IPv6 address"},
        {"unix:", "the path is missing"},
        {"unix-abstract:", "the name is missing"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80",
         "too long"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct socket_address address = {.len = 77};
        char error[160] = "";
        assert_int_equal(pgrpc__address_parse(table[i].text, &address, error, sizeof(error)),
                         -EINVAL);
        assert_non_null(strstr(error, table[i].part));
        assert_non_null(strstr(error, table[i].text));
        assert_int_equal(address.len, 77);
    }
}

static void paths_have_a_limit(void **state)
{
    struct socket_address address;
    char path[128] = "unix:", text[ADDRESS_TEXT_MAX], error[256];
    (void)state;
    memset(path + 5, 'p', 107);
    assert_int_equal(pgrpc__address_parse(path, &address, error, sizeof(error)), 0);
    assert_true(address.len <= sizeof(struct sockaddr_un));
    pgrpc__address_format(&address, text);
    assert_string_equal(text, path);
    path[5 + 107] = 'p';
    assert_int_equal(pgrpc__address_parse(path, &address, error, sizeof(error)), -EINVAL);
    assert_non_null(strstr(error, "107"));
    char name[140] = "unix-abstract:";
    memset(name + 14, 'n', 107);
    assert_int_equal(pgrpc__address_parse(name, &address, error, sizeof(error)), 0);
    assert_int_equal(address.len, sizeof(struct sockaddr_un));
    pgrpc__address_format(&address, text);
    assert_string_equal(text, name);
}

static void nameless_and_strange(void **state)
{
    struct socket_address address;
    char text[ADDRESS_TEXT_MAX];
    (void)state;
    memset(&address, 0, sizeof(address));
    address.storage.ss_family = AF_UNIX;
    address.len = sizeof(sa_family_t);
    pgrpc__address_format(&address, text);
    assert_string_equal(text, "unix:");
    address.storage.ss_family = AF_APPLETALK;
    pgrpc__address_format(&address, text);
    assert_string_equal(text, "unknown:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_parsed_is_formatted),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(paths_have_a_limit),
        cmocka_unit_test(nameless_and_strange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
