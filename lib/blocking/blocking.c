/* Blocking calls: a thin layer on the asynchronous ones. Who turns the loop meanwhile: io/loop.h,
 * pgrpc__loop_wait. */
#include <string.h>

#include "base/log.h"
#include "client/channel.h"
#include "codec/codec.h"
#include "rpc/call.h"

struct pgrpc_call *pgrpc_call_open(struct pgrpc_channel *channel, const struct pgrpc_method *method,
                                   const void *request, const struct pgrpc_call_options *options)
{
    return pgrpc__call_begin(&channel->host, method, request, options, NULL, NULL, true);
}

void pgrpc_result_clear(struct pgrpc_result *result)
{
    if (!result)
        return;
    pgrpc_call_unref(result->call);
    memset(result, 0, sizeof(*result));
    result->status.message = "";
}

const void *pgrpc_call_unary(struct pgrpc_channel *channel, const struct pgrpc_method *method,
                             const void *request, const struct pgrpc_call_options *options,
                             struct pgrpc_result *result)
{
    const void *reply = NULL;
    if (!result) {
        pgrpc__log(PGRPC_LOG_ERROR, "a one-shot call needs a struct pgrpc_result", NULL, 0);
        return NULL;
    }
    pgrpc_result_clear(result);
    struct pgrpc_call *call = pgrpc_call_open(channel, method, request, options);
    if (!call) {
        result->status.code = PGRPC_RESOURCE_EXHAUSTED;
        result->status.message = "no memory for a call, or the channel belongs to the parent of a "
                                 "fork()";
        return NULL;
    }
    if (pgrpc_call_recv(call, &reply, &result->flags) != PGRPC_IO_DONE)
        reply = NULL;
    result->call = call;
    pgrpc__call_get_result(call, result);
    return reply;
}
