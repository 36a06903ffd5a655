/*
 * What generated code (x.pgrpc.h, x.pgrpc.c) is made of.  Applications meet these types only when
 * they go without the generator: a struct pgrpc_method by hand with the raw codec is enough for a
 * proxy.
 */
#ifndef PICOGRPC_CODEGEN_H
#define PICOGRPC_CODEGEN_H

#include "picogrpc/call.h"
#include "picogrpc/channel.h"
#include "picogrpc/export.h"
#include "picogrpc/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when generated code needs something that older headers lack. */
#define PGRPC_CODEGEN_VERSION 1

enum { PGRPC_METHOD_CLIENT_STREAMING = 1, PGRPC_METHOD_SERVER_STREAMING = 2 };

/* One method; static and constant. Frozen: whatever a method needs later comes in another struct.
 */
struct pgrpc_method {
    const char *path;         /* "/package.Service/Method" */
    unsigned flags;           /* PGRPC_METHOD_* */
    const void *request_type; /* what the codec understands: a ProtobufCMessageDescriptor */
    const void *reply_type;
    const struct pgrpc_codec *codec; /* default codec; NULL means pgrpc_codec_proto */
};

/* A serialised FileDescriptorProto. */
struct pgrpc_file {
    const char *name; /* "dir/x.proto" */
    const unsigned char *data;
    size_t len;
};

/* One service; static and constant. */
struct pgrpc_service {
    unsigned version;     /* PGRPC_CODEGEN_VERSION of the generator */
    unsigned method_size; /* sizeof(struct pgrpc_method) there: the stride of |methods| */
    const char *name;     /* "package.Service" */
    const struct pgrpc_method *methods;
    size_t method_count;
    const struct pgrpc_file *files; /* the service's file first, then everything it imports */
    size_t file_count;
};

/* Where a handler runs. */
enum pgrpc_run {
    PGRPC_RUN_INLINE = 0, /* on the loop's thread, in callback mode */
    PGRPC_RUN_WORKER = 1  /* on a worker thread, in blocking mode */
};

/*
 * Ties one method to a handler.  |invoke| is called with the decoded request (NULL for client
 * streaming), the |handlers| and |userdata| given at registration.  A NULL invoke answers
 * UNIMPLEMENTED.
 */
struct pgrpc_binding {
    void (*invoke)(struct pgrpc_call *call, const void *request, const void *handlers,
                   void *userdata);
    enum pgrpc_run run;
};

/*
 * Registers |service|: |bindings| has one entry per method, in order, and is copied; |service|,
 * |handlers| and |userdata| must outlive the server.
 *
 *   PGRPC_INVALID_ARGUMENT     |service| is not described, or |bindings| is NULL
 *   PGRPC_ALREADY_EXISTS       a service of that name is registered
 *   PGRPC_FAILED_PRECONDITION  the server has been started, or the generated code is newer
 *   PGRPC_RESOURCE_EXHAUSTED   out of memory
 */
PGRPC_API enum pgrpc_code pgrpc_server_register(struct pgrpc_server *server,
                                                const struct pgrpc_service *service,
                                                const struct pgrpc_binding *bindings,
                                                const void *handlers, void *userdata);
/*
 * Registers a handler for every path no service has: a proxy.  It gets raw bytes (struct
 * pgrpc_bytes) and treats the call as bidirectional; pgrpc_call_path tells the method.
 */
PGRPC_API enum pgrpc_code pgrpc_server_register_fallback(struct pgrpc_server *server,
                                                         const struct pgrpc_binding *binding,
                                                         const void *handlers, void *userdata);
/* Server: sends the one reply of a method without server streaming and finishes with OK. */
PGRPC_API void pgrpc_call_reply(struct pgrpc_call *call, const void *reply);

#ifdef __cplusplus
}
#endif
#endif
