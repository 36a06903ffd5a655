#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/codec.h"
#include "server/server.h"

/* --- finding ------------------------------------------------------------------------------------
 */

static struct pgrpc_server *server_of(struct rpc_host *host)
{
    return CONTAINER_OF(host, struct server_loop, host)->server;
}

static const struct rpc_target *find(struct rpc_host *host, const char *path, size_t len)
{
    struct pgrpc_server *server = server_of(host);
    const struct rpc_target *target = pgrpc__map_find(&server->targets, path, len);
    return target ? target : server->fallback;
}

static const struct pgrpc_codec *find_codec(struct rpc_host *host, const char *name, size_t len)
{
    const struct pgrpc_server *server = server_of(host);
    for (size_t i = 0; i < server->options.codec_count; i++) {
        const struct pgrpc_codec *codec = server->options.codecs[i];
        if (strlen(codec->name) == len && memcmp(codec->name, name, len) == 0)
            return codec;
    }
    return pgrpc__codec_find(name, len);
}

static int run_on_worker(struct rpc_host *host, struct pgrpc_call *call)
{
    return pgrpc__workers_add(&server_of(host)->workers, call);
}

const struct dispatcher_ops pgrpc__server_dispatcher = {
    .find = find,
    .find_codec = find_codec,
    .run_on_worker = run_on_worker,
};

/* --- registering --------------------------------------------------------------------------------
 */

static enum pgrpc_code check(struct pgrpc_server *server, const struct pgrpc_service *service,
                             const struct pgrpc_binding *bindings)
{
    if (!service || !service->name || (service->method_count && !service->methods))
        return pgrpc__server_fail(server, PGRPC_INVALID_ARGUMENT, "the service is not described");
    if (service->method_count && !bindings)
        return pgrpc__server_fail(server, PGRPC_INVALID_ARGUMENT,
                                  "%.100s: the handlers are missing: pass a table, in which a "
                                  "method without a function answers UNIMPLEMENTED",
                                  service->name);
    if (service->version > PGRPC_CODEGEN_VERSION)
        return pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION,
                                  "%.100s: its generated code is newer than this library: update "
                                  "picogrpc",
                                  service->name);
    if (service->method_size < sizeof(struct pgrpc_method))
        return pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION,
                                  "%.100s: its generated code is older than this library reads: "
                                  "generate it again",
                                  service->name);
    if (atomic_load(&server->is_started))
        return pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION,
                                  "%.100s: register services before the server starts",
                                  service->name);
    if (pgrpc__map_find(&server->services, service->name, strlen(service->name)))
        return pgrpc__server_fail(server, PGRPC_ALREADY_EXISTS, "%.100s is registered already",
                                  service->name);
    return PGRPC_OK;
}

static enum pgrpc_code no_memory(struct pgrpc_server *server)
{
    return pgrpc__server_fail(server, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
}

enum pgrpc_code pgrpc_server_register(struct pgrpc_server *server,
                                      const struct pgrpc_service *service,
                                      const struct pgrpc_binding *bindings, const void *handlers,
                                      void *userdata)
{
    enum pgrpc_code code = check(server, service, bindings);
    if (code)
        return code;
    struct rpc_target *targets =
        pgrpc__arena_alloc(&server->arena, (service->method_count + 1) * sizeof(*targets));
    if (!targets)
        return no_memory(server);
    for (size_t i = 0; i < service->method_count; i++) {
        const struct pgrpc_method *method =
            (const void *)((const char *)service->methods + i * service->method_size);
        targets[i] = (struct rpc_target){
            .method = method, .binding = bindings[i], .handlers = handlers, .userdata = userdata};
        int result =
            pgrpc__map_add(&server->targets, method->path, strlen(method->path), &targets[i]);
        if (result == -EEXIST)
            return pgrpc__server_fail(server, PGRPC_ALREADY_EXISTS, "%.100s is registered already",
                                      method->path);
        if (result)
            return no_memory(server);
    }
    /* Only listed by name and never written through: reflection reads it. */
    if (pgrpc__map_add(&server->services, service->name, strlen(service->name),
                       (void *)(uintptr_t)service))
        return no_memory(server);
    return PGRPC_OK;
}

enum pgrpc_code pgrpc_server_register_fallback(struct pgrpc_server *server,
                                               const struct pgrpc_binding *binding,
                                               const void *handlers, void *userdata)
{
    static const struct pgrpc_method any_method = {
        .path = "",
        .flags = PGRPC_METHOD_CLIENT_STREAMING | PGRPC_METHOD_SERVER_STREAMING,
        .codec = &pgrpc_codec_raw,
    };
    if (atomic_load(&server->is_started))
        return pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION,
                                  "register the fallback before the server starts");
    if (server->fallback)
        return pgrpc__server_fail(server, PGRPC_ALREADY_EXISTS, "a fallback is registered already");
    struct rpc_target *target = pgrpc__arena_alloc(&server->arena, sizeof(*target));
    if (!target)
        return no_memory(server);
    *target = (struct rpc_target){.method = &any_method,
                                  .binding = *binding,
                                  .handlers = handlers,
                                  .userdata = userdata,
                                  .is_fallback = true};
    server->fallback = target;
    return PGRPC_OK;
}
