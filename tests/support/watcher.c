#include "watcher.h"

#include <stdio.h>
#include <string.h>

static void on_ready(void *owner)
{
    ((struct watcher *)owner)->ready++;
}

static void on_readable(void *owner)
{
    struct watcher *watcher = owner;
    watcher->readable++;
    if (watcher->on_readable)
        watcher->on_readable(watcher);
    else
        watcher->stream->ops->pause_reading(watcher->stream, true);
}

static void on_writable(void *owner)
{
    ((struct watcher *)owner)->writable++;
}

static void on_failed(void *owner, const char *text)
{
    struct watcher *watcher = owner;
    watcher->failed++;
    snprintf(watcher->text, sizeof(watcher->text), "%s", text);
}

static const struct bytestream_events events = {on_ready, on_readable, on_writable, on_failed};

void watcher_init(struct watcher *watcher, struct bytestream *stream)
{
    memset(watcher, 0, sizeof(*watcher));
    watcher->stream = stream;
    bytestream_set_events(stream, &events, watcher);
}

ssize_t stream_read(struct bytestream *stream, void *data, size_t len)
{
    return stream->ops->read(stream, data, len);
}

ssize_t stream_write(struct bytestream *stream, const void *data, size_t len)
{
    struct iovec vector = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    return stream->ops->writev(stream, &vector, 1);
}

void stream_free(struct bytestream *stream)
{
    if (stream)
        stream->ops->free(stream);
}
