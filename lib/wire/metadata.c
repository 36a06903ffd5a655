#include "wire/metadata.h"

#include <string.h>

#include "wire/base64.h"
#include "wire/word.h"

enum { FIRST_CAP = 8 };

size_t pgrpc_metadata_count(const struct pgrpc_metadata *metadata)
{
    return metadata ? metadata->count : 0;
}

struct pgrpc_metadatum pgrpc_metadata_at(const struct pgrpc_metadata *metadata, size_t index)
{
    struct pgrpc_metadatum none = {NULL, NULL, 0};
    return index < pgrpc_metadata_count(metadata) ? metadata->entries[index] : none;
}

const struct pgrpc_metadatum *pgrpc_metadata_find(const struct pgrpc_metadata *metadata,
                                                  const char *key)
{
    for (size_t i = pgrpc_metadata_count(metadata); i > 0; i--)
        if (strcmp(metadata->entries[i - 1].key, key) == 0)
            return &metadata->entries[i - 1];
    return NULL;
}

void pgrpc__metadata_init(struct pgrpc_metadata *metadata, struct arena *arena)
{
    memset(metadata, 0, sizeof(*metadata));
    metadata->arena = arena;
}

static bool is_key(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return len > 0;
}

static bool is_binary(const char *name, size_t len)
{
    return len >= 4 && memcmp(name + len - 4, "-bin", 4) == 0;
}

/* True when all eight bytes are in 0x20..0x7E: otherwise a high bit is there, or a sum sets it. */
static bool is_printable(uint64_t word)
{
    return ((word | (word + word_of(1)) | (word - word_of(0x20))) & word_of(0x80)) == 0;
}

static bool is_ascii_value(const char *value, size_t len)
{
    const uint8_t *bytes = (const uint8_t *)value;
    for (; len > sizeof(uint64_t); len -= sizeof(uint64_t), bytes += sizeof(uint64_t))
        if (!is_printable(word_load(bytes)))
            return false;
    return len == 0 || is_printable(word_load_short(bytes, len));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **value, size_t *len)
{
    while (*len > 0 && is_blank(**value)) {
        (*value)++;
        (*len)--;
    }
    while (*len > 0 && is_blank((*value)[*len - 1]))
        (*len)--;
}

static enum pgrpc_code out_of_memory(struct error_text *error)
{
    return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory for metadata");
}

static enum pgrpc_code add_entry(struct pgrpc_metadata *metadata, const char *key,
                                 const char *value, size_t len, struct error_text *error)
{
    if (metadata->count == METADATA_COUNT_MAX)
        return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED, "more than %d metadata entries",
                                METADATA_COUNT_MAX);
    if (!value)
        return out_of_memory(error);
    if (metadata->count == metadata->cap) {
        size_t cap = metadata->cap ? 2 * metadata->cap : FIRST_CAP;
        struct pgrpc_metadatum *entries =
            pgrpc__arena_alloc(metadata->arena, cap * sizeof(*entries));
        if (!entries)
            return out_of_memory(error);
        if (metadata->count > 0)
            memcpy(entries, metadata->entries, metadata->count * sizeof(*entries));
        metadata->entries = entries;
        metadata->cap = cap;
    }
    metadata->entries[metadata->count++] = (struct pgrpc_metadatum){key, value, len};
    return PGRPC_OK;
}

static enum pgrpc_code add_binary(struct pgrpc_metadata *metadata, const char *key,
                                  const char *value, size_t len, struct error_text *error)
{
    const char *end = value + len;
    for (;;) {
        const char *comma = memchr(value, ',', (size_t)(end - value));
        const char *part = value;
        size_t part_len = (size_t)((comma ? comma : end) - value);
        trim(&part, &part_len);
        uint8_t *data = pgrpc__arena_alloc(metadata->arena, base64_decoded_max(part_len) + 1);
        size_t data_len = 0;
        if (data) {
            if (!pgrpc__base64_decode(part, part_len, data, &data_len))
                return pgrpc__error_set(error, PGRPC_INTERNAL,
                                        "metadata \"%.64s\" is not valid base64", key);
            data[data_len] = '\0';
        }
        enum pgrpc_code code = add_entry(metadata, key, (const char *)data, data_len, error);
        if (code != PGRPC_OK || !comma)
            return code;
        value = comma + 1;
    }
}

static bool is_hidden(enum header_id id)
{
    switch (id) {
    case HEADER_OTHER:
    case HEADER_AUTHORITY:
    case HEADER_CONNECTION:
    case HEADER_USER_AGENT:
    case HEADER_GRPC_PREVIOUS_RPC_ATTEMPTS:
    case HEADER_GRPC_RETRY_PUSHBACK_MS:
        return false;
    default:
        return true;
    }
}

/* Those that every request has need no copy. */
static const char *key_of(struct pgrpc_metadata *metadata, enum header_id id, const char *name,
                          size_t len)
{
    switch (id) {
    case HEADER_AUTHORITY:
        return ":authority";
    case HEADER_USER_AGENT:
        return "user-agent";
    default:
        return pgrpc__arena_strndup(metadata->arena, name, len);
    }
}

enum pgrpc_code pgrpc__metadata_add_field(struct pgrpc_metadata *metadata, enum header_id id,
                                          const char *name, size_t name_len, const char *value,
                                          size_t value_len, struct error_text *error)
{
    if (is_hidden(id) || (id == HEADER_OTHER && !is_key(name, name_len)))
        return PGRPC_OK;
    bool binary = is_binary(name, name_len);
    if (!binary) {
        trim(&value, &value_len);
        if (!is_ascii_value(value, value_len))
            return PGRPC_OK;
    }
    const char *key = key_of(metadata, id, name, name_len);
    if (!key)
        return out_of_memory(error);
    if (binary)
        return add_binary(metadata, key, value, value_len, error);
    return add_entry(metadata, key, pgrpc__arena_strndup(metadata->arena, value, value_len),
                     value_len, error);
}

/* What tracing and statistics send in gRPC's own name space. */
static bool is_trace(const char *key)
{
    return strcmp(key, "grpc-trace-bin") == 0 || strcmp(key, "grpc-tags-bin") == 0;
}

/* Why an application may not send |key|, NULL when it may. */
static const char *key_objection(const char *key, size_t len)
{
    if (!is_key(key, len))
        return "has characters other than 0-9 a-z _ - .";
    switch (pgrpc__header_find(key, len)) {
    case HEADER_GRPC_PREVIOUS_RPC_ATTEMPTS:
    case HEADER_GRPC_RETRY_PUSHBACK_MS:
        return NULL;
    case HEADER_OTHER:
        return len >= 5 && memcmp(key, "grpc-", 5) == 0 && !is_trace(key) ? "is reserved for gRPC"
                                                                          : NULL;
    default:
        return "is set by the library";
    }
}

static bool is_sensitive(const char *key)
{
    return strcmp(key, "authorization") == 0 || strcmp(key, "cookie") == 0 ||
           strcmp(key, "set-cookie") == 0 || strcmp(key, "proxy-authorization") == 0;
}

static enum pgrpc_code encode_entry(const struct pgrpc_metadatum *entry, size_t index,
                                    struct arena *arena, struct header_field *field,
                                    struct error_text *error)
{
    if (!entry->key || entry->key[0] == '\0')
        return pgrpc__error_set(error, PGRPC_INTERNAL, "metadata entry %zu has no key", index);
    size_t key_len = strlen(entry->key);
    const char *objection = key_objection(entry->key, key_len);
    if (objection)
        return pgrpc__error_set(error, PGRPC_INTERNAL, "metadata key \"%.64s\" %s", entry->key,
                                objection);
    if (!entry->value && entry->len > 0)
        return pgrpc__error_set(error, PGRPC_INTERNAL, "metadata \"%.64s\" has a length, no value",
                                entry->key);

    const char *value = entry->value;
    size_t value_len = entry->len;
    if (is_binary(entry->key, key_len)) {
        if (value_len > SIZE_MAX / 2)
            return out_of_memory(error);
        size_t text_len = base64_encoded_len(value_len);
        char *text = pgrpc__arena_alloc(arena, text_len);
        if (text)
            pgrpc__base64_encode(value, value_len, text);
        value = text;
        value_len = text_len;
    } else {
        if (!is_ascii_value(value, value_len))
            return pgrpc__error_set(error, PGRPC_INTERNAL,
                                    "metadata \"%.64s\" is not printable ASCII "
                                    "(a key that ends in -bin carries any bytes)",
                                    entry->key);
        trim(&value, &value_len);
        value = pgrpc__arena_strndup(arena, value, value_len);
    }
    const char *name = pgrpc__arena_strndup(arena, entry->key, key_len);
    if (!name || !value)
        return out_of_memory(error);
    *field = (struct header_field){.name = name,
                                   .value = value,
                                   .name_len = key_len,
                                   .value_len = value_len,
                                   .is_sensitive = is_sensitive(name)};
    return PGRPC_OK;
}

enum pgrpc_code pgrpc__metadata_encode(const struct pgrpc_metadatum *entries, size_t count,
                                       struct arena *arena, struct header_field **fields,
                                       struct error_text *error)
{
    size_t size;
    if (__builtin_mul_overflow(count, sizeof(**fields), &size))
        return out_of_memory(error);
    struct header_field *result = pgrpc__arena_alloc(arena, size);
    if (!result)
        return out_of_memory(error);
    for (size_t i = 0; i < count; i++) {
        enum pgrpc_code code = encode_entry(&entries[i], i, arena, &result[i], error);
        if (code != PGRPC_OK)
            return code;
    }
    *fields = result;
    return PGRPC_OK;
}

size_t pgrpc__header_list_size(const struct header_field *fields, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(total, fields[i].name_len, &total) ||
            __builtin_add_overflow(total, fields[i].value_len, &total) ||
            __builtin_add_overflow(total, (size_t)METADATA_FIELD_OVERHEAD, &total))
            return SIZE_MAX;
    return total;
}
