/*
 * The parts of the "proto" codec.  Structs and descriptors are protobuf-c's; received bytes are
 * checked before its parser sees them, and messages are written by our own encoder.
 *
 * protobuf-c's parser has no limit on nesting, does not check UTF-8 and cuts strings at a NUL; its
 * memory is limited by the budget of the arena that it parses into.  Its encoder follows the
 * descriptors inside messages, without a limit and into NULL; ours follows the descriptor of the
 * method, so a message that was zeroed instead of initialised is as good.
 */
#ifndef PGRPC__CODEC_PROTOBUF_H
#define PGRPC__CODEC_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "picogrpc/status.h"

/* Messages in messages, not counting the outermost: what other implementations take. */
enum { PROTOBUF_DEPTH_MAX = 100 };

/*
 * Walks the bytes of a |type| without allocating or recursing: tags, lengths, nesting, and the text
 * of strings.  NULL when protobuf-c may parse them (it may still refuse), else what is wrong;
 * static.
 */
const char *pgrpc__protobuf_scan(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                 size_t len);

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

#endif
