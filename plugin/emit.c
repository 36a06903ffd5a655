#include "emit.h"

#include <string.h>

#include "names.h"

enum { COLUMNS = 100, INDENT = 4, BYTES_PER_LINE = 16 };

/* The PGRPC_CODEGEN_VERSION that the code below asks for. */
#define CODEGEN_VERSION "1"

/* --- templates -------------------------------------------------------------------------------- */

static void add_name(struct text *out, const struct emit_scope *scope, char letter)
{
    switch (letter) {
    case 'B':
        text_add_string(out, scope->file->stem);
        break;
    case 'F':
        text_add_string(out, scope->file->ident);
        break;
    case 'H':
        text_add_string(out, scope->method->member);
        break;
    case 'I':
        text_printf(out, "%zu", scope->method->index);
        break;
    case 'M':
        text_add_string(out, scope->method->c_name);
        break;
    case 'N':
        text_add_string(out, scope->service->full_name);
        break;
    case 'P':
        text_add_string(out, scope->method->name);
        break;
    case 'Q':
        text_add_string(out, scope->method->request->c_name);
        break;
    case 'q':
        text_add_string(out, scope->method->request->descriptor);
        break;
    case 'R':
        text_add_string(out, scope->method->reply->c_name);
        break;
    case 'r':
        text_add_string(out, scope->method->reply->descriptor);
        break;
    case 'S':
        text_add_string(out, scope->service->c_name);
        break;
    }
}

/* Up to the next place where a line may be broken: behind a parenthesis or a comma. */
static size_t piece_len(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (line[i] == '(' || (line[i] == ',' && i + 1 < len && line[i + 1] == ' '))
            return i + 1;
    return len;
}

static void add_line(struct text *out, const char *line, size_t len)
{
    size_t indent = strspn(line, " ");
    size_t column = 0;
    while (len > 0) {
        size_t piece = piece_len(line, len);
        if (column > 0 && column + piece > COLUMNS) {
            while (*line == ' ') {
                line++;
                piece--;
                len--;
            }
            text_printf(out, "\n%*s", (int)(indent + INDENT), "");
            column = indent + INDENT;
        }
        text_add(out, line, piece);
        column += piece;
        line += piece;
        len -= piece;
    }
}

void emit(struct text *out, const struct emit_scope *scope, const char *form)
{
    struct text text = {.pool = out->pool};
    for (; *form; form++) {
        if (*form == '$')
            add_name(&text, scope, *++form);
        else
            text_add(&text, form, 1);
    }
    for (const char *line = text_string(&text); *line;) {
        size_t len = strcspn(line, "\n");
        add_line(out, line, len);
        line += len;
        if (*line == '\n') {
            text_add(out, "\n", 1);
            line++;
        }
    }
}

/* --- comments --------------------------------------------------------------------------------- */

/* Text that cannot end the comment, begin another, hold a trigraph, or show a reader something else
 * than it says. */
static void add_harmless(struct text *out, const char *words, size_t len)
{
    char before = '*'; /* what was written last */
    for (size_t i = 0; i < len; i++) {
        const unsigned char *u = (const unsigned char *)words + i;
        bool turns_text = len - i >= 3 && u[0] == 0xe2 &&
                          ((u[1] == 0x80 && u[2] >= 0xaa && u[2] <= 0xae) ||
                           (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9));
        if (turns_text) { /* U+202A..U+202E, U+2066..U+2069 */
            i += 2;
            continue;
        }
        char c = u[0] < ' ' ? ' ' : words[i];
        if ((before == '*' && c == '/') || (before == '/' && c == '*') ||
            (before == '?' && c == '?'))
            text_add(out, " ", 1);
        text_add(out, &c, 1);
        before = c;
    }
}

static void add_comment_lines(struct text *out, const char *words)
{
    words += *words == '*'; /* what protoc leaves of the beginning of a doc comment */
    words += strspn(words, "\r\n");
    while (*words) {
        size_t len = strcspn(words, "\n");
        size_t trimmed = len;
        while (trimmed > 0 && strchr(" \t\r", words[trimmed - 1]))
            trimmed--;
        if (trimmed > 0) {
            text_add_string(out, words[0] == ' ' ? " *" : " * ");
            add_harmless(out, words, trimmed);
            text_add(out, "\n", 1);
        } else if (words[len + strspn(words + len, " \t\r\n")]) {
            text_add_string(out, " *\n");
        }
        words += len;
        words += *words == '\n';
    }
}

void emit_comment(struct text *out, const char *title, const char *words, bool is_deprecated)
{
    const char *separator = "";
    bool has_words = words[strspn(words, "* \t\r\n")];
    if (!title && !is_deprecated && !has_words)
        return;
    text_add_string(out, "/*\n");
    if (title) {
        text_printf(out, " * %s\n", title);
        separator = " *\n";
    }
    if (is_deprecated) {
        text_printf(out, "%s * Deprecated.\n", separator);
        separator = " *\n";
    }
    if (has_words) {
        text_add_string(out, separator);
        add_comment_lines(out, words);
    }
    text_add_string(out, " */\n");
}

/* --- functions -------------------------------------------------------------------------------- */

static void emit_signature(struct text *out, const struct emit_scope *scope,
                           const struct emit_function *function, const char *end)
{
    emit(out, scope,
         pool_printf(out->pool, "%s$M%s(%s)%s", function->returns, function->verb,
                     function->parameters, end));
}

void emit_prototypes(struct text *out, const struct emit_scope *scope,
                     const struct emit_function *functions)
{
    for (; functions->parameters; functions++) {
        if (!(functions->kinds & scope->method->kind))
            continue;
        text_printf(out, "/* %s */\n", functions->comment);
        emit_signature(out, scope, functions, ";\n");
    }
}

void emit_definitions(struct text *out, const struct emit_scope *scope,
                      const struct emit_function *functions)
{
    for (; functions->parameters; functions++) {
        if (!(functions->kinds & scope->method->kind))
            continue;
        emit_signature(out, scope, functions, "\n{\n");
        for (const char *line = functions->body; *line;) {
            size_t len = strcspn(line, "\n");
            emit(out, scope, pool_printf(out->pool, "    %.*s\n", (int)len, line));
            line += len;
            line += *line == '\n';
        }
        emit(out, scope, "}\n\n");
    }
}

/* --- embedded descriptors --------------------------------------------------------------------- */

/* A C string.  Octal escapes, as they have an end; no question mark, so no trigraph. */
static void add_quoted(struct text *out, const char *string)
{
    text_add(out, "\"", 1);
    for (; *string; string++) {
        unsigned char c = (unsigned char)*string;
        if (c < ' ' || c > '~' || c == '"' || c == '\\' || c == '?')
            text_printf(out, "\\%03o", (unsigned)c);
        else
            text_add(out, string, 1);
    }
    text_add(out, "\"", 1);
}

/* The descriptor without source code info: written by our own encoder, so that different protocs
 * give the same bytes. */
static void add_descriptor(struct text *out, const struct model_file *file, size_t number)
{
    Pb__SourceCodeInfo *info = file->proto->source_code_info;
    file->proto->source_code_info = NULL;
    size_t len = protobuf_c_message_get_packed_size(&file->proto->base);
    uint8_t *bytes = pool_array(out->pool, len, 1);
    if (bytes) {
        protobuf_c_message_pack(&file->proto->base, bytes);
        text_printf(out, "static const unsigned char file_%zu[] = {", number);
        for (size_t i = 0; i < len; i++)
            text_printf(out, "%s0x%02x,", i % BYTES_PER_LINE == 0 ? "\n    " : " ", bytes[i]);
        text_add_string(out, "\n};\n");
    }
    file->proto->source_code_info = info;
}

static void add_descriptors(struct text *out, const struct model_file *file)
{
    const struct emit_scope scope = {.file = file};
    text_add_string(out, "/* google.protobuf.FileDescriptorProto of this file, then of its "
                         "imports. */\n");
    add_descriptor(out, file, 0);
    for (size_t i = 0; i < file->import_count; i++)
        add_descriptor(out, file->imports[i], i + 1);
    emit(out, &scope, "const struct pgrpc_file pgrpc_files_$F[] = {\n");
    for (size_t i = 0; i <= file->import_count; i++) {
        text_add_string(out, "    {");
        add_quoted(out, i == 0 ? file->name : file->imports[i - 1]->name);
        text_printf(out, ", file_%zu, sizeof(file_%zu)},\n", i, i);
    }
    text_add_string(out, "};\n");
}

/* --- files ------------------------------------------------------------------------------------ */

static void add_top(struct text *out, const struct model_file *file)
{
    text_add_string(out, "/* Generated by protoc-gen-picogrpc from ");
    add_harmless(out, file->name, strlen(file->name));
    text_add_string(out, ". Do not edit. */\n");
}

/* "--- title ---..." over the whole width. */
static void add_banner(struct text *out, const char *title)
{
    text_printf(out, "/* --- %s -", title);
    for (size_t column = strlen(title) + 9; column < COLUMNS - 3; column++)
        text_add(out, "-", 1);
    text_add_string(out, " */\n");
}

static bool is_used(const struct model_file *file, const struct model_file *import)
{
    for (size_t i = 0; i < file->service_count; i++) {
        const struct model_service *service = &file->services[i];
        for (size_t j = 0; j < service->method_count; j++)
            if (service->methods[j].request->file == import ||
                service->methods[j].reply->file == import)
                return true;
    }
    return false;
}

static void add_includes(struct text *out, const struct model_file *file)
{
    text_printf(out, "#include <picogrpc/picogrpc.h>\n\n#include \"%s.pb-c.h\"\n", file->stem);
    for (size_t i = 0; i < file->import_count; i++)
        if (file->imports[i]->has_header && is_used(file, file->imports[i]))
            text_printf(out, "#include \"%s.pb-c.h\"\n", file->imports[i]->stem);
}

/* "HelloRequest" within its own package, else with the package. */
static const char *short_name(const struct model_method *method, const struct model_type *type)
{
    const char *package = method->place.file->package;
    size_t len = strlen(package);
    if (len > 0 && strncmp(type->full_name, package, len) == 0 && type->full_name[len] == '.')
        return type->full_name + len + 1;
    return type->full_name;
}

static void add_rpc_comment(struct text *out, const struct model_method *method)
{
    const char *title =
        pool_printf(out->pool, "rpc %s (%s%s) returns (%s%s)", method->name,
                    method->kind & (MODEL_CLIENT_STREAM | MODEL_BIDI) ? "stream " : "",
                    short_name(method, method->request),
                    method->kind & (MODEL_SERVER_STREAM | MODEL_BIDI) ? "stream " : "",
                    short_name(method, method->reply));
    emit_comment(out, title, method->comment, method->is_deprecated);
}

static void add_service_header(struct text *out, const struct emit_scope *scope)
{
    struct emit_scope inner = *scope;
    const struct model_service *service = scope->service;
    text_add(out, "\n", 1);
    add_banner(out, pool_printf(out->pool, "service %s", service->full_name));
    emit_comment(out, NULL, service->comment, service->is_deprecated);
    for (size_t i = 0; i < service->method_count; i++) {
        inner.method = &service->methods[i];
        text_add(out, "\n", 1);
        add_rpc_comment(out, inner.method);
        emit_prototypes(out, &inner, emit_client_functions);
        emit_prototypes(out, &inner, emit_server_functions);
    }
    text_add(out, "\n", 1);
    emit_server_header(out, scope);
}

static const char *flags_of(const struct model_method *method)
{
    switch (method->kind) {
    case MODEL_CLIENT_STREAM:
        return "PGRPC_METHOD_CLIENT_STREAMING";
    case MODEL_SERVER_STREAM:
        return "PGRPC_METHOD_SERVER_STREAMING";
    case MODEL_BIDI:
        return "PGRPC_METHOD_CLIENT_STREAMING | PGRPC_METHOD_SERVER_STREAMING";
    default:
        return "0";
    }
}

static void add_tables(struct text *out, const struct emit_scope *scope)
{
    struct emit_scope inner = *scope;
    const struct model_service *service = scope->service;
    if (service->method_count > 0) {
        emit(out, scope, "static const struct pgrpc_method $S_methods[] = {\n");
        for (size_t i = 0; i < service->method_count; i++) {
            inner.method = &service->methods[i];
            emit(out, &inner,
                 "    {\n"
                 "        .path = \"/$N/$P\",\n"
                 "        .flags = ");
            text_add_string(out, flags_of(inner.method));
            emit(out, &inner,
                 ",\n"
                 "        .request_type = &$q,\n"
                 "        .reply_type = &$r,\n"
                 "    },\n");
        }
        emit(out, scope, "};\n\n");
    }
    emit(out, scope,
         "static const struct pgrpc_service $S_service = {\n"
         "    .version = " CODEGEN_VERSION ",\n"
         "    .method_size = sizeof(struct pgrpc_method),\n"
         "    .name = \"$N\",\n");
    text_printf(out, "    .methods = %s%s,\n    .method_count = %zu,\n",
                service->method_count > 0 ? service->c_name : "NULL",
                service->method_count > 0 ? "_methods" : "", service->method_count);
    emit(out, scope, "    .files = pgrpc_files_$F,\n");
    text_printf(out, "    .file_count = %zu,\n};\n\n", scope->file->import_count + 1);
}

void emit_header(struct text *out, const struct model_file *file)
{
    struct emit_scope scope = {.file = file};
    add_top(out, file);
    emit(out, &scope,
         "#ifndef PGRPC_FILE_$F\n"
         "#define PGRPC_FILE_$F\n\n");
    add_includes(out, file);
    emit(out, &scope,
         "\n"
         "#if PGRPC_CODEGEN_VERSION < " CODEGEN_VERSION "\n"
         "#error \"this file needs a newer picogrpc\"\n"
         "#endif\n\n"
         "#ifdef __cplusplus\n"
         "extern \"C\" {\n"
         "#endif\n");
    for (size_t i = 0; i < file->service_count; i++) {
        scope.service = &file->services[i];
        add_service_header(out, &scope);
    }
    emit(out, &scope,
         "\n"
         "/* The .proto itself, then those that it imports: serialised FileDescriptorProtos. */\n");
    emit(out, &scope,
         pool_printf(out->pool, "extern const struct pgrpc_file pgrpc_files_$F[%zu];\n",
                     file->import_count + 1));
    emit(out, &scope,
         "\n"
         "#ifdef __cplusplus\n"
         "}\n"
         "#endif\n"
         "#endif\n");
}

void emit_source(struct text *out, const struct model_file *file)
{
    add_top(out, file);
    text_printf(out, "#include \"%s.pgrpc.h\"\n\n", file->stem);
    for (size_t i = 0; i < file->service_count; i++) {
        struct emit_scope inner = {.file = file, .service = &file->services[i]};
        add_banner(out, pool_printf(out->pool, "service %s", inner.service->full_name));
        text_add(out, "\n", 1);
        add_tables(out, &inner);
        for (size_t j = 0; j < inner.service->method_count; j++) {
            inner.method = &inner.service->methods[j];
            emit_definitions(out, &inner, emit_client_functions);
            emit_definitions(out, &inner, emit_server_functions);
        }
        emit_server_source(out, &inner);
        text_add(out, "\n", 1);
    }
    add_descriptors(out, file);
}
