/*
 * Worker threads: run handlers that wait.  Threads are started as calls need them, up to the limit,
 * and end with the server. The queue has its own mutex, taken below a loop lock, never above one.
 */
#ifndef PGRPC__SERVER_WORKERS_H
#define PGRPC__SERVER_WORKERS_H

#include <pthread.h>

#include "base/list.h"
#include "picogrpc/allocator.h"
#include "rpc/call.h"

struct workers {
    const struct pgrpc_allocator *allocator;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct list queue; /* calls by picker_node */
    pthread_t *threads;
    unsigned limit;
    unsigned count;
    unsigned idle;
    unsigned queued;
    bool is_stopping;
};

/* 0 or a negative errno. */
int pgrpc__workers_init(struct workers *workers, const struct pgrpc_allocator *allocator,
                        unsigned limit);
/* Takes a reference to |call| and runs its handler soon. -EAGAIN when no thread is there and none
 * can be made. */
int pgrpc__workers_add(struct workers *workers, struct pgrpc_call *call);
/* Runs what is queued, waits for the threads. */
void pgrpc__workers_clear(struct workers *workers);

#endif
