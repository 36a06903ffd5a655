/*
 * What reflection serves: the files of all services of a server, each name once, with what leads to
 * them.  Built once, when the services are known; read by any thread afterwards.  Names and bytes
 * are those of the services and outlive it.
 */
#ifndef PGRPC__SERVICES_REFLECTION_INDEX_H
#define PGRPC__SERVICES_REFLECTION_INDEX_H

#include "base/arena.h"
#include "base/map.h"
#include "picogrpc/codegen.h"
#include "services/reflection_descriptor.h"

struct reflection_file {
    const char *name;
    struct descriptor_bytes bytes;
    size_t position; /* in index->files */
    struct reflection_file **imports;
    size_t import_count; /* those that are there */
};

struct reflection_extension {
    struct descriptor_extension extension;
    struct reflection_file *file;
};

struct reflection_index {
    struct arena arena;
    struct map by_name; /* file's name -> reflection_file */
    struct reflection_file *files;
    size_t file_count;
    const char **services; /* full names, sorted */
    size_t service_count;
    struct reflection_extension *extensions; /* sorted by message, then number; each once */
    size_t extension_count;
};

/* |services|: name -> struct pgrpc_service.  0 or -ENOMEM, then there is nothing to clear. */
int pgrpc__reflection_index_init(struct reflection_index *index, const struct map *services,
                                 const struct pgrpc_allocator *allocator);
void pgrpc__reflection_index_clear(struct reflection_index *index);

/* These give NULL when there is none. */
struct reflection_file *pgrpc__reflection_find_file(const struct reflection_index *index,
                                                    const char *name);
/* |kind| may be NULL. */
struct reflection_file *pgrpc__reflection_find_symbol(const struct reflection_index *index,
                                                      const char *symbol,
                                                      enum descriptor_kind *kind);
struct reflection_file *pgrpc__reflection_find_extension(const struct reflection_index *index,
                                                         const char *message, int32_t number);
/* The extensions of |message|: the first, and how many stand there. */
size_t pgrpc__reflection_extensions_of(const struct reflection_index *index, const char *message,
                                       const struct reflection_extension **first);

#endif
