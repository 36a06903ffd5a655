/*
 * The memory of one run, and the text that grows in it.
 *
 * Whatever a run needs is taken from its pool and goes back in one piece when
 * the pool is cleared; nothing is freed on its own.  Running out of memory is
 * remembered by the pool: functions that return text then return "" and never
 * NULL, so that a caller asks |failed| once, at the end of a step.  Functions
 * that return an array or an object return NULL and are checked on the spot.
 */
#ifndef PLUGIN_POOL_H
#define PLUGIN_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

#ifdef __GNUC__
#define PLUGIN_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define PLUGIN_PRINTF(format_index, first)
#endif

struct pool_block;

/* {0} is an empty pool. */
struct pool {
    struct pool_block *blocks; /* newest first */
    bool failed;               /* out of memory, now or at any time before */
};

/* Frees everything that came from |pool| and makes it an empty pool. */
void pool_clear(struct pool *pool);

/* |count| objects of |size| bytes, all zero.  NULL when out of memory. */
void *pool_array(struct pool *pool, size_t count, size_t size);

/* Formatted text.  "" when out of memory. */
const char *pool_printf(struct pool *pool, const char *format, ...) PLUGIN_PRINTF(2, 3);

/* For protobuf-c: messages live as long as the pool, which must outlive them. */
ProtobufCAllocator pool_protobuf_allocator(struct pool *pool);

/* Text that grows.  {.pool = pool} is empty. */
struct text {
    struct pool *pool;
    char *data; /* |len| bytes, and a NUL that text_add put there; NULL while empty */
    size_t len;
    size_t capacity;
};

/* Appends; does nothing once the pool has failed. */
void text_add(struct text *text, const char *bytes, size_t len);
void text_add_string(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...) PLUGIN_PRINTF(2, 3);

/* Room for |len| more bytes, at data + len: add what was written there to |len|.  NULL when out of
 * memory. */
char *text_reserve(struct text *text, size_t len);

/* What was added so far; "" while empty. */
const char *text_string(const struct text *text);

#endif
