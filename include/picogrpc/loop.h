/*
 * The event loop: runs channels and servers on one thread, inside a foreign loop, or on whichever
 * thread waits.
 *
 * A loop owns no thread.  Either run it (pgrpc_loop_run), or put its one file descriptor into
 * another event loop and call pgrpc_loop_dispatch(loop, 0) when it turns readable
 * (picogrpc/adapters/).
 *
 *     struct pgrpc_loop *loop = pgrpc_loop_new(NULL);
 *     ... make channels and servers with options.loop = loop ...
 *     pgrpc_loop_run(loop);
 *     pgrpc_loop_free(loop);
 *
 * Objects made on a loop must be freed before it.  Callbacks run on the thread that runs or
 * dispatches the loop, one at a time, with no lock of the library held.  After fork() the child's
 * use of a parent's loop fails with an error; freeing it there is allowed and leaves the parent's
 * registrations alone.
 */
#ifndef PICOGRPC_LOOP_H
#define PICOGRPC_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "picogrpc/allocator.h"
#include "picogrpc/export.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pgrpc_loop;
struct pgrpc_timer;

typedef void pgrpc_task_fn(void *userdata);

struct pgrpc_loop_options {
    size_t size;                             /* sizeof(struct pgrpc_loop_options) */
    const struct pgrpc_allocator *allocator; /* Optional, copied. Default: malloc and free. */
    size_t max_receive_quota_bytes; /* Optional. Bytes of incomplete messages that all connections
                                       of the loop may hold beyond their windows. Default 64 MiB. */
};

/* |options| may be NULL. NULL when out of memory or file descriptors, or when options->size is not
 * set (errno says which). Any thread. */
PGRPC_API struct pgrpc_loop *pgrpc_loop_new(const struct pgrpc_loop_options *options);

/*
 * Accepts NULL.  Channels and servers of the loop must be gone; pending timers and tasks are
 * dropped without running.  A loop that runs, or that still has objects, goes when that ends.
 */
PGRPC_API void pgrpc_loop_free(struct pgrpc_loop *loop);

/*
 * Runs until pgrpc_loop_stop.  Returns 0, or a negative errno: -EDEADLK when called from a callback
 * of this loop, -EBUSY when another thread runs it, -ECHILD after fork().
 */
PGRPC_API int pgrpc_loop_run(struct pgrpc_loop *loop);

/* Makes pgrpc_loop_run return after the current turn; the next one, when none runs now. Any thread,
 * and signal handlers. */
PGRPC_API void pgrpc_loop_stop(struct pgrpc_loop *loop);

/*
 * Runs |task| on the loop's thread in its next turn; the order of posts from one thread is kept.
 * Any thread.  0, or -ENOMEM (|task| will not run), -ECHILD after fork().
 */
PGRPC_API int pgrpc_loop_post(struct pgrpc_loop *loop, pgrpc_task_fn *task, void *userdata);

/*
 * A file descriptor that is readable whenever pgrpc_loop_dispatch has work: sockets, timers, posted
 * tasks, calls started outside dispatch, bytes TLS has buffered.  Owned by the loop; poll it
 * level-triggered, for reading only.  An idle loop makes it readable only once, when the last timer
 * that was cancelled would have been due.  A negative errno when there is no descriptor left for
 * timers (-EMFILE, -ENFILE, -ENOMEM), -ECHILD after fork().
 */
PGRPC_API int pgrpc_loop_fd(struct pgrpc_loop *loop);

/*
 * Runs one turn, waiting at most |timeout_ms| for work (0: not at all, -1: without limit).
 * Returns the number of events handled, or a negative errno as pgrpc_loop_run.
 */
PGRPC_API int pgrpc_loop_dispatch(struct pgrpc_loop *loop, int timeout_ms);

/* Milliseconds of the monotonic clock; inside a callback, as of when the turn last woke. Any
 * thread. */
PGRPC_API int64_t pgrpc_loop_now_ms(struct pgrpc_loop *loop);

/*
 * Runs |task| once after |after_ms| (below 0 counts as 0) on the loop's thread; never early, and
 * never from inside this function.  The pointer is valid until the task starts or the timer is
 * cancelled.  NULL when out of memory, and after fork().  Any thread.
 */
PGRPC_API struct pgrpc_timer *pgrpc_timer_start(struct pgrpc_loop *loop, int64_t after_ms,
                                                pgrpc_task_fn *task, void *userdata);
/* The task will not run. Accepts NULL. Any thread that knows that the task has not started. */
PGRPC_API void pgrpc_timer_cancel(struct pgrpc_timer *timer);

#ifdef __cplusplus
}
#endif
#endif
