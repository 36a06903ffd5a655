/*
 * Metadata: the headers and trailers of a call, in the order in which they came.
 *
 * Keys are lower case (0-9 a-z _ - .).  A key that ends in "-bin" carries any bytes, already
 * decoded from base64; any other value is printable ASCII.  Keys may repeat.  gRPC's own headers
 * (grpc-status, te, content-type, ...) are not shown; user-agent, :authority,
 * grpc-previous-rpc-attempts and grpc-retry-pushback-ms are. Source: PROTOCOL-HTTP2.md,
 * Custom-Metadata.
 */
#ifndef PICOGRPC_METADATA_H
#define PICOGRPC_METADATA_H

#include <stddef.h>

#include "picogrpc/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Read-only, handed out by calls and results, and living as long as they. */
struct pgrpc_metadata;

/* One entry. |value| has |len| bytes and a NUL after them that does not count. */
struct pgrpc_metadatum {
    const char *key;
    const void *value;
    size_t len;
};

/* Number of entries; 0 for NULL. */
PGRPC_API size_t pgrpc_metadata_count(const struct pgrpc_metadata *metadata);
/* The entry at |index|; all zero when |index| is too large. */
PGRPC_API struct pgrpc_metadatum pgrpc_metadata_at(const struct pgrpc_metadata *metadata,
                                                   size_t index);
/* The last entry whose key is |key| (lower case), NULL when there is none. */
PGRPC_API const struct pgrpc_metadatum *pgrpc_metadata_find(const struct pgrpc_metadata *metadata,
                                                            const char *key);

#ifdef __cplusplus
}
#endif
#endif
