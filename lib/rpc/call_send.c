#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/log.h"
#include "base/outq.h"
#include "codec/codec.h"
#include "rpc/call.h"
#include "rpc/stream.h"
#include "wire/frame.h"

enum {
    TEXT_ARENA_LEN = 512,         /* first memory of pgrpc_message_printf */
    SCRATCH_LEN = 2048,           /* an ordinary message is encoded there */
    SCRATCH_EXTRA = 16 * 1024,    /* of the budget, for small limits */
    SMALL_OUTPUT_LEN = 1024,      /* below this a copy is cheaper than another vector */
    REPLAY_MAX_BYTES = 256 * 1024 /* what is kept for a replay before the call commits */
};

/* --- encoding -----------------------------------------------------------------------------------
 */

/* Replaces the message in *chunk (prefix included) by its compressed form. Lock held. */
static enum pgrpc_code compress(struct pgrpc_call *call, struct chunk **chunk,
                                struct error_text *error)
{
    struct chunk *small = pgrpc__chunk_new(&call->loop->mem, (*chunk)->len / 2 + 64);
    if (!small)
        return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    small->len = FRAME_PREFIX_LEN;
    enum pgrpc_code code = pgrpc__compressor_compress(
        &call->host->compressor, (enum encoding)call->send_encoding,
        (*chunk)->data + FRAME_PREFIX_LEN, (*chunk)->len - FRAME_PREFIX_LEN, &small);
    if (code == PGRPC_OK && small->len - FRAME_PREFIX_LEN > UINT32_MAX)
        code = PGRPC_RESOURCE_EXHAUSTED;
    if (code) {
        pgrpc__chunk_unref(small);
        return pgrpc__error_set(error, code, "out of memory while compressing");
    }
    pgrpc__frame_put_prefix(small->data, true, (uint32_t)(small->len - FRAME_PREFIX_LEN));
    pgrpc__chunk_unref(*chunk);
    *chunk = small;
    return PGRPC_OK;
}

static const void *sent_type(const struct pgrpc_call *call)
{
    return call->is_server ? call->method->reply_type : call->method->request_type;
}

static enum pgrpc_code measure(const struct pgrpc_call *call, const void *message,
                               size_t *message_len, struct error_text *error)
{
    const char *text = "";
    size_t len = 0;
    enum pgrpc_code code = call->codec->measure(sent_type(call), message, &len, &text);
    if (code)
        return pgrpc__error_set(error, code, "the message cannot be encoded: %s", text);
    if (len > call->host->max_send_bytes)
        return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED,
                                "the message has %zu bytes, max_send_bytes is %lu", len,
                                (unsigned long)call->host->max_send_bytes);
    *message_len = len;
    return PGRPC_OK;
}

/* Memory of the loop for who has not its lock. */
static void *alloc_from_loop(void *loop, size_t size)
{
    if (pgrpc__loop_take_lock(loop))
        return NULL;
    void *pointer = pgrpc__mem_alloc(&((struct pgrpc_loop *)loop)->mem, size);
    pgrpc__loop_leave_lock(loop);
    return pointer;
}

static void free_to_loop(void *loop, void *pointer)
{
    pgrpc__loop_take_lock(loop);
    pgrpc__mem_free(&((struct pgrpc_loop *)loop)->mem, pointer);
    pgrpc__loop_leave_lock(loop);
}

/* In one pass into |scratch|, if the codec can: *data is NULL when it cannot. */
static enum pgrpc_code serialize(const struct pgrpc_call *call, const void *message,
                                 struct arena *scratch, const uint8_t **data, size_t *len,
                                 struct error_text *error)
{
    pgrpc_serialize_fn *codec_serialize = codec_serializer(call->codec);
    *data = NULL;
    if (!codec_serialize)
        return measure(call, message, len, error);
    /* What encoding needs at most, as its buffer doubles. */
    if (__builtin_mul_overflow((size_t)call->host->max_send_bytes, 4, &scratch->budget) ||
        __builtin_add_overflow(scratch->budget, SCRATCH_EXTRA, &scratch->budget))
        scratch->budget = SIZE_MAX; /* where a size has 32 bits */
    if (codec_serialize(sent_type(call), message, codec_arena(scratch), data, len) &&
        *len <= call->host->max_send_bytes)
        return PGRPC_OK;
    enum pgrpc_code code = measure(call, message, len, error);
    return code ? code : pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
}

enum pgrpc_code pgrpc__call_frame(struct pgrpc_call *call, const void *message, unsigned flags,
                                  struct chunk **chunk, struct error_text *error)
{
    const struct pgrpc_allocator pool = {alloc_from_loop, free_to_loop, call->loop};
    _Alignas(16) char first[SCRATCH_LEN];
    struct arena scratch;
    const uint8_t *data;
    size_t len = 0;
    pgrpc__arena_init(&scratch, &pool, first, sizeof(first));
    enum pgrpc_code code = serialize(call, message, &scratch, &data, &len, error);
    struct chunk *framed = NULL;
    if (!code && pgrpc__loop_take_lock(call->loop)) {
        code = pgrpc__error_set(error, PGRPC_INTERNAL, "the call is the parent's");
    } else if (!code) {
        framed = pgrpc__chunk_new(&call->loop->mem, FRAME_PREFIX_LEN + len);
        pgrpc__loop_leave_lock(call->loop);
        if (!framed)
            code = pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    }
    if (!code) {
        framed->len = FRAME_PREFIX_LEN + len;
        pgrpc__frame_put_prefix(framed->data, false, (uint32_t)len);
        if (!data)
            call->codec->encode(sent_type(call), message, framed->data + FRAME_PREFIX_LEN, len);
        else if (len > 0)
            memcpy(framed->data + FRAME_PREFIX_LEN, data, len);
    }
    pgrpc__arena_clear(&scratch);
    if (code || call->send_encoding == ENCODING_IDENTITY || (flags & PGRPC_MESSAGE_NO_COMPRESS)) {
        *chunk = framed;
        return code;
    }

    if (pgrpc__loop_take_lock(call->loop))
        return pgrpc__error_set(error, PGRPC_INTERNAL, "the call is the parent's");
    code = compress(call, &framed, error);
    if (code) {
        pgrpc__chunk_unref(framed);
        framed = NULL;
    }
    pgrpc__loop_leave_lock(call->loop);
    *chunk = framed;
    return code;
}

/* --- the queue ----------------------------------------------------------------------------------
 */

void pgrpc__call_enqueue(struct pgrpc_call *call, struct chunk *chunk, bool is_last)
{
    chunk->next = NULL;
    if (call->out.last)
        call->out.last->next = chunk;
    else
        call->out.first = chunk;
    call->out.last = chunk;
    if (!call->out_next)
        call->out_next = chunk;
    call->queued_bytes += chunk->len;
    call->sent_count++;
    if (is_last)
        call->is_send_closed = true;
}

size_t pgrpc__call_output_ready(const struct pgrpc_call *call)
{
    return call->queued_bytes;
}

/* Drops the chunks before out_next: they were handed over and are not needed for a replay. */
static void drop_handed_over(struct pgrpc_call *call)
{
    while (call->out.first && call->out.first != call->out_next) {
        struct chunk *chunk = call->out.first;
        call->out.first = chunk->next;
        chunk->next = NULL;
        pgrpc__chunk_unref(chunk);
    }
    if (!call->out.first)
        call->out.last = NULL;
}

int pgrpc__call_output(struct pgrpc_call *call, size_t len, struct outq *outq)
{
    while (len) {
        struct chunk *chunk = call->out_next;
        size_t part = chunk->len - call->out_offset;
        if (part > len)
            part = len;
        const uint8_t *data = chunk->data + call->out_offset;
        int result = part <= SMALL_OUTPUT_LEN ? pgrpc__outq_add_copy(outq, data, part)
                                              : pgrpc__outq_add_ref(outq, chunk, data, part);
        if (result)
            return result;
        len -= part;
        call->queued_bytes -= part;
        call->out_offset += part;
        if (call->out_offset == chunk->len) {
            call->out_next = chunk->next;
            call->out_offset = 0;
            call->retained_bytes += chunk->len;
        }
    }
    if (call->is_committed)
        drop_handed_over(call);
    else if (call->retained_bytes > REPLAY_MAX_BYTES)
        pgrpc__call_commit(call);
    if (call->queued_bytes <= call->host->send_high_water_bytes / 2)
        pgrpc__call_notify(call, CALL_EVENT_WRITABLE);
    return 0;
}

void pgrpc__call_commit(struct pgrpc_call *call)
{
    call->is_committed = true;
    call->retained_bytes = 0;
    drop_handed_over(call);
}

void pgrpc__call_rewind(struct pgrpc_call *call)
{
    call->out_next = call->out.first;
    call->out_offset = 0;
    call->queued_bytes = 0;
    call->retained_bytes = 0;
    for (struct chunk *chunk = call->out.first; chunk; chunk = chunk->next)
        call->queued_bytes += chunk->len;
}

void pgrpc__call_drop_output(struct pgrpc_call *call)
{
    call->out_next = NULL;
    call->out_offset = 0;
    call->queued_bytes = 0;
    call->retained_bytes = 0;
    drop_handed_over(call);
}

/* --- sending ------------------------------------------------------------------------------------
 */

/* Why this call takes no message now, NULL when it does. */
static const char *refuse(const struct pgrpc_call *call)
{
    if (call->is_server && call->is_finished)
        return "pgrpc_call_send after pgrpc_call_finish: send first, then finish";
    if (call->is_send_closed)
        return "pgrpc_call_send after the sending end was closed: no message may follow "
               "pgrpc_call_close_send or PGRPC_MESSAGE_LAST";
    if (call->is_server && !call_is_server_streaming(call) && call->sent_count)
        return "a second reply on a method without server streaming";
    return NULL;
}

/* On a private loop nothing goes on unless somebody waits: a message waits for the attempt that
 * carries it. */
static bool has_room(const struct pgrpc_call *call)
{
    bool needs_attempt = call->is_blocking && !call->is_server && call->loop->is_private;
    return call->queued_bytes < call->host->send_high_water_bytes &&
           (call->stream || !needs_attempt);
}

/* DONE when a message may be queued. Lock held; waits in blocking mode. */
static enum pgrpc_io await_room(struct pgrpc_call *call)
{
    struct call_wait wait = {.place = NULL};
    enum pgrpc_io io = PGRPC_IO_DONE;
    while (io == PGRPC_IO_DONE) {
        if (call->is_complete) {
            io = PGRPC_IO_CLOSED;
            break;
        }
        const char *error = refuse(call);
        if (!error && has_room(call))
            break;
        if (!error && !call->is_blocking) {
            call->is_writable_armed = true;
            io = PGRPC_IO_AGAIN;
            break;
        }
        if (!error)
            error = pgrpc__call_wait_at(call, &call->sender, &wait,
                                        "two threads send on one call at once");
        if (error)
            io = pgrpc__call_misuse(call, error);
    }
    pgrpc__call_end_wait(&wait);
    return io;
}

void pgrpc__call_push(struct pgrpc_call *call)
{
    if (call->is_blocking && call->loop->is_private && !call->loop->turning)
        pgrpc__loop_flush(call->loop);
}

/* The connection has something to fetch. */
static void offer(struct pgrpc_call *call)
{
    if (!call->stream)
        return;
    int result = call->is_server ? pgrpc__rpc_stream_send_headers(call->stream) : 0;
    if (result == -EMSGSIZE) {
        /* Nothing was said yet, so the client can be told. */
        pgrpc__call_reject(call, 200, PGRPC_RESOURCE_EXHAUSTED,
                           "the response headers exceed what the client takes");
        pgrpc__call_answer(call);
        return;
    }
    if (result) {
        pgrpc__call_fail(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory for the response headers");
        return;
    }
    pgrpc__h2_stream_resume(&call->stream->h2);
    pgrpc__call_push(call);
}

/* A message that cannot be sent ends the call. */
static void fail_sending(struct pgrpc_call *call, enum pgrpc_code code, const char *text)
{
    if (pgrpc__loop_take_lock(call->loop))
        return;
    if (call->is_server) {
        pgrpc__call_reject(call, 200, code, text);
        pgrpc__call_answer(call);
    } else {
        pgrpc__call_fail(call, code, "%s", text);
    }
    pgrpc__loop_leave_lock(call->loop);
}

static void reset_text(struct pgrpc_call *call)
{
    if (call->text_arena.used || call->text_arena.out_of_memory)
        pgrpc__arena_reset(&call->text_arena);
}

enum pgrpc_io pgrpc__call_send(struct pgrpc_call *call, const void *message, unsigned flags,
                               const struct pgrpc_status *status)
{
    struct pgrpc_loop *loop = call->loop;
    struct error_text error;
    struct chunk *chunk = NULL;
    enum pgrpc_code code = PGRPC_OK;
    if (pgrpc__loop_take_lock(call->loop))
        return PGRPC_IO_CLOSED;
    enum pgrpc_io io =
        message ? await_room(call) : pgrpc__call_misuse(call, "pgrpc_call_send without a message");
    pgrpc__loop_leave_lock(call->loop);
    if (io != PGRPC_IO_DONE)
        return io;

    if (call->text_arena.out_of_memory)
        code = pgrpc__error_set(&error, PGRPC_RESOURCE_EXHAUSTED,
                                "out of memory in pgrpc_message_printf");
    else
        code = pgrpc__call_frame(call, message, flags, &chunk, &error);
    reset_text(call);
    if (code) {
        fail_sending(call, code, error.text);
        return PGRPC_IO_CLOSED;
    }
    pgrpc__loop_take_lock(call->loop);
    if (call->is_complete || call->is_finished) {
        pgrpc__chunk_unref(chunk);
        io = PGRPC_IO_CLOSED;
    } else {
        pgrpc__call_enqueue(call, chunk, flags & PGRPC_MESSAGE_LAST);
        offer(call);
        if (status)
            pgrpc__call_finish(call, status);
    }
    pgrpc__loop_leave_lock(loop);
    return io;
}

enum pgrpc_io pgrpc_call_send(struct pgrpc_call *call, const void *message, unsigned flags)
{
    if (!call)
        return PGRPC_IO_CLOSED;
    return pgrpc__call_send(call, message, flags, NULL);
}

enum pgrpc_io pgrpc_call_close_send(struct pgrpc_call *call)
{
    if (!call || pgrpc__loop_take_lock(call->loop))
        return PGRPC_IO_CLOSED;
    enum pgrpc_io io = PGRPC_IO_DONE;
    if (call->is_server) {
        io = pgrpc__call_misuse(call, "a server ends its messages with pgrpc_call_finish");
    } else if (call->is_complete) {
        io = PGRPC_IO_CLOSED;
    } else if (!call->is_send_closed) {
        call->is_send_closed = true;
        offer(call);
    }
    pgrpc__loop_leave_lock(call->loop);
    return io;
}

enum pgrpc_io pgrpc_call_send_headers(struct pgrpc_call *call)
{
    if (pgrpc__loop_take_lock(call->loop))
        return PGRPC_IO_CLOSED;
    enum pgrpc_io io = PGRPC_IO_DONE;
    if (!call->is_server)
        io = pgrpc__call_misuse(call, "a client's headers are sent when the call starts");
    else if (call->is_complete || call->is_finished || !call->stream)
        io = PGRPC_IO_CLOSED;
    else
        offer(call);
    pgrpc__loop_leave_lock(call->loop);
    return io;
}

char *pgrpc_message_printf(struct pgrpc_call *call, const char *format, ...)
{
    if (!call->text_memory) {
        if (pgrpc__loop_take_lock(call->loop))
            return NULL;
        call->text_memory = pgrpc__mem_alloc(&call->loop->mem, TEXT_ARENA_LEN);
        pgrpc__loop_leave_lock(call->loop);
        if (!call->text_memory) {
            call->text_arena.out_of_memory = true; /* the next send says so */
            return NULL;
        }
        pgrpc__arena_init(&call->text_arena, &call->loop->mem.allocator, call->text_memory,
                          TEXT_ARENA_LEN);
    }
    va_list arguments;
    va_start(arguments, format);
    char *text = pgrpc__arena_vprintf(&call->text_arena, format, arguments);
    va_end(arguments);
    return text;
}
