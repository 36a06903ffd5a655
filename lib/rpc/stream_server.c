#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "rpc/stream.h"
#include "wire/base64.h"
#include "wire/path.h"
#include "wire/percent.h"
#include "wire/status.h"
#include "wire/timeout.h"

enum {
    RESPONSE_FIELDS = 10,
    MESSAGE_ENCODED_MAX = 4096 /* grpc-message on the wire: a long text must not cost the status */
};

/* --- the request head ---------------------------------------------------------------------------
 */

/* What the head of a request says. */
struct request {
    const struct header_field *method;
    const struct header_field *path;
    const struct header_field *authority;
    const struct header_field *host;
    const struct header_field *content_type;
    const struct header_field *te;
    const struct header_field *encoding;
    const struct header_field *accept;
    const struct header_field *timeout;
    bool has_two_authorities;
};

static void note(const struct header_field **place, const struct header_field *field)
{
    if (!*place)
        *place = field;
}

static enum pgrpc_code read_fields(const struct h2_head *head, struct request *request,
                                   struct pgrpc_metadata *metadata, struct error_text *error)
{
    memset(request, 0, sizeof(*request));
    enum pgrpc_code code = PGRPC_OK;
    for (size_t i = 0; i < head->count; i++) {
        const struct header_field *field = &head->fields[i];
        enum header_id id = pgrpc__header_find(field->name, field->name_len);
        switch (id) {
        case HEADER_METHOD:
            note(&request->method, field);
            continue;
        case HEADER_PATH:
            note(&request->path, field);
            continue;
        case HEADER_HOST:
            request->has_two_authorities |= request->host != NULL;
            note(&request->host, field);
            continue;
        case HEADER_CONTENT_TYPE:
            note(&request->content_type, field);
            continue;
        case HEADER_TE:
            note(&request->te, field);
            continue;
        case HEADER_GRPC_ENCODING:
            note(&request->encoding, field);
            continue;
        case HEADER_GRPC_ACCEPT_ENCODING:
            note(&request->accept, field);
            continue;
        case HEADER_GRPC_TIMEOUT:
            note(&request->timeout, field);
            continue;
        case HEADER_AUTHORITY:
            request->has_two_authorities |= request->authority != NULL;
            note(&request->authority, field);
            break;
        default:
            break;
        }
        /* All fields are looked at, also after a bad one: the rest decides how to answer. */
        enum pgrpc_code added = pgrpc__metadata_add_field(
            metadata, id, field->name, field->name_len, field->value, field->value_len, error);
        if (added && !code)
            code = added;
    }
    return code;
}

static bool equals(const struct header_field *field, const char *text)
{
    return field && field->value_len == strlen(text) &&
           memcmp(field->value, text, field->value_len) == 0;
}

/* Routes the request: the target and codec, or a rejection. */
static void route(struct rpc_stream *stream, struct pgrpc_call *call, const struct request *request)
{
    struct path_parts parts;
    struct rpc_host *host = call->host;
    const char *subtype = "";
    size_t subtype_len = 0;
    if (!equals(request->method, "POST")) {
        pgrpc__call_reject(call, 405, PGRPC_INTERNAL, "gRPC requests use POST");
        return;
    }
    if (!request->content_type ||
        !pgrpc__content_type_parse(request->content_type->value, request->content_type->value_len,
                                   &subtype, &subtype_len)) {
        pgrpc__call_reject(call, 415, PGRPC_INTERNAL, "the content-type is not application/grpc");
        return;
    }
    stream->content_type_len = (size_t)(subtype + subtype_len - request->content_type->value);
    if (subtype_len)
        stream->content_type = pgrpc__arena_strndup(&call->arena, request->content_type->value,
                                                    stream->content_type_len);
    size_t path_len = strlen(call->path);
    call->target = host->dispatcher->find(host, call->path, path_len);
    /* The path of a registered method needs no look. */
    if ((!call->target || call->target->is_fallback) &&
        !pgrpc__path_split(call->path, path_len, &parts)) {
        pgrpc__call_reject(call, 200, PGRPC_UNIMPLEMENTED, "the path is not /service/method");
        return;
    }
    if (!call->target) {
        char text[160];
        snprintf(text, sizeof(text), "unknown method %.*s of service %.*s",
                 (int)(parts.method_len < 50 ? parts.method_len : 50), parts.method,
                 (int)(parts.service_len < 70 ? parts.service_len : 70), parts.service);
        pgrpc__call_reject(call, 200, PGRPC_UNIMPLEMENTED, text);
        return;
    }
    call->method = call->target->method;
    bool is_default = subtype_len == 0 || (subtype_len == 5 && memcmp(subtype, "proto", 5) == 0);
    if (call->target->is_fallback || (is_default && call->method->codec))
        call->codec = call->method->codec;
    else
        call->codec = host->dispatcher->find_codec(host, subtype, subtype_len);
    if (!call->codec)
        pgrpc__call_reject(call, 200, PGRPC_UNIMPLEMENTED,
                           "no codec for this content-subtype is registered");
    else if (!call->target->binding.invoke)
        pgrpc__call_reject(call, 200, PGRPC_UNIMPLEMENTED, "this method is not implemented here");
}

static void check_headers(struct rpc_stream *stream, struct pgrpc_call *call,
                          const struct request *request)
{
    stream->accepted = 1u << ENCODING_IDENTITY;
    if (request->accept)
        stream->accepted =
            pgrpc__encoding_parse_accepted(request->accept->value, request->accept->value_len);
    if (request->has_two_authorities ||
        (request->authority && request->host &&
         !(request->authority->value_len == request->host->value_len &&
           memcmp(request->authority->value, request->host->value, request->host->value_len) == 0)))
        pgrpc__call_reject(call, 400, PGRPC_INTERNAL, "the request names several authorities");
    if (!equals(request->te, "trailers")) {
        if (call->host->is_strict_te)
            pgrpc__call_reject(call, 400, PGRPC_INTERNAL, "the request lacks te: trailers");
        else
            pgrpc__log(PGRPC_LOG_INFO,
                       "a request lacks te: trailers; a proxy on the way may drop "
                       "trailers",
                       NULL, 0);
    }
    if (request->encoding) {
        enum encoding encoding = ENCODING_IDENTITY;
        if (!pgrpc__encoding_find(request->encoding->value, request->encoding->value_len,
                                  &encoding))
            pgrpc__call_reject(call, 200, PGRPC_UNIMPLEMENTED,
                               "messages compressed like this cannot be read: see "
                               "grpc-accept-encoding");
        call->receive_encoding = (uint8_t)encoding;
        /* What the client says that it takes counts; without a word, what it sends itself. */
        if (!request->accept)
            stream->accepted |= 1u << encoding;
    }
    if (request->timeout) {
        int64_t timeout_ms;
        if (!pgrpc__timeout_parse(request->timeout->value, request->timeout->value_len,
                                  &timeout_ms))
            pgrpc__call_reject(call, 200, PGRPC_INTERNAL, "malformed grpc-timeout");
        else if (pgrpc__call_set_deadline(call, timeout_ms))
            pgrpc__call_reject(call, 200, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    }
}

static enum pgrpc_code fill(struct rpc_stream *stream, struct pgrpc_call *call,
                            const struct h2_head *head)
{
    struct request request;
    struct error_text error;
    enum pgrpc_code code = read_fields(head, &request, &call->headers, &error);
    if (code == PGRPC_RESOURCE_EXHAUSTED && call->arena.out_of_memory)
        return code;
    if (!request.authority && request.host) {
        struct error_text ignored;
        pgrpc__metadata_add_field(&call->headers, HEADER_AUTHORITY, ":authority", 10,
                                  request.host->value, request.host->value_len, &ignored);
    }
    call->path = request.path ? pgrpc__arena_strndup(&call->arena, request.path->value,
                                                     request.path->value_len)
                              : "";
    if (!call->path)
        return PGRPC_RESOURCE_EXHAUSTED;
    call->has_headers = true;
    route(stream, call, &request);
    check_headers(stream, call, &request);
    if (code)
        pgrpc__call_reject(call, 200, code, error.text);
    return PGRPC_OK;
}

struct h2_stream *pgrpc__rpc_accept(struct rpc_host *host, struct h2_link *link,
                                    const struct h2_head *head, bool end_stream)
{
    static const struct pgrpc_method unknown_method = {.path = "", .flags = 3};
    struct pgrpc_call *call = pgrpc__call_new(host, true);
    if (!call)
        return NULL;
    call->method = &unknown_method;
    call->link = link;
    call->is_committed = true;
    call->http_status = 200;
    call->stage = CALL_STAGE_WAIT_REQUEST;
    struct rpc_stream *stream = pgrpc__rpc_stream_new(call);
    if (!stream || fill(stream, call, head)) {
        pgrpc__rpc_stream_free(stream);
        list_remove(&call->node);
        pgrpc__call_unref_locked(call);
        return NULL;
    }
    call->stream = stream;
    pgrpc__call_set_peer(call, link);
    if (call->stage != CALL_STAGE_REJECT && call_is_client_streaming(call))
        pgrpc__call_request_ready(call);
    if (end_stream)
        pgrpc__rpc_server_ended(stream);
    return &stream->h2;
}

/* --- the response -------------------------------------------------------------------------------
 */

static void add_head(struct rpc_stream *stream, struct fields *fields)
{
    struct pgrpc_call *call = stream->call;
    const char *status = "200";
    if (call->http_status != 200) {
        status = pgrpc__arena_printf(&call->arena, "%u", call->http_status);
        fields->failed |= !status;
    }
    FIELDS_ADD(fields, ":status", status, 3);
    if (stream->content_type)
        FIELDS_ADD(fields, "content-type", stream->content_type, stream->content_type_len);
    else
        FIELDS_ADD(fields, "content-type", "application/grpc", 16);
    if (call->send_encoding != ENCODING_IDENTITY) {
        const char *name = pgrpc__encoding_name((enum encoding)call->send_encoding);
        FIELDS_ADD(fields, "grpc-encoding", name, strlen(name));
    }
    FIELDS_ADD(fields, "grpc-accept-encoding", ENCODING_ACCEPTED, sizeof(ENCODING_ACCEPTED) - 1);
    pgrpc__fields_add_all(fields, call->metadata, call->metadata_count);
}

/* The head of most responses. */
static const struct header_field plain_head[] = {
    {":status", "200", 7, 3, false},
    {"content-type", "application/grpc", 12, 16, false},
    {"grpc-accept-encoding", ENCODING_ACCEPTED, 20, sizeof(ENCODING_ACCEPTED) - 1, false}};
enum { PLAIN_HEAD_FIELDS = sizeof(plain_head) / sizeof(plain_head[0]) };

static bool has_plain_head(const struct rpc_stream *stream)
{
    const struct pgrpc_call *call = stream->call;
    return call->http_status == 200 && !stream->content_type &&
           call->send_encoding == ENCODING_IDENTITY && !call->metadata_count;
}

static int respond_with_head(struct rpc_stream *stream)
{
    char memory[FIELDS_SCRATCH_LEN];
    struct arena scratch;
    struct fields fields;
    int result = -ENOMEM;
    pgrpc__arena_init(&scratch, &stream->loop->mem.allocator, memory, sizeof(memory));
    pgrpc__fields_init(&fields, &scratch, RESPONSE_FIELDS + stream->call->metadata_count);
    add_head(stream, &fields);
    if (!fields.failed)
        result = pgrpc__h2_stream_respond(&stream->h2, fields.entries, fields.count, false);
    pgrpc__arena_clear(&scratch);
    return result;
}

int pgrpc__rpc_stream_send_headers(struct rpc_stream *stream)
{
    struct pgrpc_call *call = stream->call;
    if (call->is_headers_sent)
        return 0;
    int result = has_plain_head(stream)
                     ? pgrpc__h2_stream_respond(&stream->h2, plain_head, PLAIN_HEAD_FIELDS, false)
                     : respond_with_head(stream);
    if (result == 0)
        call->is_headers_sent = true;
    return result;
}

static void add_status(struct rpc_stream *stream, struct fields *fields)
{
    struct pgrpc_call *call = stream->call;
    const struct pgrpc_status *status = &call->status;
    FIELDS_ADD(fields, "grpc-status", stream->status_text,
               pgrpc__status_format(status->code, stream->status_text));
    if (status->code != PGRPC_OK && *status->message) {
        const char *text;
        size_t len;
        if (pgrpc__percent_encode(&call->arena, status->message, strlen(status->message),
                                  MESSAGE_ENCODED_MAX, &text, &len) == PGRPC_OK)
            FIELDS_ADD(fields, "grpc-message", text, len);
    }
    if (status->details_len) {
        size_t len = base64_encoded_len(status->details_len);
        char *text = pgrpc__arena_alloc(&call->arena, len);
        if (text) {
            pgrpc__base64_encode(status->details, status->details_len, text);
            FIELDS_ADD(fields, "grpc-status-details-bin", text, len);
        }
    }
    pgrpc__fields_add_all(fields, call->trailer_fields, call->trailer_count);
}

/* Status and trailers without a response head before them. */
static int respond_with_status(struct rpc_stream *stream)
{
    struct pgrpc_call *call = stream->call;
    struct fields *fields = &stream->trailers;
    pgrpc__fields_init(fields, &call->arena,
                       RESPONSE_FIELDS + call->metadata_count + call->trailer_count);
    add_head(stream, fields);
    add_status(stream, fields);
    return fields->failed
               ? -ENOMEM
               : pgrpc__h2_stream_respond(&stream->h2, fields->entries, fields->count, true);
}

void pgrpc__rpc_stream_finish(struct rpc_stream *stream)
{
    struct pgrpc_call *call = stream->call;
    int result = 0;
    /* Trailers-only would show the handler's headers as trailers. */
    if (call->metadata_count)
        (void)pgrpc__rpc_stream_send_headers(stream);
    if (call->is_headers_sent) {
        struct fields *fields = &stream->trailers;
        pgrpc__fields_init(fields, &call->arena, RESPONSE_FIELDS + call->trailer_count);
        add_status(stream, fields);
        if (fields->failed)
            result = -ENOMEM;
        else
            pgrpc__h2_stream_resume(&stream->h2);
    } else {
        result = respond_with_status(stream);
        if (result == -EMSGSIZE) {
            /* More than the client takes: the status matters most. */
            call->metadata_count = 0;
            call->trailer_count = 0;
            call->status.details_len = 0;
            if (call->status.code == PGRPC_OK)
                call->status = (struct pgrpc_status){
                    PGRPC_RESOURCE_EXHAUSTED, "the trailers exceed what the client takes", NULL, 0};
            result = respond_with_status(stream);
        }
        if (result == -EMSGSIZE) {
            call->status.message = "";
            result = respond_with_status(stream);
        }
    }
    if (result)
        pgrpc__call_fail(call, PGRPC_RESOURCE_EXHAUSTED, "no memory to send the status");
}

/* --- ends ---------------------------------------------------------------------------------------
 */

void pgrpc__rpc_server_ended(struct rpc_stream *stream)
{
    struct pgrpc_call *call = stream->call;
    if (call->is_finished)
        return;
    if (pgrpc__deframer_is_inside(&stream->deframer)) {
        pgrpc__call_reject(call, 200, PGRPC_INTERNAL, "the request ended inside a message");
        return;
    }
    if (!call_is_client_streaming(call) && call->received_count == 0) {
        pgrpc__call_reject(call, 200, RPC_CARDINALITY_CODE,
                           "the request ended without its message");
        return;
    }
    pgrpc__call_receive_end(call);
    if (call->stage == CALL_STAGE_WAIT_REQUEST)
        pgrpc__call_request_ready(call);
}

void pgrpc__rpc_server_closed(struct pgrpc_call *call, enum h2_end end, uint32_t code)
{
    if (call->is_finished && (end == H2_END_NORMAL || code == H2_NO_ERROR))
        pgrpc__call_complete(call, call->status.code, NULL, 0, NULL, 0, H2_NO_ERROR);
    else if (end == H2_END_LOST || end == H2_END_UNSENT)
        pgrpc__call_fail(call, PGRPC_CANCELLED, "the connection was lost");
    else if (end == H2_END_VIOLATION)
        pgrpc__call_fail(call, PGRPC_CANCELLED, "the client broke the HTTP/2 protocol");
    else
        pgrpc__call_fail(call, PGRPC_CANCELLED, "cancelled by the client");
}
