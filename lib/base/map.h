/*
 * Strings to pointers: open addressing, grown by doubling, never shrunk; the keys must outlive the
 * map. Serves methods by path and files by name: filled at start, read afterwards.
 */
#ifndef PGRPC__BASE_MAP_H
#define PGRPC__BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct map_entry {
    const char *key;
    size_t key_len;
    uint32_t hash;
    void *value;
};

struct map {
    const struct pgrpc_allocator *allocator;
    struct map_entry *entries;
    size_t cap; /* power of two or 0 */
    size_t count;
};

void pgrpc__map_init(struct map *map, const struct pgrpc_allocator *allocator);
void pgrpc__map_clear(struct map *map);
/* 0, -EEXIST (unchanged) or -ENOMEM. */
int pgrpc__map_add(struct map *map, const char *key, size_t key_len, void *value);
void *pgrpc__map_find(const struct map *map, const char *key, size_t key_len);
/* Iterates: *position starts at 0; returns NULL at the end. */
const struct map_entry *pgrpc__map_next(const struct map *map, size_t *position);

#endif
