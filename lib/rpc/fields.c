#include "rpc/fields.h"

void pgrpc__fields_init(struct fields *fields, struct arena *arena, size_t cap)
{
    fields->arena = arena;
    fields->entries = pgrpc__arena_alloc(arena, cap * sizeof(*fields->entries));
    fields->count = 0;
    fields->cap = fields->entries ? cap : 0;
    fields->failed = !fields->entries;
}

bool pgrpc__fields_grow(struct fields *fields)
{
    if (fields->failed)
        return false;
    size_t cap = fields->cap ? fields->cap * 2 : 8;
    struct header_field *entries =
        pgrpc__arena_alloc(fields->arena, cap * sizeof(*fields->entries));
    if (!entries) {
        fields->failed = true;
        return false;
    }
    if (fields->count)
        memcpy(entries, fields->entries, fields->count * sizeof(*entries));
    fields->entries = entries;
    fields->cap = cap;
    return true;
}

void pgrpc__fields_add_all(struct fields *fields, const struct header_field *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fields->count == fields->cap && !pgrpc__fields_grow(fields))
            return;
        fields->entries[fields->count++] = entries[i];
    }
}
