#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

const char *const model_no_memory = "out of memory";
const char *const model_nonsense = "the request contradicts itself: not written by protoc?";

/* --- places and errors ------------------------------------------------------------------------ */

static int compare_paths(const Pb__SourceCodeInfo__Location *location, const int *path,
                         size_t path_len)
{
    for (size_t i = 0; i < location->n_path && i < path_len; i++)
        if (location->path[i] != path[i])
            return location->path[i] < path[i] ? -1 : 1;
    return (location->n_path > path_len) - (location->n_path < path_len);
}

static int compare_locations(const void *a, const void *b)
{
    const Pb__SourceCodeInfo__Location *left = *(const Pb__SourceCodeInfo__Location *const *)a;
    const Pb__SourceCodeInfo__Location *right = *(const Pb__SourceCodeInfo__Location *const *)b;
    return compare_paths(left, right->path, right->n_path);
}

static bool sort_locations(struct pool *pool, struct model_file *file)
{
    const Pb__SourceCodeInfo *info = file->proto->source_code_info;
    size_t count = info ? info->n_location : 0;
    file->locations = pool_array(pool, count, sizeof(*file->locations));
    if (!file->locations)
        return false;
    for (size_t i = 0; i < count; i++)
        file->locations[i] = info->location[i];
    qsort(file->locations, count, sizeof(*file->locations), compare_locations);
    file->location_count = count;
    return true;
}

static const Pb__SourceCodeInfo__Location *find_location(const struct model_file *file,
                                                         const int *path, size_t path_len)
{
    size_t from = 0, end = file->location_count;
    while (from < end) {
        size_t middle = from + (end - from) / 2;
        int order = compare_paths(file->locations[middle], path, path_len);
        if (order == 0)
            return file->locations[middle];
        if (order < 0)
            from = middle + 1;
        else
            end = middle;
    }
    return NULL;
}

static struct model_place place_of(const struct model_file *file,
                                   const Pb__SourceCodeInfo__Location *location)
{
    struct model_place place = {.file = file};
    if (location && location->n_span >= 3) {
        place.line = location->span[0] + 1;
        place.column = location->span[1] + 1;
    }
    return place;
}

static const char *comment_of(const Pb__SourceCodeInfo__Location *location)
{
    if (location && location->leading_comments)
        return location->leading_comments;
    if (location && location->trailing_comments)
        return location->trailing_comments;
    return "";
}

const char *model_comment(const struct model_file *file, const int *path, size_t path_len)
{
    return comment_of(find_location(file, path, path_len));
}

struct model_place model_place(const struct model_file *file, const int *path, size_t path_len)
{
    return place_of(file, find_location(file, path, path_len));
}

const char *model_place_text(struct pool *pool, struct model_place place)
{
    if (place.line == 0)
        return place.file->name;
    return pool_printf(pool, "%s:%d:%d", place.file->name, place.line, place.column);
}

void model_error(struct model *model, struct model_place place, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (model->errors.len > 0)
        text_add(&model->errors, "\n", 1);
    text_printf(&model->errors, "%s: %s", model_place_text(model->pool, place), message);
}

/* --- types ------------------------------------------------------------------------------------ */

static size_t count_types(size_t count, Pb__DescriptorProto *const *messages)
{
    size_t total = count;
    for (size_t i = 0; i < count; i++)
        total += messages[i]->n_enum_type +
                 count_types(messages[i]->n_nested_type, messages[i]->nested_type);
    return total;
}

static struct model_type *add_type(struct model *model, const struct model_file *file,
                                   const char *scope, const char *name)
{
    const char *full_name = names_join(model->pool, scope, name);
    const char *override =
        names_in_c_package(model->pool, full_name, file->package, file->c_package);
    const char *lower = names_lower(model->pool, override);
    struct model_type *type = &model->types[model->type_count++];
    *type = (struct model_type){
        .full_name = full_name,
        .short_name = name,
        .c_name = names_type(model->pool, override),
        .lower = lower,
        .upper = names_upper(model->pool, override),
        .descriptor = pool_printf(model->pool, "%s__descriptor", lower),
        .file = file,
    };
    return type;
}

static bool add_enums(struct model *model, const struct model_file *file, const char *scope,
                      size_t count, Pb__EnumDescriptorProto *const *enums)
{
    for (size_t i = 0; i < count; i++) {
        if (!enums[i]->name || enums[i]->n_value == 0)
            return false;
        for (size_t j = 0; j < enums[i]->n_value; j++)
            if (!enums[i]->value[j]->name)
                return false;
        add_type(model, file, scope, enums[i]->name)->enum_set = enums[i];
    }
    return true;
}

/* The nesting was limited before the request was decoded. */
static bool add_messages(struct model *model, const struct model_file *file, const char *scope,
                         size_t count, Pb__DescriptorProto *const *messages)
{
    for (size_t i = 0; i < count; i++) {
        const Pb__DescriptorProto *message = messages[i];
        if (!message->name)
            return false;
        struct model_type *type = add_type(model, file, scope, message->name);
        type->message = message;
        if (!add_enums(model, file, type->full_name, message->n_enum_type, message->enum_type) ||
            !add_messages(model, file, type->full_name, message->n_nested_type,
                          message->nested_type))
            return false;
    }
    return true;
}

static int compare_types(const void *a, const void *b)
{
    const struct model_type *left = a;
    const struct model_type *right = b;
    return strcmp(left->full_name, right->full_name);
}

/* By name, which one type has; and each file knows its own from now on. */
static bool sort_types(struct model *model)
{
    qsort(model->types, model->type_count, sizeof(*model->types), compare_types);
    for (size_t i = 0; i < model->file_count; i++) {
        struct model_file *file = &model->files[i];
        file->types = pool_array(model->pool, file->type_count, sizeof(*file->types));
        if (!file->types)
            return false;
        file->type_count = 0;
    }
    for (size_t i = 0; i < model->type_count; i++) {
        if (i > 0 && compare_types(&model->types[i - 1], &model->types[i]) == 0)
            return false;
        struct model_file *file = &model->files[model->types[i].file - model->files];
        file->types[file->type_count++] = &model->types[i];
    }
    return true;
}

const struct model_type *model_find_type(const struct model *model, const char *name)
{
    if (!name || name[0] != '.')
        return NULL;
    struct model_type key = {.full_name = name + 1};
    return bsearch(&key, model->types, model->type_count, sizeof(key), compare_types);
}

static const struct model_type *find_message(const struct model *model, const char *name)
{
    const struct model_type *type = model_find_type(model, name);
    return type && type->message ? type : NULL;
}

/* --- services --------------------------------------------------------------------------------- */

/* Field numbers of descriptor.proto, as source code info uses them. */
enum {
    FILE_SERVICE = 6,
    FILE_OPTIONS = 8,
    SERVICE_METHOD = 2,
    OPTIONS_PROTOBUF_C = 1019,
    PROTOBUF_C_PACKAGE = 6
};

static enum model_kind kind_of(const Pb__MethodDescriptorProto *proto)
{
    if (proto->client_streaming)
        return proto->server_streaming ? MODEL_BIDI : MODEL_CLIENT_STREAM;
    return proto->server_streaming ? MODEL_SERVER_STREAM : MODEL_UNARY;
}

static bool build_method(struct model *model, const struct model_file *file, size_t service_index,
                         const struct model_service *service, size_t index,
                         const Pb__MethodDescriptorProto *proto, struct model_method *method)
{
    const int path[] = {FILE_SERVICE, (int)service_index, SERVICE_METHOD, (int)index};
    const Pb__SourceCodeInfo__Location *location = find_location(file, path, 4);
    if (!proto->name)
        return false;
    const char *lower = names_lower(model->pool, proto->name);
    *method = (struct model_method){
        .name = proto->name,
        .c_name = pool_printf(model->pool, "%s__%s", service->c_name, lower),
        .member = names_is_taken(lower) ? pool_printf(model->pool, "%s_", lower) : lower,
        .index = index,
        .kind = kind_of(proto),
        .request = find_message(model, proto->input_type),
        .reply = find_message(model, proto->output_type),
        .comment = comment_of(location),
        .is_deprecated = proto->options && proto->options->deprecated,
        .place = place_of(file, location),
    };
    return method->request && method->reply;
}

static bool build_service(struct model *model, const struct model_file *file, size_t index,
                          const Pb__ServiceDescriptorProto *proto, struct model_service *service)
{
    const int path[] = {FILE_SERVICE, (int)index};
    const Pb__SourceCodeInfo__Location *location = find_location(file, path, 2);
    if (!proto->name)
        return false;
    const char *full_name = names_join(model->pool, file->package, proto->name);
    *service = (struct model_service){
        .full_name = full_name,
        .c_name = names_type(model->pool, names_in_c_package(model->pool, full_name, file->package,
                                                             file->c_package)),
        .comment = comment_of(location),
        .is_deprecated = proto->options && proto->options->deprecated,
        .place = place_of(file, location),
        .methods = pool_array(model->pool, proto->n_method, sizeof(*service->methods)),
        .method_count = proto->n_method,
    };
    if (!service->methods)
        return false;
    for (size_t i = 0; i < proto->n_method; i++)
        if (!build_method(model, file, index, service, i, proto->method[i], &service->methods[i]))
            return false;
    return true;
}

static bool build_services(struct model *model, struct model_file *file)
{
    size_t count = file->proto->n_service;
    file->services = pool_array(model->pool, count, sizeof(*file->services));
    if (!file->services)
        return false;
    file->service_count = count;
    for (size_t i = 0; i < count; i++)
        if (!build_service(model, file, i, file->proto->service[i], &file->services[i]))
            return false;
    return true;
}

/* --- files ------------------------------------------------------------------------------------ */

static struct model_file *find_file(const struct model *model, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(model->files[i].name, name) == 0)
            return &model->files[i];
    return NULL;
}

/* The files that are |wanted|. */
static const struct model_file **list_files(const struct model *model, const bool *wanted,
                                            size_t count, size_t *list_count)
{
    const struct model_file **list = pool_array(model->pool, count, sizeof(*list));
    *list_count = 0;
    for (size_t i = 0; list && i < count; i++)
        if (wanted[i])
            list[(*list_count)++] = &model->files[i];
    return list;
}

static bool is_public(const Pb__FileDescriptorProto *file, size_t index)
{
    for (size_t i = 0; i < file->n_public_dependency; i++)
        if (file->public_dependency[i] >= 0 && (size_t)file->public_dependency[i] == index)
            return true;
    return false;
}

/* Imports stand before |file| and know their own imports already. */
static bool build_imports(struct model *model, struct model_file *file)
{
    size_t index = (size_t)(file - model->files);
    size_t count = file->proto->n_dependency;
    bool *wanted = pool_array(model->pool, index, sizeof(*wanted));
    bool *exported = pool_array(model->pool, index, sizeof(*exported));
    file->direct = pool_array(model->pool, count, sizeof(*file->direct));
    file->is_public = pool_array(model->pool, count, sizeof(*file->is_public));
    if (!wanted || !exported || !file->direct || !file->is_public)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct model_file *import = find_file(model, index, file->proto->dependency[i]);
        if (!import)
            return false;
        wanted[import - model->files] = true;
        for (size_t j = 0; j < import->import_count; j++)
            wanted[import->imports[j] - model->files] = true;
        file->is_public[i] = is_public(file->proto, i);
        if (file->is_public[i]) {
            exported[import - model->files] = true;
            for (size_t j = 0; j < import->export_count; j++)
                exported[import->exports[j] - model->files] = true;
        }
        file->direct[file->direct_count++] = import;
    }
    file->imports = list_files(model, wanted, index, &file->import_count);
    file->exports = list_files(model, exported, index, &file->export_count);
    return file->imports && file->exports;
}

static bool build_file(struct model *model, Pb__FileDescriptorProto *proto, struct model_file *file)
{
    if (!proto->name)
        return false;
    const Pb__ProtobufCFileOptions *options = proto->options ? proto->options->pb_c_file : NULL;
    *file = (struct model_file){
        .proto = proto,
        .name = proto->name,
        .stem = names_stem(model->pool, proto->name),
        .ident = names_path(model->pool, proto->name),
        .package = proto->package ? proto->package : "",
        .c_package = options ? options->c_package : NULL,
        .export = "",
        .has_header = !options || !options->no_generate,
    };
    size_t type_count = model->type_count;
    if (!sort_locations(model->pool, file) || !build_imports(model, file) ||
        !add_enums(model, file, file->package, proto->n_enum_type, proto->enum_type) ||
        !add_messages(model, file, file->package, proto->n_message_type, proto->message_type))
        return false;
    file->type_count = model->type_count - type_count;
    return true;
}

/* Names come from protoc as identifiers; only a c_package, or a name made of '_' and digits, can
 * make something else of them. */
static void check_identifiers(struct model *model, const struct model_file *file)
{
    const int path[] = {FILE_OPTIONS, OPTIONS_PROTOBUF_C, PROTOBUF_C_PACKAGE};
    if (file->c_package && *file->c_package &&
        !names_is_identifier(names_type(model->pool, file->c_package))) {
        model_error(model, model_place(file, path, 3), "c_package \"%s\" is not a name in C",
                    file->c_package);
        return;
    }
    for (size_t i = 0; i < file->service_count; i++)
        if (!names_is_identifier(file->services[i].c_name))
            model_error(model, file->services[i].place, "service %s: \"%s\" is not a name in C",
                        file->services[i].full_name, file->services[i].c_name);
}

const char *model_build(struct model *model, struct pool *pool,
                        const Pb__CodeGeneratorRequest *request)
{
    size_t type_count = 0;
    for (size_t i = 0; i < request->n_proto_file; i++)
        type_count += request->proto_file[i]->n_enum_type +
                      count_types(request->proto_file[i]->n_message_type,
                                  request->proto_file[i]->message_type);
    *model = (struct model){
        .pool = pool,
        .files = pool_array(pool, request->n_proto_file, sizeof(*model->files)),
        .types = pool_array(pool, type_count, sizeof(*model->types)),
        .errors = {.pool = pool},
    };
    if (!model->files || !model->types)
        return model_no_memory;

    for (size_t i = 0; i < request->n_proto_file; i++, model->file_count++)
        if (!build_file(model, request->proto_file[i], &model->files[i]))
            return pool->failed ? model_no_memory : model_nonsense;
    if (!sort_types(model))
        return pool->failed ? model_no_memory : model_nonsense;
    for (size_t i = 0; i < model->file_count; i++)
        if (!build_services(model, &model->files[i]))
            return pool->failed ? model_no_memory : model_nonsense;

    for (size_t i = 0; i < request->n_file_to_generate; i++) {
        struct model_file *file = find_file(model, model->file_count, request->file_to_generate[i]);
        if (!file)
            return model_nonsense;
        file->is_generated = file->has_header;
        check_identifiers(model, file);
    }
    return pool->failed ? model_no_memory : NULL;
}
