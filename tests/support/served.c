#include "served.h"

#include <stdio.h>

#include "unit.h"

enum { TURNS_MAX = 100000 };

bool served_init(struct served *served, size_t fail_at, const struct pgrpc_server_options *options)
{
    struct pgrpc_server_options given = {.size = sizeof(given)};
    memset(served, 0, sizeof(*served));
    faulty_allocator_init(&served->faulty, fail_at);
    struct pgrpc_loop_options loop_options = {.size = sizeof(loop_options),
                                              .allocator = &served->faulty.hook};
    served->loop = pgrpc_loop_new(&loop_options);
    if (!served->loop)
        return false;
    if (options)
        given = *options;
    given.loop = served->loop;
    given.allocator = &served->faulty.hook;
    return pgrpc_server_new(&given, &served->server, NULL) == PGRPC_OK;
}

bool served_start(struct served *served, const struct pgrpc_channel_options *options)
{
    struct pgrpc_channel_options given = {.size = sizeof(given)};
    if (options)
        given = *options;
    given.loop = served->loop;
    return pgrpc_server_start(served->server) == PGRPC_OK &&
           pgrpc_channel_new_in_process(served->server, &given, &served->channel, NULL) == PGRPC_OK;
}

void served_run(struct served *served)
{
    for (int i = 0; i < TURNS_MAX; i++)
        if (pgrpc_loop_dispatch(served->loop, 0) <= 0)
            return;
    fail_msg("the loop does not come to rest");
}

void served_clear(struct served *served)
{
    pgrpc_channel_unref(served->channel);
    if (served->loop)
        served_run(served);
    pgrpc_server_free(served->server);
    if (served->loop)
        served_run(served);
    pgrpc_loop_free(served->loop);
    assert_int_equal(faulty_allocator_live(&served->faulty), 0);
}

/* --- calls --------------------------------------------------------------------------------------
 */

void served_note(struct served_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len =
        vsnprintf(call->log + call->log_len, sizeof(call->log) - call->log_len, format, arguments);
    va_end(arguments);
    assert_true(len >= 0 && (size_t)len < sizeof(call->log) - call->log_len);
    call->log_len += (size_t)len;
}

static void read_all(struct served_call *call, struct pgrpc_call *from)
{
    const void *reply;
    while (pgrpc_call_recv(from, &reply, NULL) == PGRPC_IO_DONE) {
        call->message_count++;
        call->note(call, reply);
    }
}

void served_call_read(struct served_call *call)
{
    read_all(call, call->call);
}

static void on_readable(struct pgrpc_call *lent, void *userdata)
{
    struct served_call *call = userdata;
    if (!call->holds_back)
        read_all(call, lent);
}

static void on_done(struct pgrpc_call *lent, void *userdata)
{
    struct served_call *call = userdata;
    read_all(call, lent);
    const struct pgrpc_status *status = pgrpc_call_status(lent);
    call->is_done = true;
    call->code = status->code;
    served_note(call, "%s%s%s\n", pgrpc_code_name(status->code), *status->message ? " " : "",
                status->message);
}

bool served_call(struct served *served, struct served_call *call, const struct pgrpc_method *method,
                 const void *request, served_note_fn *note)
{
    static const struct pgrpc_call_events events = {
        .size = sizeof(events), .on_readable = on_readable, .on_done = on_done};
    memset(call, 0, sizeof(*call));
    call->note = note;
    call->call = pgrpc_call_start(served->channel, method, request, NULL, &events, call);
    if (!call->call)
        return false;
    pgrpc_call_ref(call->call);
    return true;
}

void served_call_reset(struct served_call *call)
{
    call->log_len = 0;
    call->log[0] = 0;
    call->message_count = 0;
}

void served_call_clear(struct served_call *call)
{
    if (!call->call)
        return;
    pgrpc_call_cancel(call->call);
    pgrpc_call_unref(call->call);
    call->call = NULL;
}
