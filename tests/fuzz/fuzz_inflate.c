/*
 * Decompression with a limit.  The first byte of the input chooses the algorithm and the limit, the
 * rest is the message; then the rest is compressed and must come back.
 */
#include "fuzz.h"

#include <string.h>

#include "wire/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    enum encoding encoding = data[0] & 1 ? ENCODING_GZIP : ENCODING_DEFLATE;
    size_t limit = (size_t)1 << (data[0] >> 4);
    data++;
    len--;

    struct mem mem;
    struct compressor compressor;
    struct chunk *message;
    struct error_text error = {""};
    pgrpc__mem_init(&mem, NULL);
    pgrpc__compressor_init(&compressor, &mem.allocator);
    enum pgrpc_code code = pgrpc__compressor_decompress(&compressor, encoding, data, len, limit,
                                                        &mem, &message, &error);
    if (code == PGRPC_OK) {
        CHECK(message->len <= limit);
        pgrpc__chunk_unref(message);
    } else {
        CHECK(code == PGRPC_INTERNAL || code == PGRPC_RESOURCE_EXHAUSTED);
        CHECK(strlen(error.text) > 0);
    }
    CHECK(mem.live_bytes == 0);

    struct chunk *compressed = pgrpc__chunk_new(&mem, 0);
    CHECK(compressed);
    CHECK(pgrpc__compressor_compress(&compressor, encoding, data, len, &compressed) == PGRPC_OK);
    CHECK(pgrpc__compressor_decompress(&compressor, encoding, compressed->data, compressed->len,
                                       len, &mem, &message, &error) == PGRPC_OK);
    CHECK(message->len == len && memcmp(message->data, data, len) == 0);
    pgrpc__chunk_unref(message);
    pgrpc__chunk_unref(compressed);
    pgrpc__compressor_clear(&compressor);
    CHECK(mem.live_bytes == 0);
    pgrpc__mem_clear(&mem);
    return 0;
}
