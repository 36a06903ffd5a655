#include "emit.h"

enum {
    ONE_REQUEST = MODEL_UNARY | MODEL_SERVER_STREAM,
    MANY_REQUESTS = MODEL_CLIENT_STREAM | MODEL_BIDI
};

const struct emit_function emit_client_functions[] = {
    {
        .kinds = MODEL_UNARY,
        .verb = "",
        .comment = "Client: calls and waits. The reply, or NULL and the reason in result->status.",
        .returns = "const $R *",
        .parameters = "struct pgrpc_channel *channel, const $Q *request, "
                      "const struct pgrpc_call_options *options, struct pgrpc_result *result",
        .body = "return pgrpc_call_unary(channel, &$S_methods[$I], request, options, result);",
    },
    {
        .kinds = MODEL_SERVER_STREAM,
        .verb = "__open",
        .comment = "Client: opens a call that waits. Drop it with pgrpc_call_unref.",
        .returns = "struct pgrpc_call *",
        .parameters = "struct pgrpc_channel *channel, const $Q *request, "
                      "const struct pgrpc_call_options *options",
        .body = "return pgrpc_call_open(channel, &$S_methods[$I], request, options);",
    },
    {
        .kinds = MANY_REQUESTS,
        .verb = "__open",
        .comment = "Client: opens a call that waits. Drop it with pgrpc_call_unref.",
        .returns = "struct pgrpc_call *",
        .parameters = "struct pgrpc_channel *channel, const struct pgrpc_call_options *options",
        .body = "return pgrpc_call_open(channel, &$S_methods[$I], NULL, options);",
    },
    {
        .kinds = ONE_REQUEST,
        .verb = "__start",
        .comment =
            "Client: starts a call that reports events. It is lent until on_done has returned.",
        .returns = "struct pgrpc_call *",
        .parameters = "struct pgrpc_channel *channel, const $Q *request, "
                      "const struct pgrpc_call_options *options, "
                      "const struct pgrpc_call_events *events, void *userdata",
        .body = "return pgrpc_call_start(channel, &$S_methods[$I], request, options, events, "
                "userdata);",
    },
    {
        .kinds = MANY_REQUESTS,
        .verb = "__start",
        .comment =
            "Client: starts a call that reports events. It is lent until on_done has returned.",
        .returns = "struct pgrpc_call *",
        .parameters = "struct pgrpc_channel *channel, const struct pgrpc_call_options *options, "
                      "const struct pgrpc_call_events *events, void *userdata",
        .body =
            "return pgrpc_call_start(channel, &$S_methods[$I], NULL, options, events, userdata);",
    },
    {
        .kinds = MANY_REQUESTS,
        .verb = "__send_request",
        .comment = "Client: sends a request. pgrpc_call_close_send says that it was the last.",
        .returns = "enum pgrpc_io ",
        .parameters = "struct pgrpc_call *call, const $Q *request",
        .body = "return pgrpc_call_send(call, request, 0);",
    },
    {
        .kinds = ONE_REQUEST | MANY_REQUESTS,
        .verb = "__recv_reply",
        .comment = "Client: takes a reply.",
        .returns = "enum pgrpc_io ",
        .parameters = "struct pgrpc_call *call, const $R **reply",
        .body = "const void *message;\n"
                "enum pgrpc_io io = pgrpc_call_recv(call, &message, NULL);\n"
                "if (io == PGRPC_IO_DONE)\n"
                "    *reply = message;\n"
                "return io;",
    },
    {0},
};
