#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "io/credentials.h"
#include "io/socket.h"
#include "server/server.h"

enum { ACCEPTS_PER_TURN = 64, EXHAUSTED_PAUSE_MS = 100 };

/* One listening socket, on the first loop. */
struct listener {
    struct listener *next;
    struct pgrpc_server *server;
    struct pgrpc_credentials *credentials;
    int fd;
    struct loop_watch watch;
    struct loop_timer pause_timer; /* after descriptors ran out */
};

static struct pgrpc_loop *loop_of(const struct listener *listener)
{
    return listener->server->loops[0].host.loop;
}

int pgrpc__server_serve_fd(struct server_loop *loop, int fd,
                           const struct pgrpc_credentials *credentials)
{
    struct bytestream *plain = NULL, *stream = NULL;
    int result = pgrpc__socket_adopt(loop->host.loop, fd, &plain);
    if (result == 0)
        result = pgrpc__credentials_wrap(credentials, loop->host.loop, plain, NULL, true, &stream);
    return result ? result : pgrpc__server_loop_serve(loop, stream);
}

/* Hands |fd| to the loop with the fewest connections. First loop's lock held. */
static void hand_out(struct listener *listener, int fd)
{
    struct server_loop *loop = pgrpc__server_least_loaded(listener->server);
    bool is_other = loop != &listener->server->loops[0];
    if (is_other && pgrpc__loop_take_lock(loop->host.loop)) {
        close(fd);
        return;
    }
    int result = pgrpc__server_serve_fd(loop, fd, listener->credentials);
    if (is_other)
        pgrpc__loop_leave_lock(loop->host.loop);
    if (result)
        pgrpc__log_printf(PGRPC_LOG_WARNING, "a connection was dropped", "error", "%s",
                          strerror(-result));
}

/* Accepting ends only by request: whatever goes wrong, it is tried again. */
static void on_event(struct loop_watch *watch, unsigned events)
{
    struct listener *listener = CONTAINER_OF(watch, struct listener, watch);
    int fd = -1;
    int result = 0;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && result == 0; i++) {
        result = pgrpc__socket_accept(listener->fd, &fd);
        if (result == 0)
            hand_out(listener, fd);
    }
    if (result == 0 || result == -EAGAIN)
        return;
    pgrpc__log_printf(PGRPC_LOG_ERROR, "accepting pauses", "error", "%s", strerror(-result));
    if (pgrpc__loop_timer_start(loop_of(listener), &listener->pause_timer,
                                loop_of(listener)->now_ms + EXHAUSTED_PAUSE_MS) == 0)
        pgrpc__loop_watch_stop(loop_of(listener), &listener->watch);
}

static void on_pause_over(struct loop_timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, pause_timer);
    if (pgrpc__loop_watch_start(loop_of(listener), &listener->watch, listener->fd, LOOP_READ))
        (void)pgrpc__loop_timer_start(loop_of(listener), &listener->pause_timer,
                                      loop_of(listener)->now_ms + EXHAUSTED_PAUSE_MS);
}

int pgrpc__listener_new(struct pgrpc_server *server, int fd,
                        const struct pgrpc_credentials *credentials)
{
    struct pgrpc_loop *loop = server->loops[0].host.loop;
    struct listener *listener = NULL;
    int result = pgrpc__credentials_fits(credentials, true) ? 0 : -EINVAL;
    if (result == 0) {
        listener = pgrpc__mem_calloc(&loop->mem, 1, sizeof(*listener));
        result = listener ? 0 : -ENOMEM;
    }
    if (result) {
        close(fd);
        return result;
    }
    listener->server = server;
    listener->fd = fd;
    listener->watch.on_event = on_event;
    listener->pause_timer.on_due = on_pause_over;
    listener->credentials =
        pgrpc_credentials_ref((struct pgrpc_credentials *)(uintptr_t)credentials);
    if (atomic_load(&server->is_started))
        result = pgrpc__loop_watch_start(loop, &listener->watch, fd, LOOP_READ);
    if (result) {
        pgrpc_credentials_unref(listener->credentials);
        pgrpc__mem_free(&loop->mem, listener);
        close(fd);
        return result;
    }
    listener->next = server->listeners;
    server->listeners = listener;
    return 0;
}

void pgrpc__listener_start_all(struct pgrpc_server *server)
{
    for (struct listener *listener = server->listeners; listener; listener = listener->next)
        on_pause_over(&listener->pause_timer);
}

void pgrpc__listener_free_all(struct pgrpc_server *server)
{
    while (server->listeners) {
        struct listener *listener = server->listeners;
        struct pgrpc_loop *loop = loop_of(listener);
        server->listeners = listener->next;
        pgrpc__loop_timer_stop(loop, &listener->pause_timer);
        pgrpc__loop_watch_stop(loop, &listener->watch);
        close(listener->fd);
        pgrpc_credentials_unref(listener->credentials);
        pgrpc__mem_free(&loop->mem, listener);
    }
}
