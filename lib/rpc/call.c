#include "rpc/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "codec/codec.h"
#include "rpc/stream.h"
#include "wire/timeout.h"

enum {
    CALL_ARENA_LEN = 1024, /* metadata, status text and the like of an ordinary call */
    FAILURE_TEXT_MAX = 512
};

static const struct pgrpc_status PENDING_STATUS = {PGRPC_OK, "", NULL, 0};

static void run_task(struct loop_task *task);
static void on_deadline(struct loop_timer *timer);

struct pgrpc_call *pgrpc__call_new(struct rpc_host *host, bool is_server)
{
    struct mem *mem = &host->loop->mem;
    struct pgrpc_call *call = pgrpc__mem_alloc(mem, sizeof(*call) + CALL_ARENA_LEN);
    if (!call)
        return NULL;
    memset(call, 0, sizeof(*call));
    atomic_init(&call->refs, 1);
    atomic_init(&call->is_cancelled, false);
    call->is_server = is_server;
    call->host = host;
    call->loop = host->loop;
    call->task.run = run_task;
    call->deadline_timer.on_due = on_deadline;
    call->deadline_ms = INT64_MAX;
    call->status = PENDING_STATUS;
    call->error = "";
    call->is_readable_armed = true;
    list_init(&call->children);
    pgrpc__arena_init(&call->arena, &mem->allocator, call + 1, CALL_ARENA_LEN);
    pgrpc__arena_init(&call->text_arena, &mem->allocator, NULL, 0);
    pgrpc__arena_init(&call->message_arena, &mem->allocator, NULL, 0);
    if (__builtin_mul_overflow((size_t)host->max_receive_bytes, (size_t)CODEC_BUDGET_FACTOR,
                               &call->message_arena.budget))
        call->message_arena.budget = SIZE_MAX; /* where a size has 32 bits */
    pgrpc__metadata_init(&call->headers, &call->arena);
    pgrpc__metadata_init(&call->trailers, &call->arena);
    list_add_tail(&host->calls, &call->node);
    host->call_count++;
    return call;
}

static void destroy(struct pgrpc_call *call)
{
    struct rpc_host *host = call->host;
    struct mem *mem = &host->loop->mem;
    pgrpc__loop_task_cancel(&call->task);
    pgrpc__loop_timer_stop(call->loop, &call->deadline_timer);
    pgrpc__call_drop_output(call);
    pgrpc__call_drop_input(call);
    pgrpc__chunk_unref(call->in_current);
    pgrpc__arena_clear(&call->arena);
    pgrpc__arena_clear(&call->text_arena);
    pgrpc__arena_clear(&call->message_arena);
    pgrpc__mem_free(mem, call->text_memory);
    pgrpc__mem_free(mem, call->message_memory);
    list_remove(&call->node);
    pgrpc__mem_free(mem, call);
    /* The host may go with its last call, so this comes last. */
    if (--host->call_count == 0)
        host->on_empty(host);
}

struct pgrpc_call *pgrpc_call_ref(struct pgrpc_call *call)
{
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    return call;
}

void pgrpc__call_unref_locked(struct pgrpc_call *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) == 1)
        destroy(call);
}

/* Nobody turns a private loop unless somebody waits: what an ended call has to say is said now.
 * Lock held. */
static void settle(struct pgrpc_loop *loop)
{
    if (loop->is_private && !loop->turning)
        pgrpc__loop_turn(loop, 0);
}

void pgrpc_call_unref(struct pgrpc_call *call)
{
    if (!call)
        return;
    struct pgrpc_loop *loop = call->loop;
    if (pgrpc__loop_take_lock(loop))
        return;
    bool is_given_up = false;
    /* Two references are the library's and the opener's: with the latter gone nobody can see the
     * end. */
    if (call->is_blocking && !call->is_server && !call->is_complete &&
        atomic_load_explicit(&call->refs, memory_order_acquire) == 2) {
        is_given_up = true;
        pgrpc__call_fail(call, PGRPC_CANCELLED, "the last reference to the call was dropped");
    }
    pgrpc__call_unref_locked(call);
    if (is_given_up)
        settle(loop);
    pgrpc__loop_leave_lock(loop);
}

/* --- completion --------------------------------------------------------------------------------
 */

static void set_status(struct pgrpc_call *call, enum pgrpc_code code, const char *message,
                       size_t message_len, const void *details, size_t details_len)
{
    struct pgrpc_status status = {code, "", NULL, 0};
    if (message_len) {
        char *copy = pgrpc__arena_strndup(&call->arena, message, message_len);
        status.message = copy ? copy : "(no memory for the text of this status)";
    }
    if (details_len) {
        status.details = pgrpc__arena_memdup(&call->arena, details, details_len);
        status.details_len = status.details ? details_len : 0;
    }
    call->status = status;
}

void pgrpc__call_complete(struct pgrpc_call *call, enum pgrpc_code code, const char *message,
                          size_t message_len, const void *details, size_t details_len,
                          unsigned reset_code)
{
    if (call->is_complete)
        return;
    if (!call->is_server || !call->is_finished)
        set_status(call, code, message, message_len, details, details_len);
    call->is_complete = true;
    call->is_receive_ended = true;
    pgrpc__loop_timer_stop(call->loop, &call->deadline_timer);
    /* A server's call that waits for a worker stays there: the worker passes it over. */
    if (call->is_server)
        pgrpc__call_hold(call);
    else if (list_is_linked(&call->picker_node))
        call->host->picker->ops->forget(call->host->picker, call);
    if (call->stream) {
        struct rpc_stream *stream = call->stream;
        call->stream = NULL;
        pgrpc__rpc_stream_abandon(stream, (enum h2_error)reset_code);
    }
    pgrpc__call_drop_output(call);
    /* A unary reply counts only with an OK status. */
    if (!call->is_server && code != PGRPC_OK && !call_is_server_streaming(call))
        pgrpc__call_drop_input(call);
    if (TRACE_IS_ON(TRACE_CALLS))
        pgrpc__trace(TRACE_CALLS, "%s %s: %s %s", call->is_server ? "served" : "called",
                     call->path ? call->path : "?", pgrpc_code_name(call->status.code),
                     call->status.message);
    pgrpc__call_notify(call, CALL_EVENT_READABLE | CALL_EVENT_WRITABLE);
    if (call->receiver)
        pgrpc__loop_waiter_wake(call->receiver);
    pgrpc__call_schedule(call);
}

static void end(struct pgrpc_call *call, enum pgrpc_code code, const char *format,
                va_list arguments) __attribute__((format(printf, 3, 0)));

static void end(struct pgrpc_call *call, enum pgrpc_code code, const char *format,
                va_list arguments)
{
    char text[FAILURE_TEXT_MAX];
    int len = vsnprintf(text, sizeof(text), format, arguments);
    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof(text))
        len = sizeof(text) - 1;
    pgrpc__call_complete(call, code, text, (size_t)len, NULL, 0, H2_CANCEL);
}

void pgrpc__call_end(struct pgrpc_call *call, enum pgrpc_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    end(call, code, format, arguments);
    va_end(arguments);
}

void pgrpc__call_fail(struct pgrpc_call *call, enum pgrpc_code code, const char *format, ...)
{
    if (call->is_complete)
        return;
    atomic_store_explicit(&call->is_cancelled, true, memory_order_release);
    pgrpc__call_drop_input(call);
    va_list arguments;
    va_start(arguments, format);
    end(call, code, format, arguments);
    va_end(arguments);
}

enum pgrpc_io pgrpc__call_misuse(struct pgrpc_call *call, const char *error)
{
    call->error = error;
    pgrpc__log(PGRPC_LOG_WARNING, error, NULL, 0);
    return PGRPC_IO_CLOSED;
}

void pgrpc__call_cancel(struct pgrpc_call *call, const char *text)
{
    if (!call->is_complete) {
        pgrpc__call_fail(call, PGRPC_CANCELLED, "%s", text);
    } else if (call->in.first) {
        /* Unread messages hold on_done back; whoever cancels does not want them. */
        pgrpc__call_drop_input(call);
        pgrpc__call_schedule(call);
    }
}

void pgrpc_call_cancel(struct pgrpc_call *call)
{
    if (!call || pgrpc__loop_take_lock(call->loop))
        return;
    struct pgrpc_loop *loop = call->loop;
    pgrpc__call_cancel(call, "cancelled");
    if (call->is_blocking)
        settle(loop);
    pgrpc__loop_leave_lock(loop);
}

/* --- deadline ----------------------------------------------------------------------------------
 */

bool pgrpc__call_expire(struct pgrpc_call *call)
{
    const char *why = "";
    if (call->is_complete || call->deadline_ms > loop_now(call->loop))
        return call->is_complete;
    bool is_waiting = !call->is_server && list_is_linked(&call->picker_node);
    if (is_waiting)
        why = call->host->picker->ops->last_error(call->host->picker);
    pgrpc__call_fail(call, PGRPC_DEADLINE_EXCEEDED, "deadline of %lld ms exceeded%s%s%s",
                     (long long)call->timeout_ms,
                     is_waiting ? " while waiting for a connection" : "",
                     *why ? "; last error: " : "", why);
    return true;
}

static void on_deadline(struct loop_timer *timer)
{
    pgrpc__call_expire(CONTAINER_OF(timer, struct pgrpc_call, deadline_timer));
}

int pgrpc__call_set_deadline(struct pgrpc_call *call, int64_t timeout_ms)
{
    /* No peer can be told more, and no sum overflows. */
    if (timeout_ms > TIMEOUT_MS_MAX)
        timeout_ms = TIMEOUT_MS_MAX;
    call->timeout_ms = timeout_ms;
    call->deadline_ms = loop_now(call->loop) + timeout_ms;
    /* The clock is cut to whole milliseconds: the client's own timer must come first. */
    return pgrpc__loop_timer_start(call->loop, &call->deadline_timer,
                                   call->deadline_ms + call->is_server);
}

const char *pgrpc__call_wait_at(struct pgrpc_call *call, struct loop_waiter **place,
                                struct call_wait *wait, const char *taken)
{
    if (!wait->place) {
        if (*place)
            return taken;
        if (pgrpc__loop_waiter_init(&wait->waiter))
            return "no memory to wait";
        wait->place = place;
        *place = &wait->waiter;
    }
    /* The clock is cut to whole milliseconds, as for the timer, which comes first where it can. */
    if (call->deadline_ms != INT64_MAX)
        wait->waiter.until_ms = call->deadline_ms + call->is_server + 1;
    int result = pgrpc__loop_wait(call->loop, &wait->waiter);
    if (result == -ETIMEDOUT)
        pgrpc__call_expire(call);
    else if (result)
        return "waiting inside a callback of the same loop would wait for itself: use callback "
               "mode there";
    return NULL;
}

void pgrpc__call_end_wait(struct call_wait *wait)
{
    if (!wait->place)
        return;
    *wait->place = NULL;
    pgrpc__loop_waiter_clear(&wait->waiter);
}

/* --- events ------------------------------------------------------------------------------------
 */

bool pgrpc__call_is_readable(const struct pgrpc_call *call)
{
    if (call->is_complete)
        return !call->is_checking;
    /* A client without server streaming learns its reply together with the status. */
    if (!call->is_server && !call_is_server_streaming(call))
        return false;
    return call->in.first || call->is_receive_ended;
}

void pgrpc__call_schedule(struct pgrpc_call *call)
{
    pgrpc__loop_defer(call->loop, &call->task);
}

void pgrpc__call_notify(struct pgrpc_call *call, unsigned events)
{
    if ((events & CALL_EVENT_READABLE) && pgrpc__call_is_readable(call)) {
        if (call->receiver)
            pgrpc__loop_waiter_wake(call->receiver);
        if (call->is_readable_armed && call->events.on_readable) {
            call->is_readable_armed = false;
            call->pending |= CALL_EVENT_READABLE;
        }
    }
    if (events & CALL_EVENT_WRITABLE) {
        if (call->sender)
            pgrpc__loop_waiter_wake(call->sender);
        if (call->is_writable_armed && call->events.on_writable) {
            call->is_writable_armed = false;
            call->pending |= CALL_EVENT_WRITABLE;
        }
    }
    if ((events & CALL_EVENT_HEADERS) && call->events.on_headers)
        call->pending |= CALL_EVENT_HEADERS;
    if (call->pending)
        pgrpc__call_schedule(call);
}

static bool is_done_due(const struct pgrpc_call *call)
{
    /* An event may have ended the call and so made another one due: that comes first. */
    if (!call->is_complete || call->is_done_reported || call->pending)
        return false;
    /* A stream's messages come before its end, for those who said that they read. */
    return !(call->in.first && call->events.on_readable && !call->is_server &&
             call_is_server_streaming(call));
}

/* Tells the calls made on behalf of this one that it is over. */
static void cancel_children(struct pgrpc_call *call)
{
    struct list *node;
    while ((node = list_pop(&call->children)) != NULL) {
        struct pgrpc_call *child =
            pgrpc_call_ref(CONTAINER_OF(node, struct pgrpc_call, parent_node));
        pgrpc__loop_leave_lock(call->loop);
        pgrpc_call_cancel(child);
        pgrpc_call_unref(child);
        pgrpc__loop_take_lock(call->loop);
    }
}

/* The parent's list is guarded by the parent's loop. Called with this call's lock held; leaves it
 * for a while. */
static void leave_parent(struct pgrpc_call *call)
{
    struct pgrpc_call *parent = call->parent;
    call->parent = NULL;
    if (!parent)
        return;
    pgrpc__loop_leave_lock(call->loop);
    struct pgrpc_loop *loop = parent->loop;
    if (!pgrpc__loop_take_lock(loop)) {
        list_remove(&call->parent_node);
        pgrpc__call_unref_locked(parent);
        pgrpc__loop_leave_lock(loop);
    }
    pgrpc__loop_take_lock(call->loop);
}

static void report(struct pgrpc_call *call, pgrpc_call_fn *event)
{
    if (!event)
        return;
    pgrpc__loop_leave_lock(call->loop);
    event(call, call->userdata);
    pgrpc__loop_take_lock(call->loop);
}

static void report_pending(struct pgrpc_call *call)
{
    static const unsigned order[] = {CALL_EVENT_HEADERS, CALL_EVENT_READABLE, CALL_EVENT_WRITABLE};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (!(call->pending & order[i]))
            continue;
        call->pending &= ~order[i];
        report(call, order[i] == CALL_EVENT_HEADERS    ? call->events.on_headers
                     : order[i] == CALL_EVENT_READABLE ? call->events.on_readable
                                                       : call->events.on_writable);
    }
}

/* Goes on with a call whose on_start hooks have all run. */
static void go_on(struct pgrpc_call *call)
{
    if (!call->is_server) {
        call->stage = CALL_STAGE_PICK;
        call->host->picker->ops->pick(call->host->picker, call);
        return;
    }
    call->stage = CALL_STAGE_RUNNING;
    if (call->target->binding.run == PGRPC_RUN_WORKER) {
        call->is_blocking = true;
        if (call->host->dispatcher->run_on_worker(call->host, call)) {
            pgrpc__call_reject(call, 200, PGRPC_RESOURCE_EXHAUSTED, "no worker thread can be had");
            pgrpc__call_answer(call);
        } else {
            call->is_queued = true;
        }
        return;
    }
    pgrpc__call_run_handler(call);
}

/* Everything that user code sees of a call happens here, at the top of a loop turn. */
static void run_task(struct loop_task *task)
{
    struct pgrpc_call *call = CONTAINER_OF(task, struct pgrpc_call, task);
    pgrpc_call_ref(call);
    pgrpc__call_answer(call);
    if (call->needs_pick && !call->is_complete) {
        call->needs_pick = false;
        call->host->picker->ops->pick(call->host->picker, call);
    }
    /* Timers come late in a turn: no hook and no handler runs for a call whose time is over. */
    if (call->stage == CALL_STAGE_INTERCEPT && !pgrpc__call_expire(call) &&
        pgrpc__call_intercept(call) && !call->is_complete)
        go_on(call);
    report_pending(call);
    /* Who waits checks it when it is received. */
    if (is_done_due(call) && !call->is_blocking)
        pgrpc__call_check_reply(call);
    if (is_done_due(call)) {
        call->is_done_reported = true;
        cancel_children(call);
        leave_parent(call);
        pgrpc__call_intercept_done(call);
        report(call, call->events.on_done);
        pgrpc__call_unref_locked(call);
    }
    pgrpc__call_unref_locked(call);
}

/* --- what is known ------------------------------------------------------------------------------
 */

/* Getters take a const call, and the lock is part of the loop, not of the call. */
static struct pgrpc_call *lock(const struct pgrpc_call *call)
{
    if (!call || pgrpc__loop_take_lock(call->loop))
        return NULL;
    return (struct pgrpc_call *)(uintptr_t)call;
}

const struct pgrpc_status *pgrpc_call_status(const struct pgrpc_call *call)
{
    static const struct pgrpc_status not_made = {
        PGRPC_RESOURCE_EXHAUSTED, "no memory for a call, or a fork()ed child's use of its parent's",
        NULL, 0};
    const struct pgrpc_status *status = &PENDING_STATUS;
    if (!call)
        return &not_made;
    if (!lock(call))
        return status;
    if (call->is_complete || call->is_finished)
        status = &call->status;
    pgrpc__loop_leave_lock(call->loop);
    return status;
}

const struct pgrpc_metadata *pgrpc_call_headers(const struct pgrpc_call *call)
{
    if (!lock(call))
        return NULL;
    const struct pgrpc_metadata *headers = call->has_headers ? &call->headers : NULL;
    pgrpc__loop_leave_lock(call->loop);
    return headers;
}

const struct pgrpc_metadata *pgrpc_call_trailers(const struct pgrpc_call *call)
{
    if (!lock(call))
        return NULL;
    const struct pgrpc_metadata *trailers = call->has_trailers ? &call->trailers : NULL;
    pgrpc__loop_leave_lock(call->loop);
    return trailers;
}

void pgrpc__call_get_result(const struct pgrpc_call *call, struct pgrpc_result *result)
{
    result->status = PENDING_STATUS;
    if (!lock(call))
        return;
    if (call->is_complete || call->is_finished)
        result->status = call->status;
    result->headers = call->has_headers ? &call->headers : NULL;
    result->trailers = call->has_trailers ? &call->trailers : NULL;
    pgrpc__loop_leave_lock(call->loop);
}

const char *pgrpc_call_error(const struct pgrpc_call *call)
{
    if (!lock(call))
        return call ? "this is a fork()ed child: calls belong to the parent" : "";
    const char *error = call->error;
    pgrpc__loop_leave_lock(call->loop);
    return error;
}

const char *pgrpc_call_path(const struct pgrpc_call *call)
{
    return call->path ? call->path : "";
}

const char *pgrpc_call_peer(const struct pgrpc_call *call)
{
    if (!lock(call))
        return NULL;
    const char *peer = call->peer;
    pgrpc__loop_leave_lock(call->loop);
    return peer;
}

const char *pgrpc_call_peer_subject(const struct pgrpc_call *call)
{
    if (!lock(call))
        return NULL;
    const char *subject = call->peer_subject;
    pgrpc__loop_leave_lock(call->loop);
    return subject;
}

void pgrpc__call_set_peer(struct pgrpc_call *call, struct h2_link *link)
{
    const struct bytestream_peer *peer = pgrpc__h2_link_peer(link);
    if (!peer)
        return;
    if (peer->address)
        call->peer = pgrpc__arena_strndup(&call->arena, peer->address, strlen(peer->address));
    if (peer->subject)
        call->peer_subject =
            pgrpc__arena_strndup(&call->arena, peer->subject, strlen(peer->subject));
}

int64_t pgrpc_call_remaining_ms(const struct pgrpc_call *call)
{
    if (!lock(call))
        return INT64_MAX;
    int64_t remaining = call->deadline_ms == INT64_MAX
                            ? INT64_MAX
                            : call->deadline_ms - call->loop->clock_ms(call->loop->clock_userdata);
    pgrpc__loop_leave_lock(call->loop);
    return remaining;
}

bool pgrpc_call_is_cancelled(const struct pgrpc_call *call)
{
    return atomic_load_explicit(&call->is_cancelled, memory_order_acquire);
}

size_t pgrpc_call_queued_bytes(struct pgrpc_call *call)
{
    if (!lock(call))
        return 0;
    size_t bytes = call->queued_bytes;
    pgrpc__loop_leave_lock(call->loop);
    return bytes;
}

void *pgrpc_call_alloc(struct pgrpc_call *call, size_t size)
{
    if (!lock(call))
        return NULL;
    void *memory = pgrpc__arena_alloc(&call->arena, size);
    pgrpc__loop_leave_lock(call->loop);
    return memory;
}
