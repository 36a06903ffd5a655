/* The inside of a connection, shared by connection.c, connection_events.c and stream.c. */
#ifndef PGRPC__H2_CONNECTION_PRIVATE_H
#define PGRPC__H2_CONNECTION_PRIVATE_H

#include "base/log.h"
#include "h2/abuse.h"
#include "h2/connection.h"
#include "h2/flow.h"
#include "h2/keepalive.h"

enum {
    DRAIN_WAIT_MS = 5000,
    TEXT_MAX = 200,
    LAST_STREAM_ID = 0x60000000 /* three quarters of all: then another connection is due */
};

struct h2_connection {
    struct mem *mem;
    struct h2_connection_config config;
    const struct h2_connection_events *events;
    void *owner;
    const struct h2_engine_ops *ops;
    struct h2_engine *engine;

    struct list streams; /* every one that was not released */
    size_t stream_count; /* not closed */
    struct list holds;   /* struct h2_hold */
    size_t held_count;
    struct h2_flow flow;
    struct abuse abuse;
    struct keepalive keepalive;

    int64_t now_ms; /* as told last */
    int64_t started_ms;
    int64_t head_started_ms; /* of the header block that is incomplete, or INT64_MAX */
    int64_t drain_due_ms;

    /* While output runs, so that a stream knows where its HEADERS begin. */
    const struct outq *outq;
    size_t outq_start;
    uint64_t written_bytes; /* all that output ever gave */
    size_t untaken_bytes;   /* the last of them, never taken by the byte stream */

    bool is_ready;
    bool has_answers; /* client: a response came */
    bool is_output_announced;
    bool wants_capacity;
    bool goaway_received;
    bool notice_sent;   /* draining: between notice and GOAWAY */
    bool are_ids_spent; /* client: time for another connection */
    bool goaway_sent;   /* draining: GOAWAY with the real id is said */
    bool is_aborted;    /* a final GOAWAY is said; streams are cut at the next occasion */
    bool is_broken;     /* the engine must not be used for output any more */
    bool is_over;       /* on_closed was reported */
    char debug[64];     /* of the GOAWAY to come */
    char text[TEXT_MAX];
};

extern const struct h2_engine_events pgrpc__h2_engine_events;
/* The PING between the two steps of a drain: behind the notice. */
extern const uint8_t pgrpc__h2_drain_payload[8];
/* It was answered: the client has seen the notice. */
void pgrpc__h2_connection_drained(struct h2_connection *connection);

/* Tells the owner that there is something to write, once until output runs. */
void pgrpc__h2_connection_announce(struct h2_connection *connection);
/* The same even when there are no bytes: output must look at the state. */
void pgrpc__h2_connection_poke(struct h2_connection *connection);
void pgrpc__h2_connection_set_text(struct h2_connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An allocation failed where nothing can be undone. */
void pgrpc__h2_connection_break(struct h2_connection *connection);
/* Ends the connection with ENHANCE_YOUR_CALM when |reason| is not NULL. */
void pgrpc__h2_connection_calm(struct h2_connection *connection, const char *reason);
/* The stream is over: tells its user. */
void pgrpc__h2_stream_end(struct h2_stream *stream, enum h2_end end, uint32_t code);
/* How a stream ends when the connection does. */
enum h2_end pgrpc__h2_stream_lost_end(const struct h2_stream *stream);
void pgrpc__h2_stream_attach(struct h2_connection *connection, struct h2_stream *stream);
void pgrpc__h2_connection_credit(struct h2_connection *connection, struct h2_stream *stream,
                                 struct h2_credit credit);
void pgrpc__h2_trace_frame(const struct h2_connection *connection, bool sent, uint8_t type,
                           uint8_t flags, int32_t id, size_t len);
void pgrpc__h2_trace(const struct h2_connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
