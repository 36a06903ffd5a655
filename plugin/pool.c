#include "pool.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A test makes it 1, so that each allocation is one of malloc's. */
#ifndef POOL_BLOCK_BYTES
#define POOL_BLOCK_BYTES (64 * 1024)
#endif

struct pool_block {
    struct pool_block *next;
    size_t used;
    size_t capacity;
    alignas(max_align_t) char bytes[];
};

void pool_clear(struct pool *pool)
{
    struct pool_block *block = pool->blocks;
    while (block) {
        struct pool_block *next = block->next;
        free(block);
        block = next;
    }
    *pool = (struct pool){0};
}

/* Not zeroed. */
static void *take(struct pool *pool, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > SIZE_MAX / 4) {
        pool->failed = true;
        return NULL;
    }
    size = (size + align - 1) / align * align;
    struct pool_block *block = pool->blocks;
    if (!block || size > block->capacity - block->used) {
        size_t capacity = size > POOL_BLOCK_BYTES ? size : POOL_BLOCK_BYTES;
        block = malloc(sizeof(*block) + capacity);
        if (!block) {
            pool->failed = true;
            return NULL;
        }
        *block = (struct pool_block){.next = pool->blocks, .capacity = capacity};
        pool->blocks = block;
    }
    void *memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

void *pool_array(struct pool *pool, size_t count, size_t size)
{
    if (count > SIZE_MAX / size) {
        pool->failed = true;
        return NULL;
    }
    void *memory = take(pool, count * size);
    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

const char *pool_printf(struct pool *pool, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *string = len < 0 ? NULL : take(pool, (size_t)len + 1);
    if (!string) {
        pool->failed = true;
        return "";
    }
    va_start(args, format);
    vsnprintf(string, (size_t)len + 1, format, args);
    va_end(args);
    return string;
}

static void *protobuf_alloc(void *pool, size_t size)
{
    return take(pool, size);
}

static void protobuf_free(void *pool, void *memory)
{
    (void)pool;
    (void)memory;
}

ProtobufCAllocator pool_protobuf_allocator(struct pool *pool)
{
    return (ProtobufCAllocator){protobuf_alloc, protobuf_free, pool};
}

char *text_reserve(struct text *text, size_t len)
{
    if (text->pool->failed)
        return NULL;
    if (len >= SIZE_MAX / 8 - text->len) {
        text->pool->failed = true;
        return NULL;
    }
    size_t needed = text->len + len + 1;
    if (needed > text->capacity) {
        size_t capacity = needed < 128 ? 256 : 2 * needed;
        char *data = take(text->pool, capacity);
        if (!data)
            return NULL;
        if (text->len > 0)
            memcpy(data, text->data, text->len);
        text->data = data;
        text->capacity = capacity;
    }
    return text->data + text->len;
}

void text_add(struct text *text, const char *bytes, size_t len)
{
    char *end = text_reserve(text, len);
    if (!end)
        return;
    memcpy(end, bytes, len);
    end[len] = '\0';
    text->len += len;
}

void text_add_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *end = len < 0 ? NULL : text_reserve(text, (size_t)len);
    if (!end)
        return;
    va_start(args, format);
    vsnprintf(end, (size_t)len + 1, format, args);
    va_end(args);
    text->len += (size_t)len;
}

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}
