/*
 * The loop's inside.  One mutex (the loop lock) guards every object of the loop; see "Threads and
 * locks" in CONTRIBUTING.md.
 *
 * A turn: posts, deferred tasks, flush list, wait (unlocked), watches, timers, posts, deferred
 * tasks, flush list.  User code runs only from posts, deferred tasks and timers, between
 * pgrpc__loop_leave_lock and pgrpc__loop_take_lock.
 *
 * loop.c holds life and lock, loop_turn.c the turn, loop_watch.c the descriptors, loop_timer.c the
 * heap, loop_wait.c the waiting threads, loop_epoll.c what is the kernel's.
 */
#ifndef PGRPC__IO_LOOP_H
#define PGRPC__IO_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/mem.h"
#include "picogrpc/loop.h"

struct loop_back_end;
struct loop_slot;

/* A file descriptor the loop looks at. Embedded; zero before start. Events come with the lock held.
 */
struct loop_watch {
    int fd;
    unsigned events; /* LOOP_READ | LOOP_WRITE as registered; 0: nothing, not even a hang-up */
    unsigned slot;   /* 1-based place among the loop's watches, 0 when stopped */
    void (*on_event)(struct loop_watch *watch, unsigned events);
};
enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* A moment the loop waits for. Embedded; zero before the first start. */
struct loop_timer {
    int64_t due_ms;
    size_t position; /* 1-based place in the heap, 0 when not armed */
    void (*on_due)(struct loop_timer *timer);
};

/* Work for later in this turn or the next. Embedded; linked while pending. */
struct loop_task {
    struct list node;
    void (*run)(struct loop_task *task);
};

struct pgrpc_loop {
    pthread_mutex_t lock;
    struct mem mem; /* needs the lock; its .allocator may be read by any thread */
    uint64_t fork_generation;
    int64_t now_ms;    /* refreshed at the start of a turn and after waiting: see loop_now */
    bool is_now_stale; /* somebody took the lock outside of the turn, and may ask for the time */
    int64_t (*clock_ms)(void *userdata); /* monotonic clock; a fake one in tests */
    void *clock_userdata;
    uint64_t (*random)(void *userdata); /* jitter; a fixed one in tests */
    void *random_userdata;
    uint64_t random_state;
    size_t receive_quota_used; /* see h2/flow.h */
    size_t receive_quota_limit;

    struct list deferred; /* loop_task */
    struct list flushes;  /* loop_task: connections with output, one write each per turn */
    struct list waiters;  /* loop_waiter */
    struct list posts;    /* user tasks */
    struct list user_timers;
    struct loop_timer **timers; /* binary heap */
    size_t timer_count;
    size_t timer_cap;
    struct loop_slot *slots; /* watches, found by the token the kernel gives back */
    unsigned slot_cap;
    unsigned free_slot; /* 1-based head of the free ones, 0: none */
    unsigned watch_count;

    pthread_t turner;      /* valid while |turning| */
    pthread_t home;        /* who made the loop or ran it last */
    uint64_t turn_count;   /* turns begun */
    bool turning;          /* a thread is inside a turn (maybe waiting in it) */
    bool waiting;          /* ... and sleeps in the kernel with the lock released */
    int64_t wait_until_ms; /* when that sleep ends by itself */
    bool wake_pending;     /* the wake fd was written and not yet read */
    bool fd_exported;      /* pgrpc_loop_fd was called: timers must be inside the fd */
    bool stop_requested;   /* read and written atomically (signal handlers) */
    bool is_retired;       /* freed by its user; goes when |objects| is 0 and nobody turns */
    unsigned objects;      /* channels, servers and their calls that need the loop */
    bool is_private;       /* belongs to one channel and is turned by whoever waits */

    const struct loop_back_end *back_end;
    int epoll_fd;
    int wake_fd;             /* eventfd */
    int timer_fd;            /* -1 until the fd is exported */
    int64_t timer_fd_due_ms; /* INT64_MAX when not armed */
};

/*
 * The lock.  take_lock fails with -ECHILD in a forked child (and takes nothing).
 * leave_lock wakes the turning thread when deferred work, output or an earlier timer was left
 * behind and that thread sleeps, or makes the exported fd readable when nobody turns.
 */
int pgrpc__loop_take_lock(struct pgrpc_loop *loop);
void pgrpc__loop_leave_lock(struct pgrpc_loop *loop);

/* Something needs the loop, or does not any more. Lock held. */
void pgrpc__loop_hold(struct pgrpc_loop *loop);
void pgrpc__loop_unhold(struct pgrpc_loop *loop);

/* True when this thread is inside a turn of |loop|: a callback. Lock not needed. */
bool pgrpc__loop_is_in_callback(struct pgrpc_loop *loop);

/* For tests; NULL brings the real one back.  With a fake clock a turn never sleeps while a timer is
 * armed. Before the loop is used. */
void pgrpc__loop_set_clock(struct pgrpc_loop *loop, int64_t (*clock_ms)(void *userdata),
                           void *userdata);
void pgrpc__loop_set_random(struct pgrpc_loop *loop, uint64_t (*random)(void *userdata),
                            void *userdata);

/* All below need the lock. */

/* Monotonic time in ms, as the turn knows it; outside of a turn as of now. */
static inline int64_t loop_now(struct pgrpc_loop *loop)
{
    if (loop->is_now_stale) {
        loop->is_now_stale = false;
        loop->now_ms = loop->clock_ms(loop->clock_userdata);
    }
    return loop->now_ms;
}

/* A number for jitter; not for secrets. */
uint64_t pgrpc__loop_random(struct pgrpc_loop *loop);

/* Starting and changing give 0 or what the kernel or the allocator said (-ENOMEM, -ENOSPC, -EPERM,
 * ...); after a failed change the watch is as before. */
int pgrpc__loop_watch_start(struct pgrpc_loop *loop, struct loop_watch *watch, int fd,
                            unsigned events);
int pgrpc__loop_watch_change(struct pgrpc_loop *loop, struct loop_watch *watch, unsigned events);
/* No event afterwards, also not one of the current batch. Does not close the fd. Accepts a stopped
 * watch. */
void pgrpc__loop_watch_stop(struct pgrpc_loop *loop, struct loop_watch *watch);

/* Arms or re-arms; re-arming cannot fail. 0 or -ENOMEM. on_due comes in a turn, never from here. */
int pgrpc__loop_timer_start(struct pgrpc_loop *loop, struct loop_timer *timer, int64_t due_ms);
/* Accepts one that is not armed. */
void pgrpc__loop_timer_stop(struct pgrpc_loop *loop, struct loop_timer *timer);
/* The due_ms that is not earlier than |after_ms| from this very moment (below 0 counts as 0);
 * saturates. */
int64_t pgrpc__loop_due_after(struct pgrpc_loop *loop, int64_t after_ms);

/* Queues |task| at the end unless it is pending already. */
void pgrpc__loop_defer(struct pgrpc_loop *loop, struct loop_task *task);
/* The same for the flush list: runs once at the end of the turn. */
void pgrpc__loop_defer_flush(struct pgrpc_loop *loop, struct loop_task *task);
/* Drops a pending task; accepts one that is not pending. */
void pgrpc__loop_task_cancel(struct loop_task *task);
/* Runs the flush list now: for a thread that is about to wait outside a turn. */
void pgrpc__loop_flush(struct pgrpc_loop *loop);

/*
 * One turn, called with the lock held and returning with it held; waits at most |timeout_ms| (below
 * 0: without limit), and not at all when there was work before the wait.  The number of events
 * handled, -EBUSY when another thread turns, -EDEADLK from a callback of this loop, or what the
 * kernel said.
 */
int pgrpc__loop_turn(struct pgrpc_loop *loop, int timeout_ms);
/* The same, but sleeps in spite of work done before unless *|until| has become true. */
int pgrpc__loop_turn_until(struct pgrpc_loop *loop, int timeout_ms, const bool *until);
/* Makes a sleeping turner return from the kernel. */
void pgrpc__loop_wake(struct pgrpc_loop *loop);

/*
 * Waiting threads.  A thread calls pgrpc__loop_wait until what it waits for is done; whoever
 * completes that calls pgrpc__loop_waiter_wake with the lock held, before or during the wait.
 */
struct loop_waiter {
    struct list node;
    struct pgrpc_loop *loop;  /* while waiting */
    pthread_t thread;         /* which then waits */
    pthread_cond_t condition; /* CLOCK_MONOTONIC */
    int64_t until_ms; /* who sleeps while others turn the loop sleeps no longer; INT64_MAX */
    bool woken;
};
/* |until_ms| is INT64_MAX afterwards. 0 or a negative errno. */
int pgrpc__loop_waiter_init(struct loop_waiter *waiter);
void pgrpc__loop_waiter_clear(struct loop_waiter *waiter);
void pgrpc__loop_waiter_wake(struct loop_waiter *waiter);
/*
 * Called with the lock held: waits until waiter->woken (and clears it).  On a private loop the
 * caller leads: it turns the loop itself unless another thread does, and hands the lead over to
 * another waiter when it is done.  On a given loop it sleeps until the loop's thread wakes it; the
 * thread that made or last ran the loop turns it itself, because nobody else would.
 * 0; -ETIMEDOUT; -EDEADLK when called from a callback of this loop; or why the kernel refused to
 * wait.
 */
int pgrpc__loop_wait(struct pgrpc_loop *loop, struct loop_waiter *waiter);

#endif
