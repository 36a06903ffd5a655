/*
 * The inside of a call: what the user holds, on either side.
 *
 * A call is carried by at most one attempt (struct rpc_stream) at a time.  It keeps what was sent
 * until it is committed, so that an attempt the peer did not process can be replayed.  It completes
 * once, in pgrpc__call_complete, and every other path requests that.
 *
 *   client:  start -> interceptors -> pick -> attempt -> complete -> events (on_done last) ->
 * library's reference dropped server:  accept -> interceptors -> handler -> finish -> status
 * written -> complete -> events -> reference dropped
 *
 * Counting: the library holds one reference until on_done has returned; a handler holds one until
 * it finishes; an opened call's user holds one.
 */
#ifndef PGRPC__RPC_CALL_H
#define PGRPC__RPC_CALL_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/chunk.h"
#include "h2/connection.h"
#include "io/loop.h"
#include "rpc/host.h"
#include "wire/error.h"
#include "wire/metadata.h"

struct rpc_stream;
struct h2_link;

enum call_event { CALL_EVENT_HEADERS = 1, CALL_EVENT_READABLE = 2, CALL_EVENT_WRITABLE = 4 };

enum call_stage {
    CALL_STAGE_INTERCEPT, /* on_start hooks run, one after the other */
    CALL_STAGE_PICK,      /* client: waits for a connection (or for the task that asks for one) */
    CALL_STAGE_WAIT_REQUEST, /* server: no client streaming, and the request is not complete */
    CALL_STAGE_REJECT, /* server: the library answers; no interceptor and no handler sees the call
                        */
    CALL_STAGE_RUNNING /* client: an attempt is under way; server: the handler has the call */
};

/* A list of chunks by their next pointers. */
struct chunk_list {
    struct chunk *first;
    struct chunk *last;
};

struct pgrpc_call {
    _Atomic unsigned refs;
    _Atomic bool is_cancelled;
    bool is_server;
    bool is_blocking;
    struct rpc_host *host;
    struct pgrpc_loop *loop;
    const struct pgrpc_method *method;
    const struct rpc_target *target; /* server */
    const struct pgrpc_codec *codec;

    /* All below: the loop lock. */
    struct list node;        /* host->calls */
    struct list picker_node; /* client: the picker's; server: the queue's of the workers */
    struct loop_task task;
    struct loop_timer deadline_timer;
    int64_t deadline_ms; /* INT64_MAX: none */
    int64_t timeout_ms;  /* as given, for the text */
    enum call_stage stage;
    struct rpc_stream *stream; /* the attempt, NULL while there is none */
    struct h2_link *link;      /* server: where it came from, until it is complete */
    struct h2_hold hold;       /* server: its stream is gone and the handler still runs or will */
    struct arena arena;        /* as long as the call */
    const char *peer;
    const char *peer_subject;
    const char *path;
    const char *error; /* pgrpc_call_error */

    /* interceptors */
    size_t interceptor_next; /* on_start hooks that ran */
    bool is_suspended;
    bool is_resumed_early;

    /* sending */
    unsigned http_status;          /* server: of the response, 200 but for foreign requests */
    struct header_field *metadata; /* client: request metadata; server: headers, in wire form */
    size_t metadata_count;
    size_t metadata_cap;
    struct header_field *trailer_fields; /* server */
    size_t trailer_count;
    size_t trailer_cap;
    struct chunk_list out;  /* framed messages, from the first that may be needed again */
    struct chunk *out_next; /* first that the attempt has not fully handed over */
    size_t out_offset;      /* bytes of it handed over */
    size_t queued_bytes;    /* not handed over */
    size_t retained_bytes;  /* handed over and kept for a replay */
    unsigned sent_count;    /* messages taken from the user */
    uint8_t send_encoding;  /* enum encoding */
    bool is_send_closed;
    bool is_committed; /* never replayed again */
    bool is_wait_for_ready;
    bool is_headers_sent;    /* server */
    bool is_finished;        /* server: the status is decided, by the handler or by the library */
    bool has_handler;        /* server: a handler has the call and has not finished it */
    bool was_handled;        /* server: a handler had the call and finished it */
    bool is_queued;          /* server: it waits for a worker */
    bool needs_answer;       /* server: the decided status is to be sent */
    bool needs_pick;         /* client: the task asks the picker */
    bool was_refused;        /* client: one refused attempt was replayed */
    bool is_writable_armed;  /* AGAIN was said */
    struct arena text_arena; /* pgrpc_message_printf; the sender's */
    char *text_memory;

    /* receiving */
    uint8_t receive_encoding; /* enum encoding, from the peer's head */
    struct chunk_list in;     /* complete messages as on the wire; flags: CHUNK_COMPRESSED */
    struct chunk *in_current; /* behind the message the user has */
    unsigned received_count;  /* messages that came */
    bool is_receive_ended;    /* no more will come */
    bool is_readable_armed;
    bool is_checking;       /* the reply is being decoded ahead of whoever receives it */
    bool has_checked_reply; /* ... was, and is not yet received */
    const void *checked_reply;
    unsigned message_flags;     /* of the message received last; the receiver's */
    struct arena message_arena; /* the receiver's */
    char *message_memory;

    /* the end */
    bool is_complete;
    bool is_done_reported;
    struct pgrpc_status status;
    bool has_headers;
    bool has_trailers;
    struct pgrpc_metadata headers;
    struct pgrpc_metadata trailers;

    /* events */
    struct pgrpc_call_events events;
    void *userdata;
    unsigned pending;             /* enum call_event */
    struct loop_waiter *receiver; /* the thread that waits in a receive or for the end */
    struct loop_waiter *sender;

    /* A call with a parent; parent->children is guarded by the parent's loop lock. */
    struct pgrpc_call *parent;
    struct list parent_node;
    struct list children;
};

enum { CHUNK_COMPRESSED = 1 };

static inline bool call_is_client_streaming(const struct pgrpc_call *call)
{
    return call->method->flags & PGRPC_METHOD_CLIENT_STREAMING;
}

static inline bool call_is_server_streaming(const struct pgrpc_call *call)
{
    return call->method->flags & PGRPC_METHOD_SERVER_STREAMING;
}

/* --- call.c: life and completion. Lock held unless said. --- */

/* A call with one reference, on the host's list; NULL when out of memory. */
struct pgrpc_call *pgrpc__call_new(struct rpc_host *host, bool is_server);
/*
 * The one function that ends a call.  |message| (may be NULL) and |details| are copied.  Does
 * nothing when it has ended. The attempt, if any, is given up with RST_STREAM(|reset_code|).
 */
void pgrpc__call_complete(struct pgrpc_call *call, enum pgrpc_code code, const char *message,
                          size_t message_len, const void *details, size_t details_len,
                          unsigned reset_code);
/* The same with a formatted text, and RST_STREAM(CANCEL).  A stream's messages that came before are
 * still delivered. */
void pgrpc__call_end(struct pgrpc_call *call, enum pgrpc_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a call that nobody wants any more: it counts as cancelled, and what came is dropped.
 */
void pgrpc__call_fail(struct pgrpc_call *call, enum pgrpc_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* CANCELLED with |text|; a call that is over waits for its reader no more. */
void pgrpc__call_cancel(struct pgrpc_call *call, const char *text);
/* Records a wrong use and its text; returns PGRPC_IO_CLOSED. */
enum pgrpc_io pgrpc__call_misuse(struct pgrpc_call *call, const char *error);
/* Sets call->deadline_ms and arms the timer. 0 or -ENOMEM. */
int pgrpc__call_set_deadline(struct pgrpc_call *call, int64_t timeout_ms);
/* Ends the call if its deadline has passed. True when it is over, for whatever reason. */
bool pgrpc__call_expire(struct pgrpc_call *call);
/* A thread that waits for a call, from its first wait_at to end_wait. */
struct call_wait {
    struct loop_waiter waiter;
    struct loop_waiter **place; /* NULL: it did not wait yet */
};
/* A thread waits for whoever wakes the waiter at |place| (call->receiver or call->sender), at most
 * until the deadline, which ends the call also where nobody turns the loop.  NULL, or why it cannot
 * wait: |taken| when another thread does. Lock held. */
const char *pgrpc__call_wait_at(struct pgrpc_call *call, struct loop_waiter **place,
                                struct call_wait *wait, const char *taken);
void pgrpc__call_end_wait(struct call_wait *wait);
/* Notes |events| and wakes or schedules whoever cares. */
void pgrpc__call_notify(struct pgrpc_call *call, unsigned events);
/* A thread that waits on a private loop goes its own way next: what it queued is written now. Lock
 * held. */
void pgrpc__call_push(struct pgrpc_call *call);
/* Schedules the call's task. */
void pgrpc__call_schedule(struct pgrpc_call *call);
void pgrpc__call_unref_locked(struct pgrpc_call *call);
/* Status, headers and trailers as the getters tell them. Takes and leaves the lock itself. */
void pgrpc__call_get_result(const struct pgrpc_call *call, struct pgrpc_result *result);
/* Readable in the sense of pgrpc_call_recv: it would not say AGAIN. */
bool pgrpc__call_is_readable(const struct pgrpc_call *call);
/* Remembers who is at the other end of |link|. */
void pgrpc__call_set_peer(struct pgrpc_call *call, struct h2_link *link);

/* --- call_send.c --- */
/* A message as a framed chunk, compressed if that is chosen; NULL with a code and text. Takes the
 * lock itself, for memory: codecs run without it. */
enum pgrpc_code pgrpc__call_frame(struct pgrpc_call *call, const void *message, unsigned flags,
                                  struct chunk **chunk, struct error_text *error);
/* pgrpc_call_send; with |status| a message that was queued finishes the call. Takes and leaves the
 * lock itself. */
enum pgrpc_io pgrpc__call_send(struct pgrpc_call *call, const void *message, unsigned flags,
                               const struct pgrpc_status *status);
/* Queues a framed message (takes the reference). */
void pgrpc__call_enqueue(struct pgrpc_call *call, struct chunk *chunk, bool is_last);
/* The attempt's view of what is to send: bytes ready, and moving them. */
size_t pgrpc__call_output_ready(const struct pgrpc_call *call);
struct outq;
int pgrpc__call_output(struct pgrpc_call *call, size_t len, struct outq *outq);
/* From here on nothing is replayed: what was kept for that is dropped. */
void pgrpc__call_commit(struct pgrpc_call *call);
/* Back to the first message, for another attempt. */
void pgrpc__call_rewind(struct pgrpc_call *call);
void pgrpc__call_drop_output(struct pgrpc_call *call);

/* --- call_recv.c --- */
/* A message came (takes the reference). */
void pgrpc__call_receive(struct pgrpc_call *call, struct chunk *chunk, bool is_compressed);
/* No more will come. */
void pgrpc__call_receive_end(struct pgrpc_call *call);
void pgrpc__call_drop_input(struct pgrpc_call *call);
/* Client, the call is over: a single reply that cannot be decoded ends it otherwise than the server
 * said. Leaves the lock for a while; nobody may be receiving. */
void pgrpc__call_check_reply(struct pgrpc_call *call);

/* --- call_client.c --- */
/* pgrpc_call_start and pgrpc_call_open on a host. Takes and leaves the lock itself. */
struct pgrpc_call *pgrpc__call_begin(struct rpc_host *host, const struct pgrpc_method *method,
                                     const void *request, const struct pgrpc_call_options *options,
                                     const struct pgrpc_call_events *events, void *userdata,
                                     bool is_blocking);
/* Opens the attempt on |link|. 0; -EAGAIN: no stream free now, still waiting; -EPIPE: pick another
 * link, still waiting. */
int pgrpc__call_start_attempt(struct pgrpc_call *call, struct h2_link *link);
/* The attempt ended without having been processed: replays if that is allowed. True if it does. */
bool pgrpc__call_replay(struct pgrpc_call *call, bool was_refused);

/* --- call_server.c --- */
/* The request's head and, where it matters, its message are there: interceptors and handler may
 * run. */
void pgrpc__call_request_ready(struct pgrpc_call *call);
/* The library answers for the handler: decides the status; with |http_status| other than 200 that
 * is sent as well. Nothing happens when the status is decided already. */
void pgrpc__call_reject(struct pgrpc_call *call, unsigned http_status, enum pgrpc_code code,
                        const char *text);
/* pgrpc_call_finish_status. */
enum pgrpc_code pgrpc__call_finish(struct pgrpc_call *call, const struct pgrpc_status *status);
/* Sends what was decided. */
void pgrpc__call_answer(struct pgrpc_call *call);
/* The stream is gone: until a handler or the queue of the workers gives it up, the connection
 * counts it. */
void pgrpc__call_hold(struct pgrpc_call *call);
/* Runs the handler: on the loop's thread, or on a worker. Lock held, and left meanwhile. */
void pgrpc__call_run_handler(struct pgrpc_call *call);

/* --- interceptor.c --- */
/* Runs on_start hooks, leaving the lock around each. True when all ran and the call goes on. */
bool pgrpc__call_intercept(struct pgrpc_call *call);
/* Runs on_done hooks, likewise. */
void pgrpc__call_intercept_done(struct pgrpc_call *call);

#endif
