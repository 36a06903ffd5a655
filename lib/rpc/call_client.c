#include <errno.h>
#include <string.h>

#include "rpc/call.h"
#include "rpc/fields.h"
#include "rpc/stream.h"

/* Headers of a parent that its children carry on. */
static const char *const TRACE_KEYS[] = {"traceparent", "tracestate", "grpc-trace-bin"};

/* What is wrong with a call before it has started: the first thing counts. */
struct start_error {
    enum pgrpc_code code;
    struct error_text text;
};

/* --- options ------------------------------------------------------------------------------------
 */

static void take_metadata(struct pgrpc_call *call, const struct pgrpc_metadatum *entries,
                          size_t count, struct start_error *error)
{
    if (!count || error->code)
        return;
    struct header_field *encoded = NULL;
    error->code = pgrpc__metadata_encode(entries, count, &call->arena, &encoded, &error->text);
    if (error->code)
        return;
    struct fields fields = {&call->arena, call->metadata, call->metadata_count, call->metadata_cap,
                            false};
    pgrpc__fields_add_all(&fields, encoded, count);
    if (fields.failed) {
        error->code = pgrpc__error_set(&error->text, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    call->metadata = fields.entries;
    call->metadata_count = fields.count;
    call->metadata_cap = fields.cap;
}

/* Deadline, cancellation and trace context of the server call on whose behalf this one is made. */
static void take_parent(struct pgrpc_call *call, const struct pgrpc_call *shown,
                        int64_t *timeout_ms, struct start_error *error)
{
    struct pgrpc_call *parent = (struct pgrpc_call *)(uintptr_t)shown;
    int64_t left = pgrpc_call_remaining_ms(parent);
    if (left != INT64_MAX && (!*timeout_ms || left < *timeout_ms))
        *timeout_ms = left > 0 ? left : -1;
    const struct pgrpc_metadata *headers = pgrpc_call_headers(parent);
    for (size_t i = 0; i < sizeof(TRACE_KEYS) / sizeof(TRACE_KEYS[0]); i++) {
        const struct pgrpc_metadatum *entry = pgrpc_metadata_find(headers, TRACE_KEYS[i]);
        if (entry)
            take_metadata(call, entry, 1, error);
    }
    if (pgrpc__loop_take_lock(parent->loop))
        return;
    if (parent->is_complete) {
        if (!error->code)
            error->code =
                pgrpc__error_set(&error->text, PGRPC_CANCELLED, "the parent call is over");
    } else {
        call->parent = pgrpc_call_ref(parent);
        list_add_tail(&parent->children, &call->parent_node);
    }
    pgrpc__loop_leave_lock(parent->loop);
}

static void take_options(struct pgrpc_call *call, const struct pgrpc_call_options *options,
                         int64_t *timeout_ms, struct start_error *error)
{
    call->codec = options->codec ? options->codec : call->codec;
    call->is_wait_for_ready = options->wait_for_ready;
    *timeout_ms = options->timeout_ms;
    if (options->compression) {
        enum encoding encoding = ENCODING_IDENTITY;
        if (!pgrpc__encoding_find(options->compression, strlen(options->compression), &encoding))
            error->code = pgrpc__error_set(&error->text, PGRPC_INTERNAL,
                                           "unknown compression \"%.40s\": use gzip, deflate or "
                                           "identity",
                                           options->compression);
        call->send_encoding = (uint8_t)encoding;
    }
    take_metadata(call, options->metadata, options->metadata_count, error);
    if (options->parent)
        take_parent(call, options->parent, timeout_ms, error);
}

/* --- start --------------------------------------------------------------------------------------
 */

/* Misuse is INTERNAL: FAILED_PRECONDITION and the like are the application's to give
 * (statuscodes.md).
 */
static void check_use(struct pgrpc_call *call, const void *request, struct start_error *error)
{
    if (error->code)
        return;
    if (call_is_client_streaming(call) && request)
        error->code = pgrpc__error_set(&error->text, PGRPC_INTERNAL,
                                       "a method with client streaming takes no request at its "
                                       "start: pass NULL and send messages");
    else if (!call_is_client_streaming(call) && !request)
        error->code = pgrpc__error_set(&error->text, PGRPC_INTERNAL,
                                       "this method needs its request when it starts");
    else if (call->is_blocking && pgrpc__loop_is_in_callback(call->loop))
        error->code = pgrpc__error_set(&error->text, PGRPC_INTERNAL,
                                       "a blocking call inside a callback of the channel's loop "
                                       "would wait for itself: start it asynchronously, or run "
                                       "the handler on a worker");
}

static void launch(struct pgrpc_call *call, int64_t timeout_ms, const struct start_error *error)
{
    /* Its parent has ended meanwhile. */
    if (call->is_complete)
        return;
    if (error->code) {
        pgrpc__call_fail(call, error->code, "%s", error->text.text);
        return;
    }
    if (timeout_ms < 0) {
        pgrpc__call_fail(call, PGRPC_DEADLINE_EXCEEDED,
                         "the deadline passed before the call started");
        return;
    }
    if (timeout_ms > 0 && pgrpc__call_set_deadline(call, timeout_ms)) {
        pgrpc__call_fail(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    if (call->host->interceptor_count) {
        pgrpc__call_schedule(call);
        return;
    }
    call->stage = CALL_STAGE_PICK;
    call->host->picker->ops->pick(call->host->picker, call);
}

static void set_events(struct pgrpc_call *call, const struct pgrpc_call_events *events,
                       void *userdata)
{
    if (events) {
        size_t size =
            events->size && events->size < sizeof(*events) ? events->size : sizeof(*events);
        memcpy(&call->events, events, size);
    }
    call->userdata = userdata;
}

static struct pgrpc_call *make(struct rpc_host *host, const struct pgrpc_method *method)
{
    if (pgrpc__loop_take_lock(host->loop))
        return NULL;
    struct pgrpc_call *call = pgrpc__call_new(host, false);
    pgrpc__loop_leave_lock(host->loop);
    if (!call)
        return NULL;
    call->method = method;
    call->path = method->path;
    call->codec = method->codec ? method->codec : &pgrpc_codec_proto;
    return call;
}

/* |request| as it goes out; NULL with an error. */
static struct chunk *frame(struct pgrpc_call *call, const void *request, struct start_error *error)
{
    struct chunk *chunk = NULL;
    error->code = pgrpc__call_frame(call, request, 0, &chunk, &error->text);
    return chunk;
}

struct pgrpc_call *pgrpc__call_begin(struct rpc_host *host, const struct pgrpc_method *method,
                                     const void *request, const struct pgrpc_call_options *options,
                                     const struct pgrpc_call_events *events, void *userdata,
                                     bool is_blocking)
{
    struct pgrpc_loop *loop = host->loop; /* call and host may be gone in the end */
    struct pgrpc_call *call = make(host, method);
    if (!call)
        return NULL;
    struct start_error error;
    error.code = PGRPC_OK;
    struct pgrpc_call_options defaults = {0};
    int64_t timeout_ms = 0;
    if (options)
        memcpy(&defaults, options,
               options->size && options->size < sizeof(defaults) ? options->size
                                                                 : sizeof(defaults));
    set_events(call, events, userdata);
    call->is_blocking = is_blocking;
    /* The opener's.  Until the end of this function a started call needs one, too: from the moment
     * on that its parent knows it, it may end. */
    pgrpc_call_ref(call);
    take_options(call, &defaults, &timeout_ms, &error);
    check_use(call, request, &error);
    struct chunk *chunk = NULL;
    if (request && !error.code)
        chunk = frame(call, request, &error);

    pgrpc__loop_take_lock(call->loop);
    if (chunk)
        pgrpc__call_enqueue(call, chunk, true);
    launch(call, timeout_ms, &error);
    pgrpc__call_push(call);
    if (!is_blocking)
        pgrpc__call_unref_locked(call);
    pgrpc__loop_leave_lock(loop);
    return call;
}

/* --- attempts -----------------------------------------------------------------------------------
 */

int pgrpc__call_start_attempt(struct pgrpc_call *call, struct h2_link *link)
{
    if (pgrpc__call_expire(call))
        return 0;
    int result = pgrpc__rpc_stream_open(call, link);
    if (result == -ENOMEM || result == -EMSGSIZE) {
        pgrpc__call_fail(call, PGRPC_RESOURCE_EXHAUSTED, "%s",
                         result == -ENOMEM ? "out of memory"
                                           : "the request headers exceed what the server takes");
        return 0;
    }
    if (result)
        return result;
    call->stage = CALL_STAGE_RUNNING;
    list_remove(&call->picker_node);
    if (call->sender)
        pgrpc__loop_waiter_wake(call->sender);
    return 0;
}

bool pgrpc__call_replay(struct pgrpc_call *call, bool was_refused)
{
    if (call->is_complete || call->is_committed || (was_refused && call->was_refused))
        return false;
    call->was_refused |= was_refused;
    pgrpc__call_rewind(call);
    call->stage = CALL_STAGE_PICK;
    call->needs_pick = true;
    /* Not from here: this is inside the connection that just refused. */
    pgrpc__call_schedule(call);
    return true;
}
