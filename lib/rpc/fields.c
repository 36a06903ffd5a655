#include "rpc/fields.h"

void pgrpc__fields_init(struct fields *fields, struct arena *arena, size_t cap)
{
    fields->arena = arena;
    fields->entries = pgrpc__arena_alloc(arena, cap * sizeof(*fields->entries));
    fields->count = 0;
    fields->cap = cap;
    fields->failed = !fields->entries;
}

static struct header_field *grow(struct fields *fields)
{
    if (fields->failed)
        return NULL;
    if (fields->count == fields->cap) {
        size_t cap = fields->cap ? fields->cap * 2 : 8;
        struct header_field *entries =
            pgrpc__arena_alloc(fields->arena, cap * sizeof(*fields->entries));
        if (!entries) {
            fields->failed = true;
            return NULL;
        }
        if (fields->count)
            memcpy(entries, fields->entries, fields->count * sizeof(*entries));
        fields->entries = entries;
        fields->cap = cap;
    }
    return &fields->entries[fields->count++];
}

void pgrpc__fields_add(struct fields *fields, const char *name, size_t name_len, const char *value,
                       size_t value_len)
{
    struct header_field *field = grow(fields);
    if (!field)
        return;
    *field = (struct header_field){
        .name = name, .value = value, .name_len = name_len, .value_len = value_len};
}

void pgrpc__fields_add_all(struct fields *fields, const struct header_field *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct header_field *field = grow(fields);
        if (!field)
            return;
        *field = entries[i];
    }
}
