/* Channels and servers as wholes: freed with calls, waiting or failing fast, calls that are
 * replayed and never served twice, and the end of a server. */
#include "../support/phrases.h"
#include "../support/probe.h"
#include "server/server.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* --- freed with calls ---------------------------------------------------------------------------
 */

static void calls_end_with_their_channel(void **state)
{
    struct world *world = *state;
    struct probe running = {0}, waiting = {0}, unread = {0};
    world_begin(world, WORLD_UNARY, "first", NULL);
    world_answer(world, "yes");
    world_talk(world);
    probe_start(&running, world, WORLD_BIDI, NULL, NULL);
    probe_start(&unread, world, WORLD_SERVER_STREAM, "hi", NULL);
    world_talk(world);
    world_response(world, 0, 5, "");
    world_message(world, 0, 5, "nobody reads this");
    world_trailers(world, 5, "grpc-status=0");
    raw_goaway(&world->out, 5, 0, "");
    world_talk(world);
    probe_start(&waiting, world, WORLD_UNARY, "hi", NULL);
    struct pgrpc_call *kept = pgrpc_call_ref(running.call);
    pgrpc_channel_unref(world->channel);
    world->channel = NULL;
    assert_int_equal(running.done_count + waiting.done_count, 0); /* not from inside */
    world_run(world);
    assert_string_equal(running.log, "readable\ndone CANCELLED the channel was freed while the "
                                     "call was in progress\n");
    assert_int_equal(waiting.code, PGRPC_CANCELLED);
    /* One that was over waits for its reader no more. */
    assert_int_equal(unread.done_count, 1);
    /* What somebody holds stays until they let go. */
    assert_int_equal(pgrpc_call_status(kept)->code, PGRPC_CANCELLED);
    assert_int_equal(pgrpc_call_recv(kept, &(const void *){NULL}, NULL), PGRPC_IO_CLOSED);
    pgrpc_call_unref(kept);
}

static void a_channel_may_be_freed_before_it_has_an_address(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    world_start_client(world, NULL);
    probe_start(&probe, world, WORLD_UNARY, "hi", NULL);
    struct pgrpc_call *kept = pgrpc_call_ref(probe.call);
    pgrpc_channel_unref(world->channel);
    world->channel = NULL;
    world_run(world);
    assert_string_equal(probe.log, "readable\ndone CANCELLED the channel was freed while the "
                                   "call was in progress\n");
    pgrpc_call_unref(kept);
}

static void free_channel(struct probe *probe, const char *event)
{
    struct world *world = probe->userdata;
    (void)event;
    pgrpc_channel_unref(world->channel);
    world->channel = NULL;
}

static void free_when_done(struct probe *probe, const char *event)
{
    if (strcmp(event, "done") == 0)
        free_channel(probe, event);
}

static void a_channel_may_be_freed_in_any_event(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        struct probe probe = {.act = i ? free_when_done : free_channel, .userdata = world};
        world_start_client(world, NULL);
        probe_start(&probe, world, WORLD_UNARY, "hi", NULL);
        world_talk(world);
        world_greet_client(world);
        world->id = 1;
        world_hear(world);
        if (i == 0)
            probe.act = NULL;
        world_response(world, 0, 1, "");
        if (i == 0) {
            probe.act = free_channel;
            world_talk(world);
            probe.act = NULL;
        }
        world_message(world, 0, 1, "yes");
        world_trailers(world, 1, "grpc-status=0");
        world_talk(world);
        assert_int_equal(probe.done_count, 1);
        assert_int_equal(probe.code, i ? PGRPC_OK : PGRPC_CANCELLED);
        assert_null(world->channel);
    }
}

static void a_channel_lives_as_long_as_its_references(void **state)
{
    struct world *world = *state;
    world_begin(world, WORLD_UNARY, "hi", NULL);
    pgrpc_channel_ref(world->channel);
    pgrpc_channel_unref(world->channel);
    world_answer(world, "yes");
    world_talk(world);
    assert_ptr_equal(pgrpc_channel_loop(world->channel), world->loop);
    world_check(world);
}

static void the_server_sees_a_freed_channel_as_a_cancel(void **state)
{
    struct world *world = *state;
    struct probe client = {0}, server = {.finishes = true};
    world->bindings[WORLD_BIDI].invoke = probe_invoke;
    world->userdata = &server;
    world_start_server(world, NULL);
    world_start_client_in_process(world, NULL);
    probe_start(&client, world, WORLD_BIDI, NULL, NULL);
    world_run(world);
    assert_string_equal(server.log, "handler\n");
    pgrpc_channel_unref(world->channel);
    world->channel = NULL;
    world_run(world);
    assert_int_equal(server.done_count, 1);
    assert_int_equal(server.code, PGRPC_CANCELLED);
}

/* --- waiting and failing fast -------------------------------------------------------------------
 */

static void a_call_waits_for_the_first_attempt_only(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options waits = {.size = sizeof(waits), .wait_for_ready = true};
    world_start_client(world, NULL);
    struct world_call *fast = world_call(world, WORLD_UNARY, "fast", NULL);
    struct world_call *patient = world_call(world, WORLD_UNARY, "patient", &waits);
    world_run(world);
    assert_false(fast->is_done);
    world_hang_up(world);
    world_check_done(fast, PGRPC_UNAVAILABLE,
                     "connection closed by the server before it sent SETTINGS");
    assert_false(patient->is_done);
    /* Between attempts the one fails at once, the other waits. */
    fast = world_call(world, WORLD_UNARY, "fast", NULL);
    struct world_call *second = world_call(world, WORLD_UNARY, "second", &waits);
    world_run(world);
    assert_int_equal(fast->code, PGRPC_UNAVAILABLE);
    world_sleep(world, 1000);
    assert_int_equal(world->connection_count, 2);
    world_greet_client(world);
    world->id = 1;
    const char *frames = world_hear(world);
    assert_non_null(strstr(frames, "\\x07patient\""));
    assert_non_null(strstr(frames, "\\x06second\""));
    world_answer(world, "yes");
    world->id = 3;
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(patient, PGRPC_OK, "");
    world_check_done(second, PGRPC_OK, "");
}

static void the_deadline_of_a_waiting_call_tells_why(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options waits = {
        .size = sizeof(waits), .wait_for_ready = true, .timeout_ms = 500};
    world->refuses = true;
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", &waits);
    world_run(world);
    assert_false(call->is_done);
    world_sleep(world, 500);
    world_check_done(call, PGRPC_DEADLINE_EXCEEDED,
                     "deadline of 500 ms exceeded while waiting for a connection; last error: "
                     "connection refused by the test");
}

static void a_channel_connects_with_its_first_call(void **state)
{
    struct world *world = *state;
    world_start_client(world, NULL);
    world_sleep(world, 1000);
    assert_int_equal(world->connection_count, 0);
    assert_int_equal(pgrpc_channel_state(world->channel), PGRPC_CHANNEL_IDLE);
    world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(world->connection_count, 1);
    assert_int_equal(pgrpc_channel_state(world->channel), PGRPC_CHANNEL_READY);
}

static void a_server_that_comes_back_is_found(void **state)
{
    struct world *world = *state;
    for (unsigned i = 1; i <= 5; i++) {
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        assert_int_equal(world->connection_count, i);
        world_answer(world, "yes");
        world_talk(world);
        world_check_done(call, PGRPC_OK, "");
        world_hang_up(world);
        assert_int_equal(pgrpc_channel_state(world->channel), PGRPC_CHANNEL_IDLE);
    }
}

/* The end of an idle connection is read before a call is put on it. */
static void a_connection_that_ended_unseen_is_not_used(void **state)
{
    struct world *world = *state;
    world_begin(world, WORLD_UNARY, "hi", NULL);
    world_answer(world, "yes");
    world_talk(world);
    world->now_ms += 1000;
    assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
    world->peer->ops->free(world->peer);
    pgrpc__loop_leave_lock(world->loop);
    raw_reader_free(world->reader);
    world->peer = NULL;
    world->reader = NULL;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(world->connection_count, 2);
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
}

static void authority_and_user_agent_are_checked(void **state)
{
    static const struct pgrpc_channel_options bad[] = {
        {.size = sizeof(bad[0]), .authority = "a b"},
        {.size = sizeof(bad[0]), .authority = "a\r\nb: c"},
        {.size = sizeof(bad[0]), .user_agent = "a\nb"},
        {.size = sizeof(bad[0]), .user_agent = "\xff"},
    };
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        world_start_client(world, &bad[i]);
        assert_null(world->channel);
    }
}

/* --- replayed, and never served twice -----------------------------------------------------------
 */

/* Handlers of calls that end when the test says so, by the number in the request. */
struct crowd {
    struct world *world;
    unsigned runs[WORLD_CALLS_MAX];
    struct pgrpc_call *held[WORLD_CALLS_MAX];
    unsigned held_count;
    bool holds;
};

static void crowd_done(struct pgrpc_call *call, void *userdata)
{
    (void)userdata;
    pgrpc_call_finish(call, PGRPC_CANCELLED, NULL);
}

static void serve_crowd(struct pgrpc_call *call, const void *message, const void *handlers,
                        void *userdata)
{
    struct crowd *crowd = userdata;
    const struct pgrpc_bytes *request = message;
    char text[16];
    (void)handlers;
    snprintf(text, sizeof(text), "%.*s", (int)request->len, (const char *)request->data);
    crowd->runs[atoi(text)]++;
    if (crowd->holds) {
        struct pgrpc_call_events events = {.size = sizeof(events), .on_done = crowd_done};
        pgrpc_call_set_events(call, &events, crowd);
        crowd->held[crowd->held_count++] = pgrpc_call_ref(call);
    } else {
        pgrpc_call_reply(call, message);
    }
}

static void let_go(struct crowd *crowd)
{
    struct pgrpc_bytes reply = {"yes", 3};
    for (unsigned i = 0; i < crowd->held_count; i++) {
        pgrpc_call_reply(crowd->held[i], &reply);
        pgrpc_call_unref(crowd->held[i]);
    }
    crowd->held_count = 0;
}

static void join_crowd(struct world *world, struct crowd *crowd,
                       const struct pgrpc_server_options *options)
{
    crowd->world = world;
    world->bindings[WORLD_UNARY].invoke = serve_crowd;
    world->userdata = crowd;
    world_start_server(world, options);
    world_start_client_in_process(world, NULL);
}

static struct world_call *call_number(struct world *world, unsigned number,
                                      const struct pgrpc_call_options *options)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", number);
    return world_call(world, WORLD_UNARY, text, options);
}

/* Places of cancelled calls are taken while their handlers run: what comes is refused, and tried
 * once more. */
static void refused_calls_are_tried_once_more_and_served_once(void **state)
{
    struct world *world = *state;
    struct crowd crowd = {.holds = true};
    struct pgrpc_server_options options = {.size = sizeof(options), .max_concurrent_calls = 4};
    struct pgrpc_call *held[3];
    join_crowd(world, &crowd, &options);
    /* Three handlers that do not end with their calls. */
    struct world_call *first[3];
    for (unsigned i = 0; i < 3; i++)
        first[i] = call_number(world, i, NULL);
    world_run(world);
    for (unsigned i = 0; i < 3; i++)
        held[i] = crowd.held[i];
    crowd.held_count = 0;
    crowd.holds = false;
    for (unsigned i = 0; i < 3; i++)
        pgrpc_call_cancel(first[i]->call);
    world_run(world);
    struct world_call *calls[20];
    for (unsigned i = 0; i < COUNT(calls); i++)
        calls[i] = call_number(world, 10 + i, NULL);
    world_run(world);
    for (unsigned i = 0; i < COUNT(calls); i++) {
        assert_true(calls[i]->is_done);
        /* Refused twice in a row, or served: never both. */
        assert_int_equal(crowd.runs[10 + i], calls[i]->code == PGRPC_OK);
        assert_true(calls[i]->code == PGRPC_OK || calls[i]->code == PGRPC_UNAVAILABLE);
    }
    for (unsigned i = 0; i < 3; i++)
        pgrpc_call_unref(held[i]);
    struct world_call *last = call_number(world, 99, NULL);
    world_run(world);
    world_check_done(last, PGRPC_OK, "");
}

/* A server that leaves under load: every call ends, served once or not at all. */
static void a_leaving_server_serves_nothing_twice(void **state)
{
    struct world *world = *state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct crowd crowd = {0};
        join_crowd(world, &crowd, NULL);
        unsigned base = (unsigned)world->call_count;
        for (unsigned i = 0; i < 8; i++)
            call_number(world, i, NULL);
        for (unsigned i = 0; i < turns; i++)
            pgrpc_loop_dispatch(world->loop, 0);
        pgrpc_server_shutdown(world->server, 60000);
        for (unsigned i = 8; i < 16; i++)
            call_number(world, i, NULL);
        world_run(world);
        world_sleep(world, 10000);
        for (unsigned i = 0; i < 16; i++) {
            const struct world_call *call = &world->calls[base + i];
            assert_true(call->is_done);
            assert_true(crowd.runs[i] <= 1);
            assert_int_equal(crowd.runs[i], call->code == PGRPC_OK);
            if (call->code != PGRPC_OK)
                assert_int_equal(call->code, PGRPC_UNAVAILABLE);
        }
        assert_false(pgrpc_server_is_stopped(world->server)); /* the peer by hand is still there */
        world_hang_up(world);
        assert_true(pgrpc_server_is_stopped(world->server));
        pgrpc_channel_unref(world->channel);
        world_run(world);
        pgrpc_server_free(world->server);
        world->channel = NULL;
        world->server = NULL;
    }
}

/* --- the end of a server ------------------------------------------------------------------------
 */

static void running_calls_finish_within_the_grace(void **state)
{
    struct world *world = *state;
    struct crowd crowd = {.holds = true};
    join_crowd(world, &crowd, NULL);
    world_hang_up(world);
    struct world_call *running = call_number(world, 1, NULL);
    world_run(world);
    pgrpc_server_shutdown(world->server, 10000);
    world_run(world);
    struct world_call *late = call_number(world, 2, NULL);
    world_run(world);
    world_check_done(late, PGRPC_UNAVAILABLE, "the server in this process is not running");
    assert_false(running->is_done || pgrpc_server_is_stopped(world->server));
    world_sleep(world, 9000);
    let_go(&crowd);
    world_run(world);
    assert_string_equal(running->log, "headers\nmessage 3 yes\nend\ndone OK\n");
    assert_true(pgrpc_server_is_stopped(world->server));
}

static void what_outlasts_the_grace_is_ended(void **state)
{
    struct world *world = *state;
    struct crowd crowd = {.holds = true};
    join_crowd(world, &crowd, NULL);
    world_hang_up(world);
    struct world_call *running = call_number(world, 1, NULL);
    world_run(world);
    pgrpc_server_shutdown(world->server, 10000);
    world_run(world);
    assert_false(pgrpc_call_is_cancelled(crowd.held[0]));
    world_sleep(world, 10000);
    world_check_done(running, PGRPC_UNAVAILABLE, "the server shuts down");
    assert_true(pgrpc_call_is_cancelled(crowd.held[0]));
    assert_true(pgrpc_server_is_stopped(world->server));
    pgrpc_call_unref(crowd.held[0]);
}

static void a_second_shutdown_shortens_the_grace(void **state)
{
    struct world *world = *state;
    struct crowd crowd = {.holds = true};
    join_crowd(world, &crowd, NULL);
    world_hang_up(world);
    struct world_call *running = call_number(world, 1, NULL);
    world_run(world);
    pgrpc_server_shutdown(world->server, 100000);
    world_run(world);
    pgrpc_server_shutdown(world->server, 1000);
    world_run(world);
    world_sleep(world, 999);
    assert_false(running->is_done);
    world_sleep(world, 1);
    assert_int_equal(running->code, PGRPC_UNAVAILABLE);
    pgrpc_call_unref(crowd.held[0]);
}

/* The loop of a server's other thread may have slept for long when it is told. */
static void the_grace_begins_with_the_shutdown(void **state)
{
    static const int64_t graces[] = {1000, INT64_MAX};
    struct world *world = *state;
    struct crowd crowd = {.holds = true};
    join_crowd(world, &crowd, NULL);
    world_hang_up(world);
    struct world_call *running = call_number(world, 1, NULL);
    world_run(world);
    for (size_t i = 0; i < COUNT(graces); i++) {
        world->now_ms += 5000;
        assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
        pgrpc__server_loop_drain(&world->server->loops[0], graces[i]);
        pgrpc__loop_leave_lock(world->loop);
        world_sleep(world, 999);
        assert_false(running->is_done);
    }
    let_go(&crowd);
    world_run(world);
    assert_int_equal(running->code, PGRPC_OK);
}

static void a_server_is_freed_under_its_calls(void **state)
{
    struct world *world = *state;
    struct crowd crowd = {.holds = true};
    join_crowd(world, &crowd, NULL);
    struct world_call *running = call_number(world, 1, NULL);
    world_run(world);
    pgrpc_server_free(world->server);
    world->server = NULL;
    world_run(world);
    world_check_done(running, PGRPC_UNAVAILABLE, "the server shuts down");
    assert_true(pgrpc_call_is_cancelled(crowd.held[0]));
    /* Its handler's call outlives it. */
    assert_int_equal(pgrpc_call_recv(crowd.held[0], &(const void *){NULL}, NULL), PGRPC_IO_CLOSED);
    pgrpc_call_unref(crowd.held[0]);
}

/* --- many calls ---------------------------------------------------------------------------------
 */

/* Each call starts the next one from its on_done. */
struct chain {
    struct world *world;
    struct probe probe;
    unsigned count;
};

static void next_link(struct probe *probe, const char *event)
{
    struct chain *chain = probe->userdata;
    if (strcmp(event, "done") != 0 || ++chain->count == 1000)
        return;
    assert_int_equal(probe->code, PGRPC_OK);
}

static void calls_follow_each_other_from_on_done(void **state)
{
    struct world *world = *state;
    struct chain chain = {.world = world};
    world_start_server(world, NULL);
    world_start_client_in_process(world, NULL);
    while (chain.count < 1000) {
        memset(&chain.probe, 0, sizeof(chain.probe));
        chain.probe.act = next_link;
        chain.probe.userdata = &chain;
        world->log[0] = '\0';
        probe_start(&chain.probe, world, WORLD_UNARY, "hi", NULL);
        world_run(world);
    }
    /* In the steady state nothing is left behind. */
    size_t live = faulty_allocator_live(&world->faulty);
    for (int i = 0; i < 100; i++) {
        memset(&chain.probe, 0, sizeof(chain.probe));
        world->log[0] = '\0';
        probe_start(&chain.probe, world, WORLD_UNARY, "hi", NULL);
        world_run(world);
        assert_int_equal(chain.probe.code, PGRPC_OK);
    }
    assert_int_equal(faulty_allocator_live(&world->faulty), live);
}

static void times_may_be_endless(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options client = {.size = sizeof(client),
                                           .connect_timeout_ms = INT64_MAX,
                                           .backoff_initial_ms = INT64_MAX,
                                           .backoff_max_ms = INT64_MAX,
                                           .keepalive_ms = INT64_MAX,
                                           .keepalive_timeout_ms = INT64_MAX};
    struct pgrpc_server_options server = {.size = sizeof(server),
                                          .handshake_timeout_ms = INT64_MAX,
                                          .keepalive_ms = INT64_MAX,
                                          .keepalive_timeout_ms = INT64_MAX,
                                          .keepalive_min_ms = INT64_MAX};
    struct probe refused = {0};
    world->refuses = true;
    world_start_client(world, &client);
    probe_start(&refused, world, WORLD_UNARY, "hi", NULL);
    world_run(world);
    assert_int_equal(refused.code, PGRPC_UNAVAILABLE);
    pgrpc_channel_unref(world->channel);
    world->channel = NULL;
    world_run(world);
    world->refuses = false;
    world_start_client(world, &client);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    world_talk(world);
    world_greet_client(world);
    world->id = 1;
    world_hear(world);
    world_sleep(world, 1000000);
    assert_false(call->is_done);
    world_answer(world, "yes");
    assert_string_equal(world_hear(world), "");
    assert_int_equal(call->code, PGRPC_OK);
    world_hang_up(world);
    world_serve(world, &server);
    world_sleep(world, 1000000);
    assert_string_equal(world_talk(world), "");
}

/* --- workers ------------------------------------------------------------------------------------
 */

struct workshop {
    sem_t entered;
    sem_t leave;
};

static void work(struct pgrpc_call *call, const void *request, const void *handlers, void *userdata)
{
    struct workshop *workshop = userdata;
    (void)handlers;
    sem_post(&workshop->entered);
    sem_wait(&workshop->leave);
    pgrpc_call_reply(call, request);
}

static void a_call_may_end_while_it_waits_for_a_worker(void **state)
{
    struct world *world = *state;
    struct workshop workshop;
    struct pgrpc_server_options options = {
        .size = sizeof(options), .workers = 1, .max_concurrent_calls = 3};
    struct pgrpc_call_options soon = {.size = sizeof(soon), .timeout_ms = 1000};
    struct probe served = {0}, cancelled = {0}, late = {0};
    assert_int_equal(sem_init(&workshop.entered, 0, 0), 0);
    assert_int_equal(sem_init(&workshop.leave, 0, 0), 0);
    world->bindings[WORLD_UNARY] = (struct pgrpc_binding){work, PGRPC_RUN_WORKER};
    world->userdata = &workshop;
    world_start_server(world, &options);
    world_start_client_in_process(world, NULL);
    probe_start(&served, world, WORLD_UNARY, "first", NULL);
    world_run(world);
    assert_int_equal(sem_wait(&workshop.entered), 0);
    probe_start(&cancelled, world, WORLD_UNARY, "second", NULL);
    probe_start(&late, world, WORLD_UNARY, "third", &soon);
    world_run(world);
    pgrpc_call_cancel(cancelled.call);
    world_run(world);
    world_sleep(world, 1001); /* past both ends' timers */
    assert_int_equal(cancelled.code, PGRPC_CANCELLED);
    assert_int_equal(late.code, PGRPC_DEADLINE_EXCEEDED);
    sem_post(&workshop.leave);
    while (!served.done_count)
        assert_true(pgrpc_loop_dispatch(world->loop, 0) >= 0);
    assert_int_equal(served.code, PGRPC_OK);
    /* Nobody works for those that are over. */
    pgrpc_server_free(world->server);
    world->server = NULL;
    assert_int_equal(sem_trywait(&workshop.entered), -1);
    sem_destroy(&workshop.entered);
    sem_destroy(&workshop.leave);
}

/* Says more than anybody takes: one message is more than the queue's high water and the window, so
 * there is room for a second in whatever order threads run, and never for a third. */
static void pour(struct pgrpc_call *call, const void *request, const void *handlers, void *userdata)
{
    static const char text[70000];
    struct workshop *workshop = userdata;
    struct pgrpc_bytes message = {text, sizeof(text)};
    (void)request;
    (void)handlers;
    for (int i = 0; pgrpc_call_send(call, &message, 0) == PGRPC_IO_DONE; i++)
        if (i == 1)
            sem_post(&workshop->entered);
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

static void a_server_is_freed_while_a_worker_waits(void **state)
{
    struct world *world = *state;
    struct workshop workshop;
    assert_int_equal(sem_init(&workshop.entered, 0, 0), 0);
    world->bindings[WORLD_SERVER_STREAM] = (struct pgrpc_binding){pour, PGRPC_RUN_WORKER};
    world->userdata = &workshop;
    world_serve(world, NULL);
    world_request(world, 0, 1, ":path=/test.Echo/Pour");
    world_message(world, RAW_END_STREAM, 1, "hi");
    world_talk(world);
    /* Window and queue are full with the second message: the third waits for good. */
    while (sem_trywait(&workshop.entered))
        assert_true(pgrpc_loop_dispatch(world->loop, 0) >= 0);
    world_run(world);
    pgrpc_server_free(world->server);
    world->server = NULL;
    sem_destroy(&workshop.entered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(calls_end_with_their_channel),
        WORLD_TEST(a_channel_may_be_freed_before_it_has_an_address),
        WORLD_TEST(a_channel_may_be_freed_in_any_event),
        WORLD_TEST(a_channel_lives_as_long_as_its_references),
        WORLD_TEST(the_server_sees_a_freed_channel_as_a_cancel),
        WORLD_TEST(a_call_waits_for_the_first_attempt_only),
        WORLD_TEST(the_deadline_of_a_waiting_call_tells_why),
        WORLD_TEST(a_channel_connects_with_its_first_call),
        WORLD_TEST(a_server_that_comes_back_is_found),
        WORLD_TEST(a_connection_that_ended_unseen_is_not_used),
        WORLD_TEST(authority_and_user_agent_are_checked),
        WORLD_TEST(refused_calls_are_tried_once_more_and_served_once),
        WORLD_TEST(a_leaving_server_serves_nothing_twice),
        WORLD_TEST(running_calls_finish_within_the_grace),
        WORLD_TEST(what_outlasts_the_grace_is_ended),
        WORLD_TEST(a_second_shutdown_shortens_the_grace),
        WORLD_TEST(the_grace_begins_with_the_shutdown),
        WORLD_TEST(a_server_is_freed_under_its_calls),
        WORLD_TEST(calls_follow_each_other_from_on_done),
        WORLD_TEST(times_may_be_endless),
        WORLD_TEST(a_call_may_end_while_it_waits_for_a_worker),
        WORLD_TEST(a_server_is_freed_while_a_worker_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
