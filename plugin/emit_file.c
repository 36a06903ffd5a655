#include "emit.h"

#include <string.h>

enum { BYTES_PER_LINE = 16 };

/* The PGRPC_CODEGEN_VERSION that the code below asks for. */
#define CODEGEN_VERSION "1"

/* --- embedded descriptors --------------------------------------------------------------------- */

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
        const char *name = i == 0 ? file->name : file->imports[i - 1]->name;
        emit_quoted(out, name, strlen(name));
        text_printf(out, ", file_%zu, sizeof(file_%zu)},\n", i, i);
    }
    text_add_string(out, "};\n");
}

/* --- files ------------------------------------------------------------------------------------ */

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
    emit_banner(out, pool_printf(out->pool, "service %s", service->full_name));
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
    case MODEL_UNARY:
        break;
    }
    return "0";
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
    emit_top(out, file);
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
         pool_printf(out->pool, "extern $Xconst struct pgrpc_file pgrpc_files_$F[%zu];\n",
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
    emit_top(out, file);
    text_printf(out, "#include \"%s.pgrpc.h\"\n\n", file->stem);
    for (size_t i = 0; i < file->service_count; i++) {
        struct emit_scope inner = {.file = file, .service = &file->services[i]};
        emit_banner(out, pool_printf(out->pool, "service %s", inner.service->full_name));
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
