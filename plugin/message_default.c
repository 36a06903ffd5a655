#include "message_default.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

/* --- numbers ---------------------------------------------------------------------------------- */

static const char *floating(struct pool *pool, const char *text, bool is_float)
{
    bool is_negative = text[0] == '-';
    const char *digits = text + is_negative;
    if (strcmp(digits, "inf") == 0)
        return is_negative ? "-INFINITY" : "INFINITY";
    if (strcmp(digits, "nan") == 0)
        return "NAN";
    return pool_printf(pool, "%s%s%s", text, strpbrk(text, ".eE") ? "" : ".0", is_float ? "f" : "");
}

/* The least number of a type cannot be written as one: -2147483648 is minus something too large. */
static const char *signed_number(struct pool *pool, const char *text, const char *suffix)
{
    if (strcmp(text, "-2147483648") == 0 && !*suffix)
        return "INT32_MIN";
    if (strcmp(text, "-9223372036854775808") == 0)
        return "INT64_MIN";
    return pool_printf(pool, "%s%s", text, suffix);
}

static const char *number(struct pool *pool, Pb__FieldDescriptorProto__Type type, const char *text)
{
    switch (type) {
    case PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_DOUBLE:
        return floating(pool, text, false);
    case PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FLOAT:
        return floating(pool, text, true);
    case PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BOOL:
        return strcmp(text, "true") == 0 ? "1" : "0";
    case PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_UINT32:
    case PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FIXED32:
        return pool_printf(pool, "%su", text);
    case PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_UINT64:
    case PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FIXED64:
        return pool_printf(pool, "%sull", text);
    case PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT64:
    case PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_SINT64:
    case PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_SFIXED64:
        return signed_number(pool, text, "ll");
    default:
        return signed_number(pool, text, "");
    }
}

/* --- bytes ------------------------------------------------------------------------------------ */

static unsigned digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

/* One to three octal, or behind an x any number of hexadecimal digits. */
static char unescape_number(const char **text)
{
    bool is_hex = **text == 'x' || **text == 'X';
    unsigned base = is_hex ? 16 : 8;
    unsigned value = 0;
    *text += is_hex;
    for (int i = 0; digit(**text) < base && (is_hex || i < 3); i++)
        value = (value * base + digit(*(*text)++)) & 0xff;
    return (char)value;
}

/* Descriptors hold the default of bytes as C would write it. */
static const char *unescape(struct pool *pool, const char *text, size_t *len)
{
    static const char letters[] = "abfnrtv";
    static const char meanings[] = "\a\b\f\n\r\t\v";
    struct text bytes = {.pool = pool};
    while (*text) {
        char c = *text++;
        if (c == '\\' && *text) {
            const char *letter = strchr(letters, *text);
            if (digit(*text) < 8 || *text == 'x' || *text == 'X') {
                c = unescape_number(&text);
            } else {
                c = letter ? meanings[letter - letters] : *text;
                text++;
            }
        }
        text_add(&bytes, &c, 1);
    }
    *len = bytes.len;
    return text_string(&bytes);
}

/* --- initial values --------------------------------------------------------------------------- */

/* The enumerator called |name|, or the first one. */
static const char *enumerator(struct pool *pool, const struct model_type *type, const char *name)
{
    return pool_printf(pool, "%s__%s", type->upper, name ? name : type->enum_set->value[0]->name);
}

static const char *initial_of_one(struct pool *pool, const struct message_field *field,
                                  bool has_const_strings)
{
    if (field->kind->is_string) {
        if (field->default_name)
            return field->default_name;
        if (field->is_implicit)
            return has_const_strings ? "(const char *)protobuf_c_empty_string"
                                     : "(char *)protobuf_c_empty_string";
        return "NULL";
    }
    if (field->kind->is_bytes) {
        if (field->default_name)
            return pool_printf(pool, "{%zu, %s_data}", field->default_len, field->default_name);
        return "{0, NULL}";
    }
    if (field->type)
        return field->type->message   ? "NULL"
               : field->default_value ? field->default_value
                                      : enumerator(pool, field->type, NULL);
    return field->default_value ? field->default_value : "0";
}

void message_set_default(struct model *model, const char *lower, bool has_const_strings,
                         const Pb__FieldDescriptorProto *proto, struct message_field *field)
{
    struct pool *pool = model->pool;
    if (proto->default_value && field->label != MESSAGE_REPEATED &&
        !(field->type && field->type->message)) {
        field->default_name =
            pool_printf(pool, "%s__%s__default_value", lower, names_lower(pool, field->name));
        field->default_len = strlen(proto->default_value);
        if (field->type)
            field->default_value = enumerator(pool, field->type, proto->default_value);
        else if (proto->type == PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES)
            field->default_value = unescape(pool, proto->default_value, &field->default_len);
        else if (proto->type == PB__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING)
            field->default_value = proto->default_value;
        else
            field->default_value = number(pool, proto->type, proto->default_value);
    }
    if (field->label == MESSAGE_REPEATED)
        field->initial = "0, NULL";
    else
        field->initial = pool_printf(pool, "%s%s", field->quantifier ? "0, " : "",
                                     initial_of_one(pool, field, has_const_strings));
}
