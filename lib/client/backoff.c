#include "client/backoff.h"

void pgrpc__backoff_init(struct backoff *backoff, int64_t initial_ms, int64_t max_ms)
{
    backoff->initial_ms = initial_ms;
    backoff->max_ms = max_ms;
    backoff->current_ms = 0;
}

int64_t pgrpc__backoff_next(struct backoff *backoff, uint64_t random)
{
    int64_t current = backoff->current_ms;
    /* times 1.6 without overflow: max_ms bounds what is multiplied */
    current = current ? current + current / 5 * 3 + current % 5 * 3 / 5 : backoff->initial_ms;
    if (current > backoff->max_ms)
        current = backoff->max_ms;
    backoff->current_ms = current;
    /* 0.8 to 1.2 in steps of a 4096th */
    int64_t jitter = (int64_t)(random % 4097) - 2048;
    return current + current / 5 * jitter / 2048;
}

void pgrpc__backoff_reset(struct backoff *backoff)
{
    backoff->current_ms = 0;
}
