/*
 * The reflection service, in both versions, which differ in their names alone.
 *
 * What is served is found out at the first call, when no service can be added any more.  A stream
 * answers one request after the other; one that cannot be sent yet is answered again, from the same
 * request, when there is room.
 */
#include "picogrpc/reflection.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "server/server.h"
#include "services/proto/files.h"
#include "services/proto/reflection.pb-c.h"
#include "services/reflection_index.h"

enum { NAME_SHOWN_MAX = 200 }; /* bytes of a name that are repeated in an error's text */

struct reflection {
    struct pgrpc_server *server;
    pthread_mutex_t lock; /* while the rest is being made */
    _Atomic bool is_ready;
    struct reflection_index index;
    Pgrpc__Bundled__ListServiceResponse list;
};

/* A call, in that call's memory. */
struct stream {
    const struct reflection *reflection;
    struct pgrpc_call *call;
    const Pgrpc__Bundled__ServerReflectionRequest *request; /* not answered yet, or NULL */
    bool is_finished;
    /* Room for the largest answer. */
    bool *was_sent; /* for each file: this stream has it */
    bool *is_taken; /* for each file: it is among |files| */
    const struct reflection_file **files;
    size_t file_count;
    ProtobufCBinaryData *blobs;
    int32_t *numbers;
};

/* --- what is served -----------------------------------------------------------------------------
 */

static int make_list(struct reflection *reflection)
{
    const struct reflection_index *index = &reflection->index;
    struct arena *arena = &reflection->index.arena;
    Pgrpc__Bundled__ListServiceResponse list = PGRPC__BUNDLED__LIST_SERVICE_RESPONSE__INIT;
    Pgrpc__Bundled__ServiceResponse *services =
        pgrpc__arena_alloc(arena, index->service_count * sizeof(*services));
    list.n_service = index->service_count;
    list.service = pgrpc__arena_alloc(arena, index->service_count * sizeof(*list.service));
    if (!services || !list.service)
        return -1;
    for (size_t i = 0; i < index->service_count; i++) {
        services[i] = (Pgrpc__Bundled__ServiceResponse)PGRPC__BUNDLED__SERVICE_RESPONSE__INIT;
        services[i].name = index->services[i];
        list.service[i] = &services[i];
    }
    reflection->list = list;
    return 0;
}

/* False when out of memory; the next call tries again. */
static bool make_ready(struct reflection *reflection)
{
    if (atomic_load_explicit(&reflection->is_ready, memory_order_acquire))
        return true;
    struct pgrpc_server *server = reflection->server;
    pthread_mutex_lock(&reflection->lock);
    bool is_ready = atomic_load_explicit(&reflection->is_ready, memory_order_relaxed);
    if (!is_ready && pgrpc__reflection_index_init(&reflection->index, &server->services,
                                                  &server->allocator) == 0) {
        is_ready = make_list(reflection) == 0;
        if (is_ready)
            atomic_store_explicit(&reflection->is_ready, true, memory_order_release);
        else
            pgrpc__reflection_index_clear(&reflection->index);
    }
    pthread_mutex_unlock(&reflection->lock);
    return is_ready;
}

/* --- files --------------------------------------------------------------------------------------
 */

static void take(struct stream *stream, const struct reflection_file *file)
{
    if (stream->is_taken[file->position])
        return;
    stream->is_taken[file->position] = true;
    stream->files[stream->file_count++] = file;
}

/* |file|, and what it imports, directly or not, unless this stream has it. */
static void take_closure(struct stream *stream, const struct reflection_file *file)
{
    memset(stream->is_taken, 0, stream->reflection->index.file_count);
    stream->file_count = 0;
    take(stream, file);
    for (size_t i = 0; i < stream->file_count; i++)
        for (size_t j = 0; j < stream->files[i]->import_count; j++)
            take(stream, stream->files[i]->imports[j]);
    size_t kept = 1;
    for (size_t i = 1; i < stream->file_count; i++)
        if (!stream->was_sent[stream->files[i]->position])
            stream->files[kept++] = stream->files[i];
    stream->file_count = kept;
}

static void note_sent(struct stream *stream)
{
    for (size_t i = 0; i < stream->file_count; i++)
        stream->was_sent[stream->files[i]->position] = true;
    stream->file_count = 0;
}

/* --- answers ------------------------------------------------------------------------------------
 */

static enum pgrpc_io answer(struct stream *stream,
                            Pgrpc__Bundled__ServerReflectionResponse *response)
{
    const Pgrpc__Bundled__ServerReflectionRequest *request = stream->request;
    response->valid_host = request->host;
    /* Sending only reads it. */
    response->original_request = (Pgrpc__Bundled__ServerReflectionRequest *)(uintptr_t)request;
    return pgrpc_call_send(stream->call, response, 0);
}

/* Bytes of |text| that are shown: whole characters only. */
static int shown_len(const char *text)
{
    size_t len = strlen(text);
    if (len > NAME_SHOWN_MAX)
        for (len = NAME_SHOWN_MAX; len > 0 && ((uint8_t)text[len] & 0xC0) == 0x80;)
            len--;
    return (int)len;
}

static enum pgrpc_io answer_error(struct stream *stream, enum pgrpc_code code, const char *what,
                                  const char *name)
{
    Pgrpc__Bundled__ServerReflectionResponse response =
        PGRPC__BUNDLED__SERVER_REFLECTION_RESPONSE__INIT;
    Pgrpc__Bundled__ErrorResponse error = PGRPC__BUNDLED__ERROR_RESPONSE__INIT;
    error.error_code = (int32_t)code;
    error.error_message = pgrpc_message_printf(stream->call, "%s%s%.*s", what, *name ? ": " : "",
                                               shown_len(name), name);
    if (!error.error_message)
        error.error_message = what;
    response.message_response_case =
        PGRPC__BUNDLED__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response.error_response = &error;
    return answer(stream, &response);
}

/* |file| may be NULL: then |what| is not found. */
static enum pgrpc_io answer_file(struct stream *stream, const struct reflection_file *file,
                                 const char *what, const char *name)
{
    if (!file)
        return answer_error(stream, PGRPC_NOT_FOUND, what, name);
    Pgrpc__Bundled__ServerReflectionResponse response =
        PGRPC__BUNDLED__SERVER_REFLECTION_RESPONSE__INIT;
    Pgrpc__Bundled__FileDescriptorResponse files = PGRPC__BUNDLED__FILE_DESCRIPTOR_RESPONSE__INIT;
    take_closure(stream, file);
    for (size_t i = 0; i < stream->file_count; i++)
        stream->blobs[i] = (ProtobufCBinaryData){
            stream->files[i]->bytes.len, (uint8_t *)(uintptr_t)stream->files[i]->bytes.data};
    files.n_file_descriptor_proto = stream->file_count;
    files.file_descriptor_proto = stream->blobs;
    response.message_response_case =
        PGRPC__BUNDLED__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response.file_descriptor_response = &files;
    enum pgrpc_io io = answer(stream, &response);
    if (io == PGRPC_IO_DONE)
        note_sent(stream);
    return io;
}

static enum pgrpc_io answer_extension(struct stream *stream,
                                      const Pgrpc__Bundled__ExtensionRequest *wanted)
{
    const char *message = wanted ? wanted->containing_type : "";
    int32_t number = wanted ? wanted->extension_number : 0;
    return answer_file(
        stream, pgrpc__reflection_find_extension(&stream->reflection->index, message, number),
        "extension not found, of message", message);
}

static enum pgrpc_io answer_numbers(struct stream *stream, const char *message)
{
    const struct reflection_index *index = &stream->reflection->index;
    const struct reflection_extension *first;
    enum descriptor_kind kind = DESCRIPTOR_NONE;
    size_t count = pgrpc__reflection_extensions_of(index, message, &first);
    if (count == 0)
        pgrpc__reflection_find_symbol(index, message, &kind);
    if (count == 0 && kind != DESCRIPTOR_MESSAGE)
        return answer_error(stream, PGRPC_NOT_FOUND, "message not found", message);
    Pgrpc__Bundled__ServerReflectionResponse response =
        PGRPC__BUNDLED__SERVER_REFLECTION_RESPONSE__INIT;
    Pgrpc__Bundled__ExtensionNumberResponse numbers =
        PGRPC__BUNDLED__EXTENSION_NUMBER_RESPONSE__INIT;
    for (size_t i = 0; i < count; i++)
        stream->numbers[i] = first[i].extension.number;
    numbers.base_type_name = message;
    numbers.n_extension_number = count;
    numbers.extension_number = stream->numbers;
    response.message_response_case =
        PGRPC__BUNDLED__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
    response.all_extension_numbers_response = &numbers;
    return answer(stream, &response);
}

static enum pgrpc_io answer_list(struct stream *stream)
{
    Pgrpc__Bundled__ServerReflectionResponse response =
        PGRPC__BUNDLED__SERVER_REFLECTION_RESPONSE__INIT;
    response.message_response_case =
        PGRPC__BUNDLED__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response.list_services_response =
        (Pgrpc__Bundled__ListServiceResponse *)(uintptr_t)&stream->reflection->list;
    return answer(stream, &response);
}

static enum pgrpc_io answer_request(struct stream *stream)
{
    const struct reflection_index *index = &stream->reflection->index;
    const Pgrpc__Bundled__ServerReflectionRequest *request = stream->request;
    switch (request->message_request_case) {
    case PGRPC__BUNDLED__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        return answer_file(stream, pgrpc__reflection_find_file(index, request->file_by_filename),
                           "file not found", request->file_by_filename);
    case PGRPC__BUNDLED__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        return answer_file(
            stream, pgrpc__reflection_find_symbol(index, request->file_containing_symbol, NULL),
            "symbol not found", request->file_containing_symbol);
    case PGRPC__BUNDLED__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        return answer_extension(stream, request->file_containing_extension);
    case PGRPC__BUNDLED__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        return answer_numbers(stream, request->all_extension_numbers_of_type);
    case PGRPC__BUNDLED__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        return answer_list(stream);
    default: /* nothing is asked for, or something newer */
        return answer_error(stream, PGRPC_UNIMPLEMENTED, "this kind of request is not known", "");
    }
}

/* --- streams ------------------------------------------------------------------------------------
 */

static void finish(struct stream *stream, enum pgrpc_code code)
{
    if (stream->is_finished)
        return;
    stream->is_finished = true;
    stream->request = NULL;
    pgrpc_call_finish(stream->call, code, NULL);
}

/* Answers until there is nothing to read or no room to send. */
static void pump(struct pgrpc_call *call, void *userdata)
{
    struct stream *stream = userdata;
    while (!stream->is_finished) {
        const void *message;
        enum pgrpc_io io = PGRPC_IO_DONE;
        if (!stream->request) {
            io = pgrpc_call_recv(call, &message, NULL);
            if (io == PGRPC_IO_DONE)
                stream->request = message;
        }
        if (io == PGRPC_IO_DONE) {
            io = answer_request(stream);
            if (io == PGRPC_IO_DONE)
                stream->request = NULL;
        }
        if (io == PGRPC_IO_AGAIN)
            return;
        if (io == PGRPC_IO_END)
            finish(stream, PGRPC_OK);
        else if (io == PGRPC_IO_CLOSED)
            finish(stream, PGRPC_CANCELLED);
    }
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    (void)call;
    finish(userdata, PGRPC_CANCELLED);
}

static struct stream *new_stream(const struct reflection *reflection, struct pgrpc_call *call)
{
    const struct reflection_index *index = &reflection->index;
    size_t files = index->file_count + 1, extensions = index->extension_count + 1;
    struct stream *stream = pgrpc_call_alloc(call, sizeof(*stream));
    if (!stream)
        return NULL;
    *stream = (struct stream){
        .reflection = reflection,
        .call = call,
        .was_sent = pgrpc_call_alloc(call, files * sizeof(*stream->was_sent)),
        .is_taken = pgrpc_call_alloc(call, files * sizeof(*stream->is_taken)),
        .files = pgrpc_call_alloc(call, files * sizeof(*stream->files)),
        .blobs = pgrpc_call_alloc(call, files * sizeof(*stream->blobs)),
        .numbers = pgrpc_call_alloc(call, extensions * sizeof(*stream->numbers)),
    };
    if (!stream->was_sent || !stream->is_taken || !stream->files || !stream->blobs ||
        !stream->numbers)
        return NULL;
    memset(stream->was_sent, 0, files * sizeof(*stream->was_sent));
    return stream;
}

static void info(struct pgrpc_call *call, const void *request, const void *handlers, void *userdata)
{
    static const struct pgrpc_call_events events = {
        .size = sizeof(events), .on_readable = pump, .on_writable = pump, .on_done = on_done};
    struct reflection *reflection = userdata;
    struct stream *stream = make_ready(reflection) ? new_stream(reflection, call) : NULL;
    (void)request;
    (void)handlers;
    if (stream)
        pgrpc_call_set_events(call, &events, stream);
    else
        pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
}

static const struct pgrpc_binding binding = {info, PGRPC_RUN_INLINE};

static const struct pgrpc_method method = {
    .path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    .flags = PGRPC_METHOD_CLIENT_STREAMING | PGRPC_METHOD_SERVER_STREAMING,
    .request_type = &pgrpc__bundled__server_reflection_request__descriptor,
    .reply_type = &pgrpc__bundled__server_reflection_response__descriptor,
};
static const struct pgrpc_service service = {
    .version = PGRPC_CODEGEN_VERSION,
    .method_size = sizeof(struct pgrpc_method),
    .name = "grpc.reflection.v1.ServerReflection",
    .methods = &method,
    .method_count = 1,
    .files = &pgrpc__reflection_file,
    .file_count = 1,
};

static const struct pgrpc_method alpha_method = {
    .path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    .flags = PGRPC_METHOD_CLIENT_STREAMING | PGRPC_METHOD_SERVER_STREAMING,
    .request_type = &pgrpc__bundled__server_reflection_request__descriptor,
    .reply_type = &pgrpc__bundled__server_reflection_response__descriptor,
};
static const struct pgrpc_service alpha_service = {
    .version = PGRPC_CODEGEN_VERSION,
    .method_size = sizeof(struct pgrpc_method),
    .name = "grpc.reflection.v1alpha.ServerReflection",
    .methods = &alpha_method,
    .method_count = 1,
    .files = &pgrpc__reflection_alpha_file,
    .file_count = 1,
};

/* --- life ---------------------------------------------------------------------------------------
 */

static void free_reflection(void *userdata)
{
    struct reflection *reflection = userdata;
    if (atomic_load(&reflection->is_ready))
        pgrpc__reflection_index_clear(&reflection->index);
    pthread_mutex_destroy(&reflection->lock);
    pgrpc__raw_free(&reflection->server->allocator, reflection);
}

static struct reflection *new_reflection(struct pgrpc_server *server)
{
    struct reflection *reflection = pgrpc__raw_zalloc(&server->allocator, sizeof(*reflection));
    if (!reflection)
        return NULL;
    if (pthread_mutex_init(&reflection->lock, NULL)) {
        pgrpc__raw_free(&server->allocator, reflection);
        return NULL;
    }
    reflection->server = server;
    atomic_init(&reflection->is_ready, false);
    return reflection;
}

enum pgrpc_code pgrpc_reflection_register(struct pgrpc_server *server)
{
    if (atomic_load(&server->is_started))
        return pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION,
                                  "register the reflection service before the server starts");
    struct reflection *reflection = new_reflection(server);
    if (!reflection)
        return pgrpc__server_fail(server, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    struct server_hook hook = {.on_free = free_reflection, .userdata = reflection};
    enum pgrpc_code code = pgrpc__server_add_hook(server, &hook);
    if (code) {
        free_reflection(reflection);
        return code;
    }
    /* From here on the server owns it, also when it is not used. */
    code = pgrpc_server_register(server, &service, &binding, NULL, reflection);
    if (code == PGRPC_OK)
        code = pgrpc_server_register(server, &alpha_service, &binding, NULL, reflection);
    return code;
}
