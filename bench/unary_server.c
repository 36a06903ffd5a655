/* The server of the quick benchmark: one unary method on generated stubs, inline. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helloworld.pgrpc.h"

static struct pgrpc_server *server;

static void on_signal(int number)
{
    (void)number;
    pgrpc_server_shutdown(server, 1000);
}

static void say_hello(struct pgrpc_call *call, const Helloworld__HelloRequest *request,
                      void *userdata)
{
    (void)userdata;
    Helloworld__HelloReply reply = HELLOWORLD__HELLO_REPLY__INIT;
    reply.message = pgrpc_message_printf(call, "Hello %s", request->name);
    Helloworld__Greeter__say_hello__reply(call, &reply);
}

static int write_port(const char *path, int port)
{
    char partial[4096];
    snprintf(partial, sizeof(partial), "%s.partial", path);
    FILE *file = fopen(partial, "w");
    if (!file)
        return -1;
    fprintf(file, "%d\n", port);
    return fclose(file) || rename(partial, path) ? -1 : 0;
}

int main(int argc, char **argv)
{
    static const struct Helloworld__Greeter_handlers handlers = {
        .say_hello = {say_hello, PGRPC_RUN_INLINE}};
    struct pgrpc_error error = {""};
    int port = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT_FILE\n", argv[0]);
        return 2;
    }
    if (pgrpc_server_new(NULL, &server, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    signal(SIGTERM, on_signal);
    enum pgrpc_code code = Helloworld__Greeter_register(server, &handlers, NULL);
    if (!code)
        code = pgrpc_server_listen(server, "127.0.0.1:0", pgrpc_credentials_insecure(), &port);
    if (!code && write_port(argv[1], port) == 0)
        code = pgrpc_server_run(server);
    if (code)
        fprintf(stderr, "%s\n", pgrpc_server_error(server));
    pgrpc_server_free(server);
    return code ? 1 : 0;
}
