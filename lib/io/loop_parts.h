/* What the loop's own files share: loop.c, loop_turn.c, loop_timer.c, loop_watch.c, loop_wait.c. */
#ifndef PGRPC__IO_LOOP_PARTS_H
#define PGRPC__IO_LOOP_PARTS_H

#include "base/fork.h"
#include "io/loop.h"

/* A task of the user on its way to the loop's thread. */
struct post {
    struct list node;
    pgrpc_task_fn *task;
    void *userdata;
};

int64_t pgrpc__monotonic_ms(void *userdata);

static inline bool is_forked(const struct pgrpc_loop *loop)
{
    return pgrpc__is_forked(loop->fork_generation);
}

static inline bool has_fake_clock(const struct pgrpc_loop *loop)
{
    return loop->clock_ms != pgrpc__monotonic_ms;
}

static inline void refresh_now(struct pgrpc_loop *loop)
{
    loop->is_now_stale = false;
    loop->now_ms = loop->clock_ms(loop->clock_userdata);
}

static inline bool has_work(const struct pgrpc_loop *loop)
{
    return !list_is_empty(&loop->deferred) || !list_is_empty(&loop->flushes) ||
           !list_is_empty(&loop->posts);
}

static inline int64_t earliest_due(const struct pgrpc_loop *loop)
{
    return loop->timer_count > 0 ? loop->timers[0]->due_ms : INT64_MAX;
}

/* Before the lock is released: a thread that sleeps in a turn, or whoever polls the exported
 * descriptor while nobody turns, must learn of work and of earlier timers. */
void pgrpc__loop_announce(struct pgrpc_loop *loop);

/* The lead of a private loop is free: lets another waiter see that. */
void pgrpc__loop_hand_over(struct pgrpc_loop *loop);

/* Runs the user's |task| with the lock released meanwhile. */
void pgrpc__loop_run_unlocked(struct pgrpc_loop *loop, pgrpc_task_fn *task, void *userdata);

/* The watch that |token| was made for, NULL when it was stopped since. */
struct loop_watch *pgrpc__loop_watch_find(struct pgrpc_loop *loop, uint64_t token);

void pgrpc__loop_drop_user_timers(struct pgrpc_loop *loop);

#endif
