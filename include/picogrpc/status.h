/*
 * The result of a call: a code, a text and, if the server sent them, rich details.
 * Codes and their meaning: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
 */
#ifndef PICOGRPC_STATUS_H
#define PICOGRPC_STATUS_H

#include <stddef.h>

#include "picogrpc/export.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pgrpc_code {
    PGRPC_OK = 0,
    PGRPC_CANCELLED = 1,
    PGRPC_UNKNOWN = 2,
    PGRPC_INVALID_ARGUMENT = 3,
    PGRPC_DEADLINE_EXCEEDED = 4,
    PGRPC_NOT_FOUND = 5,
    PGRPC_ALREADY_EXISTS = 6,
    PGRPC_PERMISSION_DENIED = 7,
    PGRPC_RESOURCE_EXHAUSTED = 8,
    PGRPC_FAILED_PRECONDITION = 9,
    PGRPC_ABORTED = 10,
    PGRPC_OUT_OF_RANGE = 11,
    PGRPC_UNIMPLEMENTED = 12,
    PGRPC_INTERNAL = 13,
    PGRPC_UNAVAILABLE = 14,
    PGRPC_DATA_LOSS = 15,
    PGRPC_UNAUTHENTICATED = 16
};

/*
 * |message| is UTF-8 for people, never NULL ("" when there is none).  |details| is a serialised
 * google.rpc.Status as the server sent it in grpc-status-details-bin, NULL when there is none.
 * Both belong to the object the status came from (a call, a result) and live as long as it.
 */
struct pgrpc_status {
    enum pgrpc_code code;
    const char *message;
    const void *details;
    size_t details_len;
};

/* Room for the text of a function that failed to make an object: what went wrong and what to do. */
struct pgrpc_error {
    char text[256];
};

/* "OK", "CANCELLED", ...; "UNKNOWN_CODE" for a number outside 0..16. Static. Any thread. */
PGRPC_API const char *pgrpc_code_name(enum pgrpc_code code);

#ifdef __cplusplus
}
#endif
#endif
