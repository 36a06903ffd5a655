#include "h2/head_block.h"

#include <errno.h>
#include <string.h>

static void empty(struct head_block *block)
{
    block->fields = block->own_fields;
    block->field_cap = HEAD_FIELDS;
    block->field_count = 0;
    block->text = block->own_text;
    block->text_cap = HEAD_TEXT;
    block->text_len = 0;
    block->size = 0;
    block->seen_count = 0;
}

void pgrpc__head_block_init(struct head_block *block, struct mem *mem)
{
    block->mem = mem;
    empty(block);
}

void pgrpc__head_block_clear(struct head_block *block)
{
    if (block->fields != block->own_fields)
        pgrpc__mem_free(block->mem, block->fields);
    if (block->text != block->own_text)
        pgrpc__mem_free(block->mem, block->text);
    empty(block);
}

void pgrpc__head_block_count(struct head_block *block, size_t name_len, size_t value_len)
{
    block->seen_count++;
    block->size += name_len + value_len + 32;
}

static bool grow_fields(struct head_block *block)
{
    size_t cap = 2 * block->field_cap;
    struct header_field *fields = pgrpc__mem_calloc(block->mem, cap, sizeof(*fields));
    if (!fields)
        return false;
    memcpy(fields, block->fields, block->field_count * sizeof(*fields));
    if (block->fields != block->own_fields)
        pgrpc__mem_free(block->mem, block->fields);
    block->fields = fields;
    block->field_cap = cap;
    return true;
}

static bool grow_text(struct head_block *block, size_t len)
{
    size_t cap = 2 * block->text_cap;
    while (cap - block->text_len < len)
        cap *= 2;
    char *text = pgrpc__mem_alloc(block->mem, cap);
    if (!text)
        return false;
    memcpy(text, block->text, block->text_len);
    for (size_t i = 0; i < block->field_count; i++) {
        struct header_field *field = &block->fields[i];
        field->name = text + (field->name - block->text);
        field->value = text + (field->value - block->text);
    }
    if (block->text != block->own_text)
        pgrpc__mem_free(block->mem, block->text);
    block->text = text;
    block->text_cap = cap;
    return true;
}

int pgrpc__head_block_add(struct head_block *block, const struct header_field *field)
{
    size_t len = field->name_len + field->value_len;

    if ((block->field_count == block->field_cap && !grow_fields(block)) ||
        (block->text_cap - block->text_len < len && !grow_text(block, len)))
        return -ENOMEM;
    char *text = block->text + block->text_len;
    block->fields[block->field_count++] = (struct header_field){
        text, text + field->name_len, field->name_len, field->value_len, field->is_sensitive};
    block->text_len += len;
    memcpy(text, field->name, field->name_len);
    memcpy(text + field->name_len, field->value, field->value_len);
    return 0;
}
