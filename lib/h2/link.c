#include "h2/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    READ_BYTES = 64 * 1024,
    READ_ROUNDS = 4, /* then others have their turn; the stream stays readable */
    WRITE_BYTES = 256 * 1024,
    WRITE_ROUNDS = 8,
    WRITE_VECTORS = 64,
    /* How long a server that is done waits for the client to close first: data that is still on its
     * way to a closed socket would make the kernel throw away what the client has not read. */
    LINGER_MS = 1000
};

enum link_state {
    LINK_RUNNING,
    LINK_FLUSHING,  /* the connection is over and has something to say */
    LINK_LINGERING, /* all is said; what comes is dropped */
    LINK_DONE       /* on_closed is due or was told */
};

struct h2_link {
    struct pgrpc_loop *loop;
    struct bytestream *stream;
    struct h2_connection *connection;
    const struct h2_link_events *events;
    void *owner;
    struct outq outq;
    struct loop_task flush_task;
    struct loop_task close_task;
    struct loop_timer timer; /* tick, or the end of flushing and lingering */
    enum link_state state;
    bool is_server;
    bool is_stream_ready;
    bool is_ready; /* the peer's SETTINGS came */
    bool is_write_blocked;
    bool is_read_paused;
};

/* --- the end ---------------------------------------------------------------------------------- */

/* Stops and resumes reading as the connection wishes. */
static void update_reading(struct h2_link *link)
{
    bool pause =
        link->state == LINK_DONE || link->state == LINK_FLUSHING ||
        (link->state == LINK_RUNNING && !pgrpc__h2_connection_wants_input(link->connection));
    if (!link->is_stream_ready || pause == link->is_read_paused)
        return;
    link->is_read_paused = pause;
    link->stream->ops->pause_reading(link->stream, pause);
}

static void run_close(struct loop_task *task)
{
    struct h2_link *link = CONTAINER_OF(task, struct h2_link, close_task);
    link->events->on_closed(link->owner, pgrpc__h2_connection_close_text(link->connection));
}

/* Nothing is read or written any more. The owner hears of it from a task of its own. */
static void finish(struct h2_link *link)
{
    if (link->state == LINK_DONE)
        return;
    link->state = LINK_DONE;
    pgrpc__loop_timer_stop(link->loop, &link->timer);
    pgrpc__loop_task_cancel(&link->flush_task);
    update_reading(link);
    pgrpc__loop_defer(link->loop, &link->close_task);
}

/* The byte stream is of no use any more. */
static void lose(struct h2_link *link, const char *text)
{
    if (link->state == LINK_DONE)
        return;
    pgrpc__h2_connection_untaken(link->connection, link->outq.bytes);
    pgrpc__h2_connection_lost(link->connection, text);
    finish(link);
}

static void lose_at_end(struct h2_link *link)
{
    char text[96];
    snprintf(text, sizeof(text), "connection closed by the %s%s",
             link->is_server ? "client" : "server",
             link->is_ready ? "" : " before it sent SETTINGS");
    lose(link, text);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* One read. Returns what the stream said. */
static ssize_t read_once(struct h2_link *link, uint8_t *buffer)
{
    ssize_t len = link->stream->ops->read(link->stream, buffer, READ_BYTES);

    if (len == -EAGAIN)
        return len;
    if (link->state == LINK_LINGERING) {
        if (len <= 0)
            finish(link);
    } else if (len == 0) {
        lose_at_end(link);
    } else if (len < 0) {
        lose(link, link->stream->ops->error_text(link->stream));
    } else {
        pgrpc__h2_connection_receive(link->connection, buffer, (size_t)len, loop_now(link->loop));
    }
    return len;
}

static bool wants_read(const struct h2_link *link)
{
    return link->state == LINK_LINGERING ||
           (link->state == LINK_RUNNING && pgrpc__h2_connection_wants_input(link->connection));
}

/* A short read has emptied the stream, as far as a loop that comes again needs to know;
 * |until_empty|: read on for an end that may stand behind it. */
static void read_some(struct h2_link *link, bool until_empty)
{
    if (!link->is_stream_ready || !wants_read(link))
        return;
    /* Taken and given back: all connections of the loop share the same block. */
    uint8_t *buffer = pgrpc__mem_alloc(&link->loop->mem, READ_BYTES);
    if (!buffer) {
        lose(link, "out of memory");
        return;
    }
    for (int round = 0; round < READ_ROUNDS && wants_read(link); round++) {
        ssize_t len = read_once(link, buffer);
        if (len <= 0 || (len < READ_BYTES && !until_empty))
            break;
    }
    pgrpc__mem_free(&link->loop->mem, buffer);
    update_reading(link);
}

/* --- time ------------------------------------------------------------------------------------- */

/* Armed when it must come earlier than it would; one that comes too early arms itself again. */
static void arm(struct h2_link *link, int64_t due_ms)
{
    if (due_ms == INT64_MAX || (link->timer.position > 0 && link->timer.due_ms <= due_ms))
        return;
    if (pgrpc__loop_timer_start(link->loop, &link->timer, due_ms) < 0)
        lose(link, "out of memory");
}

static void tick(struct h2_link *link)
{
    if (link->state == LINK_RUNNING)
        arm(link, pgrpc__h2_connection_tick(link->connection, loop_now(link->loop)));
}

static void on_due(struct loop_timer *timer)
{
    struct h2_link *link = CONTAINER_OF(timer, struct h2_link, timer);
    if (link->state == LINK_RUNNING)
        tick(link);
    else
        finish(link);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The peer may have said why it does not listen any more. */
static void write_failed(struct h2_link *link)
{
    char text[128];

    snprintf(text, sizeof(text), "%s", link->stream->ops->error_text(link->stream));
    if (link->state == LINK_RUNNING)
        read_some(link, true);
    lose(link, text);
}

/* Writes what the outq holds. True when all went. */
static bool write_all(struct h2_link *link)
{
    struct iovec vectors[WRITE_VECTORS];

    while (link->outq.bytes > 0) {
        int count = pgrpc__outq_peek(&link->outq, vectors, WRITE_VECTORS);
        ssize_t len = link->stream->ops->writev(link->stream, vectors, count);
        if (len == -EAGAIN) {
            link->is_write_blocked = true;
            return false;
        }
        if (len < 0) {
            write_failed(link);
            return false;
        }
        pgrpc__outq_consume(&link->outq, (size_t)len);
    }
    return true;
}

/* The connection is over: what it still has to say goes out, then the byte stream is closed. */
static void wind_up(struct h2_link *link)
{
    if (link->state == LINK_RUNNING) {
        link->state = LINK_FLUSHING;
        pgrpc__loop_timer_stop(link->loop, &link->timer);
        arm(link, loop_now(link->loop) + LINGER_MS);
    }
    if (!link->is_stream_ready) {
        finish(link);
    } else if (link->state == LINK_FLUSHING && link->outq.bytes == 0 &&
               pgrpc__h2_connection_is_finished(link->connection)) {
        link->stream->ops->shutdown(link->stream);
        if (!link->is_server) {
            finish(link);
        } else {
            link->state = LINK_LINGERING;
            update_reading(link);
        }
    }
}

static void run_flush(struct loop_task *task)
{
    struct h2_link *link = CONTAINER_OF(task, struct h2_link, flush_task);

    tick(link);
    for (int round = 0; round < WRITE_ROUNDS; round++) {
        bool can_write = link->is_stream_ready && !link->is_write_blocked;
        if (link->state > LINK_FLUSHING)
            return;
        pgrpc__h2_connection_output(link->connection, &link->outq, can_write ? WRITE_BYTES : 0);
        bool has_more = link->outq.bytes >= WRITE_BYTES;
        if (!can_write || !write_all(link) || !has_more)
            break;
        if (round == WRITE_ROUNDS - 1)
            pgrpc__loop_defer_flush(link->loop, &link->flush_task);
    }
    if (link->state == LINK_DONE)
        return;
    if (pgrpc__h2_connection_is_over(link->connection))
        wind_up(link);
    update_reading(link);
}

/* --- events of the byte stream ---------------------------------------------------------------- */

static void on_stream_ready(void *owner)
{
    struct h2_link *link = owner;
    link->is_stream_ready = true;
    pgrpc__loop_defer_flush(link->loop, &link->flush_task);
}

static void on_readable(void *owner)
{
    read_some(owner, false);
}

static void on_writable(void *owner)
{
    struct h2_link *link = owner;
    link->is_write_blocked = false;
    pgrpc__loop_defer_flush(link->loop, &link->flush_task);
}

static void on_failed(void *owner, const char *text)
{
    lose(owner, text);
}

static const struct bytestream_events stream_events = {on_stream_ready, on_readable, on_writable,
                                                       on_failed};

/* --- events of the connection ----------------------------------------------------------------- */

static void on_connection_ready(void *owner)
{
    struct h2_link *link = owner;
    link->is_ready = true;
    link->events->on_ready(link->owner);
}

static struct h2_stream *on_request(void *owner, const struct h2_head *head, bool end_stream)
{
    struct h2_link *link = owner;
    return link->events->on_request ? link->events->on_request(link->owner, head, end_stream)
                                    : NULL;
}

static void on_draining(void *owner, uint32_t code, const char *debug)
{
    struct h2_link *link = owner;
    if (link->events->on_draining)
        link->events->on_draining(link->owner, code, debug);
}

static void on_capacity(void *owner)
{
    struct h2_link *link = owner;
    if (link->events->on_capacity)
        link->events->on_capacity(link->owner);
}

static void on_output(void *owner)
{
    struct h2_link *link = owner;
    if (link->state <= LINK_FLUSHING)
        pgrpc__loop_defer_flush(link->loop, &link->flush_task);
}

/* The next flush winds up. */
static void on_connection_closed(void *owner, const char *text)
{
    (void)text;
    on_output(owner);
}

static const struct h2_connection_events connection_events = {
    .on_ready = on_connection_ready,
    .on_request = on_request,
    .on_draining = on_draining,
    .on_capacity = on_capacity,
    .on_output = on_output,
    .on_closed = on_connection_closed,
};

/* --- life ------------------------------------------------------------------------------------- */

int pgrpc__h2_link_new(struct pgrpc_loop *loop, struct bytestream *stream,
                       const struct h2_connection_config *config,
                       const struct h2_link_events *events, void *owner, struct h2_link **made)
{
    struct h2_connection_config filled = *config;
    struct h2_link *link = pgrpc__mem_calloc(&loop->mem, 1, sizeof(*link));

    filled.quota_used = &loop->receive_quota_used;
    filled.quota_limit = loop->receive_quota_limit;
    filled.random = loop->random;
    filled.random_userdata = loop->random_userdata;
    if (!link || pgrpc__h2_connection_new(&loop->mem, &filled, &connection_events, link,
                                          loop_now(loop), &link->connection) < 0) {
        pgrpc__mem_free(&loop->mem, link);
        stream->ops->free(stream);
        return -ENOMEM;
    }
    link->loop = loop;
    link->stream = stream;
    link->events = events;
    link->owner = owner;
    link->is_server = config->is_server;
    link->flush_task.run = run_flush;
    link->close_task.run = run_close;
    link->timer.on_due = on_due;
    pgrpc__outq_init(&link->outq, &loop->mem);
    bytestream_set_events(stream, &stream_events, link);
    /* The handshake's time runs from here. */
    pgrpc__loop_defer_flush(loop, &link->flush_task);
    *made = link;
    return 0;
}

void pgrpc__h2_link_free(struct h2_link *link)
{
    static const struct h2_link_events silence;

    if (!link)
        return;
    link->state = LINK_DONE;
    link->events = &silence;
    pgrpc__loop_timer_stop(link->loop, &link->timer);
    pgrpc__loop_task_cancel(&link->flush_task);
    pgrpc__loop_task_cancel(&link->close_task);
    pgrpc__h2_connection_free(link->connection);
    pgrpc__outq_clear(&link->outq);
    link->stream->ops->free(link->stream);
    pgrpc__mem_free(&link->loop->mem, link);
}

struct h2_connection *pgrpc__h2_link_connection(struct h2_link *link)
{
    return link->connection;
}

const struct bytestream_peer *pgrpc__h2_link_peer(struct h2_link *link)
{
    return link->stream->ops->peer(link->stream);
}

struct pgrpc_loop *pgrpc__h2_link_loop(struct h2_link *link)
{
    return link->loop;
}

void pgrpc__h2_link_poll(struct h2_link *link)
{
    read_some(link, true);
}

void pgrpc__h2_link_close_when_finished(struct h2_link *link)
{
    on_output(link);
}
