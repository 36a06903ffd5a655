/*
 * What the loop needs from the kernel, behind a table: epoll now, kqueue may follow.
 *
 * A back end keeps its descriptors in struct pgrpc_loop.  Events come back as the token given at
 * registration, so that an event of a watch stopped in the meantime is recognised and dropped.
 */
#ifndef PGRPC__IO_LOOP_BACK_END_H
#define PGRPC__IO_LOOP_BACK_END_H

#include <stdint.h>

struct pgrpc_loop;

struct loop_event {
    uint64_t token;
    unsigned events; /* LOOP_READ | LOOP_WRITE; a hang-up or an error shows as both */
};

/* Tokens of the loop itself; watches have smaller ones. */
#define LOOP_TOKEN_WAKE UINT64_MAX
#define LOOP_TOKEN_TIMER (UINT64_MAX - 1)

struct loop_back_end {
    /* 0 or a negative errno; nothing is left open after a failure. */
    int (*open)(struct pgrpc_loop *loop);
    /* Closes the descriptors and nothing else: a forked child may call it. */
    void (*close)(struct pgrpc_loop *loop);
    /* Moves |fd| from |old_events| to |new_events|; 0 means not registered. 0 or a negative errno.
     */
    int (*change)(struct pgrpc_loop *loop, int fd, unsigned old_events, unsigned new_events,
                  uint64_t token);
    /* Waits; called without the lock. How many events were filled in (0: time is up or a signal
     * came), or a negative errno. */
    int (*wait)(struct pgrpc_loop *loop, struct loop_event *events, int max, int timeout_ms);
    /* Makes wait return, now or next time. Any thread, signal handlers. */
    void (*wake)(struct pgrpc_loop *loop);
    /* Takes one of the loop's own events back. */
    void (*drain)(struct pgrpc_loop *loop, uint64_t token);
    /* Makes timers possible inside the descriptor; once. That descriptor, or a negative errno. */
    int (*export_fd)(struct pgrpc_loop *loop);
    /* Makes the exported descriptor readable at |due_ms| of the monotonic clock. */
    void (*arm)(struct pgrpc_loop *loop, int64_t due_ms);
};

extern const struct loop_back_end pgrpc__loop_epoll;

#endif
