/*
 * One attempt: gRPC over one HTTP/2 stream, for either side.  Turns heads into metadata and status,
 * DATA into messages, and the call's queue into DATA.
 *
 * Client: made by pgrpc__call_start_attempt.  Server: made by pgrpc__rpc_accept for a request.
 * Owned by itself while HTTP/2 knows it; freed in pgrpc__rpc_stream_abandon or when it closes. Lock
 * held throughout.
 */
#ifndef PGRPC__RPC_STREAM_H
#define PGRPC__RPC_STREAM_H

#include "h2/link.h"
#include "rpc/call.h"
#include "rpc/fields.h"
#include "wire/frame.h"
#include "wire/status.h"

/*
 * For a wrong number of messages.  statuscodes.md says UNIMPLEMENTED; grpc-go and grpc-java say
 * INTERNAL, and the document may follow them: hence one place.
 */
#define RPC_CARDINALITY_CODE PGRPC_UNIMPLEMENTED

struct rpc_stream {
    struct h2_stream h2;
    struct pgrpc_call *call; /* NULL once abandoned */
    struct pgrpc_loop *loop;
    struct loop_task release_task;
    enum h2_error release_code;
    struct deframer deframer;
    /* client */
    struct h2_link *link;
    bool is_body_foreign; /* not a gRPC response: the body's start is shown in the status */
    unsigned http_status; /* 0 before the response head */
    char *snippet;        /* of a foreign body; in the call's arena */
    size_t snippet_len;
    /* server */
    unsigned accepted;        /* encodings the client takes, bits 1 << enum encoding */
    const char *content_type; /* to echo; in the call's arena */
    size_t content_type_len;
    struct fields trailers; /* once the status is decided */
    char status_text[STATUS_TEXT_MAX];
};

/* Client: sends the request head of |call| on |link|. As pgrpc__call_start_attempt. */
int pgrpc__rpc_stream_open(struct pgrpc_call *call, struct h2_link *link);
/* Server: a request came on |link|. NULL: refuse it (out of memory). */
struct h2_stream *pgrpc__rpc_accept(struct rpc_host *host, struct h2_link *link,
                                    const struct h2_head *head, bool end_stream);
/* Server: sends the response head, if it was not sent. 0 or -ENOMEM, -EPIPE,
 * -EMSGSIZE (more than the client takes). */
int pgrpc__rpc_stream_send_headers(struct rpc_stream *stream);
/* Server: sends status and trailers after what is queued; trailers-only when nothing was sent. */
void pgrpc__rpc_stream_finish(struct rpc_stream *stream);
/* The call has no use for it any more: RST_STREAM with |code| if it is open; freed in this or the
 * next turn. */
void pgrpc__rpc_stream_abandon(struct rpc_stream *stream, enum h2_error code);
/* The user took a message of |len| bytes on the wire. */
void pgrpc__rpc_stream_consumed(struct rpc_stream *stream, size_t len);

/* --- stream_client.c --- */
void pgrpc__rpc_client_head(struct rpc_stream *stream, const struct h2_head *head,
                            enum h2_head_kind kind, bool end_stream);
void pgrpc__rpc_client_foreign_body(struct rpc_stream *stream, const uint8_t *data, size_t len,
                                    bool end_stream);
/* The response ended without trailers. */
void pgrpc__rpc_client_ended(struct rpc_stream *stream);
/* The stream is over and its call is not. */
void pgrpc__rpc_client_closed(struct rpc_stream *stream, struct pgrpc_call *call, enum h2_end end,
                              uint32_t code);

/* --- stream_server.c --- */
/* The client closed its end. */
void pgrpc__rpc_server_ended(struct rpc_stream *stream);
void pgrpc__rpc_server_closed(struct pgrpc_call *call, enum h2_end end, uint32_t code);

/* --- stream.c --- */
struct rpc_stream *pgrpc__rpc_stream_new(struct pgrpc_call *call);
/* Releases it from HTTP/2 and frees it. Not from inside its events, but on_closed. Accepts NULL. */
void pgrpc__rpc_stream_free(struct rpc_stream *stream);
extern const struct h2_stream_events pgrpc__rpc_stream_events;

#endif
