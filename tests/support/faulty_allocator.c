#include "faulty_allocator.h"

#include <stdlib.h>

/* Sanitizers end the program on absurd sizes instead of failing. */
enum { SIZE_LIMIT = 1 << 30 };

static void *faulty_alloc(void *userdata, size_t size)
{
    struct faulty_allocator *faulty = userdata;
    size_t count = ++faulty->count;
    if (count == faulty->fail_at || size > SIZE_LIMIT)
        return NULL;
    if (faulty->keeps_failing && faulty->fail_at && count > faulty->fail_at)
        return NULL;
    void *pointer = malloc(size);
    if (pointer)
        faulty->live++;
    return pointer;
}

static void faulty_free(void *userdata, void *pointer)
{
    struct faulty_allocator *faulty = userdata;
    if (pointer)
        faulty->live--;
    free(pointer);
}

void faulty_allocator_init(struct faulty_allocator *faulty, size_t fail_at)
{
    faulty->hook = (struct pgrpc_allocator){faulty_alloc, faulty_free, faulty};
    faulty->count = 0;
    faulty->live = 0;
    faulty->fail_at = fail_at;
    faulty->keeps_failing = false;
}

bool faulty_allocator_has_failed(struct faulty_allocator *faulty)
{
    return faulty->fail_at > 0 && faulty->count >= faulty->fail_at;
}

size_t faulty_allocator_live(struct faulty_allocator *faulty)
{
    return faulty->live;
}

size_t faulty_allocator_count(struct faulty_allocator *faulty)
{
    return faulty->count;
}
