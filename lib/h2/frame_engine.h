/*
 * What the files of the frame engine share: an HTTP/2 engine of our own (RFC 9113), with nghttp2's
 * HPACK.
 *
 *   frame_engine.c           life and submissions: the engine's functions
 *   frame_engine_streams.c   the table of streams, and how they end
 *   frame_engine_receive.c   bytes in: frames, their order, and DATA
 *   frame_engine_heads.c     header blocks in
 *   frame_engine_control.c   SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM in
 *   frame_engine_output.c    frames out
 *   head_memo.c              heads that were seen or sent before
 *
 * Frames to send wait in four places and go out in this order: |urgent| (our SETTINGS, their
 * acknowledgement, pings), heads that are not encoded yet (a stream that is reset before leaves no
 * trace), |regular| (resets, GOAWAY, window updates), and DATA, which is never queued but asked
 * for.
 */
#ifndef PGRPC__H2_FRAME_ENGINE_H
#define PGRPC__H2_FRAME_ENGINE_H

#include "h2/engine.h"
#include "h2/frame_head.h"
#include "h2/head_block.h"
#include "h2/head_check.h"
#include "h2/head_memo.h"
#include "h2/hpack.h"
#include "h2/stream_ids.h"

enum {
    FRAME_BYTES = 16384, /* of a payload, both ways */
    PREFACE_LEN = 24,
    MAX_CONTINUATIONS = 8,
    MAX_SETTINGS = 32,
    MAX_HEAD_SENT = 256 * 1024, /* of a head of ours, whatever the peer takes */
    ASSUMED_STREAMS = 100,      /* of a server whose SETTINGS did not come yet */
    DEFAULT_WINDOW = 65535,
    SETTING_LEN = 6,
    GATHER_BYTES = MAX_SETTINGS * SETTING_LEN,
    PLACES_MIN = 16
};

struct engine_stream {
    struct list node;           /* of |heads| or |ready| */
    struct list blocked;        /* of |blocked| */
    struct h2_stream *user;     /* NULL: nobody's any more */
    struct head_template *head; /* ours, not yet encoded */
    int32_t id;
    int64_t send_window;
    int64_t receive_window; /* what the peer may still send */
    size_t credit;          /* given back by the owner and not yet announced */
    int64_t content_length; /* LENGTH_UNKNOWN */
    int64_t received_bytes;
    bool is_update_waiting; /* a WINDOW_UPDATE of its own is not written yet */
    bool has_body;          /* our DATA may follow */
    bool head_ends;         /* |head| carries END_STREAM */
    bool is_closing;        /* a RST_STREAM of ours waits; what the peer sends is dropped */
    bool local_ended;       /* our END_STREAM was written */
    bool remote_ended;
    bool has_message; /* the peer's head came, not an informational one ... */
    bool has_head;    /* ... or any */
};

struct stream_place {
    struct engine_stream *stream; /* NULL: it is gone */
    int32_t id;
};

/* Encoded frames that wait. */
struct frame_buffer {
    uint8_t *data;
    size_t len;
    size_t cap;
};

enum input_phase {
    INPUT_HEAD,  /* of a frame */
    INPUT_SMALL, /* a payload that is looked at whole, or the beginning of one */
    INPUT_DATA,
    INPUT_BLOCK,
    INPUT_SKIP /* padding, and frames that are ignored */
};

/* The frame being received. */
struct frame_input {
    enum input_phase phase;
    struct frame_head head;
    size_t left;     /* of the payload */
    size_t pad;      /* of |left|: behind what counts */
    unsigned have;   /* bytes gathered ... */
    unsigned wanted; /* ... and needed */
    uint8_t bytes[GATHER_BYTES];
};

/* The header block being received. */
struct block_input {
    struct head_block fields;
    struct head_check check;
    const struct head_memo *memo; /* it was seen before: stands for |fields| */
    struct memo_key key;
    int32_t id;
    bool is_open;     /* END_HEADERS is still to come */
    bool is_dropped;  /* decoded only so that HPACK stays in step */
    bool has_begun;   /* some of it was decoded ... */
    bool is_complete; /* ... or all */
    bool end_stream;
    enum h2_head_kind kind; /* H2_HEAD_RESPONSE: or informational */
    unsigned continuation_count;
};

struct h2_engine {
    struct mem *mem;
    const struct h2_engine_events *events;
    void *owner;
    struct h2_settings settings;
    struct hpack *hpack;

    struct stream_place *places; /* in the order of ids */
    size_t place_count;
    size_t place_cap;
    size_t stream_count;
    struct engine_stream *found; /* the latest that was looked up */
    struct list heads;
    size_t head_count;   /* of |heads| */
    struct list ready;   /* may have DATA */
    struct list blocked; /* had to wait for window: the longest wait is first */
    struct stream_place own_places[PLACES_MIN];

    struct frame_buffer urgent;
    struct frame_buffer regular;
    size_t induced_count; /* waiting frames that the peer caused */
    struct outq *outq;    /* while output runs */

    struct frame_input input;
    struct block_input block;
    struct stream_ids ids; /* server */
    unsigned preface_left;

    int32_t next_id;       /* client */
    int32_t last_sent_id;  /* client: highest whose HEADERS went out */
    int32_t last_seen_id;  /* server: highest that the client used ... */
    int32_t last_taken_id; /* ... and that was not ignored */
    int32_t peer_last_id;  /* client: of the server's GOAWAY */
    int32_t said_last_id;  /* of ours */

    int64_t send_window;
    int64_t receive_window;
    size_t credit;
    size_t credit_withheld; /* our window is smaller than HTTP's first one by so much */
    uint32_t peer_window;   /* of new streams: ours to send ... */
    int64_t own_window;     /* ... and theirs */
    uint32_t peer_max_streams;
    uint32_t peer_max_header_bytes;

    bool is_update_waiting; /* of the connection's window */
    bool preface_due;       /* client */
    bool has_peer_settings;
    bool are_settings_acked;
    bool is_goaway_written;
    bool is_final;    /* a last GOAWAY was submitted ... */
    bool is_finished; /* ... and written */
    uint32_t final_code;
    struct memo_table memos;
    struct template_table templates;
    char failure[128];
};

/* --- streams ---------------------------------------------------------------------------------- */

struct engine_stream *pgrpc__frames_find(struct h2_engine *engine, int32_t id);
/* NULL when out of memory. */
struct engine_stream *pgrpc__frames_add(struct h2_engine *engine, int32_t id);
/* Gone, without an event. */
void pgrpc__frames_remove(struct h2_engine *engine, struct engine_stream *stream);
void pgrpc__frames_remove_all(struct h2_engine *engine);
/* The stream is over: gone, and told. */
void pgrpc__frames_close(struct h2_engine *engine, struct engine_stream *stream, uint32_t code);
void pgrpc__frames_close_if_done(struct h2_engine *engine, struct engine_stream *stream);
/* Our streams above |last_id| were not processed. */
void pgrpc__frames_close_above(struct h2_engine *engine, int32_t last_id);
/* The peer's window grew: who waited for it is asked again. */
void pgrpc__frames_unblock(struct h2_engine *engine, struct engine_stream *stream);
void pgrpc__frames_unblock_all(struct h2_engine *engine);
/* Adds to every stream's window; false when one of the sending ones overflows. */
bool pgrpc__frames_move_windows(struct h2_engine *engine, int64_t send, int64_t receive);
/* The windows became smaller: credit that was too little to announce may be enough. 0 or -ENOMEM.
 */
int pgrpc__frames_announce_credit(struct h2_engine *engine);
/* Appends the stream unless it is in a list already. */
void pgrpc__frames_list(struct list *list, struct engine_stream *stream);

/* --- bytes in --------------------------------------------------------------------------------- */

int pgrpc__frames_receive(struct h2_engine *engine, const uint8_t *data, size_t len);
/* The connection ends with GOAWAY |code|. Returns what receive returns. */
int pgrpc__frames_give_up(struct h2_engine *engine, uint32_t code, const char *text);
/* The same, and the failure's text names the code. */
int pgrpc__frames_broken(struct h2_engine *engine, uint32_t code, const char *text);
/* We reset a stream for the peer's fault. 0 or -ENOMEM. */
int pgrpc__frames_violated(struct h2_engine *engine, struct engine_stream *stream, uint32_t code);
/* Whether a stream was never used. */
bool pgrpc__frames_is_idle(const struct h2_engine *engine, int32_t id);

/* Each 0 or what receive returns.  begin: the head of a frame is complete.  end: its payload is. */
int pgrpc__frames_headers_begin(struct h2_engine *engine);
int pgrpc__frames_headers_prefix(struct h2_engine *engine);
int pgrpc__frames_continuation_begin(struct h2_engine *engine);
int pgrpc__frames_block_piece(struct h2_engine *engine, const uint8_t *data, size_t len);
int pgrpc__frames_block_end(struct h2_engine *engine);
int pgrpc__frames_control_begin(struct h2_engine *engine);
int pgrpc__frames_control_end(struct h2_engine *engine);

/* --- frames out ------------------------------------------------------------------------------- */

int pgrpc__frames_output(struct h2_engine *engine, struct outq *outq, size_t max_bytes);
bool pgrpc__frames_wants_output(const struct h2_engine *engine);
/* Appends a frame. 0 or -ENOMEM. */
int pgrpc__frames_add_frame(struct h2_engine *engine, struct frame_buffer *buffer, uint8_t type,
                            uint8_t flags, int32_t id, const void *payload, size_t len);
/* Names no higher stream than the one before. 0 or -ENOMEM. */
int pgrpc__frames_add_goaway(struct h2_engine *engine, int32_t last_id, uint32_t code,
                             const char *debug);
/* The stream's head does not wait any more: it is the caller's. NULL when there was none. */
struct head_template *pgrpc__frames_take_head(struct h2_engine *engine,
                                              struct engine_stream *stream);
/* RST_STREAM is submitted once; what else waits of the stream is dropped. 0 or -ENOMEM. */
int pgrpc__frames_reset(struct h2_engine *engine, struct engine_stream *stream, uint32_t code);
/* Whether a head is more than the peer takes. */
bool pgrpc__frames_is_too_large(const struct h2_engine *engine, const struct header_field *fields,
                                size_t count);
/* The owner, or we for what he never sees, took |len| bytes. */
int pgrpc__frames_credit_stream(struct h2_engine *engine, struct engine_stream *stream, size_t len);
int pgrpc__frames_credit_connection(struct h2_engine *engine, size_t len);

/* --- numbers ---------------------------------------------------------------------------------- */

uint32_t pgrpc__frames_load(const uint8_t *bytes);
void pgrpc__frames_store(uint8_t *bytes, uint32_t value);

#endif
