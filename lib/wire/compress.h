/*
 * Message compression: grpc-encoding names and the algorithms behind them (compression.md).
 *
 * A compressor is embedded in a loop and keeps zlib's streams between messages, made at first use;
 * needs the loop lock. No context carries over from one message to the next.
 */
#ifndef PGRPC__WIRE_COMPRESS_H
#define PGRPC__WIRE_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chunk.h"
#include "wire/error.h"

enum encoding {
    ENCODING_IDENTITY = 0,
    ENCODING_DEFLATE = 1, /* zlib's format, RFC 1950 */
    ENCODING_GZIP = 2,    /* RFC 1952 */
    ENCODING_COUNT = 3
};

/* Our grpc-accept-encoding. */
#define ENCODING_ACCEPTED "identity,deflate,gzip"

/* The name for grpc-encoding; static. */
const char *pgrpc__encoding_name(enum encoding encoding);
/* grpc-encoding; false when we do not know it. Empty text is not a name. */
bool pgrpc__encoding_find(const char *name, size_t len, enum encoding *encoding);
/* grpc-accept-encoding: a set of bits 1 << encoding. Unknown names are skipped, identity is always
 * in it. */
unsigned pgrpc__encoding_parse_accepted(const char *list, size_t len);

struct z_stream_s;

struct compressor {
    const struct pgrpc_allocator *allocator;
    struct z_stream_s *deflaters[ENCODING_COUNT];
    struct z_stream_s *inflater; /* one serves both formats */
};

/* |allocator| must outlive the compressor. Allocates nothing. */
void pgrpc__compressor_init(struct compressor *compressor, const struct pgrpc_allocator *allocator);
void pgrpc__compressor_clear(struct compressor *compressor);

/*
 * Appends the compressed form of |data| to *chunk (which holds, say, room for the prefix), moving
 * it as pgrpc__chunk_reserve does.  |encoding| must not be identity.  PGRPC_RESOURCE_EXHAUSTED when
 * out of memory: *chunk is still the caller's, its len unchanged.
 */
enum pgrpc_code pgrpc__compressor_compress(struct compressor *compressor, enum encoding encoding,
                                           const void *data, size_t len, struct chunk **chunk);

/*
 * Decompresses one message into a new chunk of at most |max_len| bytes; memory grows with output,
 * and output stops one byte past the limit. PGRPC_INTERNAL: |encoding| is identity (the
 * Compressed-Flag was set without grpc-encoding), or the bytes are malformed, truncated or followed
 * by something else.  Gzip may have several members.  No bytes at all are an empty message, as some
 * peers send it. PGRPC_RESOURCE_EXHAUSTED: larger than |max_len|, or out of memory.
 */
enum pgrpc_code pgrpc__compressor_decompress(struct compressor *compressor, enum encoding encoding,
                                             const void *data, size_t len, size_t max_len,
                                             struct mem *mem, struct chunk **message,
                                             struct error_text *error);

#endif
