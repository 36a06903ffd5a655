/*
 * A memory pipe: two byte streams on one loop, joined.  Carries in-process channels, and lets tests
 * play the peer: they read and write one end by hand, through its operations, and set no events.
 *
 * Each end is freed by itself; the other then reads what is left and the end, and its writes fail
 * with -EPIPE.
 */
#ifndef PGRPC__IO_PIPE_H
#define PGRPC__IO_PIPE_H

#include "io/bytestream.h"
#include "io/loop.h"

/* Each end holds at most |capacity| (> 0) unread bytes. on_ready follows on both. 0 or -ENOMEM.
 * Lock held. */
int pgrpc__pipe_new(struct pgrpc_loop *loop, size_t capacity, struct bytestream **first,
                    struct bytestream **second);

/* For tests: how one end misbehaves. All zero: not at all. */
struct pipe_faults {
    size_t max_read;  /* bytes per read, 0: no limit */
    size_t max_write; /* bytes per write, 0: no limit */
    int read_error;   /* errno of every read from now on, 0: none */
    int write_error;  /* errno of every write from now on, 0: none; EAGAIN: stuck until changed */
};
void pgrpc__pipe_set_faults(struct bytestream *end, const struct pipe_faults *faults);

#endif
