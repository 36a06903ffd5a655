#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "rpc/stream.h"
#include "wire/base64.h"
#include "wire/details.h"
#include "wire/percent.h"
#include "wire/status.h"
#include "wire/timeout.h"

enum {
    REQUEST_FIELDS = 12, /* those of the library */
    SNIPPET_MAX = 160,
    CONTENT_TYPE_MAX = 80
};

/* --- the request --------------------------------------------------------------------------------
 */

/* "application/grpc" serves protobuf and raw bytes; other codecs name themselves (rule 5). */
static const char *content_type(struct pgrpc_call *call, struct fields *fields)
{
    if (call->codec == &pgrpc_codec_proto || call->codec == &pgrpc_codec_raw)
        return "application/grpc";
    const char *text = pgrpc__arena_printf(fields->arena, "application/grpc+%s", call->codec->name);
    if (!text)
        fields->failed = true;
    return text ? text : "";
}

static void add_head(struct pgrpc_call *call, struct fields *fields, char timeout[TIMEOUT_TEXT_MAX])
{
    const struct rpc_host *host = call->host;
    FIELDS_ADD(fields, ":method", "POST", 4);
    FIELDS_ADD(fields, ":scheme", host->scheme, strlen(host->scheme));
    FIELDS_ADD(fields, ":path", call->path, strlen(call->path));
    FIELDS_ADD(fields, ":authority", host->authority, strlen(host->authority));
    if (call->deadline_ms != INT64_MAX) {
        int64_t left = call->deadline_ms - loop_now(call->loop);
        FIELDS_ADD(fields, "grpc-timeout", timeout,
                   pgrpc__timeout_format(left > 0 ? left : 1, timeout));
    }
    FIELDS_ADD(fields, "te", "trailers", 8);
    const char *type = content_type(call, fields);
    FIELDS_ADD(fields, "content-type", type, strlen(type));
    FIELDS_ADD(fields, "user-agent", host->user_agent, strlen(host->user_agent));
    if (call->send_encoding != ENCODING_IDENTITY) {
        const char *name = pgrpc__encoding_name((enum encoding)call->send_encoding);
        FIELDS_ADD(fields, "grpc-encoding", name, strlen(name));
    }
    FIELDS_ADD(fields, "grpc-accept-encoding", ENCODING_ACCEPTED, sizeof(ENCODING_ACCEPTED) - 1);
    pgrpc__fields_add_all(fields, call->metadata, call->metadata_count);
}

static int open_stream(struct pgrpc_call *call, struct h2_link *link, const struct fields *fields)
{
    struct rpc_stream *stream = pgrpc__rpc_stream_new(call);
    if (!stream)
        return -ENOMEM;
    stream->link = link;
    bool end_stream = call->is_send_closed && pgrpc__call_output_ready(call) == 0;
    int result = pgrpc__h2_connection_open(pgrpc__h2_link_connection(link), &stream->h2,
                                           fields->entries, fields->count, end_stream);
    if (result == 0)
        call->stream = stream;
    else
        pgrpc__rpc_stream_free(stream);
    return result;
}

int pgrpc__rpc_stream_open(struct pgrpc_call *call, struct h2_link *link)
{
    char memory[FIELDS_SCRATCH_LEN];
    char timeout[TIMEOUT_TEXT_MAX];
    struct arena scratch;
    struct fields fields;
    pgrpc__arena_init(&scratch, &call->loop->mem.allocator, memory, sizeof(memory));
    pgrpc__fields_init(&fields, &scratch, REQUEST_FIELDS + call->metadata_count);
    add_head(call, &fields, timeout);
    int result = fields.failed ? -ENOMEM : open_stream(call, link, &fields);
    pgrpc__arena_clear(&scratch);
    return result;
}

/* --- the response head --------------------------------------------------------------------------
 */

/* What a block of fields says beside metadata. */
struct response {
    unsigned http_status;
    const struct header_field *content_type;
    const struct header_field *encoding;
    const struct header_field *status;
    const struct header_field *message;
    const struct header_field *details;
};

/* Sorts |head| into |response| and |metadata|. */
static enum pgrpc_code read_fields(const struct h2_head *head, struct response *response,
                                   struct pgrpc_metadata *metadata, struct error_text *error)
{
    memset(response, 0, sizeof(*response));
    for (size_t i = 0; i < head->count; i++) {
        const struct header_field *field = &head->fields[i];
        enum header_id id = pgrpc__header_find(field->name, field->name_len);
        switch (id) {
        case HEADER_STATUS:
            for (size_t j = 0; j < field->value_len && j < 3; j++)
                response->http_status =
                    response->http_status * 10 + (unsigned)(field->value[j] - '0');
            break;
        case HEADER_CONTENT_TYPE:
            response->content_type = field;
            break;
        case HEADER_GRPC_ENCODING:
            response->encoding = field;
            break;
        case HEADER_GRPC_STATUS:
            response->status = field;
            break;
        case HEADER_GRPC_MESSAGE:
            response->message = field;
            break;
        case HEADER_GRPC_STATUS_DETAILS_BIN:
            response->details = field;
            break;
        default: {
            enum pgrpc_code code = pgrpc__metadata_add_field(
                metadata, id, field->name, field->name_len, field->value, field->value_len, error);
            if (code)
                return code;
        }
        }
    }
    return PGRPC_OK;
}

static bool is_grpc(const struct header_field *content_type)
{
    const char *subtype;
    size_t subtype_len;
    return pgrpc__content_type_parse(content_type->value, content_type->value_len, &subtype,
                                     &subtype_len);
}

/* --- the end ------------------------------------------------------------------------------------
 */

/* The response ended cleanly without a status: what the messages and the HTTP status say. */
static void complete_without_status(struct rpc_stream *stream)
{
    struct pgrpc_call *call = stream->call;
    if (pgrpc__deframer_is_inside(&stream->deframer))
        pgrpc__call_end(call, PGRPC_INTERNAL, "the response ended inside a message");
    else if (stream->http_status != 200)
        pgrpc__call_end(call, pgrpc__status_from_http(stream->http_status),
                        "HTTP status %u without grpc-status", stream->http_status);
    else
        pgrpc__call_end(call, PGRPC_UNKNOWN, "the response ended without grpc-status");
}

/* Bytes of grpc-status-details-bin, NULL when they are not base64 (only the details are lost then).
 */
static const void *decode_details(struct pgrpc_call *call, const struct header_field *field,
                                  size_t *len)
{
    uint8_t *data = pgrpc__arena_alloc(&call->arena, base64_decoded_max(field->value_len));
    if (data && pgrpc__base64_decode(field->value, field->value_len, data, len))
        return data;
    pgrpc__log(PGRPC_LOG_WARNING, "grpc-status-details-bin is not base64", NULL, 0);
    *len = 0;
    return NULL;
}

/* The status is there: complete, unless the messages contradict an OK. */
static void complete_with_status(struct rpc_stream *stream, const struct response *response)
{
    struct pgrpc_call *call = stream->call;
    enum pgrpc_code code =
        pgrpc__status_parse(response->status->value, response->status->value_len);
    if (code == PGRPC_OK) {
        if (pgrpc__deframer_is_inside(&stream->deframer))
            pgrpc__call_end(call, PGRPC_INTERNAL, "the response ended inside a message");
        else if (!call_is_server_streaming(call) && call->received_count == 0)
            pgrpc__call_end(call, RPC_CARDINALITY_CODE, "status OK without a reply message");
        else
            pgrpc__call_complete(call, PGRPC_OK, NULL, 0, NULL, 0, H2_NO_ERROR);
        return;
    }
    const char *message = "";
    if (response->message && pgrpc__percent_decode(&call->arena, response->message->value,
                                                   response->message->value_len, &message))
        message = "(no memory for the server's text)";
    size_t details_len = 0;
    const void *details = NULL;
    if (response->details)
        details = decode_details(call, response->details, &details_len);
    pgrpc__call_complete(call, code, message, strlen(message), details, details_len, H2_NO_ERROR);
}

/* Trailers, or a head that is the whole response. */
static void take_trailers(struct rpc_stream *stream, const struct response *response)
{
    stream->call->has_trailers = true;
    if (response->status)
        complete_with_status(stream, response);
    else
        complete_without_status(stream);
}

/* Not a gRPC response: its body becomes part of the text. */
static void start_foreign_body(struct rpc_stream *stream, const struct header_field *content_type)
{
    struct pgrpc_call *call = stream->call;
    stream->is_body_foreign = true;
    stream->snippet = pgrpc__arena_alloc(&call->arena, SNIPPET_MAX + CONTENT_TYPE_MAX + 32);
    if (!stream->snippet)
        return;
    int len = 0;
    if (content_type)
        len = snprintf(stream->snippet, CONTENT_TYPE_MAX + 32, "content-type %.*s, body: ",
                       (int)(content_type->value_len < CONTENT_TYPE_MAX ? content_type->value_len
                                                                        : CONTENT_TYPE_MAX),
                       content_type->value);
    else
        len = snprintf(stream->snippet, CONTENT_TYPE_MAX + 32, "no content-type, body: ");
    stream->snippet_len = len > 0 ? (size_t)len : 0;
}

static void complete_foreign(struct rpc_stream *stream)
{
    enum pgrpc_code code =
        stream->http_status == 200 ? PGRPC_UNKNOWN : pgrpc__status_from_http(stream->http_status);
    pgrpc__call_end(stream->call, code, "not a gRPC response: HTTP status %u, %.*s",
                    stream->http_status, (int)stream->snippet_len,
                    stream->snippet ? stream->snippet : "");
}

void pgrpc__rpc_client_foreign_body(struct rpc_stream *stream, const uint8_t *data, size_t len,
                                    bool end_stream)
{
    size_t max = SNIPPET_MAX + CONTENT_TYPE_MAX + 31;
    size_t taken = 0;
    for (; stream->snippet && taken < len && stream->snippet_len < max; taken++)
        stream->snippet[stream->snippet_len++] =
            data[taken] >= 0x20 && data[taken] <= 0x7e ? (char)data[taken] : ' ';
    if (end_stream || taken < len || !stream->snippet)
        complete_foreign(stream);
}

/* The head of a response that goes on. */
static void take_head(struct rpc_stream *stream, const struct response *response)
{
    struct pgrpc_call *call = stream->call;
    if (!response->content_type ? stream->http_status != 200 : !is_grpc(response->content_type)) {
        start_foreign_body(stream, response->content_type);
        return;
    }
    if (response->encoding) {
        enum encoding encoding;
        if (!pgrpc__encoding_find(response->encoding->value, response->encoding->value_len,
                                  &encoding)) {
            pgrpc__call_end(
                call, PGRPC_INTERNAL, "the server compresses with %.*s, which was not offered",
                (int)(response->encoding->value_len < 40 ? response->encoding->value_len : 40),
                response->encoding->value);
            return;
        }
        call->receive_encoding = (uint8_t)encoding;
    }
    pgrpc__call_commit(call);
    call->has_headers = true;
    pgrpc__call_notify(call, CALL_EVENT_HEADERS);
}

void pgrpc__rpc_client_head(struct rpc_stream *stream, const struct h2_head *head,
                            enum h2_head_kind kind, bool end_stream)
{
    struct pgrpc_call *call = stream->call;
    if (kind == H2_HEAD_INFORMATIONAL)
        return;
    struct response response;
    struct error_text error;
    struct pgrpc_metadata *metadata = end_stream ? &call->trailers : &call->headers;
    enum pgrpc_code code = read_fields(head, &response, metadata, &error);
    if (code) {
        pgrpc__call_end(call, code, "%s", error.text);
        return;
    }
    if (kind == H2_HEAD_RESPONSE) {
        stream->http_status = response.http_status;
        pgrpc__call_set_peer(call, stream->link);
    }
    if (!end_stream) {
        take_head(stream, &response);
    } else if (stream->is_body_foreign && !response.status) {
        complete_foreign(stream);
    } else if (kind == H2_HEAD_RESPONSE && !response.status &&
               (response.content_type ? !is_grpc(response.content_type)
                                      : response.http_status != 200)) {
        start_foreign_body(stream, response.content_type);
        complete_foreign(stream);
    } else {
        take_trailers(stream, &response);
    }
}

void pgrpc__rpc_client_ended(struct rpc_stream *stream)
{
    complete_without_status(stream);
}

/* --- the stream is over -------------------------------------------------------------------------
 */

static const char *h2_error_name(uint32_t code)
{
    static const char *const names[] = {"NO_ERROR",
                                        "PROTOCOL_ERROR",
                                        "INTERNAL_ERROR",
                                        "FLOW_CONTROL_ERROR",
                                        "SETTINGS_TIMEOUT",
                                        "STREAM_CLOSED",
                                        "FRAME_SIZE_ERROR",
                                        "REFUSED_STREAM",
                                        "CANCEL",
                                        "COMPRESSION_ERROR",
                                        "CONNECT_ERROR",
                                        "ENHANCE_YOUR_CALM",
                                        "INADEQUATE_SECURITY",
                                        "HTTP_1_1_REQUIRED"};
    return code < sizeof(names) / sizeof(names[0]) ? names[code] : "unknown error";
}

static void end_by_reset(struct pgrpc_call *call, uint32_t code, bool by_peer)
{
    if (code == H2_CANCEL && by_peer)
        atomic_store_explicit(&call->is_cancelled, true, memory_order_release);
    /* A server that enforces the deadline too may be faster than our timer (rule 48), and a proxy
     * may make any code of its CANCEL. */
    if (by_peer && call->deadline_ms <= loop_now(call->loop))
        pgrpc__call_end(call, PGRPC_DEADLINE_EXCEEDED, "deadline of %lld ms exceeded",
                        (long long)call->timeout_ms);
    else if (by_peer)
        pgrpc__call_end(call, pgrpc__status_from_reset(code),
                        "the server reset the stream: %s (%u)", h2_error_name(code),
                        (unsigned)code);
    else
        pgrpc__call_end(call,
                        code == H2_ENHANCE_YOUR_CALM ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_INTERNAL,
                        code == H2_ENHANCE_YOUR_CALM
                            ? "the response headers exceed max_metadata_bytes"
                            : "the server broke the HTTP/2 protocol on this stream: %s",
                        h2_error_name(code));
}

void pgrpc__rpc_client_closed(struct rpc_stream *stream, struct pgrpc_call *call, enum h2_end end,
                              uint32_t code)
{
    const char *text =
        stream->h2.connection ? pgrpc__h2_connection_close_text(stream->h2.connection) : "";
    switch (end) {
    case H2_END_NORMAL:
        pgrpc__call_end(call, PGRPC_INTERNAL, "the stream ended without a status");
        break;
    case H2_END_REFUSED:
        if (!pgrpc__call_replay(call, true))
            pgrpc__call_end(call, PGRPC_UNAVAILABLE, "the server refused the stream");
        break;
    case H2_END_UNSENT:
        if (!pgrpc__call_replay(call, false))
            pgrpc__call_end(call, PGRPC_UNAVAILABLE, "%s", text);
        break;
    case H2_END_LOST:
        atomic_store_explicit(&call->is_cancelled, true, memory_order_release);
        pgrpc__call_end(call, PGRPC_UNAVAILABLE, "%s", *text ? text : "the connection was lost");
        break;
    case H2_END_RESET:
        end_by_reset(call, code, true);
        break;
    case H2_END_VIOLATION:
        end_by_reset(call, code, false);
        break;
    }
}
