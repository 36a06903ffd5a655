#include "h2/frame_scan.h"

#include <arpa/inet.h>
#include <string.h>

static uint32_t load_u32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return ntohl(value);
}

static void parse(const uint8_t *bytes, struct frame_head *head)
{
    uint32_t first = load_u32(bytes);
    head->len = first >> 8;
    head->type = (uint8_t)first;
    head->flags = bytes[4];
    head->id = (int32_t)(load_u32(bytes + 5) & INT32_MAX);
}

bool pgrpc__frame_scan_next(struct frame_scan *scan, const uint8_t *data, size_t len, size_t *used,
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
        parse(data + position, head);
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
        parse(scan->head, head);
    }
    scan->payload_left = head->len;
    scan->type = head->type;
    if (head->type == FRAME_HEADERS || head->type == FRAME_CONTINUATION)
        scan->is_in_block = !(head->flags & FRAME_FLAG_END_HEADERS);
    *used = position;
    return true;
}

bool pgrpc__frame_scan_is_in_block(const struct frame_scan *scan)
{
    return scan->is_in_block || (scan->payload_left > 0 &&
                                 (scan->type == FRAME_HEADERS || scan->type == FRAME_CONTINUATION));
}

const char *pgrpc__frame_type_name(uint8_t type)
{
    static const char *const names[] = {"DATA",          "HEADERS",      "PRIORITY", "RST_STREAM",
                                        "SETTINGS",      "PUSH_PROMISE", "PING",     "GOAWAY",
                                        "WINDOW_UPDATE", "CONTINUATION"};
    return type < sizeof(names) / sizeof(*names) ? names[type] : NULL;
}
