/*
 * Servers come and go under load: each drained server finishes what it began, the client moves on
 * to the next one, and a ledger shows that no call was lost and that no handler ran twice for one.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "../support/unit.h"
#include "../support/engine_choice.h"
#include "picogrpc/picogrpc.h"

enum {
    DRAINS = 20,
    IN_FLIGHT = 64,
    CALLS_PER_DRAIN = 400,
    CALLS = (DRAINS + 1) * CALLS_PER_DRAIN,
    CALL_TIMEOUT_MS = 30000
};

static const struct pgrpc_method method = {.path = "/test.Ledger/Book", .codec = &pgrpc_codec_raw};
static const struct pgrpc_service service = {
    .version = PGRPC_CODEGEN_VERSION,
    .method_size = sizeof(struct pgrpc_method),
    .name = "test.Ledger",
    .methods = &method,
    .method_count = 1,
};

/* How often a handler ran for each call. */
static _Atomic unsigned char ledger[CALLS];

struct running {
    struct pgrpc_server *server;
    pthread_t thread;
};

struct load {
    struct pgrpc_loop *loop;
    struct pgrpc_channel *channel;
    unsigned started;
    unsigned finished;
    unsigned failed;
    unsigned limit; /* stop the loop when so many have finished */
    char text[256];
};

static void book(struct pgrpc_call *call, const void *message, const void *handlers, void *userdata)
{
    const struct pgrpc_bytes *request = message;
    unsigned id = 0;
    (void)handlers;
    (void)userdata;
    if (request->len == sizeof(id))
        memcpy(&id, request->data, sizeof(id));
    if (id < CALLS)
        atomic_fetch_add(&ledger[id], 1);
    pgrpc_call_reply(call, request);
}

static void *run(void *userdata)
{
    pgrpc_server_run(((struct running *)userdata)->server);
    return NULL;
}

static void start(struct running *running, int *port)
{
    static const struct pgrpc_binding binding = {book, PGRPC_RUN_INLINE};
    struct pgrpc_server_options options = {.size = sizeof(options), .reuse_port = true};
    char address[32];
    assert_int_equal(pgrpc_server_new(&options, &running->server, NULL), PGRPC_OK);
    assert_int_equal(pgrpc_server_register(running->server, &service, &binding, NULL, NULL),
                     PGRPC_OK);
    snprintf(address, sizeof(address), "127.0.0.1:%d", *port);
    assert_int_equal(
        pgrpc_server_listen(running->server, address, pgrpc_credentials_insecure(), port),
        PGRPC_OK);
    assert_int_equal(pthread_create(&running->thread, NULL, run, running), 0);
}

static void start_call(struct load *load);

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct load *load = userdata;
    const struct pgrpc_status *status = pgrpc_call_status(call);
    if (status->code != PGRPC_OK) {
        load->failed++;
        snprintf(load->text, sizeof(load->text), "%s: %s", pgrpc_code_name(status->code),
                 status->message);
    }
    load->finished++;
    if (load->started < CALLS)
        start_call(load);
    if (load->finished == load->limit)
        pgrpc_loop_stop(load->loop);
}

static void start_call(struct load *load)
{
    struct pgrpc_call_events events = {.size = sizeof(events), .on_done = on_done};
    struct pgrpc_call_options options = {
        .size = sizeof(options), .wait_for_ready = true, .timeout_ms = CALL_TIMEOUT_MS};
    unsigned id = load->started++;
    struct pgrpc_bytes request = {&id, sizeof(id)};
    assert_non_null(pgrpc_call_start(load->channel, &method, &request, &options, &events, load));
}

static void no_call_is_lost_and_no_handler_runs_twice(void **state)
{
    struct running now, next;
    struct load load = {.loop = pgrpc_loop_new(NULL)};
    struct pgrpc_channel_options options = {
        .size = sizeof(options), .loop = load.loop, .backoff_initial_ms = 10};
    int port = 0;
    char target[32];
    (void)state;
    start(&now, &port);
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    assert_int_equal(
        pgrpc_channel_new(target, pgrpc_credentials_insecure(), &options, &load.channel, NULL),
        PGRPC_OK);
    for (int i = 0; i < IN_FLIGHT; i++)
        start_call(&load);
    for (int drain = 0; drain < DRAINS; drain++) {
        load.limit = (unsigned)(drain + 1) * CALLS_PER_DRAIN;
        assert_int_equal(pgrpc_loop_run(load.loop), 0);
        start(&next, &port);
        pgrpc_server_shutdown(now.server, 10000);
        load.limit += CALLS_PER_DRAIN / 2;
        assert_int_equal(pgrpc_loop_run(load.loop), 0);
        assert_int_equal(pthread_join(now.thread, NULL), 0);
        pgrpc_server_free(now.server);
        now = next;
    }
    load.limit = CALLS;
    assert_int_equal(pgrpc_loop_run(load.loop), 0);
    assert_string_equal(load.text, "");
    assert_int_equal(load.failed, 0);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(ledger[i], 1);
    pgrpc_channel_unref(load.channel);
    pgrpc_loop_free(load.loop);
    pgrpc_server_shutdown(now.server, 1000);
    assert_int_equal(pthread_join(now.thread, NULL), 0);
    pgrpc_server_free(now.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_call_is_lost_and_no_handler_runs_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
