/*
 * The metadata of one header block: struct pgrpc_metadata of the public API, and the rules by which
 * header fields become metadata and metadata becomes header fields (PROTOCOL-HTTP2.md,
 * Custom-Metadata).
 *
 * Embedded in a call or a stream; everything it points to is in an arena that must live as long.
 */
#ifndef PGRPC__WIRE_METADATA_H
#define PGRPC__WIRE_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "picogrpc/metadata.h"
#include "wire/error.h"
#include "wire/header.h"

enum {
    METADATA_FIELD_OVERHEAD = 32, /* per field, in every limit on header lists */
    METADATA_COUNT_MAX = 128      /* entries in one header block */
};

struct pgrpc_metadata {
    struct arena *arena;
    struct pgrpc_metadatum *entries;
    size_t count;
    size_t cap;
};

void pgrpc__metadata_init(struct pgrpc_metadata *metadata, struct arena *arena);

/*
 * Takes one received field whose name was looked up as |id|, copying what it keeps:
 *  - pseudo-headers but :authority, host, te, content-type and gRPC's own are left out;
 *    user-agent, grpc-previous-rpc-attempts and grpc-retry-pushback-ms are kept;
 *  - a -bin value is split at commas, then decoded (padded or not);
 *  - other values lose spaces and tabs at their ends; those with bytes outside 0x20..0x7E are
 * dropped, as are fields whose name is no metadata key. PGRPC_INTERNAL: bad base64: the RPC must
 * fail with this text, and only the RPC.  PGRPC_RESOURCE_EXHAUSTED: more than METADATA_COUNT_MAX
 * entries, or out of memory.
 */
enum pgrpc_code pgrpc__metadata_add_field(struct pgrpc_metadata *metadata, enum header_id id,
                                          const char *name, size_t name_len, const char *value,
                                          size_t value_len, struct error_text *error);

/*
 * Checks an application's metadata and turns it into |count| fields in |arena| (nothing points to
 * the application's memory afterwards).  -bin values are encoded without padding; spaces at the
 * ends of other values, which no receiver keeps, are not sent.
 * PGRPC_INTERNAL, with a text that names the entry: a key that is NULL, empty, has characters other
 * than 0-9 a-z _ - . or is the library's to set (te, content-type, user-agent, host, connection,
 * ..., grpc-* but grpc-previous-rpc-attempts and grpc-retry-pushback-ms); a value that is NULL with
 * a length, or has bytes outside 0x20..0x7E without a -bin key.
 * PGRPC_RESOURCE_EXHAUSTED: out of memory.
 */
enum pgrpc_code pgrpc__metadata_encode(const struct pgrpc_metadatum *entries, size_t count,
                                       struct arena *arena, struct header_field **fields,
                                       struct error_text *error);

/* What limits on header lists count: the sum of name, value as on the wire, and 32. Saturates. */
size_t pgrpc__header_list_size(const struct header_field *fields, size_t count);

#endif
