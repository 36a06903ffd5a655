/*
 * An HTTP/2 connection: bytes and time in, bytes out, for either role.  Policy lives here:
 * keepalive, ping enforcement, limits and abuse budget, credit within quotas, draining.  It knows
 * nothing of gRPC and does no I/O: link.h ties it to a byte stream and a loop.
 *
 * Owned by a link (or a test).  Needs the loop lock.  Events to the owner come from inside receive,
 * output, tick and lost (on_output from anywhere); the owner must not free the connection from
 * them.
 */
#ifndef PGRPC__H2_CONNECTION_H
#define PGRPC__H2_CONNECTION_H

#include "h2/engine.h"

struct h2_connection_config {
    bool is_server;
    uint32_t max_concurrent_streams; /* server */
    uint32_t stream_window;
    uint32_t connection_window; /* 0: chosen from the others */
    uint32_t max_header_bytes;
    int64_t handshake_timeout_ms; /* until the peer's SETTINGS */
    int64_t keepalive_ms;         /* 0: never */
    int64_t keepalive_timeout_ms;
    bool keepalive_without_calls;
    int64_t keepalive_min_ms; /* server: pings closer than this are strikes; 0: not enforced */
    bool keepalive_permit_without_calls;
    size_t *quota_used; /* the loop's account of early credit; may be NULL */
    size_t quota_limit;
    const struct h2_engine_ops *engine; /* NULL: the default */
    uint64_t (*random)(void *userdata);
    void *random_userdata;
};

struct h2_connection_events {
    /* The peer's SETTINGS came: the connection is usable. Once. */
    void (*on_ready)(void *owner);
    /* Server: a request. Returns the stream that serves it with its events set, or NULL: the
     * request is refused with REFUSED_STREAM. */
    struct h2_stream *(*on_request)(void *owner, const struct h2_head *head, bool end_stream);
    /* No more streams may be opened (GOAWAY, or stream ids used up); running ones go on.
     * |debug| is the peer's text for people, already made printable. */
    void (*on_draining)(void *owner, uint32_t code, const char *debug);
    /* After open said -EAGAIN: a stream may be opened again. */
    void (*on_capacity)(void *owner);
    /* There is output where there was none: schedule a flush. */
    void (*on_output)(void *owner);
    /* The connection is over; every stream has had its on_closed. Once, last. */
    void (*on_closed)(void *owner, const char *text);
};

struct h2_connection;

/* Server: a handler that still runs although its stream is gone. Embedded; zero while it holds
 * nothing. */
struct h2_hold {
    struct list node;
    struct h2_connection *connection;
};

/* 0 or -ENOMEM. |config| is copied. */
int pgrpc__h2_connection_new(struct mem *mem, const struct h2_connection_config *config,
                             const struct h2_connection_events *events, void *owner, int64_t now_ms,
                             struct h2_connection **connection);
/* Streams that are left get on_closed (H2_END_LOST) first. Accepts NULL. */
void pgrpc__h2_connection_free(struct h2_connection *connection);

/* Bytes from the peer. 0, or negative: write what output gives, then close. */
int pgrpc__h2_connection_receive(struct h2_connection *connection, const uint8_t *data, size_t len,
                                 int64_t now_ms);
/* False while our own output is stuck above its limits: stop reading (back-pressure first, closing
 * second). */
bool pgrpc__h2_connection_wants_input(const struct h2_connection *connection);
/* Fills |outq| up to about |max_bytes|. 0 or negative as receive. */
int pgrpc__h2_connection_output(struct h2_connection *connection, struct outq *outq,
                                size_t max_bytes);
/* True after on_closed: nothing happens any more, but there may be output. */
bool pgrpc__h2_connection_is_over(const struct h2_connection *connection);
/* True when everything was said and the byte stream may be closed. */
bool pgrpc__h2_connection_is_finished(const struct h2_connection *connection);
/* Time passed: keepalive, time-outs, drain. Returns when to come again (INT64_MAX: not needed), so
 * an idle connection without keepalive needs no timer. */
int64_t pgrpc__h2_connection_tick(struct h2_connection *connection, int64_t now_ms);
/* Before lost: the last |len| bytes that output gave were never taken by the byte stream, so that
 * streams whose HEADERS lie in them end as unsent. Without it all counts as taken. */
void pgrpc__h2_connection_untaken(struct h2_connection *connection, size_t len);
/* The byte stream ended or failed: every stream gets H2_END_LOST (or UNSENT), then on_closed with
 * |text|. */
void pgrpc__h2_connection_lost(struct h2_connection *connection, const char *text);

/* Starts the two-step graceful end: notice, ping, GOAWAY with the real id; running streams go on.
 */
void pgrpc__h2_connection_drain(struct h2_connection *connection, const char *debug);
/* GOAWAY with |code| now; streams are cut; finished once written. */
void pgrpc__h2_connection_abort(struct h2_connection *connection, enum h2_error code,
                                const char *debug);

/* Whether a stream may be opened now, and how many. */
size_t pgrpc__h2_connection_streams_available(const struct h2_connection *connection);
size_t pgrpc__h2_connection_stream_count(const struct h2_connection *connection);
/* Client: a response came at some time. */
bool pgrpc__h2_connection_has_answers(const struct h2_connection *connection);
bool pgrpc__h2_connection_is_draining(const struct h2_connection *connection);
/* It counts against the limit on streams until it is done, or until the connection is freed. */
void pgrpc__h2_connection_hold(struct h2_connection *connection, struct h2_hold *hold);
/* Accepts one that holds nothing. */
void pgrpc__h2_connection_unhold(struct h2_hold *hold);
/* Why the connection ended, for people; "" while it lives. */
const char *pgrpc__h2_connection_close_text(const struct h2_connection *connection);

#endif
