/* A channel over an open socket: connects once. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/channel.h"
#include "io/socket.h"

struct fd_source {
    struct pgrpc_allocator allocator;
    int fd; /* -1 once it was used */
};

static int connect_fd(void *userdata, struct pgrpc_loop *loop, struct bytestream **stream,
                      char error[SUBCHANNEL_ERROR_MAX])
{
    struct fd_source *source = userdata;
    int fd = source->fd;
    source->fd = -1;
    if (fd < 0) {
        snprintf(error, SUBCHANNEL_ERROR_MAX, "the channel's one socket is closed");
        return -ENOTCONN;
    }
    int result = pgrpc__socket_adopt(loop, fd, stream);
    if (result)
        snprintf(error, SUBCHANNEL_ERROR_MAX, "using the socket: %s", strerror(-result));
    return result;
}

static void free_source(void *userdata)
{
    struct fd_source *source = userdata;
    struct pgrpc_allocator allocator = source->allocator;
    if (source->fd >= 0)
        close(source->fd);
    pgrpc__raw_free(&allocator, source);
}

enum pgrpc_code pgrpc_channel_new_from_fd(int fd, const char *name,
                                          const struct pgrpc_credentials *credentials,
                                          const struct pgrpc_channel_options *options,
                                          struct pgrpc_channel **channel, struct pgrpc_error *error)
{
    const struct pgrpc_allocator *allocator = &pgrpc__default_allocator;
    if (options && options->loop)
        allocator = &options->loop->mem.allocator;
    else if (options && options->allocator)
        allocator = options->allocator;
    struct fd_source *state = pgrpc__raw_alloc(allocator, sizeof(*state));
    if (!state) {
        close(fd);
        if (error)
            snprintf(error->text, sizeof(error->text), "out of memory");
        return PGRPC_RESOURCE_EXHAUSTED;
    }
    state->allocator = *allocator;
    state->fd = fd;
    struct channel_source source = {connect_fd, free_source, state};
    /* The name is never resolved, but must be there for the authority and for TLS. */
    return pgrpc__channel_new(name, credentials, options, &source, channel, error);
}
