#include "services/reflection_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static struct descriptor_bytes bytes_of(const char *text)
{
    return (struct descriptor_bytes){text, strlen(text)};
}

/* --- building -----------------------------------------------------------------------------------
 */

static const struct pgrpc_service *next_service(const struct map *services, size_t *position)
{
    const struct map_entry *entry = pgrpc__map_next(services, position);
    return entry ? entry->value : NULL;
}

/* qsort's arguments are the array's elements. */
static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_services(struct reflection_index *index, const struct map *services)
{
    const struct pgrpc_service *service;
    size_t position = 0;
    index->services =
        pgrpc__arena_alloc(&index->arena, (services->count + 1) * sizeof(*index->services));
    if (!index->services)
        return -ENOMEM;
    while ((service = next_service(services, &position)) != NULL)
        index->services[index->service_count++] = service->name;
    qsort(index->services, index->service_count, sizeof(*index->services), compare_names);
    return 0;
}

/* Two services have the same files when they come from the same or import the same. */
static int add_file(struct reflection_index *index, const struct pgrpc_file *file)
{
    struct reflection_file *known = pgrpc__reflection_find_file(index, file->name);
    if (known) {
        if (known->bytes.len != file->len || memcmp(known->bytes.data, file->data, file->len) != 0)
            pgrpc__log_printf(PGRPC_LOG_WARNING,
                              "two descriptors have one name: reflection shows the first", "file",
                              "%s", file->name);
        return 0;
    }
    struct reflection_file *added = &index->files[index->file_count];
    *added = (struct reflection_file){
        .name = file->name,
        .bytes = {(const char *)file->data, file->len},
        .position = index->file_count,
    };
    if (pgrpc__map_add(&index->by_name, file->name, strlen(file->name), added))
        return -ENOMEM;
    index->file_count++;
    return 0;
}

static int add_files(struct reflection_index *index, const struct map *services)
{
    const struct pgrpc_service *service;
    size_t position = 0, count = 1;
    while ((service = next_service(services, &position)) != NULL)
        count += service->file_count;
    index->files = pgrpc__arena_alloc(&index->arena, count * sizeof(*index->files));
    if (!index->files)
        return -ENOMEM;
    position = 0;
    while ((service = next_service(services, &position)) != NULL)
        for (size_t i = 0; i < service->file_count; i++)
            if (service->files[i].name && service->files[i].data &&
                add_file(index, &service->files[i]))
                return -ENOMEM;
    return 0;
}

/* An import whose file nobody gave is left out: whoever asks for it by name hears so. */
static int add_imports(struct reflection_index *index, struct reflection_file *file)
{
    struct descriptor_reader reader = pgrpc__descriptor_reader(file->bytes);
    struct descriptor_field field;
    size_t count = 0;
    while (pgrpc__descriptor_next(&reader, &field))
        count += field.number == DESCRIPTOR_FILE_DEPENDENCY && field.is_counted;
    if (count == 0)
        return 0;
    file->imports = pgrpc__arena_alloc(&index->arena, count * sizeof(*file->imports));
    if (!file->imports)
        return -ENOMEM;
    reader = pgrpc__descriptor_reader(file->bytes);
    while (pgrpc__descriptor_next(&reader, &field)) {
        if (field.number != DESCRIPTOR_FILE_DEPENDENCY || !field.is_counted)
            continue;
        struct reflection_file *import =
            pgrpc__map_find(&index->by_name, field.bytes.data, field.bytes.len);
        if (import)
            file->imports[file->import_count++] = import;
    }
    return 0;
}

static int compare_bytes(struct descriptor_bytes a, struct descriptor_bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_extensions(const void *a, const void *b)
{
    const struct reflection_extension *left = a, *right = b;
    int order = compare_bytes(left->extension.extendee, right->extension.extendee);
    if (order)
        return order;
    if (left->extension.number != right->extension.number)
        return left->extension.number < right->extension.number ? -1 : 1;
    return (left->file->position > right->file->position) -
           (left->file->position < right->file->position);
}

/* Of extensions that are declared twice the first file's stays. */
static void drop_repeated(struct reflection_index *index)
{
    size_t kept = 0;
    for (size_t i = 0; i < index->extension_count; i++) {
        const struct descriptor_extension *extension = &index->extensions[i].extension;
        const struct descriptor_extension *before =
            kept ? &index->extensions[kept - 1].extension : NULL;
        if (!before || before->number != extension->number ||
            compare_bytes(before->extendee, extension->extendee) != 0)
            index->extensions[kept++] = index->extensions[i];
    }
    index->extension_count = kept;
}

/* Counts the extensions of all files, and keeps them when |kept| has room for them. */
static size_t walk_extensions(const struct reflection_index *index,
                              struct reflection_extension *kept)
{
    struct descriptor_walk walk;
    struct descriptor_extension extension;
    size_t count = 0;
    for (size_t i = 0; i < index->file_count; i++) {
        pgrpc__descriptor_walk_init(&walk, index->files[i].bytes);
        while (pgrpc__descriptor_walk_next(&walk, &extension)) {
            if (kept)
                kept[count] = (struct reflection_extension){extension, &index->files[i]};
            count++;
        }
        if (walk.is_bad && kept)
            pgrpc__log_printf(PGRPC_LOG_WARNING, "reflection cannot read all of a descriptor",
                              "file", "%s", index->files[i].name);
    }
    return count;
}

static int add_extensions(struct reflection_index *index)
{
    size_t count = walk_extensions(index, NULL);
    index->extensions = pgrpc__arena_alloc(&index->arena, (count + 1) * sizeof(*index->extensions));
    if (!index->extensions)
        return -ENOMEM;
    index->extension_count = walk_extensions(index, index->extensions);
    qsort(index->extensions, index->extension_count, sizeof(*index->extensions),
          compare_extensions);
    drop_repeated(index);
    return 0;
}

int pgrpc__reflection_index_init(struct reflection_index *index, const struct map *services,
                                 const struct pgrpc_allocator *allocator)
{
    memset(index, 0, sizeof(*index));
    pgrpc__arena_init(&index->arena, allocator, NULL, 0);
    pgrpc__map_init(&index->by_name, allocator);
    int result = add_services(index, services);
    if (result == 0)
        result = add_files(index, services);
    for (size_t i = 0; i < index->file_count && result == 0; i++)
        result = add_imports(index, &index->files[i]);
    if (result == 0)
        result = add_extensions(index);
    if (result)
        pgrpc__reflection_index_clear(index);
    return result;
}

void pgrpc__reflection_index_clear(struct reflection_index *index)
{
    pgrpc__map_clear(&index->by_name);
    pgrpc__arena_clear(&index->arena);
}

/* --- finding ------------------------------------------------------------------------------------
 */

struct reflection_file *pgrpc__reflection_find_file(const struct reflection_index *index,
                                                    const char *name)
{
    return pgrpc__map_find(&index->by_name, name, strlen(name));
}

struct reflection_file *pgrpc__reflection_find_symbol(const struct reflection_index *index,
                                                      const char *symbol,
                                                      enum descriptor_kind *kind)
{
    for (size_t i = 0; i < index->file_count; i++) {
        enum descriptor_kind found =
            pgrpc__descriptor_find(index->files[i].bytes, bytes_of(symbol));
        if (found == DESCRIPTOR_NONE)
            continue;
        if (kind)
            *kind = found;
        return &index->files[i];
    }
    return NULL;
}

size_t pgrpc__reflection_extensions_of(const struct reflection_index *index, const char *message,
                                       const struct reflection_extension **first)
{
    struct descriptor_bytes name = bytes_of(message);
    size_t low = 0, high = index->extension_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_bytes(index->extensions[middle].extension.extendee, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < index->extension_count &&
           compare_bytes(index->extensions[end].extension.extendee, name) == 0)
        end++;
    *first = &index->extensions[low];
    return end - low;
}

struct reflection_file *pgrpc__reflection_find_extension(const struct reflection_index *index,
                                                         const char *message, int32_t number)
{
    const struct reflection_extension *first;
    size_t count = pgrpc__reflection_extensions_of(index, message, &first);
    for (size_t i = 0; i < count; i++)
        if (first[i].extension.number == number)
            return first[i].file;
    return NULL;
}
