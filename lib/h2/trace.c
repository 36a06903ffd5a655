/* Frames and states as readable lines, when PGRPC_TRACE asks for them. */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "h2/connection_private.h"
#include "h2/frame_head.h"

/* Short enough to be told apart by eye. */
static unsigned number_of(const struct h2_connection *connection)
{
    return (unsigned)((uintptr_t)connection >> 4) & 0xffff;
}

static const char *role_of(const struct h2_connection *connection)
{
    return connection->config.is_server ? "server" : "client";
}

static void add(char *text, size_t size, const char *name)
{
    size_t len = 0;
    while (text[len])
        len++;
    snprintf(text + len, size - len, " %s", name);
}

void pgrpc__h2_trace_frame(const struct h2_connection *connection, bool sent, uint8_t type,
                           uint8_t flags, int32_t id, size_t len)
{
    const char *name = pgrpc__frame_type_name(type);
    char unknown[16], flag_text[64] = "";

    if (!name) {
        snprintf(unknown, sizeof(unknown), "type %u", type);
        name = unknown;
    }
    if ((type == FRAME_DATA || type == FRAME_HEADERS) && (flags & FRAME_FLAG_END_STREAM))
        add(flag_text, sizeof(flag_text), "END_STREAM");
    if ((type == FRAME_HEADERS || type == FRAME_CONTINUATION) && (flags & FRAME_FLAG_END_HEADERS))
        add(flag_text, sizeof(flag_text), "END_HEADERS");
    if ((type == FRAME_DATA || type == FRAME_HEADERS) && (flags & FRAME_FLAG_PADDED))
        add(flag_text, sizeof(flag_text), "PADDED");
    if ((type == FRAME_SETTINGS || type == FRAME_PING) && (flags & FRAME_FLAG_ACK))
        add(flag_text, sizeof(flag_text), "ACK");
    pgrpc__trace(TRACE_FRAMES, "%s %04x %s %s stream %d, %zu bytes%s", role_of(connection),
                 number_of(connection), sent ? "sends" : "gets ", name, (int)id, len, flag_text);
}

void pgrpc__h2_trace(const struct h2_connection *connection, const char *format, ...)
{
    char text[256];
    va_list arguments;

    if (!TRACE_IS_ON(TRACE_CONNECTIONS))
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    pgrpc__trace(TRACE_CONNECTIONS, "%s %04x %s", role_of(connection), number_of(connection), text);
}
