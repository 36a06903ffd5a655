/*
 * Follows frame boundaries in the bytes a peer sends, so that every frame is counted before
 * anything is done for it, whatever the code behind does with it.  Nine bytes of state, no
 * allocation. Embedded in an engine.
 */
#ifndef PGRPC__H2_FRAME_SCAN_H
#define PGRPC__H2_FRAME_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_HEADER_LEN = 9 };

/* RFC 9113 section 6 */
enum frame_type {
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_PRIORITY = 2,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS = 4,
    FRAME_PUSH_PROMISE = 5,
    FRAME_PING = 6,
    FRAME_GOAWAY = 7,
    FRAME_WINDOW_UPDATE = 8,
    FRAME_CONTINUATION = 9
};

enum {
    FRAME_FLAG_END_STREAM = 1,
    FRAME_FLAG_ACK = 1,
    FRAME_FLAG_END_HEADERS = 4,
    FRAME_FLAG_PADDED = 8,
    FRAME_FLAG_PRIORITY = 32
};

struct frame_head {
    size_t len;
    uint8_t type;
    uint8_t flags;
    int32_t id;
};

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
bool pgrpc__frame_scan_next(struct frame_scan *scan, const uint8_t *data, size_t len, size_t *used,
                            struct frame_head *head);
/* True while a header block is incomplete. */
bool pgrpc__frame_scan_is_in_block(const struct frame_scan *scan);
/* "HEADERS"; "type 250" is the caller's job: NULL for unknown types. */
const char *pgrpc__frame_type_name(uint8_t type);

#endif
