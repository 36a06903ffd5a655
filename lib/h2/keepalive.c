#include "h2/keepalive.h"

enum { MAX_STRIKES = 2, IDLE_PING_MS = 2 * 60 * 60 * 1000 };

void pgrpc__keepalive_heard(struct keepalive *keepalive, int64_t now_ms)
{
    keepalive->heard_ms = now_ms;
    keepalive->is_waiting = false;
}

enum keepalive_action pgrpc__keepalive_tick(struct keepalive *keepalive, int64_t now_ms,
                                            bool has_calls, int64_t *next_ms)
{
    *next_ms = INT64_MAX;
    if (keepalive->interval_ms == 0)
        return KEEPALIVE_NOTHING;
    if (keepalive->is_waiting) {
        *next_ms = keepalive->pinged_ms + keepalive->timeout_ms;
        return now_ms >= *next_ms ? KEEPALIVE_EXPIRED : KEEPALIVE_NOTHING;
    }
    /* A call that starts on an idle connection waits a whole interval before it asks. */
    if (has_calls && !keepalive->had_calls && !keepalive->without_calls)
        keepalive->heard_ms = now_ms;
    keepalive->had_calls = has_calls;
    if (!has_calls && !keepalive->without_calls)
        return KEEPALIVE_NOTHING;
    *next_ms = keepalive->heard_ms + keepalive->interval_ms;
    if (now_ms < *next_ms)
        return KEEPALIVE_NOTHING;
    keepalive->is_waiting = true;
    keepalive->pinged_ms = now_ms;
    *next_ms = now_ms + keepalive->timeout_ms;
    return KEEPALIVE_PING;
}

bool pgrpc__keepalive_pinged(struct keepalive *keepalive, int64_t now_ms, bool has_calls)
{
    int64_t since = now_ms - keepalive->last_ping_ms;
    int64_t allowed = keepalive->min_ms;
    bool is_first = !keepalive->has_pinged;

    keepalive->has_pinged = true;
    keepalive->last_ping_ms = now_ms;
    if (keepalive->min_ms == 0)
        return true;
    if (keepalive->is_forgiven) {
        keepalive->is_forgiven = false;
        keepalive->strikes = 0;
        return true;
    }
    if (!has_calls && !keepalive->permit_without_calls && allowed < IDLE_PING_MS)
        allowed = IDLE_PING_MS;
    if (is_first || since >= allowed)
        return true;
    return ++keepalive->strikes <= MAX_STRIKES;
}
