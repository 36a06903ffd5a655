#include "../support/unit.h"
#include "../support/fds.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "io/loop.h"

struct fixture {
    struct pgrpc_loop *loop;
    size_t fds;
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

static int set_up(void **state)
{
    memset(&fixture, 0, sizeof(fixture));
    fixture.fds = open_fd_count();
    fixture.loop = pgrpc_loop_new(NULL);
    assert_non_null(fixture.loop);
    *state = &fixture;
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

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

/* --- watches --- */

struct counted_watch {
    struct loop_watch watch;
    int fds[2];
    unsigned events;
    int count;
    struct counted_watch *stop;
    struct counted_watch *start;
};

static void on_watch_event(struct loop_watch *watch, unsigned events)
{
    struct counted_watch *counted_watch = (struct counted_watch *)watch;
    counted_watch->count++;
    counted_watch->events = events;
    if (counted_watch->stop)
        pgrpc__loop_watch_stop(fixture.loop, &counted_watch->stop->watch);
    if (counted_watch->start)
        assert_int_equal(pgrpc__loop_watch_start(fixture.loop, &counted_watch->start->watch,
                                                 counted_watch->start->fds[0], LOOP_READ),
                         0);
}

static void watch_open(struct counted_watch *watch, unsigned events)
{
    memset(watch, 0, sizeof(*watch));
    watch->watch.on_event = on_watch_event;
    assert_int_equal(pipe(watch->fds), 0);
    pgrpc__loop_take_lock(fixture.loop);
    if (events)
        assert_int_equal(
            pgrpc__loop_watch_start(fixture.loop, &watch->watch, watch->fds[0], events), 0);
    pgrpc__loop_leave_lock(fixture.loop);
}

static void watch_close(struct counted_watch *watch)
{
    pgrpc__loop_take_lock(fixture.loop);
    pgrpc__loop_watch_stop(fixture.loop, &watch->watch);
    pgrpc__loop_watch_stop(fixture.loop, &watch->watch);
    pgrpc__loop_leave_lock(fixture.loop);
    close(watch->fds[0]);
    if (watch->fds[1] >= 0)
        close(watch->fds[1]);
}

static void write_byte(struct counted_watch *watch)
{
    assert_int_equal(write(watch->fds[1], "x", 1), 1);
}

static void a_watch_reports_level_triggered(void **state)
{
    struct counted_watch watch;
    (void)state;
    watch_open(&watch, LOOP_READ);
    turn();
    assert_int_equal(watch.count, 0);
    write_byte(&watch);
    assert_int_equal(pgrpc_loop_dispatch(fixture.loop, -1), 1);
    assert_int_equal(pgrpc_loop_dispatch(fixture.loop, -1), 1);
    assert_int_equal(watch.count, 2);
    assert_int_equal(watch.events, LOOP_READ);
    watch_close(&watch);
    assert_int_equal(fixture.loop->watch_count, 0);
}

static void a_watch_without_interest_sees_no_hang_up(void **state)
{
    struct counted_watch watch;
    (void)state;
    watch_open(&watch, LOOP_READ);
    pgrpc__loop_take_lock(fixture.loop);
    assert_int_equal(pgrpc__loop_watch_change(fixture.loop, &watch.watch, 0), 0);
    pgrpc__loop_leave_lock(fixture.loop);
    close(watch.fds[1]);
    watch.fds[1] = -1;
    turn();
    assert_int_equal(watch.count, 0);
    pgrpc__loop_take_lock(fixture.loop);
    assert_int_equal(pgrpc__loop_watch_change(fixture.loop, &watch.watch, LOOP_READ), 0);
    pgrpc__loop_leave_lock(fixture.loop);
    turn();
    assert_int_equal(watch.count, 1);
    watch_close(&watch);
}

static void a_stopped_watch_gets_nothing_of_the_current_batch(void **state)
{
    struct counted_watch a, b, c;
    (void)state;
    watch_open(&a, LOOP_READ);
    watch_open(&b, LOOP_READ);
    watch_open(&c, 0);
    /* Whichever comes first stops the other and starts a third, which takes the free slot. */
    a.stop = &b;
    b.stop = &a;
    a.start = b.start = &c;
    write_byte(&a);
    write_byte(&b);
    turn();
    assert_int_equal(a.count + b.count, 1);
    assert_int_equal(c.count, 0);
    write_byte(&c);
    a.stop = b.stop = NULL;
    a.start = b.start = NULL;
    turn();
    assert_int_equal(c.count, 1);
    watch_close(&a);
    watch_close(&b);
    watch_close(&c);
}

static void many_watches(void **state)
{
    enum { COUNT = 200 };
    static struct counted_watch watches[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        watch_open(&watches[i], LOOP_READ);
        write_byte(&watches[i]);
    }
    turn();
    turn();
    for (int i = 0; i < COUNT; i++)
        assert_true(watches[i].count >= 1);
    for (int i = 0; i < COUNT; i++)
        watch_close(&watches[(i * 7) % COUNT]);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    struct loop_watch watch = {0};
    (void)state;
    pgrpc__loop_take_lock(fixture.loop);
    assert_int_equal(pgrpc__loop_watch_start(fixture.loop, &watch, -1, LOOP_READ), -EBADF);
    assert_int_equal(watch.slot, 0);
    assert_int_equal(fixture.loop->watch_count, 0);
    pgrpc__loop_leave_lock(fixture.loop);
}

/* --- the exported descriptor --- */

static int runs_left;

static void run_again(struct loop_task *task)
{
    if (runs_left-- > 0)
        pgrpc__loop_defer(fixture.loop, task);
}

static void the_descriptor_is_readable_while_there_is_work(void **state)
{
    struct counted_watch watch;
    struct loop_task task = {.run = run_again};
    (void)state;
    int fd = pgrpc_loop_fd(fixture.loop);
    assert_true(fd >= 0);
    assert_int_equal(pgrpc_loop_fd(fixture.loop), fd);
    assert_false(is_readable(fd));

    pgrpc_loop_post(fixture.loop, mark_task, (void *)"p");
    assert_true(is_readable(fd));
    turn();
    assert_string_equal(fixture.trail, "p");
    assert_false(is_readable(fd));

    watch_open(&watch, LOOP_READ);
    assert_false(is_readable(fd));
    write_byte(&watch);
    assert_true(is_readable(fd));
    watch_close(&watch);
    assert_false(is_readable(fd));

    /* More deferred work than a turn takes. */
    pgrpc__loop_take_lock(fixture.loop);
    runs_left = INT_MAX;
    pgrpc__loop_defer(fixture.loop, &task);
    pgrpc__loop_leave_lock(fixture.loop);
    turn();
    assert_true(is_readable(fd));
    runs_left = 0;
    turn();
    assert_false(is_readable(fd));
}

static void the_descriptor_was_readable_before_it_was_asked_for(void **state)
{
    (void)state;
    pgrpc_loop_post(fixture.loop, mark_task, (void *)"p");
    assert_true(is_readable(pgrpc_loop_fd(fixture.loop)));
}

static void timers_are_inside_the_descriptor(void **state)
{
    (void)state;
    struct pollfd poll_fd = {.fd = pgrpc_loop_fd(fixture.loop), .events = POLLIN};
    pgrpc_timer_start(fixture.loop, 2, mark_task, (void *)"2");
    pgrpc_timer_start(fixture.loop, 1, mark_task, (void *)"1");
    pgrpc_timer_start(fixture.loop, 100000000, mark_task, (void *)"x");
    while (strlen(fixture.trail) < 2) {
        assert_int_equal(poll(&poll_fd, 1, -1), 1);
        turn();
    }
    /* In either order: between the two starts any time may have passed. */
    assert_non_null(strchr(fixture.trail, '1'));
    assert_non_null(strchr(fixture.trail, '2'));
    while (is_readable(poll_fd.fd))
        turn();
}

static void a_cancelled_timer_wakes_once_at_most(void **state)
{
    (void)state;
    struct pollfd poll_fd = {.fd = pgrpc_loop_fd(fixture.loop), .events = POLLIN};
    pgrpc_timer_cancel(pgrpc_timer_start(fixture.loop, 1, mark_task, (void *)"x"));
    assert_int_equal(poll(&poll_fd, 1, -1), 1);
    turn();
    assert_false(is_readable(poll_fd.fd));
    assert_int_equal(fixture.loop->timer_fd_due_ms, INT64_MAX);
    assert_string_equal(fixture.trail, "");
}

static void no_descriptor_left_for_timers(void **state)
{
    (void)state;
    fd_limit_set(0);
    int fd = pgrpc_loop_fd(fixture.loop);
    fd_limit_lift();
    assert_int_equal(fd, -EMFILE);
    assert_true(pgrpc_loop_fd(fixture.loop) >= 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watch_reports_level_triggered),
        TEST(a_watch_without_interest_sees_no_hang_up),
        TEST(a_stopped_watch_gets_nothing_of_the_current_batch),
        TEST(many_watches),
        TEST(what_cannot_be_watched_is_refused),
        TEST(the_descriptor_is_readable_while_there_is_work),
        TEST(the_descriptor_was_readable_before_it_was_asked_for),
        TEST(timers_are_inside_the_descriptor),
        TEST(a_cancelled_timer_wakes_once_at_most),
        TEST(no_descriptor_left_for_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
