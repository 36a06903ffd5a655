#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include <stdlib.h>

#include "wire/compress.h"

struct fixture {
    struct faulty_allocator faulty;
    struct mem mem;
    struct compressor compressor;
    struct error_text error;
};

static void start(struct fixture *fixture, size_t fail_at)
{
    faulty_allocator_init(&fixture->faulty, fail_at);
    pgrpc__mem_init(&fixture->mem, &fixture->faulty.hook);
    pgrpc__compressor_init(&fixture->compressor, &fixture->faulty.hook);
    fixture->error.text[0] = '\0';
}

static void stop(struct fixture *fixture)
{
    pgrpc__compressor_clear(&fixture->compressor);
    assert_int_equal(fixture->mem.live_bytes, 0);
    pgrpc__mem_clear(&fixture->mem);
    assert_int_equal(faulty_allocator_live(&fixture->faulty), 0);
}

static struct chunk *compress(struct fixture *fixture, enum encoding encoding, const void *data,
                              size_t len)
{
    struct chunk *chunk = pgrpc__chunk_new(&fixture->mem, 0);
    assert_non_null(chunk);
    assert_int_equal(pgrpc__compressor_compress(&fixture->compressor, encoding, data, len, &chunk),
                     PGRPC_OK);
    return chunk;
}

/* From a copy of exactly these bytes; writes the message only on success. */
static enum pgrpc_code decompress(struct fixture *fixture, enum encoding encoding, const void *data,
                                  size_t len, size_t max_len, struct chunk **message)
{
    void *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    struct chunk *result = (struct chunk *)fixture;
    enum pgrpc_code code =
        pgrpc__compressor_decompress(&fixture->compressor, encoding, copy, len, max_len,
                                     &fixture->mem, &result, &fixture->error);
    free(copy);
    if (code == PGRPC_OK)
        *message = result;
    else
        assert_ptr_equal(result, fixture);
    return code;
}

static void expect_failure(struct fixture *fixture, enum encoding encoding, const void *data,
                           size_t len, size_t max_len, enum pgrpc_code expected, const char *text)
{
    struct chunk *message;
    fixture->error.text[0] = '\0';
    assert_int_equal(decompress(fixture, encoding, data, len, max_len, &message), expected);
    if (!strstr(fixture->error.text, text))
        fail_msg("\"%s\" does not say \"%s\"", fixture->error.text, text);
}

static void expect_message(struct fixture *fixture, enum encoding encoding, const void *data,
                           size_t len, size_t max_len, const void *expected, size_t expected_len)
{
    struct chunk *message;
    assert_int_equal(decompress(fixture, encoding, data, len, max_len, &message), PGRPC_OK);
    assert_int_equal(message->len, expected_len);
    assert_memory_equal(message->data, expected, expected_len);
    pgrpc__chunk_unref(message);
}

static const enum encoding algorithms[] = {ENCODING_DEFLATE, ENCODING_GZIP};

static void rule_11_flag_without_encoding_fails(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 0);
    expect_failure(&fixture, ENCODING_IDENTITY, "abc", 3, 100, PGRPC_INTERNAL, "grpc-encoding");
    expect_failure(&fixture, ENCODING_IDENTITY, "", 0, 100, PGRPC_INTERNAL, "grpc-encoding");
    stop(&fixture);
}

static void rule_12_names(void **state)
{
    static const char *const unknown[] = {"", "snappy", "GZIP", "gzi", "gzipp", "gzip ", "zstd"};
    enum encoding encoding;
    (void)state;
    for (unsigned i = 0; i < ENCODING_COUNT; i++) {
        const char *name = pgrpc__encoding_name((enum encoding)i);
        assert_true(pgrpc__encoding_find(name, strlen(name), &encoding));
        assert_int_equal(encoding, i);
        assert_non_null(strstr(ENCODING_ACCEPTED, name));
    }
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_false(pgrpc__encoding_find(unknown[i], strlen(unknown[i]), &encoding));
}

static void rule_15_accepted_list(void **state)
{
    enum { I = 1, D = 2, G = 4 };
    static const struct {
        const char *list;
        unsigned expected;
    } table[] = {
        {"", I},
        {"identity", I},
        {"gzip", I | G},
        {"identity,deflate,gzip", I | D | G},
        {"identity, deflate, gzip", I | D | G},
        {" gzip ,\tdeflate\t", I | D | G},
        {",,gzip,,", I | G},
        {",", I},
        {" ", I},
        {"zstd,gzip", I | G},
        {"gzip,snappy", I | G},
        {"gzipdeflate", I},
        {"gzip deflate", I},
        {"Gzip", I},
        {"gzip,gzip", I | G},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(pgrpc__encoding_parse_accepted(table[i].list, strlen(table[i].list)),
                         table[i].expected);
    assert_int_equal(pgrpc__encoding_parse_accepted(ENCODING_ACCEPTED, strlen(ENCODING_ACCEPTED)),
                     I | D | G);
}

static void rule_16_empty_messages(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 0);
    for (size_t i = 0; i < 2; i++) {
        struct chunk *empty = compress(&fixture, algorithms[i], "", 0);
        assert_in_range(empty->len, 1, 64);
        for (size_t limit = 0; limit < 2; limit++) {
            expect_message(&fixture, algorithms[i], empty->data, empty->len, limit, "", 0);
            expect_message(&fixture, algorithms[i], "", 0, limit, "", 0);
        }
        pgrpc__chunk_unref(empty);
    }
    stop(&fixture);
}

static void rule_16_no_context_between_messages(void **state)
{
    struct fixture fixture;
    char text[2000];
    (void)state;
    memset(text, 'x', sizeof(text));
    start(&fixture, 0);
    for (size_t i = 0; i < 2; i++) {
        struct chunk *first = compress(&fixture, algorithms[i], text, sizeof(text));
        struct chunk *second = compress(&fixture, algorithms[i], text, sizeof(text));
        assert_int_equal(first->len, second->len);
        assert_memory_equal(first->data, second->data, first->len);
        /* After a failure the next message is whole again. */
        expect_failure(&fixture, algorithms[i], first->data, first->len / 2, 4000, PGRPC_INTERNAL,
                       "truncated");
        expect_message(&fixture, algorithms[i], second->data, second->len, 4000, text,
                       sizeof(text));
        pgrpc__chunk_unref(first);
        pgrpc__chunk_unref(second);
    }
    stop(&fixture);
}

static void rule_17_formats(void **state)
{
    /* "hello" as Python's zlib.compress and gzip.compress write it. */
    static const uint8_t deflated[] = {0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9,
                                       0x07, 0x00, 0x06, 0x2c, 0x02, 0x15};
    static const uint8_t gzipped[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
                                      0xff, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86,
                                      0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00};
    struct fixture fixture;
    (void)state;
    start(&fixture, 0);
    expect_message(&fixture, ENCODING_DEFLATE, deflated, sizeof(deflated), 5, "hello", 5);
    expect_message(&fixture, ENCODING_GZIP, gzipped, sizeof(gzipped), 5, "hello", 5);
    expect_failure(&fixture, ENCODING_DEFLATE, gzipped, sizeof(gzipped), 5, PGRPC_INTERNAL,
                   "malformed");
    expect_failure(&fixture, ENCODING_GZIP, deflated, sizeof(deflated), 5, PGRPC_INTERNAL,
                   "malformed");
    expect_failure(&fixture, ENCODING_DEFLATE, deflated + 2, sizeof(deflated) - 6, 5,
                   PGRPC_INTERNAL, "deflate");
    struct chunk *chunk = compress(&fixture, ENCODING_DEFLATE, "hello", 5);
    assert_int_equal(chunk->data[0], 0x78);
    pgrpc__chunk_unref(chunk);
    chunk = compress(&fixture, ENCODING_GZIP, "hello", 5);
    assert_memory_equal(chunk->data, gzipped, 4);
    pgrpc__chunk_unref(chunk);
    stop(&fixture);
}

static void rule_17_members_and_trailing_bytes(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 0);
    for (size_t i = 0; i < 2; i++) {
        bool is_gzip = algorithms[i] == ENCODING_GZIP;
        struct chunk *chunk = compress(&fixture, algorithms[i], "one", 3);
        size_t first_len = chunk->len;
        assert_int_equal(
            pgrpc__compressor_compress(&fixture.compressor, algorithms[i], "two", 3, &chunk),
            PGRPC_OK);
        if (is_gzip) {
            expect_message(&fixture, algorithms[i], chunk->data, chunk->len, 6, "onetwo", 6);
            expect_failure(&fixture, algorithms[i], chunk->data, chunk->len, 5,
                           PGRPC_RESOURCE_EXHAUSTED, "limit of 5");
            expect_failure(&fixture, algorithms[i], chunk->data, chunk->len - 1, 6, PGRPC_INTERNAL,
                           "truncated");
        } else {
            expect_failure(&fixture, algorithms[i], chunk->data, chunk->len, 6, PGRPC_INTERNAL,
                           "follow");
        }
        chunk->data[first_len] = 'X';
        expect_failure(&fixture, algorithms[i], chunk->data, first_len + 1, 6, PGRPC_INTERNAL,
                       is_gzip ? "" : "1 bytes follow");
        expect_failure(&fixture, algorithms[i], chunk->data, chunk->len, 6, PGRPC_INTERNAL, "");
        pgrpc__chunk_unref(chunk);
    }
    stop(&fixture);
}

static void rule_18_truncated_or_damaged_bytes_fail(void **state)
{
    struct fixture fixture;
    char text[300];
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * i % 251);
    start(&fixture, 0);
    for (size_t i = 0; i < 2; i++) {
        struct chunk *chunk = compress(&fixture, algorithms[i], text, sizeof(text));
        for (size_t len = 1; len < chunk->len; len++)
            expect_failure(&fixture, algorithms[i], chunk->data, len, 1000, PGRPC_INTERNAL,
                           "truncated");
        for (size_t byte = 0; byte < chunk->len; byte++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                struct chunk *message = NULL;
                chunk->data[byte] ^= (uint8_t)(1 << bit);
                enum pgrpc_code code =
                    decompress(&fixture, algorithms[i], chunk->data, chunk->len, 1000, &message);
                chunk->data[byte] ^= (uint8_t)(1 << bit);
                if (code == PGRPC_OK) /* a bit of gzip's time or system field */
                    assert_memory_equal(message->data, text, sizeof(text));
                else if (code != PGRPC_RESOURCE_EXHAUSTED)
                    assert_int_equal(code, PGRPC_INTERNAL);
                if (code == PGRPC_OK)
                    pgrpc__chunk_unref(message);
            }
        }
        pgrpc__chunk_unref(chunk);
    }
    /* A stream that asks for a preset dictionary. */
    static const uint8_t dictionary[] = {0x78, 0xbb, 0, 0, 0, 1, 0x03, 0, 0, 0, 0, 1};
    expect_failure(&fixture, ENCODING_DEFLATE, dictionary, sizeof(dictionary), 1000, PGRPC_INTERNAL,
                   "dictionary");
    stop(&fixture);
}

static void rule_29_limit_holds_for_the_inflated_size(void **state)
{
    static const size_t sizes[] = {1, 2, 255, 256, 257, 4096, 100000, 1 << 20};
    struct fixture fixture;
    (void)state;
    start(&fixture, 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t size = sizes[i];
        char *zeros = calloc(size, 1);
        assert_non_null(zeros);
        for (size_t j = 0; j < 2; j++) {
            struct chunk *chunk = compress(&fixture, algorithms[j], zeros, size);
            expect_message(&fixture, algorithms[j], chunk->data, chunk->len, size + 1, zeros, size);
            expect_message(&fixture, algorithms[j], chunk->data, chunk->len, size, zeros, size);
            expect_failure(&fixture, algorithms[j], chunk->data, chunk->len, size - 1,
                           PGRPC_RESOURCE_EXHAUSTED, "limit");
            pgrpc__chunk_unref(chunk);
        }
        free(zeros);
    }
    stop(&fixture);
}

/* Live bytes of the hook, and their peak. */
struct counter {
    struct pgrpc_allocator hook;
    size_t live;
    size_t peak;
};

static void *counting_alloc(void *userdata, size_t size)
{
    struct counter *counter = userdata;
    size_t *block = malloc(size + 16);
    assert_non_null(block);
    *block = size;
    counter->live += size;
    if (counter->live > counter->peak)
        counter->peak = counter->live;
    return block + 2;
}

static void counting_free(void *userdata, void *pointer)
{
    struct counter *counter = userdata;
    size_t *block = (size_t *)pointer - 2;
    counter->live -= *block;
    free(block);
}

static void a_bomb_costs_no_more_than_twice_the_limit(void **state)
{
    enum { SIZE = 64 * 1024 * 1024, LIMIT = 4 * 1024 * 1024 };
    struct counter counter = {.hook = {counting_alloc, counting_free, &counter}};
    struct mem mem;
    struct compressor compressor;
    struct error_text error;
    struct chunk *message;
    (void)state;
    pgrpc__mem_init(&mem, &counter.hook);
    pgrpc__compressor_init(&compressor, &counter.hook);
    char *zeros = calloc(SIZE, 1);
    struct chunk *bomb = pgrpc__chunk_new(&mem, 0);
    assert_int_equal(pgrpc__compressor_compress(&compressor, ENCODING_GZIP, zeros, SIZE, &bomb),
                     PGRPC_OK);
    free(zeros);
    assert_in_range(bomb->len, 0, SIZE / 900);
    size_t before = counter.peak = counter.live;
    assert_int_equal(pgrpc__compressor_decompress(&compressor, ENCODING_GZIP, bomb->data, bomb->len,
                                                  LIMIT, &mem, &message, &error),
                     PGRPC_RESOURCE_EXHAUSTED);
    assert_in_range(counter.peak - before, LIMIT, 2 * LIMIT);
    pgrpc__chunk_unref(bomb);
    pgrpc__compressor_clear(&compressor);
    pgrpc__mem_clear(&mem);
    assert_int_equal(counter.live, 0);
}

static void streams_are_reused(void **state)
{
    struct fixture fixture;
    size_t settled = 0;
    (void)state;
    start(&fixture, 0);
    for (int turn = 0; turn < 10; turn++) {
        for (size_t i = 0; i < 2; i++) {
            struct chunk *chunk = compress(&fixture, algorithms[i], "again", 5);
            expect_message(&fixture, algorithms[i], chunk->data, chunk->len, 5, "again", 5);
            pgrpc__chunk_unref(chunk);
        }
        if (turn == 1)
            settled = faulty_allocator_count(&fixture.faulty);
    }
    assert_int_equal(faulty_allocator_count(&fixture.faulty), settled);
    stop(&fixture);
}

static void output_is_appended(void **state)
{
    struct fixture fixture;
    (void)state;
    start(&fixture, 0);
    struct chunk *chunk = pgrpc__chunk_new(&fixture.mem, 5);
    memcpy(chunk->data, "12345", 5);
    chunk->len = 5;
    assert_int_equal(
        pgrpc__compressor_compress(&fixture.compressor, ENCODING_GZIP, "text", 4, &chunk),
        PGRPC_OK);
    assert_memory_equal(chunk->data, "12345", 5);
    expect_message(&fixture, ENCODING_GZIP, chunk->data + 5, chunk->len - 5, 4, "text", 4);
    pgrpc__chunk_unref(chunk);
    stop(&fixture);
}

#if SIZE_MAX > UINT32_MAX /* elsewhere there is nothing that large */
static void more_than_a_frame_holds_is_refused(void **state)
{
    struct fixture fixture;
    struct chunk *message;
    const size_t len = (size_t)UINT32_MAX + 1;
    (void)state;
    start(&fixture, 0);
    struct chunk *chunk = pgrpc__chunk_new(&fixture.mem, 0);
    /* refused before the bytes are looked at */
    assert_int_equal(
        pgrpc__compressor_compress(&fixture.compressor, ENCODING_GZIP, "", len, &chunk),
        PGRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(pgrpc__compressor_decompress(&fixture.compressor, ENCODING_GZIP, "", len, 9,
                                                  &fixture.mem, &message, &fixture.error),
                     PGRPC_RESOURCE_EXHAUSTED);
    pgrpc__chunk_unref(chunk);
    stop(&fixture);
}
#endif

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void random_messages_come_back(void **state)
{
    uint64_t seed = 20260101;
    struct fixture fixture;
    (void)state;
    start(&fixture, 0);
    for (int turn = 0; turn < 300; turn++) {
        size_t len = next_random(&seed) % (turn % 10 == 0 ? 300000 : 3000);
        unsigned kinds = 1 + next_random(&seed) % 256;
        uint8_t *data = malloc(len + 1);
        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)(next_random(&seed) % kinds);
        enum encoding encoding = algorithms[turn % 2];
        struct chunk *chunk = compress(&fixture, encoding, data, len);
        expect_message(&fixture, encoding, chunk->data, chunk->len, len, data, len);
        pgrpc__chunk_unref(chunk);
        free(data);
    }
    stop(&fixture);
}

static void every_allocation_may_fail(void **state)
{
    static uint8_t data[200000];
    uint64_t seed = 7;
    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)next_random(&seed);
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 1;; n++) {
            struct fixture fixture;
            struct chunk *message = NULL;
            start(&fixture, n);
            enum pgrpc_code code = PGRPC_RESOURCE_EXHAUSTED;
            struct chunk *chunk = pgrpc__chunk_new(&fixture.mem, 10);
            if (chunk) {
                chunk->len = 3;
                code = pgrpc__compressor_compress(&fixture.compressor, algorithms[i], data,
                                                  sizeof(data), &chunk);
                if (code != PGRPC_OK)
                    assert_int_equal(chunk->len, 3);
            }
            if (code == PGRPC_OK)
                code = decompress(&fixture, algorithms[i], chunk->data + 3, chunk->len - 3,
                                  sizeof(data), &message);
            bool failed = faulty_allocator_has_failed(&fixture.faulty);
            assert_int_equal(code, failed ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
            pgrpc__chunk_unref(chunk);
            pgrpc__chunk_unref(message);
            stop(&fixture);
            if (!failed) {
                assert_in_range(n, 8, 60);
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_11_flag_without_encoding_fails),
        cmocka_unit_test(rule_12_names),
        cmocka_unit_test(rule_15_accepted_list),
        cmocka_unit_test(rule_16_empty_messages),
        cmocka_unit_test(rule_16_no_context_between_messages),
        cmocka_unit_test(rule_17_formats),
        cmocka_unit_test(rule_17_members_and_trailing_bytes),
        cmocka_unit_test(rule_18_truncated_or_damaged_bytes_fail),
        cmocka_unit_test(rule_29_limit_holds_for_the_inflated_size),
        cmocka_unit_test(a_bomb_costs_no_more_than_twice_the_limit),
        cmocka_unit_test(streams_are_reused),
        cmocka_unit_test(output_is_appended),
#if SIZE_MAX > UINT32_MAX
        cmocka_unit_test(more_than_a_frame_holds_is_refused),
#endif
        cmocka_unit_test(random_messages_come_back),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
