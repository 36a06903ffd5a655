#include "base/outq.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { SLAB_CAP = 4096 - 64, PIECES_MIN = 16 };

void pgrpc__outq_init(struct outq *outq, struct mem *mem)
{
    memset(outq, 0, sizeof(*outq));
    outq->mem = mem;
}

void pgrpc__outq_clear(struct outq *outq)
{
    pgrpc__outq_consume(outq, outq->bytes);
    pgrpc__chunk_unref(outq->slab);
    pgrpc__mem_free(outq->mem, outq->pieces);
    pgrpc__outq_init(outq, outq->mem);
}

static struct outq_piece *piece_at(const struct outq *outq, size_t index)
{
    return &outq->pieces[(outq->first + index) & (outq->piece_cap - 1)];
}

static int grow(struct outq *outq)
{
    size_t cap = outq->piece_cap ? 2 * outq->piece_cap : PIECES_MIN;
    struct outq_piece *pieces = pgrpc__mem_calloc(outq->mem, cap, sizeof(*pieces));
    if (!pieces)
        return -ENOMEM;
    for (size_t i = 0; i < outq->count; i++)
        pieces[i] = *piece_at(outq, i);
    pgrpc__mem_free(outq->mem, outq->pieces);
    outq->pieces = pieces;
    outq->piece_cap = cap;
    outq->first = 0;
    return 0;
}

int pgrpc__outq_add_ref(struct outq *outq, struct chunk *chunk, const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    if (outq->count > 0) {
        struct outq_piece *last = piece_at(outq, outq->count - 1);
        if (last->chunk == chunk && last->data + last->len == data) {
            last->len += len;
            outq->bytes += len;
            return 0;
        }
    }
    if (outq->count == outq->piece_cap && grow(outq) < 0)
        return -ENOMEM;
    *piece_at(outq, outq->count) = (struct outq_piece){pgrpc__chunk_ref(chunk), data, len};
    outq->count++;
    outq->bytes += len;
    return 0;
}

int pgrpc__outq_add_copy(struct outq *outq, const void *data, size_t len)
{
    struct chunk *slab = outq->slab;

    if (len == 0)
        return 0;
    bool has_room = slab && len <= slab->cap - slab->len;
    struct outq_piece *last = outq->count > 0 ? piece_at(outq, outq->count - 1) : NULL;
    if (has_room && last && last->chunk == slab) {
        memcpy(slab->data + slab->len, data, len);
        slab->len += len;
        last->len += len;
        outq->bytes += len;
        return 0;
    }
    if (!has_room) {
        slab = pgrpc__chunk_new(outq->mem, len > SLAB_CAP ? len : SLAB_CAP);
        if (!slab)
            return -ENOMEM;
    }
    uint8_t *place = slab->data + slab->len;
    if (pgrpc__outq_add_ref(outq, slab, place, len) < 0) {
        if (slab != outq->slab)
            pgrpc__chunk_unref(slab);
        return -ENOMEM;
    }
    memcpy(place, data, len);
    slab->len += len;
    if (slab != outq->slab) {
        pgrpc__chunk_unref(outq->slab);
        outq->slab = slab;
    }
    return 0;
}

int pgrpc__outq_peek(const struct outq *outq, struct iovec *vectors, int max)
{
    int filled = 0;
    for (size_t i = 0; i < outq->count && filled < max; i++) {
        const struct outq_piece *piece = piece_at(outq, i);
        vectors[filled].iov_base = (void *)(uintptr_t)piece->data;
        vectors[filled].iov_len = piece->len;
        filled++;
    }
    return filled;
}

void pgrpc__outq_consume(struct outq *outq, size_t len)
{
    assert(len <= outq->bytes);
    outq->bytes -= len;
    while (len > 0) {
        struct outq_piece *piece = piece_at(outq, 0);
        if (len < piece->len) {
            piece->data += len;
            piece->len -= len;
            break;
        }
        len -= piece->len;
        pgrpc__chunk_unref(piece->chunk);
        outq->first = (outq->first + 1) & (outq->piece_cap - 1);
        outq->count--;
    }
    /* An idle connection holds no slab; the loop's free list keeps it for the next. */
    if (outq->count == 0) {
        pgrpc__chunk_unref(outq->slab);
        outq->slab = NULL;
    }
}
