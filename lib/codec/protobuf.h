/*
 * The parts of the "proto" codec.  Structs and descriptors are protobuf-c's; its runtime is not
 * used.
 *
 * protobuf-c's parser has no limit on nesting, does not check UTF-8, cuts strings at a NUL and
 * takes quadratic time to merge.  Its encoder follows the descriptors inside messages, without a
 * limit and into NULL; ours follows the descriptor of the method, so a message that was zeroed
 * instead of initialised is as good.
 */
#ifndef PGRPC__CODEC_PROTOBUF_H
#define PGRPC__CODEC_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "picogrpc/status.h"

/* Messages in messages, not counting the outermost: what other implementations take. */
enum { PROTOBUF_DEPTH_MAX = 100 };

/*
 * Reads a message into |arena|.  It is what protobuf-c makes of the same bytes where that follows
 * the protobuf specification, and what the specification says where protobuf-c does not: a field of
 * another wire type than its own is unknown, unknown groups are kept, and a singular message that
 * comes in parts is merged.  Bytes and unknown fields point into |data|, but for entries of maps.
 * Groups, numbers of closed enums and strings that are not UTF-8 are read as PGRPC_FIELD_... say.
 *
 * PGRPC_INTERNAL: malformed, nested more than PROTOBUF_DEPTH_MAX deep (groups count), a string that
 * is not UTF-8 or holds a NUL, or a required field without default is missing.
 * PGRPC_RESOURCE_EXHAUSTED: the arena refused.  |error| gets a text that lives as long as the
 * arena.
 */
enum pgrpc_code pgrpc__protobuf_decode(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                       size_t len, struct arena *arena, const void **message,
                                       const char **error);

/*
 * The size of a message, after checking that it can be encoded.  PGRPC_INTERNAL, with a static
 * text: a required field, an element of a repeated field or the data of bytes is NULL, a string is
 * not UTF-8, nesting is deeper than PROTOBUF_DEPTH_MAX (perhaps a cycle), or a message is of
 * another type.  PGRPC_RESOURCE_EXHAUSTED: 2 GiB or more.
 */
enum pgrpc_code pgrpc__protobuf_measure(const ProtobufCMessageDescriptor *type, const void *message,
                                        size_t *len, const char **error);
/* Writes the |len| bytes of a message that was measured and not changed since. */
void pgrpc__protobuf_encode(const ProtobufCMessageDescriptor *type, const void *message,
                            uint8_t *data, size_t len);
/*
 * Both in one pass, without measuring: *data are the *len bytes, in |arena|.  False when measuring
 * would object, or the arena refused.
 */
bool pgrpc__protobuf_serialize(const ProtobufCMessageDescriptor *type, const void *message,
                               struct arena *arena, const uint8_t **data, size_t *len);

#endif
