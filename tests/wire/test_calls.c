/* The contract of calls: events, their order, what sending and receiving say, and wrong use. */
#include "../support/phrases.h"
#include "../support/probe.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* Our client and our server in one process; calls of |method| are the probe |server|. */
static void join(struct world *world, enum world_method method, struct probe *server)
{
    server->finishes = true;
    world->bindings[method].invoke = probe_invoke;
    world->userdata = server;
    world_start_server(world, NULL);
    world_start_client_in_process(world, NULL);
    assert_non_null(world->channel);
}

/* Our client before a peer by hand, on a connection that is there. */
static void connect(struct world *world)
{
    world_begin(world, WORLD_UNARY, "first", NULL);
    world_answer(world, "yes");
    world_talk(world);
    world->id = 3;
}

/* --- on_done ------------------------------------------------------------------------------------
 */

/* Whatever is wrong with a call: on_done comes once, last, and not from the starter. */
static void on_done_never_comes_from_the_starter(void **state)
{
    struct world *world = *state;
    struct pgrpc_metadatum bad = {"Bad", "x", 1};
    struct pgrpc_call_options expired = {.size = sizeof(expired), .timeout_ms = -1};
    struct pgrpc_call_options bad_metadata = {
        .size = sizeof(bad_metadata), .metadata = &bad, .metadata_count = 1};
    struct pgrpc_call_options bad_compression = {.size = sizeof(bad_compression),
                                                 .compression = "none"};
    struct {
        enum world_method method;
        const char *request;
        const struct pgrpc_call_options *options;
    } cases[] = {
        {WORLD_UNARY, "hi", &expired},
        {WORLD_UNARY, "hi", &bad_metadata},
        {WORLD_UNARY, "hi", &bad_compression},
        {WORLD_UNARY, NULL, NULL},
        {WORLD_BIDI, "hi", NULL},
        {WORLD_UNARY, "hi", NULL},
    };
    world->refuses = true;
    world_start_client(world, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct probe probe = {0};
        probe_start(&probe, world, cases[i].method, cases[i].request, cases[i].options);
        assert_string_equal(probe.log, "");
        world_run(world);
        assert_int_equal(probe.done_count, 1);
        assert_int_not_equal(probe.code, PGRPC_OK);
    }
}

/* The same when the call is cancelled in every possible moment. */
static void cancel_at(struct probe *probe, const char *event)
{
    if (strcmp(event, probe->userdata) == 0) {
        struct pgrpc_call *call = probe->call;
        pgrpc_call_ref(call);
        pgrpc_call_cancel(call);
        pgrpc_call_cancel(call);
        assert_int_equal(probe->done_count, strcmp(event, "done") == 0);
        pgrpc_call_unref(call);
    }
}

static void a_call_may_be_cancelled_in_any_event(void **state)
{
    static const struct {
        const char *event, *log;
    } cases[] = {
        {"headers", "headers\nreadable\ndone CANCELLED cancelled\n"},
        {"readable", "headers\nreadable\ndone CANCELLED cancelled\n"},
        {"done", "headers\nreadable\nreadable\ndone OK \n"},
    };
    struct world *world = *state;
    connect(world);
    for (size_t i = 0; i < COUNT(cases); i++, world->id += 2) {
        struct probe probe = {.act = cancel_at, .userdata = (void *)(uintptr_t)cases[i].event};
        probe_start(&probe, world, WORLD_BIDI, NULL, NULL);
        world_hear(world);
        world_response(world, 0, world->id, "");
        world_message(world, 0, world->id, "one");
        world_hear(world);
        if (i == 2) {
            assert_int_equal(probe_recv(&probe), PGRPC_IO_DONE);
            assert_int_equal(probe_recv(&probe), PGRPC_IO_AGAIN);
            *strstr(probe.log, "message") = '\0';
            world_trailers(world, world->id, "grpc-status=0");
            assert_string_equal(world_hear(world), WORLD_STOP);
        }
        assert_int_equal(probe.done_count, 1);
        assert_string_equal(probe.log, cases[i].log);
    }
    world->id -= 2;
    world_check(world);
}

static void send_too_much(struct probe *probe, const char *event)
{
    if (strcmp(event, "writable") == 0)
        assert_int_equal(probe_send(probe, "0123456789abcdef", 0), PGRPC_IO_CLOSED);
}

/* The end makes a last on_readable due, also when it comes from inside another event. */
static void on_done_is_last_when_an_event_ends_the_call(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {
        .size = sizeof(options), .send_high_water_bytes = 10, .max_send_bytes = 10};
    struct probe probe = {.act = send_too_much};
    world_start_client(world, &options);
    connect(world);
    raw_settings(&world->out, 4, 0, 0);
    world_talk(world);
    probe_start(&probe, world, WORLD_BIDI, NULL, NULL);
    assert_int_equal(probe_send(&probe, "0123456789", 0), PGRPC_IO_DONE);
    assert_int_equal(probe_send(&probe, "0123456789", 0), PGRPC_IO_AGAIN);
    raw_window_update(&world->out, 3, 100);
    world_talk(world);
    assert_string_equal(probe.log, "writable\nreadable\ndone RESOURCE_EXHAUSTED "
                                   "the message has 16 bytes, max_send_bytes is 10\n");
}

static void a_call_may_be_cancelled_before_the_loop_turns(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    world_start_client(world, NULL);
    probe_start(&probe, world, WORLD_BIDI, NULL, NULL);
    pgrpc_call_cancel(probe.call);
    assert_string_equal(probe.log, "");
    world_run(world);
    assert_string_equal(probe.log, "readable\ndone CANCELLED cancelled\n");
}

static void finished_by_the_client_the_call_has_its_status(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    connect(world);
    probe_start(&probe, world, WORLD_BIDI, NULL, NULL);
    world_hear(world);
    assert_int_equal(pgrpc_call_finish(probe.call, PGRPC_ABORTED, "had %s", "enough"), PGRPC_OK);
    assert_int_equal(pgrpc_call_finish(probe.call, PGRPC_OK, NULL), PGRPC_FAILED_PRECONDITION);
    assert_string_equal(pgrpc_call_error(probe.call), "the call is over");
    assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
    assert_string_equal(probe.log, "readable\ndone ABORTED had enough\n");
    world_check(world);
}

/* --- receiving ----------------------------------------------------------------------------------
 */

static void on_readable_comes_once_after_again(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    connect(world);
    probe_start(&probe, world, WORLD_SERVER_STREAM, "hi", NULL);
    world_talk(world);
    world_response(world, 0, 3, "");
    world_talk(world);
    assert_string_equal(probe.log, "headers\n");
    world_message(world, 0, 3, "one");
    world_talk(world);
    world_message(world, 0, 3, "two");
    world_talk(world);
    assert_string_equal(probe.log, "headers\nreadable\n"); /* nobody has read */
    probe_recv(&probe);
    world_message(world, 0, 3, "three");
    world_talk(world);
    probe_recv(&probe);
    probe_recv(&probe);
    world_run(world);
    assert_string_equal(probe.log, "headers\nreadable\nmessage one\nmessage two\nmessage three\n");
    probe.log[0] = '\0';
    probe_recv(&probe);
    world_message(world, 0, 3, "four");
    world_talk(world);
    assert_string_equal(probe.log, "again\nreadable\n");
    /* The end is something to read, too. */
    probe_recv(&probe);
    probe_recv(&probe);
    probe.log[0] = '\0';
    world_trailers(world, 3, "grpc-status=0");
    world_talk(world);
    assert_string_equal(probe.log, "readable\ndone OK \n");
}

static void a_unary_reply_can_be_read_with_its_status(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    connect(world);
    probe_start(&probe, world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(probe_recv(&probe), PGRPC_IO_AGAIN);
    world_talk(world);
    world_response(world, 0, 3, "");
    world_message(world, 0, 3, "yes");
    world_talk(world);
    assert_int_equal(probe_recv(&probe), PGRPC_IO_AGAIN);
    assert_string_equal(probe.log, "again\nheaders\nagain\n");
    struct pgrpc_call *call = pgrpc_call_ref(probe.call);
    world_trailers(world, 3, "grpc-status=0|a=b");
    world_talk(world);
    assert_string_equal(probe.log, "again\nheaders\nagain\nreadable\ndone OK \n");
    /* It stays with the call as long as somebody holds that. */
    const void *message;
    assert_int_equal(pgrpc_call_recv(call, &message, NULL), PGRPC_IO_DONE);
    const struct pgrpc_bytes *bytes = message;
    assert_int_equal(bytes->len, 3);
    assert_memory_equal(bytes->data, "yes", 3);
    assert_string_equal(pgrpc_metadata_find(pgrpc_call_trailers(call), "a")->value, "b");
    assert_non_null(pgrpc_call_headers(call));
    assert_string_equal(pgrpc_call_peer(call), "pipe:");
    assert_string_equal(pgrpc_call_path(call), "/test.Echo/Say");
    assert_int_equal(pgrpc_call_recv(call, &message, NULL), PGRPC_IO_END);
    assert_int_equal(pgrpc_call_recv(call, &message, NULL), PGRPC_IO_END);
    pgrpc_call_unref(call);
}

static void the_end_and_a_failure_are_told_apart(void **state)
{
    static const char *const statuses[] = {"grpc-status=0", "grpc-status=4"};
    struct world *world = *state;
    connect(world);
    for (size_t i = 0; i < 2; i++, world->id += 2) {
        struct probe probe = {0};
        probe_start(&probe, world, WORLD_SERVER_STREAM, "hi", NULL);
        world_talk(world);
        world_response(world, 0, world->id, "");
        world_message(world, 0, world->id, "one");
        world_trailers(world, world->id, statuses[i]);
        world_talk(world);
        assert_string_equal(probe.log, "headers\nreadable\n"); /* on_done waits for the reader */
        assert_int_equal(pgrpc_call_status(probe.call)->code, i ? PGRPC_DEADLINE_EXCEEDED : 0);
        probe_recv(&probe);
        probe_recv(&probe);
        world_run(world);
        assert_string_equal(probe.log,
                            i ? "headers\nreadable\nmessage one\nclosed\ndone DEADLINE_EXCEEDED \n"
                              : "headers\nreadable\nmessage one\nend\ndone OK \n");
    }
}

/* Whoever has no on_readable does not read, and is not waited for. */
static unsigned bare_done;
static void count_done(struct pgrpc_call *call, void *userdata)
{
    (void)call;
    (void)userdata;
    bare_done++;
}

static void without_on_readable_on_done_does_not_wait(void **state)
{
    struct world *world = *state;
    struct pgrpc_bytes hi = {"hi", 2};
    struct pgrpc_call_events events = {.size = sizeof(events), .on_done = count_done};
    connect(world);
    bare_done = 0;
    pgrpc_call_start(world->channel, &world->methods[WORLD_SERVER_STREAM], &hi, NULL, &events,
                     NULL);
    /* No events at all is possible as well. */
    pgrpc_call_start(world->channel, &world->methods[WORLD_SERVER_STREAM], &hi, NULL, NULL, NULL);
    world_talk(world);
    for (world->id = 3; world->id <= 5; world->id += 2)
        world_answer(world, "unread");
    world_talk(world);
    assert_int_equal(bare_done, 1);
}

/* Outside of any callback: what follows a bad message must not hold on_done back. */
static void a_bad_message_ends_a_call_that_was_over(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    connect(world);
    probe_start(&probe, world, WORLD_SERVER_STREAM, "hi", NULL);
    world_talk(world);
    world_response(world, 0, 3, "grpc-encoding=gzip");
    world_framed(world, 0, 3, 1, "rubbish", 7);
    world_message(world, 0, 3, "after it");
    world_trailers(world, 3, "grpc-status=0");
    world_talk(world);
    assert_string_equal(probe.log, "headers\nreadable\n");
    assert_int_equal(probe_recv(&probe), PGRPC_IO_CLOSED);
    world_run(world);
    assert_string_equal(probe.log, "headers\nreadable\nclosed\ndone INTERNAL gzip message is "
                                   "malformed: incorrect header check\n");
}

static void answer_with_rubbish(struct world *world)
{
    world->id += 2;
    world_response(world, 0, world->id, "grpc-encoding=gzip");
    world_framed(world, 0, world->id, 1, "rubbish", 7);
    world_trailers(world, world->id, "grpc-status=0");
    world_talk(world);
}

static enum pgrpc_code code_when_done;

static void note_code(struct pgrpc_call *call, void *userdata)
{
    (void)userdata;
    code_when_done = pgrpc_call_status(call)->code;
}

static void a_reply_that_cannot_be_used_is_no_success_when_done(void **state)
{
    static const struct pgrpc_call_events events = {.size = sizeof(events), .on_done = note_code};
    struct world *world = *state;
    struct pgrpc_bytes hi = {"hi", 2};
    const void *message = NULL;
    connect(world);
    world->id = 1;
    struct pgrpc_call *call = pgrpc_call_ref(
        pgrpc_call_start(world->channel, &world->methods[WORLD_UNARY], &hi, NULL, &events, NULL));
    world_talk(world);
    answer_with_rubbish(world);
    assert_int_equal(code_when_done, PGRPC_INTERNAL);
    assert_string_equal(pgrpc_call_status(call)->message,
                        "gzip message is malformed: incorrect header check");
    assert_int_equal(pgrpc_call_recv(call, &message, NULL), PGRPC_IO_CLOSED);
    assert_null(message);
    pgrpc_call_unref(call);
    world_check(world);
}

/* Stands for another thread, which asks for the reply while it is being decoded. */
static struct pgrpc_call *asked;

static enum pgrpc_code decode_while_asked(const void *type, const uint8_t *data, size_t len,
                                          struct pgrpc_arena *arena, const void **message,
                                          const char **error)
{
    const void *other = NULL;
    enum pgrpc_code code = pgrpc_codec_raw.decode(type, data, len, arena, message, error);
    assert_int_equal(pgrpc_call_recv(asked, &other, NULL), PGRPC_IO_AGAIN);
    return code;
}

static void a_reply_that_is_asked_for_too_early_is_not_lost(void **state)
{
    struct pgrpc_codec codec = pgrpc_codec_raw;
    struct world *world = *state;
    struct pgrpc_bytes hi = {"hi", 2};
    const void *message = NULL;
    connect(world);
    world->id = 3;
    codec.decode = decode_while_asked;
    world->methods[WORLD_UNARY].codec = &codec;
    asked = pgrpc_call_ref(
        pgrpc_call_start(world->channel, &world->methods[WORLD_UNARY], &hi, NULL, NULL, NULL));
    world_talk(world);
    world_answer(world, "yes");
    world_talk(world);
    assert_int_equal(pgrpc_call_recv(asked, &message, NULL), PGRPC_IO_DONE);
    assert_int_equal(((const struct pgrpc_bytes *)message)->len, 3);
    pgrpc_call_unref(asked);
}

static void a_message_outlives_receives_that_have_nothing(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    const void *message, *other;
    connect(world);
    probe_start(&probe, world, WORLD_SERVER_STREAM, "hi", NULL);
    world_talk(world);
    world_response(world, 0, 3, "");
    world_message(world, 0, 3, "one");
    world_talk(world);
    assert_int_equal(pgrpc_call_recv(probe.call, &message, NULL), PGRPC_IO_DONE);
    const struct pgrpc_bytes *one = message;
    assert_int_equal(pgrpc_call_recv(probe.call, &other, NULL), PGRPC_IO_AGAIN);
    raw_data(&world->out, 0, 3, (const uint8_t *)"\0\0\0\0\3tw",
             7); /* the next one is on its way */
    world_talk(world);
    assert_int_equal(pgrpc_call_recv(probe.call, &other, NULL), PGRPC_IO_AGAIN);
    assert_int_equal(one->len, 3);
    assert_memory_equal(one->data, "one", 3);
    pgrpc_call_cancel(probe.call);
    world_run(world);
}

static void messages_say_whether_they_came_compressed(void **state)
{
    static const uint8_t gzip[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3,
                                   3,    0,    0, 0, 0, 0, 0, 0, 0, 0};
    struct world *world = *state;
    struct probe probe = {0};
    connect(world);
    probe_start(&probe, world, WORLD_SERVER_STREAM, "hi", NULL);
    world_talk(world);
    world_response(world, 0, 3, "grpc-encoding=gzip");
    world_framed(world, 0, 3, 1, gzip, sizeof(gzip));
    world_framed(world, 0, 3, 0, "", 0);
    world_talk(world);
    const void *message;
    unsigned flags = 99;
    assert_int_equal(pgrpc_call_recv(probe.call, &message, &flags), PGRPC_IO_DONE);
    assert_int_equal(flags, PGRPC_MESSAGE_COMPRESSED);
    assert_int_equal(pgrpc_call_recv(probe.call, &message, &flags), PGRPC_IO_DONE);
    assert_int_equal(flags, 0);
    pgrpc_call_cancel(probe.call);
    world_run(world);
}

/* --- sending ------------------------------------------------------------------------------------
 */

static void sending_says_again_above_the_mark(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .send_high_water_bytes = 1000};
    struct probe probe = {0};
    char text[501];
    memset(text, 'x', 500);
    text[500] = '\0';
    world_start_client(world, &options);
    connect(world);
    probe_start(&probe, world, WORLD_BIDI, NULL, NULL);
    world_talk(world);
    raw_settings(&world->out, 4, 100, 0); /* little window, so that it is queued */
    world_talk(world);
    raw_settings(&world->out, 4, 0, 0);
    world_talk(world);
    assert_int_equal(probe_send(&probe, text, 0), PGRPC_IO_DONE);
    assert_int_equal(probe_send(&probe, text, 0), PGRPC_IO_DONE);
    size_t queued = pgrpc_call_queued_bytes(probe.call);
    assert_int_equal(queued, 1010);
    assert_int_equal(probe_send(&probe, text, 0), PGRPC_IO_AGAIN);
    assert_int_equal(probe_send(&probe, text, 0), PGRPC_IO_AGAIN);
    assert_int_equal(pgrpc_call_queued_bytes(probe.call), queued); /* nothing was taken */
    world_run(world);
    assert_string_equal(probe.log, "");
    /* It may be tried again when half is gone, and that is said once. */
    raw_window_update(&world->out, 3, 500);
    world_talk(world);
    assert_string_equal(probe.log, "");
    raw_window_update(&world->out, 3, 10);
    world_talk(world);
    assert_string_equal(probe.log, "writable\n");
    raw_window_update(&world->out, 3, 500);
    world_talk(world);
    assert_string_equal(probe.log, "writable\n");
    assert_int_equal(probe_send(&probe, text, 0), PGRPC_IO_DONE);
    pgrpc_call_cancel(probe.call);
    world_talk(world);
}

static void the_end_of_a_call_is_told_to_its_sender(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .send_high_water_bytes = 10};
    struct probe probe = {0};
    world_start_client(world, &options);
    connect(world);
    raw_settings(&world->out, 4, 0, 0);
    world_talk(world);
    probe_start(&probe, world, WORLD_BIDI, NULL, NULL);
    assert_int_equal(probe_send(&probe, "0123456789", 0), PGRPC_IO_DONE);
    assert_int_equal(probe_send(&probe, "0123456789", 0), PGRPC_IO_AGAIN);
    world_talk(world);
    world_response(world, RAW_END_STREAM, 3, "grpc-status=8");
    struct pgrpc_call *call = pgrpc_call_ref(probe.call);
    world_talk(world);
    assert_string_equal(probe.log, "readable\nwritable\ndone RESOURCE_EXHAUSTED \n");
    probe.call = call;
    assert_int_equal(probe_send(&probe, "more", 0), PGRPC_IO_CLOSED);
    assert_int_equal(pgrpc_call_queued_bytes(call), 0);
    pgrpc_call_unref(call);
}

static void server_sends_by_the_same_rules(void **state)
{
    struct world *world = *state;
    struct probe server = {.finishes = true};
    struct pgrpc_server_options options = {.size = sizeof(options), .send_high_water_bytes = 20};
    world->bindings[WORLD_BIDI].invoke = probe_invoke;
    world->userdata = &server;
    world_start_server(world, &options);
    raw_magic(&world->out);
    raw_settings(&world->out, 4, 0, 0);
    raw_settings_ack(&world->out);
    world_request(world, 0, 1, ":path=/test.Echo/Chat");
    world_talk(world);
    assert_int_equal(probe_send(&server, "0123456789", 0), PGRPC_IO_DONE);
    assert_int_equal(probe_send(&server, "0123456789", 0), PGRPC_IO_DONE);
    assert_int_equal(probe_send(&server, "0123456789", 0), PGRPC_IO_AGAIN);
    world->id = 1;
    assert_string_equal(world_hear(world), WORLD_HEAD);
    raw_window_update(&world->out, 1, 30);
    world_hear(world);
    assert_string_equal(server.log, "handler\nwritable\n");
    world_message(world, 0, 1, "abc");
    world_hear(world);
    assert_string_equal(server.log, "handler\nwritable\nreadable\n");
    probe_recv(&server);
    probe_recv(&server);
    raw_data(&world->out, RAW_END_STREAM, 1, NULL, 0);
    world_hear(world);
    probe_recv(&server);
    assert_string_equal(server.log,
                        "handler\nwritable\nreadable\nmessage abc\nagain\nreadable\nend\n");
    assert_int_equal(probe_send(&server, "0123456789", 0), PGRPC_IO_DONE);
    assert_int_equal(pgrpc_call_finish(server.call, PGRPC_OK, NULL), PGRPC_OK);
    server.finishes = false;
    world_run(world);
    assert_int_equal(server.done_count, 0); /* the status waits behind the data */
    raw_window_update(&world->out, 1, 30);
    assert_non_null(strstr(world_hear(world), WORLD_OK));
    assert_int_equal(server.done_count, 1);
    assert_int_equal(server.code, PGRPC_OK);
}

static void texts_live_until_the_next_send(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    connect(world);
    probe_start(&probe, world, WORLD_BIDI, NULL, NULL);
    char *one = pgrpc_message_printf(probe.call, "%d", 12345);
    char *two = pgrpc_message_printf(probe.call, "%01000d", 7);
    assert_string_equal(one, "12345");
    assert_int_equal(strlen(two), 1000);
    assert_int_equal(probe_send(&probe, one, PGRPC_MESSAGE_LAST), PGRPC_IO_DONE);
    world->id = 3;
    assert_non_null(strstr(world_hear(world), "\\x0512345\"\n"));
    char *memory = pgrpc_call_alloc(probe.call, 100000);
    assert_non_null(memory);
    memset(memory, 1, 100000);
    pgrpc_call_cancel(probe.call);
    world_run(world);
}

/* --- wrong use ----------------------------------------------------------------------------------
 */

static void wrong_use_of_a_client_call_says_why(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    struct pgrpc_metadatum entry = {"a", "b", 1};
    connect(world);
    probe_start(&probe, world, WORLD_BIDI, NULL, NULL);
    struct pgrpc_call *call = probe.call;
    assert_string_equal(pgrpc_call_error(call), "");
    assert_int_equal(pgrpc_call_send(call, NULL, 0), PGRPC_IO_CLOSED);
    assert_string_equal(pgrpc_call_error(call), "pgrpc_call_send without a message");
    assert_int_equal(pgrpc_call_add_header(call, &entry), PGRPC_FAILED_PRECONDITION);
    assert_string_equal(pgrpc_call_error(call),
                        "headers were sent: add them before the first message, on the client's "
                        "side in an interceptor's on_start");
    assert_int_equal(pgrpc_call_add_trailer(call, &entry), PGRPC_FAILED_PRECONDITION);
    assert_string_equal(pgrpc_call_error(call), "a client has no trailers");
    assert_int_equal(pgrpc_call_send_headers(call), PGRPC_IO_CLOSED);
    assert_string_equal(pgrpc_call_error(call), "a client's headers are sent when the call starts");
    assert_int_equal(pgrpc_call_set_compression(call, "gzip"), PGRPC_FAILED_PRECONDITION);
    assert_int_equal(pgrpc_call_set_compression(call, "br"), PGRPC_INVALID_ARGUMENT);
    pgrpc_call_set_events(call, NULL, NULL);
    assert_string_equal(pgrpc_call_error(call),
                        "pgrpc_call_set_events is for server calls that run inline");
    pgrpc_call_wait(call);
    assert_string_equal(pgrpc_call_error(call), "pgrpc_call_wait is for opened client calls: in "
                                                "callback mode on_done tells the end");
    assert_int_equal(pgrpc_call_close_send(call), PGRPC_IO_DONE);
    assert_int_equal(pgrpc_call_close_send(call), PGRPC_IO_DONE);
    assert_int_equal(probe_send(&probe, "late", 0), PGRPC_IO_CLOSED);
    assert_string_equal(pgrpc_call_error(call),
                        "pgrpc_call_send after the sending end was closed: no message may follow "
                        "pgrpc_call_close_send or PGRPC_MESSAGE_LAST");
    /* None of it has hurt the call. */
    world->id = 3;
    world_hear(world);
    world_answer(world, "fine");
    world_talk(world);
    probe_recv(&probe);
    world_run(world);
    assert_string_equal(probe.log, "headers\nreadable\nmessage fine\ndone OK \n");
}

static void a_request_is_not_followed_by_another(void **state)
{
    struct world *world = *state;
    struct probe probe = {0};
    connect(world);
    probe_start(&probe, world, WORLD_UNARY, "one", NULL);
    assert_int_equal(probe_send(&probe, "two", 0), PGRPC_IO_CLOSED);
    assert_int_equal(pgrpc_call_close_send(probe.call), PGRPC_IO_DONE);
    pgrpc_call_cancel(probe.call);
    world_run(world);
    assert_int_equal(probe.done_count, 1);
}

static void misuse(struct pgrpc_call *call, const void *message, const void *handlers,
                   void *userdata)
{
    (void)handlers;
    (void)userdata;
    assert_int_equal(pgrpc_call_close_send(call), PGRPC_IO_CLOSED);
    assert_string_equal(pgrpc_call_error(call),
                        "a server ends its messages with pgrpc_call_finish");
    assert_int_equal(pgrpc_call_send(call, NULL, 0), PGRPC_IO_CLOSED);
    pgrpc_call_wait(call);
    assert_int_equal(pgrpc_call_set_compression(call, "zstd"), PGRPC_INVALID_ARGUMENT);
    assert_string_equal(pgrpc_call_error(call),
                        "unknown compression: use gzip, deflate or identity");
    assert_int_equal(pgrpc_call_send(call, message, PGRPC_MESSAGE_LAST), PGRPC_IO_DONE);
    assert_int_equal(pgrpc_call_send(call, message, 0), PGRPC_IO_CLOSED);
    struct pgrpc_metadatum entry = {"a", "b", 1};
    assert_int_equal(pgrpc_call_add_header(call, &entry), PGRPC_FAILED_PRECONDITION);
    assert_int_equal(pgrpc_call_set_compression(call, "gzip"), PGRPC_FAILED_PRECONDITION);
    assert_int_equal(pgrpc_call_add_trailer(call, &entry), PGRPC_OK);
    assert_int_equal(pgrpc_call_finish(call, PGRPC_OK, NULL), PGRPC_OK);
}

static void wrong_use_of_a_server_call_says_why(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_UNARY].invoke = misuse;
    world->bindings[WORLD_BIDI].invoke = misuse;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "hello"),
                        WORLD_HEAD WORLD_DATA("10", "\\x05hello") "HEADERS ID END_STREAM "
                                                                  "grpc-status=0 a=b\n");
}

static void getters_bear_null(void **state)
{
    (void)state;
    assert_int_equal(pgrpc_call_status(NULL)->code, PGRPC_RESOURCE_EXHAUSTED);
    assert_string_equal(pgrpc_call_error(NULL), "");
    assert_null(pgrpc_call_headers(NULL));
    pgrpc_call_unref(NULL);
    pgrpc_call_cancel(NULL);
    pgrpc_call_resume(NULL);
    pgrpc_channel_unref(NULL);
    assert_int_equal(pgrpc_metadata_count(NULL), 0);
    assert_null(pgrpc_metadata_find(NULL, "x"));
}

/* --- both ends ----------------------------------------------------------------------------------
 */

static void a_cancel_is_seen_by_the_handler(void **state)
{
    struct world *world = *state;
    struct probe client = {0}, server = {0};
    join(world, WORLD_BIDI, &server);
    server.finishes = false;
    probe_start(&client, world, WORLD_BIDI, NULL, NULL);
    probe_send(&client, "one", 0);
    world_run(world);
    probe_send(&server, "back", 0);
    struct pgrpc_call *handled = pgrpc_call_ref(server.call);
    pgrpc_call_cancel(client.call);
    world_run(world);
    assert_string_equal(client.log, "readable\ndone CANCELLED cancelled\n");
    assert_string_equal(server.log, "handler\nreadable\ndone CANCELLED cancelled by the client\n");
    /* The handler's call is still there, and says that it is over. */
    server.call = handled;
    assert_true(pgrpc_call_is_cancelled(handled));
    assert_int_equal(probe_send(&server, "more", 0), PGRPC_IO_CLOSED);
    assert_int_equal(probe_recv(&server), PGRPC_IO_CLOSED);
    assert_int_equal(pgrpc_call_finish(handled, PGRPC_OK, NULL), PGRPC_OK);
    assert_int_equal(pgrpc_call_finish(handled, PGRPC_OK, NULL), PGRPC_FAILED_PRECONDITION);
    pgrpc_call_unref(handled);
}

static void a_handlers_cancel_is_seen_by_the_client(void **state)
{
    struct world *world = *state;
    struct probe client = {0}, server = {0};
    join(world, WORLD_BIDI, &server);
    probe_start(&client, world, WORLD_BIDI, NULL, NULL);
    world_run(world);
    pgrpc_call_cancel(server.call);
    world_run(world);
    assert_string_equal(client.log, "readable\ndone CANCELLED the server reset the stream: CANCEL "
                                    "(8)\n");
    assert_string_equal(server.log, "handler\nreadable\ndone CANCELLED cancelled\n");
}

static void a_deadline_is_kept_on_both_ends(void **state)
{
    struct world *world = *state;
    struct probe client = {0}, server = {0};
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 2000};
    join(world, WORLD_BIDI, &server);
    probe_start(&client, world, WORLD_BIDI, NULL, &options);
    world_run(world);
    assert_int_equal(pgrpc_call_remaining_ms(client.call), 2000);
    assert_int_equal(pgrpc_call_remaining_ms(server.call), 2000);
    world_sleep(world, 1999);
    assert_int_equal(pgrpc_call_remaining_ms(server.call), 1);
    assert_false(pgrpc_call_is_cancelled(server.call));
    world_sleep(world, 1);
    assert_string_equal(client.log, "readable\ndone DEADLINE_EXCEEDED deadline of 2000 ms "
                                    "exceeded\n");
    assert_int_equal(server.done_count, 1);
    assert_true(server.code == PGRPC_DEADLINE_EXCEEDED || server.code == PGRPC_CANCELLED);
}

static void back_pressure_holds_a_fast_sender(void **state)
{
    struct world *world = *state;
    struct probe client = {0}, server = {0};
    char text[10001];
    memset(text, 'x', 10000);
    text[10000] = '\0';
    join(world, WORLD_BIDI, &server);
    probe_start(&client, world, WORLD_BIDI, NULL, NULL);
    world_run(world);
    unsigned sent = 0;
    while (probe_send(&client, text, 0) == PGRPC_IO_DONE) {
        sent++;
        world_run(world);
    }
    /* One stream's window on the way, one high-water mark here. */
    assert_true(sent >= 12 && sent <= 15);
    unsigned received = 0;
    while (client.call && received < 100) {
        while (probe_recv(&server) == PGRPC_IO_DONE)
            received++;
        server.log[0] = '\0';
        world_run(world);
        while (sent < 100 &&
               probe_send(&client, text, sent == 99 ? PGRPC_MESSAGE_LAST : 0) == PGRPC_IO_DONE)
            sent++;
        client.log[0] = '\0';
        world_run(world);
    }
    assert_int_equal(received, 100);
    assert_int_equal(pgrpc_call_finish(server.call, PGRPC_OK, NULL), PGRPC_OK);
    world_run(world);
    assert_int_equal(client.code, PGRPC_OK);
    assert_int_equal(client.done_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(on_done_never_comes_from_the_starter),
        WORLD_TEST(a_call_may_be_cancelled_in_any_event),
        WORLD_TEST(on_done_is_last_when_an_event_ends_the_call),
        WORLD_TEST(a_call_may_be_cancelled_before_the_loop_turns),
        WORLD_TEST(finished_by_the_client_the_call_has_its_status),
        WORLD_TEST(on_readable_comes_once_after_again),
        WORLD_TEST(a_unary_reply_can_be_read_with_its_status),
        WORLD_TEST(the_end_and_a_failure_are_told_apart),
        WORLD_TEST(without_on_readable_on_done_does_not_wait),
        WORLD_TEST(a_bad_message_ends_a_call_that_was_over),
        WORLD_TEST(a_reply_that_cannot_be_used_is_no_success_when_done),
        WORLD_TEST(a_reply_that_is_asked_for_too_early_is_not_lost),
        WORLD_TEST(a_message_outlives_receives_that_have_nothing),
        WORLD_TEST(messages_say_whether_they_came_compressed),
        WORLD_TEST(sending_says_again_above_the_mark),
        WORLD_TEST(the_end_of_a_call_is_told_to_its_sender),
        WORLD_TEST(server_sends_by_the_same_rules),
        WORLD_TEST(texts_live_until_the_next_send),
        WORLD_TEST(wrong_use_of_a_client_call_says_why),
        WORLD_TEST(a_request_is_not_followed_by_another),
        WORLD_TEST(wrong_use_of_a_server_call_says_why),
        WORLD_TEST(getters_bear_null),
        WORLD_TEST(a_cancel_is_seen_by_the_handler),
        WORLD_TEST(a_handlers_cancel_is_seen_by_the_client),
        WORLD_TEST(a_deadline_is_kept_on_both_ends),
        WORLD_TEST(back_pressure_holds_a_fast_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
