#include "h2/abuse.h"

#include "h2/frame_head.h"

enum {
    UPDATES_FREE_MAX = 1000000,
    USEFUL_FRAME_WORTH = 10,
    REFILL_SECONDS = ABUSE_FRAMES / ABUSE_FRAMES_PER_SECOND + 1
};

const char *pgrpc__abuse_stream_ended(struct abuse *abuse, bool is_early)
{
    uint64_t *word = &abuse->early[abuse->position / 64];
    uint64_t bit = UINT64_C(1) << (abuse->position % 64);

    if (abuse->ended_count == ABUSE_STREAMS) {
        if (*word & bit)
            abuse->early_count--;
    } else {
        abuse->ended_count++;
    }
    if (is_early) {
        *word |= bit;
        abuse->early_count++;
    } else {
        *word &= ~bit;
    }
    abuse->position = (abuse->position + 1) % ABUSE_STREAMS;
    return abuse->ended_count == ABUSE_STREAMS && abuse->early_count >= ABUSE_STREAMS / 2
               ? "too_many_resets"
               : NULL;
}

const char *pgrpc__abuse_stream_refused(struct abuse *abuse)
{
    if (abuse->refused_count < ABUSE_REFUSED) {
        abuse->refused_count++;
        return NULL;
    }
    return pgrpc__abuse_stream_ended(abuse, true);
}

static void refill(struct abuse *abuse, unsigned amount)
{
    abuse->spent = abuse->spent > amount ? abuse->spent - amount : 0;
}

static const char *spend(struct abuse *abuse, unsigned cost, int64_t now_ms)
{
    int64_t passed_ms = now_ms - abuse->refilled_ms;
    if (passed_ms >= 1000 / ABUSE_FRAMES_PER_SECOND) {
        /* Ten seconds fill it from empty; more would overflow some day. */
        if (passed_ms > 1000 * REFILL_SECONDS)
            abuse->spent = 0;
        else
            refill(abuse, (unsigned)passed_ms * ABUSE_FRAMES_PER_SECOND / 1000);
        abuse->refilled_ms = now_ms;
    }
    abuse->spent += cost;
    return abuse->spent > ABUSE_FRAMES ? "too_many_frames" : NULL;
}

static const char *received_data(struct abuse *abuse, uint8_t flags, size_t len)
{
    /* A padded frame may carry nothing but its padding: it costs the peer window. */
    if (len > 0 || (flags & FRAME_FLAG_END_STREAM)) {
        abuse->empty_data = 0;
        refill(abuse, USEFUL_FRAME_WORTH);
        return NULL;
    }
    return ++abuse->empty_data > ABUSE_EMPTY_DATA ? "too_many_empty_frames" : NULL;
}

const char *pgrpc__abuse_received(struct abuse *abuse, uint8_t type, uint8_t flags, size_t len,
                                  int64_t now_ms)
{
    switch (type) {
    case FRAME_DATA:
        return received_data(abuse, flags, len);
    case FRAME_HEADERS:
        refill(abuse, USEFUL_FRAME_WORTH);
        return NULL;
    case FRAME_CONTINUATION: /* counted by the engine */
    case FRAME_RST_STREAM:   /* judged with its stream */
    case FRAME_PUSH_PROMISE: /* ends the connection anyway */
        return NULL;
    case FRAME_WINDOW_UPDATE:
        if (abuse->updates_free > 0) {
            abuse->updates_free--;
            return NULL;
        }
        return spend(abuse, 1, now_ms);
    case FRAME_SETTINGS:
        return spend(abuse, flags & FRAME_FLAG_ACK ? 1 : ABUSE_SETTINGS_COST, now_ms);
    default:
        return spend(abuse, 1, now_ms);
    }
}

void pgrpc__abuse_sent(struct abuse *abuse, uint8_t type)
{
    if (type == FRAME_DATA && abuse->updates_free < UPDATES_FREE_MAX)
        abuse->updates_free += ABUSE_UPDATES_PER_DATA;
}

const char *pgrpc__abuse_queued(size_t count)
{
    return count >= ABUSE_QUEUE_CLOSE ? "too_many_unread_replies" : NULL;
}
