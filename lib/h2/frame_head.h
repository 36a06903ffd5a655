/* The nine bytes that every HTTP/2 frame begins with, and what may stand in them. */
#ifndef PGRPC__H2_FRAME_HEAD_H
#define PGRPC__H2_FRAME_HEAD_H

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

/* Of FRAME_HEADER_LEN bytes. */
void pgrpc__frame_head_parse(const uint8_t *bytes, struct frame_head *head);
/* "HEADERS"; "type 250" is the caller's job: NULL for unknown types. */
const char *pgrpc__frame_type_name(uint8_t type);

#endif
