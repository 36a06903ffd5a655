/*
 * Heads that come or go again and again: what was worked out once is kept, as long as it is sure to
 * be the same.
 *
 * A memo is a received header block with the fields it stood for: the same bytes, as a head of the
 * same kind, mean the same fields while the dynamic table has not changed.  A template is a head to
 * send, by its fields: while the table has not changed they are written as the same bytes.  Blocks
 * that change a table, and fields that must never be indexed, are not kept.
 *
 * Both tables are embedded in an engine and hold a few of the latest.  A memo is made when the same
 * block is seen for the second time.
 */
#ifndef PGRPC__H2_HEAD_MEMO_H
#define PGRPC__H2_HEAD_MEMO_H

#include "h2/head_block.h"
#include "h2/head_check.h"
#include "h2/hpack.h"

enum { MEMO_SLOTS = 4, MEMO_BYTES = 1024, MEMO_FIELDS = 32 };

/* --- received --------------------------------------------------------------------------------- */

struct memo_key {
    const uint8_t *block;
    size_t len;
    uint64_t hash;
    uint32_t generation;
    enum h2_head_kind kind;
};

struct head_memo {
    struct h2_head head;
    struct head_check check; /* after the last field */
    size_t len;
    uint64_t hash;
    uint32_t generation;
    enum h2_head_kind kind;
    const uint8_t *block;
};

struct memo_table {
    struct head_memo *memos[MEMO_SLOTS];
    uint64_t seen[MEMO_SLOTS]; /* hash of the latest block of the slot */
};

void pgrpc__memo_table_clear(struct memo_table *table, struct mem *mem);
void pgrpc__memo_key_init(struct memo_key *key, const uint8_t *block, size_t len,
                          enum h2_head_kind kind, const struct hpack *hpack);
/* NULL when it is not known. Lives until the next call of remember. */
const struct head_memo *pgrpc__memo_find(const struct memo_table *table,
                                         const struct memo_key *key);
/* The block of |key| was decoded to |fields|. Does nothing when memory is short. */
void pgrpc__memo_remember(struct memo_table *table, struct mem *mem, const struct hpack *hpack,
                          const struct memo_key *key, const struct head_block *fields,
                          const struct head_check *check);

/* --- to send ---------------------------------------------------------------------------------- */

struct head_template {
    unsigned refs;
    size_t count;
    size_t block_len; /* 0: not known */
    size_t block_cap; /* 0: it is never kept */
    uint32_t generation;
    uint8_t *block;
    struct header_field fields[];
};

struct template_table {
    struct head_template *templates[MEMO_SLOTS];
};

void pgrpc__template_table_clear(struct template_table *table, struct mem *mem);
/* One reference more; NULL when out of memory. */
struct head_template *pgrpc__template_get(struct template_table *table, struct mem *mem,
                                          const struct header_field *fields, size_t count);
/* Accepts NULL. */
void pgrpc__template_unref(struct head_template *head, struct mem *mem);
/* The template's block if it is known and still right, NULL otherwise: then it is encoded into
 * |block_cap| or more bytes, and kept. */
const uint8_t *pgrpc__template_block(const struct head_template *head, const struct hpack *hpack);
void pgrpc__template_keep(struct head_template *head, const struct hpack *hpack,
                          uint32_t generation_before, const uint8_t *block, size_t len);

#endif
