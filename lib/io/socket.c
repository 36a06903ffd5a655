#include "io/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/error_text.h"

enum { VECTORS_MAX = 1024, FAILURE_MAX = 256 };

enum socket_state {
    SOCKET_CONNECTING, /* the kernel has not decided */
    SOCKET_CONNECTED,  /* on_ready is to be told */
    SOCKET_READY,
    SOCKET_FAILED /* on_failed was told */
};

/*
 * Level-triggered: on_readable repeats while the kernel has bytes.  Interest in writing exists only
 * while a write waits (or the connect does).
 */
struct socket_stream {
    struct bytestream stream;
    struct pgrpc_loop *loop;
    struct loop_watch watch; /* holds the descriptor, from the start to the end */
    struct loop_task event_task;
    struct bytestream_peer peer;
    char peer_address[ADDRESS_TEXT_MAX];
    const char *error_text;
    enum socket_state state;
    int broken; /* negative errno of a lost registration; every read and write gives it */
    bool is_paused;
    bool is_ended;         /* a read gave the end or an error */
    bool is_write_blocked; /* until the kernel has room */
    bool is_writable_due;  /* on_writable is to be told */
    uint64_t drained_turn; /* the turn in which a read emptied the kernel's buffer */
};

static struct socket_stream *socket_of(struct bytestream *stream)
{
    return CONTAINER_OF(stream, struct socket_stream, stream);
}

static int fail(struct socket_stream *socket, int error)
{
    socket->error_text = pgrpc__error_text(error);
    return error;
}

/* Tells the kernel what we wait for now. When it refuses, the owner learns it from the next read.
 */
static void update_interest(struct socket_stream *socket)
{
    unsigned events = 0;
    if (socket->state == SOCKET_READY && !socket->is_paused && !socket->is_ended)
        events |= LOOP_READ;
    if (socket->state == SOCKET_CONNECTING || socket->is_write_blocked)
        events |= LOOP_WRITE;
    int error = pgrpc__loop_watch_change(socket->loop, &socket->watch, events);
    if (error < 0) {
        socket->broken = error;
        pgrpc__loop_defer(socket->loop, &socket->event_task);
    }
}

/* --- operations ------------------------------------------------------------------------------- */

static ssize_t socket_read(struct bytestream *stream, void *data, size_t len)
{
    struct socket_stream *socket = socket_of(stream);
    const struct pgrpc_loop *loop = socket->loop;
    ssize_t got;

    if (socket->broken)
        return fail(socket, socket->broken);
    /* A short read has emptied the buffer; what comes later shows in the next turn. Who reads
     * outside of turns wants to know for sure. */
    if (socket->drained_turn == loop->turn_count && loop->turning && !loop->waiting)
        return -EAGAIN;
    do
        got = recv(socket->watch.fd, data, len, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return -EAGAIN;
    if (got <= 0) {
        got = got < 0 ? fail(socket, -errno) : 0;
        socket->is_ended = true;
        update_interest(socket);
    } else if ((size_t)got < len) {
        socket->drained_turn = loop->turn_count;
    }
    return got;
}

static ssize_t socket_writev(struct bytestream *stream, const struct iovec *vectors, int count)
{
    struct socket_stream *socket = socket_of(stream);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)vectors};
    size_t len = 0;
    ssize_t sent;

    if (socket->broken)
        return fail(socket, socket->broken);
    if (socket->is_write_blocked)
        return -EAGAIN;
    message.msg_iovlen = (size_t)(count < VECTORS_MAX ? count : VECTORS_MAX);
    for (size_t i = 0; i < message.msg_iovlen; i++)
        len += vectors[i].iov_len;
    do
        sent = sendmsg(socket->watch.fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN)
        return fail(socket, -errno);
    if (sent < 0 || (size_t)sent < len) {
        socket->is_write_blocked = true;
        update_interest(socket);
    }
    return sent < 0 ? -EAGAIN : sent;
}

static void socket_pause_reading(struct bytestream *stream, bool paused)
{
    struct socket_stream *socket = socket_of(stream);
    socket->is_paused = paused;
    update_interest(socket);
}

static void socket_shutdown(struct bytestream *stream)
{
    /* It can only fail when the connection is gone already. */
    (void)shutdown(socket_of(stream)->watch.fd, SHUT_WR);
}

static const struct bytestream_peer *socket_peer(struct bytestream *stream)
{
    return &socket_of(stream)->peer;
}

static const char *socket_error_text(struct bytestream *stream)
{
    return socket_of(stream)->error_text;
}

static void socket_free(struct bytestream *stream)
{
    struct socket_stream *socket = socket_of(stream);
    pgrpc__loop_task_cancel(&socket->event_task);
    int fd = socket->watch.fd;
    pgrpc__loop_watch_stop(socket->loop, &socket->watch);
    close(fd);
    pgrpc__mem_free(&socket->loop->mem, socket);
}

static const struct bytestream_ops socket_ops = {
    .read = socket_read,
    .writev = socket_writev,
    .pause_reading = socket_pause_reading,
    .shutdown = socket_shutdown,
    .peer = socket_peer,
    .error_text = socket_error_text,
    .free = socket_free,
};

/* --- events ----------------------------------------------------------------------------------- */

static void become_ready(struct socket_stream *socket)
{
    socket->state = SOCKET_READY;
    update_interest(socket);
    if (socket->stream.events)
        socket->stream.events->on_ready(socket->stream.owner);
}

/* A port in the range of the system's own choice may get connected to itself when nobody listens
 * there. */
static bool is_connected_to_itself(int fd)
{
    struct socket_address local = {.len = sizeof(local.storage)};
    struct socket_address peer = {.len = sizeof(peer.storage)};
    return getsockname(fd, (struct sockaddr *)&local.storage, &local.len) == 0 &&
           local.storage.ss_family != AF_UNIX &&
           getpeername(fd, (struct sockaddr *)&peer.storage, &peer.len) == 0 &&
           local.len == peer.len && memcmp(&local.storage, &peer.storage, local.len) == 0;
}

static void finish_connect(struct socket_stream *socket)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(socket->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    else if (error == 0 && is_connected_to_itself(socket->watch.fd))
        error = ECONNREFUSED;
    if (error == 0) {
        become_ready(socket);
        return;
    }
    char text[FAILURE_MAX];
    snprintf(text, sizeof(text), "connecting to %s: %s", socket->peer_address,
             pgrpc__error_text(error));
    socket->state = SOCKET_FAILED;
    fail(socket, error);
    update_interest(socket);
    if (socket->stream.events)
        socket->stream.events->on_failed(socket->stream.owner, text);
}

/* The owner may free the stream in an event, so each is the last thing done. */
static void on_event(struct loop_watch *watch, unsigned events)
{
    struct socket_stream *socket = CONTAINER_OF(watch, struct socket_stream, watch);

    if (socket->state == SOCKET_CONNECTING) {
        finish_connect(socket);
        return;
    }
    if (events & LOOP_WRITE) {
        socket->is_write_blocked = false;
        socket->is_writable_due = true;
        update_interest(socket);
        pgrpc__loop_defer(socket->loop, &socket->event_task);
    }
    if (events & LOOP_READ) {
        socket->drained_turn = 0;
        if (socket->stream.events)
            socket->stream.events->on_readable(socket->stream.owner);
    }
}

static void run_event(struct loop_task *task)
{
    struct socket_stream *socket = CONTAINER_OF(task, struct socket_stream, event_task);
    const struct bytestream_events *events = socket->stream.events;

    if (socket->state == SOCKET_CONNECTED) {
        become_ready(socket);
    } else if (socket->state == SOCKET_READY && socket->is_writable_due) {
        socket->is_writable_due = false;
        if (socket->broken)
            pgrpc__loop_defer(socket->loop, task);
        if (events)
            events->on_writable(socket->stream.owner);
    } else if (socket->state == SOCKET_READY && socket->broken && events) {
        events->on_readable(socket->stream.owner);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

/* Takes |fd| on success only. */
static int stream_new(struct pgrpc_loop *loop, int fd, enum socket_state state,
                      const struct socket_address *peer, struct bytestream **stream)
{
    struct socket_stream *socket = pgrpc__mem_calloc(&loop->mem, 1, sizeof(*socket));
    int one = 1;
    if (!socket)
        return -ENOMEM;
    socket->stream.ops = &socket_ops;
    socket->loop = loop;
    socket->watch.on_event = on_event;
    socket->event_task.run = run_event;
    socket->error_text = "";
    socket->state = state;
    socket->peer.address = socket->peer_address;
    socket->peer.security = "insecure";
    pgrpc__address_format(peer, socket->peer_address);
    int error = pgrpc__loop_watch_start(loop, &socket->watch, fd,
                                        state == SOCKET_CONNECTING ? LOOP_WRITE : 0);
    if (error < 0) {
        pgrpc__mem_free(&loop->mem, socket);
        return error;
    }
    /* Unix sockets do not know it and do not need it. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (state == SOCKET_CONNECTED)
        pgrpc__loop_defer(loop, &socket->event_task);
    *stream = &socket->stream;
    return 0;
}

int pgrpc__socket_connect(struct pgrpc_loop *loop, const struct socket_address *address,
                          struct bytestream **stream)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int error = 0;
    enum socket_state state = SOCKET_CONNECTED;
    if (connect(fd, (const struct sockaddr *)&address->storage, address->len) < 0) {
        /* An interrupted connect goes on by itself. */
        if (errno == EINPROGRESS || errno == EINTR)
            state = SOCKET_CONNECTING;
        else
            error = -errno;
    }
    if (error == 0)
        error = stream_new(loop, fd, state, address, stream);
    if (error < 0)
        close(fd);
    return error;
}

int pgrpc__socket_adopt(struct pgrpc_loop *loop, int fd, struct bytestream **stream)
{
    struct socket_address peer = {.len = sizeof(peer.storage)};
    int error = 0, flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
        getpeername(fd, (struct sockaddr *)&peer.storage, &peer.len) < 0)
        error = -errno;
    if (error == 0)
        error = stream_new(loop, fd, SOCKET_CONNECTED, &peer, stream);
    if (error < 0)
        close(fd);
    return error;
}
