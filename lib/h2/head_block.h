/*
 * The fields of one header block while it is received: copied, with their texts together.
 *
 * The usual block fits into the object itself; what a larger one needs is given back by clear.
 * Embedded in an engine: blocks of one connection never interleave.
 */
#ifndef PGRPC__H2_HEAD_BLOCK_H
#define PGRPC__H2_HEAD_BLOCK_H

#include "h2/stream.h"

enum { HEAD_FIELDS = 16, HEAD_TEXT = 512 };

struct head_block {
    struct mem *mem;
    struct header_field *fields;
    size_t field_count; /* kept ... */
    size_t field_cap;
    char *text;
    size_t text_len;
    size_t text_cap;
    size_t size;       /* RFC 9113 section 10.5.1, ignored fields included */
    size_t seen_count; /* ... and ignored */
    struct header_field own_fields[HEAD_FIELDS];
    char own_text[HEAD_TEXT];
};

void pgrpc__head_block_init(struct head_block *block, struct mem *mem);
/* Empty, and smaller again. */
void pgrpc__head_block_clear(struct head_block *block);
/* Counts a field, whether it is kept or not. */
void pgrpc__head_block_count(struct head_block *block, size_t name_len, size_t value_len);
/* Copies a field. 0 or -ENOMEM. */
int pgrpc__head_block_add(struct head_block *block, const struct header_field *field);

#endif
