#include "wire/path.h"

#include <stdint.h>
#include <string.h>

/* A bit for each character up to 0x7F: printable, but not space / \ % ? # */
static const uint64_t path_characters[2] = {UINT64_C(0x7FFF7FD600000000),
                                            UINT64_C(0x7FFFFFFFEFFFFFFF)};

static bool is_path_character(char c)
{
    uint8_t byte = (uint8_t)c;
    return byte < 0x80 && (path_characters[byte >> 6] >> (byte & 63) & 1);
}

static bool is_part(const char *part, size_t len)
{
    if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && memcmp(part, "..", 2) == 0))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_path_character(part[i]))
            return false;
    return true;
}

bool pgrpc__path_split(const char *path, size_t len, struct path_parts *parts)
{
    if (len == 0 || path[0] != '/')
        return false;
    const char *service = path + 1;
    const char *slash = memchr(service, '/', len - 1);
    if (!slash)
        return false;
    size_t service_len = (size_t)(slash - service);
    size_t method_len = len - service_len - 2;
    if (!is_part(service, service_len) || !is_part(slash + 1, method_len))
        return false;
    parts->service = service;
    parts->service_len = service_len;
    parts->method = slash + 1;
    parts->method_len = method_len;
    return true;
}
