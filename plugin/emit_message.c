#include "emit.h"

#include <string.h>

/* --- enums ------------------------------------------------------------------------------------ */

/* Preprocessor lines stay where they are. */
static void add_indented(struct text *out, const char *indent, const struct text *lines)
{
    for (const char *line = text_string(lines); *line;) {
        size_t len = strcspn(line, "\n");
        if (*line != '#')
            text_add_string(out, indent);
        text_add(out, line, len + 1);
        line += len + 1;
    }
}

/* The comment of something within something: on one line if it has only one. */
static void add_comment(struct text *out, const char *words)
{
    struct text comment = {.pool = out->pool};
    emit_comment(&comment, NULL, words, false);
    const char *text = text_string(&comment);
    static const char start[] = "/*\n * ";
    const char *first = text + sizeof(start) - 1;
    size_t len = strncmp(text, start, sizeof(start) - 1) == 0 ? strcspn(first, "\n") : 0;
    if (len > 0 && len < EMIT_COLUMNS - 16 && strcmp(first + len, "\n */\n") == 0)
        text_printf(out, "/* %.*s */\n", (int)len, first);
    else
        text_add(out, text, comment.len);
}

static void add_number(struct text *out, int number)
{
    if (number == INT32_MIN)
        text_add_string(out, "INT32_MIN");
    else
        text_printf(out, "%d", number);
}

static void add_enum(struct text *out, const struct message_enum *set)
{
    text_add(out, "\n", 1);
    emit_comment(out, NULL, set->comment, set->is_deprecated);
    text_printf(out, "typedef enum _%s {\n", set->type->c_name);
    for (size_t i = 0; i < set->value_count; i++) {
        struct text comment = {.pool = out->pool};
        add_comment(&comment, set->values[i].comment);
        add_indented(out, "    ", &comment);
        text_printf(out, "    %s = ", set->values[i].enumerator);
        add_number(out, set->values[i].number);
        if (i + 1 < set->value_count)
            text_add_string(out, ",\n");
    }
    text_printf(out, "\n    PROTOBUF_C__FORCE_ENUM_TO_BE_INT_SIZE(%s)\n} %s;\n", set->type->upper,
                set->type->c_name);
}

static void add_case_enum(struct text *out, const struct message_oneof *oneof)
{
    text_printf(out, "/* Which member of %s is set. */\n", oneof->name);
    text_printf(out, "typedef enum {\n    %s = 0", oneof->not_set);
    for (size_t i = 0; i < oneof->field_count; i++)
        text_printf(out, ",\n    %s = %d", oneof->enumerators[i], oneof->fields[i]->number);
    text_printf(out, "\n    PROTOBUF_C__FORCE_ENUM_TO_BE_INT_SIZE(%s__CASE)\n} %s;\n\n",
                oneof->upper, oneof->c_type);
}

/* --- structs ---------------------------------------------------------------------------------- */

static void add_declaration(struct text *out, const struct message_field *field)
{
    const char *end = field->is_deprecated ? " PROTOBUF_C__DEPRECATED;\n" : ";\n";
    if (field->quantifier && !field->oneof)
        text_printf(out, "%s%s%s",
                    field->label == MESSAGE_REPEATED ? "size_t " : "protobuf_c_boolean ",
                    field->quantifier, end);
    if (field->cxx_member)
        text_printf(out, "#ifdef __cplusplus\n%s%s%s#else\n", field->element, field->cxx_member,
                    end);
    text_printf(out, "%s%s%s", field->element, field->member, end);
    if (field->cxx_member)
        text_add_string(out, "#endif\n");
}

static void add_field(struct text *out, const char *indent, const struct message_field *field)
{
    struct text lines = {.pool = out->pool};
    add_comment(&lines, field->comment);
    add_declaration(&lines, field);
    add_indented(out, indent, &lines);
}

static void add_struct(struct text *out, const struct emit_scope *scope)
{
    const struct message *message = scope->message;
    text_add(out, "\n", 1);
    for (size_t i = 0; i < message->oneof_count; i++)
        if (message->oneofs[i].field_count > 0)
            add_case_enum(out, &message->oneofs[i]);
    emit_comment(out, NULL, message->comment, message->is_deprecated);
    emit(out, scope, "struct $T {\n    ProtobufCMessage $B;\n");
    for (size_t i = 0; i < message->field_count; i++)
        if (!message->fields[i].oneof)
            add_field(out, "    ", &message->fields[i]);
    for (size_t i = 0; i < message->oneof_count; i++) {
        const struct message_oneof *oneof = &message->oneofs[i];
        if (oneof->field_count == 0)
            continue;
        text_printf(out, "    %s %s;\n    union {\n", oneof->c_type, oneof->member);
        for (size_t j = 0; j < oneof->field_count; j++)
            add_field(out, "        ", oneof->by_size[j]);
        text_add_string(out, "    };\n");
    }
    text_add_string(out, "};\n");
}

/* --- initial values --------------------------------------------------------------------------- */

static void add_defaults(struct text *out, const struct message *message)
{
    for (size_t i = 0; i < message->field_count; i++) {
        const struct message_field *field = &message->fields[i];
        if (!field->default_name)
            continue;
        if (field->kind->is_string)
            text_printf(out, "extern %schar %s[];\n", message->type->file->export,
                        field->default_name);
        if (field->kind->is_bytes)
            text_printf(out, "extern %suint8_t %s_data[];\n", message->type->file->export,
                        field->default_name);
    }
}

/* The first member of a union, with nothing set. */
static const char *nothing(struct pool *pool, const struct message_field *field)
{
    if (field->kind->is_bytes)
        return "{{0, NULL}}";
    if (field->type && field->type->enum_set)
        return pool_printf(pool, "{(%s)0}", field->type->c_name);
    return field->type || field->kind->is_string ? "{NULL}" : "{0}";
}

/* |value| behind a comma, on a new line when this one is full. */
static void add_initial(struct text *out, size_t *column, const char *value)
{
    text_add(out, ",", 1);
    if (*column + strlen(value) + 5 > EMIT_COLUMNS) {
        text_add_string(out, " \\\n    ");
        *column = 4;
    }
    text_add(out, " ", 1);
    text_add_string(out, value);
    *column += strlen(value) + 2;
}

static void add_init_macro(struct text *out, const struct message *message)
{
    const char *start =
        pool_printf(out->pool, "    {PROTOBUF_C_MESSAGE_INIT(&%s)", message->type->descriptor);
    size_t column = strlen(start);
    text_printf(out, "#define %s__INIT \\\n%s", message->type->upper, start);
    for (size_t i = 0; i < message->field_count; i++)
        if (!message->fields[i].oneof)
            add_initial(out, &column, message->fields[i].initial);
    for (size_t i = 0; i < message->oneof_count; i++) {
        const struct message_oneof *oneof = &message->oneofs[i];
        if (oneof->field_count == 0)
            continue;
        add_initial(out, &column, oneof->not_set);
        add_initial(out, &column, nothing(out->pool, oneof->by_size[0]));
    }
    text_add_string(out, "}\n");
}

static void add_functions(struct text *out, const struct emit_scope *scope)
{
    if (scope->message->has_init)
        emit(out, scope, "$Xvoid $L__init($T *message);\n");
    if (scope->message->has_pack)
        emit(out, scope,
             "$Xsize_t $L__get_packed_size(const $T *message);\n"
             "$Xsize_t $L__pack(const $T *message, uint8_t *out);\n"
             "$Xsize_t $L__pack_to_buffer(const $T *message, ProtobufCBuffer *buffer);\n"
             "$X$T *$L__unpack(ProtobufCAllocator *allocator, size_t len, const uint8_t *data);\n"
             "$Xvoid $L__free_unpacked($T *message, ProtobufCAllocator *allocator);\n");
    if (scope->message->lacks_pack)
        text_add_string(out,
                        "/* No pack and unpack: there are groups in it, which protobuf-c writes "
                        "wrongly and does not\n * read. pgrpc_codec_proto does both. */\n");
}

/* --- includes --------------------------------------------------------------------------------- */

/* Does |import| bring the types of |file|? */
static bool brings(const struct model_file *import, const struct model_file *file)
{
    for (size_t i = 0; i < import->export_count; i++)
        if (import->exports[i] == file)
            return true;
    return import == file;
}

/* Does |file| have a field or an rpc of a type that |import| brings? */
static bool uses(const struct message_file *file, const struct model_file *import)
{
    for (size_t i = 0; i < file->message_count; i++)
        for (size_t j = 0; j < file->messages[i].field_count; j++) {
            const struct model_type *type = file->messages[i].fields[j].type;
            if (type && brings(import, type->file))
                return true;
        }
    for (size_t i = 0; i < file->file->service_count; i++)
        for (size_t j = 0; j < file->file->services[i].method_count; j++) {
            const struct model_method *method = &file->file->services[i].methods[j];
            if (brings(import, method->request->file) || brings(import, method->reply->file))
                return true;
        }
    return false;
}

/* An import that serves options alone is not needed here. */
static void add_includes(struct text *out, const struct message_file *file)
{
    const char *separator = "\n";
    if (file->has_infinity)
        text_add_string(out, "#include <math.h>\n");
    text_add_string(out, "#include <protobuf-c/protobuf-c.h>\n");
    for (size_t i = 0; i < file->file->direct_count; i++) {
        const struct model_file *import = file->file->direct[i];
        if (!import->has_header || !(file->file->is_public[i] || uses(file, import)))
            continue;
        text_printf(out, "%s#include \"%s.pb-c.h\"\n", separator, import->stem);
        separator = "";
    }
}

/* --- the file --------------------------------------------------------------------------------- */

static void add_types(struct text *out, const struct message_file *file)
{
    text_add(out, "\n", 1);
    for (size_t i = 0; i < file->message_count; i++)
        emit(out, &(struct emit_scope){.message = &file->messages[i]}, "typedef struct $T $T;\n");
    for (size_t i = 0; i < file->enum_count; i++)
        add_enum(out, &file->enums[i]);
}

static void add_message(struct text *out, const struct message *message)
{
    const struct emit_scope scope = {.message = message};
    text_add(out, "\n", 1);
    emit_banner(out, pool_printf(out->pool, "message %s", message->type->full_name));
    add_struct(out, &scope);
    add_defaults(out, message);
    add_init_macro(out, message);
    if (message->has_init || message->has_pack || message->lacks_pack)
        text_add(out, "\n", 1);
    add_functions(out, &scope);
}

static void add_descriptors(struct text *out, const struct message_file *file)
{
    if (file->message_count + file->enum_count == 0)
        return;
    text_add(out, "\n", 1);
    emit_banner(out, "descriptors");
    text_add(out, "\n", 1);
    for (size_t i = 0; i < file->enum_count; i++)
        text_printf(out, "extern %sconst ProtobufCEnumDescriptor %s;\n", file->file->export,
                    file->enums[i].type->descriptor);
    for (size_t i = 0; i < file->message_count; i++)
        text_printf(out, "extern %sconst ProtobufCMessageDescriptor %s;\n", file->file->export,
                    file->messages[i].type->descriptor);
    if (file->message_count == 0)
        return;
    text_add_string(out, "\n/* For services as protoc-gen-c writes them. */\n");
    for (size_t i = 0; i < file->message_count; i++)
        emit(out, &(struct emit_scope){.message = &file->messages[i]},
             "typedef void (*$T_Closure)(const $T *message, void *closure_data);\n");
}

void emit_message_header(struct text *out, const struct message_file *file)
{
    const struct emit_scope scope = {.file = file->file};
    emit_top(out, file->file);
    emit(out, &scope,
         "#ifndef PROTOBUF_C_$F__INCLUDED\n"
         "#define PROTOBUF_C_$F__INCLUDED\n\n");
    add_includes(out, file);
    text_add_string(out, "\n"
                         "#if PROTOBUF_C_VERSION_NUMBER < 1003000\n"
                         "#error \"this file needs a newer protobuf-c\"\n"
                         "#elif 1004001 < PROTOBUF_C_MIN_COMPILER_VERSION\n"
                         "#error \"this file is too old for this protobuf-c\"\n"
                         "#endif\n"
                         "\n"
                         "PROTOBUF_C__BEGIN_DECLS\n");
    if (file->message_count + file->enum_count > 0)
        add_types(out, file);
    for (size_t i = 0; i < file->message_count; i++)
        add_message(out, &file->messages[i]);
    add_descriptors(out, file);
    text_add_string(out, "\n"
                         "PROTOBUF_C__END_DECLS\n"
                         "#endif\n");
}
