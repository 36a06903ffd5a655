/* A link on a byte stream that does what the test says, turn by turn, with a clock that stands. */
#include "../support/unit.h"
#include "../support/faulty_allocator.h"
#include "../support/h2_side.h"

#include <stdio.h>
#include <stdlib.h>

#include "h2/link.h"

/* --- a byte stream of the test's ------------------------------------------------------------- */

struct fake_stream {
    struct bytestream base;
    struct raw input; /* to be read */
    size_t input_at;
    bool at_end;
    int read_error;
    struct raw written;
    size_t room; /* what writes still take */
    int write_error;
    bool is_paused;
    bool is_shut;
    bool is_freed;
    unsigned reads;
    unsigned writes;
    int most_vectors;
};

static struct fake_stream *fake_of(struct bytestream *stream)
{
    return CONTAINER_OF(stream, struct fake_stream, base);
}

static ssize_t fake_read(struct bytestream *stream, void *buffer, size_t len)
{
    struct fake_stream *fake = fake_of(stream);
    size_t left = fake->input.len - fake->input_at;
    fake->reads++;
    if (left == 0)
        return fake->read_error ? fake->read_error : fake->at_end ? 0 : -EAGAIN;
    if (len > left)
        len = left;
    memcpy(buffer, fake->input.data + fake->input_at, len);
    fake->input_at += len;
    return (ssize_t)len;
}

static ssize_t fake_writev(struct bytestream *stream, const struct iovec *vectors, int count)
{
    struct fake_stream *fake = fake_of(stream);
    size_t taken = 0;
    assert_false(fake->is_shut);
    fake->writes++;
    if (count > fake->most_vectors)
        fake->most_vectors = count;
    if (fake->write_error)
        return fake->write_error;
    for (int i = 0; i < count && fake->room > 0; i++) {
        size_t len = vectors[i].iov_len < fake->room ? vectors[i].iov_len : fake->room;
        raw_bytes(&fake->written, vectors[i].iov_base, len);
        fake->room -= len;
        taken += len;
    }
    return taken > 0 ? (ssize_t)taken : -EAGAIN;
}

static void fake_pause(struct bytestream *stream, bool paused)
{
    fake_of(stream)->is_paused = paused;
}

static void fake_shutdown(struct bytestream *stream)
{
    fake_of(stream)->is_shut = true;
}

static const struct bytestream_peer *fake_peer(struct bytestream *stream)
{
    static const struct bytestream_peer peer = {"pipe:", "insecure", NULL};
    (void)stream;
    return &peer;
}

static const char *fake_error_text(struct bytestream *stream)
{
    struct fake_stream *fake = fake_of(stream);
    return strerror(fake->write_error ? -fake->write_error : -fake->read_error);
}

static void fake_free(struct bytestream *stream)
{
    fake_of(stream)->is_freed = true;
}

static const struct bytestream_ops fake_ops = {
    fake_read, fake_writev, fake_pause, fake_shutdown, fake_peer, fake_error_text, fake_free};

/* --- a world of one link --------------------------------------------------------------------- */

struct world {
    struct pgrpc_loop *loop;
    int64_t now_ms;
    struct fake_stream stream;
    struct h2_link *link;
    struct h2_side side; /* only its users, logs and reader are used */
    char log[512];
    bool has_closed;
};

static int64_t world_clock(void *userdata)
{
    return ((struct world *)userdata)->now_ms;
}

static void note(struct world *world, const char *text)
{
    size_t len = strlen(world->log);
    snprintf(world->log + len, sizeof(world->log) - len, "%s\n", text);
}

static void on_ready(void *owner)
{
    note(owner, "ready");
}

static struct h2_stream *on_request(void *owner, const struct h2_head *head, bool end_stream)
{
    struct world *world = owner;
    struct h2_user *user = malloc(sizeof(*user));
    (void)head;
    (void)end_stream;
    h2_user_init(user, &world->side);
    user->consumes = true;
    user->next = world->side.users;
    world->side.users = user;
    world->side.user_count++;
    return &user->stream;
}

static void on_draining(void *owner, uint32_t code, const char *debug)
{
    struct world *world = owner;
    char text[128];
    snprintf(text, sizeof(text), "draining %u %s", (unsigned)code, debug);
    note(world, text);
    pgrpc__h2_link_close_when_finished(world->link);
}

static void on_capacity(void *owner)
{
    note(owner, "capacity");
}

static void on_closed(void *owner, const char *text)
{
    struct world *world = owner;
    assert_false(world->has_closed);
    world->has_closed = true;
    note(world, text);
}

static const struct h2_link_events link_events = {on_ready, on_request, on_draining, on_capacity,
                                                  on_closed};

static void turn(struct world *world)
{
    assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
    assert_true(pgrpc__loop_turn(world->loop, 0) >= 0);
    pgrpc__loop_leave_lock(world->loop);
}

static void pass(struct world *world, int64_t ms)
{
    world->now_ms += ms;
    turn(world);
    turn(world);
}

static int world_open(struct world *world, bool is_server, const struct h2_connection_config *given,
                      const struct pgrpc_allocator *allocator)
{
    struct pgrpc_loop_options options = {.size = sizeof(options), .allocator = allocator};
    struct h2_connection_config config;

    memset(world, 0, sizeof(*world));
    world->now_ms = 5000000;
    world->stream.base.ops = &fake_ops;
    world->stream.room = SIZE_MAX;
    world->side.reader = raw_reader_new(!is_server);
    world->loop = pgrpc_loop_new(&options);
    if (!world->loop)
        return -ENOMEM;
    pgrpc__loop_set_clock(world->loop, world_clock, world);
    if (given)
        config = *given;
    else
        h2_side_config(&config, is_server);
    pgrpc__loop_take_lock(world->loop);
    world->loop->now_ms = world->now_ms;
    int error = pgrpc__h2_link_new(world->loop, &world->stream.base, &config, &link_events, world,
                                   &world->link);
    pgrpc__loop_leave_lock(world->loop);
    return error;
}

static void world_close(struct world *world)
{
    if (world->loop) {
        pgrpc__loop_take_lock(world->loop);
        pgrpc__h2_link_free(world->link);
        while (world->side.users) {
            struct h2_user *user = world->side.users;
            world->side.users = user->next;
            h2_user_release(user, H2_CANCEL);
            free(user);
        }
        assert_int_equal(world->loop->receive_quota_used, 0);
        pgrpc__loop_leave_lock(world->loop);
    }
    if (world->link)
        assert_true(world->stream.is_freed);
    pgrpc_loop_free(world->loop);
    raw_reader_free(world->side.reader);
    raw_clear(&world->stream.input);
    raw_clear(&world->stream.written);
}

static void stream_ready(struct world *world)
{
    pgrpc__loop_take_lock(world->loop);
    world->stream.base.events->on_ready(world->stream.base.owner);
    pgrpc__loop_leave_lock(world->loop);
    turn(world);
}

static void readable(struct world *world)
{
    pgrpc__loop_take_lock(world->loop);
    world->stream.base.events->on_readable(world->stream.base.owner);
    pgrpc__loop_leave_lock(world->loop);
    turn(world);
}

static void get(struct world *world, struct raw *raw)
{
    raw_bytes(&world->stream.input, raw->data, raw->len);
    raw_clear(raw);
    readable(world);
}

/* The lines of what was written since the last call. */
static const char *take(struct world *world)
{
    raw_reader_add(world->side.reader, world->stream.written.data, world->stream.written.len);
    raw_clear(&world->stream.written);
    return raw_reader_take(world->side.reader);
}

/* A link with the handshake done. */
static void start(struct world *world, bool is_server)
{
    struct h2_connection_config config;
    struct raw raw = {0};
    h2_side_config(&config, is_server);
    config.stream_window = 1 << 20;
    assert_int_equal(world_open(world, is_server, &config, NULL), 0);
    stream_ready(world);
    if (is_server)
        raw_magic(&raw);
    raw_settings(&raw, 0);
    raw_settings_ack(&raw);
    get(world, &raw);
    assert_string_equal(world->log, "ready\n");
    take(world);
    world->log[0] = '\0';
    world->stream.writes = 0;
    world->stream.reads = 0;
}

static struct h2_connection *connection_of(struct world *world)
{
    return pgrpc__h2_link_connection(world->link);
}

static void open_call(struct world *world, struct h2_user *call, bool end_stream)
{
    pgrpc__loop_take_lock(world->loop);
    world->side.connection = connection_of(world);
    assert_int_equal(h2_user_open(call, &world->side, end_stream), 0);
    pgrpc__loop_leave_lock(world->loop);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void nothing_moves_before_the_stream_is_ready(void **state)
{
    struct world world;
    (void)state;

    assert_int_equal(world_open(&world, false, NULL, NULL), 0);
    turn(&world);
    assert_int_equal(world.stream.writes, 0);
    assert_int_equal(world.stream.reads, 0);
    stream_ready(&world);
    assert_int_equal(world.stream.writes, 1);
    assert_string_equal(take(&world),
                        "MAGIC\nSETTINGS 2=0 4=65536 6=16384\nWINDOW_UPDATE 0 +983041\n");
    assert_string_equal(world.log, "");
    assert_string_equal(pgrpc__h2_link_peer(world.link)->address, "pipe:");
    assert_ptr_equal(pgrpc__h2_link_loop(world.link), world.loop);
    world_close(&world);
}

static void a_turn_writes_once(void **state)
{
    struct world world;
    struct h2_user calls[50];
    (void)state;

    start(&world, false);
    for (int i = 0; i < 50; i++) {
        open_call(&world, &calls[i], false);
        h2_user_send(&calls[i], "hello", 5, true);
    }
    turn(&world);
    assert_int_equal(world.stream.writes, 1);
    assert_non_null(strstr(take(&world), "DATA 99 END_STREAM 5 \"hello\"\n"));
    turn(&world);
    assert_int_equal(world.stream.writes, 1);
    for (int i = 0; i < 50; i++)
        h2_user_release(&calls[i], H2_CANCEL);
    world_close(&world);
}

static void a_short_read_ends_reading(void **state)
{
    struct world world;
    struct raw raw = {0};
    (void)state;

    start(&world, true);
    raw_request(&raw, RAW_END_STREAM, 1);
    get(&world, &raw);
    assert_int_equal(world.stream.reads, 1);
    assert_int_equal(world.side.user_count, 1);
    world_close(&world);
}

static void reading_is_bounded_in_a_turn(void **state)
{
    struct world world;
    struct raw raw = {0};
    static uint8_t data[16384];
    (void)state;

    start(&world, true);
    raw_request(&raw, 0, 1);
    for (int i = 0; i < 40; i++) {
        raw_data(&raw, 0, 1, data, sizeof(data));
        if (i % 2)
            raw_window_update(&raw, 0, 1);
    }
    raw_bytes(&world.stream.input, raw.data, raw.len);
    raw_clear(&raw);
    size_t before = world.stream.input_at;
    readable(&world);
    assert_int_equal(world.stream.reads, 4);
    assert_int_equal(world.stream.input_at - before, 4 * 65536);
    readable(&world);
    readable(&world);
    assert_int_equal(world.stream.input_at, world.stream.input.len);
    assert_int_equal(world.side.users->received.len, 40 * 16384);
    world_close(&world);
}

static void output_that_is_not_taken_waits(void **state)
{
    struct world world;
    struct h2_user call;
    struct raw raw = {0};
    static uint8_t data[3000000];
    (void)state;

    start(&world, false);
    raw_settings(&raw, 4, 0x7fffffff, 0);
    raw_window_update(&raw, 0, 0x70000000);
    get(&world, &raw);
    take(&world);
    world.stream.room = 100000;
    open_call(&world, &call, false);
    h2_user_send(&call, data, sizeof(data), true);
    turn(&world);
    assert_int_equal(world.stream.written.len, 100000);
    /* What is not taken stays with the stream, but for what one write asks for. */
    assert_true(call.output_len >= sizeof(data) - 400000);
    unsigned writes = world.stream.writes;
    turn(&world);
    assert_int_equal(world.stream.writes, writes);
    world.stream.room = SIZE_MAX;
    pgrpc__loop_take_lock(world.loop);
    world.stream.base.events->on_writable(world.stream.base.owner);
    pgrpc__loop_leave_lock(world.loop);
    for (int i = 0; i < 10; i++)
        turn(&world);
    assert_int_equal(call.output_len, 0);
    assert_true(world.stream.most_vectors <= 64);
    assert_true(world.stream.written.len > sizeof(data));
    h2_user_release(&call, H2_CANCEL);
    world_close(&world);
}

/* TLS keeps the record that did not go out and takes nothing of the next write. */
static void a_stream_that_takes_nothing_of_a_full_queue_gets_it_later(void **state)
{
    struct world world;
    struct h2_user call;
    struct raw raw = {0};
    static uint8_t data[1000000];
    (void)state;

    start(&world, false);
    raw_settings(&raw, 4, 0x7fffffff, 0);
    raw_window_update(&raw, 0, 0x70000000);
    get(&world, &raw);
    take(&world);
    world.stream.room = 0;
    open_call(&world, &call, false);
    h2_user_send(&call, data, sizeof(data), true);
    turn(&world);
    assert_int_equal(world.stream.written.len, 0);
    world.stream.room = SIZE_MAX;
    pgrpc__loop_take_lock(world.loop);
    world.stream.base.events->on_writable(world.stream.base.owner);
    pgrpc__loop_leave_lock(world.loop);
    for (int i = 0; i < 10; i++)
        turn(&world);
    assert_true(world.stream.written.len > sizeof(data));
    h2_user_release(&call, H2_CANCEL);
    world_close(&world);
}

static void reading_pauses_while_replies_are_not_taken(void **state)
{
    struct world world;
    struct raw raw = {0};
    (void)state;

    start(&world, false);
    world.stream.room = 0;
    for (int i = 0; i < 150; i++)
        raw_ping(&raw, 0, "12345678");
    get(&world, &raw);
    /* The replies were moved to the outq, which is not taken; more of them pause reading. */
    assert_false(world.stream.is_paused);
    for (int i = 0; i < 150; i++)
        raw_ping(&raw, 0, "12345678");
    get(&world, &raw);
    assert_true(world.stream.is_paused);
    world.stream.room = SIZE_MAX;
    pgrpc__loop_take_lock(world.loop);
    world.stream.base.events->on_writable(world.stream.base.owner);
    pgrpc__loop_leave_lock(world.loop);
    turn(&world);
    assert_false(world.stream.is_paused);
    assert_string_equal(world.log, "");
    world_close(&world);
}

static void the_end_of_the_stream_is_told_clearly(void **state)
{
    struct world world;
    struct h2_user call;
    (void)state;

    start(&world, false);
    open_call(&world, &call, true);
    turn(&world);
    world.stream.at_end = true;
    readable(&world);
    assert_string_equal(world.log, "connection closed by the server\n");
    assert_string_equal(call.log, "closed LOST 0\n");
    h2_user_release(&call, H2_CANCEL);
    world_close(&world);

    assert_int_equal(world_open(&world, false, NULL, NULL), 0);
    stream_ready(&world);
    world.stream.at_end = true;
    readable(&world);
    assert_string_equal(world.log, "connection closed by the server before it sent SETTINGS\n");
    world_close(&world);

    start(&world, true);
    world.stream.at_end = true;
    readable(&world);
    assert_string_equal(world.log, "connection closed by the client\n");
    world_close(&world);
}

static void a_failed_read_is_told_clearly(void **state)
{
    struct world world;
    (void)state;

    start(&world, false);
    world.stream.read_error = -ECONNRESET;
    readable(&world);
    assert_string_equal(world.log, "Connection reset by peer\n");
    world_close(&world);
}

static void a_failed_write_reads_what_the_peer_said_last(void **state)
{
    struct world world;
    struct h2_user calls[2];
    struct raw raw = {0};
    (void)state;

    start(&world, false);
    open_call(&world, &calls[0], true);
    turn(&world);
    open_call(&world, &calls[1], true);
    raw_goaway(&raw, 0, H2_NO_ERROR, "max_age");
    raw_bytes(&world.stream.input, raw.data, raw.len);
    raw_clear(&raw);
    world.stream.write_error = -EPIPE;
    turn(&world);
    turn(&world);
    assert_string_equal(calls[0].log, "closed REFUSED 7\n");
    assert_string_equal(calls[1].log, "closed REFUSED 7\n");
    assert_true(strncmp(world.log, "draining 0 max_age\n", 19) == 0);
    assert_true(world.has_closed);
    h2_user_release(&calls[0], H2_CANCEL);
    h2_user_release(&calls[1], H2_CANCEL);
    world_close(&world);
}

static void what_was_not_taken_is_unsent(void **state)
{
    struct world world;
    struct h2_user calls[2];
    (void)state;

    start(&world, false);
    open_call(&world, &calls[0], true);
    turn(&world);
    world.stream.room = 0;
    open_call(&world, &calls[1], true);
    turn(&world);
    world.stream.read_error = -ECONNRESET;
    readable(&world);
    assert_string_equal(calls[0].log, "closed LOST 0\n");
    assert_string_equal(calls[1].log, "closed UNSENT 0\n");
    h2_user_release(&calls[0], H2_CANCEL);
    h2_user_release(&calls[1], H2_CANCEL);
    world_close(&world);
}

static void a_stream_that_cannot_connect_is_told(void **state)
{
    struct world world;
    (void)state;

    assert_int_equal(world_open(&world, false, NULL, NULL), 0);
    pgrpc__loop_take_lock(world.loop);
    world.stream.base.events->on_failed(world.stream.base.owner, "connection refused");
    pgrpc__loop_leave_lock(world.loop);
    assert_string_equal(world.log, "");
    turn(&world);
    assert_string_equal(world.log, "connection refused\n");
    world_close(&world);
}

static void a_silent_client_is_closed_after_its_time(void **state)
{
    struct world world;
    (void)state;

    assert_int_equal(world_open(&world, true, NULL, NULL), 0);
    turn(&world); /* the handshake's time runs before the stream is ready */
    pass(&world, 9999);
    assert_string_equal(world.log, "");
    pass(&world, 1);
    assert_string_equal(world.log, "the peer sent no HTTP/2 SETTINGS within 10000 ms\n");
    world_close(&world);

    assert_int_equal(world_open(&world, true, NULL, NULL), 0);
    stream_ready(&world);
    pass(&world, 10000);
    assert_non_null(strstr(take(&world), "GOAWAY last=0 code=4 \"handshake_timeout\"\n"));
    assert_true(world.stream.is_shut);
    assert_string_equal(world.log, "");
    pass(&world, 1000);
    assert_string_equal(world.log, "the peer sent no HTTP/2 SETTINGS within 10000 ms\n");
    world_close(&world);
}

static void a_server_lingers_until_the_client_closes(void **state)
{
    struct world world;
    struct raw raw = {0};
    (void)state;

    start(&world, true);
    pgrpc__loop_take_lock(world.loop);
    pgrpc__h2_connection_drain(connection_of(&world), "max_age");
    pgrpc__h2_link_close_when_finished(world.link);
    pgrpc__loop_leave_lock(world.loop);
    turn(&world);
    assert_string_equal(take(&world), "GOAWAY last=2147483647 code=0 \"\"\nPING draining\n");
    assert_false(world.stream.is_shut);
    raw_ping(&raw, RAW_ACK, "draining");
    get(&world, &raw);
    turn(&world);
    assert_string_equal(take(&world), "GOAWAY last=0 code=0 \"max_age\"\n");
    assert_true(world.stream.is_shut);
    assert_false(world.has_closed);
    raw_request(&raw, RAW_END_STREAM, 1); /* dropped */
    get(&world, &raw);
    assert_int_equal(world.side.user_count, 0);
    world.stream.at_end = true;
    readable(&world);
    assert_string_equal(world.log, "connection was drained\n");
    world_close(&world);
}

static void a_client_closes_when_its_calls_are_done(void **state)
{
    struct world world;
    struct h2_user call;
    struct raw raw = {0};
    (void)state;

    start(&world, false);
    open_call(&world, &call, true);
    turn(&world);
    raw_goaway(&raw, 1, H2_NO_ERROR, "max_age");
    get(&world, &raw);
    assert_string_equal(world.log, "draining 0 max_age\n");
    raw_headers(&raw, RAW_END_STREAM, 1, H2_RESPONSE_FIELDS "|grpc-status=0");
    get(&world, &raw);
    turn(&world);
    assert_int_equal(call.end, H2_END_NORMAL);
    assert_string_equal(world.log, "draining 0 max_age\nconnection was drained\n");
    h2_user_release(&call, H2_CANCEL);
    world_close(&world);
}

static void an_abort_that_is_not_taken_ends_by_time(void **state)
{
    struct world world;
    struct raw raw = {0};
    (void)state;

    start(&world, true);
    raw_request(&raw, RAW_END_STREAM, 1);
    get(&world, &raw);
    world.stream.room = 0;
    pgrpc__loop_take_lock(world.loop);
    pgrpc__h2_connection_abort(connection_of(&world), H2_NO_ERROR, "now");
    pgrpc__h2_link_close_when_finished(world.link);
    pgrpc__loop_leave_lock(world.loop);
    turn(&world);
    assert_string_equal(world.side.users->log, "closed LOST 0\n");
    assert_false(world.has_closed);
    pass(&world, 999);
    assert_false(world.has_closed);
    pass(&world, 1);
    assert_string_equal(world.log, "connection was closed: now\n");
    world_close(&world);
}

static void polling_sees_an_end_that_came_while_nobody_looked(void **state)
{
    struct world world;
    struct h2_user call;
    (void)state;

    start(&world, false);
    pgrpc__loop_take_lock(world.loop);
    pgrpc__h2_link_poll(world.link);
    world.side.connection = connection_of(&world);
    assert_int_equal(h2_user_open(&call, &world.side, true), 0);
    h2_user_release(&call, H2_CANCEL);
    world.stream.at_end = true;
    pgrpc__h2_link_poll(world.link);
    assert_int_equal(h2_user_open(&call, &world.side, true), -EPIPE);
    assert_string_equal(world.log, "");
    pgrpc__loop_leave_lock(world.loop);
    turn(&world);
    assert_string_equal(world.log, "connection closed by the server\n");
    world_close(&world);
}

static void an_idle_link_needs_no_time(void **state)
{
    struct world world;
    (void)state;

    start(&world, true);
    pass(&world, 10000); /* the handshake's timer finds nothing to do */
    assert_int_equal(world.loop->timer_count, 0);
    world_close(&world);
}

static void keepalive_runs_on_the_loops_timer(void **state)
{
    struct h2_connection_config config;
    struct world world;
    struct raw raw = {0};
    (void)state;

    h2_side_config(&config, true);
    config.keepalive_ms = 1000;
    assert_int_equal(world_open(&world, true, &config, NULL), 0);
    stream_ready(&world);
    raw_magic(&raw);
    raw_settings(&raw, 0);
    get(&world, &raw);
    take(&world);
    pass(&world, 1000);
    assert_string_equal(take(&world), "PING keeppico\n");
    pass(&world, 20000);
    assert_string_equal(take(&world), "GOAWAY last=0 code=0 \"keepalive_timeout\"\n");
    pass(&world, 1000);
    assert_string_equal(world.log, "ready\nkeepalive: no answer within 20000 ms\n");
    world_close(&world);
}

static void freeing_tells_streams_and_not_the_owner(void **state)
{
    struct world world;
    struct h2_user call;
    (void)state;

    start(&world, false);
    open_call(&world, &call, true);
    turn(&world);
    pgrpc__loop_take_lock(world.loop);
    pgrpc__h2_link_free(world.link);
    world.link = NULL;
    pgrpc__loop_leave_lock(world.loop);
    assert_string_equal(call.log, "closed LOST 0\n");
    assert_string_equal(world.log, "");
    assert_true(world.stream.is_freed);
    h2_user_release(&call, H2_CANCEL);
    world_close(&world);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct world world;
        struct raw raw = {0};
        struct h2_user call;
        bool has_call = false;
        faulty_allocator_init(&faulty, n);
        if (world_open(&world, false, NULL, &faulty.hook) == 0) {
            stream_ready(&world);
            raw_settings(&raw, 0);
            get(&world, &raw);
            pgrpc__loop_take_lock(world.loop);
            world.side.connection = connection_of(&world);
            has_call = h2_user_open(&call, &world.side, false) == 0;
            if (has_call)
                h2_user_send(&call, "hello", 5, true);
            pgrpc__loop_leave_lock(world.loop);
            turn(&world);
            raw_headers(&raw, 0, 1, H2_RESPONSE_FIELDS);
            raw_data(&raw, 0, 1, "answer", 6);
            raw_headers(&raw, RAW_END_STREAM, 1, "grpc-status=0");
            get(&world, &raw);
            world.stream.at_end = true;
            readable(&world);
            turn(&world);
            if (world.link)
                assert_true(world.has_closed);
            if (has_call) {
                assert_true(call.has_closed);
                h2_user_release(&call, H2_CANCEL);
            }
        } else if (world.loop) {
            assert_true(world.stream.is_freed);
        }
        bool has_failed = faulty_allocator_has_failed(&faulty);
        if (!has_failed)
            assert_string_equal(world.log, "ready\nconnection closed by the server\n");
        world_close(&world);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!has_failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_moves_before_the_stream_is_ready),
        cmocka_unit_test(a_turn_writes_once),
        cmocka_unit_test(a_short_read_ends_reading),
        cmocka_unit_test(reading_is_bounded_in_a_turn),
        cmocka_unit_test(output_that_is_not_taken_waits),
        cmocka_unit_test(a_stream_that_takes_nothing_of_a_full_queue_gets_it_later),
        cmocka_unit_test(reading_pauses_while_replies_are_not_taken),
        cmocka_unit_test(the_end_of_the_stream_is_told_clearly),
        cmocka_unit_test(a_failed_read_is_told_clearly),
        cmocka_unit_test(a_failed_write_reads_what_the_peer_said_last),
        cmocka_unit_test(what_was_not_taken_is_unsent),
        cmocka_unit_test(a_stream_that_cannot_connect_is_told),
        cmocka_unit_test(a_silent_client_is_closed_after_its_time),
        cmocka_unit_test(a_server_lingers_until_the_client_closes),
        cmocka_unit_test(a_client_closes_when_its_calls_are_done),
        cmocka_unit_test(an_abort_that_is_not_taken_ends_by_time),
        cmocka_unit_test(polling_sees_an_end_that_came_while_nobody_looked),
        cmocka_unit_test(an_idle_link_needs_no_time),
        cmocka_unit_test(keepalive_runs_on_the_loops_timer),
        cmocka_unit_test(freeing_tells_streams_and_not_the_owner),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
