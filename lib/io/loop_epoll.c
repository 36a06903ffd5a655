#include "io/loop_back_end.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "io/loop.h"

enum { EVENTS_MAX = 128 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void epoll_close(struct pgrpc_loop *loop)
{
    close_fd(&loop->timer_fd);
    close_fd(&loop->wake_fd);
    close_fd(&loop->epoll_fd);
}

static int add(struct pgrpc_loop *loop, int fd, uint64_t token)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = token};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int epoll_open(struct pgrpc_loop *loop)
{
    int error = 0;

    loop->timer_fd = -1;
    loop->wake_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd >= 0)
        loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        error = -errno;
    else
        error = add(loop, loop->wake_fd, LOOP_TOKEN_WAKE);
    if (error < 0)
        epoll_close(loop);
    return error;
}

static int epoll_change(struct pgrpc_loop *loop, int fd, unsigned old_events, unsigned new_events,
                        uint64_t token)
{
    /* A descriptor without interest is taken out: epoll would go on reporting its hang-up. */
    int operation = !new_events ? EPOLL_CTL_DEL : old_events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    struct epoll_event event = {.data.u64 = token};

    if (old_events == new_events)
        return 0;
    if (new_events & LOOP_READ)
        event.events |= EPOLLIN;
    if (new_events & LOOP_WRITE)
        event.events |= EPOLLOUT;
    return epoll_ctl(loop->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static int epoll_back_end_wait(struct pgrpc_loop *loop, struct loop_event *events, int max,
                               int timeout_ms)
{
    struct epoll_event batch[EVENTS_MAX];
    int count = epoll_wait(loop->epoll_fd, batch, max < EVENTS_MAX ? max : EVENTS_MAX, timeout_ms);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        events[i].token = batch[i].data.u64;
        events[i].events = 0;
        if (batch[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            events[i].events |= LOOP_READ;
        if (batch[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            events[i].events |= LOOP_WRITE;
    }
    return count;
}

static void epoll_wake(struct pgrpc_loop *loop)
{
    int saved = errno;
    uint64_t one = 1;
    /* A full counter is as readable as can be. */
    while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
    errno = saved;
}

static void epoll_drain(struct pgrpc_loop *loop, uint64_t token)
{
    uint64_t count;
    int fd = token == LOOP_TOKEN_WAKE ? loop->wake_fd : loop->timer_fd;
    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
}

static int epoll_export_fd(struct pgrpc_loop *loop)
{
    if (loop->timer_fd >= 0)
        return loop->epoll_fd;
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int error = loop->timer_fd < 0 ? -errno : add(loop, loop->timer_fd, LOOP_TOKEN_TIMER);
    if (error < 0) {
        close_fd(&loop->timer_fd);
        return error;
    }
    return loop->epoll_fd;
}

static void epoll_arm(struct pgrpc_loop *loop, int64_t due_ms)
{
    /* All zero would disarm. */
    struct itimerspec spec = {.it_value.tv_nsec = 1};
    if (due_ms > 0) {
        spec.it_value.tv_sec = (time_t)(due_ms / 1000);
        spec.it_value.tv_nsec = (long)(due_ms % 1000) * 1000000;
    }
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

const struct loop_back_end pgrpc__loop_epoll = {
    .open = epoll_open,
    .close = epoll_close,
    .change = epoll_change,
    .wait = epoll_back_end_wait,
    .wake = epoll_wake,
    .drain = epoll_drain,
    .export_fd = epoll_export_fd,
    .arm = epoll_arm,
};
