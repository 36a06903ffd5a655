/*
 * A resolver: from a target to addresses.  Literal targets answer at once, names go to io/dns.h.
 * Embedded in a channel; needs the loop lock; answers from a loop turn.
 */
#ifndef PGRPC__CLIENT_RESOLVER_H
#define PGRPC__CLIENT_RESOLVER_H

#include "client/backoff.h"
#include "client/target.h"
#include "io/dns.h"
#include "io/loop.h"

enum { RESOLVER_ERROR_MAX = 256 };

struct resolver {
    struct pgrpc_loop *loop;
    const struct target *target;
    bool is_fixed; /* there is one connection and no address: answer with an empty one */
    struct backoff backoff;
    struct loop_timer retry_timer;
    struct loop_task literal_task;
    struct dns_query *query;          /* under way */
    struct socket_address *addresses; /* the last good answer */
    size_t count;
    char error[RESOLVER_ERROR_MAX]; /* of the last attempt; "" when it was good */
    /* New addresses, or a failure (|error| is set). Not 0: these addresses were not taken. */
    int (*on_result)(void *owner);
    void *owner;
};

/* |target| must outlive the resolver. 0 or -ENOMEM. To be cleared in either case. */
int pgrpc__resolver_init(struct resolver *resolver, struct pgrpc_loop *loop,
                         const struct target *target, int64_t backoff_initial_ms,
                         int64_t backoff_max_ms, int (*on_result)(void *owner), void *owner);
void pgrpc__resolver_clear(struct resolver *resolver);
/* Asks, unless it is asking already or waits after a failure. */
void pgrpc__resolver_start(struct resolver *resolver);
/* True when the last answer was a failure. */
bool pgrpc__resolver_has_failed(const struct resolver *resolver);

#endif
