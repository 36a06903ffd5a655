#include "io/loop_parts.h"

#include <errno.h>

#include "io/loop_back_end.h"

enum { SLOTS_MIN = 8 };

/* A watch's place.  The generation is part of the token, so that an event of its predecessor finds
 * nothing. */
struct loop_slot {
    struct loop_watch *watch; /* NULL: free */
    uint32_t generation;
    unsigned next_free;
};

static uint64_t token_of(const struct pgrpc_loop *loop, unsigned slot)
{
    return (uint64_t)loop->slots[slot - 1].generation << 32 | slot;
}

static int grow(struct pgrpc_loop *loop)
{
    unsigned cap = loop->slot_cap ? 2 * loop->slot_cap : SLOTS_MIN;
    struct loop_slot *slots = pgrpc__mem_realloc(&loop->mem, loop->slots, cap * sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (unsigned slot = cap; slot > loop->slot_cap; slot--) {
        slots[slot - 1] = (struct loop_slot){.next_free = loop->free_slot};
        loop->free_slot = slot;
    }
    loop->slots = slots;
    loop->slot_cap = cap;
    return 0;
}

int pgrpc__loop_watch_start(struct pgrpc_loop *loop, struct loop_watch *watch, int fd,
                            unsigned events)
{
    if (!loop->free_slot && grow(loop) < 0)
        return -ENOMEM;
    unsigned slot = loop->free_slot;
    int error = loop->back_end->change(loop, fd, 0, events, token_of(loop, slot));
    if (error < 0)
        return error;
    loop->free_slot = loop->slots[slot - 1].next_free;
    loop->slots[slot - 1].watch = watch;
    loop->watch_count++;
    watch->fd = fd;
    watch->events = events;
    watch->slot = slot;
    return 0;
}

int pgrpc__loop_watch_change(struct pgrpc_loop *loop, struct loop_watch *watch, unsigned events)
{
    int error = 0;
    if (events != watch->events)
        error = loop->back_end->change(loop, watch->fd, watch->events, events,
                                       token_of(loop, watch->slot));
    if (error == 0)
        watch->events = events;
    return error;
}

void pgrpc__loop_watch_stop(struct pgrpc_loop *loop, struct loop_watch *watch)
{
    if (watch->slot == 0)
        return;
    /* A child shares the registrations with its parent. */
    if (!is_forked(loop))
        pgrpc__loop_watch_change(loop, watch, 0);
    struct loop_slot *slot = &loop->slots[watch->slot - 1];
    slot->watch = NULL;
    slot->generation++;
    slot->next_free = loop->free_slot;
    loop->free_slot = watch->slot;
    loop->watch_count--;
    watch->slot = 0;
    watch->events = 0;
}

struct loop_watch *pgrpc__loop_watch_find(struct pgrpc_loop *loop, uint64_t token)
{
    unsigned slot = (unsigned)token;
    if (slot == 0 || slot > loop->slot_cap || token != token_of(loop, slot))
        return NULL;
    return loop->slots[slot - 1].watch;
}
