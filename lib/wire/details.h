/*
 * google.rpc.Status, the content of grpc-status-details-bin, read and written by hand: a code, a
 * message and details, each an opaque serialised google.protobuf.Any.
 */
#ifndef PGRPC__WIRE_DETAILS_H
#define PGRPC__WIRE_DETAILS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "picogrpc/codec.h"

/* Views into the bytes that were read. */
struct details {
    int32_t code;
    struct pgrpc_bytes message; /* as it came: UTF-8 is not checked */
    size_t any_count;
};

/* False when |data| is not a protobuf message of this shape. Unknown fields are skipped. */
bool pgrpc__details_parse(const void *data, size_t len, struct details *details);
/* The next serialised Any of a status that parsed; *position starts at 0. False at the end. */
bool pgrpc__details_next(const void *data, size_t len, size_t *position, struct pgrpc_bytes *any);
/* PGRPC_RESOURCE_EXHAUSTED: out of memory, or sizes that overflow. */
enum pgrpc_code pgrpc__details_write(struct arena *arena, enum pgrpc_code code, const char *message,
                                     size_t message_len, const struct pgrpc_bytes *anys,
                                     size_t any_count, struct pgrpc_bytes *status);

#endif
