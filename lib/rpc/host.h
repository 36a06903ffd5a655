/*
 * A host: what calls belong to.  A channel is one; a server has one per loop.  It holds what all
 * its calls share (loop, limits, interceptors, compressor), and the interfaces through which rpc/
 * reaches up without knowing who is there: a picker on the client's side (picker.h), a dispatcher
 * on the server's.
 *
 * Embedded in the channel or server loop; must outlive its calls, for which calls count themselves
 * in.
 */
#ifndef PGRPC__RPC_HOST_H
#define PGRPC__RPC_HOST_H

#include "base/list.h"
#include "io/loop.h"
#include "picogrpc/codegen.h"
#include "picogrpc/interceptor.h"
#include "rpc/picker.h"
#include "wire/compress.h"

/* A method that can be called here. Lives as long as the server. */
struct rpc_target {
    const struct pgrpc_method *method;
    struct pgrpc_binding binding;
    const void *handlers;
    void *userdata;
    bool is_fallback; /* any path; treated as bidirectional raw bytes */
};

struct dispatcher_ops {
    /* NULL: no such method. Lock held. */
    const struct rpc_target *(*find)(struct rpc_host *host, const char *path, size_t len);
    /* NULL: no such codec. |name| may be empty. Lock held. */
    const struct pgrpc_codec *(*find_codec)(struct rpc_host *host, const char *name, size_t len);
    /* Hands |call| to a worker, which runs pgrpc__call_run_handler. 0 or -ENOMEM. Lock held. */
    int (*run_on_worker)(struct rpc_host *host, struct pgrpc_call *call);
};

struct rpc_host {
    struct pgrpc_loop *loop;
    uint32_t max_receive_bytes;
    uint32_t max_send_bytes;
    uint32_t send_high_water_bytes;
    bool is_strict_te;
    const struct pgrpc_interceptor *interceptors;
    size_t interceptor_count;
    struct compressor compressor;
    struct list calls; /* every call that is not freed */
    size_t call_count;
    struct picker *picker;                   /* client */
    const char *authority;                   /* client: default :authority */
    const char *scheme;                      /* client */
    const char *user_agent;                  /* client */
    const struct dispatcher_ops *dispatcher; /* server */
    /* The last call was freed. Lock held; the host may be freed later, not from here. */
    void (*on_empty)(struct rpc_host *host);
};

#endif
