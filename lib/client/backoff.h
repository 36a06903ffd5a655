/* Waiting between connection attempts (doc/connection-backoff.md): 1 s, times 1.6, to 120 s, give
 * or take a fifth. */
#ifndef PGRPC__CLIENT_BACKOFF_H
#define PGRPC__CLIENT_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t initial_ms;
    int64_t max_ms;
    int64_t current_ms; /* before jitter; 0 after a success */
};

void pgrpc__backoff_init(struct backoff *backoff, int64_t initial_ms, int64_t max_ms);
/* The next delay, measured from the start of the attempt that failed. |random| is any 64 bits. */
int64_t pgrpc__backoff_next(struct backoff *backoff, uint64_t random);
/* The peer's SETTINGS came: the next failure starts over. */
void pgrpc__backoff_reset(struct backoff *backoff);

#endif
