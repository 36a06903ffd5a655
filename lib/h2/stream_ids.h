/*
 * What a server remembers of stream ids without keeping closed streams: those that the client
 * passed over, which must never be used (RFC 9113 section 5.1.1), and those that it ended itself,
 * on which nothing may follow (section 5.1).  Of each the latest ones.  Pure; embedded in an
 * engine.
 */
#ifndef PGRPC__H2_STREAM_IDS_H
#define PGRPC__H2_STREAM_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "h2/frame_head.h"

enum { SKIPPED_RANGES = 8, ENDED_IDS = 64 };

struct id_range {
    int32_t first;
    int32_t last;
};

struct stream_ids {
    int32_t highest; /* of the HEADERS seen */
    unsigned skipped_count;
    struct id_range skipped[SKIPPED_RANGES];
    int32_t ended[ENDED_IDS]; /* the latest in each place */
};

/* HEADERS name |id|, an odd number. True when the client had passed over it. */
bool pgrpc__stream_ids_is_skipped(struct stream_ids *ids, int32_t id);
/* True when a frame goes on with a stream that the client has ended. */
bool pgrpc__stream_ids_is_after_end(struct stream_ids *ids, const struct frame_head *head);

#endif
