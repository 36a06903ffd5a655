/*
 * A connection's budget for what a peer makes us do without getting anywhere.
 *
 * Streams are judged by ratio: of the last ABUSE_STREAMS that ended, fewer than half may have ended
 * early by the peer's doing, so a peer that cancels often but lets most calls finish is never
 * punished.  Frames that cost and achieve nothing are paid from a bucket that fills with time and
 * with useful frames.  Pure: time comes as an argument.  Embedded in a connection.
 */
#ifndef PGRPC__H2_ABUSE_H
#define PGRPC__H2_ABUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ABUSE_STREAMS = 500,
    ABUSE_FRAMES = 1000,           /* what the bucket holds */
    ABUSE_FRAMES_PER_SECOND = 100, /* what comes back with time */
    ABUSE_EMPTY_DATA = 100,        /* in a row */
    ABUSE_UPDATES_PER_DATA = 10,
    ABUSE_SETTINGS_COST = 10,
    ABUSE_INFORMATIONAL = 8, /* 1xx heads of one stream */
    ABUSE_QUEUE_PAUSE = 100, /* frames the peer caused and does not read: we stop reading ... */
    ABUSE_QUEUE_CLOSE = 1000 /* ... and close */
};

struct abuse {
    uint64_t early[(ABUSE_STREAMS + 63) / 64]; /* ring of bits: ended early */
    unsigned ended_count;                      /* up to ABUSE_STREAMS */
    unsigned early_count;
    unsigned position;
    unsigned spent; /* from the bucket */
    int64_t refilled_ms;
    unsigned empty_data;
    unsigned updates_free; /* WINDOW_UPDATE frames that are paid for by what we sent */
};

/* Each says why the peer must go, or NULL.  The text is static and fit for GOAWAY. */

/* A stream ended; |is_early|: reset by the peer before our end, by us for its fault, or refused. */
const char *pgrpc__abuse_stream_ended(struct abuse *abuse, bool is_early);
/* A frame came. |has_stream|: its id is not 0. */
const char *pgrpc__abuse_received(struct abuse *abuse, uint8_t type, uint8_t flags, size_t len,
                                  int64_t now_ms);
/* A frame went out. */
void pgrpc__abuse_sent(struct abuse *abuse, uint8_t type);
/* |count| frames that the peer caused wait for it to read. */
const char *pgrpc__abuse_queued(size_t count);

#endif
