#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/error_text.h"
#include "io/socket.h"

enum { ACCEPT_ATTEMPTS = 16 };

static bool is_any_ipv6(const struct socket_address *address)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;
    return in6->sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

static void set_option(int fd, int level, int option, int value)
{
    /* What the kind of socket does not know is no loss. */
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* A new socket that listens on |address|, or a negative errno. */
static int listen_on(const struct socket_address *address, bool reuse_port)
{
    bool is_ip = address->storage.ss_family != AF_UNIX;
    int one = 1;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (is_ip) {
        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    }
    if (is_any_ipv6(address))
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if ((reuse_port && is_ip && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0) ||
        bind(fd, (const struct sockaddr *)&address->storage, address->len) < 0 ||
        listen(fd, SOMAXCONN) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* True when the file of a unix socket was left behind by a listener that is gone, and now is gone
 * too. */
static bool remove_stale(const struct socket_address *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
    struct stat status;
    if (un->sun_family != AF_UNIX || !un->sun_path[0] || lstat(un->sun_path, &status) < 0 ||
        !S_ISSOCK(status.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool is_stale =
        connect(fd, (const struct sockaddr *)un, address->len) < 0 && errno == ECONNREFUSED;
    close(fd);
    return is_stale && unlink(un->sun_path) == 0;
}

int pgrpc__socket_listen(const char *text, bool reuse_port, int *fd, int *port, char *error,
                         size_t error_len)
{
    struct socket_address address;
    int result = pgrpc__address_parse(text, &address, error, error_len);
    if (result < 0)
        return result;

    result = listen_on(&address, reuse_port);
    if (result == -EADDRINUSE && remove_stale(&address))
        result = listen_on(&address, reuse_port);
    if ((result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL) && is_any_ipv6(&address)) {
        int any_port = pgrpc__address_port(&address);
        struct sockaddr_in *in = (struct sockaddr_in *)&address.storage;
        memset(&address, 0, sizeof(address));
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)any_port);
        address.len = sizeof(*in);
        result = listen_on(&address, reuse_port);
    }
    if (result >= 0) {
        struct socket_address bound = {.len = sizeof(bound.storage)};
        int bound_fd = result;
        if (getsockname(bound_fd, (struct sockaddr *)&bound.storage, &bound.len) == 0) {
            *fd = bound_fd;
            *port = pgrpc__address_port(&bound);
            return 0;
        }
        result = -errno;
        close(bound_fd);
    }
    snprintf(error, error_len, "listening on %.80s: %s", text, pgrpc__error_text(result));
    return result;
}

int pgrpc__socket_accept(int listener, int *fd)
{
    for (int attempt = 0; attempt < ACCEPT_ATTEMPTS; attempt++) {
        int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted >= 0) {
            *fd = accepted;
            return 0;
        }
        switch (errno) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            return -EMFILE;
        case EAGAIN:
            return -EAGAIN;
        case EINTR:
        /* What became of the connection before it was accepted, accept(2). */
        case ECONNABORTED:
        case EPROTO:
        case EPERM:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENOPROTOOPT:
        case EOPNOTSUPP:
        case ETIMEDOUT:
#ifdef ENONET
        case ENONET:
#endif
            break;
        default:
            return -errno;
        }
    }
    return -EAGAIN;
}
