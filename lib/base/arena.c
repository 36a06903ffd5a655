#include "base/arena.h"

#include <stdio.h>
#include <string.h>

enum {
    ALIGNMENT = 16,
    BLOCK_MIN = 2048,
    BLOCK_MAX = 64 * 1024 /* also the largest that survives a reset */
};

struct arena_block {
    struct arena_block *next;
    size_t size; /* of the data */
};

enum { BLOCK_HEADER = 16 };
_Static_assert(sizeof(struct arena_block) <= BLOCK_HEADER, "the header keeps the alignment");

static char *data_of(struct arena_block *block)
{
    return (char *)block + BLOCK_HEADER;
}

static void use_first(struct arena *arena)
{
    arena->position = arena->first;
    arena->end = arena->first ? arena->first + arena->first_len : NULL;
}

void pgrpc__arena_init(struct arena *arena, const struct pgrpc_allocator *allocator, void *first,
                       size_t first_len)
{
    memset(arena, 0, sizeof(*arena));
    arena->allocator = allocator;
    arena->first = first;
    arena->first_len = first_len;
    arena->budget = SIZE_MAX;
    use_first(arena);
}

/* Frees all grown blocks but |kept|. */
static void free_blocks(struct arena *arena, const struct arena_block *kept)
{
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *next = block->next;
        if (block != kept)
            pgrpc__raw_free(arena->allocator, block);
        block = next;
    }
}

static void start_over(struct arena *arena, struct arena_block *kept)
{
    free_blocks(arena, kept);
    if (kept)
        kept->next = NULL;
    arena->blocks = kept;
    arena->spare = kept;
    use_first(arena);
    arena->used = 0;
    arena->over_budget = false;
    arena->out_of_memory = false;
}

void pgrpc__arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL;
    for (struct arena_block *block = arena->blocks; block; block = block->next)
        if (block->size <= BLOCK_MAX && (!kept || block->size > kept->size))
            kept = block;
    start_over(arena, kept);
}

void pgrpc__arena_clear(struct arena *arena)
{
    start_over(arena, NULL);
}

static size_t next_block_size(const struct arena *arena)
{
    size_t last = arena->blocks ? arena->blocks->size : 0;
    if (last < BLOCK_MIN)
        return BLOCK_MIN;
    return last < BLOCK_MAX / 2 ? 2 * last : BLOCK_MAX;
}

/* Takes |size| bytes from a block that is not the current one. */
static void *take_from_other(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->spare;
    if (block && size <= block->size) {
        arena->spare = NULL;
    } else {
        if (size > PTRDIFF_MAX - BLOCK_HEADER)
            return NULL;
        size_t block_size = next_block_size(arena);
        if (block_size < size)
            block_size = size;
        block = pgrpc__raw_alloc(arena->allocator, BLOCK_HEADER + block_size);
        if (!block)
            return NULL;
        block->size = block_size;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    /* What a large object leaves of its block is worth less than the rest of the current one. */
    char *data = data_of(block);
    if (block->size - size > (size_t)(arena->end - arena->position)) {
        arena->position = data + size;
        arena->end = data + block->size;
    }
    return data;
}

static void *take(struct arena *arena, size_t size, size_t padding)
{
    size_t charged;
    if (__builtin_add_overflow(size, padding, &charged) || arena->used > arena->budget ||
        charged > arena->budget - arena->used) {
        arena->over_budget = true;
        return NULL;
    }
    void *pointer;
    if (charged <= (size_t)(arena->end - arena->position)) {
        pointer = arena->position + padding;
        arena->position += charged;
    } else {
        charged = size;
        pointer = take_from_other(arena, size);
        if (!pointer) {
            arena->out_of_memory = true;
            return NULL;
        }
    }
    arena->used += charged;
    return pointer;
}

void *pgrpc__arena_alloc(struct arena *arena, size_t size)
{
    /* Nothing still costs something: the budget also bounds the number of objects. */
    size_t rounded = size ? size : 1;
    if (rounded > SIZE_MAX - ALIGNMENT) {
        arena->over_budget = true;
        return NULL;
    }
    rounded = (rounded + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    return take(arena, rounded, -(uintptr_t)arena->position & (ALIGNMENT - 1));
}

void pgrpc__arena_align8(struct arena *arena)
{
    size_t padding = -(uintptr_t)arena->position & 7;
    if (padding == 0)
        return;
    if (padding <= (size_t)(arena->end - arena->position))
        arena->position += padding;
    else
        arena->position = arena->end = NULL;
}

bool pgrpc__arena_extend(struct arena *arena, void *pointer, size_t old_len, size_t len)
{
    size_t more = len - old_len;
    if ((char *)pointer + old_len != arena->position ||
        more > (size_t)(arena->end - arena->position) || arena->used > arena->budget ||
        more > arena->budget - arena->used)
        return false;
    arena->position += more;
    arena->used += more;
    return true;
}

void *pgrpc__arena_memdup(struct arena *arena, const void *data, size_t len)
{
    void *copy = pgrpc__arena_alloc(arena, len);
    if (copy && len > 0)
        memcpy(copy, data, len);
    return copy;
}

char *pgrpc__arena_strndup(struct arena *arena, const char *text, size_t len)
{
    if (len == SIZE_MAX) {
        arena->over_budget = true;
        return NULL;
    }
    char *copy = take(arena, len + 1, 0);
    if (copy) {
        if (len > 0)
            memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *pgrpc__arena_vprintf(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    /* Into the room that is left, most often for good. */
    size_t room = (size_t)(arena->end - arena->position);
    char *start = arena->position, *text = NULL;
    int len = vsnprintf(start, room, format, arguments);
    if (len < 0)
        arena->out_of_memory = true;
    else
        text = take(arena, (size_t)len + 1, 0);
    if (text && text != start)
        vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

char *pgrpc__arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = pgrpc__arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}
