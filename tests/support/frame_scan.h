/*
 * Follows frame boundaries in the bytes a peer sends, for the reference engine: every frame is
 * counted before anything is done for it, also of those that nghttp2 does not tell of.  Nine bytes
 * of state, no allocation.  Embedded in the engine.
 */
#ifndef TESTS_FRAME_SCAN_H
#define TESTS_FRAME_SCAN_H

#include <stdbool.h>

#include "h2/frame_head.h"

struct frame_scan {
    size_t payload_left; /* of the frame whose head was seen last */
    unsigned head_len;   /* bytes of the next head so far */
    uint8_t head[FRAME_HEADER_LEN];
    bool is_in_block; /* a header block has begun and lacks END_HEADERS */
    uint8_t type;     /* of the frame whose head was seen last */
};

/*
 * Goes on to the next frame head in |data|.  True when one is complete: *head is filled and
 * *used bytes were passed, the head's included.  False: all |len| bytes were passed.
 */
bool frame_scan_next(struct frame_scan *scan, const uint8_t *data, size_t len, size_t *used,
                     struct frame_head *head);
/* True while a header block is incomplete. */
bool frame_scan_is_in_block(const struct frame_scan *scan);

#endif
