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
    const void *group;           /* the service, message or enum that it belongs to */
    const void *thing;           /* the rpc, field or value in it, or the group itself */
    const struct name *taken_by; /* an earlier definition, or NULL */
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

static void add_printf(struct name_list *list, struct name name, const char *start, const char *end)
{
    name.name = pool_printf(list->pool, "%s%s", start, end);
    add(list, name);
}

/* --- what headers bring ----------------------------------------------------------------------- */

/* Only a type without a package can be called like one of these. */
static void add_reserved(struct name_list *list)
{
    static const char *const names[] = {
        "CHAR_BIT", "CHAR_MAX", "CHAR_MIN", "EOF", "FILE", "INT16_MAX", "INT16_MIN", "INT32_MAX",
        "INT32_MIN", "INT64_MAX", "INT64_MIN", "INT8_MAX", "INT8_MIN", "INT_MAX", "INT_MIN",
        "INTMAX_MAX", "INTMAX_MIN", "INTPTR_MAX", "INTPTR_MIN", "LLONG_MAX", "LLONG_MIN",
        "LONG_MAX", "LONG_MIN", "MB_LEN_MAX", "NDEBUG", "NULL", "PTRDIFF_MAX", "PTRDIFF_MIN",
        "SCHAR_MAX", "SCHAR_MIN", "SHRT_MAX", "SHRT_MIN", "SIZE_MAX", "UCHAR_MAX", "UINT16_MAX",
        "UINT32_MAX", "UINT64_MAX", "UINT8_MAX", "UINT_MAX", "UINTMAX_MAX", "UINTPTR_MAX",
        "ULLONG_MAX", "ULONG_MAX", "USHRT_MAX", "WCHAR_MAX", "WCHAR_MIN", "WINT_MAX", "WINT_MIN",
        /* protobuf-c's */
        "ProtobufCAllocator", "ProtobufCBinaryData", "ProtobufCBuffer", "ProtobufCBufferSimple",
        "ProtobufCClosure", "ProtobufCEnumDescriptor", "ProtobufCEnumValue",
        "ProtobufCEnumValueIndex", "ProtobufCFieldDescriptor", "ProtobufCFieldFlag",
        "ProtobufCIntRange", "ProtobufCLabel", "ProtobufCMessage", "ProtobufCMessageDescriptor",
        "ProtobufCMessageInit", "ProtobufCMessageUnknownField", "ProtobufCMethodDescriptor",
        "ProtobufCService", "ProtobufCServiceDescriptor", "ProtobufCServiceDestroy",
        "ProtobufCType", "ProtobufCWireType"};
    const struct name name = {.owner = "C or protobuf-c"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        add_printf(list, name, names[i], "");
}

/* --- messages of others ----------------------------------------------------------------------- */

static void add_type(struct name_list *list, const struct model_type *type)
{
    const struct name name = {
        .owner =
            pool_printf(list->pool, "%s %s", type->message ? "message" : "enum", type->full_name),
        .place = {.file = type->file},
    };
    add_printf(list, name, type->c_name, "");
    add_printf(list, name, type->descriptor, "");
    for (size_t i = 0; type->enum_set && i < type->enum_set->n_value; i++)
        add_printf(list, name, pool_printf(list->pool, "%s__", type->upper),
                   type->enum_set->value[i]->name);
}

static void add_types(struct name_list *list, const struct model_file *file)
{
    for (size_t i = 0; i < file->type_count; i++)
        add_type(list, file->types[i]);
}

/* --- messages of our own ---------------------------------------------------------------------- */

static void add_enum(struct name_list *list, const struct message_enum *set)
{
    struct name name = {
        .owner = pool_printf(list->pool, "enum %s", set->type->full_name),
        .place = set->place,
        .group = set,
        .thing = set,
    };
    add_printf(list, name, set->type->c_name, "");
    add_printf(list, name, set->type->descriptor, "");
    for (size_t i = 0; i < set->value_count; i++) {
        const struct message_value *value = &set->values[i];
        name.owner = pool_printf(list->pool, "%s of enum %s", value->name, set->type->full_name);
        name.place = value->place;
        name.thing = value;
        add_printf(list, name, value->enumerator, "");
    }
}

static void add_oneof(struct name_list *list, const struct message *message,
                      const struct message_oneof *oneof)
{
    const struct name name = {
        .owner = pool_printf(list->pool, "oneof %s of message %s", oneof->name,
                             message->type->full_name),
        .place = oneof->place,
        .group = message,
        .thing = oneof,
    };
    if (oneof->field_count == 0)
        return;
    add_printf(list, name, oneof->c_type, "");
    add_printf(list, name, oneof->not_set, "");
    for (size_t i = 0; i < oneof->field_count; i++)
        add_printf(list, name, oneof->enumerators[i], "");
}

static void add_message(struct name_list *list, const struct message *message)
{
    static const char *const functions[] = {
        "__init", "__get_packed_size", "__pack", "__pack_to_buffer", "__unpack", "__free_unpacked"};
    struct name name = {
        .owner = pool_printf(list->pool, "message %s", message->type->full_name),
        .place = message->place,
        .group = message,
        .thing = message,
    };
    add_printf(list, name, message->type->c_name, "");
    add_printf(list, name, message->type->descriptor, "");
    add_printf(list, name, message->type->upper, "__INIT");
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        add_printf(list, name, message->type->lower, functions[i]);
    for (size_t i = 0; i < message->oneof_count; i++)
        add_oneof(list, message, &message->oneofs[i]);
    for (size_t i = 0; i < message->field_count; i++) {
        const struct message_field *field = &message->fields[i];
        if (!field->default_name)
            continue;
        name.owner =
            pool_printf(list->pool, "the default of %s.%s", message->type->full_name, field->name);
        name.place = field->place;
        name.thing = field;
        add_printf(list, name, field->default_name, "");
        if (field->kind->is_bytes)
            add_printf(list, name, field->default_name, "_data");
    }
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
    struct name name = {.owner = owner, .place = method->place, .group = service, .thing = method};
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
    struct name name = {
        .owner = owner, .place = service->place, .group = service, .thing = service};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        name.name = pool_printf(list->pool, "%s_%s", service->c_name, verbs[i]);
        add(list, name);
    }
    for (size_t i = 0; i < service->method_count; i++)
        add_method(list, service, &service->methods[i]);
}

/* --- the check -------------------------------------------------------------------------------- */

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

/* One error for each rpc, field or value, however many of its names are taken, and none for those
 * of a service, message or enum that has one itself. */
static void report(struct model *model, const struct name_list *list, size_t from)
{
    const void *group = NULL;
    const void *thing = NULL;
    for (size_t i = from; i < list->count; i++) {
        const struct name *name = &list->names[i];
        if (!name->taken_by || name->group == group || name->thing == thing)
            continue;
        const struct name *other = name->taken_by;
        const char *where = "";
        if (other->place.file)
            where = pool_printf(list->pool, " (%s)", model_place_text(list->pool, other->place));
        model_error(model, name->place, "%s: the C name %s is taken by %s%s", name->owner,
                    name->name, other->owner, where);
        thing = name->thing;
        if (name->thing == name->group)
            group = name->group;
    }
}

/* Names come from protoc as identifiers; a type can only begin with a digit where '_' was dropped
 * and there is no package. */
static void check_type(struct model *model, struct model_place place, const struct model_type *type)
{
    const char *c_package = type->file->c_package; /* a wrong one has its own error */
    if (!(c_package && *c_package) && !names_is_identifier(type->c_name))
        model_error(model, place, "%s %s: \"%s\" is not a name in C",
                    type->message ? "message" : "enum", type->full_name, type->c_name);
}

static void check_messages(struct model *model, const struct message_file *file)
{
    for (size_t i = 0; i < file->enum_count; i++)
        check_type(model, file->enums[i].place, file->enums[i].type);
    for (size_t i = 0; i < file->message_count; i++) {
        const struct message *message = &file->messages[i];
        check_type(model, message->place, message->type);
        if (!names_is_identifier(message->base) || names_is_taken(message->base))
            model_error(model, message->place,
                        "message %s: base_field_name \"%s\" is not a name in C",
                        message->type->full_name, message->base);
        for (size_t j = 0; j < message->field_count; j++) {
            const struct message_field *field = &message->fields[j];
            if (field->type && !field->type->file->has_header)
                model_error(model, field->place,
                            "%s.%s: no C is written for %s, as %s has the option no_generate",
                            message->type->full_name, field->name, field->type->full_name,
                            field->type->file->name);
        }
    }
}

void clash_check(struct model *model, const struct model_file *file,
                 const struct message_file *messages)
{
    struct pool pool = {0}; /* names are many, and of no use afterwards */
    struct name_list list = {.pool = &pool};
    add_reserved(&list);
    for (size_t i = 0; i < file->import_count; i++) {
        add_types(&list, file->imports[i]);
        for (size_t j = 0; j < file->imports[i]->service_count; j++)
            add_service(&list, &file->imports[i]->services[j]);
    }
    if (!messages)
        add_types(&list, file);
    size_t own = list.count;
    for (size_t i = 0; messages && i < messages->enum_count; i++)
        add_enum(&list, &messages->enums[i]);
    for (size_t i = 0; messages && i < messages->message_count; i++)
        add_message(&list, &messages->messages[i]);
    for (size_t i = 0; i < file->service_count; i++)
        add_service(&list, &file->services[i]);
    compare_all(&list);
    if (pool.failed)
        model->pool->failed = true;
    else
        report(model, &list, own);
    pool_clear(&pool);
    if (messages)
        check_messages(model, messages);
}
