#include "type_features.h"

#include "names.h"

static struct model_type *find(struct model *model, const char *scope, const char *name)
{
    const char *full_name = names_join(model->pool, scope, name);
    const struct model_type *type =
        model_find_type(model, pool_printf(model->pool, ".%s", full_name));
    return type ? &model->types[type - model->types] : NULL;
}

static bool is_map_entry(const struct model_type *type)
{
    return type->message->options && type->message->options->map_entry;
}

/* Maps are what they were: neither their entries nor the messages in these are groups. */
bool type_features_is_group(const struct model *model, const struct model_type *message,
                            const Pb__FieldDescriptorProto *field, struct features features)
{
    if (field->type != PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE &&
        field->type != PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP)
        return false;
    const struct model_type *type = model_find_type(model, field->type_name);
    return features.is_delimited && type && type->message && !is_map_entry(type) &&
           !is_map_entry(message);
}

/* --- what stands in the files ------------------------------------------------------------------
 */

static bool resolve_enums(struct model *model, const char *scope, struct features features,
                          size_t count, Pb__EnumDescriptorProto *const *enums)
{
    for (size_t i = 0; i < count; i++) {
        const Pb__EnumOptions *options = enums[i]->options;
        struct model_type *type = find(model, scope, enums[i]->name);
        if (!type)
            return false;
        type->is_closed = features_within(features, options ? options->features : NULL).is_closed;
    }
    return true;
}

/* The nesting was limited before the request was decoded. */
static bool resolve_messages(struct model *model, int edition, const char *scope,
                             struct features outer, size_t count,
                             Pb__DescriptorProto *const *messages)
{
    for (size_t i = 0; i < count; i++) {
        const Pb__DescriptorProto *message = messages[i];
        const Pb__MessageOptions *options = message->options;
        struct features features = features_within(outer, options ? options->features : NULL);
        struct model_type *type = find(model, scope, message->name);
        if (!type)
            return false;
        for (size_t j = 0; j < message->n_field; j++)
            if (type_features_is_group(model, type, message->field[j],
                                       features_of_field(features, message->field[j], edition)))
                type->has_groups = true;
        if (!resolve_enums(model, type->full_name, features, message->n_enum_type,
                           message->enum_type) ||
            !resolve_messages(model, edition, type->full_name, features, message->n_nested_type,
                              message->nested_type))
            return false;
    }
    return true;
}

/* --- what messages hold ------------------------------------------------------------------------
 */

static bool holds_groups(const struct model *model, const struct model_type *type)
{
    for (size_t i = 0; i < type->message->n_field; i++) {
        const struct model_type *inner = model_find_type(model, type->message->field[i]->type_name);
        if (inner && inner->has_groups)
            return true;
    }
    return false;
}

/* Until nothing is added: messages may hold one another. */
static void spread_groups(struct model *model)
{
    bool is_spreading = false;
    for (size_t i = 0; i < model->type_count; i++)
        is_spreading |= model->types[i].has_groups;
    while (is_spreading) {
        is_spreading = false;
        for (size_t i = 0; i < model->type_count; i++) {
            struct model_type *type = &model->types[i];
            if (type->message && !type->has_groups && holds_groups(model, type))
                is_spreading = type->has_groups = true;
        }
    }
}

bool type_features_resolve(struct model *model)
{
    for (size_t i = 0; i < model->file_count; i++) {
        const struct model_file *file = &model->files[i];
        const struct features features = features_of_file(file->proto);
        if (!resolve_enums(model, file->package, features, file->proto->n_enum_type,
                           file->proto->enum_type) ||
            !resolve_messages(model, features_edition(file->proto), file->package, features,
                              file->proto->n_message_type, file->proto->message_type))
            return false;
    }
    spread_groups(model);
    return true;
}
