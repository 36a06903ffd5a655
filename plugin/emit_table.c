#include "emit.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

/* --- names and numbers ------------------------------------------------------------------------ */

struct entry {
    const char *name;
    int number;
    size_t index; /* of the value or field it stands for */
    size_t place; /* among the values of different number */
};

static int compare_names(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

static int compare_numbers(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* The numbers of |entries|, which are in their order and all different, as runs without a gap.
 * Returns how many there are. */
static size_t add_ranges(struct text *out, const struct entry *entries, size_t count)
{
    size_t range_count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || (int64_t)entries[i].number != (int64_t)entries[i - 1].number + 1) {
            text_printf(out, "    {%d, %zu},\n", entries[i].number, i);
            range_count++;
        }
    text_printf(out, "    {0, %zu},\n", count);
    return range_count;
}

static void add_string(struct text *out, const char *string)
{
    emit_quoted(out, string, strlen(string));
}

/* The four names at the head of a descriptor. */
static void add_names(struct text *out, const struct message_file *file,
                      const struct model_type *type, const char *short_name)
{
    if (file->is_nameless) {
        text_add_string(out, "    NULL, NULL, NULL, NULL, /* optimize_for = CODE_SIZE */\n");
        return;
    }
    text_printf(out, "    \"%s\",\n    \"%s\",\n    \"%s\",\n    \"%s\",\n", type->full_name,
                short_name, type->c_name, file->file->package);
}

/* --- enums ------------------------------------------------------------------------------------ */

static void add_enum_names(struct text *out, const struct message_enum *set, struct entry *entries)
{
    qsort(entries, set->value_count, sizeof(*entries), compare_names);
    text_printf(out, "static const ProtobufCEnumValueIndex %s__enum_values_by_name[] = {\n",
                set->type->lower);
    for (size_t i = 0; i < set->value_count; i++)
        text_printf(out, "    {\"%s\", %zu},\n", entries[i].name, entries[i].place);
    text_add_string(out, "};\n\n");
}

static void add_enum(struct text *out, const struct message_file *file,
                     const struct message_enum *set)
{
    const char *lower = set->type->lower;
    struct entry *entries = pool_array(out->pool, set->value_count, sizeof(*entries));
    struct entry *unique = pool_array(out->pool, set->value_count, sizeof(*unique));
    size_t unique_count = 0;
    if (!entries || !unique)
        return;
    for (size_t i = 0; i < set->value_count; i++)
        entries[i] = (struct entry){
            .name = set->values[i].name, .number = set->values[i].number, .index = i};
    qsort(entries, set->value_count, sizeof(*entries), compare_numbers);
    for (size_t i = 0; i < set->value_count; i++) {
        if (i == 0 || entries[i].number != entries[i - 1].number)
            unique[unique_count++] = entries[i];
        entries[i].place = unique_count - 1;
    }

    text_printf(out, "static const ProtobufCEnumValue %s__enum_values_by_number[] = {\n", lower);
    for (size_t i = 0; i < unique_count; i++) {
        const struct message_value *value = &set->values[unique[i].index];
        const char *number =
            value->number == INT32_MIN ? "INT32_MIN" : pool_printf(out->pool, "%d", value->number);
        if (file->is_nameless)
            text_printf(out, "    {NULL, NULL, %s},\n", number);
        else
            text_printf(out, "    {\"%s\", \"%s\", %s},\n", value->name, value->enumerator, number);
    }
    text_printf(out, "};\n\nstatic const ProtobufCIntRange %s__value_ranges[] = {\n", lower);
    size_t range_count = add_ranges(out, unique, unique_count);
    text_add_string(out, "};\n\n");
    if (!file->is_nameless)
        add_enum_names(out, set, entries);
    text_printf(out,
                "const ProtobufCEnumDescriptor %s = {\n"
                "    PROTOBUF_C__ENUM_DESCRIPTOR_MAGIC,\n",
                set->type->descriptor);
    add_names(out, file, set->type, set->type->short_name);
    text_printf(out, "    %zu,\n    %s__enum_values_by_number,\n", unique_count, lower);
    if (file->is_nameless)
        text_add_string(out, "    0,\n    NULL,\n");
    else
        text_printf(out, "    %zu,\n    %s__enum_values_by_name,\n", set->value_count, lower);
    text_printf(out, "    %zu,\n    %s__value_ranges,\n", range_count, lower);
    text_add_string(out, "    NULL, NULL, NULL, NULL, /* reserved */\n};\n\n");
}

/* --- fields ----------------------------------------------------------------------------------- */

/* C need not take strings of more than 4095 characters. */
enum { MAX_STRING = 4000, BYTES_PER_LINE = 16 };

static void add_long_default(struct text *out, const struct message_field *field)
{
    text_add_string(out, "{");
    for (size_t i = 0; i <= field->default_len; i++) {
        unsigned char c = i < field->default_len ? (unsigned char)field->default_value[i] : 0;
        text_printf(out, "%s'\\x%02x',", i % BYTES_PER_LINE == 0 ? "\n    " : " ", (unsigned)c);
    }
    text_add_string(out, "\n}");
}

static void add_default_array(struct text *out, const struct message_field *field, const char *type,
                              const char *ending)
{
    text_printf(out, "%s %s%s[] = ", type, field->default_name, ending);
    if (field->default_len > MAX_STRING)
        add_long_default(out, field);
    else
        emit_quoted(out, field->default_value, field->default_len);
    text_add_string(out, ";\n");
}

static void add_defaults(struct text *out, const struct message *message)
{
    bool has_any = false;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct message_field *field = &message->fields[i];
        if (!field->default_name)
            continue;
        has_any = true;
        if (field->kind->is_string) {
            add_default_array(out, field, "char", "");
        } else if (field->kind->is_bytes) {
            add_default_array(out, field, "uint8_t", "_data");
            text_printf(out, "static const ProtobufCBinaryData %s = {%zu, %s_data};\n",
                        field->default_name, field->default_len, field->default_name);
        } else {
            text_printf(out, "static const %s%s = %s;\n", field->c_type, field->default_name,
                        field->default_value);
        }
    }
    if (has_any)
        text_add(out, "\n", 1);
}

static const char *offset_of(struct pool *pool, const struct message *message, const char *member)
{
    return pool_printf(pool, "offsetof(%s, %s)", message->type->c_name, member);
}

static const char *flags_of(struct pool *pool, const struct message_field *field)
{
    const char *flags = pool_printf(
        pool, "%s%s%s%s%s%s%s", field->is_packed ? " | PROTOBUF_C_FIELD_FLAG_PACKED" : "",
        field->is_deprecated ? " | PROTOBUF_C_FIELD_FLAG_DEPRECATED" : "",
        field->oneof ? " | PROTOBUF_C_FIELD_FLAG_ONEOF" : "",
        field->is_delimited ? " | PGRPC_FIELD_DELIMITED" : "",
        field->is_closed ? " | PGRPC_FIELD_CLOSED_ENUM" : "",
        field->is_closed_value ? " | PGRPC_FIELD_CLOSED_VALUE" : "",
        field->is_unchecked ? " | PGRPC_FIELD_NO_UTF8_CHECK" : "");
    return *flags ? flags + 3 : "0";
}

/* Without an init function the runtime copies defaults, and in a union that of a string would be
 * taken for another member's value. */
static const char *default_of(struct pool *pool, const struct message *message,
                              const struct message_field *field)
{
    if (field->default_name)
        return pool_printf(pool, "&%s", field->default_name);
    if (field->is_implicit && field->kind->is_string && (message->has_init || !field->oneof))
        return "&protobuf_c_empty_string";
    return "NULL";
}

static void add_field(struct text *out, const struct message_file *file,
                      const struct message *message, const struct message_field *field)
{
    static const char *const labels[] = {"NONE", "OPTIONAL", "REQUIRED", "REPEATED"};
    struct pool *pool = out->pool;
    text_add_string(out, "    {\n        ");
    if (file->is_nameless)
        text_add_string(out, "NULL");
    else
        add_string(out, field->table_name);
    text_printf(out, ",\n        %d,\n        PROTOBUF_C_LABEL_%s,\n        PROTOBUF_C_TYPE_%s,\n",
                field->number, labels[field->label], field->kind->type_name);
    text_printf(out, "        %s, /* quantifier */\n",
                field->quantifier ? offset_of(pool, message, field->quantifier) : "0");
    if (field->cxx_member)
        text_printf(out, "#ifdef __cplusplus\n        %s,\n#else\n",
                    offset_of(pool, message, field->cxx_member));
    text_printf(out, "        %s,\n", offset_of(pool, message, field->member));
    if (field->cxx_member)
        text_add_string(out, "#endif\n");
    text_printf(out, "        %s%s, %s, %s,\n", field->type ? "&" : "",
                field->type ? field->type->descriptor : "NULL", default_of(pool, message, field),
                flags_of(pool, field));
    text_add_string(out, "        0, NULL, NULL, /* reserved */\n    },\n");
}

/* --- messages --------------------------------------------------------------------------------- */

static size_t add_field_tables(struct text *out, const struct message_file *file,
                               const struct message *message)
{
    const char *lower = message->type->lower;
    struct entry *entries = pool_array(out->pool, message->field_count, sizeof(*entries));
    if (!entries)
        return 0;
    text_printf(out, "static const ProtobufCFieldDescriptor %s__field_descriptors[] = {\n", lower);
    for (size_t i = 0; i < message->field_count; i++) {
        const struct message_field *field = message->by_number[i];
        entries[i] = (struct entry){.name = field->table_name, .number = field->number, .index = i};
        add_field(out, file, message, field);
    }
    text_printf(out, "};\n\nstatic const ProtobufCIntRange %s__number_ranges[] = {\n", lower);
    size_t range_count = add_ranges(out, entries, message->field_count);
    text_add_string(out, "};\n\n");
    if (!file->is_nameless) {
        qsort(entries, message->field_count, sizeof(*entries), compare_names);
        text_printf(out, "static const unsigned %s__field_indices_by_name[] = {\n", lower);
        for (size_t i = 0; i < message->field_count; i++)
            text_printf(out, "    %zu, /* %s */\n", entries[i].index, entries[i].name);
        text_add_string(out, "};\n\n");
    }
    return range_count;
}

static void add_descriptor(struct text *out, const struct message_file *file,
                           const struct message *message, size_t range_count)
{
    const struct emit_scope scope = {.message = message};
    bool has_fields = message->field_count > 0;
    emit(out, &scope,
         "const ProtobufCMessageDescriptor $L__descriptor = {\n"
         "    PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,\n");
    add_names(out, file, message->type, names_type(out->pool, message->type->short_name));
    emit(out, &scope, "    sizeof($T),\n");
    text_printf(out, "    %zu,\n", message->field_count);
    emit(out, &scope, has_fields ? "    $L__field_descriptors,\n" : "    NULL,\n");
    emit(out, &scope,
         has_fields && !file->is_nameless ? "    $L__field_indices_by_name,\n" : "    NULL,\n");
    text_printf(out, "    %zu,\n", range_count);
    emit(out, &scope, has_fields ? "    $L__number_ranges,\n" : "    NULL,\n");
    emit(out, &scope, message->has_init ? "    (ProtobufCMessageInit)$L__init,\n" : "    NULL,\n");
    text_add_string(out, "    NULL, NULL, NULL, /* reserved */\n};\n\n");
}

static void add_functions(struct text *out, const struct emit_scope *scope)
{
    if (scope->message->has_init)
        emit(out, scope,
             "void $L__init($T *message)\n"
             "{\n"
             "    static const $T initial = $U__INIT;\n"
             "    *message = initial;\n"
             "}\n\n");
    if (scope->message->has_pack)
        emit(out, scope,
             "size_t $L__get_packed_size(const $T *message)\n"
             "{\n"
             "    assert(message->$B.descriptor == &$L__descriptor);\n"
             "    return protobuf_c_message_get_packed_size(&message->$B);\n"
             "}\n\n"
             "size_t $L__pack(const $T *message, uint8_t *out)\n"
             "{\n"
             "    assert(message->$B.descriptor == &$L__descriptor);\n"
             "    return protobuf_c_message_pack(&message->$B, out);\n"
             "}\n\n"
             "size_t $L__pack_to_buffer(const $T *message, ProtobufCBuffer *buffer)\n"
             "{\n"
             "    assert(message->$B.descriptor == &$L__descriptor);\n"
             "    return protobuf_c_message_pack_to_buffer(&message->$B, buffer);\n"
             "}\n\n"
             "$T *$L__unpack(ProtobufCAllocator *allocator, size_t len, const uint8_t *data)\n"
             "{\n"
             "    return ($T *)protobuf_c_message_unpack(&$L__descriptor, allocator, len, data);\n"
             "}\n\n"
             "void $L__free_unpacked($T *message, ProtobufCAllocator *allocator)\n"
             "{\n"
             "    if (!message)\n"
             "        return;\n"
             "    assert(message->$B.descriptor == &$L__descriptor);\n"
             "    protobuf_c_message_free_unpacked(&message->$B, allocator);\n"
             "}\n\n");
}

static void add_message(struct text *out, const struct message_file *file,
                        const struct message *message)
{
    emit_banner(out, pool_printf(out->pool, "message %s", message->type->full_name));
    text_add(out, "\n", 1);
    add_defaults(out, message);
    size_t range_count = message->field_count > 0 ? add_field_tables(out, file, message) : 0;
    add_descriptor(out, file, message, range_count);
    add_functions(out, &(struct emit_scope){.message = message});
}

/* --- the file --------------------------------------------------------------------------------- */

/* Is there a field with a flag that protobuf-c does not know? */
static bool has_own_flags(const struct message_file *file)
{
    for (size_t i = 0; i < file->message_count; i++)
        for (size_t j = 0; j < file->messages[i].field_count; j++) {
            const struct message_field *field = &file->messages[i].fields[j];
            if (field->is_delimited || field->is_closed || field->is_closed_value ||
                field->is_unchecked)
                return true;
        }
    return false;
}

void emit_message_source(struct text *out, const struct message_file *file)
{
    emit_top(out, file->file);
    text_printf(out,
                "#ifndef PROTOBUF_C__NO_DEPRECATED\n"
                "#define PROTOBUF_C__NO_DEPRECATED\n"
                "#endif\n"
                "\n"
                "#include \"%s.pb-c.h\"\n%s\n",
                file->file->stem,
                has_own_flags(file) ? "\n#include <picogrpc/codec.h> /* PGRPC_FIELD_... */\n" : "");
    for (size_t i = 0; i < file->enum_count; i++) {
        emit_banner(out, pool_printf(out->pool, "enum %s", file->enums[i].type->full_name));
        text_add(out, "\n", 1);
        add_enum(out, file, &file->enums[i]);
    }
    for (size_t i = 0; i < file->message_count; i++)
        add_message(out, file, &file->messages[i]);
}
