#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/balancer.h"

struct pick_first {
    struct balancer base;
    const struct subchannel_config *config;
    struct subchannel **subchannels; /* |count| in the order of addresses, then retired ones */
    size_t count;
    size_t total;
    size_t next;                      /* the one to try */
    bool is_wanted;                   /* a call wants a connection */
    bool has_failed;                  /* every address failed since the last success */
    char error[SUBCHANNEL_ERROR_MAX]; /* the last one; "" if nothing failed yet */
};

static struct pick_first *of(struct balancer *balancer)
{
    return (struct pick_first *)(void *)balancer;
}

static bool is_same(const struct socket_address *a, const struct socket_address *b)
{
    return a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
}

static bool contains(struct subchannel *const *subchannels, size_t count,
                     const struct subchannel *subchannel)
{
    for (size_t i = 0; i < count; i++)
        if (subchannels[i] == subchannel)
            return true;
    return false;
}

/* The subchannel for |address| that is not among the |count| already taken, NULL when there is
 * none.
 */
static struct subchannel *find_free(const struct pick_first *pick,
                                    const struct socket_address *address,
                                    struct subchannel *const *taken, size_t count)
{
    for (size_t i = 0; i < pick->count; i++)
        if (is_same(pgrpc__subchannel_address(pick->subchannels[i]), address) &&
            !contains(taken, count, pick->subchannels[i]))
            return pick->subchannels[i];
    return NULL;
}

/* Keeps the subchannels of addresses that stay, with their connections and back-offs; those that
 * are not needed any more live until their streams have ended. */
static int set_addresses(struct balancer *balancer, const struct socket_address *addresses,
                         size_t count)
{
    struct pick_first *pick = of(balancer);
    struct mem *mem = &pick->config->loop->mem;
    struct subchannel **subchannels =
        pgrpc__mem_calloc(mem, count + pick->total, sizeof(struct subchannel *));
    if (!subchannels)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        subchannels[i] = find_free(pick, &addresses[i], subchannels, i);
        if (!subchannels[i])
            subchannels[i] = pgrpc__subchannel_new(pick->config, &addresses[i]);
        if (!subchannels[i]) {
            for (size_t j = 0; j < i; j++)
                if (!contains(pick->subchannels, pick->total, subchannels[j]))
                    pgrpc__subchannel_free(subchannels[j]);
            pgrpc__mem_free(mem, subchannels);
            return -ENOMEM;
        }
    }
    size_t total = count;
    for (size_t i = 0; i < pick->total; i++) {
        struct subchannel *old = pick->subchannels[i];
        if (contains(subchannels, count, old))
            continue;
        if (pgrpc__subchannel_retire(old))
            subchannels[total++] = old;
        else
            pgrpc__subchannel_free(old);
    }
    for (size_t i = 0; i < count; i++)
        pgrpc__subchannel_set_address(subchannels[i], &addresses[i]);
    pgrpc__mem_free(mem, pick->subchannels);
    pick->subchannels = subchannels;
    pick->count = count;
    pick->total = total;
    pick->next = 0;
    return 0;
}

static struct h2_link *pick_link(struct balancer *balancer)
{
    struct pick_first *pick = of(balancer);
    for (size_t i = 0; i < pick->count; i++)
        if (pgrpc__subchannel_state(pick->subchannels[i]) == SUBCHANNEL_READY)
            return pgrpc__subchannel_link(pick->subchannels[i]);
    return NULL;
}

static bool has_state(const struct pick_first *pick, enum subchannel_state state)
{
    for (size_t i = 0; i < pick->count; i++)
        if (pgrpc__subchannel_state(pick->subchannels[i]) == state)
            return true;
    return false;
}

static bool have_all_failed(const struct pick_first *pick)
{
    for (size_t i = 0; i < pick->count; i++)
        if (!pgrpc__subchannel_has_failed(pick->subchannels[i]))
            return false;
    return pick->count > 0;
}

/* One attempt at a time; an address in back-off is passed over until its time comes. */
static bool advance(struct balancer *balancer)
{
    struct pick_first *pick = of(balancer);
    if (has_state(pick, SUBCHANNEL_READY)) {
        pick->is_wanted = false;
        pick->has_failed = false;
        pick->next = 0;
        return false;
    }
    while (pick->is_wanted && !has_state(pick, SUBCHANNEL_CONNECTING)) {
        size_t tried = 0;
        while (tried < pick->count &&
               pgrpc__subchannel_state(pick->subchannels[(pick->next + tried) % pick->count]) !=
                   SUBCHANNEL_IDLE)
            tried++;
        if (tried == pick->count)
            break; /* all of them wait for their back-off */
        size_t place = (pick->next + tried) % pick->count;
        pick->next = (place + 1) % pick->count;
        pgrpc__subchannel_connect(pick->subchannels[place]);
    }
    for (size_t i = 0; i < pick->count; i++)
        if (*pgrpc__subchannel_error(pick->subchannels[i]))
            snprintf(pick->error, sizeof(pick->error), "%s",
                     pgrpc__subchannel_error(pick->subchannels[i]));
    /* An attempt that took longer than its back-off is followed at once, and has failed all the
     * same. */
    bool failed_now = !pick->has_failed && have_all_failed(pick);
    pick->has_failed |= failed_now;
    return failed_now;
}

static void connect_now(struct balancer *balancer)
{
    struct pick_first *pick = of(balancer);
    pick->is_wanted = true;
    advance(balancer);
}

static enum pgrpc_channel_state state(struct balancer *balancer)
{
    struct pick_first *pick = of(balancer);
    if (has_state(pick, SUBCHANNEL_READY))
        return PGRPC_CHANNEL_READY;
    if (pick->has_failed)
        return PGRPC_CHANNEL_TRANSIENT_FAILURE;
    return has_state(pick, SUBCHANNEL_CONNECTING) ? PGRPC_CHANNEL_CONNECTING : PGRPC_CHANNEL_IDLE;
}

static const char *error_of(struct balancer *balancer)
{
    return of(balancer)->error;
}

static void free_balancer(struct balancer *balancer)
{
    struct pick_first *pick = of(balancer);
    struct mem *mem = &pick->config->loop->mem;
    for (size_t i = 0; i < pick->total; i++)
        pgrpc__subchannel_free(pick->subchannels[i]);
    pgrpc__mem_free(mem, pick->subchannels);
    pgrpc__mem_free(mem, pick);
}

static const struct balancer_ops pick_first_ops = {
    .name = "pick_first",
    .set_addresses = set_addresses,
    .pick = pick_link,
    .connect = connect_now,
    .advance = advance,
    .state = state,
    .error = error_of,
    .free = free_balancer,
};

struct balancer *pgrpc__pick_first_new(const struct subchannel_config *config)
{
    struct pick_first *pick = pgrpc__mem_calloc(&config->loop->mem, 1, sizeof(*pick));
    if (!pick)
        return NULL;
    pick->base.ops = &pick_first_ops;
    pick->config = config;
    return &pick->base;
}
