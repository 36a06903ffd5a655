/*
 * Interceptors: code that runs around every call of a channel or a server: tokens, access logs,
 * metrics. They run once per call (not per attempt), on the loop's thread, with no lock held; the
 * first of the array is the outermost: its on_start runs first and its on_done last.
 */
#ifndef PICOGRPC_INTERCEPTOR_H
#define PICOGRPC_INTERCEPTOR_H

#include "picogrpc/call.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pgrpc_verdict {
    PGRPC_CONTINUE = 0,
    PGRPC_SUSPEND = 1 /* wait for pgrpc_call_resume: take a reference before returning */
};

/* The struct is copied; |userdata| must outlive the channel or server. Any hook may be NULL. */
struct pgrpc_interceptor {
    size_t size; /* sizeof(struct pgrpc_interceptor) */
    /*
     * Client: before the call is sent; may add headers.  Server: before the handler; may read and
     * add headers. pgrpc_call_finish here ends the call: neither server nor handler sees it.
     */
    enum pgrpc_verdict (*on_start)(struct pgrpc_call *call, void *userdata);
    /* The call is over; pgrpc_call_status tells how. Once for every on_start. */
    void (*on_done)(struct pgrpc_call *call, void *userdata);
    void *userdata;
};

/* Goes on with a call that an on_start suspended. Any thread that holds a reference. */
PGRPC_API void pgrpc_call_resume(struct pgrpc_call *call);

#ifdef __cplusplus
}
#endif
#endif
