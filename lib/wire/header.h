/*
 * Header fields: those that HTTP/2 and gRPC give a meaning, by number.
 * One look-up per received field, then a switch.
 */
#ifndef PGRPC__WIRE_HEADER_H
#define PGRPC__WIRE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

enum header_id {
    HEADER_OTHER = 0, /* the application's */
    /* pseudo-headers */
    HEADER_AUTHORITY,
    HEADER_METHOD,
    HEADER_PATH,
    HEADER_SCHEME,
    HEADER_STATUS,
    HEADER_UNKNOWN_PSEUDO,
    /* HTTP's */
    HEADER_CONTENT_TYPE,
    HEADER_HOST,
    HEADER_TE,
    HEADER_USER_AGENT,
    HEADER_CONNECTION, /* any of the connection-specific ones, and content-length: not for
                          applications */
    /* gRPC's */
    HEADER_GRPC_ACCEPT_ENCODING,
    HEADER_GRPC_ENCODING,
    HEADER_GRPC_MESSAGE,
    HEADER_GRPC_MESSAGE_TYPE,
    HEADER_GRPC_PREVIOUS_RPC_ATTEMPTS,
    HEADER_GRPC_RETRY_PUSHBACK_MS,
    HEADER_GRPC_STATUS,
    HEADER_GRPC_STATUS_DETAILS_BIN,
    HEADER_GRPC_TIMEOUT
};

/* A field to send or one received.  Neither text need be terminated. */
struct header_field {
    const char *name;
    const char *value;
    size_t name_len;
    size_t value_len;
    bool is_sensitive; /* HPACK must never index it (authorization, cookie) */
};

/* |name| in lower case. */
enum header_id pgrpc__header_find(const char *name, size_t len);

#endif
