/*
 * An application with generated code of its own for what the library also has inside: the
 * well-known types, google.rpc.Status, health and reflection.  It asks the library's health service
 * with its own messages, and gets an error with details from a handler.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <picogrpc/well_known/any.h>
#include <picogrpc/well_known/duration.h>
#include <picogrpc/well_known/field_mask.h>
#include <picogrpc/well_known/status.h>
#include <picogrpc/well_known/timestamp.h>

#include "greeter.pgrpc.h"
#include "grpc/health/v1/health.pgrpc.h"
#include "grpc/reflection/v1/reflection.pgrpc.h"

static struct pgrpc_loop *loop;
static struct pgrpc_arena *arena;
static int failures = 2, calls = 2;

static void say_hello(struct pgrpc_call *call, const Consumer__HelloRequest *request,
                      void *userdata)
{
    Google__Rpc__Status rich = GOOGLE__RPC__STATUS__INIT;
    Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;
    struct timespec time = {3, 0};

    (void)request;
    (void)userdata;
    rich.code = PGRPC_UNAVAILABLE;
    rich.message = (char *)"later";
    if (pgrpc_duration_from_timespec(&time, &wait) ||
        pgrpc_rich_status_add(&google__protobuf__duration__descriptor, &wait, arena, &rich) ||
        pgrpc_rich_status_finish(call, &rich))
        pgrpc_call_finish(call, PGRPC_INTERNAL, NULL);
}

static const struct Consumer__Greeter_handlers handlers = {
    .say_hello = {say_hello, PGRPC_RUN_INLINE},
};

static void ended(struct pgrpc_call *call, void *userdata)
{
    (void)userdata;
    if (*pgrpc_call_status(call)->message)
        printf("%s: %s\n", pgrpc_call_path(call), pgrpc_call_status(call)->message);
    if (--calls == 0)
        pgrpc_loop_stop(loop);
}

static void greeted(struct pgrpc_call *call, void *userdata)
{
    const Google__Rpc__Status *rich;
    const void *wait;

    if (pgrpc_rich_status_get(pgrpc_call_status(call), arena, &rich) == PGRPC_OK &&
        pgrpc_rich_status_find(rich, &google__protobuf__duration__descriptor, arena, &wait) ==
            PGRPC_OK &&
        ((const Google__Protobuf__Duration *)wait)->seconds == 3)
        failures--;
    ended(call, userdata);
}

static void checked(struct pgrpc_call *call, void *userdata)
{
    const Grpc__Health__V1__HealthCheckResponse *response;

    if (Grpc__Health__V1__Health__check__recv_reply(call, &response) == PGRPC_IO_DONE &&
        response->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING)
        failures--;
    ended(call, userdata);
}

int main(void)
{
    Grpc__Health__V1__HealthCheckRequest question = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Consumer__HelloRequest request = CONSUMER__HELLO_REQUEST__INIT;
    struct pgrpc_server_options server_options = {.size = sizeof(server_options)};
    struct pgrpc_channel_options channel_options = {.size = sizeof(channel_options)};
    struct pgrpc_call_events check = {.size = sizeof(check), .on_done = checked};
    struct pgrpc_call_events greet = {.size = sizeof(greet), .on_done = greeted};
    struct pgrpc_server *server = NULL;
    struct pgrpc_channel *channel = NULL;
    struct pgrpc_health *health;
    struct pgrpc_error error;

    loop = pgrpc_loop_new(NULL);
    arena = pgrpc_arena_new(NULL, 0);
    server_options.loop = channel_options.loop = loop;
    if (loop && arena && !pgrpc_server_new(&server_options, &server, &error) &&
        !pgrpc_health_register(server, &health) && !pgrpc_reflection_register(server) &&
        !Consumer__Greeter_register(server, &handlers, NULL) && !pgrpc_server_start(server) &&
        !pgrpc_channel_new_in_process(server, &channel_options, &channel, &error) &&
        Grpc__Health__V1__Health__check__start(channel, &question, NULL, &check, NULL) &&
        Consumer__Greeter__say_hello__start(channel, &request, NULL, &greet, NULL))
        pgrpc_loop_run(loop);
    pgrpc_channel_unref(channel);
    pgrpc_server_free(server);
    pgrpc_loop_free(loop);
    pgrpc_arena_free(arena);
    return failures;
}
