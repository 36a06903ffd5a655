#include "../support/unit.h"

#include <pthread.h>

#include "io/loop.h"

enum { THREADS = 8, ROUNDS = 500 };

static struct pgrpc_loop *loop;

static int set_up(void **state)
{
    (void)state;
    loop = pgrpc_loop_new(NULL);
    return loop ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pgrpc_loop_free(loop);
    return 0;
}

static void run_threads(void *(*body)(void *), void *arguments, size_t size)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, body, (char *)arguments + (size_t)i * size), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void *run_loop(void *result)
{
    *(int *)result = pgrpc_loop_run(loop);
    return NULL;
}

/* --- posts from many threads --- */

struct poster {
    int sent;
    int seen; /* by the loop's thread */
    bool in_order;
};

struct message {
    struct poster *poster;
    int number;
};
static struct message messages[THREADS][ROUNDS];

static void receive(void *userdata)
{
    struct message *message = userdata;
    message->poster->in_order &= message->number == message->poster->seen;
    message->poster->seen++;
}

static struct poster posters[THREADS];

static void *post_many(void *userdata)
{
    struct poster *poster = userdata;
    struct message *row = messages[poster - posters];
    for (int i = 0; i < ROUNDS; i++) {
        row[i] = (struct message){poster, i};
        poster->sent += pgrpc_loop_post(loop, receive, &row[i]) == 0;
    }
    return NULL;
}

static void stop_loop(void *userdata)
{
    (void)userdata;
    pgrpc_loop_stop(loop);
}

static void posts_of_a_thread_keep_their_order(void **state)
{
    pthread_t runner;
    int result = -1;
    (void)state;
    for (int i = 0; i < THREADS; i++)
        posters[i] = (struct poster){.in_order = true};
    assert_int_equal(pthread_create(&runner, NULL, run_loop, &result), 0);
    run_threads(post_many, posters, sizeof(posters[0]));
    assert_int_equal(pgrpc_loop_post(loop, stop_loop, NULL), 0);
    pthread_join(runner, NULL);
    assert_int_equal(result, 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(posters[i].sent, ROUNDS);
        assert_int_equal(posters[i].seen, ROUNDS);
        assert_true(posters[i].in_order);
    }
}

/* --- waiting threads --- */

/* Like a call: something that a timer on the loop completes and a thread waits for. */
struct job {
    struct loop_timer timer;
    struct loop_task task;
    struct loop_waiter waiter;
    bool done;
    int rounds;
    int errors;
};

static void on_due(struct loop_timer *timer)
{
    struct job *job = CONTAINER_OF(timer, struct job, timer);
    pgrpc__loop_defer(loop, &job->task);
}

static void complete(struct loop_task *task)
{
    struct job *job = CONTAINER_OF(task, struct job, task);
    job->done = true;
    pgrpc__loop_waiter_wake(&job->waiter);
}

static void *work(void *userdata)
{
    struct job *job = userdata;
    job->timer.on_due = on_due;
    job->task.run = complete;
    pgrpc__loop_waiter_init(&job->waiter);
    for (int i = 0; i < job->rounds; i++) {
        pgrpc__loop_take_lock(loop);
        job->done = false;
        job->errors += pgrpc__loop_timer_start(loop, &job->timer, loop->now_ms + i % 3) != 0;
        job->errors += pgrpc__loop_wait(loop, &job->waiter) != 0;
        job->errors += !job->done;
        pgrpc__loop_leave_lock(loop);
    }
    pgrpc__loop_waiter_clear(&job->waiter);
    return NULL;
}

static void check_jobs(const struct job *jobs)
{
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(jobs[i].errors, 0);
    assert_true(list_is_empty(&loop->waiters));
    assert_false(loop->turning);
}

static void waiting_threads_share_the_lead_of_a_private_loop(void **state)
{
    static struct job jobs[THREADS];
    (void)state;
    memset(jobs, 0, sizeof(jobs));
    loop->is_private = true;
    /* Different lengths, so that leaders leave while others wait. */
    for (int i = 0; i < THREADS; i++)
        jobs[i].rounds = 20 * (i + 1);
    run_threads(work, jobs, sizeof(jobs[0]));
    check_jobs(jobs);
}

static void threads_wait_for_the_thread_that_runs_a_given_loop(void **state)
{
    static struct job jobs[THREADS];
    pthread_t runner;
    int result = -1;
    (void)state;
    memset(jobs, 0, sizeof(jobs));
    for (int i = 0; i < THREADS; i++)
        jobs[i].rounds = 50;
    assert_int_equal(pthread_create(&runner, NULL, run_loop, &result), 0);
    run_threads(work, jobs, sizeof(jobs[0]));
    pgrpc_loop_stop(loop);
    pthread_join(runner, NULL);
    assert_int_equal(result, 0);
    check_jobs(jobs);
}

/* One thread completes another's wait while that one sleeps in the kernel as the leader. */
static struct job completed_job;

static void *complete_from_outside(void *userdata)
{
    (void)userdata;
    for (bool done = false; !done;) {
        pgrpc__loop_take_lock(loop);
        if (loop->waiting) {
            pgrpc__loop_waiter_wake(&completed_job.waiter);
            done = true;
        }
        pgrpc__loop_leave_lock(loop);
    }
    return NULL;
}

static void a_sleeping_leader_is_woken(void **state)
{
    pthread_t thread;
    (void)state;
    loop->is_private = true;
    pgrpc__loop_waiter_init(&completed_job.waiter);
    assert_int_equal(pthread_create(&thread, NULL, complete_from_outside, NULL), 0);
    pgrpc__loop_take_lock(loop);
    assert_int_equal(pgrpc__loop_wait(loop, &completed_job.waiter), 0);
    pgrpc__loop_leave_lock(loop);
    pthread_join(thread, NULL);
    pgrpc__loop_waiter_clear(&completed_job.waiter);
}

static void wake_completed(struct loop_timer *timer)
{
    (void)timer;
    pgrpc__loop_waiter_wake(&completed_job.waiter);
}

static void *wait_for_timer(void *userdata)
{
    struct loop_timer timer = {.on_due = wake_completed};
    (void)userdata;
    pgrpc__loop_take_lock(loop);
    assert_int_equal(pgrpc__loop_timer_start(loop, &timer, loop_now(loop) + 1), 0);
    assert_int_equal(pgrpc__loop_wait(loop, &completed_job.waiter), 0);
    pgrpc__loop_leave_lock(loop);
    return NULL;
}

static void start_waiter(void *userdata)
{
    bool waits = false;
    assert_int_equal(pthread_create(userdata, NULL, wait_for_timer, NULL), 0);
    while (!waits) {
        pgrpc__loop_take_lock(loop);
        waits = !list_is_empty(&loop->waiters);
        pgrpc__loop_leave_lock(loop);
    }
}

static void who_waits_during_a_single_turn_leads_after_it(void **state)
{
    pthread_t thread;
    (void)state;
    loop->is_private = true;
    pgrpc__loop_waiter_init(&completed_job.waiter);
    assert_int_equal(pgrpc_loop_post(loop, start_waiter, &thread), 0);
    assert_true(pgrpc_loop_dispatch(loop, 0) > 0);
    pthread_join(thread, NULL);
    pgrpc__loop_waiter_clear(&completed_job.waiter);
}

/* --- one turner --- */

static void *run_while_running(void *result)
{
    while (((int *)result)[0] != -EBUSY) {
        pgrpc__loop_take_lock(loop);
        bool turning = loop->turning;
        pgrpc__loop_leave_lock(loop);
        if (turning) {
            ((int *)result)[0] = pgrpc_loop_run(loop);
            ((int *)result)[1] = pgrpc_loop_dispatch(loop, 0);
        }
    }
    pgrpc_loop_stop(loop);
    return NULL;
}

static void a_second_thread_cannot_run_the_loop(void **state)
{
    int results[2] = {0};
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_while_running, results), 0);
    assert_int_equal(pgrpc_loop_run(loop), 0);
    pthread_join(thread, NULL);
    assert_int_equal(results[0], -EBUSY);
    assert_int_equal(results[1], -EBUSY);
}

/* --- timers from other threads --- */

static void *start_and_cancel(void *userdata)
{
    int *errors = userdata;
    for (int i = 0; i < ROUNDS; i++) {
        struct pgrpc_timer *timer = pgrpc_timer_start(loop, 1000000, stop_loop, NULL);
        *errors += timer == NULL;
        pgrpc_timer_cancel(timer);
    }
    return NULL;
}

static void an_earlier_timer_shortens_the_sleep(void **state)
{
    pthread_t runner;
    int result = -1, errors[THREADS] = {0};
    (void)state;
    assert_non_null(pgrpc_timer_start(loop, 1000000, stop_loop, NULL));
    assert_int_equal(pthread_create(&runner, NULL, run_loop, &result), 0);
    run_threads(start_and_cancel, errors, sizeof(errors[0]));
    assert_non_null(pgrpc_timer_start(loop, 1, stop_loop, NULL));
    pthread_join(runner, NULL);
    assert_int_equal(result, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(errors[i], 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(posts_of_a_thread_keep_their_order),
        TEST(waiting_threads_share_the_lead_of_a_private_loop),
        TEST(threads_wait_for_the_thread_that_runs_a_given_loop),
        TEST(a_sleeping_leader_is_woken),
        TEST(who_waits_during_a_single_turn_leads_after_it),
        TEST(a_second_thread_cannot_run_the_loop),
        TEST(an_earlier_timer_shortens_the_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
