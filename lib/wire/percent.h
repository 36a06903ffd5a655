/* The percent-encoding of grpc-message (PROTOCOL-HTTP2.md, Status-Message). */
#ifndef PGRPC__WIRE_PERCENT_H
#define PGRPC__WIRE_PERCENT_H

#include <stddef.h>

#include "base/arena.h"
#include "picogrpc/status.h"

/*
 * Everything outside 0x20..0x7E and '%' itself becomes %XX.  Text that needs no change is returned
 * as it is, not copied. The result has at most |max_len| characters: what does not fit is cut at a
 * character, so that a long text never makes the trailers, and with them the status, too large for
 * the peer.  PGRPC_RESOURCE_EXHAUSTED: out of memory.
 */
enum pgrpc_code pgrpc__percent_encode(struct arena *arena, const char *text, size_t len,
                                      size_t max_len, const char **encoded, size_t *encoded_len);

/*
 * Always a terminated UTF-8 text without NUL inside: bad escapes stay as they are, and so do
 * escapes of NUL and of bytes that are not UTF-8; such bytes that came without an escape get one.
 * PGRPC_RESOURCE_EXHAUSTED: out of memory.
 */
enum pgrpc_code pgrpc__percent_decode(struct arena *arena, const char *encoded, size_t len,
                                      const char **text);

#endif
