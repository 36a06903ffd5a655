#include "base/map.h"

#include <errno.h>
#include <string.h>

enum { CAP_MIN = 16 };

/* In the manner of FNV-1a, by words: the keys come from the program, a peer only looks them up. */
static uint32_t hash_of(const char *key, size_t len)
{
    uint64_t hash = len, word = 0;
    for (; len > sizeof(word); len -= sizeof(word), key += sizeof(word)) {
        memcpy(&word, key, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    for (word = 0; len > 0; len--)
        word = word << 8 | (uint8_t)key[len - 1];
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash >> 32);
}

/* The entry of |key|, or the free one where it would go. At least one is free. */
static struct map_entry *slot_of(struct map_entry *entries, size_t cap, const char *key, size_t len,
                                 uint32_t hash)
{
    size_t index = hash & (cap - 1);
    while (entries[index].key && !(entries[index].hash == hash && entries[index].key_len == len &&
                                   memcmp(entries[index].key, key, len) == 0))
        index = (index + 1) & (cap - 1);
    return &entries[index];
}

void pgrpc__map_init(struct map *map, const struct pgrpc_allocator *allocator)
{
    memset(map, 0, sizeof(*map));
    map->allocator = allocator;
}

void pgrpc__map_clear(struct map *map)
{
    pgrpc__raw_free(map->allocator, map->entries);
    pgrpc__map_init(map, map->allocator);
}

static int grow(struct map *map)
{
    size_t cap = map->cap ? 2 * map->cap : CAP_MIN, size;
    if (__builtin_mul_overflow(cap, sizeof(struct map_entry), &size))
        return -ENOMEM;
    struct map_entry *entries = pgrpc__raw_zalloc(map->allocator, size);
    if (!entries)
        return -ENOMEM;
    for (size_t i = 0; i < map->cap; i++) {
        const struct map_entry *old = &map->entries[i];
        if (old->key)
            *slot_of(entries, cap, old->key, old->key_len, old->hash) = *old;
    }
    pgrpc__raw_free(map->allocator, map->entries);
    map->entries = entries;
    map->cap = cap;
    return 0;
}

int pgrpc__map_add(struct map *map, const char *key, size_t key_len, void *value)
{
    uint32_t hash = hash_of(key, key_len);
    if (map->cap && slot_of(map->entries, map->cap, key, key_len, hash)->key)
        return -EEXIST;
    if (4 * (map->count + 1) > 3 * map->cap) {
        int error = grow(map);
        if (error < 0)
            return error;
    }
    *slot_of(map->entries, map->cap, key, key_len, hash) =
        (struct map_entry){key, key_len, hash, value};
    map->count++;
    return 0;
}

void *pgrpc__map_find(const struct map *map, const char *key, size_t key_len)
{
    if (map->count == 0)
        return NULL;
    return slot_of(map->entries, map->cap, key, key_len, hash_of(key, key_len))->value;
}

const struct map_entry *pgrpc__map_next(const struct map *map, size_t *position)
{
    while (*position < map->cap) {
        const struct map_entry *entry = &map->entries[(*position)++];
        if (entry->key)
            return entry;
    }
    return NULL;
}
