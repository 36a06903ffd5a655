/* A memory pipe: two byte streams on one loop, joined. In-process channels, and tests that play the
 * peer. */
#ifndef PGRPC__IO_PIPE_H
#define PGRPC__IO_PIPE_H

#include "io/bytestream.h"
#include "io/loop.h"

/* Each end holds at most |capacity| unread bytes. on_ready follows on both. 0 or -ENOMEM. Lock
 * held. */
int pgrpc__pipe_new(struct pgrpc_loop *loop, size_t capacity, struct bytestream **first,
                    struct bytestream **second);

#endif
