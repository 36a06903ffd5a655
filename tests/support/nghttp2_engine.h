/* What the two files of the nghttp2 engine share: the engine itself and its callbacks. */
#ifndef TESTS_NGHTTP2_ENGINE_H
#define TESTS_NGHTTP2_ENGINE_H

#include <nghttp2/nghttp2.h>

#include "frame_scan.h"
#include "h2/engine.h"
#include "h2/head_block.h"
#include "h2/stream_ids.h"

enum {
    MAX_CONTINUATIONS = 8,
    MAX_HEAD_SENT = 256 * 1024 /* of a head of ours, whatever the peer takes */
};

struct h2_engine {
    struct mem *mem;
    nghttp2_session *session;
    const struct h2_engine_events *events;
    void *owner;
    struct h2_settings settings;
    struct outq *outq;    /* while output runs */
    size_t max_bytes;     /* output pauses when the outq holds them */
    size_t open_count;    /* client: our streams that nghttp2 has not closed */
    size_t induced_count; /* frames waiting because of what the peer sent */
    size_t own_count;     /* frames submitted by the owner while receive runs */
    unsigned continuation_count;
    unsigned preface_left; /* server: bytes of the client's magic still to come */
    int error;             /* inside a callback: -ENOMEM or -EPROTO */
    bool is_receiving;
    bool has_output;   /* something may be there to be sent */
    int32_t cached_id; /* the stream looked up last, 0: none */
    struct h2_stream *cached_stream;
    bool is_final;         /* a last GOAWAY was submitted ... */
    uint32_t final_code;   /* ... with this code */
    bool is_finished;      /* ... and written */
    struct stream_ids ids; /* server */
    struct head_block head;
    int32_t head_id;
    struct h2_stream *head_stream;
    struct frame_scan scan;
    char failure[128];
};

extern const struct h2_engine_ops nghttp2_engine;

void nghttp2_engine_set_callbacks(nghttp2_session_callbacks *callbacks);
/* Whose stream it is from now on; NULL: nobody's, and a reset of it is the owner's doing. */
void nghttp2_engine_set_stream(struct h2_engine *engine, int32_t id, struct h2_stream *stream);
/* The data provider's callback. */
ssize_t nghttp2_engine_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t len,
                            uint32_t *flags, nghttp2_data_source *source, void *userdata);
/* Submits the trailers that |output| has. 0 or -ENOMEM; a head that is too large resets the
 * stream. */
int nghttp2_engine_trailers(struct h2_engine *engine, int32_t id, const struct h2_output *output);
void nghttp2_engine_fail(struct h2_engine *engine, const char *text);
/* NULL when nobody's. */
struct h2_stream *nghttp2_engine_find(struct h2_engine *engine, int32_t id);

#endif
