/*
 * A connection's budget for what a peer makes us do without getting anywhere.
 *
 * Streams are judged by ratio: of the last ABUSE_STREAMS that ended, fewer than half may have ended
 * early by the peer's doing, so a peer that cancels often but lets most calls finish is never
 * punished.  A stream that was reset after a second or more is no sign of haste, and a client that
 * opens many before it knows the limit may do so once.  Frames that cost and achieve nothing are
 * paid from a bucket that fills with time and with useful frames.  Pure: time comes as an argument.
 * Embedded in a connection.
 */
#ifndef PGRPC__H2_ABUSE_H
#define PGRPC__H2_ABUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ABUSE_STREAMS = 500,
    ABUSE_STREAM_MS = 1000,        /* a stream that lived this long did not end early */
    ABUSE_REFUSED = 300,           /* refused streams for nothing */
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
    unsigned refused_count;
    unsigned spent; /* from the bucket */
    int64_t refilled_ms;
    unsigned empty_data;
    unsigned updates_free; /* WINDOW_UPDATE frames that are paid for by what we sent */
};

/* Each says why the peer must go, or NULL.  The text is static and fit for GOAWAY. */

/* A stream ended; |is_early|: reset by the peer before our end, or by us for its fault. */
const char *pgrpc__abuse_stream_ended(struct abuse *abuse, bool is_early);
/* A stream beyond the limit was refused. */
const char *pgrpc__abuse_stream_refused(struct abuse *abuse);
/* A frame came. */
const char *pgrpc__abuse_received(struct abuse *abuse, uint8_t type, uint8_t flags, size_t len,
                                  int64_t now_ms);
/* A frame went out. */
void pgrpc__abuse_sent(struct abuse *abuse, uint8_t type);
/* |count| frames that the peer caused wait for it to read. */
const char *pgrpc__abuse_queued(size_t count);

#endif
