/*
 * gRPC's message framing: a flag byte, four bytes of length, the message (PROTOCOL-HTTP2.md,
 * Length-Prefixed-Message).
 *
 * A deframer is embedded in a stream and takes its DATA bytes in pieces of any size, whatever the
 * frames of HTTP/2 were.  What it holds grows with the bytes that arrived, never with the length
 * that was declared.
 */
#ifndef PGRPC__WIRE_FRAME_H
#define PGRPC__WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chunk.h"
#include "wire/error.h"

enum { FRAME_PREFIX_LEN = 5 };

/* Writes the five bytes in front of a message of |len| bytes. */
void pgrpc__frame_put_prefix(uint8_t *prefix, bool is_compressed, uint32_t len);

/* A message as it came: not decompressed, not decoded, without its prefix. */
struct frame_message {
    struct chunk *chunk; /* one reference, the receiver's */
    bool is_compressed;
};

struct deframer {
    struct mem *mem;
    size_t max_len;      /* longest message accepted, as it is on the wire */
    struct chunk *chunk; /* the message under way, NULL before its first byte */
    size_t declared_len; /* of it; valid once prefix_len is 5 */
    uint8_t prefix[FRAME_PREFIX_LEN];
    uint8_t prefix_len;
};

/* |max_len| may be changed between two messages. */
void pgrpc__deframer_init(struct deframer *deframer, struct mem *mem, size_t max_len);
/* Drops an incomplete message; the deframer may be fed a new stream. */
void pgrpc__deframer_clear(struct deframer *deframer);

/*
 * Takes bytes up to the end of the first message in |data|.  On success *consumed says how many;
 * call again with the rest until message->chunk is NULL, which means that all of |data| is taken
 * and more is needed. PGRPC_INTERNAL: a flag other than 0 and 1; PGRPC_RESOURCE_EXHAUSTED: longer
 * than max_len (nothing was allocated for it), or out of memory.  The stream cannot go on after an
 * error.
 */
enum pgrpc_code pgrpc__deframer_feed(struct deframer *deframer, const uint8_t *data, size_t len,
                                     size_t *consumed, struct frame_message *message,
                                     struct error_text *error);

/* True when the stream must not end here: part of a prefix or of a message is held. */
bool pgrpc__deframer_is_inside(const struct deframer *deframer);
/* Bytes taken of the message under way, its prefix included. */
size_t pgrpc__deframer_held(const struct deframer *deframer);
/* Bytes that complete the message under way; 5 between messages (the next prefix). Less than what
 * is missing in truth while the prefix is incomplete. */
size_t pgrpc__deframer_missing(const struct deframer *deframer);

#endif
