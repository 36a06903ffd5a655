#include "../support/unit.h"
#include "../support/faulty_allocator.h"
#include "../support/fds.h"
#include "../support/watcher.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "io/socket.h"

/* --- system calls that the tests count and break (the linker's --wrap) -------------------------
 */

static int recv_count, recv_errno, epoll_errno;

ssize_t __real_recv(int fd, void *data, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t len, int flags);
int __real_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);

ssize_t __wrap_recv(int fd, void *data, size_t len, int flags)
{
    recv_count++;
    if (recv_errno) {
        errno = recv_errno;
        if (recv_errno == EINTR)
            recv_errno = 0;
        return -1;
    }
    return __real_recv(fd, data, len, flags);
}

int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    if (epoll_errno && operation != EPOLL_CTL_DEL) {
        errno = epoll_errno;
        return -1;
    }
    return __real_epoll_ctl(epoll_fd, operation, fd, event);
}

/* A connection whose other end is itself. */
static bool is_own_peer;

int __real_getpeername(int fd, struct sockaddr *address, socklen_t *len);
int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *len);

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
    return is_own_peer ? getsockname(fd, address, len) : __real_getpeername(fd, address, len);
}

/* --- a connection over a listener ----------------------------------------------------------------
 */

struct fixture {
    size_t fds;
    struct pgrpc_loop *loop;
    struct bytestream *client;
    struct bytestream *server;
    struct watcher client_watcher;
    struct watcher server_watcher;
    char folder[64];
};
static struct fixture fixture;

static void settle(void)
{
    while (pgrpc__loop_turn(fixture.loop, 0) > 0)
        continue;
}

/* Turns until |*count| is at least |wanted|. */
static void wait_for(const int *count, int wanted)
{
    while (*count < wanted)
        assert_true(pgrpc__loop_turn(fixture.loop, -1) >= 0);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    recv_count = recv_errno = epoll_errno = 0;
    fixture.fds = open_fd_count();
    strcpy(fixture.folder, "/tmp/picogrpc-test-XXXXXX");
    assert_non_null(mkdtemp(fixture.folder));
    fixture.loop = pgrpc_loop_new(NULL);
    return pgrpc__loop_take_lock(fixture.loop);
}

static int tear_down(void **state)
{
    char path[128];
    (void)state;
    stream_free(fixture.client);
    stream_free(fixture.server);
    assert_int_equal(fixture.loop->watch_count, 0);
    pgrpc__loop_leave_lock(fixture.loop);
    pgrpc_loop_free(fixture.loop);
    snprintf(path, sizeof(path), "%s/socket", fixture.folder);
    unlink(path);
    rmdir(fixture.folder);
    assert_int_equal(open_fd_count(), fixture.fds);
    return 0;
}

static int listen_on(const char *address, int *port)
{
    char error[256] = "";
    int fd = -1;
    int result = pgrpc__socket_listen(address, false, &fd, port, error, sizeof(error));
    if (result < 0)
        fail_msg("%s", error);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    return fd;
}

static int start_connect(const char *text)
{
    struct socket_address address;
    char error[256];
    assert_int_equal(pgrpc__address_parse(text, &address, error, sizeof(error)), 0);
    int result = pgrpc__socket_connect(fixture.loop, &address, &fixture.client);
    if (result == 0)
        watcher_init(&fixture.client_watcher, fixture.client);
    return result;
}

/* Connects to |text|, where |listener| listens, and accepts. */
static void connect_to(const char *text, int listener)
{
    int fd;
    assert_int_equal(start_connect(text), 0);
    assert_int_equal(fixture.client_watcher.ready, 0);
    wait_for(&fixture.client_watcher.ready, 1);
    assert_int_equal(pgrpc__socket_accept(listener, &fd), 0);
    assert_int_equal(pgrpc__socket_accept(listener, &fd), -EAGAIN);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(pgrpc__socket_adopt(fixture.loop, fd, &fixture.server), 0);
    watcher_init(&fixture.server_watcher, fixture.server);
    assert_int_equal(fixture.server_watcher.ready, 0);
    wait_for(&fixture.server_watcher.ready, 1);
    close(listener);
}

static void connect_pair(void)
{
    char text[64];
    int port, listener = listen_on("127.0.0.1:0", &port);
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    connect_to(text, listener);
}

/* Over a unix socket, where what one end wrote is there for the other at once; TCP may take a
 * moment, even inside one machine. */
static void join_pair(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pgrpc__socket_adopt(fixture.loop, pair[0], &fixture.server), 0);
    assert_int_equal(pgrpc__socket_adopt(fixture.loop, pair[1], &fixture.client), 0);
    assert_int_equal(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
    watcher_init(&fixture.server_watcher, fixture.server);
    watcher_init(&fixture.client_watcher, fixture.client);
    settle();
    assert_int_equal(fixture.server_watcher.ready, 1);
}

static void check_echo(void)
{
    char text[16];
    assert_int_equal(stream_write(fixture.client, "hello", 5), 5);
    wait_for(&fixture.server_watcher.readable, 1);
    assert_int_equal(stream_read(fixture.server, text, sizeof(text)), 5);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(stream_write(fixture.server, "you", 3), 3);
    wait_for(&fixture.client_watcher.readable, 1);
    assert_int_equal(stream_read(fixture.client, text, sizeof(text)), 3);
}

static const char *peer_of(struct bytestream *stream)
{
    assert_string_equal(stream->ops->peer(stream)->security, "insecure");
    return stream->ops->peer(stream)->address;
}

/* --- connecting ---------------------------------------------------------------------------------
 */

static void tcp_over_ipv4(void **state)
{
    char text[64], expected[80];
    int port, listener = listen_on("127.0.0.1:0", &port);
    (void)state;
    assert_true(port > 0);
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    connect_to(text, listener);
    check_echo();
    snprintf(expected, sizeof(expected), "ipv4:%s", text);
    assert_string_equal(peer_of(fixture.client), expected);
    assert_memory_equal(peer_of(fixture.server), "ipv4:127.0.0.1:", 15);
}

static void tcp_over_ipv4_on_the_listener_for_all(void **state)
{
    char text[64];
    int port, listener = listen_on("[::]:0", &port);
    (void)state;
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    connect_to(text, listener);
    check_echo();
    assert_memory_equal(peer_of(fixture.server), "ipv4:127.0.0.1:", 15);
}

static void tcp_over_ipv6(void **state)
{
    char text[64], error[256];
    int port, probe;
    (void)state;
    if (pgrpc__socket_listen("[::1]:0", false, &probe, &port, error, sizeof(error)) < 0)
        skip(); /* this host has no IPv6 */
    close(probe);
    int listener = listen_on("[::]:0", &port);
    snprintf(text, sizeof(text), "[::1]:%d", port);
    connect_to(text, listener);
    check_echo();
    assert_memory_equal(peer_of(fixture.server), "ipv6:[::1]:", 11);
}

static void unix_sockets(void **state)
{
    char text[128], error[256];
    int port = 77, fd;
    (void)state;
    snprintf(text, sizeof(text), "unix:%s/socket", fixture.folder);
    assert_int_equal(start_connect(text), -ENOENT);
    int listener = listen_on(text, &port);
    assert_int_equal(port, 0);
    /* Somebody listens there. */
    assert_int_equal(pgrpc__socket_listen(text, false, &fd, &port, error, sizeof(error)),
                     -EADDRINUSE);
    int left;
    assert_int_equal(pgrpc__socket_accept(listener, &left), 0); /* the one that asked */
    close(left);
    connect_to(text, listener);
    check_echo();
    assert_string_equal(peer_of(fixture.client), text);
    assert_string_equal(peer_of(fixture.server), "unix:");
    /* Nobody any more: the file is left over. */
    close(listen_on(text, &port));
    assert_int_equal(start_connect(text), -ECONNREFUSED);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    char text[128], error[256];
    int port, fd;
    (void)state;
    snprintf(text, sizeof(text), "unix:%s/socket", fixture.folder);
    close(open(text + 5, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(pgrpc__socket_listen(text, false, &fd, &port, error, sizeof(error)),
                     -EADDRINUSE);
    assert_int_equal(access(text + 5, F_OK), 0);
}

static void abstract_unix_sockets(void **state)
{
    char text[128];
    int port;
    (void)state;
    snprintf(text, sizeof(text), "unix-abstract:picogrpc-%d", (int)getpid());
    connect_to(text, listen_on(text, &port));
    check_echo();
    assert_string_equal(peer_of(fixture.client), text);
}

static void a_refused_connection_is_told(void **state)
{
    char text[64], expected[128];
    int port;
    (void)state;
    close(listen_on("127.0.0.1:0", &port));
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    int error = start_connect(text);
    if (error == 0) {
        wait_for(&fixture.client_watcher.failed, 1);
        snprintf(expected, sizeof(expected), "connecting to ipv4:%s: connection refused", text);
        assert_string_equal(fixture.client_watcher.text, expected);
        settle();
        assert_int_equal(fixture.client_watcher.failed, 1);
    } else {
        assert_int_equal(error, -ECONNREFUSED);
    }
    assert_int_equal(fixture.client_watcher.ready, 0);
}

static void a_connection_to_itself_is_none(void **state)
{
    char text[64];
    int port, listener = listen_on("127.0.0.1:0", &port);
    (void)state;
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_int_equal(start_connect(text), 0);
    is_own_peer = true;
    wait_for(&fixture.client_watcher.failed, 1);
    is_own_peer = false;
    assert_non_null(strstr(fixture.client_watcher.text, "connection refused"));
    close(listener);
}

static void freeing_while_connecting(void **state)
{
    char text[64];
    int port, listener = listen_on("127.0.0.1:0", &port);
    (void)state;
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_int_equal(start_connect(text), 0);
    stream_free(fixture.client);
    fixture.client = NULL;
    settle();
    assert_int_equal(fixture.client_watcher.ready, 0);
    close(listener);
}

/* --- listening ----------------------------------------------------------------------------------
 */

static void listen_errors_have_a_text(void **state)
{
    char text[64], expected[128], error[256];
    int port, other, fd = -1;
    (void)state;
    int listener = listen_on("127.0.0.1:0", &port);
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_int_equal(pgrpc__socket_listen(text, false, &fd, &other, error, sizeof(error)),
                     -EADDRINUSE);
    snprintf(expected, sizeof(expected), "listening on %s: address already in use", text);
    assert_string_equal(error, expected);
    close(listener);
    assert_int_equal(pgrpc__socket_listen("nowhere", false, &fd, &other, error, sizeof(error)),
                     -EINVAL);
    assert_non_null(strstr(error, "nowhere"));
    fd_limit_set(0);
    int result = pgrpc__socket_listen("127.0.0.1:0", false, &fd, &other, error, sizeof(error));
    fd_limit_lift();
    assert_int_equal(result, -EMFILE);
    assert_int_equal(fd, -1);
}

static void two_listeners_share_a_port(void **state)
{
    char text[64], error[256];
    int port, other, first, second;
    (void)state;
    assert_int_equal(pgrpc__socket_listen("127.0.0.1:0", true, &first, &port, error, sizeof(error)),
                     0);
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_int_equal(pgrpc__socket_listen(text, true, &second, &other, error, sizeof(error)), 0);
    assert_int_equal(port, other);
    close(first);
    close(second);
}

static void accepting_without_descriptors_says_so(void **state)
{
    char text[64];
    int port, fd = -1, listener = listen_on("127.0.0.1:0", &port);
    (void)state;
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_int_equal(start_connect(text), 0);
    wait_for(&fixture.client_watcher.ready, 1);
    fd_limit_set(0);
    int result = pgrpc__socket_accept(listener, &fd);
    fd_limit_lift();
    assert_int_equal(result, -EMFILE);
    /* Accepting goes on. A new connection, because valgrind's own limit loses the waiting one. */
    stream_free(fixture.client);
    assert_int_equal(start_connect(text), 0);
    wait_for(&fixture.client_watcher.ready, 1);
    assert_int_equal(pgrpc__socket_accept(listener, &fd), 0);
    close(fd);
    close(listener);
    assert_int_equal(pgrpc__socket_accept(-1, &fd), -EBADF);
}

/* --- adopting -----------------------------------------------------------------------------------
 */

static void what_cannot_be_adopted_is_closed(void **state)
{
    (void)state;
    size_t before = open_fd_count();
    assert_int_equal(pgrpc__socket_adopt(fixture.loop, open("/dev/null", O_RDWR), &fixture.server),
                     -ENOTSOCK);
    assert_int_equal(
        pgrpc__socket_adopt(fixture.loop, socket(AF_INET, SOCK_STREAM, 0), &fixture.server),
        -ENOTCONN);
    assert_int_equal(open_fd_count(), before);
    assert_int_equal(pgrpc__socket_adopt(fixture.loop, -1, &fixture.server), -EBADF);
    assert_null(fixture.server);
}

static void a_blocking_socket_is_adopted(void **state)
{
    (void)state;
    join_pair();
    check_echo();
    assert_string_equal(peer_of(fixture.server), "unix:");
}

/* --- reading ------------------------------------------------------------------------------------
 */

static void read_twice(struct watcher *watcher)
{
    char text[16];
    ssize_t *results = watcher->userdata;
    results[0] = stream_read(watcher->stream, text, sizeof(text));
    results[1] = stream_read(watcher->stream, text, sizeof(text));
}

static void a_short_read_saves_the_one_that_finds_nothing(void **state)
{
    ssize_t results[2];
    char byte;
    (void)state;
    join_pair();
    fixture.server_watcher.on_readable = read_twice;
    fixture.server_watcher.userdata = results;
    stream_write(fixture.client, "hello", 5);
    recv_count = 0;
    wait_for(&fixture.server_watcher.readable, 1);
    assert_int_equal(results[0], 5);
    assert_int_equal(results[1], -EAGAIN);
    assert_int_equal(recv_count, 1);
    /* The next bytes are seen, and so are some that came after the turn. */
    stream_write(fixture.client, "again", 5);
    wait_for(&fixture.server_watcher.readable, 2);
    assert_int_equal(results[0], 5);
    stream_write(fixture.client, "x", 1);
    assert_int_equal(stream_read(fixture.server, &byte, 1), 1);
}

static void readable_repeats_until_read_or_paused(void **state)
{
    char text[16];
    (void)state;
    connect_pair();
    stream_write(fixture.client, "ab", 2);
    wait_for(&fixture.server_watcher.readable, 1); /* pauses */
    settle();
    assert_int_equal(fixture.server_watcher.readable, 1);
    fixture.server->ops->pause_reading(fixture.server, false);
    wait_for(&fixture.server_watcher.readable, 2);
    assert_int_equal(stream_read(fixture.server, text, sizeof(text)), 2);
    fixture.server->ops->pause_reading(fixture.server, false);
    settle();
    assert_int_equal(fixture.server_watcher.readable, 2);
}

static void keep_reading(struct watcher *watcher)
{
    char text[16];
    *(ssize_t *)watcher->userdata = stream_read(watcher->stream, text, sizeof(text));
}

static void the_end_is_told_once(void **state)
{
    ssize_t result = -1;
    (void)state;
    connect_pair();
    fixture.server_watcher.on_readable = keep_reading;
    fixture.server_watcher.userdata = &result;
    fixture.client->ops->shutdown(fixture.client);
    wait_for(&fixture.server_watcher.readable, 1);
    assert_int_equal(result, 0);
    settle();
    assert_int_equal(fixture.server_watcher.readable, 1);
    /* The other half is open. */
    assert_int_equal(stream_write(fixture.server, "x", 1), 1);
    wait_for(&fixture.client_watcher.readable, 1);
}

static void a_reset_is_told_once(void **state)
{
    struct linger linger = {.l_onoff = 1};
    ssize_t result = -1;
    int pair_fd;
    (void)state;
    /* The other side is a bare socket, so that it can be reset. */
    char text[64];
    int port, listener = listen_on("127.0.0.1:0", &port);
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_int_equal(start_connect(text), 0);
    wait_for(&fixture.client_watcher.ready, 1);
    assert_int_equal(pgrpc__socket_accept(listener, &pair_fd), 0);
    close(listener);
    setsockopt(pair_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(pair_fd);
    fixture.client_watcher.on_readable = keep_reading;
    fixture.client_watcher.userdata = &result;
    wait_for(&fixture.client_watcher.readable, 1);
    assert_int_equal(result, -ECONNRESET);
    assert_string_equal(fixture.client->ops->error_text(fixture.client),
                        "connection reset by peer");
    settle();
    assert_int_equal(fixture.client_watcher.readable, 1);
    /* And nobody is killed by SIGPIPE. */
    signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(stream_write(fixture.client, "x", 1), -EPIPE);
    assert_string_equal(fixture.client->ops->error_text(fixture.client),
                        "connection closed by peer");
}

static void a_signal_does_not_disturb_reading(void **state)
{
    char text[16];
    (void)state;
    connect_pair();
    stream_write(fixture.client, "hello", 5);
    wait_for(&fixture.server_watcher.readable, 1);
    recv_errno = EINTR;
    assert_int_equal(stream_read(fixture.server, text, sizeof(text)), 5);
    recv_errno = ETIMEDOUT;
    assert_int_equal(stream_read(fixture.server, text, sizeof(text)), -ETIMEDOUT);
    assert_string_equal(fixture.server->ops->error_text(fixture.server), "connection timed out");
}

/* --- writing ------------------------------------------------------------------------------------
 */

enum { MUCH = 4 * 1024 * 1024 };

struct sink {
    size_t got;
    bool is_right;
};

static void drain_some(struct watcher *watcher)
{
    static unsigned char data[50000];
    struct sink *sink = watcher->userdata;
    ssize_t len = stream_read(watcher->stream, data, sizeof(data));
    for (ssize_t i = 0; i < len; i++)
        sink->is_right &= data[i] == (unsigned char)((sink->got + (size_t)i) * 7);
    if (len > 0)
        sink->got += (size_t)len;
}

static void much_goes_through_a_full_socket(void **state)
{
    struct sink sink = {.is_right = true};
    size_t sent = 0;
    int blocked = 0;
    (void)state;
    unsigned char *data = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++)
        data[i] = (unsigned char)(i * 7);
    connect_pair();
    fixture.server_watcher.on_readable = drain_some;
    fixture.server_watcher.userdata = &sink;
    fixture.server->ops->pause_reading(fixture.server, true);
    while (sent < MUCH) {
        struct iovec vectors[3];
        size_t left = MUCH - sent, third = left / 3;
        vectors[0] = (struct iovec){data + sent, third};
        vectors[1] = (struct iovec){data + sent + third, 0};
        vectors[2] = (struct iovec){data + sent + third, left - third};
        ssize_t taken = fixture.client->ops->writev(fixture.client, vectors, 3);
        if (taken > 0) {
            sent += (size_t)taken;
            if ((size_t)taken < left) /* the next does not even try */
                assert_int_equal(stream_write(fixture.client, data + sent, 1), -EAGAIN);
            continue;
        }
        assert_int_equal(taken, -EAGAIN);
        blocked++;
        int writable = fixture.client_watcher.writable;
        settle();
        fixture.server->ops->pause_reading(fixture.server, false);
        wait_for(&fixture.client_watcher.writable, writable + 1);
    }
    assert_true(blocked > 0);
    while (sink.got < MUCH)
        pgrpc__loop_turn(fixture.loop, -1);
    assert_true(sink.is_right);
    assert_int_equal(stream_write(fixture.client, data, 0), 0);
    free(data);
}

static void more_vectors_than_the_kernel_takes(void **state)
{
    static struct iovec vectors[2000];
    struct sink sink = {.is_right = true};
    unsigned char data[2000];
    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        data[i] = (unsigned char)(i * 7);
        vectors[i] = (struct iovec){&data[i], 1};
    }
    connect_pair();
    fixture.server_watcher.on_readable = drain_some;
    fixture.server_watcher.userdata = &sink;
    ssize_t taken = fixture.client->ops->writev(fixture.client, vectors, 2000);
    assert_int_equal(taken, 1024);
    assert_int_equal(fixture.client->ops->writev(fixture.client, vectors + taken, 976), 976);
    while (sink.got < 2000)
        pgrpc__loop_turn(fixture.loop, -1);
    assert_true(sink.is_right);
}

static void free_both(struct watcher *watcher)
{
    (void)watcher;
    stream_free(fixture.client);
    stream_free(fixture.server);
    fixture.client = fixture.server = NULL;
}

static void streams_may_be_freed_in_an_event(void **state)
{
    (void)state;
    connect_pair();
    fixture.server_watcher.on_readable = free_both;
    fixture.client_watcher.on_readable = free_both;
    stream_write(fixture.client, "x", 1);
    stream_write(fixture.server, "x", 1);
    while (fixture.client)
        pgrpc__loop_turn(fixture.loop, -1);
}

/* --- failures -----------------------------------------------------------------------------------
 */

static void a_lost_registration_shows_in_the_next_read(void **state)
{
    char text[16];
    (void)state;
    connect_pair();
    fixture.server->ops->pause_reading(fixture.server, true);
    epoll_errno = ENOMEM;
    fixture.server->ops->pause_reading(fixture.server, false);
    epoll_errno = 0;
    settle();
    assert_int_equal(fixture.server_watcher.readable, 1);
    assert_int_equal(stream_read(fixture.server, text, sizeof(text)), -ENOMEM);
    assert_int_equal(stream_write(fixture.server, "x", 1), -ENOMEM);
    assert_string_equal(fixture.server->ops->error_text(fixture.server), "out of memory");
}

static void no_descriptor_to_connect_with(void **state)
{
    int port, listener = listen_on("127.0.0.1:0", &port);
    char text[64];
    (void)state;
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    fd_limit_set(0);
    int result = start_connect(text);
    fd_limit_lift();
    assert_int_equal(result, -EMFILE);
    close(listener);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct pgrpc_loop_options options = {.size = sizeof(options), .allocator = &faulty.hook};
        struct bytestream *streams[2] = {NULL, NULL};
        struct watcher watchers[2];
        size_t fds = open_fd_count();
        int pair[2];
        faulty_allocator_init(&faulty, n);
        struct pgrpc_loop *loop = pgrpc_loop_new(&options);
        if (!loop)
            continue;
        pgrpc__loop_take_lock(loop);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        for (int i = 0; i < 2; i++) {
            int error = pgrpc__socket_adopt(loop, pair[i], &streams[i]);
            assert_true(error == 0 || error == -ENOMEM);
            if (error == 0)
                watcher_init(&watchers[i], streams[i]);
        }
        while (pgrpc__loop_turn(loop, 0) > 0)
            continue;
        stream_free(streams[0]);
        stream_free(streams[1]);
        pgrpc__loop_leave_lock(loop);
        pgrpc_loop_free(loop);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        assert_int_equal(open_fd_count(), fds);
        if (!faulty_allocator_has_failed(&faulty))
            break;
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tcp_over_ipv4),
        TEST(tcp_over_ipv4_on_the_listener_for_all),
        TEST(tcp_over_ipv6),
        TEST(unix_sockets),
        TEST(a_file_that_is_no_socket_is_left_alone),
        TEST(abstract_unix_sockets),
        TEST(a_refused_connection_is_told),
        TEST(a_connection_to_itself_is_none),
        TEST(freeing_while_connecting),
        TEST(listen_errors_have_a_text),
        TEST(two_listeners_share_a_port),
        TEST(accepting_without_descriptors_says_so),
        TEST(what_cannot_be_adopted_is_closed),
        TEST(a_blocking_socket_is_adopted),
        TEST(a_short_read_saves_the_one_that_finds_nothing),
        TEST(readable_repeats_until_read_or_paused),
        TEST(the_end_is_told_once),
        TEST(a_reset_is_told_once),
        TEST(a_signal_does_not_disturb_reading),
        TEST(much_goes_through_a_full_socket),
        TEST(more_vectors_than_the_kernel_takes),
        TEST(streams_may_be_freed_in_an_event),
        TEST(a_lost_registration_shows_in_the_next_read),
        TEST(no_descriptor_to_connect_with),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
