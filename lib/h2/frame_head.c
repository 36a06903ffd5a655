#include "h2/frame_head.h"

#include <arpa/inet.h>
#include <string.h>

static uint32_t load_u32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return ntohl(value);
}

void pgrpc__frame_head_parse(const uint8_t *bytes, struct frame_head *head)
{
    uint32_t first = load_u32(bytes);
    head->len = first >> 8;
    head->type = (uint8_t)first;
    head->flags = bytes[4];
    head->id = (int32_t)(load_u32(bytes + 5) & INT32_MAX);
}

const char *pgrpc__frame_type_name(uint8_t type)
{
    static const char *const names[] = {"DATA",          "HEADERS",      "PRIORITY", "RST_STREAM",
                                        "SETTINGS",      "PUSH_PROMISE", "PING",     "GOAWAY",
                                        "WINDOW_UPDATE", "CONTINUATION"};
    return type < sizeof(names) / sizeof(*names) ? names[type] : NULL;
}
