#include <errno.h>

#include "client/channel.h"
#include "rpc/call.h"

static struct pgrpc_channel *of(struct picker *picker)
{
    return CONTAINER_OF(picker, struct pgrpc_channel, picker);
}

static const char *last_error(struct picker *picker)
{
    struct pgrpc_channel *channel = of(picker);
    if (pgrpc__resolver_has_failed(&channel->resolver))
        return channel->resolver.error;
    return channel->balancer->ops->error(channel->balancer);
}

/* Connecting has failed and is not about to be tried for the first time. */
static bool has_failed(struct pgrpc_channel *channel)
{
    if (!channel->resolver.count)
        return pgrpc__resolver_has_failed(&channel->resolver);
    return channel->balancer->ops->state(channel->balancer) == PGRPC_CHANNEL_TRANSIENT_FAILURE;
}

/* Resolves or connects, whatever is missing. */
static void strive(struct pgrpc_channel *channel)
{
    if (!channel->resolver.count)
        pgrpc__resolver_start(&channel->resolver);
    else
        channel->balancer->ops->connect(channel->balancer);
}

/* True when |call| needs nothing more from here: it has an attempt, or it is over. */
static bool serve(struct pgrpc_channel *channel, struct pgrpc_call *call, struct h2_link *link)
{
    if (link && pgrpc__call_start_attempt(call, link) == 0)
        return true;
    if (link || call->is_wait_for_ready || !has_failed(channel))
        return false;
    list_remove(&call->picker_node);
    pgrpc__call_fail(call, PGRPC_UNAVAILABLE, "%s", last_error(&channel->picker));
    return true;
}

static void pick(struct picker *picker, struct pgrpc_call *call)
{
    struct pgrpc_channel *channel = of(picker);
    struct pgrpc_loop *loop = channel->loop;
    if (channel->is_shut_down) {
        pgrpc__call_fail(call, PGRPC_CANCELLED, "the channel was freed");
        return;
    }
    struct h2_link *link = channel->balancer->ops->pick(channel->balancer);
    /* Nobody has read while the loop stood still: a FIN or GOAWAY may be waiting. */
    if (link && !loop->turning && loop_now(loop) != channel->last_pick_ms) {
        pgrpc__h2_link_poll(link);
        link = channel->balancer->ops->pick(channel->balancer);
    }
    channel->last_pick_ms = loop_now(loop);
    if (list_is_empty(&channel->waiting) && serve(channel, call, link))
        return;
    list_add_tail(&channel->waiting, &call->picker_node);
    if (!link) {
        strive(channel);
        pgrpc__channel_on_change(channel);
    }
}

static void forget(struct picker *picker, struct pgrpc_call *call)
{
    (void)picker;
    list_remove(&call->picker_node);
}

const struct picker_ops pgrpc__channel_picker_ops = {
    .pick = pick,
    .forget = forget,
    .last_error = last_error,
};

/* --- updates ------------------------------------------------------------------------------------
 */

void pgrpc__channel_on_change(void *owner)
{
    struct pgrpc_channel *channel = owner;
    /* Changes come from inside connections: calls are served at the top of the turn. */
    if (!channel->is_shut_down)
        pgrpc__loop_defer(channel->loop, &channel->update_task);
}

int pgrpc__channel_on_addresses(void *owner)
{
    struct pgrpc_channel *channel = owner;
    int result = 0;
    if (!pgrpc__resolver_has_failed(&channel->resolver))
        result = channel->balancer->ops->set_addresses(
            channel->balancer, channel->resolver.addresses, channel->resolver.count);
    pgrpc__channel_on_change(channel);
    return result;
}

/* Every call that waits has its turn; those that go on waiting keep their order. */
static void serve_waiting(struct pgrpc_channel *channel)
{
    struct list passed;
    list_init(&passed);
    struct list *node;
    while ((node = list_pop(&channel->waiting)) != NULL) {
        struct pgrpc_call *call = CONTAINER_OF(node, struct pgrpc_call, picker_node);
        list_add_tail(&passed, &call->picker_node);
        struct h2_link *link = channel->balancer->ops->pick(channel->balancer);
        if (!serve(channel, call, link) && link)
            break; /* the peer takes no more streams now */
    }
    list_splice(&passed, &channel->waiting);
    list_splice(&channel->waiting, &passed);
}

void pgrpc__channel_run_update(struct loop_task *task)
{
    struct pgrpc_channel *channel = CONTAINER_OF(task, struct pgrpc_channel, update_task);
    if (channel->resolver.count && channel->balancer->ops->advance(channel->balancer) &&
        channel->target.is_name)
        pgrpc__resolver_start(&channel->resolver);
    serve_waiting(channel);
    if (!list_is_empty(&channel->waiting) && !channel->balancer->ops->pick(channel->balancer))
        strive(channel);
}
