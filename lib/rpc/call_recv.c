#include "codec/codec.h"
#include "rpc/call.h"
#include "rpc/stream.h"
#include "wire/frame.h"

enum { MESSAGE_ARENA_LEN = 1024 }; /* an ordinary decoded message fits */

/* --- the queue ----------------------------------------------------------------------------------
 */

void pgrpc__call_receive(struct pgrpc_call *call, struct chunk *chunk, bool is_compressed)
{
    call->received_count++;
    chunk->flags = is_compressed ? CHUNK_COMPRESSED : 0;
    chunk->next = NULL;
    if (call->in.last)
        call->in.last->next = chunk;
    else
        call->in.first = chunk;
    call->in.last = chunk;
    pgrpc__call_notify(call, CALL_EVENT_READABLE);
}

void pgrpc__call_receive_end(struct pgrpc_call *call)
{
    call->is_receive_ended = true;
    pgrpc__call_notify(call, CALL_EVENT_READABLE);
}

static struct chunk *pop(struct pgrpc_call *call)
{
    struct chunk *chunk = call->in.first;
    call->in.first = chunk->next;
    if (!call->in.first)
        call->in.last = NULL;
    chunk->next = NULL;
    return chunk;
}

void pgrpc__call_drop_input(struct pgrpc_call *call)
{
    while (call->in.first) {
        struct chunk *chunk = pop(call);
        if (call->stream)
            pgrpc__rpc_stream_consumed(call->stream, chunk->len + FRAME_PREFIX_LEN);
        pgrpc__chunk_unref(chunk);
    }
}

/* --- receiving ----------------------------------------------------------------------------------
 */

/* A received message cannot be used: that ends the call. Lock held. */
static void fail_receiving(struct pgrpc_call *call, enum pgrpc_code code, const char *text)
{
    if (call->is_server) {
        pgrpc__call_reject(call, 200, code, text);
        pgrpc__call_answer(call);
    } else if (call->is_complete && call->status.code == PGRPC_OK) {
        /* The status was there before anybody looked at the reply. */
        call->status.code = code;
        char *copy = pgrpc__arena_printf(&call->arena, "%s", text);
        call->status.message = copy ? copy : "the reply cannot be decoded";
    } else {
        pgrpc__call_end(call, code, "%s", text);
    }
    if (!call->is_server) {
        /* What follows a message that cannot be read is not read; on_done waits for it no more. */
        pgrpc__call_drop_input(call);
        pgrpc__call_schedule(call);
    }
}

/* What a receive says when there is no message. Lock held. */
static enum pgrpc_io say_end(struct pgrpc_call *call)
{
    if (call->is_server)
        return call->is_complete ? PGRPC_IO_CLOSED : PGRPC_IO_END;
    return call->is_complete && call->status.code == PGRPC_OK ? PGRPC_IO_END : PGRPC_IO_CLOSED;
}

/* DONE when a message is queued. Lock held; waits in blocking mode. */
static enum pgrpc_io await_message(struct pgrpc_call *call)
{
    struct call_wait wait = {.place = NULL};
    enum pgrpc_io io = PGRPC_IO_DONE;
    while (io == PGRPC_IO_DONE && !pgrpc__call_is_readable(call)) {
        if (!call->is_blocking) {
            call->is_readable_armed = true;
            io = PGRPC_IO_AGAIN;
            break;
        }
        const char *error = pgrpc__call_wait_at(call, &call->receiver, &wait,
                                                "two threads receive on one call at once");
        if (error)
            io = pgrpc__call_misuse(call, error);
    }
    pgrpc__call_end_wait(&wait);
    if (io == PGRPC_IO_DONE && !call->in.first && !call->has_checked_reply)
        io = say_end(call);
    return io;
}

/* Replaces a compressed message by its plain form. Lock held. */
static enum pgrpc_code decompress(struct pgrpc_call *call, uint8_t encoding, struct chunk **chunk,
                                  struct error_text *error)
{
    struct chunk *plain = NULL;
    enum pgrpc_code code = pgrpc__compressor_decompress(
        &call->host->compressor, (enum encoding)encoding, (*chunk)->data, (*chunk)->len,
        call->host->max_receive_bytes, &call->loop->mem, &plain, error);
    if (code)
        return code;
    pgrpc__chunk_unref(*chunk);
    *chunk = plain;
    return PGRPC_OK;
}

/* Takes the next message out of the queue, plain, as call->in_current. Lock held. */
static enum pgrpc_code take(struct pgrpc_call *call, unsigned *flags, struct error_text *error)
{
    struct chunk *chunk = pop(call);
    bool is_compressed = chunk->flags & CHUNK_COMPRESSED;
    if (call->stream)
        pgrpc__rpc_stream_consumed(call->stream, chunk->len + FRAME_PREFIX_LEN);
    enum pgrpc_code code = PGRPC_OK;
    if (is_compressed)
        code = decompress(call, call->receive_encoding, &chunk, error);
    /* Not before: the message received last may point into it. */
    pgrpc__chunk_unref(call->in_current);
    call->in_current = chunk;
    *flags = is_compressed ? PGRPC_MESSAGE_COMPRESSED : 0;
    if (!call->message_memory && code == PGRPC_OK) {
        call->message_memory = pgrpc__mem_alloc(&call->loop->mem, MESSAGE_ARENA_LEN);
        if (call->message_memory) {
            call->message_arena.first = call->message_memory;
            call->message_arena.first_len = MESSAGE_ARENA_LEN;
        }
    }
    /* The last message of a finished stream was what on_done waited for. */
    if (call->is_complete && !call->in.first && !call->is_done_reported)
        pgrpc__call_schedule(call);
    return code;
}

/* Decodes what was taken. Lock not held: it may take long, and the codec may be the user's. */
static enum pgrpc_code decode(struct pgrpc_call *call, const void **message,
                              struct error_text *error)
{
    const void *type = call->is_server ? call->method->request_type : call->method->reply_type;
    const struct chunk *chunk = call->in_current;
    const char *text = "";
    pgrpc__arena_reset(&call->message_arena);
    enum pgrpc_code code = call->codec->decode(type, chunk->data, chunk->len,
                                               codec_arena(&call->message_arena), message, &text);
    if (code)
        pgrpc__error_set(error, code, "a received message cannot be decoded: %s", text);
    return code;
}

void pgrpc__call_check_reply(struct pgrpc_call *call)
{
    struct error_text error;
    const void *reply = NULL;
    unsigned flags = 0;
    if (call->is_server || call_is_server_streaming(call) || call->status.code || !call->in.first)
        return;
    enum pgrpc_code code = take(call, &flags, &error);
    call->is_checking = true;
    pgrpc__loop_leave_lock(call->loop);
    if (code == PGRPC_OK)
        code = decode(call, &reply, &error);
    pgrpc__loop_take_lock(call->loop);
    call->is_checking = false;
    call->checked_reply = reply;
    call->message_flags = flags;
    call->has_checked_reply = code == PGRPC_OK;
    if (code)
        fail_receiving(call, code, error.text);
    pgrpc__call_notify(call, CALL_EVENT_READABLE);
}

enum pgrpc_io pgrpc_call_recv(struct pgrpc_call *call, const void **message, unsigned *flags)
{
    if (!call || pgrpc__loop_take_lock(call->loop))
        return PGRPC_IO_CLOSED;
    struct error_text error;
    unsigned taken_flags = 0;
    enum pgrpc_code code = PGRPC_OK;
    enum pgrpc_io io = await_message(call);
    const void *reply = call->checked_reply;
    bool is_decoded = call->has_checked_reply;
    call->has_checked_reply = false;
    if (is_decoded)
        taken_flags = call->message_flags;
    else if (io == PGRPC_IO_DONE)
        code = take(call, &taken_flags, &error);
    pgrpc__loop_leave_lock(call->loop);
    if (io != PGRPC_IO_DONE)
        return io;

    if (code == PGRPC_OK && !is_decoded)
        code = decode(call, &reply, &error);
    if (code) {
        if (pgrpc__loop_take_lock(call->loop) == 0) {
            fail_receiving(call, code, error.text);
            pgrpc__loop_leave_lock(call->loop);
        }
        return PGRPC_IO_CLOSED;
    }
    *message = reply;
    call->message_flags = taken_flags;
    if (flags)
        *flags = taken_flags;
    return PGRPC_IO_DONE;
}

const struct pgrpc_status *pgrpc_call_wait(struct pgrpc_call *call)
{
    static const char taken[] = "another thread receives on this call";
    if (!call || pgrpc__loop_take_lock(call->loop))
        return pgrpc_call_status(call);
    if (!call->is_blocking || call->is_server) {
        pgrpc__call_misuse(call, "pgrpc_call_wait is for opened client calls: in callback mode "
                                 "on_done tells the end");
    } else if (call->receiver || call->is_checking) {
        pgrpc__call_misuse(call, taken);
    } else {
        struct call_wait wait = {.place = NULL};
        const char *error = NULL;
        while (!call->is_complete && !error) {
            /* Whoever waits for the end does not read: unread messages must not hold it back. */
            if (call_is_server_streaming(call))
                pgrpc__call_drop_input(call);
            error = pgrpc__call_wait_at(call, &call->receiver, &wait, taken);
        }
        if (error)
            pgrpc__call_misuse(call, error);
        else
            pgrpc__call_check_reply(call);
        pgrpc__call_end_wait(&wait);
    }
    pgrpc__loop_leave_lock(call->loop);
    return pgrpc_call_status(call);
}

unsigned pgrpc_call_message_flags(const struct pgrpc_call *call)
{
    return call->message_flags;
}
