/* Connection backoff: the grpc project's connection-backoff-interop-test-description.md. */
#include <stdio.h>

#include "cases.h"

/* The server says whether the connections came when they should; it learned of the maximum. */
static int stop(struct pgrpc_channel *control)
{
    const struct pgrpc_call_options options = call_options();
    const Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    struct pgrpc_result result = {0};
    const Grpc__Testing__ReconnectInfo *info =
        Grpc__Testing__ReconnectService__stop(control, &request, &options, &result);
    int failed = expect_status(&result.status, PGRPC_OK);
    for (size_t i = 0; info && i < info->n_backoff_ms; i++)
        fprintf(stderr, "backoff %zu: %d ms\n", i + 1, info->backoff_ms[i]);
    if (info && (!info->passed || !info->n_backoff_ms))
        failed = fail("the server did not see the connections that it expected");
    pgrpc_result_clear(&result);
    return failed;
}

static int start(struct pgrpc_channel *channel, const struct run *run,
                 const struct pgrpc_call_options *options, enum pgrpc_code code)
{
    Grpc__Testing__ReconnectParams request = GRPC__TESTING__RECONNECT_PARAMS__INIT;
    struct pgrpc_result result = {0};
    request.max_reconnect_backoff_ms = run->backoff.max_ms;
    Grpc__Testing__ReconnectService__start(channel, &request, options, &result);
    int failed = expect_status(&result.status, code);
    pgrpc_result_clear(&result);
    return failed;
}

static int connection_backoff(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    struct pgrpc_call_options patient = options;
    struct run control_run = *run, retry_run = *run;
    control_run.credentials = pgrpc_credentials_insecure();
    control_run.authority = NULL;
    retry_run.target = run->backoff.target;
    patient.timeout_ms = run->backoff.seconds * (int64_t)1000;
    patient.wait_for_ready = true;
    struct pgrpc_channel *control = open_channel(&control_run, NULL);
    struct pgrpc_channel *retry = open_channel(&retry_run, NULL);
    int failed = !control || !retry || start(control, run, &options, PGRPC_OK) ||
                 /* Any call does. */
                 start(retry, run, &patient, PGRPC_DEADLINE_EXCEEDED) || stop(control);
    pgrpc_channel_unref(retry);
    pgrpc_channel_unref(control);
    return failed;
}

const struct test_case backoff_cases[] = {
    {"connection_backoff", connection_backoff, 0},
    {NULL, NULL, 0},
};
