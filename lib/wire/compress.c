#include "wire/compress.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "wire/grow.h"

enum {
    WINDOW_BITS = 15,
    GZIP = 16, /* added to the window bits */
    MEM_LEVEL = 8,
    FIRST_OUTPUT_MIN = 256,
    FIRST_OUTPUT_MAX = 64 * 1024
};

static const char *const names[ENCODING_COUNT] = {"identity", "deflate", "gzip"};

const char *pgrpc__encoding_name(enum encoding encoding)
{
    return names[encoding];
}

bool pgrpc__encoding_find(const char *name, size_t len, enum encoding *encoding)
{
    if (len == 8 && memcmp(name, "identity", 8) == 0)
        *encoding = ENCODING_IDENTITY;
    else if (len == 7 && memcmp(name, "deflate", 7) == 0)
        *encoding = ENCODING_DEFLATE;
    else if (len == 4 && memcmp(name, "gzip", 4) == 0)
        *encoding = ENCODING_GZIP;
    else
        return false;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

unsigned pgrpc__encoding_parse_accepted(const char *list, size_t len)
{
    unsigned accepted = 1u << ENCODING_IDENTITY;
    const char *list_end = list + len;
    while (list < list_end) {
        const char *comma = memchr(list, ',', (size_t)(list_end - list));
        const char *end = comma ? comma : list_end;
        const char *next = end + 1;
        while (list < end && is_blank(*list))
            list++;
        while (end > list && is_blank(end[-1]))
            end--;
        enum encoding encoding;
        if (pgrpc__encoding_find(list, (size_t)(end - list), &encoding))
            accepted |= 1u << encoding;
        list = next;
    }
    return accepted;
}

static void *zlib_alloc(void *opaque, unsigned items, unsigned size)
{
    size_t total;
    if (__builtin_mul_overflow((size_t)items, (size_t)size, &total))
        return Z_NULL;
    /* Cleared: deflate looks at (and ignores) bytes of its window that it has not written yet. */
    return pgrpc__raw_zalloc(opaque, total);
}

static void zlib_free(void *opaque, void *pointer)
{
    pgrpc__raw_free(opaque, pointer);
}

void pgrpc__compressor_init(struct compressor *compressor, const struct pgrpc_allocator *allocator)
{
    memset(compressor, 0, sizeof(*compressor));
    compressor->allocator = allocator;
}

void pgrpc__compressor_clear(struct compressor *compressor)
{
    for (unsigned i = 0; i < ENCODING_COUNT; i++) {
        if (compressor->deflaters[i])
            deflateEnd(compressor->deflaters[i]);
        pgrpc__raw_free(compressor->allocator, compressor->deflaters[i]);
    }
    if (compressor->inflater)
        inflateEnd(compressor->inflater);
    pgrpc__raw_free(compressor->allocator, compressor->inflater);
    pgrpc__compressor_init(compressor, compressor->allocator);
}

static int window_bits(enum encoding encoding)
{
    return encoding == ENCODING_GZIP ? WINDOW_BITS + GZIP : WINDOW_BITS;
}

static z_stream *new_stream(struct compressor *compressor)
{
    z_stream *stream = pgrpc__raw_zalloc(compressor->allocator, sizeof(*stream));
    if (stream) {
        stream->zalloc = zlib_alloc;
        stream->zfree = zlib_free;
        stream->opaque = (void *)(uintptr_t)compressor->allocator;
    }
    return stream;
}

/* A deflater at the start of a message, NULL when out of memory. */
static z_stream *start_deflate(struct compressor *compressor, enum encoding encoding)
{
    z_stream *stream = compressor->deflaters[encoding];
    if (stream) {
        deflateReset(stream);
        return stream;
    }
    stream = new_stream(compressor);
    if (!stream)
        return NULL;
    if (deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits(encoding), MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        pgrpc__raw_free(compressor->allocator, stream);
        return NULL;
    }
    compressor->deflaters[encoding] = stream;
    return stream;
}

static z_stream *start_inflate(struct compressor *compressor, enum encoding encoding)
{
    z_stream *stream = compressor->inflater;
    if (stream) {
        inflateReset2(stream, window_bits(encoding));
        return stream;
    }
    stream = new_stream(compressor);
    if (!stream)
        return NULL;
    if (inflateInit2(stream, window_bits(encoding)) != Z_OK) {
        pgrpc__raw_free(compressor->allocator, stream);
        return NULL;
    }
    compressor->inflater = stream;
    return stream;
}

static unsigned clamp_unsigned(size_t len)
{
    return len > UINT_MAX ? UINT_MAX : (unsigned)len;
}

enum pgrpc_code pgrpc__compressor_compress(struct compressor *compressor, enum encoding encoding,
                                           const void *data, size_t len, struct chunk **chunk)
{
    if (len > UINT32_MAX) /* no frame could hold it; and zlib counts in unsigned */
        return PGRPC_RESOURCE_EXHAUSTED;
    z_stream *stream = start_deflate(compressor, encoding);
    if (!stream)
        return PGRPC_RESOURCE_EXHAUSTED;

    struct chunk *output = *chunk;
    size_t original_len = output->len;
    size_t room = deflateBound(stream, len);
    if (room > FIRST_OUTPUT_MAX)
        room = FIRST_OUTPUT_MAX;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (unsigned)len;
    int result;
    do {
        struct chunk *grown = pgrpc__chunk_reserve(output, room);
        if (!grown) {
            output->len = original_len;
            *chunk = output;
            return PGRPC_RESOURCE_EXHAUSTED;
        }
        output = grown;
        stream->next_out = output->data + output->len;
        stream->avail_out = clamp_unsigned(output->cap - output->len);
        /* Cannot fail: the state is sound, and there is always room for output. */
        result = deflate(stream, Z_FINISH);
        output->len = (size_t)(stream->next_out - output->data);
        room = 1; /* doubles */
    } while (result != Z_STREAM_END);
    *chunk = output;
    return PGRPC_OK;
}

/* A whole message; its length is in |*chunk|, which moves as it grows. */
static enum pgrpc_code inflate_message(z_stream *stream, enum encoding encoding, size_t max_len,
                                       struct chunk **chunk, struct error_text *error)
{
    const char *name = names[encoding];
    for (;;) {
        struct chunk *output = *chunk;
        size_t cap = output->cap < max_len ? output->cap : max_len;
        if (output->len == cap && cap < max_len) {
            output = pgrpc__chunk_grow(output, cap + 1, max_len);
            if (!output)
                return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED,
                                        "out of memory while decompressing a message");
            *chunk = output;
            cap = output->cap < max_len ? output->cap : max_len;
        }
        /* At the limit: the stream must end without one more byte. */
        uint8_t excess;
        bool is_full = output->len == cap;
        stream->next_out = is_full ? &excess : output->data + output->len;
        stream->avail_out = is_full ? 1 : clamp_unsigned(cap - output->len);

        int result = inflate(stream, Z_NO_FLUSH);
        if (!is_full)
            output->len = (size_t)(stream->next_out - output->data);
        else if (stream->avail_out == 0)
            return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED,
                                    "message is larger than the limit of %zu when decompressed",
                                    max_len);
        switch (result) {
        case Z_STREAM_END:
            if (stream->avail_in == 0)
                return PGRPC_OK;
            if (encoding != ENCODING_GZIP)
                return pgrpc__error_set(error, PGRPC_INTERNAL,
                                        "%u bytes follow the end of a compressed message",
                                        stream->avail_in);
            inflateReset(stream); /* the next member */
            break;
        case Z_OK:
        case Z_BUF_ERROR:
            if (stream->avail_in == 0 && stream->avail_out > 0)
                return pgrpc__error_set(error, PGRPC_INTERNAL, "%s message is truncated", name);
            break;
        case Z_MEM_ERROR:
            return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED,
                                    "out of memory while decompressing a message");
        default:
            return pgrpc__error_set(error, PGRPC_INTERNAL, "%s message is malformed: %s", name,
                                    stream->msg ? stream->msg : "it needs a dictionary");
        }
    }
}

enum pgrpc_code pgrpc__compressor_decompress(struct compressor *compressor, enum encoding encoding,
                                             const void *data, size_t len, size_t max_len,
                                             struct mem *mem, struct chunk **message,
                                             struct error_text *error)
{
    if (encoding == ENCODING_IDENTITY)
        return pgrpc__error_set(error, PGRPC_INTERNAL,
                                "message has the Compressed-Flag, but grpc-encoding is identity");
    if (len > UINT32_MAX)
        return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED,
                                "compressed message of %zu bytes is too large", len);

    size_t cap = len > FIRST_OUTPUT_MAX / 4 ? FIRST_OUTPUT_MAX : 4 * len;
    if (cap < FIRST_OUTPUT_MIN)
        cap = FIRST_OUTPUT_MIN;
    struct chunk *chunk = pgrpc__chunk_new(mem, cap < max_len ? cap : max_len);
    z_stream *stream = len > 0 ? start_inflate(compressor, encoding) : NULL;
    if (!chunk || (len > 0 && !stream)) {
        pgrpc__chunk_unref(chunk);
        return pgrpc__error_set(error, PGRPC_RESOURCE_EXHAUSTED,
                                "out of memory while decompressing a message");
    }
    if (len > 0) {
        stream->next_in = (Bytef *)(uintptr_t)data;
        stream->avail_in = (unsigned)len;
        enum pgrpc_code code = inflate_message(stream, encoding, max_len, &chunk, error);
        if (code != PGRPC_OK) {
            pgrpc__chunk_unref(chunk);
            return code;
        }
    }
    *message = chunk;
    return PGRPC_OK;
}
