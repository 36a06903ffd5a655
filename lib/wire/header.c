#include "wire/header.h"

#include <string.h>

/* |text| is a literal as long as |name|, so that the compiler compares words. */
#define IS(name, text) (memcmp(name, text, sizeof(text) - 1) == 0)

static enum header_id find_pseudo(const char *name, size_t len)
{
    switch (len) {
    case 5:
        return IS(name, ":path") ? HEADER_PATH : HEADER_UNKNOWN_PSEUDO;
    case 7:
        return IS(name, ":method")   ? HEADER_METHOD
               : IS(name, ":scheme") ? HEADER_SCHEME
               : IS(name, ":status") ? HEADER_STATUS
                                     : HEADER_UNKNOWN_PSEUDO;
    case 10:
        return IS(name, ":authority") ? HEADER_AUTHORITY : HEADER_UNKNOWN_PSEUDO;
    default:
        return HEADER_UNKNOWN_PSEUDO;
    }
}

enum header_id pgrpc__header_find(const char *name, size_t len)
{
    if (len > 0 && name[0] == ':')
        return find_pseudo(name, len);
    switch (len) {
    case 2:
        return IS(name, "te") ? HEADER_TE : HEADER_OTHER;
    case 4:
        return IS(name, "host") ? HEADER_HOST : HEADER_OTHER;
    case 7:
        return IS(name, "trailer") || IS(name, "upgrade") ? HEADER_CONNECTION : HEADER_OTHER;
    case 10:
        return IS(name, "user-agent")                             ? HEADER_USER_AGENT
               : IS(name, "connection") || IS(name, "keep-alive") ? HEADER_CONNECTION
                                                                  : HEADER_OTHER;
    case 11:
        return IS(name, "grpc-status") ? HEADER_GRPC_STATUS : HEADER_OTHER;
    case 12:
        return IS(name, "content-type")   ? HEADER_CONTENT_TYPE
               : IS(name, "grpc-timeout") ? HEADER_GRPC_TIMEOUT
               : IS(name, "grpc-message") ? HEADER_GRPC_MESSAGE
                                          : HEADER_OTHER;
    case 13:
        return IS(name, "grpc-encoding") ? HEADER_GRPC_ENCODING : HEADER_OTHER;
    case 14:
        return IS(name, "content-length") ? HEADER_CONNECTION : HEADER_OTHER;
    case 16:
        return IS(name, "proxy-connection") ? HEADER_CONNECTION : HEADER_OTHER;
    case 17:
        return IS(name, "transfer-encoding")   ? HEADER_CONNECTION
               : IS(name, "grpc-message-type") ? HEADER_GRPC_MESSAGE_TYPE
                                               : HEADER_OTHER;
    case 20:
        return IS(name, "grpc-accept-encoding") ? HEADER_GRPC_ACCEPT_ENCODING : HEADER_OTHER;
    case 22:
        return IS(name, "grpc-retry-pushback-ms") ? HEADER_GRPC_RETRY_PUSHBACK_MS : HEADER_OTHER;
    case 23:
        return IS(name, "grpc-status-details-bin") ? HEADER_GRPC_STATUS_DETAILS_BIN : HEADER_OTHER;
    case 26:
        return IS(name, "grpc-previous-rpc-attempts") ? HEADER_GRPC_PREVIOUS_RPC_ATTEMPTS
                                                      : HEADER_OTHER;
    default:
        return HEADER_OTHER;
    }
}
