#include "client/resolver.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* As in a subchannel: the timer keeps its place, so that waiting never lacks memory. */
static int rest(struct resolver *resolver)
{
    return pgrpc__loop_timer_start(resolver->loop, &resolver->retry_timer, INT64_MAX);
}

static void fail(struct resolver *resolver, const char *text)
{
    struct pgrpc_loop *loop = resolver->loop;
    snprintf(resolver->error, sizeof(resolver->error), "resolving %.100s: %s",
             resolver->target->host, text);
    int64_t delay = pgrpc__backoff_next(&resolver->backoff, loop->random(loop->random_userdata));
    (void)pgrpc__loop_timer_start(loop, &resolver->retry_timer, loop_now(loop) + delay);
    (void)resolver->on_result(resolver->owner);
}

/* Takes a copy of |addresses|, with the target's port. */
static void succeed(struct resolver *resolver, const struct socket_address *addresses, size_t count)
{
    struct mem *mem = &resolver->loop->mem;
    struct socket_address *copy = pgrpc__mem_calloc(mem, count, sizeof(*copy));
    if (!copy) {
        fail(resolver, "out of memory");
        return;
    }
    memcpy(copy, addresses, count * sizeof(*copy));
    struct socket_address *old = resolver->addresses;
    size_t old_count = resolver->count;
    resolver->addresses = copy;
    resolver->count = count;
    resolver->error[0] = '\0';
    if (resolver->on_result(resolver->owner)) {
        /* The owner goes on with the old ones. */
        resolver->addresses = old;
        resolver->count = old_count;
        pgrpc__mem_free(mem, copy);
        fail(resolver, "out of memory");
        return;
    }
    pgrpc__backoff_reset(&resolver->backoff);
    if (TRACE_IS_ON(TRACE_NAMES))
        pgrpc__trace(TRACE_NAMES, "%s: %zu addresses", resolver->target->host, count);
    pgrpc__mem_free(mem, old);
}

static void on_answer(void *owner, const struct socket_address *addresses, size_t count,
                      const char *error)
{
    struct resolver *resolver = owner;
    resolver->query = NULL;
    if (error)
        fail(resolver, error);
    else if (count == 0)
        fail(resolver, "the name has no address");
    else
        succeed(resolver, addresses, count);
}

static void run_literal(struct loop_task *task)
{
    struct resolver *resolver = CONTAINER_OF(task, struct resolver, literal_task);
    struct socket_address address;
    char error[RESOLVER_ERROR_MAX] = "not an address";
    if (resolver->is_fixed) {
        memset(&address, 0, sizeof(address));
        succeed(resolver, &address, 1);
    } else if (pgrpc__address_parse(resolver->target->literal, &address, error, sizeof(error))) {
        fail(resolver, error);
    } else {
        succeed(resolver, &address, 1);
    }
}

static void on_retry(struct loop_timer *timer)
{
    struct resolver *resolver = CONTAINER_OF(timer, struct resolver, retry_timer);
    (void)rest(resolver);
    pgrpc__resolver_start(resolver);
}

int pgrpc__resolver_init(struct resolver *resolver, struct pgrpc_loop *loop,
                         const struct target *target, int64_t backoff_initial_ms,
                         int64_t backoff_max_ms, int (*on_result)(void *owner), void *owner)
{
    memset(resolver, 0, sizeof(*resolver));
    resolver->loop = loop;
    resolver->target = target;
    resolver->on_result = on_result;
    resolver->owner = owner;
    resolver->literal_task.run = run_literal;
    resolver->retry_timer.on_due = on_retry;
    pgrpc__backoff_init(&resolver->backoff, backoff_initial_ms, backoff_max_ms);
    return rest(resolver);
}

void pgrpc__resolver_clear(struct resolver *resolver)
{
    pgrpc__loop_timer_stop(resolver->loop, &resolver->retry_timer);
    pgrpc__loop_task_cancel(&resolver->literal_task);
    pgrpc__dns_cancel(resolver->query);
    resolver->query = NULL;
    pgrpc__mem_free(&resolver->loop->mem, resolver->addresses);
    resolver->addresses = NULL;
    resolver->count = 0;
}

void pgrpc__resolver_start(struct resolver *resolver)
{
    if (resolver->query || resolver->retry_timer.due_ms != INT64_MAX)
        return;
    if (!resolver->target->is_name || resolver->is_fixed) {
        pgrpc__loop_defer(resolver->loop, &resolver->literal_task);
        return;
    }
    const char *error = "";
    if (pgrpc__dns_resolve(resolver->loop, resolver->target->host, resolver->target->port,
                           on_answer, resolver, &resolver->query, &error))
        fail(resolver, error);
}

bool pgrpc__resolver_has_failed(const struct resolver *resolver)
{
    return resolver->error[0] != '\0';
}
