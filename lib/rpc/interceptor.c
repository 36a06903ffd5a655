#include "picogrpc/interceptor.h"

#include "rpc/call.h"

bool pgrpc__call_intercept(struct pgrpc_call *call)
{
    const struct rpc_host *host = call->host;
    if (call->is_suspended)
        return false;
    while (call->interceptor_next < host->interceptor_count) {
        const struct pgrpc_interceptor *interceptor = &host->interceptors[call->interceptor_next++];
        if (!interceptor->on_start)
            continue;
        pgrpc__loop_leave_lock(call->loop);
        enum pgrpc_verdict verdict = interceptor->on_start(call, interceptor->userdata);
        pgrpc__loop_take_lock(call->loop);
        if (call->is_complete || call->is_finished)
            return false;
        if (verdict == PGRPC_SUSPEND && !call->is_resumed_early) {
            call->is_suspended = true;
            return false;
        }
        call->is_resumed_early = false;
    }
    return true;
}

void pgrpc_call_resume(struct pgrpc_call *call)
{
    if (!call || pgrpc__loop_take_lock(call->loop))
        return;
    struct pgrpc_loop *loop = call->loop;
    if (call->stage != CALL_STAGE_INTERCEPT || call->is_complete) {
        /* The call ended or went on meanwhile. */
    } else if (call->is_suspended) {
        call->is_suspended = false;
        pgrpc__call_schedule(call);
    } else {
        call->is_resumed_early = true;
    }
    pgrpc__loop_leave_lock(loop);
}

void pgrpc__call_intercept_done(struct pgrpc_call *call)
{
    const struct rpc_host *host = call->host;
    while (call->interceptor_next) {
        const struct pgrpc_interceptor *interceptor = &host->interceptors[--call->interceptor_next];
        if (!interceptor->on_done)
            continue;
        pgrpc__loop_leave_lock(call->loop);
        interceptor->on_done(call, interceptor->userdata);
        pgrpc__loop_take_lock(call->loop);
    }
}
