#include "../support/unit.h"
#include "../support/faulty_allocator.h"
#include "../support/fds.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/loop.h"

struct fixture {
    struct pgrpc_loop *loop;
    size_t fds;
    int64_t now_ms; /* of the fake clock */
    char trail[256];
};
static struct fixture fixture;

static void leave_mark(void *letter)
{
    size_t len = strlen(fixture.trail);
    assert_true(len + 1 < sizeof(fixture.trail));
    fixture.trail[len] = *(const char *)letter;
}

static void mark_task(void *userdata)
{
    assert_true(pgrpc__loop_is_in_callback(fixture.loop));
    leave_mark(userdata);
}

static int64_t fake_clock(void *userdata)
{
    return *(int64_t *)userdata;
}

static int set_up(void **state)
{
    memset(&fixture, 0, sizeof(fixture));
    fixture.fds = open_fd_count();
    fixture.loop = pgrpc_loop_new(NULL);
    assert_non_null(fixture.loop);
    *state = &fixture;
    return 0;
}

static int set_up_fake_clock(void **state)
{
    set_up(state);
    pgrpc__loop_set_clock(fixture.loop, fake_clock, &fixture.now_ms);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pgrpc_loop_free(fixture.loop);
    assert_int_equal(open_fd_count(), fixture.fds);
    return 0;
}

static void turn(void)
{
    assert_true(pgrpc_loop_dispatch(fixture.loop, 0) >= 0);
}

/* --- life --- */

static void options_are_checked(void **state)
{
    struct pgrpc_loop_options options = {.size = 0};
    (void)state;
    assert_null(pgrpc_loop_new(&options));
    assert_int_equal(errno, EINVAL);
    options.size = sizeof(options);
    options.max_receive_quota_bytes = 12345;
    struct pgrpc_loop *loop = pgrpc_loop_new(&options);
    assert_int_equal(loop->receive_quota_limit, 12345);
    pgrpc_loop_free(loop);
    options.size = sizeof(size_t); /* an older caller, who knows none of the options */
    loop = pgrpc_loop_new(&options);
    assert_int_equal(loop->receive_quota_limit, 64 * 1024 * 1024);
    pgrpc_loop_free(loop);
    pgrpc_loop_free(NULL);
}

static void no_descriptors_no_loop(void **state)
{
    (void)state;
    for (size_t count = 0; count < 2; count++) {
        size_t before = open_fd_count();
        fd_limit_set(count);
        struct pgrpc_loop *loop = pgrpc_loop_new(NULL);
        int error = errno;
        fd_limit_lift();
        assert_null(loop);
        assert_int_equal(error, EMFILE);
        assert_int_equal(open_fd_count(), before);
    }
}

static void what_is_pending_is_dropped_without_running(void **state)
{
    (void)state;
    pgrpc_loop_post(fixture.loop, mark_task, (void *)"p");
    assert_non_null(pgrpc_timer_start(fixture.loop, 0, mark_task, (void *)"t"));
    pgrpc_loop_free(fixture.loop);
    assert_string_equal(fixture.trail, "");
    fixture.loop = NULL;
}

static void free_loop(void *loop)
{
    pgrpc_loop_free(loop);
    pgrpc_loop_post(loop, leave_mark, (void *)"p");
    fixture.loop = NULL;
}

static void a_loop_freed_in_its_callback_goes_after_the_turn(void **state)
{
    (void)state;
    pgrpc_loop_post(fixture.loop, free_loop, fixture.loop);
    assert_true(pgrpc_loop_dispatch(fixture.loop, 0) >= 1);
    assert_string_equal(fixture.trail, "p");
}

static void a_loop_stays_while_something_holds_it(void **state)
{
    (void)state;
    pgrpc__loop_take_lock(fixture.loop);
    pgrpc__loop_hold(fixture.loop);
    pgrpc__loop_leave_lock(fixture.loop);
    pgrpc_loop_free(fixture.loop);
    turn();
    pgrpc__loop_take_lock(fixture.loop);
    pgrpc__loop_unhold(fixture.loop);
    pgrpc__loop_leave_lock(fixture.loop);
    fixture.loop = NULL;
}

/* --- posts --- */

static void posts_run_in_order(void **state)
{
    (void)state;
    assert_int_equal(pgrpc_loop_post(fixture.loop, mark_task, (void *)"1"), 0);
    assert_int_equal(pgrpc_loop_post(fixture.loop, mark_task, (void *)"2"), 0);
    assert_int_equal(pgrpc_loop_post(fixture.loop, mark_task, (void *)"3"), 0);
    assert_false(pgrpc__loop_is_in_callback(fixture.loop));
    assert_string_equal(fixture.trail, "");
    assert_int_equal(pgrpc_loop_dispatch(fixture.loop, -1), 3);
    assert_string_equal(fixture.trail, "123");
    assert_false(pgrpc__loop_is_in_callback(fixture.loop));
}

static void post_again(void *userdata)
{
    (void)userdata;
    leave_mark((void *)"a");
    pgrpc_loop_post(fixture.loop, post_again, NULL);
}

static void a_post_that_posts_itself_does_not_hang_the_turn(void **state)
{
    (void)state;
    pgrpc_loop_post(fixture.loop, post_again, NULL);
    turn();
    size_t once = strlen(fixture.trail);
    assert_in_range(once, 1, 2);
    turn();
    assert_true(strlen(fixture.trail) > once);
}

/* --- run, stop, dispatch --- */

static void stop_task(void *loop)
{
    pgrpc_loop_stop(loop);
}

static void run_ends_after_stop(void **state)
{
    (void)state;
    pgrpc_loop_post(fixture.loop, stop_task, fixture.loop);
    pgrpc_loop_post(fixture.loop, mark_task, (void *)"x");
    assert_int_equal(pgrpc_loop_run(fixture.loop), 0);
    assert_string_equal(fixture.trail, "x");
    /* The next run is a new one. */
    pgrpc_timer_start(fixture.loop, 1, stop_task, fixture.loop);
    assert_int_equal(pgrpc_loop_run(fixture.loop), 0);
}

static void stop_before_run_is_not_lost(void **state)
{
    (void)state;
    pgrpc_loop_stop(fixture.loop);
    assert_int_equal(pgrpc_loop_run(fixture.loop), 0);
}

static void on_signal(int number)
{
    (void)number;
    pgrpc_loop_stop(fixture.loop);
}

static void stop_from_a_signal_handler(void **state)
{
    struct sigaction action = {.sa_handler = on_signal}, before;
    (void)state;
    sigaction(SIGALRM, &action, &before);
    alarm(1);
    assert_int_equal(pgrpc_loop_run(fixture.loop), 0);
    sigaction(SIGALRM, &before, NULL);
}

static void turn_inside(void *result)
{
    ((int *)result)[0] = pgrpc_loop_run(fixture.loop);
    ((int *)result)[1] = pgrpc_loop_dispatch(fixture.loop, 0);
    struct loop_waiter waiter;
    pgrpc__loop_waiter_init(&waiter);
    pgrpc__loop_take_lock(fixture.loop);
    ((int *)result)[2] = pgrpc__loop_wait(fixture.loop, &waiter);
    pgrpc__loop_leave_lock(fixture.loop);
    pgrpc__loop_waiter_clear(&waiter);
}

static void a_callback_may_not_turn_its_loop(void **state)
{
    int results[3] = {0};
    (void)state;
    pgrpc_loop_post(fixture.loop, turn_inside, results);
    turn();
    for (int i = 0; i < 3; i++)
        assert_int_equal(results[i], -EDEADLK);
}

static void turn_another(void *other)
{
    pgrpc_loop_post(other, leave_mark, (void *)"o");
    assert_int_equal(pgrpc_loop_dispatch(other, 0), 1);
    assert_false(pgrpc__loop_is_in_callback(other));
    assert_true(pgrpc__loop_is_in_callback(fixture.loop));
    assert_int_equal(pgrpc_loop_dispatch(fixture.loop, 0), -EDEADLK);
}

static void a_callback_may_turn_another_loop(void **state)
{
    struct pgrpc_loop *other = pgrpc_loop_new(NULL);
    (void)state;
    pgrpc_loop_post(fixture.loop, turn_another, other);
    turn();
    assert_string_equal(fixture.trail, "o");
    pgrpc_loop_free(other);
}

static void dispatch_waits_no_longer_than_told(void **state)
{
    (void)state;
    assert_int_equal(pgrpc_loop_dispatch(fixture.loop, 0), 0);
    assert_int_equal(pgrpc_loop_dispatch(fixture.loop, 1), 0);
    assert_non_null(pgrpc_timer_start(fixture.loop, 100000000, mark_task, (void *)"x"));
    assert_int_equal(pgrpc_loop_dispatch(fixture.loop, 1), 0);
}

/* --- timers --- */

static void timers_run_in_order_of_time(void **state)
{
    (void)state;
    pgrpc_timer_start(fixture.loop, 30, mark_task, (void *)"3");
    pgrpc_timer_start(fixture.loop, 10, mark_task, (void *)"1");
    struct pgrpc_timer *cancelled = pgrpc_timer_start(fixture.loop, 15, mark_task, (void *)"x");
    pgrpc_timer_start(fixture.loop, 20, mark_task, (void *)"2");
    turn();
    fixture.now_ms = 9;
    turn();
    assert_string_equal(fixture.trail, "");
    fixture.now_ms = 10;
    turn();
    assert_string_equal(fixture.trail, "1");
    pgrpc_timer_cancel(cancelled);
    pgrpc_timer_cancel(NULL);
    fixture.now_ms = 100;
    assert_int_equal(pgrpc_loop_now_ms(fixture.loop), 100);
    turn();
    assert_string_equal(fixture.trail, "123");
}

static void start_now(void *userdata)
{
    (void)userdata;
    leave_mark((void *)"n");
    pgrpc_timer_start(fixture.loop, -5, start_now, NULL);
}

static void a_timer_that_restarts_at_once_does_not_hang_the_turn(void **state)
{
    (void)state;
    pgrpc_timer_start(fixture.loop, 0, start_now, NULL);
    assert_string_equal(fixture.trail, "");
    turn();
    turn();
    assert_string_equal(fixture.trail, "nn");
}

static void a_timer_is_never_early(void **state)
{
    struct timespec from, to;
    (void)state;
    for (int i = 0; i < 20; i++) {
        clock_gettime(CLOCK_MONOTONIC, &from);
        pgrpc_timer_start(fixture.loop, 3, stop_task, fixture.loop);
        assert_int_equal(pgrpc_loop_run(fixture.loop), 0);
        clock_gettime(CLOCK_MONOTONIC, &to);
        assert_true((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec >= 3000000);
    }
}

static void far_moments_saturate(void **state)
{
    (void)state;
    fixture.now_ms = 1000;
    assert_int_equal(pgrpc__loop_due_after(fixture.loop, INT64_MAX), INT64_MAX);
    assert_int_equal(pgrpc__loop_due_after(fixture.loop, INT64_MIN), 1000);
    assert_int_equal(pgrpc__loop_due_after(fixture.loop, 5), 1005);
    pgrpc__loop_set_clock(fixture.loop, NULL, NULL);
    pgrpc_timer_start(fixture.loop, INT64_MAX, mark_task, (void *)"x");
    assert_true(pgrpc_loop_fd(fixture.loop) >= 0);
    assert_int_equal(pgrpc_loop_dispatch(fixture.loop, 1), 0);
}

enum { TIMER_COUNT = 300 };
static struct counted_timer {
    struct loop_timer timer;
    bool armed;
    int64_t due_ms;
    int fired;
} counted[TIMER_COUNT];

static void count_fired(struct loop_timer *timer)
{
    ((struct counted_timer *)timer)->fired++;
}

static void the_heap_agrees_with_a_list(void **state)
{
    uint64_t seed = 12345;
    (void)state;
    memset(counted, 0, sizeof(counted));
    for (int i = 0; i < TIMER_COUNT; i++)
        counted[i].timer.on_due = count_fired;
    for (int step = 0; step < 20000; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        struct counted_timer *one = &counted[(seed >> 33) % TIMER_COUNT];
        pgrpc__loop_take_lock(fixture.loop);
        if ((seed >> 60) < 5) {
            pgrpc__loop_timer_stop(fixture.loop, &one->timer);
            one->armed = false;
        } else {
            one->due_ms = fixture.now_ms + (int64_t)((seed >> 20) % 1000);
            one->armed = true;
            assert_int_equal(pgrpc__loop_timer_start(fixture.loop, &one->timer, one->due_ms), 0);
        }
        pgrpc__loop_leave_lock(fixture.loop);
        if (step % 50 != 0)
            continue;
        fixture.now_ms += (int64_t)(seed >> 54);
        for (int i = 0; i < TIMER_COUNT; i++)
            counted[i].fired = 0;
        turn();
        for (int i = 0; i < TIMER_COUNT; i++) {
            bool due = counted[i].armed && counted[i].due_ms <= fixture.now_ms;
            assert_int_equal(counted[i].fired, due);
            assert_int_equal(counted[i].timer.position != 0, counted[i].armed && !due);
            counted[i].armed &= !due;
        }
    }
    pgrpc__loop_take_lock(fixture.loop);
    for (int i = 0; i < TIMER_COUNT; i++)
        pgrpc__loop_timer_stop(fixture.loop, &counted[i].timer);
    assert_int_equal(fixture.loop->timer_count, 0);
    pgrpc__loop_leave_lock(fixture.loop);
}

/* --- deferred tasks --- */

struct counted_task {
    struct loop_task task;
    int runs;
    bool again;
    struct loop_task *cancel;
};

static void run_counted(struct loop_task *task)
{
    struct counted_task *counted_task = (struct counted_task *)task;
    counted_task->runs++;
    if (counted_task->again)
        pgrpc__loop_defer(fixture.loop, task);
    if (counted_task->cancel)
        pgrpc__loop_task_cancel(counted_task->cancel);
}

static void a_task_runs_once_per_defer(void **state)
{
    struct counted_task task = {.task.run = run_counted}, flush = {.task.run = run_counted};
    (void)state;
    pgrpc__loop_take_lock(fixture.loop);
    pgrpc__loop_defer(fixture.loop, &task.task);
    pgrpc__loop_defer(fixture.loop, &task.task);
    pgrpc__loop_defer_flush(fixture.loop, &flush.task);
    pgrpc__loop_defer_flush(fixture.loop, &flush.task);
    assert_int_equal(task.runs, 0);
    pgrpc__loop_flush(fixture.loop);
    assert_int_equal(flush.runs, 1);
    assert_int_equal(pgrpc__loop_turn(fixture.loop, -1), 1);
    pgrpc__loop_leave_lock(fixture.loop);
    assert_int_equal(task.runs, 1);
    assert_int_equal(flush.runs, 1);
}

static void a_task_cancels_its_neighbour(void **state)
{
    struct counted_task second = {.task.run = run_counted};
    struct counted_task first = {.task.run = run_counted, .cancel = &second.task};
    (void)state;
    pgrpc__loop_take_lock(fixture.loop);
    pgrpc__loop_defer(fixture.loop, &first.task);
    pgrpc__loop_defer(fixture.loop, &second.task);
    pgrpc__loop_leave_lock(fixture.loop);
    turn();
    assert_int_equal(first.runs, 1);
    assert_int_equal(second.runs, 0);
}

static void a_task_that_defers_itself_does_not_starve_the_rest(void **state)
{
    struct counted_task greedy = {.task.run = run_counted, .again = true};
    struct counted_task modest = {.task.run = run_counted};
    (void)state;
    pgrpc__loop_take_lock(fixture.loop);
    pgrpc__loop_defer(fixture.loop, &greedy.task);
    pgrpc__loop_leave_lock(fixture.loop);
    turn();
    assert_true(greedy.runs > 1);
    pgrpc__loop_take_lock(fixture.loop);
    pgrpc__loop_defer(fixture.loop, &modest.task);
    pgrpc__loop_leave_lock(fixture.loop);
    /* Work is left, so that no turn sleeps. */
    assert_true(pgrpc_loop_dispatch(fixture.loop, -1) > 0);
    assert_int_equal(modest.runs, 1);
    pgrpc__loop_take_lock(fixture.loop);
    pgrpc__loop_task_cancel(&greedy.task);
    pgrpc__loop_leave_lock(fixture.loop);
}

/* --- waiting --- */

static struct loop_waiter test_waiter;

static void wake_waiter(void *userdata)
{
    (void)userdata;
    pgrpc__loop_take_lock(fixture.loop);
    pgrpc__loop_waiter_wake(&test_waiter);
    pgrpc__loop_leave_lock(fixture.loop);
}

static void the_only_thread_turns_the_loop_while_it_waits(void **state)
{
    (void)state;
    for (int is_private = 0; is_private < 2; is_private++) {
        fixture.loop->is_private = is_private;
        assert_int_equal(pgrpc__loop_waiter_init(&test_waiter), 0);
        pgrpc_loop_post(fixture.loop, mark_task, (void *)"p");
        pgrpc_timer_start(fixture.loop, 1, wake_waiter, NULL);
        pgrpc__loop_take_lock(fixture.loop);
        assert_int_equal(pgrpc__loop_wait(fixture.loop, &test_waiter), 0);
        assert_true(list_is_empty(&fixture.loop->waiters));
        /* Woken before it waits. */
        pgrpc__loop_waiter_wake(&test_waiter);
        assert_int_equal(pgrpc__loop_wait(fixture.loop, &test_waiter), 0);
        assert_false(test_waiter.woken);
        pgrpc__loop_leave_lock(fixture.loop);
        pgrpc__loop_waiter_clear(&test_waiter);
    }
    assert_string_equal(fixture.trail, "pp");
}

/* --- fork --- */

static int in_child(int (*body)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static struct loop_watch forked_watch;
static int forked_events;

static void count_event(struct loop_watch *watch, unsigned events)
{
    (void)watch;
    (void)events;
    forked_events++;
}

static int use_in_child(void)
{
    struct loop_waiter waiter;
    if (pgrpc_loop_run(fixture.loop) != -ECHILD || pgrpc_loop_dispatch(fixture.loop, 0) != -ECHILD)
        return 1;
    if (pgrpc_loop_post(fixture.loop, mark_task, (void *)"c") != -ECHILD ||
        pgrpc_loop_fd(fixture.loop) != -ECHILD ||
        pgrpc_timer_start(fixture.loop, 0, mark_task, NULL))
        return 2;
    if (pgrpc__loop_take_lock(fixture.loop) != -ECHILD || pgrpc_loop_now_ms(fixture.loop) <= 0)
        return 3;
    pgrpc_loop_stop(fixture.loop);
    pgrpc__loop_waiter_init(&waiter);
    pgrpc__loop_watch_stop(fixture.loop, &forked_watch);
    pgrpc_loop_free(fixture.loop);
    struct pgrpc_loop *own = pgrpc_loop_new(NULL);
    if (!own || pgrpc_loop_post(own, leave_mark, (void *)"o") != 0 ||
        pgrpc_loop_dispatch(own, -1) != 1)
        return 4;
    pgrpc_loop_free(own);
    return 0;
}

static void a_child_cannot_use_the_loop_but_may_free_it(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    forked_watch.on_event = count_event;
    pgrpc__loop_take_lock(fixture.loop);
    assert_int_equal(pgrpc__loop_watch_start(fixture.loop, &forked_watch, fds[0], LOOP_READ), 0);
    pgrpc__loop_leave_lock(fixture.loop);
    assert_non_null(pgrpc_timer_start(fixture.loop, 100000, mark_task, (void *)"t"));
    assert_int_equal(in_child(use_in_child), 0);
    /* Nothing of it reached the parent. */
    assert_false(fixture.loop->stop_requested);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(pgrpc_loop_dispatch(fixture.loop, -1), 1);
    assert_int_equal(forked_events, 1);
    pgrpc__loop_take_lock(fixture.loop);
    pgrpc__loop_watch_stop(fixture.loop, &forked_watch);
    pgrpc__loop_leave_lock(fixture.loop);
    close(fds[0]);
    close(fds[1]);
}

static bool is_child;

static void fork_in_callback(void *userdata)
{
    int status = 1;
    (void)userdata;
    pid_t child = fork();
    is_child = child == 0;
    if (!is_child) {
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    leave_mark((void *)"f");
}

static void a_child_of_a_callback_leaves_the_loop(void **state)
{
    (void)state;
    pgrpc_loop_post(fixture.loop, fork_in_callback, NULL);
    pgrpc_loop_post(fixture.loop, mark_task, (void *)"x");
    pgrpc_loop_post(fixture.loop, stop_task, fixture.loop);
    int result = pgrpc_loop_run(fixture.loop);
    if (is_child) {
        bool good = result == -ECHILD && strcmp(fixture.trail, "f") == 0;
        pgrpc_loop_free(fixture.loop);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(result, 0);
    assert_string_equal(fixture.trail, "fx");
}

/* --- failures --- */

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct pgrpc_loop_options options = {.size = sizeof(options), .allocator = &faulty.hook};
        struct loop_watch watches[20];
        int fd_copies[20];
        size_t fds = open_fd_count();
        memset(&fixture.trail, 0, sizeof(fixture.trail));
        faulty_allocator_init(&faulty, n);
        struct pgrpc_loop *loop = pgrpc_loop_new(&options);
        if (!loop) {
            assert_int_equal(errno, ENOMEM);
            continue;
        }
        size_t expected = 0;
        int open_count = 0;
        for (int i = 0; i < 40; i++) {
            int error = pgrpc_loop_post(loop, leave_mark, (void *)"p");
            assert_true(error == 0 || error == -ENOMEM);
            expected += error == 0;
            expected += pgrpc_timer_start(loop, 0, leave_mark, (void *)"t") != NULL;
        }
        memset(watches, 0, sizeof(watches));
        pgrpc__loop_take_lock(loop);
        for (int i = 0; i < 20; i++) {
            int fd = dup(loop->wake_fd);
            int error = pgrpc__loop_watch_start(loop, &watches[i], fd, LOOP_READ);
            assert_true(error == 0 || error == -ENOMEM);
            open_count += error == 0;
            fd_copies[i] = fd;
        }
        assert_int_equal(loop->watch_count, open_count);
        for (int i = 0; i < 20; i++) {
            pgrpc__loop_watch_stop(loop, &watches[i]);
            close(fd_copies[i]);
        }
        pgrpc__loop_leave_lock(loop);
        assert_int_equal(pgrpc_loop_dispatch(loop, 0), expected);
        assert_int_equal(strlen(fixture.trail), expected);
        pgrpc_loop_free(loop);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        assert_int_equal(open_fd_count(), fds);
        if (!faulty_allocator_has_failed(&faulty))
            break;
    }
}

static uint64_t fixed_random(void *userdata)
{
    return *(uint64_t *)userdata;
}

static void randomness_can_be_fixed(void **state)
{
    uint64_t number = 42;
    (void)state;
    assert_true(pgrpc__loop_random(fixture.loop) != pgrpc__loop_random(fixture.loop));
    pgrpc__loop_set_random(fixture.loop, fixed_random, &number);
    assert_int_equal(pgrpc__loop_random(fixture.loop), 42);
    pgrpc__loop_set_random(fixture.loop, NULL, NULL);
    assert_true(pgrpc__loop_random(fixture.loop) != 42);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
#define TEST_FAKE_CLOCK(function) \
    cmocka_unit_test_setup_teardown(function, set_up_fake_clock, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(options_are_checked),
        TEST(no_descriptors_no_loop),
        TEST(what_is_pending_is_dropped_without_running),
        TEST(a_loop_freed_in_its_callback_goes_after_the_turn),
        TEST(a_loop_stays_while_something_holds_it),
        TEST(posts_run_in_order),
        TEST(a_post_that_posts_itself_does_not_hang_the_turn),
        TEST(run_ends_after_stop),
        TEST(stop_before_run_is_not_lost),
        TEST(stop_from_a_signal_handler),
        TEST(a_callback_may_not_turn_its_loop),
        TEST(a_callback_may_turn_another_loop),
        TEST(dispatch_waits_no_longer_than_told),
        TEST_FAKE_CLOCK(timers_run_in_order_of_time),
        TEST_FAKE_CLOCK(a_timer_that_restarts_at_once_does_not_hang_the_turn),
        TEST(a_timer_is_never_early),
        TEST_FAKE_CLOCK(far_moments_saturate),
        TEST_FAKE_CLOCK(the_heap_agrees_with_a_list),
        TEST(a_task_runs_once_per_defer),
        TEST(a_task_cancels_its_neighbour),
        TEST(a_task_that_defers_itself_does_not_starve_the_rest),
        TEST(the_only_thread_turns_the_loop_while_it_waits),
        TEST(a_child_cannot_use_the_loop_but_may_free_it),
        TEST(a_child_of_a_callback_leaves_the_loop),
        TEST(every_allocation_may_fail),
        TEST(randomness_can_be_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
