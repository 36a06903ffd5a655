#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "message_default.h"
#include "message_name.h"
#include "names.h"
#include "type_features.h"

/* Field numbers of descriptor.proto, as source code info uses them. */
enum {
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SYNTAX = 12,
    MESSAGE_FIELD = 2,
    MESSAGE_MESSAGE = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_ONEOF = 8,
    ENUM_VALUE = 2
};

/* A plugin's request nests at most 64 messages. */
enum { MAX_PATH = 2 * 64 + 8 };

struct builder {
    struct model *model;
    struct message_file *out;
    int edition;
    int path[MAX_PATH]; /* where we are */
    size_t path_len;
};

/* What a message hands down to those nested in it. */
struct inherited {
    struct features features;
    bool has_pack;
    bool is_pack_deep; /* |has_pack| holds for nested messages, too */
    bool has_init;
};

static bool enter(struct builder *builder, int field, size_t index)
{
    if (builder->path_len + 2 > MAX_PATH)
        return false;
    builder->path[builder->path_len++] = field;
    builder->path[builder->path_len++] = (int)index;
    return true;
}

static void leave(struct builder *builder)
{
    builder->path_len -= 2;
}

static const char *comment(const struct builder *builder)
{
    return model_comment(builder->out->file, builder->path, builder->path_len);
}

static struct model_place place(const struct builder *builder)
{
    return model_place(builder->out->file, builder->path, builder->path_len);
}

static const struct model_type *own_type(const struct builder *builder, const char *scope,
                                         const char *name)
{
    struct pool *pool = builder->model->pool;
    return model_find_type(builder->model, pool_printf(pool, ".%s", names_join(pool, scope, name)));
}

/* --- enums ------------------------------------------------------------------------------------ */

static bool build_enum(struct builder *builder, const char *scope,
                       const Pb__EnumDescriptorProto *proto)
{
    struct pool *pool = builder->model->pool;
    struct message_enum *built = &builder->out->enums[builder->out->enum_count++];
    *built = (struct message_enum){
        .type = own_type(builder, scope, proto->name),
        .values = pool_array(pool, proto->n_value, sizeof(*built->values)),
        .value_count = proto->n_value,
        .is_deprecated = proto->options && proto->options->deprecated,
        .comment = comment(builder),
        .place = place(builder),
    };
    if (!built->type || !built->values)
        return false;
    for (size_t i = 0; i < proto->n_value; i++) {
        if (!enter(builder, ENUM_VALUE, i))
            return false;
        const char *name = proto->value[i]->name;
        built->values[i] = (struct message_value){
            .name = name,
            .enumerator = pool_printf(pool, "%s__%s", built->type->upper, name),
            .number = proto->value[i]->number,
            .comment = comment(builder),
            .place = place(builder),
        };
        leave(builder);
    }
    return true;
}

/* --- fields ----------------------------------------------------------------------------------- */

static const struct message_kind kinds[] = {
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_DOUBLE] = {"DOUBLE", "double ", 8, .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FLOAT] = {"FLOAT", "float ", 4, .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT64] = {"INT64", "int64_t ", 7, .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_UINT64] = {"UINT64", "uint64_t ", 7,
                                                       .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT32] = {"INT32", "int32_t ", 3, .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FIXED64] = {"FIXED64", "uint64_t ", 7,
                                                        .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FIXED32] = {"FIXED32", "uint32_t ", 3,
                                                        .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BOOL] = {"BOOL", "protobuf_c_boolean ", 1,
                                                     .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING] = {"STRING", NULL, 6, .is_string = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP] = {"MESSAGE", NULL, 5, .is_packable = false},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE] = {"MESSAGE", NULL, 5, .is_packable = false},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES] = {"BYTES", "ProtobufCBinaryData ", 9,
                                                      .is_bytes = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_UINT32] = {"UINT32", "uint32_t ", 3,
                                                       .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_ENUM] = {"ENUM", NULL, 2, .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_SFIXED32] = {"SFIXED32", "int32_t ", 3,
                                                         .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_SFIXED64] = {"SFIXED64", "int64_t ", 7,
                                                         .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_SINT32] = {"SINT32", "int32_t ", 3,
                                                       .is_packable = true},
    [PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_SINT64] = {"SINT64", "int64_t ", 7,
                                                       .is_packable = true},
};

static const struct message_kind *kind_of(const Pb__FieldDescriptorProto *proto)
{
    unsigned type = (unsigned)proto->type;
    if (!proto->has_type || type >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[type].type_name)
        return NULL;
    if (type == PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING && proto->options &&
        proto->options->pb_c_field && proto->options->pb_c_field->string_as_bytes)
        return &kinds[PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES];
    return &kinds[type];
}

/* Enums and messages name a type of their kind, and nothing else does. */
static bool find_type(const struct builder *builder, const Pb__FieldDescriptorProto *proto,
                      struct message_field *field)
{
    bool is_enum = proto->type == PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_ENUM;
    bool is_message = proto->type == PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE ||
                      proto->type == PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP;
    if (!is_enum && !is_message)
        return true;
    field->type = model_find_type(builder->model, proto->type_name);
    return field->type && (is_enum ? field->type->enum_set != NULL : field->type->message != NULL);
}

static bool is_map_entry(const Pb__DescriptorProto *message)
{
    return message->options && message->options->map_entry;
}

static void set_c_types(const struct builder *builder, struct message_field *field)
{
    struct pool *pool = builder->model->pool;
    const char *own = field->type ? field->type->c_name : NULL;
    if (field->kind->c_type)
        field->c_type = field->kind->c_type;
    else if (!own)
        field->c_type = builder->out->has_const_strings ? "const char *" : "char *";
    else
        field->c_type = pool_printf(pool, field->type->message ? "%s *" : "%s ", own);
    field->element =
        field->label == MESSAGE_REPEATED ? pool_printf(pool, "%s*", field->c_type) : field->c_type;
}

static enum message_label label_of(const Pb__FieldDescriptorProto *proto,
                                   const struct features *features)
{
    if (proto->label == PB__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED)
        return MESSAGE_REPEATED;
    if (features->is_required)
        return MESSAGE_REQUIRED;
    return features->is_implicit ? MESSAGE_NONE : MESSAGE_OPTIONAL;
}

static struct message_oneof *oneof_of(struct message *message,
                                      const Pb__FieldDescriptorProto *proto)
{
    if (!proto->has_oneof_index || proto->proto3_optional || proto->oneof_index < 0 ||
        (size_t)proto->oneof_index >= message->oneof_count)
        return NULL;
    return &message->oneofs[proto->oneof_index];
}

static bool build_field(struct builder *builder, struct message *message,
                        const struct inherited *own, const Pb__FieldDescriptorProto *proto,
                        struct message_field *field)
{
    struct message_oneof *oneof = oneof_of(message, proto);
    struct features features = own->features;
    if (oneof) {
        const Pb__OneofOptions *options =
            message->type->message->oneof_decl[proto->oneof_index]->options;
        features = features_within(features, options ? options->features : NULL);
    }
    features = features_of_field(features, proto, builder->edition);
    *field = (struct message_field){
        .name = proto->name,
        .table_name = proto->name,
        .kind = kind_of(proto),
        .oneof = oneof,
        .label = label_of(proto, &features),
        .number = proto->number,
        .is_implicit = features.is_implicit,
        .is_deprecated = proto->options && proto->options->deprecated,
        .comment = comment(builder),
        .place = place(builder),
    };
    if (!field->name || !field->kind || !find_type(builder, proto, field))
        return false;
    field->is_packed =
        features.is_packed && field->kind->is_packable && field->label == MESSAGE_REPEATED;
    field->is_delimited = type_features_is_group(builder->model, message->type, proto, features);
    field->is_unchecked = features.is_unchecked && field->kind->is_string;
    if (builder->edition > PB__EDITION__EDITION_PROTO3 && field->type && field->type->is_closed) {
        field->is_closed_value = is_map_entry(message->type->message);
        field->is_closed = !field->is_closed_value;
    }
    set_c_types(builder, field);
    return true;
}

/* --- oneofs ----------------------------------------------------------------------------------- */

static int compare_sizes(const void *a, const void *b)
{
    const struct message_field *left = *(const struct message_field *const *)a;
    const struct message_field *right = *(const struct message_field *const *)b;
    int order = right->kind->union_order - left->kind->union_order;
    return order != 0 ? order : strcmp(left->name, right->name);
}

/* proto3's optional makes an empty one for each such field. */
static bool build_oneofs(struct pool *pool, struct message *message)
{
    for (size_t i = 0; i < message->field_count; i++)
        if (message->fields[i].oneof)
            message->oneofs[message->fields[i].oneof - message->oneofs].field_count++;
    for (size_t i = 0; i < message->oneof_count; i++) {
        struct message_oneof *oneof = &message->oneofs[i];
        oneof->fields = pool_array(pool, oneof->field_count, sizeof(*oneof->fields));
        oneof->by_size = pool_array(pool, oneof->field_count, sizeof(*oneof->by_size));
        if (!oneof->fields || !oneof->by_size)
            return false;
        oneof->field_count = 0;
    }
    for (size_t i = 0; i < message->field_count; i++) {
        struct message_field *field = &message->fields[i];
        if (!field->oneof)
            continue;
        struct message_oneof *oneof = &message->oneofs[field->oneof - message->oneofs];
        oneof->by_size[oneof->field_count] = field;
        oneof->fields[oneof->field_count++] = field;
    }
    for (size_t i = 0; i < message->oneof_count; i++)
        qsort(message->oneofs[i].by_size, message->oneofs[i].field_count,
              sizeof(*message->oneofs[i].by_size), compare_sizes);
    return true;
}

/* --- messages --------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    const struct message_field *left = *(const struct message_field *const *)a;
    const struct message_field *right = *(const struct message_field *const *)b;
    return (left->number > right->number) - (left->number < right->number);
}

static bool sort_fields(struct pool *pool, struct message *message)
{
    message->by_number = pool_array(pool, message->field_count, sizeof(*message->by_number));
    if (!message->by_number)
        return false;
    for (size_t i = 0; i < message->field_count; i++)
        message->by_number[i] = &message->fields[i];
    qsort(message->by_number, message->field_count, sizeof(*message->by_number), compare_numbers);
    for (size_t i = 0; i < message->field_count; i++)
        message->by_number[i]->index = i;
    return true;
}

static bool build_fields(struct builder *builder, struct message *message,
                         const struct inherited *own)
{
    const Pb__DescriptorProto *proto = message->type->message;
    struct pool *pool = builder->model->pool;
    for (size_t i = 0; i < proto->n_oneof_decl; i++) {
        if (!proto->oneof_decl[i]->name || !enter(builder, MESSAGE_ONEOF, i))
            return false;
        message->oneofs[i].name = proto->oneof_decl[i]->name;
        message->oneofs[i].place = place(builder);
        leave(builder);
    }
    for (size_t i = 0; i < proto->n_field; i++) {
        if (!enter(builder, MESSAGE_FIELD, i) ||
            !build_field(builder, message, own, proto->field[i], &message->fields[i]))
            return false;
        leave(builder);
    }
    if (!build_oneofs(pool, message) || !message_name(pool, message))
        return false;
    const Pb__FileOptions *options = builder->out->file->proto->options;
    bool use_oneof_name = options && options->pb_c_file && options->pb_c_file->use_oneof_field_name;
    for (size_t i = 0; i < proto->n_field; i++) {
        struct message_field *field = &message->fields[i];
        if (use_oneof_name && field->oneof)
            field->table_name = field->oneof->name;
        message_set_default(builder->model, message->type->lower, builder->out->has_const_strings,
                            proto->field[i], field);
        if (strpbrk(field->initial, "IN") &&
            (strstr(field->initial, "INFINITY") || strstr(field->initial, "NAN")))
            builder->out->has_infinity = true;
    }
    return sort_fields(pool, message);
}

static bool build_message(struct builder *builder, const char *scope, struct inherited inherited,
                          const Pb__DescriptorProto *proto)
{
    struct pool *pool = builder->model->pool;
    const Pb__MessageOptions *options = proto->options;
    const Pb__ProtobufCMessageOptions *c_options = options ? options->pb_c_msg : NULL;
    struct message *message = &builder->out->messages[builder->out->message_count++];

    inherited.features = features_within(inherited.features, options ? options->features : NULL);
    if (c_options && c_options->has_gen_pack_helpers)
        inherited.has_pack = c_options->gen_pack_helpers;
    if (c_options && c_options->has_gen_init_helpers)
        inherited.has_init = c_options->gen_init_helpers;
    *message = (struct message){
        .type = own_type(builder, scope, proto->name),
        .base = c_options && c_options->base_field_name ? c_options->base_field_name : "base",
        .fields = pool_array(pool, proto->n_field, sizeof(*message->fields)),
        .field_count = proto->n_field,
        .oneofs = pool_array(pool, proto->n_oneof_decl, sizeof(*message->oneofs)),
        .oneof_count = proto->n_oneof_decl,
        .has_pack = inherited.has_pack,
        .has_init = inherited.has_init,
        .is_deprecated = options && options->deprecated,
        .comment = comment(builder),
        .place = place(builder),
    };
    if (!message->type || !message->fields || !message->oneofs ||
        !build_fields(builder, message, &inherited))
        return false;
    message->lacks_pack = message->has_pack && message->type->has_groups;
    message->has_pack &= !message->lacks_pack;

    if (!inherited.is_pack_deep)
        inherited.has_pack = c_options && c_options->gen_pack_helpers;
    inherited.is_pack_deep = true;
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        if (!enter(builder, MESSAGE_ENUM, i) ||
            !build_enum(builder, message->type->full_name, proto->enum_type[i]))
            return false;
        leave(builder);
    }
    for (size_t i = 0; i < proto->n_nested_type; i++) {
        if (!enter(builder, MESSAGE_MESSAGE, i) ||
            !build_message(builder, message->type->full_name, inherited, proto->nested_type[i]))
            return false;
        leave(builder);
    }
    return true;
}

/* --- files ------------------------------------------------------------------------------------ */

static bool build_all(struct builder *builder)
{
    const struct model_file *file = builder->out->file;
    const Pb__FileDescriptorProto *proto = file->proto;
    const Pb__ProtobufCFileOptions *options = proto->options ? proto->options->pb_c_file : NULL;
    const struct inherited inherited = {
        .features = features_of_file(proto),
        .has_pack = !options || options->gen_pack_helpers,
        .is_pack_deep = options && options->has_gen_pack_helpers,
        .has_init = !options || options->gen_init_helpers,
    };
    builder->out->has_const_strings = options && options->const_strings;
    builder->out->is_nameless =
        proto->options && proto->options->has_optimize_for &&
        proto->options->optimize_for == PB__FILE_OPTIONS__OPTIMIZE_MODE__CODE_SIZE;
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        if (!enter(builder, FILE_ENUM, i) ||
            !build_enum(builder, file->package, proto->enum_type[i]))
            return false;
        leave(builder);
    }
    for (size_t i = 0; i < proto->n_message_type; i++) {
        if (!enter(builder, FILE_MESSAGE, i) ||
            !build_message(builder, file->package, inherited, proto->message_type[i]))
            return false;
        leave(builder);
    }
    return true;
}

const struct message_file *message_build(struct model *model, const struct model_file *file)
{
    struct message_file *out = pool_array(model->pool, 1, sizeof(*out));
    if (!out)
        return NULL;
    /* more than there are of each, as |model| counts both together */
    *out = (struct message_file){
        .file = file,
        .messages = pool_array(model->pool, file->type_count, sizeof(*out->messages)),
        .enums = pool_array(model->pool, file->type_count, sizeof(*out->enums)),
    };
    struct builder builder = {.model = model, .out = out, .edition = features_edition(file->proto)};
    if (!out->messages || !out->enums)
        return NULL;
    if (builder.edition > FEATURES_LAST_EDITION) {
        const int path[] = {FILE_SYNTAX};
        model_error(model, model_place(file, path, 1),
                    "what edition %d means for messages is not known yet", builder.edition);
        return out;
    }
    return build_all(&builder) ? out : NULL;
}
