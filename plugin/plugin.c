#include "plugin.h"

#include <stdbool.h>
#include <string.h>

#include "clash.h"
#include "emit.h"
#include "model.h"

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

/* Parameters come as "a,b=c".  There are none yet. */
static const char *check_parameters(struct pool *pool, const char *parameters)
{
    while (parameters && *parameters) {
        size_t len = strcspn(parameters, ",");
        if (len > 0)
            return pool_printf(pool, "unknown parameter \"%.*s\": protoc-gen-picogrpc takes none",
                               (int)len, parameters);
        parameters++;
    }
    return NULL;
}

static void add_output(Pb__CodeGeneratorResponse *response, Pb__CodeGeneratorResponse__File *output,
                       const struct text *name, const struct text *content)
{
    *output = (Pb__CodeGeneratorResponse__File)PB__CODE_GENERATOR_RESPONSE__FILE__INIT;
    output->name = name->data;
    output->content = content->data;
    response->file[response->n_file++] = output;
}

/* Adds the two outputs of |file|. */
static void add_outputs(Pb__CodeGeneratorResponse *response, struct pool *pool,
                        const struct model_file *file)
{
    static const struct {
        const char *suffix;
        void (*emit)(struct text *out, const struct model_file *file);
    } outputs[] = {{".pgrpc.h", emit_header}, {".pgrpc.c", emit_source}};
    for (size_t i = 0; i < 2; i++) {
        struct text name = {.pool = pool};
        struct text content = {.pool = pool};
        Pb__CodeGeneratorResponse__File *output = pool_array(pool, 1, sizeof(*output));
        text_printf(&name, "%s%s", file->stem, outputs[i].suffix);
        outputs[i].emit(&content, file);
        if (pool->failed)
            return;
        add_output(response, output, &name, &content);
    }
}

static const char *fill_response(Pb__CodeGeneratorResponse *response, struct pool *pool,
                                 const Pb__CodeGeneratorRequest *request)
{
    response->error = (char *)check_parameters(pool, request->parameter);
    if (response->error)
        return NULL;

    struct model model;
    const char *failure = model_build(&model, pool, request);
    if (failure)
        return failure;
    for (size_t i = 0; i < model.file_count; i++)
        if (model.files[i].is_generated && model.files[i].service_count > 0)
            clash_check(&model, &model.files[i]);
    if (model.errors.len > 0) {
        response->error = model.errors.data;
        return NULL;
    }

    response->file = pool_array(pool, 2 * model.file_count, sizeof(*response->file));
    for (size_t i = 0; response->file && i < model.file_count; i++)
        if (model.files[i].is_generated)
            add_outputs(response, pool, &model.files[i]);
    return NULL;
}

const char *plugin_run(const uint8_t *request, size_t len, struct text *response)
{
    static const char *const no_memory = "out of memory";
    struct pool *pool = response->pool;
    ProtobufCAllocator allocator = pool_protobuf_allocator(pool);
    if (len == 0)
        return "the request is empty; protoc runs this program, see --help";
    if (is_nested_deeper(request, len, 0, MAX_NESTING + 1))
        return "the request is malformed: messages are nested too deep";
    Pb__CodeGeneratorRequest *decoded = (Pb__CodeGeneratorRequest *)protobuf_c_message_unpack(
        &pb__code_generator_request__descriptor, &allocator, len, request);
    if (!decoded)
        return pool->failed ? no_memory
                            : "the request is malformed: cut off, no CodeGeneratorRequest, or with "
                              "an option whose type is a group, which protobuf-c does not read";

    /* Nothing here depends on how an edition changes messages, so no edition is refused. */
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
        return no_memory;
    protobuf_c_message_pack(&answer.base, (uint8_t *)bytes);
    response->len += answer_len;
    return NULL;
}
