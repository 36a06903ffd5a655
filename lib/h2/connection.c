#include "h2/connection_private.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    CONNECTION_WINDOW_MIN = 1024 * 1024,
    MAX_WINDOW = INT32_MAX,
    MAX_HEADER_FIELDS = 128,
    FRAME_BYTES = 16384
};

static const uint8_t keepalive_payload[8] = {'k', 'e', 'e', 'p', 'p', 'i', 'c', 'o'};
const uint8_t pgrpc__h2_drain_payload[8] = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

const struct h2_engine_ops *pgrpc__h2_engine_default = &pgrpc__h2_frame_engine;

/* --- life ------------------------------------------------------------------------------------- */

static uint32_t connection_window(const struct h2_connection_config *config)
{
    uint64_t window = config->connection_window;
    if (window == 0) {
        window = (uint64_t)config->stream_window * 16;
        if (window < CONNECTION_WINDOW_MIN)
            window = CONNECTION_WINDOW_MIN;
    }
    return window > MAX_WINDOW ? MAX_WINDOW : (uint32_t)window;
}

int pgrpc__h2_connection_new(struct mem *mem, const struct h2_connection_config *config,
                             const struct h2_connection_events *events, void *owner, int64_t now_ms,
                             struct h2_connection **made)
{
    struct h2_connection *connection = pgrpc__mem_calloc(mem, 1, sizeof(*connection));
    if (!connection)
        return -ENOMEM;
    connection->mem = mem;
    connection->config = *config;
    if (connection->config.stream_window > MAX_WINDOW)
        connection->config.stream_window = MAX_WINDOW;
    config = &connection->config;
    connection->events = events;
    connection->owner = owner;
    connection->ops = config->engine ? config->engine : pgrpc__h2_engine_default;
    list_init(&connection->streams);
    list_init(&connection->holds);
    connection->now_ms = now_ms;
    connection->started_ms = now_ms;
    connection->head_started_ms = INT64_MAX;
    connection->drain_due_ms = INT64_MAX;
    connection->abuse.refilled_ms = now_ms;
    connection->keepalive =
        (struct keepalive){.interval_ms = config->keepalive_ms,
                           .timeout_ms = config->keepalive_timeout_ms,
                           .without_calls = config->is_server || config->keepalive_without_calls,
                           .heard_ms = now_ms,
                           .min_ms = config->is_server ? config->keepalive_min_ms : 0,
                           .permit_without_calls = config->keepalive_permit_without_calls};

    struct h2_settings settings = {.is_server = config->is_server,
                                   .max_concurrent_streams = config->max_concurrent_streams,
                                   .stream_window = config->stream_window,
                                   .connection_window = connection_window(config),
                                   .max_header_bytes = config->max_header_bytes,
                                   .max_header_fields = MAX_HEADER_FIELDS,
                                   .max_frame_bytes = FRAME_BYTES};
    pgrpc__h2_flow_init(&connection->flow, settings.stream_window, settings.connection_window,
                        config->quota_used, config->quota_limit);
    if (connection->ops->create(mem, &settings, &pgrpc__h2_engine_events, connection,
                                &connection->engine) < 0) {
        pgrpc__mem_free(mem, connection);
        return -ENOMEM;
    }
    *made = connection;
    return 0;
}

/* Tells every stream that is left, then the owner. */
static void end_all(struct h2_connection *connection)
{
    struct list rest;
    struct list *node;

    if (connection->is_over)
        return;
    list_init(&rest);
    list_splice(&rest, &connection->streams);
    while ((node = list_pop(&rest)) != NULL) {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, node);
        list_add_tail(&connection->streams, node);
        pgrpc__h2_stream_end(stream, pgrpc__h2_stream_lost_end(stream), H2_NO_ERROR);
    }
    connection->is_over = true;
    pgrpc__h2_trace(connection, "over: %s", connection->text);
    if (connection->events->on_closed)
        connection->events->on_closed(connection->owner, connection->text);
}

void pgrpc__h2_connection_free(struct h2_connection *connection)
{
    struct list *node;

    if (!connection)
        return;
    pgrpc__h2_connection_set_text(connection, "connection was closed");
    connection->is_broken = true;
    /* Nobody listens any more but the streams. */
    static const struct h2_connection_events silence;
    connection->events = &silence;
    end_all(connection);
    while ((node = list_pop(&connection->streams)) != NULL) {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, node);
        pgrpc__h2_flow_release(&connection->flow, stream);
        stream->connection = NULL;
    }
    while ((node = list_pop(&connection->holds)) != NULL)
        CONTAINER_OF(node, struct h2_hold, node)->connection = NULL;
    connection->ops->destroy(connection->engine);
    pgrpc__mem_free(connection->mem, connection);
}

/* --- what the three files share --------------------------------------------------------------- */

void pgrpc__h2_connection_set_text(struct h2_connection *connection, const char *format, ...)
{
    va_list arguments;

    if (connection->text[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(connection->text, sizeof(connection->text), format, arguments);
    va_end(arguments);
}

void pgrpc__h2_connection_poke(struct h2_connection *connection)
{
    if (connection->is_output_announced || connection->is_over)
        return;
    connection->is_output_announced = true;
    if (connection->events->on_output)
        connection->events->on_output(connection->owner);
}

void pgrpc__h2_connection_announce(struct h2_connection *connection)
{
    if (!connection->is_output_announced && !connection->is_broken &&
        connection->ops->wants_output(connection->engine))
        pgrpc__h2_connection_poke(connection);
}

void pgrpc__h2_connection_break(struct h2_connection *connection)
{
    pgrpc__h2_connection_set_text(connection, "out of memory");
    connection->is_broken = true;
    pgrpc__h2_connection_poke(connection);
}

void pgrpc__h2_connection_calm(struct h2_connection *connection, const char *reason)
{
    if (reason)
        pgrpc__h2_connection_abort(connection, H2_ENHANCE_YOUR_CALM, reason);
}

/* --- state ------------------------------------------------------------------------------------ */

static bool is_draining(const struct h2_connection *connection)
{
    return connection->goaway_received || connection->notice_sent || connection->goaway_sent ||
           connection->are_ids_spent;
}

static void say_goaway(struct h2_connection *connection)
{
    if (connection->goaway_sent || connection->is_aborted || connection->is_broken)
        return;
    connection->notice_sent = false;
    connection->goaway_sent = true;
    connection->drain_due_ms = INT64_MAX;
    if (connection->ops->goaway(connection->engine, H2_NO_ERROR, connection->debug, false) < 0)
        pgrpc__h2_connection_break(connection);
    pgrpc__h2_connection_announce(connection);
}

void pgrpc__h2_connection_drained(struct h2_connection *connection)
{
    if (connection->notice_sent)
        say_goaway(connection);
}

/* At the end of everything that may tell the owner: what follows from the new state. */
static void settle(struct h2_connection *connection)
{
    if (connection->is_over)
        return;
    if (connection->is_aborted || connection->is_broken) {
        end_all(connection);
        return;
    }
    if (connection->are_ids_spent && !connection->goaway_sent) {
        if (!connection->goaway_received && connection->events->on_draining)
            connection->events->on_draining(connection->owner, H2_NO_ERROR,
                                            "stream ids are used up");
        say_goaway(connection);
    }
    if ((connection->goaway_sent || connection->goaway_received) && connection->stream_count == 0 &&
        connection->held_count == 0) {
        pgrpc__h2_connection_set_text(connection, "connection was drained");
        end_all(connection);
        return;
    }
    if (connection->wants_capacity && !is_draining(connection) &&
        connection->ops->streams_available(connection->engine) > 0) {
        connection->wants_capacity = false;
        if (connection->events->on_capacity)
            connection->events->on_capacity(connection->owner);
    }
}

/* The engine gave up. */
static void engine_failed(struct h2_connection *connection, int error)
{
    if (error == -EPROTO) {
        pgrpc__h2_connection_set_text(connection, "the %s broke the HTTP/2 protocol: %s",
                                      connection->config.is_server ? "client" : "server",
                                      connection->ops->failure_text(connection->engine));
        connection->is_aborted = true;
    } else {
        pgrpc__h2_connection_break(connection);
    }
}

/* --- bytes and time --------------------------------------------------------------------------- */

int pgrpc__h2_connection_receive(struct h2_connection *connection, const uint8_t *data, size_t len,
                                 int64_t now_ms)
{
    int error = 0;

    connection->now_ms = now_ms;
    if (connection->is_over || connection->is_aborted || connection->is_broken)
        return -EPROTO;
    pgrpc__keepalive_heard(&connection->keepalive, now_ms);
    error = connection->ops->receive(connection->engine, data, len);
    if (error)
        engine_failed(connection, error);
    else
        pgrpc__h2_connection_calm(
            connection, pgrpc__abuse_queued(connection->ops->queued_frames(connection->engine)));
    if (!connection->ops->is_in_head(connection->engine))
        connection->head_started_ms = INT64_MAX;
    else if (connection->head_started_ms == INT64_MAX)
        connection->head_started_ms = now_ms;
    settle(connection);
    pgrpc__h2_connection_announce(connection);
    return connection->is_aborted || connection->is_broken ? -EPROTO : 0;
}

bool pgrpc__h2_connection_wants_input(const struct h2_connection *connection)
{
    if (connection->is_over || connection->is_aborted || connection->is_broken)
        return false;
    /* Every place is taken by handlers of cancelled calls: more calls would be refused. */
    if (connection->config.is_server &&
        connection->held_count >= connection->config.max_concurrent_streams)
        return false;
    return connection->ops->queued_frames(connection->engine) < ABUSE_QUEUE_PAUSE;
}

int pgrpc__h2_connection_output(struct h2_connection *connection, struct outq *outq,
                                size_t max_bytes)
{
    int error = 0;

    /* What is added while the engine gives output goes out with it. */
    connection->is_output_announced = true;
    if (!connection->is_broken) {
        connection->outq = outq;
        connection->outq_start = outq->bytes;
        error = connection->ops->output(connection->engine, outq, max_bytes);
        connection->written_bytes += outq->bytes - connection->outq_start;
        connection->outq = NULL;
        if (error && !connection->is_aborted)
            engine_failed(connection, error);
        if (error == -ENOMEM)
            pgrpc__h2_connection_break(connection);
    }
    connection->is_output_announced = false;
    settle(connection);
    /* The owner comes again when it has written what it got. */
    connection->is_output_announced =
        !connection->is_broken && connection->ops->wants_output(connection->engine);
    return connection->is_aborted || connection->is_broken ? -EPROTO : 0;
}

bool pgrpc__h2_connection_is_over(const struct h2_connection *connection)
{
    return connection->is_over;
}

bool pgrpc__h2_connection_is_finished(const struct h2_connection *connection)
{
    return connection->is_over &&
           (connection->is_broken || !connection->ops->wants_output(connection->engine));
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t tick_keepalive(struct h2_connection *connection)
{
    int64_t next_ms;

    /* While we do not read, silence says nothing. */
    if (!pgrpc__h2_connection_wants_input(connection))
        pgrpc__keepalive_heard(&connection->keepalive, connection->now_ms);
    switch (pgrpc__keepalive_tick(&connection->keepalive, connection->now_ms,
                                  connection->stream_count > 0, &next_ms)) {
    case KEEPALIVE_PING:
        if (connection->ops->ping(connection->engine, keepalive_payload) < 0)
            pgrpc__h2_connection_break(connection);
        break;
    case KEEPALIVE_EXPIRED:
        pgrpc__h2_connection_set_text(connection, "keepalive: no answer within %lld ms",
                                      (long long)connection->keepalive.timeout_ms);
        pgrpc__h2_connection_abort(connection, H2_NO_ERROR, "keepalive_timeout");
        break;
    case KEEPALIVE_NOTHING:
        break;
    }
    return next_ms;
}

int64_t pgrpc__h2_connection_tick(struct h2_connection *connection, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    int64_t limit_ms = connection->config.handshake_timeout_ms;

    connection->now_ms = now_ms;
    if (connection->is_over)
        return INT64_MAX;
    if (connection->is_aborted || connection->is_broken) {
        settle(connection);
        return INT64_MAX;
    }
    if (limit_ms > 0) {
        int64_t due_ms = connection->is_ready ? INT64_MAX : connection->started_ms + limit_ms;
        if (connection->head_started_ms != INT64_MAX)
            due_ms = earlier(due_ms, connection->head_started_ms + limit_ms);
        if (now_ms >= due_ms) {
            pgrpc__h2_connection_set_text(connection, "%s within %lld ms",
                                          connection->is_ready
                                              ? "the peer did not complete its headers"
                                              : "the peer sent no HTTP/2 SETTINGS",
                                          (long long)limit_ms);
            pgrpc__h2_connection_abort(connection, H2_SETTINGS_TIMEOUT, "handshake_timeout");
        }
        next_ms = due_ms;
    }
    /* The wait begins here: drain does not know the time. */
    if (connection->notice_sent && connection->drain_due_ms == INT64_MAX)
        connection->drain_due_ms = now_ms + DRAIN_WAIT_MS;
    if (now_ms >= connection->drain_due_ms)
        say_goaway(connection);
    next_ms = earlier(next_ms, connection->drain_due_ms);
    if (connection->is_ready)
        next_ms = earlier(next_ms, tick_keepalive(connection));
    settle(connection);
    pgrpc__h2_connection_announce(connection);
    return connection->is_over ? INT64_MAX : next_ms;
}

void pgrpc__h2_connection_untaken(struct h2_connection *connection, size_t len)
{
    connection->untaken_bytes = len;
}

void pgrpc__h2_connection_lost(struct h2_connection *connection, const char *text)
{
    pgrpc__h2_connection_set_text(connection, "%s", text);
    connection->is_broken = true;
    end_all(connection);
}

/* --- the end ---------------------------------------------------------------------------------- */

void pgrpc__h2_connection_drain(struct h2_connection *connection, const char *debug)
{
    if (connection->notice_sent || connection->goaway_sent || connection->is_aborted ||
        connection->is_broken || connection->is_over)
        return;
    snprintf(connection->debug, sizeof(connection->debug), "%s", debug ? debug : "");
    pgrpc__h2_trace(connection, "draining: %s", connection->debug);
    if (!connection->config.is_server) {
        say_goaway(connection);
    } else {
        connection->notice_sent = true;
        if (connection->ops->goaway_notice(connection->engine) < 0)
            pgrpc__h2_connection_break(connection);
    }
    pgrpc__h2_connection_poke(connection);
}

void pgrpc__h2_connection_abort(struct h2_connection *connection, enum h2_error code,
                                const char *debug)
{
    if (connection->is_aborted || connection->is_broken || connection->is_over)
        return;
    if (!debug)
        debug = "";
    pgrpc__h2_connection_set_text(connection, "connection was closed%s%s", *debug ? ": " : "",
                                  debug);
    connection->is_aborted = true;
    if (connection->ops->goaway(connection->engine, code, debug, true) < 0)
        pgrpc__h2_connection_break(connection);
    pgrpc__h2_connection_poke(connection);
}

/* --- questions -------------------------------------------------------------------------------- */

size_t pgrpc__h2_connection_streams_available(const struct h2_connection *connection)
{
    if (connection->is_over || connection->is_aborted || connection->is_broken ||
        is_draining(connection))
        return 0;
    return connection->ops->streams_available(connection->engine);
}

size_t pgrpc__h2_connection_stream_count(const struct h2_connection *connection)
{
    return connection->stream_count;
}

bool pgrpc__h2_connection_has_answers(const struct h2_connection *connection)
{
    return connection->has_answers;
}

bool pgrpc__h2_connection_is_draining(const struct h2_connection *connection)
{
    return is_draining(connection) || connection->is_over || connection->is_aborted ||
           connection->is_broken;
}

void pgrpc__h2_connection_hold(struct h2_connection *connection, struct h2_hold *hold)
{
    hold->connection = connection;
    list_add_tail(&connection->holds, &hold->node);
    connection->held_count++;
}

void pgrpc__h2_connection_unhold(struct h2_hold *hold)
{
    struct h2_connection *connection = hold->connection;
    if (!connection)
        return;
    hold->connection = NULL;
    list_remove(&hold->node);
    connection->held_count--;
    /* Reading goes on, or a drain is complete. */
    if (connection->held_count == 0 ||
        connection->held_count + 1 == connection->config.max_concurrent_streams)
        pgrpc__h2_connection_poke(connection);
}

const char *pgrpc__h2_connection_close_text(const struct h2_connection *connection)
{
    return connection->text;
}
