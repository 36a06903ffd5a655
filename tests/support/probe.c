#include "probe.h"

#include <stdio.h>

#include "unit.h"

void probe_note(struct probe *probe, const char *format, ...)
{
    size_t len = strlen(probe->log);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(probe->log + len, sizeof(probe->log) - len, format, arguments);
    va_end(arguments);
}

static void event(struct probe *probe, struct pgrpc_call *call, const char *name)
{
    assert_false(probe->is_starting);
    assert_int_equal(probe->done_count, 0);
    assert_ptr_equal(probe->call, call);
    probe_note(probe, "%s\n", name);
    if (probe->act)
        probe->act(probe, name);
}

static void on_headers(struct pgrpc_call *call, void *userdata)
{
    event(userdata, call, "headers");
}

static void on_readable(struct pgrpc_call *call, void *userdata)
{
    event(userdata, call, "readable");
}

static void on_writable(struct pgrpc_call *call, void *userdata)
{
    event(userdata, call, "writable");
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct probe *probe = userdata;
    const struct pgrpc_status *status = pgrpc_call_status(call);
    assert_false(probe->is_starting);
    assert_int_equal(probe->done_count++, 0);
    assert_ptr_equal(probe->call, call);
    probe->code = status->code;
    probe_note(probe, "done %s %s\n", pgrpc_code_name(status->code), status->message);
    if (probe->act)
        probe->act(probe, "done");
    if (probe->finishes)
        pgrpc_call_finish(call, PGRPC_UNKNOWN, NULL);
    probe->call = NULL;
}

static const struct pgrpc_call_events events = {.size = sizeof(events),
                                                .on_headers = on_headers,
                                                .on_readable = on_readable,
                                                .on_writable = on_writable,
                                                .on_done = on_done};

void probe_start(struct probe *probe, struct world *world, enum world_method method,
                 const char *request, const struct pgrpc_call_options *options)
{
    struct pgrpc_bytes bytes = {request, request ? strlen(request) : 0};
    probe->is_starting = true;
    probe->call = pgrpc_call_start(world->channel, &world->methods[method], request ? &bytes : NULL,
                                   options, &events, probe);
    probe->is_starting = false;
    assert_non_null(probe->call);
}

void probe_take(struct probe *probe, struct pgrpc_call *call)
{
    probe->call = call;
    probe->is_starting = true;
    pgrpc_call_set_events(call, &events, probe);
    probe->is_starting = false;
}

void probe_invoke(struct pgrpc_call *call, const void *message, const void *handlers,
                  void *userdata)
{
    (void)message;
    (void)handlers;
    probe_note(userdata, "handler\n");
    probe_take(userdata, call);
}

enum pgrpc_io probe_send(struct probe *probe, const char *text, unsigned flags)
{
    struct pgrpc_bytes bytes = {text, strlen(text)};
    return pgrpc_call_send(probe->call, &bytes, flags);
}

enum pgrpc_io probe_recv(struct probe *probe)
{
    static const char *const names[] = {"", "again\n", "end\n", "closed\n"};
    const void *message = NULL;
    enum pgrpc_io io = pgrpc_call_recv(probe->call, &message, NULL);
    if (io == PGRPC_IO_DONE) {
        const struct pgrpc_bytes *bytes = message;
        probe_note(probe, "message %.*s\n", (int)(bytes->len < 40 ? bytes->len : 40),
                   (const char *)bytes->data);
    } else {
        probe_note(probe, "%s", names[io]);
    }
    return io;
}
