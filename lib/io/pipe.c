#include "io/pipe.h"

#include <errno.h>
#include <string.h>

#include "io/error_text.h"

/* One end, with the bytes that wait to be read here. */
struct pipe_end {
    struct bytestream stream;
    struct pgrpc_loop *loop;
    struct pipe_end *other; /* NULL once that is freed */
    struct loop_task event_task;
    struct pipe_faults faults;
    const char *error_text;
    bool is_ready;
    bool is_paused;
    bool is_shut;          /* nothing more will be written here */
    bool is_ended;         /* the reader has seen the end or an error: no more on_readable */
    bool is_write_blocked; /* on_writable is owed when there is room */
    size_t capacity;
    size_t first; /* ring */
    size_t count;
    uint8_t bytes[];
};

static struct pipe_end *end_of(struct bytestream *stream)
{
    return CONTAINER_OF(stream, struct pipe_end, stream);
}

static bool is_readable(const struct pipe_end *end)
{
    return !end->is_ended &&
           (end->count > 0 || end->faults.read_error || !end->other || end->other->is_shut);
}

static bool is_writable(const struct pipe_end *end)
{
    if (end->faults.write_error)
        return end->faults.write_error != EAGAIN;
    return !end->other || end->other->count < end->other->capacity;
}

static bool has_event(const struct pipe_end *end)
{
    return !end->is_ready || (end->is_write_blocked && is_writable(end)) ||
           (!end->is_paused && is_readable(end));
}

/* Lets the owner of |end| know in a turn, if there is something to know. */
static void notify(struct pipe_end *end)
{
    if (end && end->stream.events && has_event(end))
        pgrpc__loop_defer(end->loop, &end->event_task);
}

/* One event: the owner may free the end in it. What is left to tell comes by the next run. */
static void run_event(struct loop_task *task)
{
    struct pipe_end *end = CONTAINER_OF(task, struct pipe_end, event_task);
    const struct bytestream_events *events = end->stream.events;

    if (!events || !has_event(end))
        return;
    pgrpc__loop_defer(end->loop, task);
    if (!end->is_ready) {
        end->is_ready = true;
        events->on_ready(end->stream.owner);
    } else if (end->is_write_blocked && is_writable(end)) {
        end->is_write_blocked = false;
        events->on_writable(end->stream.owner);
    } else {
        events->on_readable(end->stream.owner);
    }
}

static ssize_t fail(struct pipe_end *end, int error)
{
    end->error_text = pgrpc__error_text(error);
    return -error;
}

/* Copies |len| bytes from the ring and takes them out. */
static void take(struct pipe_end *end, uint8_t *data, size_t len)
{
    size_t straight = end->capacity - end->first;
    if (straight > len)
        straight = len;
    memcpy(data, end->bytes + end->first, straight);
    memcpy(data + straight, end->bytes, len - straight);
    end->first = (end->first + len) % end->capacity;
    end->count -= len;
}

static void put(struct pipe_end *end, const uint8_t *data, size_t len)
{
    size_t start = (end->first + end->count) % end->capacity, straight = end->capacity - start;
    if (straight > len)
        straight = len;
    memcpy(end->bytes + start, data, straight);
    memcpy(end->bytes, data + straight, len - straight);
    end->count += len;
}

static ssize_t pipe_read(struct bytestream *stream, void *data, size_t len)
{
    struct pipe_end *end = end_of(stream);
    if (end->faults.read_error) {
        end->is_ended = true;
        return fail(end, end->faults.read_error);
    }
    if (end->count == 0) {
        end->is_ended = !end->other || end->other->is_shut;
        return end->is_ended ? 0 : -EAGAIN;
    }
    if (len > end->count)
        len = end->count;
    if (end->faults.max_read && len > end->faults.max_read)
        len = end->faults.max_read;
    take(end, data, len);
    notify(end);
    notify(end->other);
    return (ssize_t)len;
}

static ssize_t pipe_writev(struct bytestream *stream, const struct iovec *vectors, int count)
{
    struct pipe_end *end = end_of(stream);
    end->is_write_blocked |= end->faults.write_error == EAGAIN;
    if (end->faults.write_error)
        return fail(end, end->faults.write_error);
    if (!end->other || end->is_shut)
        return fail(end, EPIPE);

    size_t room = end->other->capacity - end->other->count, written = 0;
    if (end->faults.max_write && room > end->faults.max_write)
        room = end->faults.max_write;
    for (int i = 0; i < count && room > 0; i++) {
        size_t len = vectors[i].iov_len < room ? vectors[i].iov_len : room;
        if (len > 0)
            put(end->other, vectors[i].iov_base, len);
        written += len;
        room -= len;
    }
    if (written == 0) {
        end->is_write_blocked = true;
        return -EAGAIN;
    }
    notify(end->other);
    return (ssize_t)written;
}

static void pipe_pause_reading(struct bytestream *stream, bool paused)
{
    struct pipe_end *end = end_of(stream);
    end->is_paused = paused;
    notify(end);
}

static void pipe_shutdown(struct bytestream *stream)
{
    struct pipe_end *end = end_of(stream);
    end->is_shut = true;
    notify(end->other);
}

static const struct bytestream_peer *pipe_peer(struct bytestream *stream)
{
    static const struct bytestream_peer peer = {.address = "pipe:", .security = "insecure"};
    (void)stream;
    return &peer;
}

static const char *pipe_error_text(struct bytestream *stream)
{
    return end_of(stream)->error_text;
}

static void pipe_free(struct bytestream *stream)
{
    struct pipe_end *end = end_of(stream);
    pgrpc__loop_task_cancel(&end->event_task);
    if (end->other) {
        end->other->other = NULL;
        notify(end->other);
    }
    pgrpc__mem_free(&end->loop->mem, end);
}

static const struct bytestream_ops pipe_ops = {
    .read = pipe_read,
    .writev = pipe_writev,
    .pause_reading = pipe_pause_reading,
    .shutdown = pipe_shutdown,
    .peer = pipe_peer,
    .error_text = pipe_error_text,
    .free = pipe_free,
};

static struct pipe_end *end_new(struct pgrpc_loop *loop, size_t capacity)
{
    if (capacity > SIZE_MAX - sizeof(struct pipe_end))
        return NULL;
    struct pipe_end *end = pgrpc__mem_alloc(&loop->mem, sizeof(*end) + capacity);
    if (!end)
        return NULL;
    memset(end, 0, sizeof(*end));
    end->stream.ops = &pipe_ops;
    end->loop = loop;
    end->event_task.run = run_event;
    end->error_text = "";
    end->capacity = capacity;
    return end;
}

int pgrpc__pipe_new(struct pgrpc_loop *loop, size_t capacity, struct bytestream **first,
                    struct bytestream **second)
{
    struct pipe_end *one = end_new(loop, capacity), *two = end_new(loop, capacity);
    if (!one || !two) {
        pgrpc__mem_free(&loop->mem, one);
        pgrpc__mem_free(&loop->mem, two);
        return -ENOMEM;
    }
    one->other = two;
    two->other = one;
    /* The owners set their events after this, so notify would find none. */
    pgrpc__loop_defer(loop, &one->event_task);
    pgrpc__loop_defer(loop, &two->event_task);
    *first = &one->stream;
    *second = &two->stream;
    return 0;
}

void pgrpc__pipe_set_faults(struct bytestream *stream, const struct pipe_faults *faults)
{
    struct pipe_end *end = end_of(stream);
    end->faults = *faults;
    notify(end);
}
