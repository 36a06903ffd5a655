/*
 * The inside of a channel: a host of calls whose picker resolves, balances and connects.
 *
 *   channel -> resolver -> addresses -> balancer -> subchannels -> links
 *
 * Lives until its user's references and its calls are gone; see pgrpc_channel_unref.
 */
#ifndef PGRPC__CLIENT_CHANNEL_H
#define PGRPC__CLIENT_CHANNEL_H

#include <stdatomic.h>

#include "client/balancer.h"
#include "client/resolver.h"
#include "picogrpc/channel.h"
#include "rpc/host.h"

/* Another way to get a connected byte stream than by an address: an open socket, a memory pipe. */
struct channel_source {
    /* 0, or a negative errno and a text. */
    int (*connect)(void *userdata, struct pgrpc_loop *loop, struct bytestream **stream,
                   char error[SUBCHANNEL_ERROR_MAX]);
    void (*free)(void *userdata); /* the channel does not need it any more */
    void *userdata;
};

struct pgrpc_channel {
    struct rpc_host host;
    struct picker picker;
    _Atomic unsigned refs; /* the user's */
    struct pgrpc_allocator allocator;
    struct pgrpc_loop *loop;
    struct arena arena; /* texts of the channel's options */
    struct target target;
    const char *server_name; /* who the server must prove to be */
    const struct pgrpc_credentials *credentials;
    struct channel_source source; /* connect NULL: by address */
    struct subchannel_config subchannel;
    struct balancer *balancer;
    struct resolver resolver;
    struct list waiting; /* calls without a connection, in order */
    struct loop_task update_task;
    int64_t last_pick_ms;
    bool is_shut_down;
};

/* As pgrpc_channel_new, over |source| (owned by the channel from here on, also on failure). */
enum pgrpc_code pgrpc__channel_new(const char *target, const struct pgrpc_credentials *credentials,
                                   const struct pgrpc_channel_options *options,
                                   const struct channel_source *source,
                                   struct pgrpc_channel **channel, struct pgrpc_error *error);
/* channel_pick.c: the picker. */
extern const struct picker_ops pgrpc__channel_picker_ops;
/* Something changed below: schedules pgrpc__channel_update. */
void pgrpc__channel_on_change(void *owner);
int pgrpc__channel_on_addresses(void *owner);
void pgrpc__channel_run_update(struct loop_task *task);

#endif
