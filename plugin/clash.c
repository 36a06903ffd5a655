#include "clash.h"

#include <stdlib.h>
#include <string.h>

#include "emit.h"
#include "names.h"

/* One definition. */
struct name {
    const char *name;
    const char *owner; /* "rpc SayHello" */
    struct model_place place;
    const struct model_service *service; /* for a name that stubs define, else NULL */
    const struct model_method *method;   /* for a name that belongs to one, else NULL */
    const struct name *taken_by;         /* an earlier definition, or NULL */
};

struct name_list {
    struct pool *pool;
    struct name *names;
    size_t count;
    size_t capacity;
};

static void add(struct name_list *list, struct name name)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
        struct name *names = pool_array(list->pool, capacity, sizeof(*names));
        if (!names)
            return;
        if (list->count > 0)
            memcpy(names, list->names, list->count * sizeof(*names));
        list->names = names;
        list->capacity = capacity;
    }
    list->names[list->count++] = name;
}

/* --- what protoc-gen-c defines ---------------------------------------------------------------- */

/* Its functions are all lower case and its macros end in capitals; no stub is like that. */

static void add_enum(struct name_list *list, const struct model_file *file, const char *scope,
                     const Pb__EnumDescriptorProto *proto)
{
    const char *full_name = names_join(list->pool, scope, proto->name);
    const char *override =
        names_in_c_package(list->pool, full_name, file->package, file->c_package);
    const char *owner = pool_printf(list->pool, "enum %s", proto->name);
    const struct model_place place = {.file = file};
    add(list,
        (struct name){.name = names_type(list->pool, override), .owner = owner, .place = place});
    const char *upper = names_upper(list->pool, override);
    for (size_t i = 0; i < proto->n_value; i++) {
        const char *name = pool_printf(list->pool, "%s__%s", upper, proto->value[i]->name);
        add(list, (struct name){.name = name, .owner = owner, .place = place});
    }
}

static void add_message(struct name_list *list, const struct model_file *file, const char *scope,
                        const Pb__DescriptorProto *proto)
{
    const char *full_name = names_join(list->pool, scope, proto->name);
    const char *type = names_type(
        list->pool, names_in_c_package(list->pool, full_name, file->package, file->c_package));
    const char *owner = pool_printf(list->pool, "message %s", proto->name);
    const struct model_place place = {.file = file};
    add(list, (struct name){.name = type, .owner = owner, .place = place});
    for (size_t i = 0; i < proto->n_enum_type; i++)
        add_enum(list, file, full_name, proto->enum_type[i]);
    for (size_t i = 0; i < proto->n_nested_type; i++)
        add_message(list, file, full_name, proto->nested_type[i]);
}

/* --- what stubs define ------------------------------------------------------------------------ */

static void add_functions(struct name_list *list, const struct model_method *method,
                          struct name name, const struct emit_function *functions)
{
    for (; functions->parameters; functions++) {
        if (!(functions->kinds & method->kind))
            continue;
        name.name = pool_printf(list->pool, "%s%s", method->c_name, functions->verb);
        add(list, name);
    }
}

static void add_method(struct name_list *list, const struct model_service *service,
                       const struct model_method *method)
{
    const char *owner = pool_printf(list->pool, "rpc %s", method->name);
    struct name name = {
        .owner = owner, .place = method->place, .service = service, .method = method};
    name.name = pool_printf(list->pool, "%s_handlers.%s", service->c_name, method->member);
    add(list, name);
    add_functions(list, method, name, emit_client_functions);
    add_functions(list, method, name, emit_server_functions);
    name.name = pool_printf(list->pool, "%s__invoke", method->c_name);
    add(list, name);
}

static void add_service(struct name_list *list, const struct model_service *service)
{
    static const char *const verbs[] = {"handlers", "register", "methods", "service"};
    const char *owner = pool_printf(list->pool, "service %s", service->full_name);
    struct name name = {.owner = owner, .place = service->place, .service = service};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        name.name = pool_printf(list->pool, "%s_%s", service->c_name, verbs[i]);
        add(list, name);
    }
    for (size_t i = 0; i < service->method_count; i++)
        add_method(list, service, &service->methods[i]);
}

/* --- the check -------------------------------------------------------------------------------- */

static void add_file(struct name_list *list, const struct model_file *file)
{
    for (size_t i = 0; i < file->proto->n_message_type; i++)
        add_message(list, file, file->package, file->proto->message_type[i]);
    for (size_t i = 0; i < file->proto->n_enum_type; i++)
        add_enum(list, file, file->package, file->proto->enum_type[i]);
    for (size_t i = 0; i < file->service_count; i++)
        add_service(list, &file->services[i]);
}

static int compare_names(const void *a, const void *b)
{
    const struct name *left = *(const struct name *const *)a;
    const struct name *right = *(const struct name *const *)b;
    int order = strcmp(left->name, right->name);
    /* the first definition first: they stand in one array */
    return order != 0 ? order : (left > right) - (left < right);
}

/* Sets |taken_by| wherever two names are the same. */
static void compare_all(struct name_list *list)
{
    struct name **sorted = pool_array(list->pool, list->count, sizeof(*sorted));
    if (list->pool->failed)
        return;
    for (size_t i = 0; i < list->count; i++)
        sorted[i] = &list->names[i];
    qsort(sorted, list->count, sizeof(*sorted), compare_names);
    for (size_t i = 1; i < list->count; i++)
        if (strcmp(sorted[i]->name, sorted[i - 1]->name) == 0)
            sorted[i]->taken_by = sorted[i - 1]->taken_by ? sorted[i - 1]->taken_by : sorted[i - 1];
}

/* One error for each rpc, however many of its names are taken, and none for the rpcs of a service
 * that has one itself. */
static void report(struct model *model, const struct name_list *list, size_t from)
{
    const struct model_service *service = NULL;
    const struct model_method *method = NULL;
    for (size_t i = from; i < list->count; i++) {
        const struct name *name = &list->names[i];
        if (!name->service || !name->taken_by || name->service == service ||
            (name->method && name->method == method))
            continue;
        model_error(model, name->place, "%s: the C name %s is taken by %s (%s)", name->owner,
                    name->name, name->taken_by->owner,
                    model_place_text(list->pool, name->taken_by->place));
        method = name->method;
        if (!method)
            service = name->service;
    }
}

void clash_check(struct model *model, const struct model_file *file)
{
    struct pool pool = {0}; /* names are many, and of no use afterwards */
    struct name_list list = {.pool = &pool};
    for (size_t i = 0; i < file->import_count; i++)
        add_file(&list, file->imports[i]);
    size_t own = list.count;
    add_file(&list, file);
    compare_all(&list);
    if (pool.failed)
        model->pool->failed = true;
    else
        report(model, &list, own);
    pool_clear(&pool);
}
