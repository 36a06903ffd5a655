/*
 * The owner of a byte stream, for tests: counts its events and remembers how it failed.  What it
 * does on an event can be set; otherwise it pauses reading, so that no turn spins on unread bytes.
 */
#ifndef TESTS_WATCHER_H
#define TESTS_WATCHER_H

#include "io/bytestream.h"

struct watcher {
    struct bytestream *stream;
    int ready;
    int readable;
    int writable;
    int failed;
    char text[256];
    void (*on_readable)(struct watcher *watcher); /* optional */
    void *userdata;
};

/* Becomes the owner of |stream|. */
void watcher_init(struct watcher *watcher, struct bytestream *stream);

/* One read or write through the operations of |stream|. */
ssize_t stream_read(struct bytestream *stream, void *data, size_t len);
ssize_t stream_write(struct bytestream *stream, const void *data, size_t len);
void stream_free(struct bytestream *stream);

#endif
