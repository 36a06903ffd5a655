/*
 * The deframer against a reading of the same bytes in one go.  The first byte of the input is the
 * limit in units of 16 bytes, the second seeds the lengths of the pieces, the rest is the stream.
 */
#include "fuzz.h"

#include <string.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    size_t limit = 16 * (size_t)data[0], piece_seed = data[1];
    const uint8_t *stream = data + 2;
    len -= 2;

    struct mem mem;
    struct deframer deframer;
    struct error_text error;
    pgrpc__mem_init(&mem, NULL);
    pgrpc__deframer_init(&deframer, &mem, limit);
    size_t position = 0, message_start = 0;
    enum pgrpc_code code = PGRPC_OK;
    while (position < len && code == PGRPC_OK) {
        piece_seed = piece_seed * 5 + 1;
        size_t piece = 1 + piece_seed % 37, consumed = 0;
        if (piece > len - position)
            piece = len - position;
        struct frame_message message = {NULL, false};
        code =
            pgrpc__deframer_feed(&deframer, stream + position, piece, &consumed, &message, &error);
        CHECK(consumed <= piece);
        CHECK(mem.live_bytes <= 4 * (position + piece - message_start) + 512);
        if (code != PGRPC_OK)
            break;
        position += consumed;
        CHECK(message.chunk || consumed == piece);
        if (message.chunk) {
            const uint8_t *prefix = stream + message_start;
            size_t declared = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 |
                              (size_t)prefix[3] << 8 | prefix[4];
            CHECK(declared <= limit && prefix[0] <= 1);
            CHECK(message.is_compressed == prefix[0]);
            CHECK(message.chunk->len == declared);
            CHECK(position == message_start + FRAME_PREFIX_LEN + declared);
            CHECK(memcmp(message.chunk->data, prefix + FRAME_PREFIX_LEN, declared) == 0);
            message_start = position;
            pgrpc__chunk_unref(message.chunk);
        }
        CHECK(pgrpc__deframer_held(&deframer) == position - message_start);
        CHECK(pgrpc__deframer_is_inside(&deframer) == (position > message_start));
    }
    if (code != PGRPC_OK) {
        CHECK(code == PGRPC_INTERNAL ? stream[message_start] > 1
                                     : code == PGRPC_RESOURCE_EXHAUSTED);
        CHECK(strlen(error.text) > 0);
    }
    pgrpc__deframer_clear(&deframer);
    CHECK(mem.live_bytes == 0);
    pgrpc__mem_clear(&mem);
    return 0;
}
