#include "plugin.h"

#include <stdbool.h>
#include <string.h>

#include "clash.h"
#include "emit.h"
#include "model.h"
#include "type_features.h"

/* Messages within messages; protoc allows 32. */
enum { MAX_NESTING = 64 };

/* --- the request ------------------------------------------------------------------------------ */

static bool read_varint(const uint8_t **data, const uint8_t *end, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && *data < end; shift += 7) {
        uint8_t byte = *(*data)++;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return true;
        }
    }
    return false;
}

/* Do messages go deeper than |allowed| levels?  The decoder takes stack for every level, and the
 * one type that contains itself is the message descriptor.  What is malformed is left to it. */
static bool is_nested_deeper(const uint8_t *data, size_t len, int level, int allowed)
{
    static const uint64_t request_file = 15;
    static const uint64_t request_source_file = 17;
    static const uint64_t file_message = 4;
    static const uint64_t message_message = 3;
    const uint8_t *end = data + len;
    uint64_t tag, value;
    while (data < end && read_varint(&data, end, &tag)) {
        uint64_t field = tag >> 3;
        bool leads_down = level == 0   ? field == request_file || field == request_source_file
                          : level == 1 ? field == file_message
                                       : field == message_message;
        size_t skip = 0;
        switch (tag & 7) {
        case 0:
            if (!read_varint(&data, end, &value))
                return false;
            break;
        case 1:
            skip = 8;
            break;
        case 2:
            if (!read_varint(&data, end, &value) || value > (uint64_t)(end - data))
                return false;
            skip = (size_t)value;
            if (leads_down &&
                (level == allowed || is_nested_deeper(data, skip, level + 1, allowed)))
                return true;
            break;
        case 5:
            skip = 4;
            break;
        default:
            return false;
        }
        if (skip > (size_t)(end - data))
            return false;
        data += skip;
    }
    return false;
}

/* --- the response ----------------------------------------------------------------------------- */

/* What protoc was told between "--picogrpc_out=" and the colon. */
struct parameters {
    bool has_stubs_alone;
    const char *export; /* dllexport_decl, with a space behind it; "" without one */
};

/* They come as "a,b=c".  Returns what is wrong with them, or NULL. */
static const char *read_parameters(struct pool *pool, const char *text,
                                   struct parameters *parameters)
{
    static const char dllexport[] = "dllexport_decl=";
    *parameters = (struct parameters){.export = ""};
    while (text && *text) {
        size_t len = strcspn(text, ",");
        if (len == 5 && strncmp(text, "stubs", len) == 0)
            parameters->has_stubs_alone = true;
        else if (len == 8 && strncmp(text, "messages", len) == 0)
            parameters->has_stubs_alone = false;
        else if (len > sizeof(dllexport) - 1 &&
                 strncmp(text, dllexport, sizeof(dllexport) - 1) == 0)
            parameters->export = pool_printf(pool, "%.*s ", (int)(len - (sizeof(dllexport) - 1)),
                                             text + sizeof(dllexport) - 1);
        else if (len > 0)
            return pool_printf(pool,
                               "unknown parameter \"%.*s\": there are \"messages\", \"stubs\" and "
                               "\"dllexport_decl=...\"",
                               (int)len, text);
        text += len;
        text += *text == ',';
    }
    return NULL;
}

/* Adds an output called |stem| and |suffix|. */
static void add_output(Pb__CodeGeneratorResponse *response, const char *stem, const char *suffix,
                       const struct text *content)
{
    struct pool *pool = content->pool;
    Pb__CodeGeneratorResponse__File *output = pool_array(pool, 1, sizeof(*output));
    const char *name = pool_printf(pool, "%s%s", stem, suffix);
    if (pool->failed)
        return;
    *output = (Pb__CodeGeneratorResponse__File)PB__CODE_GENERATOR_RESPONSE__FILE__INIT;
    output->name = (char *)name;
    output->content = content->data;
    response->file[response->n_file++] = output;
}

static void add_stubs(Pb__CodeGeneratorResponse *response, struct pool *pool,
                      const struct model_file *file)
{
    struct text header = {.pool = pool};
    struct text source = {.pool = pool};
    emit_header(&header, file);
    emit_source(&source, file);
    add_output(response, file->stem, ".pgrpc.h", &header);
    add_output(response, file->stem, ".pgrpc.c", &source);
}

static void add_messages(Pb__CodeGeneratorResponse *response, struct pool *pool,
                         const struct message_file *file)
{
    struct text header = {.pool = pool};
    struct text source = {.pool = pool};
    emit_message_header(&header, file);
    emit_message_source(&source, file);
    add_output(response, file->file->stem, ".pb-c.h", &header);
    add_output(response, file->file->stem, ".pb-c.c", &source);
}

static const char *fill_response(Pb__CodeGeneratorResponse *response, struct pool *pool,
                                 const Pb__CodeGeneratorRequest *request)
{
    struct parameters parameters;
    response->error = (char *)read_parameters(pool, request->parameter, &parameters);
    if (response->error)
        return NULL;

    struct model model;
    const char *failure = model_build(&model, pool, request);
    if (failure)
        return failure;
    const struct message_file **messages =
        pool_array(pool, model.file_count, sizeof(const struct message_file *));
    response->file = pool_array(pool, 4 * model.file_count, sizeof(*response->file));
    if (!messages || !response->file)
        return model_no_memory;
    if (!type_features_resolve(&model))
        return pool->failed ? model_no_memory : model_nonsense;
    for (size_t i = 0; i < model.file_count; i++) {
        const struct model_file *file = &model.files[i];
        model.files[i].export = parameters.export;
        if (file->is_generated && !parameters.has_stubs_alone) {
            messages[i] = message_build(&model, file);
            if (!messages[i])
                return pool->failed ? model_no_memory : model_nonsense;
        }
        if (file->is_generated && (messages[i] || file->service_count > 0))
            clash_check(&model, file, messages[i]);
    }
    if (model.errors.len > 0) {
        response->error = model.errors.data;
        return NULL;
    }
    for (size_t i = 0; i < model.file_count; i++) {
        if (!model.files[i].is_generated)
            continue;
        if (messages[i])
            add_messages(response, pool, messages[i]);
        add_stubs(response, pool, &model.files[i]);
    }
    return NULL;
}

const char *plugin_run(const uint8_t *request, size_t len, struct text *response)
{
    struct pool *pool = response->pool;
    ProtobufCAllocator allocator = pool_protobuf_allocator(pool);
    if (len == 0)
        return "the request is empty; protoc runs this program, see --help";
    if (is_nested_deeper(request, len, 0, MAX_NESTING + 1))
        return "the request is malformed: messages are nested too deep";
    Pb__CodeGeneratorRequest *decoded = (Pb__CodeGeneratorRequest *)protobuf_c_message_unpack(
        &pb__code_generator_request__descriptor, &allocator, len, request);
    if (!decoded)
        return pool->failed ? model_no_memory
                            : "the request is malformed: cut off, no CodeGeneratorRequest, or with "
                              "an option whose type is a group, which protobuf-c does not read";

    /* An edition that is too new for messages is refused with the place where it stands. */
    Pb__CodeGeneratorResponse answer = PB__CODE_GENERATOR_RESPONSE__INIT;
    answer.has_supported_features = 1;
    answer.supported_features = PB__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_PROTO3_OPTIONAL |
                                PB__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_SUPPORTS_EDITIONS;
    answer.has_minimum_edition = 1;
    answer.minimum_edition = PB__EDITION__EDITION_PROTO2;
    answer.has_maximum_edition = 1;
    answer.maximum_edition = PB__EDITION__EDITION_MAX;
    const char *failure = fill_response(&answer, pool, decoded);
    if (failure)
        return failure;

    size_t answer_len = protobuf_c_message_get_packed_size(&answer.base);
    char *bytes = text_reserve(response, answer_len);
    if (!bytes || pool->failed)
        return model_no_memory;
    protobuf_c_message_pack(&answer.base, (uint8_t *)bytes);
    response->len += answer_len;
    return NULL;
}
