#include "io/loop_parts.h"

#include <errno.h>

#include "io/loop.h"

enum { TIMERS_MIN = 16 };

struct pgrpc_timer {
    struct loop_timer timer;
    struct list node;
    struct pgrpc_loop *loop;
    pgrpc_task_fn *task;
    void *userdata;
};

static void put(struct pgrpc_loop *loop, size_t position, struct loop_timer *timer)
{
    loop->timers[position - 1] = timer;
    timer->position = position;
}

/* Finds the place of |timer|, for which |position| is free. */
static void sift(struct pgrpc_loop *loop, size_t position, struct loop_timer *timer)
{
    while (position > 1 && timer->due_ms < loop->timers[position / 2 - 1]->due_ms) {
        put(loop, position, loop->timers[position / 2 - 1]);
        position /= 2;
    }
    for (;;) {
        size_t child = 2 * position;
        if (child < loop->timer_count &&
            loop->timers[child]->due_ms < loop->timers[child - 1]->due_ms)
            child++;
        if (child > loop->timer_count || timer->due_ms <= loop->timers[child - 1]->due_ms)
            break;
        put(loop, position, loop->timers[child - 1]);
        position = child;
    }
    put(loop, position, timer);
}

int pgrpc__loop_timer_start(struct pgrpc_loop *loop, struct loop_timer *timer, int64_t due_ms)
{
    size_t position = timer->position;
    if (position == 0) {
        if (loop->timer_count == loop->timer_cap) {
            size_t cap = loop->timer_cap ? 2 * loop->timer_cap : TIMERS_MIN;
            struct loop_timer **timers =
                pgrpc__mem_realloc(&loop->mem, loop->timers, cap * sizeof(*timers));
            if (!timers)
                return -ENOMEM;
            loop->timers = timers;
            loop->timer_cap = cap;
        }
        position = ++loop->timer_count;
    }
    timer->due_ms = due_ms;
    sift(loop, position, timer);
    return 0;
}

void pgrpc__loop_timer_stop(struct pgrpc_loop *loop, struct loop_timer *timer)
{
    size_t position = timer->position;
    if (position == 0)
        return;
    struct loop_timer *last = loop->timers[--loop->timer_count];
    if (last != timer)
        sift(loop, position, last);
    timer->position = 0;
}

static void on_user_timer_due(struct loop_timer *timer)
{
    struct pgrpc_timer *user_timer = CONTAINER_OF(timer, struct pgrpc_timer, timer);
    struct pgrpc_loop *loop = user_timer->loop;
    pgrpc_task_fn *task = user_timer->task;
    void *userdata = user_timer->userdata;

    list_remove(&user_timer->node);
    pgrpc__mem_free(&loop->mem, user_timer);
    pgrpc__loop_run_unlocked(loop, task, userdata);
}

struct pgrpc_timer *pgrpc_timer_start(struct pgrpc_loop *loop, int64_t after_ms,
                                      pgrpc_task_fn *task, void *userdata)
{
    if (pgrpc__loop_take_lock(loop) < 0)
        return NULL;
    struct pgrpc_timer *timer = pgrpc__mem_calloc(&loop->mem, 1, sizeof(*timer));
    if (timer) {
        timer->timer.on_due = on_user_timer_due;
        timer->loop = loop;
        timer->task = task;
        timer->userdata = userdata;
        if (pgrpc__loop_timer_start(loop, &timer->timer, pgrpc__loop_due_after(loop, after_ms)) <
            0) {
            pgrpc__mem_free(&loop->mem, timer);
            timer = NULL;
        } else {
            list_add_tail(&loop->user_timers, &timer->node);
        }
    }
    pgrpc__loop_leave_lock(loop);
    return timer;
}

static void free_timer(struct pgrpc_timer *timer)
{
    list_remove(&timer->node);
    pgrpc__loop_timer_stop(timer->loop, &timer->timer);
    pgrpc__mem_free(&timer->loop->mem, timer);
}

void pgrpc_timer_cancel(struct pgrpc_timer *timer)
{
    if (!timer || pgrpc__loop_take_lock(timer->loop) < 0)
        return;
    struct pgrpc_loop *loop = timer->loop;
    free_timer(timer);
    pgrpc__loop_leave_lock(loop);
}

void pgrpc__loop_drop_user_timers(struct pgrpc_loop *loop)
{
    while (!list_is_empty(&loop->user_timers))
        free_timer(CONTAINER_OF(loop->user_timers.next, struct pgrpc_timer, node));
}
