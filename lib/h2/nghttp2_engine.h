/* What the two files of the nghttp2 engine share: the engine itself and its callbacks. */
#ifndef PGRPC__H2_NGHTTP2_ENGINE_H
#define PGRPC__H2_NGHTTP2_ENGINE_H

#include <nghttp2/nghttp2.h>

#include "h2/engine.h"
#include "h2/frame_scan.h"

enum {
    SKIPPED_RANGES = 8,
    ENDED_IDS = 64,
    MAX_CONTINUATIONS = 8,
    MAX_HEAD_SENT = 256 * 1024, /* of a head of ours, whatever the peer takes */
    HEAD_FIELDS = 16,
    HEAD_TEXT = 512
};

/*
 * The header block being received.  Blocks of one connection never interleave, so one is enough.
 * The usual block fits into the engine itself; what a larger one needs is given back after the
 * event.
 */
struct head_block {
    struct header_field *fields;
    size_t field_count; /* kept ... */
    size_t field_cap;
    char *text;
    size_t text_len;
    size_t text_cap;
    size_t size;       /* RFC 9113 section 10.5.1, ignored fields included */
    size_t seen_count; /* ... and ignored */
    int32_t id;
    struct h2_stream *stream;
    struct header_field own_fields[HEAD_FIELDS];
    char own_text[HEAD_TEXT];
};

/* Stream ids that the client passed over: they must never be used (RFC 9113 section 5.1.1). */
struct id_range {
    int32_t first;
    int32_t last;
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
    bool is_final;       /* a last GOAWAY was submitted ... */
    uint32_t final_code; /* ... with this code */
    bool is_finished;    /* ... and written */
    int32_t highest_id;  /* server: of the HEADERS seen */
    unsigned skipped_count;
    struct id_range skipped[SKIPPED_RANGES];
    int32_t ended[ENDED_IDS]; /* server: streams that the client ended, the latest in each place */
    struct head_block head;
    struct frame_scan scan;
    char failure[128];
};

void pgrpc__nghttp2_set_callbacks(nghttp2_session_callbacks *callbacks);
void pgrpc__nghttp2_head_clear(struct h2_engine *engine);
/* Whose stream it is from now on; NULL: nobody's, and a reset of it is the owner's doing. */
void pgrpc__nghttp2_set_stream(struct h2_engine *engine, int32_t id, struct h2_stream *stream);
/* The data provider's callback. */
ssize_t pgrpc__nghttp2_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t len,
                            uint32_t *flags, nghttp2_data_source *source, void *userdata);
/* Submits the trailers that |output| has. 0 or -ENOMEM; a head that is too large resets the
 * stream. */
int pgrpc__nghttp2_trailers(struct h2_engine *engine, int32_t id, const struct h2_output *output);
void pgrpc__nghttp2_fail(struct h2_engine *engine, const char *text);
/* NULL when nobody's. */
struct h2_stream *pgrpc__nghttp2_find(struct h2_engine *engine, int32_t id);

#endif
