/*
 * Payloads: blocks of zeros, which is all that the interop cases send.
 */
#ifndef INTEROP_PAYLOAD_H
#define INTEROP_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "grpc/testing/messages.pb-c.h"

/* Largest body that is made or taken, and room for a message around it. */
enum { PAYLOAD_MAX = 16 << 20, MESSAGE_MAX = PAYLOAD_MAX + 1024 };

/* A payload of |len| zeros, at most PAYLOAD_MAX; nothing to free, not to be written to. */
Grpc__Testing__Payload payload_zeros(size_t len);

/* True when |payload| (NULL is an empty one) is of the only type there is and holds |len| zeros. */
bool payload_is_zeros(const Grpc__Testing__Payload *payload, size_t len);

#endif
