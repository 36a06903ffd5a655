/* Accepting under every error that accept4 may give: the listener must never end; and listening
 * without IPv6. */
#include "../support/unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "io/socket.h"

static int fault;       /* errno of the next calls */
static int fault_count; /* how many of them */

/* Stands before the C library's (the linker's --wrap). */
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    (void)fd;
    (void)address;
    (void)len;
    if (fault_count > 0) {
        fault_count--;
        errno = fault;
        return -1;
    }
    return flags & SOCK_NONBLOCK && flags & SOCK_CLOEXEC ? 42 : -2;
}

static void what_became_of_one_connection_does_not_end_accepting(void **state)
{
    static const int passing[] = {EINTR,       ECONNABORTED, EPROTO,    EPERM,
                                  ENETDOWN,    ENETUNREACH,  EHOSTDOWN, EHOSTUNREACH,
                                  ENOPROTOOPT, EOPNOTSUPP,   ETIMEDOUT};
    (void)state;
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        int fd = -1, tries = 0;
        fault = passing[i];
        fault_count = 1;
        assert_int_equal(pgrpc__socket_accept(3, &fd), 0);
        assert_int_equal(fd, 42);
        /* Many at once: the caller comes back, and the loop gets its turn. */
        fault_count = 100;
        while (pgrpc__socket_accept(3, &fd) == -EAGAIN)
            tries++;
        assert_in_range(tries, 1, 100);
    }
}

static void exhaustion_is_told(void **state)
{
    static const int exhausted[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    (void)state;
    for (size_t i = 0; i < sizeof(exhausted) / sizeof(exhausted[0]); i++) {
        int fd = -1;
        fault = exhausted[i];
        for (int round = 0; round < 100; round++) {
            fault_count = 1;
            assert_int_equal(pgrpc__socket_accept(3, &fd), -EMFILE);
        }
        assert_int_equal(fd, -1);
        assert_int_equal(pgrpc__socket_accept(3, &fd), 0);
    }
}

static void a_broken_listener_is_told(void **state)
{
    int fd = -1;
    (void)state;
    fault = EBADF;
    fault_count = 1;
    assert_int_equal(pgrpc__socket_accept(3, &fd), -EBADF);
    fault = EAGAIN;
    fault_count = 1;
    assert_int_equal(pgrpc__socket_accept(3, &fd), -EAGAIN);
    assert_int_equal(fault_count, 0);
}

static int bind_fault; /* errno of binding to IPv6 */

int __real_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    if (bind_fault && address->sa_family == AF_INET6) {
        errno = bind_fault;
        return -1;
    }
    return __real_bind(fd, address, len);
}

static void a_system_without_ipv6_listens_on_ipv4(void **state)
{
    struct socket_address bound = {.len = sizeof(bound.storage)};
    char text[ADDRESS_TEXT_MAX], error[256];
    int fd, port;
    (void)state;
    bind_fault = EADDRNOTAVAIL;
    assert_int_equal(pgrpc__socket_listen("[::]:0", false, &fd, &port, error, sizeof(error)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound.storage, &bound.len), 0);
    pgrpc__address_format(&bound, text);
    assert_memory_equal(text, "ipv4:0.0.0.0:", 13);
    close(fd);
    /* Not when a certain address was asked for. */
    fd = -1;
    assert_true(pgrpc__socket_listen("[::1]:0", false, &fd, &port, error, sizeof(error)) < 0);
    assert_memory_equal(error, "listening on [::1]:0: ", 22);
    assert_int_equal(fd, -1);
    bind_fault = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_became_of_one_connection_does_not_end_accepting),
        cmocka_unit_test(exhaustion_is_told),
        cmocka_unit_test(a_broken_listener_is_told),
        cmocka_unit_test(a_system_without_ipv6_listens_on_ipv4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
