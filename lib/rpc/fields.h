/* A growing array of header fields in an arena: heads under construction and metadata to send. */
#ifndef PGRPC__RPC_FIELDS_H
#define PGRPC__RPC_FIELDS_H

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "wire/header.h"

/* Memory on the stack for the head of an ordinary call. */
enum { FIELDS_SCRATCH_LEN = 1024 };

struct fields {
    struct arena *arena;
    struct header_field *entries;
    size_t count;
    size_t cap;
    bool failed; /* out of memory somewhere: the array is not to be used */
};

void pgrpc__fields_init(struct fields *fields, struct arena *arena, size_t cap);
/* Room for one more field. */
bool pgrpc__fields_grow(struct fields *fields);
/* The texts are referenced. Failure is remembered, so that a row of adds is checked once. */
static inline void pgrpc__fields_add(struct fields *fields, const char *name, size_t name_len,
                                     const char *value, size_t value_len)
{
    if (fields->count == fields->cap && !pgrpc__fields_grow(fields))
        return;
    fields->entries[fields->count++] = (struct header_field){
        .name = name, .value = value, .name_len = name_len, .value_len = value_len};
}
void pgrpc__fields_add_all(struct fields *fields, const struct header_field *entries, size_t count);

/* |name| is a string literal. */
#define FIELDS_ADD(fields, name, value, value_len) \
    pgrpc__fields_add(fields, name, sizeof(name) - 1, value, value_len)

#endif
