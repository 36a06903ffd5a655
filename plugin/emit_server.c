#include "emit.h"

enum {
    MANY_REQUESTS = MODEL_CLIENT_STREAM | MODEL_BIDI,
    ONE_REPLY = MODEL_UNARY | MODEL_CLIENT_STREAM,
    MANY_REPLIES = MODEL_SERVER_STREAM | MODEL_BIDI
};

const struct emit_function emit_server_functions[] = {
    {
        .kinds = MANY_REQUESTS,
        .verb = "__recv_request",
        .comment = "Server: takes a request.",
        .returns = "enum pgrpc_io ",
        .parameters = "struct pgrpc_call *call, const $Q **request",
        .body = "const void *message;\n"
                "enum pgrpc_io io = pgrpc_call_recv(call, &message, NULL);\n"
                "if (io == PGRPC_IO_DONE)\n"
                "    *request = message;\n"
                "return io;",
    },
    {
        .kinds = MANY_REPLIES,
        .verb = "__send_reply",
        .comment = "Server: sends a reply. pgrpc_call_finish ends the call.",
        .returns = "enum pgrpc_io ",
        .parameters = "struct pgrpc_call *call, const $R *reply",
        .body = "return pgrpc_call_send(call, reply, 0);",
    },
    {
        .kinds = ONE_REPLY,
        .verb = "__reply",
        .comment = "Server: sends the reply and finishes with OK.",
        .returns = "void ",
        .parameters = "struct pgrpc_call *call, const $R *reply",
        .body = "pgrpc_call_reply(call, reply);",
    },
    {0},
};

static bool has_one_request(const struct model_method *method)
{
    return !(method->kind & MANY_REQUESTS);
}

void emit_server_header(struct text *out, const struct emit_scope *scope)
{
    struct emit_scope inner = *scope;
    if (scope->service->method_count > 0) {
        inner.method = &scope->service->methods[0];
        emit(out, &inner,
             "/*\n"
             " * What serves $N: for each method a function and where it runs.\n"
             " *\n"
             " *     .$H = {$H, PGRPC_RUN_INLINE}    must not wait\n"
             " *     .$H = {$H, PGRPC_RUN_WORKER}    may wait\n"
             " *\n"
             " * A method without a function answers UNIMPLEMENTED.\n"
             " */\n");
    }
    emit(out, scope, "struct $S_handlers {\n");
    for (size_t i = 0; i < scope->service->method_count; i++) {
        inner.method = &scope->service->methods[i];
        emit(out, &inner, "    struct {\n");
        emit(out, &inner,
             has_one_request(inner.method)
                 ? "        void (*handle)(struct pgrpc_call *call, const $Q *request, "
                   "void *userdata);\n"
                 : "        void (*handle)(struct pgrpc_call *call, void *userdata);\n");
        emit(out, &inner,
             "        enum pgrpc_run run;\n"
             "    } $H;\n");
    }
    if (scope->service->method_count == 0)
        emit(out, scope, "    char none; /* C has no empty structs */\n");
    emit(out, scope,
         "};\n"
         "/* |handlers| and |userdata| must outlive |server|. Codes as pgrpc_server_register. */\n"
         "$Xenum pgrpc_code $S_register(struct pgrpc_server *server, "
         "const struct $S_handlers *handlers, void *userdata);\n");
}

void emit_server_source(struct text *out, const struct emit_scope *scope)
{
    struct emit_scope inner = *scope;
    for (size_t i = 0; i < scope->service->method_count; i++) {
        inner.method = &scope->service->methods[i];
        emit(out, &inner,
             "static void $M__invoke(struct pgrpc_call *call, const void *request, "
             "const void *handlers, void *userdata)\n"
             "{\n"
             "    const struct $S_handlers *own = handlers;\n");
        emit(out, &inner,
             has_one_request(inner.method) ? "    own->$H.handle(call, request, userdata);\n"
                                           : "    (void)request;\n"
                                             "    own->$H.handle(call, userdata);\n");
        emit(out, &inner, "}\n\n");
    }
    emit(out, scope,
         "enum pgrpc_code $S_register(struct pgrpc_server *server, "
         "const struct $S_handlers *handlers, void *userdata)\n"
         "{\n");
    if (scope->service->method_count == 0) {
        emit(out, scope,
             "    return pgrpc_server_register(server, &$S_service, NULL, handlers, userdata);\n"
             "}\n");
        return;
    }
    emit(out, scope,
         "    if (!handlers)\n"
         "        return pgrpc_server_register(server, &$S_service, NULL, NULL, userdata);\n"
         "    const struct pgrpc_binding bindings[] = {\n");
    for (size_t i = 0; i < scope->service->method_count; i++) {
        inner.method = &scope->service->methods[i];
        emit(out, &inner, "        {handlers->$H.handle ? $M__invoke : NULL, handlers->$H.run},\n");
    }
    emit(out, scope,
         "    };\n"
         "    return pgrpc_server_register(server, &$S_service, bindings, handlers, userdata);\n"
         "}\n");
}
