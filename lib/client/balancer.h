/*
 * The balancer interface: from a list of addresses to a connection for each call.  One file a
 * policy; pick_first is the first.  A balancer owns its subchannels.  Needs the loop lock.
 */
#ifndef PGRPC__CLIENT_BALANCER_H
#define PGRPC__CLIENT_BALANCER_H

#include "client/subchannel.h"
#include "io/address.h"
#include "picogrpc/channel.h"

struct balancer;

struct balancer_ops {
    const char *name;
    /* |config| (its on_change and owner are the channel's) and |addresses| must outlive the
     * balancer or the next set. Addresses that stay keep their connections and back-offs.  0 or
     * -ENOMEM (the old addresses stay). */
    int (*set_addresses)(struct balancer *balancer, const struct socket_address *addresses,
                         size_t count);
    /* The connection for a call, NULL while there is none. */
    struct h2_link *(*pick)(struct balancer *balancer);
    /* A call wants a connection: leave idle. */
    void (*connect)(struct balancer *balancer);
    /* Something changed in a subchannel: go on. True when new addresses would help. */
    bool (*advance)(struct balancer *balancer);
    enum pgrpc_channel_state (*state)(struct balancer *balancer);
    const char *(*error)(struct balancer *balancer); /* "" if nothing failed yet */
    void (*free)(struct balancer *balancer);
};

struct balancer {
    const struct balancer_ops *ops;
};

/* Tries the addresses in order and keeps the first that answers. NULL when out of memory. */
struct balancer *pgrpc__pick_first_new(const struct subchannel_config *config);

#endif
