#include "frame_scan.h"

#include <string.h>

bool frame_scan_next(struct frame_scan *scan, const uint8_t *data, size_t len, size_t *used,
                     struct frame_head *head)
{
    if (len < scan->payload_left) {
        scan->payload_left -= len;
        *used = len;
        return false;
    }
    size_t position = scan->payload_left;
    scan->payload_left = 0;

    if (scan->head_len == 0 && len - position >= FRAME_HEADER_LEN) {
        pgrpc__frame_head_parse(data + position, head);
        position += FRAME_HEADER_LEN;
    } else {
        size_t take = FRAME_HEADER_LEN - scan->head_len;
        bool is_complete = len - position >= take;
        if (!is_complete)
            take = len - position;
        if (take > 0)
            memcpy(scan->head + scan->head_len, data + position, take);
        position += take;
        if (!is_complete) {
            scan->head_len += (unsigned)take;
            *used = position;
            return false;
        }
        scan->head_len = 0;
        pgrpc__frame_head_parse(scan->head, head);
    }
    scan->payload_left = head->len;
    scan->type = head->type;
    if (head->type == FRAME_HEADERS || head->type == FRAME_CONTINUATION)
        scan->is_in_block = !(head->flags & FRAME_FLAG_END_HEADERS);
    *used = position;
    return true;
}

bool frame_scan_is_in_block(const struct frame_scan *scan)
{
    return scan->is_in_block || (scan->payload_left > 0 &&
                                 (scan->type == FRAME_HEADERS || scan->type == FRAME_CONTINUATION));
}
