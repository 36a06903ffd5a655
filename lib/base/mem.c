#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define MEM_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEM_POISON 1
#endif
#endif
#ifdef MEM_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, len) ((void)(address), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(address, len) ((void)(address), (void)(len))
#endif

/*
 * In front of every pooled block.  Classes go up by a half and a third in turn (32, 48, 64, 96,
 * ...), so that at most a third of a block is wasted.  The payload of a cached block is poisoned
 * under ASan.
 */
struct mem_block {
    union {
        struct mem_block *next; /* while cached */
        size_t class;           /* while handed out; CLASS_NONE: too large for the free lists */
    };
    size_t usable;
};

enum { CLASS_NONE = MEM_CLASS_COUNT };

enum { BLOCK_HEADER = 16 };
_Static_assert(sizeof(struct mem_block) <= BLOCK_HEADER, "the header keeps the alignment");

static void *default_alloc(void *userdata, size_t size)
{
    (void)userdata;
    return malloc(size);
}

static void default_free(void *userdata, void *pointer)
{
    (void)userdata;
    free(pointer);
}

const struct pgrpc_allocator pgrpc__default_allocator = {default_alloc, default_free, NULL};

static struct mem_block *block_of(const void *pointer)
{
    return (struct mem_block *)(void *)((char *)(uintptr_t)pointer - BLOCK_HEADER);
}

static void *payload_of(struct mem_block *block)
{
    return (char *)block + BLOCK_HEADER;
}

/* The smallest class that holds |size| bytes (size <= MEM_POOLED_MAX). */
static unsigned class_of(size_t size)
{
    if (size <= 32)
        return 0;
    unsigned last = (unsigned)size - 1;
    unsigned top = 31 - (unsigned)__builtin_clz(last);
    return 2 * (top - 5) + 1 + ((last >> (top - 1)) & 1);
}

static size_t class_size(unsigned class)
{
    return (size_t)(class & 1 ? 48 : 32) << (class / 2);
}

void pgrpc__mem_init(struct mem *mem, const struct pgrpc_allocator *allocator)
{
    memset(mem, 0, sizeof(*mem));
    mem->allocator = allocator ? *allocator : pgrpc__default_allocator;
}

void pgrpc__mem_clear(struct mem *mem)
{
    for (unsigned i = 0; i < MEM_CLASS_COUNT; i++) {
        struct mem_block *block = mem->free_lists[i];
        mem->free_lists[i] = NULL;
        while (block) {
            struct mem_block *next = block->next;
            ASAN_UNPOISON_MEMORY_REGION(payload_of(block), block->usable);
            mem->allocator.free(mem->allocator.userdata, block);
            block = next;
        }
    }
    mem->cached_bytes = 0;
}

/* Apart from the way that is taken most, which is short without it. */
static __attribute__((noinline)) void *alloc_block(struct mem *mem, size_t class, size_t size)
{
    if (size > PTRDIFF_MAX - BLOCK_HEADER)
        return NULL;
    struct mem_block *block = mem->allocator.alloc(mem->allocator.userdata, BLOCK_HEADER + size);
    if (!block)
        return NULL;
    block->class = class;
    block->usable = size;
    mem->live_bytes += size;
    return payload_of(block);
}

void *pgrpc__mem_alloc(struct mem *mem, size_t size)
{
    if (size > MEM_POOLED_MAX)
        return alloc_block(mem, CLASS_NONE, size);
    unsigned class = class_of(size);
    struct mem_block *block = mem->free_lists[class];
    if (!block)
        return alloc_block(mem, class, class_size(class));
    mem->free_lists[class] = block->next;
    mem->cached_bytes -= block->usable;
    mem->live_bytes += block->usable;
    block->class = class;
    ASAN_UNPOISON_MEMORY_REGION(payload_of(block), block->usable);
    return payload_of(block);
}

void *pgrpc__mem_calloc(struct mem *mem, size_t count, size_t size)
{
    size_t len;
    if (__builtin_mul_overflow(count, size, &len))
        return NULL;
    void *pointer = pgrpc__mem_alloc(mem, len);
    if (pointer)
        memset(pointer, 0, len);
    return pointer;
}

void *pgrpc__mem_realloc(struct mem *mem, void *pointer, size_t size)
{
    if (pointer && size <= pgrpc__mem_usable(pointer))
        return pointer;
    void *moved = pgrpc__mem_alloc(mem, size);
    if (moved && pointer) {
        memcpy(moved, pointer, pgrpc__mem_usable(pointer));
        pgrpc__mem_free(mem, pointer);
    }
    return moved;
}

void pgrpc__mem_free(struct mem *mem, void *pointer)
{
    if (!pointer)
        return;
    struct mem_block *block = block_of(pointer);
    size_t class = block->class;
    assert(mem->live_bytes >= block->usable);
    mem->live_bytes -= block->usable;
    if (class == CLASS_NONE || mem->cached_bytes + block->usable > MEM_CACHED_MAX) {
        mem->allocator.free(mem->allocator.userdata, block);
        return;
    }
    block->next = mem->free_lists[class];
    mem->free_lists[class] = block;
    mem->cached_bytes += block->usable;
    ASAN_POISON_MEMORY_REGION(pointer, block->usable);
}

size_t pgrpc__mem_usable(const void *pointer)
{
    return block_of(pointer)->usable;
}

void *pgrpc__raw_alloc(const struct pgrpc_allocator *allocator, size_t size)
{
    return allocator->alloc(allocator->userdata, size);
}

void *pgrpc__raw_zalloc(const struct pgrpc_allocator *allocator, size_t size)
{
    void *pointer = allocator->alloc(allocator->userdata, size);
    if (pointer)
        memset(pointer, 0, size);
    return pointer;
}

void pgrpc__raw_free(const struct pgrpc_allocator *allocator, void *pointer)
{
    if (pointer)
        allocator->free(allocator->userdata, pointer);
}
