/* Large unary calls for a while, on one channel or on a new one each. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cases.h"

enum { BUCKETS = 16 }; /* latencies below 1, 2, 4, ... ms */

struct worker {
    const struct run *run;
    pthread_t thread;
    int number;
    bool new_channels;
    int64_t until_ms;
    int done, failures;
    int histogram[BUCKETS];
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_until(int64_t then_ms)
{
    struct timespec then = {.tv_sec = then_ms / 1000, .tv_nsec = then_ms % 1000 * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) != 0)
        ;
}

static void count(struct worker *worker, int64_t elapsed_ms)
{
    int bucket = 0;
    while (bucket < BUCKETS - 1 && elapsed_ms >= (int64_t)1 << bucket)
        bucket++;
    worker->histogram[bucket]++;
}

/* One iteration on |channel|. 0 passed. */
static int iterate(struct worker *worker, struct pgrpc_channel *channel)
{
    const struct soak *soak = &worker->run->soak;
    const struct pgrpc_call_options options = call_options();
    Grpc__Testing__Payload payload;
    const Grpc__Testing__SimpleRequest request =
        simple_request(&payload, (size_t)soak->request_size, (size_t)soak->reply_size);
    struct pgrpc_result result = {0};
    int64_t started_ms = now_ms();
    int failed = expect_unary(channel, &request, &options, PGRPC_OK, &result);
    int64_t elapsed_ms = now_ms() - started_ms;
    if (!failed && elapsed_ms > soak->max_latency_ms)
        failed = fail("too slow: at most %d ms are acceptable", soak->max_latency_ms);
    count(worker, elapsed_ms);
    const char *peer = result.call ? pgrpc_call_peer(result.call) : NULL;
    fprintf(stderr,
            "thread id: %d soak iteration: %d elapsed_ms: %lld peer: %s server_uri: %s %s\n",
            worker->number, worker->done, (long long)elapsed_ms, peer ? peer : "",
            worker->run->target, failed ? "failed" : "succeeded");
    pgrpc_result_clear(&result);
    return failed;
}

static void *work(void *userdata)
{
    struct worker *worker = userdata;
    const struct soak *soak = &worker->run->soak;
    for (int i = 0; i < soak->iterations / soak->threads && now_ms() < worker->until_ms; i++) {
        int64_t next_ms = now_ms() + soak->min_ms_between;
        struct pgrpc_channel *channel =
            worker->new_channels ? open_channel(worker->run, NULL) : worker->run->channel;
        worker->failures += channel ? iterate(worker, channel) : 1;
        worker->done++;
        if (worker->new_channels)
            pgrpc_channel_unref(channel);
        sleep_until(next_ms);
    }
    return NULL;
}

/* Adds the workers up, prints the histogram and judges. */
static int judge(const struct soak *soak, const struct worker *workers, int count)
{
    int done = 0, failures = 0;
    fputs("latencies:", stderr);
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        int sum = 0;
        for (int i = 0; i < count; i++)
            sum += workers[i].histogram[bucket];
        if (sum)
            fprintf(stderr, " %d%s %d ms,", sum, bucket < BUCKETS - 1 ? " below" : " from",
                    1 << (bucket < BUCKETS - 1 ? bucket : bucket - 1));
    }
    for (int i = 0; i < count; i++) {
        done += workers[i].done;
        failures += workers[i].failures;
    }
    fprintf(stderr, " %d of %d iterations, %d failed\n", done, soak->iterations, failures);
    if (done != soak->iterations)
        return fail("only %d of %d iterations in %d s", done, soak->iterations,
                    soak->overall_timeout_s);
    if (failures > soak->max_failures)
        return fail("%d iterations failed, %d may", failures, soak->max_failures);
    return 0;
}

static int run_soak(const struct run *run, bool new_channels)
{
    const struct soak *soak = &run->soak;
    if (soak->iterations < 1 || soak->threads < 1 || soak->iterations % soak->threads)
        return fail("--soak_iterations must be a multiple of --soak_num_threads, and not 0");
    struct worker *workers = calloc((size_t)soak->threads, sizeof(*workers));
    int started = 0, failed = 0;
    if (!workers)
        return fail("out of memory");
    int64_t until_ms = now_ms() + (int64_t)soak->overall_timeout_s * 1000;
    for (; started < soak->threads && !failed; started++) {
        struct worker *worker = &workers[started];
        *worker = (struct worker){
            .run = run, .number = started, .new_channels = new_channels, .until_ms = until_ms};
        if (pthread_create(&worker->thread, NULL, work, worker)) {
            failed = fail("no thread %d", started);
            break;
        }
    }
    for (int i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    failed = failed || judge(soak, workers, started);
    free(workers);
    return failed;
}

static int rpc_soak(const struct run *run)
{
    return run_soak(run, false);
}

static int channel_soak(const struct run *run)
{
    return run_soak(run, true);
}

static int long_lived_channel(const struct run *run)
{
    if (run->soak.iterations < 1)
        return fail("--soak_iterations must not be 0");
    int failed = 0;
    for (int i = 0; i < run->soak.iterations && !failed; i++) {
        if (i > 0)
            sleep_until(now_ms() + (int64_t)run->soak.iteration_interval_s * 1000);
        failed = call_unary(run->channel, LARGE_REQUEST, LARGE_REPLY);
    }
    return failed;
}

/* Their flags limit them. */
const struct test_case soak_cases[] = {
    {"rpc_soak", rpc_soak, 0},
    {"channel_soak", channel_soak, 0},
    {"long_lived_channel", long_lived_channel, 0},
    {NULL, NULL, 0},
};
