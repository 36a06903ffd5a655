#include "wire/frame.h"

#include <string.h>

#include "wire/grow.h"

enum { FLAG_COMPRESSED = 1, FIRST_CAP_MIN = 64 };

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

void pgrpc__frame_put_prefix(uint8_t *prefix, bool is_compressed, uint32_t len)
{
    prefix[0] = is_compressed ? FLAG_COMPRESSED : 0;
    prefix[1] = (uint8_t)(len >> 24);
    prefix[2] = (uint8_t)(len >> 16);
    prefix[3] = (uint8_t)(len >> 8);
    prefix[4] = (uint8_t)len;
}

void pgrpc__deframer_init(struct deframer *deframer, struct mem *mem, size_t max_len)
{
    memset(deframer, 0, sizeof(*deframer));
    deframer->mem = mem;
    deframer->max_len = max_len;
}

void pgrpc__deframer_clear(struct deframer *deframer)
{
    pgrpc__chunk_unref(deframer->chunk);
    deframer->chunk = NULL;
    deframer->prefix_len = 0;
}

static enum pgrpc_code check_prefix(struct deframer *deframer, struct error_text *error)
{
    const uint8_t *prefix = deframer->prefix;
    if (prefix[0] > FLAG_COMPRESSED)
        return pgrpc__error_set(error, PGRPC_INTERNAL, "message flag %u is neither 0 nor 1",
                                (unsigned)prefix[0]);
    uint32_t len = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 |
                   (uint32_t)prefix[3] << 8 | prefix[4];
    if (len > deframer->max_len)
        return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED,
                                "message of %lu bytes is larger than the limit of %zu",
                                (unsigned long)len, deframer->max_len);
    deframer->declared_len = len;
    return PGRPC_OK;
}

/* Makes room for |len| bytes that have arrived, within the declared length. */
static bool make_room(struct deframer *deframer, size_t len)
{
    struct chunk *chunk = deframer->chunk;
    size_t declared_len = deframer->declared_len;
    if (!chunk) {
        size_t cap = len == declared_len ? len : len < FIRST_CAP_MIN ? FIRST_CAP_MIN : 2 * len;
        chunk = pgrpc__chunk_new(deframer->mem, min_size(cap, declared_len));
    } else if (len > chunk->cap - chunk->len) {
        chunk = pgrpc__chunk_grow(chunk, chunk->len + len, declared_len);
    }
    if (!chunk)
        return false;
    deframer->chunk = chunk;
    return true;
}

enum pgrpc_code pgrpc__deframer_feed(struct deframer *deframer, const uint8_t *data, size_t len,
                                     size_t *consumed, struct frame_message *message,
                                     struct error_text *error)
{
    size_t taken = 0;
    while (deframer->prefix_len < FRAME_PREFIX_LEN && taken < len)
        deframer->prefix[deframer->prefix_len++] = data[taken++];

    struct chunk *complete = NULL;
    if (deframer->prefix_len == FRAME_PREFIX_LEN) {
        if (!deframer->chunk) {
            enum pgrpc_code code = check_prefix(deframer, error);
            if (code != PGRPC_OK)
                return code;
        }
        size_t missing = pgrpc__deframer_missing(deframer);
        size_t part = min_size(missing, len - taken);
        if (part > 0 || missing == 0) {
            if (!make_room(deframer, part))
                return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED,
                                        "out of memory for a message of %zu bytes",
                                        deframer->declared_len);
            if (part > 0)
                memcpy(deframer->chunk->data + deframer->chunk->len, data + taken, part);
            deframer->chunk->len += part;
            taken += part;
            if (part == missing) {
                complete = deframer->chunk;
                deframer->chunk = NULL;
                deframer->prefix_len = 0;
            }
        }
    }
    *consumed = taken;
    message->chunk = complete;
    message->is_compressed = complete && deframer->prefix[0] == FLAG_COMPRESSED;
    return PGRPC_OK;
}

bool pgrpc__deframer_is_inside(const struct deframer *deframer)
{
    return deframer->prefix_len > 0;
}

size_t pgrpc__deframer_held(const struct deframer *deframer)
{
    return deframer->prefix_len + (deframer->chunk ? deframer->chunk->len : 0);
}

size_t pgrpc__deframer_missing(const struct deframer *deframer)
{
    if (deframer->prefix_len < FRAME_PREFIX_LEN)
        return (size_t)(FRAME_PREFIX_LEN - deframer->prefix_len);
    return deframer->declared_len - (deframer->chunk ? deframer->chunk->len : 0);
}
