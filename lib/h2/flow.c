#include "h2/flow.h"

#include <assert.h>

enum { UNREAD_MIN = 16 * 1024 * 1024, QUOTA_DEFAULT = 64 * 1024 * 1024 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

void pgrpc__h2_flow_init(struct h2_flow *flow, size_t stream_window, size_t connection_window,
                         size_t *quota_used, size_t quota_limit)
{
    if (quota_limit == 0)
        quota_limit = QUOTA_DEFAULT;
    *flow = (struct h2_flow){.stream_window = stream_window,
                             .connection_batch = connection_window / 4,
                             .unread_limit =
                                 larger(larger(UNREAD_MIN, connection_window), 4 * stream_window),
                             .advance_limit = larger(quota_limit / 4, stream_window),
                             .quota_limit = quota_limit,
                             .quota_used = quota_used ? quota_used : &flow->own_quota};
}

static size_t unread(const struct h2_stream *stream)
{
    return stream->expected_bytes > 0 ? 0 : stream->buffered_bytes;
}

static size_t withheld_target(const struct h2_flow *flow)
{
    return flow->unread_bytes > flow->unread_limit ? flow->unread_bytes - flow->unread_limit : 0;
}

/* |len| more bytes may go back to the connection's window. */
static size_t give_back(struct h2_flow *flow, size_t len)
{
    flow->pending_bytes += len;
    if (flow->pending_bytes < flow->connection_batch)
        return 0;
    len = flow->pending_bytes;
    flow->pending_bytes = 0;
    return len;
}

/* What of the withheld bytes may go back now. */
static size_t settle(struct h2_flow *flow)
{
    size_t target = withheld_target(flow);
    if (flow->withheld_bytes <= target)
        return 0;
    size_t back = flow->withheld_bytes - target;
    flow->withheld_bytes = target;
    return give_back(flow, back);
}

static void return_advance(struct h2_flow *flow, struct h2_stream *stream, size_t len)
{
    stream->advance_bytes -= len;
    flow->advanced_bytes -= len;
    *flow->quota_used -= len;
}

static void set_starved(struct h2_flow *flow, struct h2_stream *stream, bool is_starved)
{
    if (stream->is_starved == is_starved)
        return;
    stream->is_starved = is_starved;
    if (is_starved)
        flow->starved_count++;
    else
        flow->starved_count--;
}

struct h2_credit pgrpc__h2_flow_receive(struct h2_flow *flow, struct h2_stream *stream, size_t len)
{
    flow->unread_bytes -= unread(stream);
    stream->buffered_bytes += len;
    flow->unread_bytes += unread(stream);

    size_t target = withheld_target(flow);
    size_t hold = target > flow->withheld_bytes ? smaller(len, target - flow->withheld_bytes) : 0;
    flow->withheld_bytes += hold;
    return (struct h2_credit){0, give_back(flow, len - hold)};
}

struct h2_credit pgrpc__h2_flow_consume(struct h2_flow *flow, struct h2_stream *stream, size_t len)
{
    assert(len <= stream->buffered_bytes);
    size_t early = smaller(len, stream->advance_bytes);

    flow->unread_bytes -= unread(stream);
    stream->buffered_bytes -= len;
    flow->unread_bytes += unread(stream);
    return_advance(flow, stream, early);

    struct h2_credit credit = {0, settle(flow)};
    stream->pending_bytes += len - early;
    if (stream->pending_bytes >= flow->stream_window / 2) {
        credit.stream = stream->pending_bytes;
        stream->pending_bytes = 0;
    }
    return credit;
}

struct h2_credit pgrpc__h2_flow_expect(struct h2_flow *flow, struct h2_stream *stream, size_t len,
                                       size_t window_left)
{
    struct h2_credit credit = {0, 0};

    flow->unread_bytes -= unread(stream);
    stream->expected_bytes = len;
    flow->unread_bytes += unread(stream);
    credit.connection = settle(flow);
    set_starved(flow, stream, false);
    if (len == 0 && flow->completer == stream)
        flow->completer = NULL;
    if (len <= window_left)
        return credit;
    credit.stream = stream->pending_bytes;
    stream->pending_bytes = 0;

    /* Half a window at least: the engine does not announce less. */
    size_t need = larger(len - window_left, flow->stream_window / 2 + 1);
    size_t give = smaller(need, stream->buffered_bytes - stream->advance_bytes);
    if (give == 0)
        return credit;
    bool is_within = flow->advanced_bytes + give <= flow->advance_limit &&
                     *flow->quota_used + give <= flow->quota_limit;
    if (!is_within && flow->completer && flow->completer != stream) {
        set_starved(flow, stream, true);
        return credit;
    }
    if (!is_within)
        flow->completer = stream;
    stream->advance_bytes += give;
    flow->advanced_bytes += give;
    *flow->quota_used += give;
    credit.stream += give;
    return credit;
}

void pgrpc__h2_flow_end(struct h2_flow *flow, struct h2_stream *stream)
{
    set_starved(flow, stream, false);
    if (flow->completer == stream)
        flow->completer = NULL;
}

struct h2_credit pgrpc__h2_flow_release(struct h2_flow *flow, struct h2_stream *stream)
{
    flow->unread_bytes -= unread(stream);
    return_advance(flow, stream, stream->advance_bytes);
    pgrpc__h2_flow_end(flow, stream);
    stream->buffered_bytes = 0;
    stream->pending_bytes = 0;
    stream->expected_bytes = 0;
    return (struct h2_credit){0, settle(flow)};
}
