#include "io/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"
#include "io/loop_back_end.h"
#include "io/loop_parts.h"

enum { DEFAULT_RECEIVE_QUOTA = 64 * 1024 * 1024 };

/* --- clock and randomness --------------------------------------------------------------------- */

int64_t pgrpc__monotonic_ms(void *userdata)
{
    struct timespec now;
    (void)userdata;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* splitmix64 */
static uint64_t next_random(void *userdata)
{
    struct pgrpc_loop *loop = userdata;
    uint64_t z = loop->random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void pgrpc__loop_set_clock(struct pgrpc_loop *loop, int64_t (*clock_ms)(void *userdata),
                           void *userdata)
{
    loop->clock_ms = clock_ms ? clock_ms : pgrpc__monotonic_ms;
    loop->clock_userdata = userdata;
    loop->now_ms = loop->clock_ms(userdata);
}

void pgrpc__loop_set_random(struct pgrpc_loop *loop, uint64_t (*random)(void *userdata),
                            void *userdata)
{
    loop->random = random ? random : next_random;
    loop->random_userdata = random ? userdata : loop;
}

uint64_t pgrpc__loop_random(struct pgrpc_loop *loop)
{
    return loop->random(loop->random_userdata);
}

int64_t pgrpc__loop_due_after(struct pgrpc_loop *loop, int64_t after_ms)
{
    int64_t now_ms = loop->clock_ms(loop->clock_userdata), due_ms;
    if (after_ms < 0)
        after_ms = 0;
    /* The clock rounds down, so the current millisecond is partly over. */
    if (after_ms > 0 && !has_fake_clock(loop))
        now_ms++;
    return __builtin_add_overflow(now_ms, after_ms, &due_ms) ? INT64_MAX : due_ms;
}

/* --- life ------------------------------------------------------------------------------------- */

struct pgrpc_loop *pgrpc_loop_new(const struct pgrpc_loop_options *options)
{
    struct pgrpc_loop_options given = {.size = sizeof(given)};
    if (options) {
        if (options->size < sizeof(options->size)) {
            errno = EINVAL;
            return NULL;
        }
        memcpy(&given, options, options->size < sizeof(given) ? options->size : sizeof(given));
    }
    const struct pgrpc_allocator *allocator =
        given.allocator ? given.allocator : &pgrpc__default_allocator;

    pgrpc__trace_load();
    struct pgrpc_loop *loop = pgrpc__raw_zalloc(allocator, sizeof(*loop));
    if (!loop) {
        errno = ENOMEM;
        return NULL;
    }
    pgrpc__mem_init(&loop->mem, allocator);
    loop->fork_generation = pgrpc__fork_generation();
    loop->receive_quota_limit = given.max_receive_quota_bytes ? given.max_receive_quota_bytes
                                                              : (size_t)DEFAULT_RECEIVE_QUOTA;
    list_init(&loop->deferred);
    list_init(&loop->flushes);
    list_init(&loop->waiters);
    list_init(&loop->posts);
    list_init(&loop->user_timers);
    loop->home = pthread_self();
    loop->timer_fd_due_ms = INT64_MAX;
    loop->back_end = &pgrpc__loop_epoll;
    pgrpc__loop_set_clock(loop, NULL, NULL);
    pgrpc__loop_set_random(loop, NULL, NULL);
    /* Without a seed jitter still differs between loops and moments. */
    if (getrandom(&loop->random_state, sizeof(loop->random_state), GRND_NONBLOCK) < 0)
        loop->random_state = (uint64_t)loop->now_ms ^ (uint64_t)(uintptr_t)loop;

    int error = -pthread_mutex_init(&loop->lock, NULL);
    if (error == 0) {
        error = loop->back_end->open(loop);
        if (error < 0)
            pthread_mutex_destroy(&loop->lock);
    }
    if (error < 0) {
        pgrpc__raw_free(allocator, loop);
        errno = -error;
        return NULL;
    }
    return loop;
}

static void free_memory(struct pgrpc_loop *loop)
{
    struct list *node;
    while ((node = list_pop(&loop->posts)))
        pgrpc__mem_free(&loop->mem, CONTAINER_OF(node, struct post, node));
    pgrpc__loop_drop_user_timers(loop);
    pgrpc__mem_free(&loop->mem, loop->timers);
    pgrpc__mem_free(&loop->mem, loop->slots);
    if (loop->mem.live_bytes > 0)
        pgrpc__log_printf(PGRPC_LOG_ERROR, "loop freed before the objects that use it", "bytes",
                          "%zu", loop->mem.live_bytes);
    pgrpc__mem_clear(&loop->mem);
    struct pgrpc_allocator allocator = loop->mem.allocator;
    pgrpc__raw_free(&allocator, loop);
}

static void destroy(struct pgrpc_loop *loop)
{
    loop->back_end->close(loop);
    pthread_mutex_destroy(&loop->lock);
    free_memory(loop);
}

/* A thread that fork() did not copy may have been changing things; then they are left alone. */
static void free_in_child(struct pgrpc_loop *loop)
{
    if (pthread_mutex_trylock(&loop->lock)) {
        loop->back_end->close(loop);
        return;
    }
    pthread_mutex_unlock(&loop->lock);
    destroy(loop);
}

void pgrpc_loop_free(struct pgrpc_loop *loop)
{
    if (!loop)
        return;
    if (is_forked(loop)) {
        free_in_child(loop);
        return;
    }
    pthread_mutex_lock(&loop->lock);
    if (loop->turning || pgrpc__loop_is_in_callback(loop))
        pgrpc__log(PGRPC_LOG_ERROR, "loop freed while it runs: stop it first", NULL, 0);
    else if (loop->objects && !loop->is_private)
        pgrpc__log(PGRPC_LOG_ERROR,
                   "loop freed before its channels and servers: it stays until they are gone", NULL,
                   0);
    loop->is_retired = true;
    pgrpc__loop_leave_lock(loop);
}

void pgrpc__loop_hold(struct pgrpc_loop *loop)
{
    loop->objects++;
}

void pgrpc__loop_unhold(struct pgrpc_loop *loop)
{
    loop->objects--;
}

/* --- lock ------------------------------------------------------------------------------------- */

void pgrpc__loop_announce(struct pgrpc_loop *loop)
{
    if (loop->turning) {
        if (loop->waiting && (has_work(loop) || earliest_due(loop) < loop->wait_until_ms))
            pgrpc__loop_wake(loop);
    } else if (!loop->fd_exported) {
        return; /* whoever turns next looks by itself */
    } else if (has_work(loop)) {
        pgrpc__loop_wake(loop);
    } else if (earliest_due(loop) < loop->timer_fd_due_ms && !has_fake_clock(loop)) {
        /* Never disarmed: a timer that is started and stopped for every call would cost two system
         * calls each time; one wake-up for nothing at the end is cheaper. */
        loop->timer_fd_due_ms = earliest_due(loop);
        loop->back_end->arm(loop, loop->timer_fd_due_ms);
    }
}

int pgrpc__loop_take_lock(struct pgrpc_loop *loop)
{
    if (is_forked(loop))
        return -ECHILD;
    pthread_mutex_lock(&loop->lock);
    if (!loop->turning || !pthread_equal(loop->turner, pthread_self()))
        loop->is_now_stale = true;
    return 0;
}

void pgrpc__loop_leave_lock(struct pgrpc_loop *loop)
{
    /* A callback has forked and its child comes back here, where it holds nothing. */
    if (is_forked(loop))
        return;
    bool is_last = loop->is_retired && loop->objects == 0 && !loop->turning;
    pgrpc__loop_announce(loop);
    pthread_mutex_unlock(&loop->lock);
    if (is_last)
        destroy(loop);
}

void pgrpc__loop_wake(struct pgrpc_loop *loop)
{
    if (!loop->wake_pending) {
        loop->wake_pending = true;
        loop->back_end->wake(loop);
    }
}

/* --- public ----------------------------------------------------------------------------------- */

int pgrpc_loop_run(struct pgrpc_loop *loop)
{
    if (pgrpc__loop_is_in_callback(loop))
        return -EDEADLK;
    int result = pgrpc__loop_take_lock(loop);
    if (result < 0)
        return result;
    if (loop->turning) {
        result = -EBUSY;
    } else {
        loop->home = pthread_self();
        while (result >= 0 && !__atomic_exchange_n(&loop->stop_requested, false, __ATOMIC_RELAXED))
            result = pgrpc__loop_turn_until(loop, -1, &loop->stop_requested);
    }
    pgrpc__loop_leave_lock(loop);
    return result < 0 ? result : 0;
}

void pgrpc_loop_stop(struct pgrpc_loop *loop)
{
    /* Signal handlers come here: nothing but a flag and a write. */
    if (is_forked(loop))
        return;
    __atomic_store_n(&loop->stop_requested, true, __ATOMIC_RELAXED);
    loop->back_end->wake(loop);
}

int pgrpc_loop_post(struct pgrpc_loop *loop, pgrpc_task_fn *task, void *userdata)
{
    int error = pgrpc__loop_take_lock(loop);
    if (error < 0)
        return error;
    struct post *post = pgrpc__mem_alloc(&loop->mem, sizeof(*post));
    if (post) {
        *post = (struct post){.task = task, .userdata = userdata};
        list_add_tail(&loop->posts, &post->node);
    }
    pgrpc__loop_leave_lock(loop);
    return post ? 0 : -ENOMEM;
}

int pgrpc_loop_fd(struct pgrpc_loop *loop)
{
    int fd = pgrpc__loop_take_lock(loop);
    if (fd < 0)
        return fd;
    fd = loop->back_end->export_fd(loop);
    if (fd >= 0)
        loop->fd_exported = true;
    pgrpc__loop_leave_lock(loop);
    return fd;
}

int pgrpc_loop_dispatch(struct pgrpc_loop *loop, int timeout_ms)
{
    int result = pgrpc__loop_take_lock(loop);
    if (result < 0)
        return result;
    if (!loop->turning)
        loop->home = pthread_self();
    result = pgrpc__loop_turn(loop, timeout_ms);
    pgrpc__loop_leave_lock(loop);
    return result;
}

int64_t pgrpc_loop_now_ms(struct pgrpc_loop *loop)
{
    if (pgrpc__loop_take_lock(loop) < 0)
        return pgrpc__monotonic_ms(NULL);
    int64_t now_ms = loop_now(loop);
    pgrpc__loop_leave_lock(loop);
    return now_ms;
}
