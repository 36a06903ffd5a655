#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "rpc/call.h"
#include "rpc/fields.h"
#include "rpc/stream.h"

enum { FINISH_TEXT_MAX = 1024 };

/* --- the way to the handler ---------------------------------------------------------------------
 */

void pgrpc__call_request_ready(struct pgrpc_call *call)
{
    call->stage = CALL_STAGE_INTERCEPT;
    pgrpc__call_schedule(call);
}

/* The handler is done with the call, or never got it. Lock held. */
static void leave_handler(struct pgrpc_call *call)
{
    call->has_handler = false;
    pgrpc__h2_connection_unhold(&call->hold);
    pgrpc__call_unref_locked(call);
}

void pgrpc__call_run_handler(struct pgrpc_call *call)
{
    const struct rpc_target *target = call->target;
    struct pgrpc_loop *loop = call->loop;
    const void *request = NULL;
    call->is_queued = false;
    if (call->is_finished || call->is_complete) {
        pgrpc__h2_connection_unhold(&call->hold);
        return;
    }
    call->has_handler = true;
    pgrpc_call_ref(call);
    pgrpc__loop_leave_lock(loop);
    /* The request of a method without client streaming lives as long as the call: nothing receives
     * after it. */
    bool runs =
        call_is_client_streaming(call) || pgrpc_call_recv(call, &request, NULL) == PGRPC_IO_DONE;
    if (runs)
        target->binding.invoke(call, request, target->handlers, target->userdata);
    pgrpc__loop_take_lock(loop);
    if (!runs)
        leave_handler(call);
}

void pgrpc_call_set_events(struct pgrpc_call *call, const struct pgrpc_call_events *events,
                           void *userdata)
{
    if (pgrpc__loop_take_lock(call->loop))
        return;
    if (!call->is_server || call->is_blocking) {
        pgrpc__call_misuse(call, "pgrpc_call_set_events is for server calls that run inline");
    } else {
        memset(&call->events, 0, sizeof(call->events));
        if (events)
            memcpy(&call->events, events,
                   events->size && events->size < sizeof(*events) ? events->size : sizeof(*events));
        call->userdata = userdata;
        /* Something may have come before anybody listened. */
        pgrpc__call_notify(call, CALL_EVENT_READABLE);
    }
    pgrpc__loop_leave_lock(call->loop);
}

/* --- the answer ---------------------------------------------------------------------------------
 */

/* Fixes the status, once. Lock held. */
static void decide(struct pgrpc_call *call, const struct pgrpc_status *status)
{
    call->is_finished = true;
    call->status.code = status->code;
    call->status.message = "";
    if (status->message && *status->message) {
        char *text = pgrpc__arena_strndup(&call->arena, status->message, strlen(status->message));
        call->status.message = text ? text : "(no memory for the text of this status)";
    }
    call->status.details = NULL;
    call->status.details_len = 0;
    if (status->details_len && status->code != PGRPC_OK) {
        call->status.details =
            pgrpc__arena_memdup(&call->arena, status->details, status->details_len);
        call->status.details_len = call->status.details ? status->details_len : 0;
    }
}

void pgrpc__call_reject(struct pgrpc_call *call, unsigned http_status, enum pgrpc_code code,
                        const char *text)
{
    if (call->is_finished || call->is_complete)
        return;
    struct pgrpc_status status = {code, text, NULL, 0};
    if (!call->is_headers_sent)
        call->http_status = http_status;
    decide(call, &status);
    if (!call->has_handler)
        call->stage = CALL_STAGE_REJECT;
    /* Rejections come from inside the parser: the answer is sent at the top of the turn. */
    call->needs_answer = true;
    pgrpc__call_schedule(call);
}

void pgrpc__call_answer(struct pgrpc_call *call)
{
    if (!call->needs_answer)
        return;
    call->needs_answer = false;
    pgrpc__call_drop_input(call);
    if (call->stream)
        pgrpc__rpc_stream_finish(call->stream);
}

/* --- finishing ----------------------------------------------------------------------------------
 */

void pgrpc__call_hold(struct pgrpc_call *call)
{
    if (call->has_handler || call->is_queued)
        pgrpc__h2_connection_hold(pgrpc__h2_link_connection(call->link), &call->hold);
    call->link = NULL;
}

/* A client's call, or a server's before its handler: interceptors end those. Lock held. */
static enum pgrpc_code finish_early(struct pgrpc_call *call, const struct pgrpc_status *status)
{
    if (call->is_complete || call->is_finished)
        return PGRPC_FAILED_PRECONDITION;
    if (call->is_server) {
        pgrpc__call_reject(call, 200, status->code, status->message);
        if (status->details_len)
            decide(call, status);
    } else {
        pgrpc__call_drop_input(call);
        atomic_store_explicit(&call->is_cancelled, true, memory_order_release);
        pgrpc__call_complete(call, status->code, status->message,
                             status->message ? strlen(status->message) : 0, status->details,
                             status->details_len, H2_CANCEL);
    }
    return PGRPC_OK;
}

enum pgrpc_code pgrpc__call_finish(struct pgrpc_call *call, const struct pgrpc_status *status)
{
    enum pgrpc_code code = PGRPC_OK;
    struct pgrpc_status checked = *status;
    if ((unsigned)checked.code > PGRPC_UNAUTHENTICATED)
        checked.code = PGRPC_UNKNOWN;
    if (call->was_handled) {
        pgrpc__call_misuse(call, "the call was finished before: finish it once");
        code = PGRPC_FAILED_PRECONDITION;
    } else if (!call->has_handler) {
        code = finish_early(call, &checked);
        if (code)
            pgrpc__call_misuse(call, "the call is over");
    } else {
        static const struct pgrpc_status no_reply = {
            PGRPC_INTERNAL, "the handler finished with OK and without its reply", NULL, 0};
        if (checked.code == PGRPC_OK && !call_is_server_streaming(call) && !call->sent_count)
            checked = no_reply;
        call->was_handled = true;
        if (!call->is_finished && !call->is_complete) {
            decide(call, &checked);
            call->needs_answer = true;
        }
        pgrpc__call_answer(call);
        leave_handler(call);
    }
    return code;
}

static enum pgrpc_code finish(struct pgrpc_call *call, const struct pgrpc_status *status)
{
    struct pgrpc_loop *loop = call->loop;
    if (pgrpc__loop_take_lock(loop))
        return PGRPC_FAILED_PRECONDITION;
    enum pgrpc_code code = pgrpc__call_finish(call, status);
    pgrpc__loop_leave_lock(loop);
    return code;
}

enum pgrpc_code pgrpc_call_finish(struct pgrpc_call *call, enum pgrpc_code code, const char *format,
                                  ...)
{
    char text[FINISH_TEXT_MAX];
    text[0] = '\0';
    if (format) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
    }
    struct pgrpc_status status = {code, text, NULL, 0};
    return finish(call, &status);
}

enum pgrpc_code pgrpc_call_finish_status(struct pgrpc_call *call, const struct pgrpc_status *status)
{
    return finish(call, status);
}

void pgrpc_call_reply(struct pgrpc_call *call, const void *reply)
{
    static const struct pgrpc_status ok = {PGRPC_OK, "", NULL, 0};
    switch (pgrpc__call_send(call, reply, PGRPC_MESSAGE_LAST, &ok)) {
    case PGRPC_IO_DONE:
        break;
    case PGRPC_IO_AGAIN:
        /* The first message of a call always fits, so this is a second one. */
        pgrpc_call_finish(call, PGRPC_INTERNAL, "the handler replied twice");
        break;
    default:
        /* The status is decided already: this only gives the call up. */
        finish(call, &ok);
        break;
    }
}

/* --- headers and trailers -----------------------------------------------------------------------
 */

static enum pgrpc_code append(struct pgrpc_call *call, const struct pgrpc_metadatum *entry,
                              struct header_field **array, size_t *count, size_t *cap)
{
    struct error_text error;
    struct header_field *encoded = NULL;
    enum pgrpc_code code = pgrpc__metadata_encode(entry, 1, &call->arena, &encoded, &error);
    struct fields fields = {&call->arena, *array, *count, *cap, false};
    if (code == PGRPC_OK)
        pgrpc__fields_add_all(&fields, encoded, 1);
    if (code == PGRPC_RESOURCE_EXHAUSTED || fields.failed) {
        call->error = "out of memory";
        return PGRPC_RESOURCE_EXHAUSTED;
    }
    if (code) {
        const char *text = pgrpc__arena_printf(&call->arena, "%s", error.text);
        pgrpc__call_misuse(call, text ? text : "this metadata is not allowed");
        return PGRPC_INVALID_ARGUMENT;
    }
    *array = fields.entries;
    *count = fields.count;
    *cap = fields.cap;
    return PGRPC_OK;
}

enum pgrpc_code pgrpc_call_add_header(struct pgrpc_call *call, const struct pgrpc_metadatum *header)
{
    if (pgrpc__loop_take_lock(call->loop))
        return PGRPC_FAILED_PRECONDITION;
    enum pgrpc_code code = PGRPC_FAILED_PRECONDITION;
    if (call->is_complete || call->is_finished)
        call->error = "the call is over";
    else if (call->is_server ? call->is_headers_sent : call->stage != CALL_STAGE_INTERCEPT)
        pgrpc__call_misuse(call, "headers were sent: add them before the first message, on the "
                                 "client's side in an interceptor's on_start");
    else
        code = append(call, header, &call->metadata, &call->metadata_count, &call->metadata_cap);
    pgrpc__loop_leave_lock(call->loop);
    return code;
}

enum pgrpc_code pgrpc_call_add_trailer(struct pgrpc_call *call,
                                       const struct pgrpc_metadatum *trailer)
{
    if (pgrpc__loop_take_lock(call->loop))
        return PGRPC_FAILED_PRECONDITION;
    enum pgrpc_code code = PGRPC_FAILED_PRECONDITION;
    if (!call->is_server)
        pgrpc__call_misuse(call, "a client has no trailers");
    else if (call->is_complete || call->is_finished)
        call->error = "the call is over";
    else
        code =
            append(call, trailer, &call->trailer_fields, &call->trailer_count, &call->trailer_cap);
    pgrpc__loop_leave_lock(call->loop);
    return code;
}

enum pgrpc_code pgrpc_call_set_compression(struct pgrpc_call *call, const char *name)
{
    if (pgrpc__loop_take_lock(call->loop))
        return PGRPC_FAILED_PRECONDITION;
    enum pgrpc_code code = PGRPC_OK;
    enum encoding encoding;
    if (!name || !pgrpc__encoding_find(name, strlen(name), &encoding)) {
        pgrpc__call_misuse(call, "unknown compression: use gzip, deflate or identity");
        code = PGRPC_INVALID_ARGUMENT;
    } else if (!call->is_server || call->is_headers_sent || !call->stream) {
        pgrpc__call_misuse(call, "compression is chosen before the response headers are sent");
        code = PGRPC_FAILED_PRECONDITION;
    } else if (call->stream->accepted & (1u << encoding)) {
        call->send_encoding = (uint8_t)encoding;
    }
    pgrpc__loop_leave_lock(call->loop);
    return code;
}
