/* A channel to a server of the same process: a memory pipe with HTTP/2 on it, no second transport.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/channel.h"
#include "io/pipe.h"
#include "server/server.h"

enum { PIPE_CAPACITY = 256 * 1024 };

static int connect_pipe(void *userdata, struct pgrpc_loop *loop, struct bytestream **stream,
                        char error[SUBCHANNEL_ERROR_MAX])
{
    struct pgrpc_server *server = userdata;
    struct bytestream *ours = NULL, *theirs = NULL;
    int result = -ECONNREFUSED;
    if (!atomic_load(&server->is_started) || atomic_load(&server->is_shutting_down)) {
        snprintf(error, SUBCHANNEL_ERROR_MAX, "the server in this process is not running");
        return result;
    }
    result = pgrpc__pipe_new(loop, PIPE_CAPACITY, &ours, &theirs);
    if (result == 0) {
        result = pgrpc__server_loop_serve(&server->loops[0], theirs);
        if (result)
            ours->ops->free(ours);
    }
    if (result)
        snprintf(error, SUBCHANNEL_ERROR_MAX, "connecting in the process: %s", strerror(-result));
    else
        *stream = ours;
    return result;
}

static void free_source(void *userdata)
{
    pgrpc__server_unref(userdata);
}

enum pgrpc_code pgrpc_channel_new_in_process(struct pgrpc_server *server,
                                             const struct pgrpc_channel_options *options,
                                             struct pgrpc_channel **channel,
                                             struct pgrpc_error *error)
{
    struct channel_source source = {connect_pipe, free_source, server};
    if (!options || options->loop != pgrpc_server_loop(server)) {
        if (error)
            snprintf(error->text, sizeof(error->text),
                     "options.loop must be the server's: pgrpc_server_loop(server)");
        return PGRPC_INVALID_ARGUMENT;
    }
    atomic_fetch_add(&server->refs, 1);
    return pgrpc__channel_new("ipv4:127.0.0.1:1", pgrpc_credentials_insecure(), options, &source,
                              channel, error);
}
