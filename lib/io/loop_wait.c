#include <errno.h>
#include <string.h>
#include <time.h>

#include "io/loop.h"
#include "io/loop_parts.h"

int pgrpc__loop_waiter_init(struct loop_waiter *waiter)
{
    pthread_condattr_t attributes;
    memset(waiter, 0, sizeof(*waiter));
    waiter->until_ms = INT64_MAX;
    int error = pthread_condattr_init(&attributes);
    if (error)
        return -error;
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!error)
        error = pthread_cond_init(&waiter->condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return -error;
}

void pgrpc__loop_waiter_clear(struct loop_waiter *waiter)
{
    pthread_cond_destroy(&waiter->condition);
}

void pgrpc__loop_waiter_wake(struct loop_waiter *waiter)
{
    struct pgrpc_loop *loop = waiter->loop;
    waiter->woken = true;
    if (!loop)
        return;
    if (loop->waiting && pthread_equal(loop->turner, waiter->thread))
        pgrpc__loop_wake(loop);
    else
        pthread_cond_signal(&waiter->condition);
}

/* May this thread turn the loop when nobody does? */
static bool may_lead(const struct pgrpc_loop *loop)
{
    return loop->is_private || pthread_equal(loop->home, pthread_self());
}

void pgrpc__loop_hand_over(struct pgrpc_loop *loop)
{
    if (loop->is_private && !loop->turning && !list_is_empty(&loop->waiters))
        pthread_cond_signal(&CONTAINER_OF(loop->waiters.next, struct loop_waiter, node)->condition);
}

/* Sleeps until another thread has news, or until the waiter's time is over. */
static int sleep_on(struct pgrpc_loop *loop, struct loop_waiter *waiter)
{
    pgrpc__loop_announce(loop);
    if (waiter->until_ms == INT64_MAX || has_fake_clock(loop)) {
        pthread_cond_wait(&waiter->condition, &loop->lock);
        return 0;
    }
    struct timespec until = {.tv_sec = (time_t)(waiter->until_ms / 1000),
                             .tv_nsec = (long)(waiter->until_ms % 1000) * 1000000};
    return -pthread_cond_timedwait(&waiter->condition, &loop->lock, &until);
}

int pgrpc__loop_wait(struct pgrpc_loop *loop, struct loop_waiter *waiter)
{
    int result = 0;

    if (pgrpc__loop_is_in_callback(loop))
        return -EDEADLK;
    waiter->loop = loop;
    waiter->thread = pthread_self();
    list_add_tail(&loop->waiters, &waiter->node);
    while (!waiter->woken && result >= 0) {
        if (!loop->turning && may_lead(loop))
            result = pgrpc__loop_turn_until(loop, -1, &waiter->woken);
        else
            result = sleep_on(loop, waiter);
    }
    list_remove(&waiter->node);
    waiter->loop = NULL;
    pgrpc__loop_hand_over(loop);
    if (!waiter->woken)
        return result;
    waiter->woken = false;
    return 0;
}
