/*
 * Blocking calls and threads over real sockets: who waits turns the loop, threads share a channel,
 * handlers wait on workers, loops of a server share its connections, and what may not wait is
 * refused with a text.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "picogrpc/picogrpc.h"
#include "../support/unit.h"
#include "../support/engine_choice.h"

enum { THREADS = 8, CALLS_PER_THREAD = 200 };

static const struct pgrpc_method methods[] = {
    {.path = "/test.Wait/Say", .codec = &pgrpc_codec_raw},
    {.path = "/test.Wait/Chat",
     .flags = PGRPC_METHOD_CLIENT_STREAMING | PGRPC_METHOD_SERVER_STREAMING,
     .codec = &pgrpc_codec_raw},
    {.path = "/test.Wait/Hang", .codec = &pgrpc_codec_raw},
    {.path = "/test.Wait/Inline", .codec = &pgrpc_codec_raw},
    {.path = "/test.Wait/Relay", .codec = &pgrpc_codec_raw},
};
static const struct pgrpc_service service = {
    .version = PGRPC_CODEGEN_VERSION,
    .method_size = sizeof(struct pgrpc_method),
    .name = "test.Wait",
    .methods = methods,
    .method_count = 5,
};
enum { SAY, CHAT, HANG, INLINE, RELAY };

/* --- the server, on a thread of its own ---------------------------------------------------------
 */

struct fixture {
    struct pgrpc_server *server;
    pthread_t thread;
    char target[64];
    struct pgrpc_channel *channel; /* private loop, shared */
    struct pgrpc_channel *relay;   /* what the Relay handler calls */
    _Atomic int hanging;           /* handlers that wait in Hang */
    _Atomic int hang_cancelled;
    _Atomic int chatted; /* messages that Chat received */
};

static void say(struct pgrpc_call *call, const void *request, const void *handlers, void *userdata)
{
    (void)handlers;
    (void)userdata;
    pgrpc_call_reply(call, request);
}

static void chat(struct pgrpc_call *call, const void *request, const void *handlers, void *userdata)
{
    const void *message;
    struct fixture *fixture = userdata;
    (void)request;
    (void)handlers;
    while (pgrpc_call_recv(call, &message, NULL) == PGRPC_IO_DONE && ++fixture->chatted)
        if (pgrpc_call_send(call, message, 0) != PGRPC_IO_DONE)
            break;
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

/* Waits on a pipe of messages that never come: until the call is cancelled. */
static void hang(struct pgrpc_call *call, const void *request, const void *handlers, void *userdata)
{
    struct fixture *fixture = userdata;
    struct timespec pause = {0, 1000000};
    (void)request;
    (void)handlers;
    atomic_fetch_add(&fixture->hanging, 1);
    while (!pgrpc_call_is_cancelled(call))
        nanosleep(&pause, NULL);
    atomic_fetch_add(&fixture->hang_cancelled, 1);
    assert_int_equal(pgrpc_call_send(call, &(struct pgrpc_bytes){"x", 1}, 0), PGRPC_IO_CLOSED);
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

/* A handler that calls on: with the deadline and the cancellation of its own call. */
static void relay(struct pgrpc_call *call, const void *request, const void *handlers,
                  void *userdata)
{
    struct fixture *fixture = userdata;
    struct pgrpc_call_options options = {.size = sizeof(options), .parent = call};
    struct pgrpc_result result = {0};
    (void)handlers;
    const void *reply =
        pgrpc_call_unary(fixture->relay, &methods[HANG], request, &options, &result);
    if (reply)
        pgrpc_call_reply(call, reply);
    else
        pgrpc_call_finish(call, result.status.code, "%s", result.status.message);
    pgrpc_result_clear(&result);
}

static void *run_server(void *userdata)
{
    struct fixture *fixture = userdata;
    pgrpc_server_run(fixture->server);
    return NULL;
}

static void start(struct fixture *fixture, unsigned loops)
{
    static const struct pgrpc_binding bindings[] = {{say, PGRPC_RUN_WORKER},
                                                    {chat, PGRPC_RUN_WORKER},
                                                    {hang, PGRPC_RUN_WORKER},
                                                    {say, PGRPC_RUN_INLINE},
                                                    {relay, PGRPC_RUN_WORKER}};
    struct pgrpc_server_options options = {.size = sizeof(options), .loops = loops, .workers = 16};
    int port = 0;
    memset(fixture, 0, sizeof(*fixture));
    assert_int_equal(pgrpc_server_new(&options, &fixture->server, NULL), PGRPC_OK);
    assert_int_equal(pgrpc_server_register(fixture->server, &service, bindings, NULL, fixture),
                     PGRPC_OK);
    assert_int_equal(
        pgrpc_server_listen(fixture->server, "127.0.0.1:0", pgrpc_credentials_insecure(), &port),
        PGRPC_OK);
    assert_int_equal(pthread_create(&fixture->thread, NULL, run_server, fixture), 0);
    snprintf(fixture->target, sizeof(fixture->target), "127.0.0.1:%d", port);
    assert_int_equal(pgrpc_channel_new(fixture->target, pgrpc_credentials_insecure(), NULL,
                                       &fixture->channel, NULL),
                     PGRPC_OK);
    assert_int_equal(pgrpc_channel_new(fixture->target, pgrpc_credentials_insecure(), NULL,
                                       &fixture->relay, NULL),
                     PGRPC_OK);
}

static void stop(struct fixture *fixture)
{
    pgrpc_channel_unref(fixture->channel);
    pgrpc_channel_unref(fixture->relay);
    pgrpc_server_shutdown(fixture->server, 200);
    assert_int_equal(pthread_join(fixture->thread, NULL), 0);
    assert_true(pgrpc_server_is_stopped(fixture->server));
    pgrpc_server_free(fixture->server);
}

static bool call_once(struct pgrpc_channel *channel, int method, const char *text,
                      struct pgrpc_result *result)
{
    struct pgrpc_bytes request = {text, strlen(text)};
    const struct pgrpc_bytes *reply =
        pgrpc_call_unary(channel, &methods[method], &request, NULL, result);
    return reply && reply->len == request.len && memcmp(reply->data, text, reply->len) == 0;
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void unary_and_stream_wait_in_the_caller(void **state)
{
    struct fixture fixture;
    struct pgrpc_result result = {0};
    const void *message;
    (void)state;
    start(&fixture, 1);
    assert_true(call_once(fixture.channel, SAY, "hello", &result));
    assert_true(call_once(fixture.channel, INLINE, "again", &result));
    assert_int_equal(result.status.code, PGRPC_OK);
    pgrpc_result_clear(&result);

    struct pgrpc_call *call = pgrpc_call_open(fixture.channel, &methods[CHAT], NULL, NULL);
    for (int i = 0; i < 100; i++) {
        struct pgrpc_bytes bytes = {"0123456789", (size_t)(i % 10)};
        assert_int_equal(pgrpc_call_send(call, &bytes, 0), PGRPC_IO_DONE);
        assert_int_equal(pgrpc_call_recv(call, &message, NULL), PGRPC_IO_DONE);
        assert_int_equal(((const struct pgrpc_bytes *)message)->len, bytes.len);
    }
    assert_int_equal(pgrpc_call_close_send(call), PGRPC_IO_DONE);
    assert_int_equal(pgrpc_call_recv(call, &message, NULL), PGRPC_IO_END);
    assert_int_equal(pgrpc_call_wait(call)->code, PGRPC_OK);
    assert_int_equal(pgrpc_call_send(call, &(struct pgrpc_bytes){"x", 1}, 0), PGRPC_IO_CLOSED);
    pgrpc_call_unref(call);
    stop(&fixture);
}

struct caller {
    struct fixture *fixture;
    struct pgrpc_channel *channel;
    int good;
};

static void *call_many(void *userdata)
{
    struct caller *caller = userdata;
    struct pgrpc_result result = {0};
    char text[32];
    for (int i = 0; i < CALLS_PER_THREAD; i++) {
        snprintf(text, sizeof(text), "%p %d", userdata, i);
        caller->good += call_once(caller->channel, i % 2 ? INLINE : SAY, text, &result);
    }
    pgrpc_result_clear(&result);
    return NULL;
}

static void share(struct fixture *fixture, struct pgrpc_channel *channel)
{
    pthread_t threads[THREADS];
    struct caller callers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){fixture, channel, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, call_many, &callers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(callers[i].good, CALLS_PER_THREAD);
    }
}

static void threads_share_a_channel_and_hand_over_the_lead(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 1);
    share(&fixture, fixture.channel);
    stop(&fixture);
}

static void loops_of_a_server_share_its_connections(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 3);
    struct pgrpc_channel *channels[6];
    struct pgrpc_result result = {0};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pgrpc_channel_new(fixture.target, pgrpc_credentials_insecure(), NULL,
                                           &channels[i], NULL),
                         PGRPC_OK);
        assert_true(call_once(channels[i], INLINE, "spread", &result));
    }
    share(&fixture, channels[0]);
    pgrpc_result_clear(&result);
    for (int i = 0; i < 6; i++)
        pgrpc_channel_unref(channels[i]);
    stop(&fixture);
}

static void *run_loop(void *userdata)
{
    assert_int_equal(pgrpc_loop_run(userdata), 0);
    return NULL;
}

static void given_loop_serves_blocking_calls_of_other_threads(void **state)
{
    struct fixture fixture;
    pthread_t thread;
    struct pgrpc_channel *channel;
    (void)state;
    start(&fixture, 1);
    struct pgrpc_loop *loop = pgrpc_loop_new(NULL);
    struct pgrpc_channel_options options = {.size = sizeof(options), .loop = loop};
    assert_int_equal(
        pgrpc_channel_new(fixture.target, pgrpc_credentials_insecure(), &options, &channel, NULL),
        PGRPC_OK);
    assert_int_equal(pthread_create(&thread, NULL, run_loop, loop), 0);
    share(&fixture, channel);
    pgrpc_loop_stop(loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pgrpc_channel_unref(channel);
    pgrpc_loop_free(loop);
    stop(&fixture);
}

static void refuse_in_callback(void *userdata)
{
    struct caller *caller = userdata;
    struct pgrpc_result result = {0};
    assert_false(call_once(caller->channel, SAY, "never", &result));
    assert_int_equal(result.status.code, PGRPC_INTERNAL);
    assert_non_null(strstr(result.status.message, "callback"));
    pgrpc_result_clear(&result);
    caller->good = 1;
    pgrpc_loop_stop(pgrpc_channel_loop(caller->channel));
}

static void blocking_call_in_a_callback_of_its_loop_is_refused(void **state)
{
    struct fixture fixture;
    struct caller caller = {&fixture, NULL, 0};
    (void)state;
    start(&fixture, 1);
    struct pgrpc_loop *loop = pgrpc_loop_new(NULL);
    struct pgrpc_channel_options options = {.size = sizeof(options), .loop = loop};
    assert_int_equal(pgrpc_channel_new(fixture.target, pgrpc_credentials_insecure(), &options,
                                       &caller.channel, NULL),
                     PGRPC_OK);
    assert_int_equal(pgrpc_loop_post(loop, refuse_in_callback, &caller), 0);
    assert_int_equal(pgrpc_loop_run(loop), 0);
    assert_int_equal(caller.good, 1);
    pgrpc_channel_unref(caller.channel);
    pgrpc_loop_free(loop);
    stop(&fixture);
}

static void await(_Atomic int *count, int value)
{
    struct timespec pause = {0, 1000000};
    while (atomic_load(count) < value)
        nanosleep(&pause, NULL);
}

static void what_a_blocking_call_says_leaves_without_a_wait(void **state)
{
    struct fixture fixture;
    struct pgrpc_bytes bytes = {"x", 1};
    (void)state;
    start(&fixture, 1);
    struct pgrpc_call *call = pgrpc_call_open(fixture.channel, &methods[CHAT], NULL, NULL);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(pgrpc_call_send(call, &bytes, 0), PGRPC_IO_DONE);
        await(&fixture.chatted, i);
    }
    pgrpc_call_unref(call);
    for (int i = 1; i <= 2; i++) {
        call = pgrpc_call_open(fixture.channel, &methods[HANG], &bytes, NULL);
        await(&fixture.hanging, i);
        if (i == 1)
            pgrpc_call_cancel(call);
        else
            pgrpc_call_unref(call);
        await(&fixture.hang_cancelled, i);
        if (i == 1)
            pgrpc_call_unref(call);
    }
    stop(&fixture);
}

static void *cancel_when_hanging(void *userdata)
{
    struct caller *caller = userdata;
    struct timespec pause = {0, 1000000};
    while (atomic_load(&caller->fixture->hanging) == 0)
        nanosleep(&pause, NULL);
    pgrpc_call_cancel((struct pgrpc_call *)(void *)caller->channel);
    return NULL;
}

static void another_thread_cancels_a_waiting_call_and_the_handler_sees_it(void **state)
{
    struct fixture fixture;
    pthread_t thread;
    const void *message;
    (void)state;
    start(&fixture, 1);
    struct pgrpc_bytes request = {"x", 1};
    struct pgrpc_call *call = pgrpc_call_open(fixture.channel, &methods[HANG], &request, NULL);
    struct caller caller = {&fixture, (struct pgrpc_channel *)(void *)pgrpc_call_ref(call), 0};
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_hanging, &caller), 0);
    assert_int_equal(pgrpc_call_recv(call, &message, NULL), PGRPC_IO_CLOSED);
    assert_int_equal(pgrpc_call_status(call)->code, PGRPC_CANCELLED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pgrpc_call_unref(call);
    pgrpc_call_unref(call);
    stop(&fixture);
    assert_int_equal(fixture.hang_cancelled, 1);
}

/* Calls |method| with a deadline, a longer one each time, until the handler that hangs was reached
 * before it. */
static void exceed_a_deadline(struct fixture *fixture, int method)
{
    struct pgrpc_result result = {0};
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 50};
    struct pgrpc_bytes request = {"x", 1};
    int before = atomic_load(&fixture->hanging);
    while (atomic_load(&fixture->hanging) == before) {
        options.timeout_ms *= 2;
        assert_null(
            pgrpc_call_unary(fixture->channel, &methods[method], &request, &options, &result));
        assert_int_equal(result.status.code, PGRPC_DEADLINE_EXCEEDED);
    }
    pgrpc_result_clear(&result);
}

static void deadline_ends_a_waiting_call_on_both_ends_and_through_a_parent(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 1);
    exceed_a_deadline(&fixture, HANG);
    exceed_a_deadline(&fixture, RELAY);
    await(&fixture.hang_cancelled, atomic_load(&fixture.hanging));
    stop(&fixture);
}

/* A call that waits on a loop of which nobody takes care, in one of the three ways to wait. */
struct forlorn {
    struct pgrpc_channel *channel;
    enum { RECEIVES, SENDS, WAITS } how;
    enum pgrpc_code code;
};

static void *wait_for_nobody(void *userdata)
{
    static const char text[70000];
    struct forlorn *forlorn = userdata;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 1};
    struct pgrpc_bytes bytes = {text, sizeof(text)};
    const void *message;
    struct pgrpc_call *call = pgrpc_call_open(forlorn->channel, &methods[CHAT], NULL, &options);
    if (forlorn->how == RECEIVES)
        pgrpc_call_recv(call, &message, NULL);
    while (forlorn->how == SENDS && pgrpc_call_send(call, &bytes, 0) == PGRPC_IO_DONE)
        continue;
    forlorn->code =
        forlorn->how == WAITS ? pgrpc_call_wait(call)->code : pgrpc_call_status(call)->code;
    pgrpc_call_unref(call);
    return NULL;
}

static void deadline_ends_a_call_also_when_nobody_turns_its_loop(void **state)
{
    struct pgrpc_loop *loop = pgrpc_loop_new(NULL);
    struct pgrpc_channel_options options = {.size = sizeof(options), .loop = loop};
    struct forlorn forlorn = {0};
    pthread_t thread;
    (void)state;
    assert_int_equal(pgrpc_channel_new("unix:/dev/null", pgrpc_credentials_insecure(), &options,
                                       &forlorn.channel, NULL),
                     PGRPC_OK);
    for (int how = RECEIVES; how <= WAITS; how++) {
        forlorn.how = how;
        forlorn.code = PGRPC_OK;
        assert_int_equal(pthread_create(&thread, NULL, wait_for_nobody, &forlorn), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(forlorn.code, PGRPC_DEADLINE_EXCEEDED);
    }
    pgrpc_channel_unref(forlorn.channel);
    while (pgrpc_loop_dispatch(loop, 0) > 0)
        continue;
    pgrpc_loop_free(loop);
}

static struct pgrpc_server *signalled;

static void on_signal(int number)
{
    (void)number;
    pgrpc_server_shutdown(signalled, 200);
}

static void shutdown_from_a_signal_handler_ends_the_server(void **state)
{
    struct fixture fixture;
    struct pgrpc_result result = {0};
    struct sigaction action = {.sa_handler = on_signal}, before;
    (void)state;
    start(&fixture, 2);
    assert_true(call_once(fixture.channel, SAY, "before", &result));
    signalled = fixture.server;
    sigaction(SIGUSR1, &action, &before);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(pthread_join(fixture.thread, NULL), 0);
    assert_true(pgrpc_server_is_stopped(fixture.server));
    sigaction(SIGUSR1, &before, NULL);
    assert_false(call_once(fixture.channel, SAY, "after", &result));
    assert_int_equal(result.status.code, PGRPC_UNAVAILABLE);
    pgrpc_result_clear(&result);
    pgrpc_channel_unref(fixture.channel);
    pgrpc_channel_unref(fixture.relay);
    pgrpc_server_free(fixture.server);
}

static void restarted_server_is_found_again(void **state)
{
    struct fixture fixture;
    struct pgrpc_result result = {0};
    struct pgrpc_call_options options = {
        .size = sizeof(options), .wait_for_ready = true, .timeout_ms = 20000};
    struct pgrpc_channel_options channel_options = {.size = sizeof(channel_options),
                                                    .backoff_initial_ms = 10};
    struct pgrpc_bytes request = {"x", 1};
    char path[64], address[80];
    (void)state;
    snprintf(path, sizeof(path), "/tmp/picogrpc-test-%d.sock", (int)getpid());
    snprintf(address, sizeof(address), "unix:%s", path);
    struct pgrpc_channel *channel;
    assert_int_equal(
        pgrpc_channel_new(address, pgrpc_credentials_insecure(), &channel_options, &channel, NULL),
        PGRPC_OK);
    for (int round = 0; round < 2; round++) {
        unlink(path);
        start(&fixture, 1);
        assert_int_equal(
            pgrpc_server_listen(fixture.server, address, pgrpc_credentials_insecure(), NULL),
            PGRPC_OK);
        assert_non_null(pgrpc_call_unary(channel, &methods[SAY], &request, &options, &result));
        stop(&fixture);
    }
    unlink(path);
    pgrpc_result_clear(&result);
    pgrpc_channel_unref(channel);
}

static void child_of_a_fork_gets_an_error_and_no_hang(void **state)
{
    struct fixture fixture;
    struct pgrpc_result result = {0};
    int status = 0;
    (void)state;
    start(&fixture, 1);
    assert_true(call_once(fixture.channel, SAY, "parent", &result));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct pgrpc_result own = {0};
        struct pgrpc_channel *channel;
        bool refused = !call_once(fixture.channel, SAY, "child", &own);
        pgrpc_channel_unref(fixture.channel);
        bool works = pgrpc_channel_new(fixture.target, pgrpc_credentials_insecure(), NULL, &channel,
                                       NULL) == PGRPC_OK &&
                     call_once(channel, SAY, "own", &own);
        _exit(refused && works ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(call_once(fixture.channel, SAY, "parent again", &result));
    pgrpc_result_clear(&result);
    stop(&fixture);
}

static enum pgrpc_code decode_nothing(const void *type, const uint8_t *data, size_t len,
                                      struct pgrpc_arena *arena, const void **message,
                                      const char **error)
{
    (void)type;
    (void)data;
    (void)len;
    (void)arena;
    (void)message;
    *error = "not today";
    return PGRPC_INTERNAL;
}

static void who_waits_for_the_end_knows_whether_the_reply_is_good(void **state)
{
    struct pgrpc_codec codec = pgrpc_codec_raw;
    struct pgrpc_call_options options = {.size = sizeof(options)};
    const struct pgrpc_bytes request = {"hi", 2};
    struct fixture fixture;
    const void *reply = NULL;
    (void)state;
    start(&fixture, 1);
    struct pgrpc_call *call = pgrpc_call_open(fixture.channel, &methods[SAY], &request, &options);
    assert_int_equal(pgrpc_call_wait(call)->code, PGRPC_OK);
    assert_int_equal(pgrpc_call_recv(call, &reply, NULL), PGRPC_IO_DONE);
    assert_memory_equal(((const struct pgrpc_bytes *)reply)->data, "hi", 2);
    assert_int_equal(pgrpc_call_recv(call, &reply, NULL), PGRPC_IO_END);
    pgrpc_call_unref(call);

    codec.decode = decode_nothing;
    options.codec = &codec;
    call = pgrpc_call_open(fixture.channel, &methods[SAY], &request, &options);
    assert_int_equal(pgrpc_call_wait(call)->code, PGRPC_INTERNAL);
    assert_string_equal(pgrpc_call_status(call)->message,
                        "a received message cannot be decoded: not today");
    assert_int_equal(pgrpc_call_recv(call, &reply, NULL), PGRPC_IO_CLOSED);
    pgrpc_call_unref(call);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_for_the_end_knows_whether_the_reply_is_good),
        cmocka_unit_test(unary_and_stream_wait_in_the_caller),
        cmocka_unit_test(what_a_blocking_call_says_leaves_without_a_wait),
        cmocka_unit_test(threads_share_a_channel_and_hand_over_the_lead),
        cmocka_unit_test(loops_of_a_server_share_its_connections),
        cmocka_unit_test(given_loop_serves_blocking_calls_of_other_threads),
        cmocka_unit_test(blocking_call_in_a_callback_of_its_loop_is_refused),
        cmocka_unit_test(another_thread_cancels_a_waiting_call_and_the_handler_sees_it),
        cmocka_unit_test(deadline_ends_a_waiting_call_on_both_ends_and_through_a_parent),
        cmocka_unit_test(deadline_ends_a_call_also_when_nobody_turns_its_loop),
        cmocka_unit_test(shutdown_from_a_signal_handler_ends_the_server),
        cmocka_unit_test(restarted_server_is_found_again),
        cmocka_unit_test(child_of_a_fork_gets_an_error_and_no_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
