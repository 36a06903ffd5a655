#include "base/fork.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The page holds the generation of the process that wrote it and reads 0 in a new child.  |last| is
 * copied by fork, so a child's number differs from those of all its ancestors.
 */
static pthread_once_t once = PTHREAD_ONCE_INIT;
_Atomic(uint64_t) *pgrpc__fork_page;
static _Atomic(uint64_t) last;

static void make_page(void)
{
#ifdef MADV_WIPEONFORK
    size_t len = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return;
    if (madvise(memory, len, MADV_WIPEONFORK) < 0) {
        munmap(memory, len);
        return;
    }
    pgrpc__fork_page = memory;
#endif
}

uint64_t pgrpc__fork_generation(void)
{
    pthread_once(&once, make_page);
    if (!pgrpc__fork_page)
        return (uint64_t)getpid();
    uint64_t generation = atomic_load_explicit(pgrpc__fork_page, memory_order_relaxed);
    if (generation == 0) {
        uint64_t fresh = atomic_fetch_add(&last, 1) + 1;
        /* When another thread was first, |generation| becomes its number. */
        if (atomic_compare_exchange_strong(pgrpc__fork_page, &generation, fresh))
            generation = fresh;
    }
    return generation;
}
