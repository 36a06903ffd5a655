#include <errno.h>
#include <limits.h>

#include "io/loop.h"
#include "io/loop_back_end.h"
#include "io/loop_parts.h"

enum {
    EVENTS_PER_WAIT = 128,
    EXTRA_TASKS_MAX = 256 /* tasks deferred during a turn that still run in it */
};

/* The turns that this thread is inside of, innermost first: a callback of one loop may turn
 * another. */
struct turn_frame {
    struct pgrpc_loop *loop;
    struct turn_frame *outer;
};
static _Thread_local struct turn_frame *frames;

bool pgrpc__loop_is_in_callback(struct pgrpc_loop *loop)
{
    const struct turn_frame *frame = frames;
    while (frame && frame->loop != loop)
        frame = frame->outer;
    return frame != NULL;
}

void pgrpc__loop_run_unlocked(struct pgrpc_loop *loop, pgrpc_task_fn *task, void *userdata)
{
    pgrpc__loop_leave_lock(loop);
    task(userdata);
    if (pgrpc__loop_take_lock(loop) < 0)
        return; /* the child of a callback that forked: the turn ends at its next step */
}

/* --- tasks ------------------------------------------------------------------------------------ */

void pgrpc__loop_defer(struct pgrpc_loop *loop, struct loop_task *task)
{
    if (!list_is_linked(&task->node))
        list_add_tail(&loop->deferred, &task->node);
}

void pgrpc__loop_defer_flush(struct pgrpc_loop *loop, struct loop_task *task)
{
    if (!list_is_linked(&task->node))
        list_add_tail(&loop->flushes, &task->node);
}

void pgrpc__loop_task_cancel(struct loop_task *task)
{
    list_remove(&task->node);
}

/* The next thing to run from |list|; none in a child, which shares sockets with its parent. */
static struct list *next_of(const struct pgrpc_loop *loop, struct list *list)
{
    return is_forked(loop) ? NULL : list_pop(list);
}

static bool run_first(struct pgrpc_loop *loop, struct list *tasks)
{
    struct list *node = next_of(loop, tasks);
    if (node) {
        struct loop_task *task = CONTAINER_OF(node, struct loop_task, node);
        task->run(task);
    }
    return node != NULL;
}

/* Runs what is in |tasks| now, not what is added meanwhile. */
static int run_batch(struct pgrpc_loop *loop, struct list *tasks)
{
    struct list batch;
    int count = 0;
    if (list_is_empty(tasks))
        return 0;
    list_init(&batch);
    list_splice(&batch, tasks);
    while (run_first(loop, &batch))
        count++;
    list_splice(tasks, &batch);
    return count;
}

void pgrpc__loop_flush(struct pgrpc_loop *loop)
{
    run_batch(loop, &loop->flushes);
}

static int run_posts(struct pgrpc_loop *loop)
{
    struct list batch, *node;
    int count = 0;
    if (list_is_empty(&loop->posts))
        return 0;
    list_init(&batch);
    list_splice(&batch, &loop->posts);
    while ((node = next_of(loop, &batch))) {
        struct post post = *CONTAINER_OF(node, struct post, node);
        pgrpc__mem_free(&loop->mem, CONTAINER_OF(node, struct post, node));
        pgrpc__loop_run_unlocked(loop, post.task, post.userdata);
        count++;
    }
    list_splice(&loop->posts, &batch);
    return count;
}

/* Everything that is not the kernel's: bounded, so that tasks which defer themselves starve nobody.
 */
static int run_pending(struct pgrpc_loop *loop)
{
    int count = run_posts(loop);
    count += run_batch(loop, &loop->deferred);
    for (int i = 0; i < EXTRA_TASKS_MAX && run_first(loop, &loop->deferred); i++)
        count++;
    run_batch(loop, &loop->flushes);
    return count;
}

/* --- turn ------------------------------------------------------------------------------------- */

static int run_timers(struct pgrpc_loop *loop)
{
    int count = 0;
    /* Bounded: a timer that starts another with no delay finds it in the next turn. */
    for (size_t left = loop->timer_count;
         left > 0 && earliest_due(loop) <= loop->now_ms && !is_forked(loop); left--) {
        struct loop_timer *timer = loop->timers[0];
        pgrpc__loop_timer_stop(loop, timer);
        timer->on_due(timer);
        count++;
    }
    return count;
}

/* How long the kernel may keep us: at most |timeout_ms| (below 0: without limit). */
static int wait_limit(struct pgrpc_loop *loop, int timeout_ms)
{
    if (timeout_ms == 0 || earliest_due(loop) == INT64_MAX)
        return timeout_ms;
    if (has_fake_clock(loop))
        return 0;
    refresh_now(loop);
    int64_t left = earliest_due(loop) - loop->now_ms;
    if (left < 0)
        left = 0;
    if (left > INT_MAX)
        left = INT_MAX;
    return timeout_ms >= 0 && timeout_ms < left ? timeout_ms : (int)left;
}

static int handle_event(struct pgrpc_loop *loop, const struct loop_event *event)
{
    if (event->token == LOOP_TOKEN_WAKE) {
        loop->back_end->drain(loop, event->token);
        loop->wake_pending = false;
        return 0;
    }
    if (event->token == LOOP_TOKEN_TIMER) {
        loop->back_end->drain(loop, event->token);
        loop->timer_fd_due_ms = INT64_MAX;
        return 0;
    }
    struct loop_watch *watch = pgrpc__loop_watch_find(loop, event->token);
    unsigned events = watch ? event->events & watch->events : 0;
    if (events)
        watch->on_event(watch, events);
    return events != 0;
}

/* Sleeps at most |timeout_ms| and handles what the kernel reports. */
static int wait_and_handle(struct pgrpc_loop *loop, int timeout_ms)
{
    struct loop_event events[EVENTS_PER_WAIT];
    int handled = 0;

    if (is_forked(loop))
        return -ECHILD;
    loop->waiting = timeout_ms != 0;
    loop->wait_until_ms = timeout_ms < 0 ? INT64_MAX : loop->now_ms + timeout_ms;
    pthread_mutex_unlock(&loop->lock);
    int count = loop->back_end->wait(loop, events, EVENTS_PER_WAIT, timeout_ms);
    pthread_mutex_lock(&loop->lock);
    loop->waiting = false;
    refresh_now(loop);
    for (int i = 0; i < count; i++)
        handled += handle_event(loop, &events[i]);
    return count < 0 ? count : handled;
}

static bool may_sleep(const struct pgrpc_loop *loop, int handled, const bool *until)
{
    if (has_work(loop))
        return false;
    return until ? !__atomic_load_n(until, __ATOMIC_RELAXED) : handled == 0;
}

int pgrpc__loop_turn_until(struct pgrpc_loop *loop, int timeout_ms, const bool *until)
{
    if (pgrpc__loop_is_in_callback(loop))
        return -EDEADLK;
    if (loop->turning)
        return -EBUSY;

    struct turn_frame frame = {loop, frames};
    frames = &frame;
    loop->turning = true;
    loop->turn_count++;
    loop->turner = pthread_self();
    refresh_now(loop);

    int handled = run_pending(loop);
    int result =
        wait_and_handle(loop, may_sleep(loop, handled, until) ? wait_limit(loop, timeout_ms) : 0);
    if (result >= 0) {
        handled += result + run_timers(loop);
        handled += run_pending(loop);
        result = is_forked(loop) ? -ECHILD : handled;
    }

    loop->turning = false;
    frames = frame.outer;
    if (result != -ECHILD)
        pgrpc__loop_announce(loop);
    return result;
}

int pgrpc__loop_turn(struct pgrpc_loop *loop, int timeout_ms)
{
    int result = pgrpc__loop_turn_until(loop, timeout_ms, NULL);
    /* Whoever began to wait meanwhile took this thread for the leader. */
    if (result != -ECHILD)
        pgrpc__loop_hand_over(loop);
    return result;
}
