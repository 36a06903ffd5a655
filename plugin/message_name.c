#include "message_name.h"

#include <string.h>

#include "names.h"

/* The names that are in use so far. */
struct name_set {
    struct pool *pool;
    const char **names;
    size_t count;
};

static bool is_in(const struct name_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->names[i], name) == 0)
            return true;
    return false;
}

static bool start(struct name_set *set, struct pool *pool, size_t count)
{
    *set = (struct name_set){.pool = pool, .names = pool_array(pool, count, sizeof(*set->names))};
    return set->names != NULL;
}

static const char *add_name(struct name_set *set, const char *name)
{
    set->names[set->count++] = name;
    return name;
}

static const char *add_free_name(struct name_set *set, const char *name)
{
    while (!set->pool->failed && is_in(set, name))
        name = pool_printf(set->pool, "%s_", name);
    return add_name(set, name);
}

/* --- members ---------------------------------------------------------------------------------- */

static bool has_has(const struct message_field *field)
{
    return field->label == MESSAGE_OPTIONAL && !(field->type && field->type->message) &&
           !field->kind->is_string;
}

static void name_member(struct name_set *set, struct message_field *field)
{
    const char *prefix = field->label == MESSAGE_REPEATED  ? "n_"
                         : has_has(field) && !field->oneof ? "has_"
                                                           : NULL;
    const char *name = names_member(set->pool, field->name);
    const char *quantifier = NULL;
    for (;;) {
        if (prefix)
            quantifier = pool_printf(set->pool, "%s%s", prefix, name);
        if (set->pool->failed || (!is_in(set, name) && !(quantifier && is_in(set, quantifier))))
            break;
        name = pool_printf(set->pool, "%s_", name);
    }
    field->member = add_name(set, name);
    if (quantifier)
        field->quantifier = add_name(set, quantifier);
    if (field->oneof)
        field->quantifier = field->oneof->member;
    if (names_is_cxx_keyword(name))
        field->cxx_member = add_free_name(set, pool_printf(set->pool, "%s_", name));
}

static bool name_members(struct pool *pool, struct message *message)
{
    struct name_set set;
    if (!start(&set, pool, 1 + message->oneof_count + 3 * message->field_count))
        return false;
    add_name(&set, message->base);
    for (size_t i = 0; i < message->oneof_count; i++) {
        struct message_oneof *oneof = &message->oneofs[i];
        if (oneof->field_count > 0)
            oneof->member =
                add_free_name(&set, pool_printf(pool, "%s_case", names_lower(pool, oneof->name)));
    }
    for (size_t i = 0; i < message->field_count; i++)
        name_member(&set, &message->fields[i]);
    return true;
}

/* --- oneofs ----------------------------------------------------------------------------------- */

static void name_oneof(struct name_set *set, const struct message *message,
                       struct message_oneof *oneof)
{
    struct pool *pool = set->pool;
    oneof->upper =
        pool_printf(pool, "%s__%s", message->type->upper, names_upper(pool, oneof->name));
    oneof->c_type = add_free_name(
        set, pool_printf(pool, "%s__%sCase", message->type->c_name, names_type(pool, oneof->name)));
    oneof->not_set = add_free_name(set, pool_printf(pool, "%s__NOT_SET", oneof->upper));
    for (size_t i = 0; i < oneof->field_count; i++)
        oneof->enumerators[i] =
            add_free_name(set, pool_printf(pool, "%s_%s", oneof->upper,
                                           names_upper(pool, oneof->fields[i]->name)));
}

/* They give way to the types and enumerators within the message. */
static bool name_oneofs(struct pool *pool, struct message *message)
{
    const Pb__DescriptorProto *proto = message->type->message;
    size_t count = proto->n_nested_type + 2 * message->oneof_count + message->field_count;
    for (size_t i = 0; i < proto->n_enum_type; i++)
        count += 1 + proto->enum_type[i]->n_value;
    struct name_set set;
    if (!start(&set, pool, count))
        return false;
    for (size_t i = 0; i < proto->n_nested_type; i++)
        add_name(&set, pool_printf(pool, "%s__%s", message->type->c_name,
                                   names_type(pool, proto->nested_type[i]->name)));
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        const Pb__EnumDescriptorProto *set_proto = proto->enum_type[i];
        add_name(&set, pool_printf(pool, "%s__%s", message->type->c_name,
                                   names_type(pool, set_proto->name)));
        for (size_t j = 0; j < set_proto->n_value; j++)
            add_name(&set,
                     pool_printf(pool, "%s__%s__%s", message->type->upper,
                                 names_upper(pool, set_proto->name), set_proto->value[j]->name));
    }
    for (size_t i = 0; i < message->oneof_count; i++) {
        struct message_oneof *oneof = &message->oneofs[i];
        oneof->enumerators = pool_array(pool, oneof->field_count, sizeof(*oneof->enumerators));
        if (!oneof->enumerators)
            return false;
        if (oneof->field_count > 0)
            name_oneof(&set, message, oneof);
    }
    return true;
}

bool message_name(struct pool *pool, struct message *message)
{
    return name_members(pool, message) && name_oneofs(pool, message);
}
