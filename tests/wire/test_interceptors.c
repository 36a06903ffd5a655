/* Interceptors on both sides, and calls made on behalf of other calls. */
#include "../support/phrases.h"
#include "../support/probe.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* What an interceptor of the test does and notes. */
struct hook {
    const char *name;
    struct probe *journal; /* where it notes */
    enum pgrpc_verdict verdict;
    void (*act)(struct hook *hook, struct pgrpc_call *call);
    struct pgrpc_call *suspended; /* a reference, when it suspends */
};

static enum pgrpc_verdict hook_start(struct pgrpc_call *call, void *userdata)
{
    struct hook *hook = userdata;
    probe_note(hook->journal, "%s starts\n", hook->name);
    if (hook->verdict == PGRPC_SUSPEND)
        hook->suspended = pgrpc_call_ref(call);
    if (hook->act)
        hook->act(hook, call);
    return hook->verdict;
}

static void hook_done(struct pgrpc_call *call, void *userdata)
{
    struct hook *hook = userdata;
    probe_note(hook->journal, "%s done %s\n", hook->name,
               pgrpc_code_name(pgrpc_call_status(call)->code));
}

static struct pgrpc_interceptor interceptor(struct hook *hook)
{
    return (struct pgrpc_interceptor){.size = sizeof(struct pgrpc_interceptor),
                                      .on_start = hook_start,
                                      .on_done = hook_done,
                                      .userdata = hook};
}

static void resume(struct hook *hook)
{
    struct pgrpc_call *call = hook->suspended;
    hook->suspended = NULL;
    pgrpc_call_resume(call);
    pgrpc_call_unref(call);
}

static void add_token(struct hook *hook, struct pgrpc_call *call)
{
    struct pgrpc_metadatum token = {"authorization", "token 1", 7};
    struct pgrpc_metadatum bad = {"Bad", "x", 1};
    (void)hook;
    assert_int_equal(pgrpc_call_add_header(call, &token), PGRPC_OK);
    assert_int_equal(pgrpc_call_add_header(call, &bad), PGRPC_INVALID_ARGUMENT);
    assert_string_not_equal(pgrpc_call_error(call), "");
}

static void reject(struct hook *hook, struct pgrpc_call *call)
{
    (void)hook;
    assert_int_equal(pgrpc_call_finish(call, PGRPC_PERMISSION_DENIED, "not %s", "you"), PGRPC_OK);
    assert_int_equal(pgrpc_call_finish(call, PGRPC_OK, NULL), PGRPC_FAILED_PRECONDITION);
}

static void start_client(struct world *world, struct hook *hooks, size_t count)
{
    struct pgrpc_interceptor list[4];
    struct pgrpc_channel_options options = {
        .size = sizeof(options), .interceptors = list, .interceptor_count = count};
    for (size_t i = 0; i < count; i++)
        list[i] = interceptor(&hooks[i]);
    world_start_client(world, &options);
    assert_non_null(world->channel);
}

static void start_server(struct world *world, struct hook *hooks, size_t count)
{
    struct pgrpc_interceptor list[4];
    struct pgrpc_server_options options = {
        .size = sizeof(options), .interceptors = list, .interceptor_count = count};
    for (size_t i = 0; i < count; i++)
        list[i] = interceptor(&hooks[i]);
    world_serve(world, &options);
}

/* Greets; the frames of the first call. */
static const char *greet(struct world *world)
{
    world_talk(world);
    world_greet_client(world);
    world->id = 1;
    return world_hear(world);
}

/* --- client -------------------------------------------------------------------------------------
 */

static void the_first_interceptor_is_the_outermost(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    struct hook hooks[] = {{.name = "a", .journal = &probe}, {.name = "b", .journal = &probe}};
    start_client(world, hooks, 2);
    probe_start(&probe, world, WORLD_UNARY, "hi", NULL);
    assert_string_equal(probe.log, ""); /* no hook runs inside the starter */
    greet(world);
    world_answer(world, "yes");
    world_talk(world);
    assert_string_equal(probe.log,
                        "a starts\nb starts\nheaders\nreadable\nb done OK\na done OK\ndone OK \n");
}

static void an_interceptor_adds_headers(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    struct hook hook = {.name = "a", .journal = &probe, .act = add_token};
    struct pgrpc_metadatum entry = {"k", "v", 1};
    struct pgrpc_call_options options = {
        .size = sizeof(options), .metadata = &entry, .metadata_count = 1};
    start_client(world, &hook, 1);
    probe_start(&probe, world, WORLD_UNARY, "hi", &options);
    assert_non_null(strstr(greet(world), " k=v authorization=token 1 (never indexed)\n"));
    /* Once per call, not per attempt. */
    raw_rst(&world->out, 1, 7);
    world->id = 3;
    assert_non_null(strstr(world_hear(world), " k=v authorization=token 1 (never indexed)\n"));
    world_answer(world, "yes");
    world_talk(world);
    assert_string_equal(probe.log, "a starts\nheaders\nreadable\na done OK\ndone OK \n");
}

static void a_client_interceptor_rejects(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    struct hook hooks[] = {{.name = "a", .journal = &probe},
                           {.name = "b", .journal = &probe, .act = reject},
                           {.name = "c", .journal = &probe}};
    start_client(world, hooks, 3);
    probe_start(&probe, world, WORLD_UNARY, "hi", NULL);
    world_run(world);
    /* The third never saw it. */
    assert_string_equal(probe.log, "a starts\nb starts\nreadable\nb done PERMISSION_DENIED\n"
                                   "a done PERMISSION_DENIED\ndone PERMISSION_DENIED not you\n");
    assert_int_equal(world->connection_count, 0);
}

static void a_client_interceptor_suspends(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    struct hook hooks[] = {{.name = "a", .journal = &probe, .verdict = PGRPC_SUSPEND},
                           {.name = "b", .journal = &probe}};
    start_client(world, hooks, 2);
    probe_start(&probe, world, WORLD_BIDI, NULL, NULL);
    /* What is sent meanwhile waits with it. */
    assert_int_equal(probe_send(&probe, "early", 0), PGRPC_IO_DONE);
    world_sleep(world, 1000);
    assert_string_equal(probe.log, "a starts\n");
    assert_int_equal(world->connection_count, 0);
    pgrpc_call_resume(probe.call);
    pgrpc_call_resume(probe.call);
    resume(&hooks[0]);
    assert_string_equal(probe.log, "a starts\n");
    assert_non_null(strstr(greet(world), "\\x05"
                                         "early\"\n"));
    assert_string_equal(probe.log, "a starts\nb starts\n");
    pgrpc_call_cancel(probe.call);
    world_run(world);
}

static void resume_now(struct hook *hook, struct pgrpc_call *call)
{
    (void)hook;
    pgrpc_call_resume(call);
}

static void resuming_may_come_before_the_verdict(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    struct hook hook = {
        .name = "a", .journal = &probe, .verdict = PGRPC_SUSPEND, .act = resume_now};
    start_client(world, &hook, 1);
    probe_start(&probe, world, WORLD_UNARY, "hi", NULL);
    assert_non_null(strstr(greet(world), "HEADERS ID "));
    pgrpc_call_unref(hook.suspended);
    world_answer(world, "yes");
    world_talk(world);
    assert_int_equal(probe.code, PGRPC_OK);
}

static void suspended_calls_end_like_others(void **state)
{
    struct world *world = *state;
    for (int kind = 0; kind < 3; kind++) {
        struct probe probe = {0};
        struct hook hook = {.name = "a", .journal = &probe, .verdict = PGRPC_SUSPEND};
        struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 500};
        start_client(world, &hook, 1);
        probe_start(&probe, world, WORLD_UNARY, "hi", &options);
        world_run(world);
        if (kind == 0)
            pgrpc_call_cancel(probe.call);
        else if (kind == 1)
            world_sleep(world, 500);
        else
            pgrpc_channel_unref(world->channel);
        world_run(world);
        assert_int_equal(probe.done_count, 1);
        assert_int_equal(probe.code, kind == 1 ? PGRPC_DEADLINE_EXCEEDED : PGRPC_CANCELLED);
        /* Too late, and harmless. */
        resume(&hook);
        world_run(world);
        if (kind < 2)
            pgrpc_channel_unref(world->channel);
        world->channel = NULL;
        world_run(world);
    }
    assert_int_equal(world->connection_count, 0);
}

static void hooks_may_be_missing(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    struct hook hook = {.name = "a", .journal = &probe};
    struct pgrpc_interceptor list[] = {
        {.size = sizeof(list[0])},
        {.size = sizeof(list[0]), .on_start = hook_start, .userdata = &hook},
        {.size = sizeof(list[0]), .on_done = hook_done, .userdata = &hook},
    };
    struct pgrpc_channel_options options = {
        .size = sizeof(options), .interceptors = list, .interceptor_count = COUNT(list)};
    world_start_client(world, &options);
    probe_start(&probe, world, WORLD_UNARY, "hi", NULL);
    greet(world);
    world_answer(world, "yes");
    world_talk(world);
    assert_string_equal(probe.log, "a starts\nheaders\nreadable\na done OK\ndone OK \n");
}

/* --- server -------------------------------------------------------------------------------------
 */

static void server_interceptors_stand_around_the_handler(void **state)
{
    struct world *world = *state;
    struct probe journal = {0};
    struct hook hooks[] = {{.name = "a", .journal = &journal}, {.name = "b", .journal = &journal}};
    start_server(world, hooks, 2);
    assert_string_equal(world_ask(world, "", "hello"), WORLD_ECHO("10", "\\x05hello"));
    assert_string_equal(journal.log, "a starts\nb starts\nb done OK\na done OK\n");
    journal.log[0] = '\0';
    assert_string_equal(world_ask(world, "", "fail"),
                        WORLD_ONLY("200", "13", "it failed: 100%25 of it, %E2%98%BA"));
    assert_string_equal(journal.log, "a starts\nb starts\nb done INTERNAL\na done INTERNAL\n");
    /* What the library refuses by itself is not theirs. */
    journal.log[0] = '\0';
    world_ask(world, ":path=/no/where", "hello");
    assert_string_equal(journal.log, "");
}

static void read_and_add(struct hook *hook, struct pgrpc_call *call)
{
    const struct pgrpc_metadatum *token = pgrpc_metadata_find(pgrpc_call_headers(call), "token");
    struct pgrpc_metadatum header = {"seen", token ? token->value : "", token ? token->len : 0};
    struct pgrpc_metadatum trailer = {"after", "all", 3};
    probe_note(hook->journal, "%s\n", pgrpc_call_path(call));
    assert_int_equal(pgrpc_call_add_header(call, &header), PGRPC_OK);
    assert_int_equal(pgrpc_call_add_trailer(call, &trailer), PGRPC_OK);
}

static void server_interceptors_read_and_add_metadata(void **state)
{
    struct world *world = *state;
    struct probe journal = {0};
    struct hook hook = {.name = "a", .journal = &journal, .act = read_and_add};
    start_server(world, &hook, 1);
    assert_string_equal(world_ask(world, "token=t1", "hello"),
                        "HEADERS ID :status=200 content-type=application/grpc " WORLD_ACCEPTS
                        " seen=t1\n" WORLD_DATA("10", "\\x05hello") "HEADERS ID END_STREAM "
                                                                    "grpc-status=0 after=all\n");
    assert_string_equal(journal.log, "a starts\n/test.Echo/Say\na done OK\n");
}

static void a_server_interceptor_rejects(void **state)
{
    struct world *world = *state;
    struct probe journal = {0};
    struct hook hooks[] = {{.name = "a", .journal = &journal},
                           {.name = "b", .journal = &journal, .act = reject},
                           {.name = "c", .journal = &journal}};
    start_server(world, hooks, 3);
    assert_string_equal(world_ask(world, "", "hello"), WORLD_ONLY("200", "7", "not you"));
    assert_string_equal(journal.log, "a starts\nb starts\nb done PERMISSION_DENIED\n"
                                     "a done PERMISSION_DENIED\n");
    world->id += 2;
    world_request(world, 0, world->id, ":path=/test.Echo/Chat");
    assert_string_equal(world_hear(world), WORLD_ONLY("200", "7", "not you") WORLD_STOP);
    assert_string_equal(world->log, "");
}

static void reject_with_details(struct hook *hook, struct pgrpc_call *call)
{
    struct pgrpc_status status = {PGRPC_UNAUTHENTICATED, "who?", "\x08\x10", 2};
    (void)hook;
    assert_int_equal(pgrpc_call_finish_status(call, &status), PGRPC_OK);
}

static void a_rejection_may_have_details(void **state)
{
    struct world *world = *state;
    struct probe journal = {0};
    struct hook hook = {.name = "a", .journal = &journal, .act = reject_with_details};
    start_server(world, &hook, 1);
    assert_string_equal(
        world_ask(world, "", "hello"),
        "HEADERS ID END_STREAM :status=200 content-type=application/grpc " WORLD_ACCEPTS
        " grpc-status=16 grpc-message=who? "
        "grpc-status-details-bin=CBA\n");
}

static void a_server_interceptor_suspends(void **state)
{
    struct world *world = *state;
    struct probe journal = {0};
    struct hook hook = {.name = "a", .journal = &journal, .verdict = PGRPC_SUSPEND};
    start_server(world, &hook, 1);
    assert_string_equal(world_ask(world, "", "hello"), "");
    assert_string_equal(world->log, "");
    resume(&hook);
    assert_string_equal(world_hear(world), WORLD_ECHO("10", "\\x05hello"));
    /* Cancelled while it waits: no handler runs. */
    assert_string_equal(world_ask(world, "", "hello"), "");
    raw_rst(&world->out, world->id, 8);
    world_talk(world);
    resume(&hook);
    world_run(world);
    assert_string_equal(world->log, "say hello\n");
    /* Rejected while it waits. */
    assert_string_equal(world_ask(world, "", "hello"), "");
    assert_int_equal(pgrpc_call_finish(hook.suspended, PGRPC_UNAUTHENTICATED, "no"), PGRPC_OK);
    resume(&hook);
    assert_string_equal(world_hear(world), WORLD_ONLY("200", "16", "no"));
    assert_string_equal(world->log, "say hello\n");
    hook.verdict = PGRPC_CONTINUE;
    world_check(world);
}

/* --- calls on behalf of others ------------------------------------------------------------------
 */

/* A server whose handler asks the client's peer: two worlds on two loops are not needed, the
 * channel goes to the test, which plays the server behind. */
struct gateway {
    struct world *world;
    struct probe inbound;
    struct probe outbound;
    int64_t timeout_ms;
};

static void forward(struct pgrpc_call *call, const void *message, const void *handlers,
                    void *userdata)
{
    struct gateway *gateway = userdata;
    struct pgrpc_call_options options = {
        .size = sizeof(options), .timeout_ms = gateway->timeout_ms, .parent = call};
    (void)message;
    (void)handlers;
    probe_take(&gateway->inbound, call);
    probe_start(&gateway->outbound, gateway->world, WORLD_BIDI, NULL, &options);
}

/* Our server before the test, with another of our clients behind it that the test serves, too. */
static void serve_gateway(struct world *world, struct gateway *gateway)
{
    gateway->world = world;
    gateway->inbound.finishes = true;
    world->bindings[WORLD_BIDI].invoke = forward;
    world->userdata = gateway;
    world_serve(world, NULL);
    world_start_client(world, NULL); /* its connection becomes the latest one */
}

/* A request to the gateway; what its client asks behind it. */
static const char *ask_gateway(struct world *world, uint32_t id, const char *changes)
{
    char fields[300];
    snprintf(fields, sizeof(fields), ":path=/test.Echo/Chat%s%s", *changes ? "|" : "", changes);
    world_request(world, 0, id, fields);
    bool is_first = world->connection_count == 0;
    if (!is_first)
        world_swap(world);
    const char *heard = world_talk_streams(world);
    if (is_first) {
        /* The client connected meanwhile. */
        assert_string_equal(heard, "MAGIC\n");
        world_greet_client(world);
    } else {
        world_swap(world);
    }
    world->id = id;
    return world_hear(world);
}

static void a_child_inherits_deadline_and_trace(void **state)
{
    struct world *world = *state;
    struct gateway gateway = {.world = world};
    serve_gateway(world, &gateway);
    const char *asked = ask_gateway(
        world, 1,
        "grpc-timeout=3S|traceparent=00-1-2-01|tracestate=a=b|grpc-trace-bin=AAEC|other=1");
    assert_non_null(strstr(asked, " grpc-timeout=3000m "));
    assert_non_null(strstr(asked, " traceparent=00-1-2-01 tracestate=a=b grpc-trace-bin=AAEC\n"));
    assert_null(strstr(asked, "other="));
    /* Both end with it. */
    world_sleep(world, 3001);
    assert_int_equal(gateway.inbound.code, PGRPC_DEADLINE_EXCEEDED);
    assert_int_equal(gateway.outbound.code, PGRPC_DEADLINE_EXCEEDED);
    assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
}

static void the_earlier_deadline_counts(void **state)
{
    static const struct {
        const char *changes;
        int64_t timeout_ms;
        const char *sent;
    } cases[] = {
        {"grpc-timeout=3S", 0, " grpc-timeout=3000m "},
        {"grpc-timeout=3S", 1000, " grpc-timeout=1000m "},
        {"grpc-timeout=3S", 5000, " grpc-timeout=3000m "},
        {"", 5000, " grpc-timeout=5000m "},
    };
    struct world *world = *state;
    struct gateway gateway = {.world = world};
    serve_gateway(world, &gateway);
    for (size_t i = 0; i < COUNT(cases); i++) {
        gateway.timeout_ms = cases[i].timeout_ms;
        assert_non_null(
            strstr(ask_gateway(world, 1 + 2 * (uint32_t)i, cases[i].changes), cases[i].sent));
        assert_int_equal(pgrpc_call_finish(gateway.inbound.call, PGRPC_OK, NULL), PGRPC_OK);
        gateway.inbound.finishes = false;
        world_run(world);
        assert_int_equal(gateway.outbound.code, PGRPC_CANCELLED);
        memset(&gateway.inbound, 0, sizeof(gateway.inbound));
        memset(&gateway.outbound, 0, sizeof(gateway.outbound));
        world_talk(world);
    }
}

static void a_cancelled_parent_cancels_its_children(void **state)
{
    struct world *world = *state;
    struct gateway gateway = {.world = world};
    serve_gateway(world, &gateway);
    assert_null(strstr(ask_gateway(world, 1, ""), "grpc-timeout"));
    world_swap(world);
    raw_rst(&world->out, 1, 8);
    world_talk(world);
    assert_string_equal(gateway.inbound.log, "readable\ndone CANCELLED cancelled by the client\n");
    assert_string_equal(gateway.outbound.log, "readable\ndone CANCELLED cancelled\n");
    world_swap(world);
    assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
}

static void a_child_that_ends_leaves_its_parent_alone(void **state)
{
    struct world *world = *state;
    struct gateway gateway = {.world = world};
    serve_gateway(world, &gateway);
    ask_gateway(world, 1, "");
    world_response(world, RAW_END_STREAM, 1, "grpc-status=5");
    world_talk(world);
    assert_int_equal(gateway.outbound.code, PGRPC_NOT_FOUND);
    assert_int_equal(gateway.inbound.done_count, 0);
    assert_false(pgrpc_call_is_cancelled(gateway.inbound.call));
    gateway.inbound.finishes = false;
    assert_int_equal(pgrpc_call_finish(gateway.inbound.call, PGRPC_NOT_FOUND, "behind"), PGRPC_OK);
    world_swap(world);
    world->id = 1;
    assert_string_equal(world_hear(world), WORLD_ONLY("200", "5", "behind") WORLD_STOP);
}

static void a_parent_that_is_over_has_no_children(void **state)
{
    struct world *world = *state;
    struct gateway gateway = {.world = world};
    serve_gateway(world, &gateway);
    ask_gateway(world, 1, "");
    struct pgrpc_call *parent = pgrpc_call_ref(gateway.inbound.call);
    gateway.inbound.finishes = false;
    assert_int_equal(pgrpc_call_finish(parent, PGRPC_OK, NULL), PGRPC_OK);
    world_run(world);
    struct pgrpc_call_options options = {.size = sizeof(options), .parent = parent};
    struct probe late = {0};
    probe_start(&late, world, WORLD_BIDI, NULL, &options);
    world_run(world);
    assert_string_equal(late.log, "readable\ndone CANCELLED the parent call is over\n");
    pgrpc_call_unref(parent);
}

static struct gateway *slow_gateway;

static void count_done(struct pgrpc_call *call, void *userdata)
{
    struct probe *probe = userdata;
    probe->done_count++;
    assert_int_equal(pgrpc_call_status(call)->code, PGRPC_CANCELLED);
}

/* While this thread serialises, the loop's thread ends the parent: here it does both. */
static enum pgrpc_code measure_slowly(const void *type, const void *message, size_t *len,
                                      const char **error)
{
    pgrpc_call_cancel(slow_gateway->inbound.call);
    world_run(slow_gateway->world);
    return pgrpc_codec_raw.measure(type, message, len, error);
}

static void a_parent_may_end_while_its_child_starts(void **state)
{
    struct world *world = *state;
    struct gateway gateway = {.world = world};
    struct pgrpc_codec slow = pgrpc_codec_raw;
    struct probe probe = {0};
    serve_gateway(world, &gateway);
    ask_gateway(world, 1, "");
    slow_gateway = &gateway;
    slow.measure = measure_slowly;
    struct pgrpc_call_options options = {.size = sizeof(options),
                                         .timeout_ms = 1000,
                                         .codec = &slow,
                                         .parent = gateway.inbound.call};
    struct pgrpc_bytes request = {"hi", 2};
    struct pgrpc_call_events events = {.size = sizeof(events), .on_done = count_done};
    pgrpc_call_start(world->channel, &world->methods[WORLD_UNARY], &request, &options, &events,
                     &probe);
    assert_int_equal(probe.done_count, 1);
    world_sleep(world, 1000);
    assert_int_equal(probe.done_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_first_interceptor_is_the_outermost),
        WORLD_TEST(an_interceptor_adds_headers),
        WORLD_TEST(a_client_interceptor_rejects),
        WORLD_TEST(a_client_interceptor_suspends),
        WORLD_TEST(resuming_may_come_before_the_verdict),
        WORLD_TEST(suspended_calls_end_like_others),
        WORLD_TEST(hooks_may_be_missing),
        WORLD_TEST(server_interceptors_stand_around_the_handler),
        WORLD_TEST(server_interceptors_read_and_add_metadata),
        WORLD_TEST(a_server_interceptor_rejects),
        WORLD_TEST(a_rejection_may_have_details),
        WORLD_TEST(a_server_interceptor_suspends),
        WORLD_TEST(a_child_inherits_deadline_and_trace),
        WORLD_TEST(the_earlier_deadline_counts),
        WORLD_TEST(a_cancelled_parent_cancels_its_children),
        WORLD_TEST(a_child_that_ends_leaves_its_parent_alone),
        WORLD_TEST(a_parent_that_is_over_has_no_children),
        WORLD_TEST(a_parent_may_end_while_its_child_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
