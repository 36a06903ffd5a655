/*
 * Everything that reads one header field.  The first byte of the input says how long the name is,
 * the name follows, the rest is the value; the value is also given to each reader of a field with a
 * meaning.
 */
#include "fuzz.h"

#include <string.h>

#include "base/mem.h"
#include "wire/base64.h"
#include "wire/compress.h"
#include "wire/details.h"
#include "wire/metadata.h"
#include "wire/path.h"
#include "wire/percent.h"
#include "wire/status.h"
#include "wire/timeout.h"
#include "wire/utf8.h"

static void read_metadata(struct arena *arena, const char *name, size_t name_len, const char *value,
                          size_t value_len)
{
    struct pgrpc_metadata metadata;
    struct error_text error = {""};
    pgrpc__metadata_init(&metadata, arena);
    enum pgrpc_code code = pgrpc__metadata_add_field(&metadata, pgrpc__header_find(name, name_len),
                                                     name, name_len, value, value_len, &error);
    if (code != PGRPC_OK) {
        CHECK(code == PGRPC_INTERNAL || code == PGRPC_RESOURCE_EXHAUSTED);
        CHECK(strlen(error.text) > 0);
        return;
    }
    for (size_t i = 0; i < pgrpc_metadata_count(&metadata); i++) {
        struct pgrpc_metadatum entry = pgrpc_metadata_at(&metadata, i);
        CHECK(((const char *)entry.value)[entry.len] == '\0');
        CHECK(pgrpc_metadata_find(&metadata, entry.key));
        /* What was received may be sent again, unless it is the library's. */
        struct header_field *fields;
        struct pgrpc_metadata again;
        code = pgrpc__metadata_encode(&entry, 1, arena, &fields, &error);
        if (code != PGRPC_OK) {
            CHECK(entry.key[0] == ':' || strncmp(entry.key, "grpc-", 5) == 0 ||
                  pgrpc__header_find(entry.key, strlen(entry.key)) != HEADER_OTHER);
            continue;
        }
        pgrpc__metadata_init(&again, arena);
        CHECK(pgrpc__metadata_add_field(&again, HEADER_OTHER, fields->name, fields->name_len,
                                        fields->value, fields->value_len, &error) == PGRPC_OK);
        CHECK(again.count == 1 && again.entries[0].len == entry.len);
        CHECK(memcmp(again.entries[0].value, entry.value, entry.len) == 0);
    }
}

static void read_message(struct arena *arena, const char *value, size_t len)
{
    const char *text, *encoded;
    size_t encoded_len, fitting_len;
    CHECK(pgrpc__percent_decode(arena, value, len, &text) == PGRPC_OK);
    CHECK(pgrpc__utf8_valid_len(text, strlen(text)) == strlen(text));
    CHECK(pgrpc__percent_encode(arena, text, strlen(text), SIZE_MAX, &encoded, &encoded_len) ==
          PGRPC_OK);
    const char *again;
    CHECK(pgrpc__percent_decode(arena, encoded, encoded_len, &again) == PGRPC_OK);
    CHECK(strcmp(again, text) == 0);
    CHECK(pgrpc__percent_encode(arena, value, len, len / 2, &encoded, &fitting_len) == PGRPC_OK);
    CHECK(fitting_len <= len / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    size_t name_len = data[0] < len - 1 ? data[0] : len - 1;
    /* Blocks of exactly this size, so that a sanitizer sees what is read beyond them. */
    size_t value_len = len - 1 - name_len;
    char *name = malloc(name_len + 1), *value = malloc(value_len + 1);
    CHECK(name && value);
    memcpy(name, data + 1, name_len);
    memcpy(value, data + 1 + name_len, value_len);
    name = realloc(name, name_len > 0 ? name_len : 1);
    value = realloc(value, value_len > 0 ? value_len : 1);

    struct arena arena;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    read_metadata(&arena, name, name_len, value, value_len);
    read_metadata(&arena, "key-bin", 7, value, value_len);
    read_metadata(&arena, "key", 3, value, value_len);
    read_message(&arena, value, value_len);

    int64_t timeout_ms = 0;
    if (pgrpc__timeout_parse(value, value_len, &timeout_ms))
        CHECK(timeout_ms >= 0 && timeout_ms <= TIMEOUT_MS_MAX);
    CHECK((unsigned)pgrpc__status_parse(value, value_len) <= 16);
    const char *subtype;
    size_t subtype_len;
    if (pgrpc__content_type_parse(value, value_len, &subtype, &subtype_len))
        CHECK(subtype >= value && subtype + subtype_len <= value + value_len);
    struct path_parts parts;
    if (pgrpc__path_split(value, value_len, &parts))
        CHECK(parts.service_len + parts.method_len + 2 == value_len);
    CHECK((pgrpc__encoding_parse_accepted(value, value_len) & ~7u) == 0);
    struct details details;
    if (pgrpc__details_parse(value, value_len, &details)) {
        struct pgrpc_bytes any;
        size_t position = 0, count = 0;
        while (pgrpc__details_next(value, value_len, &position, &any))
            count++;
        CHECK(count == details.any_count);
    }
    pgrpc__arena_clear(&arena);
    free(name);
    free(value);
    return 0;
}
