#include "io/error_text.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const struct {
    int error;
    const char *text;
} texts[] = {
    {EACCES, "permission denied"},
    {EADDRINUSE, "address already in use"},
    {EADDRNOTAVAIL, "address not available on this host"},
    {EAFNOSUPPORT, "address family not supported"},
    {EAGAIN, "resource temporarily unavailable"},
    {ECONNABORTED, "connection aborted"},
    {ECONNREFUSED, "connection refused"},
    {ECONNRESET, "connection reset by peer"},
    {EHOSTUNREACH, "no route to host"},
    {EINVAL, "invalid argument"},
    {EMFILE, "too many open files"},
    {ENETDOWN, "network is down"},
    {ENETUNREACH, "network is unreachable"},
    {ENFILE, "too many open files in the system"},
    {ENOBUFS, "no buffer space"},
    {ENOENT, "no such file"},
    {ENOMEM, "out of memory"},
    {ENOTSOCK, "not a socket"},
    {EPERM, "operation not permitted"},
    {EPIPE, "connection closed by peer"},
    {EPROTO, "protocol error"},
    {ETIMEDOUT, "connection timed out"},
};

const char *pgrpc__error_text(int error)
{
    if (error < 0)
        error = -error;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].error == error)
            return texts[i].text;
    return strerror(error);
}
