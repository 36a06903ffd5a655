#include "h2/stream_ids.h"

bool pgrpc__stream_ids_is_skipped(struct stream_ids *ids, int32_t id)
{
    if (id > ids->highest) {
        if (id > ids->highest + 2) {
            unsigned slot = ids->skipped_count++ % SKIPPED_RANGES;
            ids->skipped[slot] = (struct id_range){ids->highest + 1, id - 1};
        }
        ids->highest = id;
        return false;
    }
    unsigned count = ids->skipped_count < SKIPPED_RANGES ? ids->skipped_count : SKIPPED_RANGES;
    for (unsigned i = 0; i < count; i++) {
        if (id >= ids->skipped[i].first && id <= ids->skipped[i].last)
            return true;
    }
    return false;
}

bool pgrpc__stream_ids_is_after_end(struct stream_ids *ids, const struct frame_head *head)
{
    int32_t *place = &ids->ended[(uint32_t)head->id / 2 % ENDED_IDS];
    bool is_body = head->type == FRAME_DATA || head->type == FRAME_HEADERS;

    if (is_body && head->id != 0 && *place == head->id)
        return true;
    if ((is_body && (head->flags & FRAME_FLAG_END_STREAM)) || head->type == FRAME_RST_STREAM)
        *place = head->id;
    return false;
}
