/*
 * What the generator knows about the files of one request: the descriptors, with every name already
 * in the spelling of C.
 *
 * A model is built once from a request, is read-only afterwards, and lives in the request's pool.
 * The request must outlive it.
 */
#ifndef PLUGIN_MODEL_H
#define PLUGIN_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "descriptor/plugin.pb-c.h"
#include "pool.h"

/* A place in a .proto, counted from 1; line 0 when the request does not tell. */
struct model_place {
    const struct model_file *file;
    int line;
    int column;
};

/* A message or an enum. */
struct model_type {
    const char *full_name;  /* acme.Outer.Inner */
    const char *short_name; /* Inner */
    const char *c_name;     /* Acme__Outer__Inner */
    const char *lower;      /* acme__outer__inner */
    const char *upper;      /* ACME__OUTER__INNER */
    const char *descriptor; /* acme__outer__inner__descriptor */
    const struct model_file *file;
    const Pb__DescriptorProto *message;      /* one of the two, */
    const Pb__EnumDescriptorProto *enum_set; /* the other is NULL */
    /* The next two are set by type_features_resolve. */
    bool is_closed;  /* an enum that is CLOSED */
    bool has_groups; /* a message in which, at any depth, some are sent as groups */
};

/* The four shapes of an rpc, also as a set of them. */
enum model_kind {
    MODEL_UNARY = 1,
    MODEL_CLIENT_STREAM = 2,
    MODEL_SERVER_STREAM = 4,
    MODEL_BIDI = 8
};

struct model_method {
    const char *name;   /* SayHello */
    const char *c_name; /* Helloworld__Greeter__say_hello */
    const char *member; /* say_hello, or for_ where the plain name is taken */
    size_t index;       /* within its service */
    enum model_kind kind;
    const struct model_type *request;
    const struct model_type *reply;
    const char *comment; /* as in the .proto; "" without one */
    bool is_deprecated;
    struct model_place place;
};

struct model_service {
    const char *full_name; /* helloworld.Greeter */
    const char *c_name;    /* Helloworld__Greeter */
    const char *comment;
    bool is_deprecated;
    struct model_place place;
    struct model_method *methods;
    size_t method_count;
};

struct model_file {
    Pb__FileDescriptorProto *proto;
    const char *name;      /* dir/x.proto */
    const char *stem;      /* dir/x */
    const char *ident;     /* dir_2fx_2eproto */
    const char *package;   /* "" without one */
    const char *c_package; /* NULL unless the file sets it */
    const char *export;    /* stands in front of what it declares: "" or "ACME_API " */
    bool is_generated;     /* this run writes its files */
    bool has_header;       /* it has, or will have, a x.pb-c.h */
    /* in the order of their paths, so that one is found fast */
    const Pb__SourceCodeInfo__Location **locations;
    size_t location_count;
    const struct model_type **types; /* its messages and enums */
    size_t type_count;
    struct model_service *services;
    size_t service_count;
    const struct model_file **imports; /* direct and indirect, each once, in the request's order */
    size_t import_count;
    const struct model_file **direct; /* the imports that it names itself */
    bool *is_public;                  /* of each of these: import public */
    size_t direct_count;
    const struct model_file **exports; /* what its importers may use: its public imports, theirs */
    size_t export_count;
};

struct model {
    struct pool *pool;
    struct model_file *files; /* a file comes after everything it imports */
    size_t file_count;
    struct model_type *types; /* sorted by full name */
    size_t type_count;
    struct text
        errors; /* what is wrong with the .proto files, a line each; empty when nothing is */
};

/* Why a run can fail whatever is in the .proto files. */
extern const char *const model_no_memory;
extern const char *const model_nonsense;

/*
 * Fills |model| from |request|.  Returns NULL, or why the request makes no sense (then it was not
 * protoc that wrote it) or that memory ran out.
 */
const char *model_build(struct model *model, struct pool *pool,
                        const Pb__CodeGeneratorRequest *request);

/* |name| as descriptors write it, with a leading dot; NULL when there is no such type. */
const struct model_type *model_find_type(const struct model *model, const char *name);

/* The comment of the .proto at |path| of a file's source code info; "" without one. */
const char *model_comment(const struct model_file *file, const int *path, size_t path_len);

/* Where |path| of a file's source code info is. */
struct model_place model_place(const struct model_file *file, const int *path, size_t path_len);

/* "dir/x.proto:12:3"; without line and column when they are not known. */
const char *model_place_text(struct pool *pool, struct model_place place);

/* Adds "place: message" to the errors. */
void model_error(struct model *model, struct model_place place, const char *format, ...)
    PLUGIN_PRINTF(3, 4);

#endif
