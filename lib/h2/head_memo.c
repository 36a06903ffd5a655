#include "h2/head_memo.h"

#include <string.h>

/* --- received --------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* Only a guess: what counts is compared byte by byte. */
static uint64_t hash_of(const uint8_t *data, size_t len)
{
    uint64_t hash = len, word = 0;
    for (; len > sizeof(word); len -= sizeof(word), data += sizeof(word)) {
        memcpy(&word, data, sizeof(word));
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, data, len);
    return mix(hash, word);
}

static size_t slot_of(uint64_t hash)
{
    return hash % MEMO_SLOTS;
}

void pgrpc__memo_table_clear(struct memo_table *table, struct mem *mem)
{
    for (size_t i = 0; i < MEMO_SLOTS; i++)
        pgrpc__mem_free(mem, table->memos[i]);
    memset(table, 0, sizeof(*table));
}

void pgrpc__memo_key_init(struct memo_key *key, const uint8_t *block, size_t len,
                          enum h2_head_kind kind, const struct hpack *hpack)
{
    key->block = block;
    key->len = len;
    key->hash = len <= MEMO_BYTES ? hash_of(block, len) : 0;
    key->generation = pgrpc__hpack_decoder_generation(hpack);
    key->kind = kind;
}

const struct head_memo *pgrpc__memo_find(const struct memo_table *table, const struct memo_key *key)
{
    const struct head_memo *memo = table->memos[slot_of(key->hash)];

    if (memo && memo->hash == key->hash && memo->len == key->len && memo->kind == key->kind &&
        memo->generation == key->generation && memcmp(memo->block, key->block, key->len) == 0)
        return memo;
    return NULL;
}

static bool has_sensitive(const struct header_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].is_sensitive)
            return true;
    }
    return false;
}

/* Memo, fields, texts and block in one piece. */
static struct head_memo *make_memo(struct mem *mem, const struct memo_key *key,
                                   const struct head_block *fields, const struct head_check *check)
{
    size_t fields_size = fields->field_count * sizeof(struct header_field);
    struct head_memo *memo =
        pgrpc__mem_alloc(mem, sizeof(*memo) + fields_size + fields->text_len + key->len);
    if (!memo)
        return NULL;
    struct header_field *copy = (struct header_field *)(void *)(memo + 1);
    char *text = (char *)copy + fields_size;
    uint8_t *block = (uint8_t *)text + fields->text_len;

    memcpy(text, fields->text, fields->text_len);
    memcpy(block, key->block, key->len);
    for (size_t i = 0; i < fields->field_count; i++) {
        copy[i] = fields->fields[i];
        copy[i].name = text + (fields->fields[i].name - fields->text);
        copy[i].value = text + (fields->fields[i].value - fields->text);
    }
    *memo = (struct head_memo){{copy, fields->field_count, fields->size},
                               *check,
                               key->len,
                               key->hash,
                               key->generation,
                               key->kind,
                               block};
    return memo;
}

void pgrpc__memo_remember(struct memo_table *table, struct mem *mem, const struct hpack *hpack,
                          const struct memo_key *key, const struct head_block *fields,
                          const struct head_check *check)
{
    size_t slot = slot_of(key->hash);
    bool is_second = table->seen[slot] == key->hash;

    table->seen[slot] = key->hash;
    if (!is_second || key->generation != pgrpc__hpack_decoder_generation(hpack) ||
        key->len > MEMO_BYTES || fields->text_len > MEMO_BYTES ||
        fields->field_count > MEMO_FIELDS || has_sensitive(fields->fields, fields->field_count))
        return;
    struct head_memo *memo = make_memo(mem, key, fields, check);
    if (memo) {
        pgrpc__mem_free(mem, table->memos[slot]);
        table->memos[slot] = memo;
    }
}

/* --- to send ---------------------------------------------------------------------------------- */

void pgrpc__template_table_clear(struct template_table *table, struct mem *mem)
{
    for (size_t i = 0; i < MEMO_SLOTS; i++) {
        pgrpc__template_unref(table->templates[i], mem);
        table->templates[i] = NULL;
    }
}

void pgrpc__template_unref(struct head_template *head, struct mem *mem)
{
    if (head && --head->refs == 0)
        pgrpc__mem_free(mem, head);
}

static bool is_same_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

/* Returns the end. */
static char *copy_text(char *to, const char *from, size_t len)
{
    if (len > 0)
        memcpy(to, from, len);
    return to + len;
}

static bool is_same(const struct head_template *head, const struct header_field *fields,
                    size_t count)
{
    if (!head || head->count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct header_field *a = &head->fields[i], *b = &fields[i];
        if (!is_same_text(a->value, a->value_len, b->value, b->value_len) ||
            !is_same_text(a->name, a->name_len, b->name, b->name_len))
            return false;
    }
    return true;
}

static struct head_template *make_template(struct mem *mem, const struct header_field *fields,
                                           size_t count, size_t text_len, size_t block_cap)
{
    size_t fields_size = count * sizeof(struct header_field);
    struct head_template *head =
        pgrpc__mem_alloc(mem, sizeof(*head) + fields_size + text_len + block_cap);
    if (!head)
        return NULL;
    char *text = (char *)head->fields + fields_size;
    *head = (struct head_template){
        .refs = 1, .count = count, .block_cap = block_cap, .block = (uint8_t *)text + text_len};
    for (size_t i = 0; i < count; i++) {
        const struct header_field *field = &fields[i];
        head->fields[i] = *field;
        head->fields[i].name = text;
        head->fields[i].value = text + field->name_len;
        text = copy_text(text, field->name, field->name_len);
        text = copy_text(text, field->value, field->value_len);
    }
    return head;
}

struct head_template *pgrpc__template_get(struct template_table *table, struct mem *mem,
                                          const struct header_field *fields, size_t count)
{
    size_t text_len = 0;
    bool is_sensitive = false;

    for (size_t i = 0; i < count; i++) {
        text_len += fields[i].name_len + fields[i].value_len;
        is_sensitive = is_sensitive || fields[i].is_sensitive;
    }
    if (is_sensitive || text_len > MEMO_BYTES || count > MEMO_FIELDS)
        return make_template(mem, fields, count, text_len, 0);

    struct head_template **place = &table->templates[(text_len + count) % MEMO_SLOTS];
    if (!is_same(*place, fields, count)) {
        struct head_template *head =
            make_template(mem, fields, count, text_len, pgrpc__hpack_bound(fields, count));
        if (!head)
            return NULL;
        pgrpc__template_unref(*place, mem);
        *place = head;
    }
    (*place)->refs++;
    return *place;
}

const uint8_t *pgrpc__template_block(const struct head_template *head, const struct hpack *hpack)
{
    return head->block_len > 0 && head->generation == pgrpc__hpack_encoder_generation(hpack)
               ? head->block
               : NULL;
}

void pgrpc__template_keep(struct head_template *head, const struct hpack *hpack,
                          uint32_t generation_before, const uint8_t *block, size_t len)
{
    head->block_len = 0;
    if (len > head->block_cap || generation_before != pgrpc__hpack_encoder_generation(hpack))
        return;
    memcpy(head->block, block, len);
    head->block_len = len;
    head->generation = generation_before;
}
