#include "codec/protobuf_decode.h"

#include <stdio.h>

#include "codec/protobuf_array.h"
#include "codec/protobuf_field.h"
#include "codec/protobuf_wire.h"

/* --- how messages begin ------------------------------------------------------------------------
 */

void pgrpc__decode_init(const ProtobufCMessageDescriptor *type, char *message)
{
    memset(message, 0, type->sizeof_message);
    ((ProtobufCMessage *)(void *)message)->descriptor = type;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        /* The members of a oneof share their place, and none is set. */
        if (!field->default_value || field->label == PROTOBUF_C_LABEL_REPEATED ||
            field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            continue;
        char *member = message + field->offset;
        if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
            memcpy(member, &field->default_value, sizeof(field->default_value));
        else
            memcpy(member, field->default_value, field_layout(field->type).size);
    }
}

/* --- required fields ---------------------------------------------------------------------------
 */

unsigned pgrpc__decode_due(const ProtobufCMessageDescriptor *type)
{
    unsigned due = 0;
    if (type->n_fields == 2 && type->fields[1].flags & PGRPC_FIELD_CLOSED_VALUE)
        due = DECODE_DUE_NAMED;
    /* Without fields there is no array to point into. */
    for (unsigned i = 0; i < type->n_fields; i++)
        if (UNLIKELY(decode_is_required(&type->fields[i])))
            due |= DECODE_DUE_REQUIRED;
    return due;
}

static const ProtobufCFieldDescriptor *first_missing(const ProtobufCMessageDescriptor *type,
                                                     char *message)
{
    for (unsigned i = 0; i < type->n_fields; i++)
        if (decode_is_required(&type->fields[i]) && !(*decode_seen(message, i) >> (i % 64) & 1))
            return &type->fields[i];
    return NULL;
}

bool pgrpc__decode_has_required(const ProtobufCMessageDescriptor *type, char *message)
{
    return !first_missing(type, message);
}

/* Recursion ends at PROTOBUF_DEPTH_MAX: the message was read. */
bool pgrpc__decode_find_missing(struct decoder *decoder, const ProtobufCMessageDescriptor *type,
                                char *message, unsigned depth)
{
    struct decode_level *level = &decoder->levels[depth];
    level->message = message;
    level->type = type;
    level->field = first_missing(type, message);
    decoder->depth = depth;
    if (level->field)
        return true;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        level->field = field;
        struct field_values values = field_values(field, message);
        for (size_t j = 0; j < values.count; j++) {
            char *inner;
            memcpy(&inner, values.first + j * sizeof(inner), sizeof(inner));
            if (inner && pgrpc__decode_find_missing(decoder, field->descriptor, inner, depth + 1))
                return true;
        }
    }
    return false;
}

/* --- entries of maps ---------------------------------------------------------------------------
 */

/* "tree_of_names" is a map when its type is called "TreeOfNamesEntry": what protoc makes of a map,
 * and the way to write one by hand. */
static bool is_entry_name(const char *field_name, const char *type_name)
{
    bool is_capital = true;
    for (; *field_name; field_name++) {
        if (*field_name == '_') {
            is_capital = true;
            continue;
        }
        char expected = *field_name;
        if (is_capital && expected >= 'a' && expected <= 'z')
            expected = (char)(expected - 'a' + 'A');
        if (*type_name++ != expected)
            return false;
        is_capital = false;
    }
    return strcmp(type_name, "Entry") == 0;
}

/* Descriptors do not say which types are entries.  Those without names have their shape alone. */
static bool is_entry(const ProtobufCMessageDescriptor *parent,
                     const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    const ProtobufCFieldDescriptor *key = &type->fields[0];
    if (field->label != PROTOBUF_C_LABEL_REPEATED || key->id != 1 || type->fields[1].id != 2 ||
        field_is_delimited(field) || key->label == PROTOBUF_C_LABEL_REPEATED ||
        type->fields[1].label == PROTOBUF_C_LABEL_REPEATED ||
        (key->flags | type->fields[1].flags) & PROTOBUF_C_FIELD_FLAG_ONEOF ||
        key->type == PROTOBUF_C_TYPE_MESSAGE || key->type == PROTOBUF_C_TYPE_BYTES)
        return false;
    if (!field->name || !type->name || !parent->name)
        return true;
    size_t parent_len = strlen(parent->name);
    return strncmp(type->name, parent->name, parent_len) == 0 && type->name[parent_len] == '.' &&
           is_entry_name(field->name, type->name + parent_len + 1);
}

bool pgrpc__decode_complete_entry(struct decoder *decoder, const ProtobufCMessageDescriptor *parent,
                                  const ProtobufCFieldDescriptor *field, char *entry, bool may_nest)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    for (unsigned i = 0; i < 2; i++) {
        const ProtobufCFieldDescriptor *part = &type->fields[i];
        char *member = entry + part->offset;
        bool is_message = part->type == PROTOBUF_C_TYPE_MESSAGE;
        if ((!is_message && part->type != PROTOBUF_C_TYPE_STRING) || field_pointer(member))
            continue;
        if (!is_entry(parent, field))
            return true;
        if (is_message && !may_nest) {
            decoder->problem = pgrpc__wire_too_deep;
            return false;
        }
        const void *value = is_message ? pgrpc__decode_new_message(decoder, part->descriptor)
                                       : arena_take8(decoder->arena, 8);
        if (!value)
            return false;
        if (is_message)
            decoder->lacks_required |= pgrpc__decode_due(part->descriptor) & DECODE_DUE_REQUIRED;
        else
            *(char *)(uintptr_t)value = '\0';
        memcpy(member, &value, sizeof(value));
    }
    return true;
}

/* Whether the enum has no name for the value in an entry of a map. */
static bool has_nameless_value(const struct decode_level *level)
{
    const ProtobufCFieldDescriptor *value = &level->type->fields[1];
    return value->type == PROTOBUF_C_TYPE_ENUM && value->label != PROTOBUF_C_LABEL_REPEATED &&
           pgrpc__decode_is_nameless(value->descriptor,
                                     (int32_t)field_uint32(level->message + value->offset));
}

/* An entry that is unknown is written anew, as C++ does it: the last key, the last value, and
 * nothing else. */
static bool leave_entry(struct decoder *decoder, const struct decode_level *parent, char *entry)
{
    static const uint32_t is_there = 1;
    const ProtobufCFieldDescriptor *field = parent->field;
    const ProtobufCMessageDescriptor *type = field->descriptor;
    const char *problem;
    size_t len;
    if (!pgrpc__decode_complete_entry(decoder, parent->type, field, entry, true))
        return false;
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].quantifier_offset)
            memcpy(entry + type->fields[i].quantifier_offset, &is_there, sizeof(is_there));
    ((ProtobufCMessage *)(void *)entry)->n_unknown_fields = 0;
    if (pgrpc__protobuf_measure(type, entry, &len, &problem) != PGRPC_OK)
        return decode_fail(decoder, problem);
    uint8_t *data = (uint8_t *)arena_take8(decoder->arena, decode_round_up(VARINT_BYTES_MAX + len));
    if (!data)
        return decode_fail(decoder, NULL);
    uint8_t *at = data;
    size_t rest = len;
    for (; rest >= 0x80; rest >>= 7)
        *at++ = (uint8_t)(rest | 0x80);
    *at++ = (uint8_t)rest;
    pgrpc__protobuf_encode(type, entry, at, len);
    --*(size_t *)(void *)(parent->message + field->quantifier_offset);
    return pgrpc__decode_unknown(decoder, parent->message, field->id,
                                 PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, data, at + len);
}

/* --- how messages end --------------------------------------------------------------------------
 */

bool pgrpc__decode_settle(struct decoder *decoder, struct decode_level *level)
{
    if (level->due & DECODE_DUE_END_TAG)
        return decode_fail(decoder, pgrpc__wire_endless_group);
    if (level->due & DECODE_DUE_REQUIRED && first_missing(level->type, level->message))
        decoder->lacks_required = true;
    if (!(level->due & DECODE_DUE_NAMED) || level == decoder->levels ||
        level[-1].field->label != PROTOBUF_C_LABEL_REPEATED || !has_nameless_value(level))
        return true;
    return leave_entry(decoder, level - 1, level->message);
}

/* --- errors ------------------------------------------------------------------------------------
 */

/* Which element of a repeated field the next level is: the last but for required fields, which are
 * looked for when all is read. */
static size_t index_of_inner(const struct decode_level *level)
{
    const char *elements = field_pointer(field_at(level->message, level->field->offset));
    size_t index = *(const size_t *)field_at(level->message, level->field->quantifier_offset);
    do
        index--;
    while (index > 0 && field_pointer(elements + index * sizeof(void *)) != level[1].message);
    return index;
}

const char *pgrpc__decode_describe(const struct decoder *decoder)
{
    enum { PATH_MAX_LEN = 200 };
    char path[PATH_MAX_LEN];
    size_t len = 0;
    for (unsigned i = 0; i <= decoder->depth && len < sizeof(path); i++) {
        const struct decode_level *level = &decoder->levels[i];
        const ProtobufCFieldDescriptor *field = level->field;
        if (!field)
            break;
        const char *dot = i > 0 ? "." : "";
        size_t room = sizeof(path) - len;
        int added = field->name ? snprintf(path + len, room, "%s%s", dot, field->name)
                                : snprintf(path + len, room, "%s%u", dot, (unsigned)field->id);
        len += added > 0 ? (size_t)added : 0;
        if (field->label == PROTOBUF_C_LABEL_REPEATED && i < decoder->depth && len < sizeof(path)) {
            added = snprintf(path + len, sizeof(path) - len, "[%zu]", index_of_inner(level));
            len += added > 0 ? (size_t)added : 0;
        }
    }
    const ProtobufCMessageDescriptor *type = decoder->levels[0].type;
    const char *name = type->name ? type->name : "message";
    const char *text = NULL;
    bool over_budget = decoder->arena->over_budget, out_of_memory = decoder->arena->out_of_memory;
    if (len > 0)
        text = pgrpc__arena_printf(decoder->arena, "%s (%s: %.*s%s)", decoder->problem, name,
                                   PATH_MAX_LEN - 1, path, len < sizeof(path) ? "" : "...");
    /* That there is no room for the text is not what was wrong. */
    decoder->arena->over_budget = over_budget;
    decoder->arena->out_of_memory = out_of_memory;
    return text ? text : decoder->problem;
}
