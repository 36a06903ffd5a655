/*
 * HPACK of one connection in both directions, and the checks of names and values that HTTP asks
 * for: nghttp2's, behind types of our own.
 *
 * Owned by an engine.  |generation| counts what may have changed a dynamic table: between two
 * blocks with the same number the same bytes mean the same fields, and the same fields may be
 * written with the same bytes, unless the block itself changes the table.
 */
#ifndef PGRPC__H2_HPACK_H
#define PGRPC__H2_HPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "wire/header.h"

struct hpack;

/* The texts live during the call. 0 or a negative errno, which ends decoding. */
typedef int hpack_field_fn(void *userdata, const struct header_field *field);

/* 0 or -ENOMEM. */
int pgrpc__hpack_new(struct mem *mem, struct hpack **hpack);
/* Accepts NULL. */
void pgrpc__hpack_free(struct hpack *hpack);

/*
 * Decodes |len| more bytes of a block, the last ones with |is_last|.  0, -ENOMEM, -EBADMSG (it is
 * no HPACK: nothing may be decoded any more), or what |on_field| returned.
 */
int pgrpc__hpack_decode(struct hpack *hpack, const uint8_t *data, size_t len, bool is_last,
                        hpack_field_fn *on_field, void *userdata);
uint32_t pgrpc__hpack_decoder_generation(const struct hpack *hpack);

/* At most this many bytes are needed for the fields. */
size_t pgrpc__hpack_bound(const struct header_field *fields, size_t count);
/* Encodes into |block|, which has room for the bound. Returns the length or -ENOMEM: nothing may be
 * encoded any more. */
ssize_t pgrpc__hpack_encode(struct hpack *hpack, const struct header_field *fields, size_t count,
                            uint8_t *block, size_t cap);
uint32_t pgrpc__hpack_encoder_generation(const struct hpack *hpack);
/* SETTINGS_HEADER_TABLE_SIZE of the peer. 0 or -ENOMEM. */
int pgrpc__hpack_set_encoder_table(struct hpack *hpack, uint32_t bytes);

/* Whether a block enters fields into the dynamic table or changes its size; true when it is not
 * well-formed. Pure. */
bool pgrpc__hpack_changes_table(const uint8_t *block, size_t len);

/* RFC 9113 section 8.2.1 and 8.3.1: whether the text may stand there. Pure. */
bool pgrpc__hpack_is_name(const char *text, size_t len);
bool pgrpc__hpack_is_value(const char *text, size_t len);
bool pgrpc__hpack_is_method(const char *text, size_t len);
bool pgrpc__hpack_is_path(const char *text, size_t len);
bool pgrpc__hpack_is_authority(const char *text, size_t len);

#endif
