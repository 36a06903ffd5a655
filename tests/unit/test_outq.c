#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include "base/outq.h"

struct fixture {
    struct faulty_allocator faulty;
    struct mem mem;
    struct outq outq;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    faulty_allocator_init(&fixture.faulty, 0);
    pgrpc__mem_init(&fixture.mem, &fixture.faulty.hook);
    pgrpc__outq_init(&fixture.outq, &fixture.mem);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    pgrpc__outq_clear(&fixture->outq);
    assert_int_equal(fixture->mem.live_bytes, 0);
    pgrpc__mem_clear(&fixture->mem);
    assert_int_equal(faulty_allocator_live(&fixture->faulty), 0);
    return 0;
}

static struct chunk *chunk_of(struct mem *mem, const char *text)
{
    struct chunk *chunk = pgrpc__chunk_new(mem, strlen(text));
    chunk->len = strlen(text);
    memcpy(chunk->data, text, chunk->len);
    return chunk;
}

/* Takes everything out, at most |step| bytes at a time. */
static size_t drain(struct outq *outq, char *text, size_t step)
{
    struct iovec vector;
    size_t len = 0;
    while (pgrpc__outq_peek(outq, &vector, 1) == 1) {
        size_t part = vector.iov_len < step ? vector.iov_len : step;
        memcpy(text + len, vector.iov_base, part);
        len += part;
        pgrpc__outq_consume(outq, part);
    }
    assert_int_equal(outq->bytes, 0);
    return len;
}

static void small_copies_share_one_piece(void **state)
{
    struct fixture *fixture = *state;
    struct iovec vectors[4];
    assert_int_equal(pgrpc__outq_add_copy(&fixture->outq, "abc", 3), 0);
    assert_int_equal(pgrpc__outq_add_copy(&fixture->outq, "", 0), 0);
    assert_int_equal(pgrpc__outq_add_copy(&fixture->outq, "def", 3), 0);
    assert_int_equal(pgrpc__outq_peek(&fixture->outq, vectors, 4), 1);
    assert_int_equal(vectors[0].iov_len, 6);
    assert_memory_equal(vectors[0].iov_base, "abcdef", 6);
}

static void order_is_kept_between_copies_and_references(void **state)
{
    struct fixture *fixture = *state;
    struct iovec vectors[4];
    char text[64];
    struct chunk *chunk = chunk_of(&fixture->mem, "PAYLOAD");
    pgrpc__outq_add_copy(&fixture->outq, "head ", 5);
    assert_int_equal(pgrpc__outq_add_ref(&fixture->outq, chunk, chunk->data, 3), 0);
    assert_int_equal(pgrpc__outq_add_ref(&fixture->outq, chunk, chunk->data + 3, 4), 0);
    assert_int_equal(pgrpc__outq_add_ref(&fixture->outq, chunk, chunk->data, 0), 0);
    pgrpc__outq_add_copy(&fixture->outq, " tail", 5);
    pgrpc__chunk_unref(chunk);
    assert_int_equal(fixture->outq.bytes, 17);
    /* The adjacent parts of the payload became one piece, and it was not copied. */
    assert_int_equal(pgrpc__outq_peek(&fixture->outq, vectors, 4), 3);
    assert_ptr_equal(vectors[1].iov_base, chunk->data);
    assert_int_equal(pgrpc__outq_peek(&fixture->outq, vectors, 2), 2);
    assert_int_equal(drain(&fixture->outq, text, 2), 17);
    assert_memory_equal(text, "head PAYLOAD tail", 17);
}

static void many_pieces_wrap_around_the_ring(void **state)
{
    struct fixture *fixture = *state;
    struct chunk *chunk = chunk_of(&fixture->mem, "0123456789");
    char expected[100000], got[100000];
    size_t in = 0, out = 0;
    for (int i = 0; i < 3000; i++) {
        size_t from = (size_t)i % 7, len = 1 + (size_t)i % 3;
        if (i % 2)
            pgrpc__outq_add_ref(&fixture->outq, chunk, chunk->data + from, len);
        else
            pgrpc__outq_add_copy(&fixture->outq, chunk->data + from, len);
        memcpy(expected + in, chunk->data + from, len);
        in += len;
        if (i % 5 == 4) {
            struct iovec vector;
            pgrpc__outq_peek(&fixture->outq, &vector, 1);
            memcpy(got + out, vector.iov_base, vector.iov_len);
            out += vector.iov_len;
            pgrpc__outq_consume(&fixture->outq, vector.iov_len);
        }
        assert_int_equal(fixture->outq.bytes, in - out);
    }
    out += drain(&fixture->outq, got + out, 1000);
    assert_int_equal(in, out);
    assert_memory_equal(expected, got, in);
    pgrpc__chunk_unref(chunk);
}

static void a_copy_larger_than_a_slab(void **state)
{
    struct fixture *fixture = *state;
    char big[20000], got[20010];
    memset(big, 'b', sizeof(big));
    pgrpc__outq_add_copy(&fixture->outq, "first", 5);
    assert_int_equal(pgrpc__outq_add_copy(&fixture->outq, big, sizeof(big)), 0);
    pgrpc__outq_add_copy(&fixture->outq, "last.", 5);
    assert_int_equal(drain(&fixture->outq, got, 1 << 20), 20010);
    assert_memory_equal(got, "firstbbb", 8);
    assert_memory_equal(got + 20000, "bbbbblast.", 10);
}

static void consume_over_several_pieces(void **state)
{
    struct fixture *fixture = *state;
    struct chunk *chunk = chunk_of(&fixture->mem, "xyz");
    char text[8];
    for (int i = 0; i < 10; i++) {
        pgrpc__outq_add_copy(&fixture->outq, "ab", 2);
        pgrpc__outq_add_ref(&fixture->outq, chunk, chunk->data, 3);
    }
    pgrpc__chunk_unref(chunk);
    pgrpc__outq_consume(&fixture->outq, 43);
    assert_int_equal(drain(&fixture->outq, text, 8), 7);
    assert_memory_equal(text, "yzabxyz", 7);
    assert_int_equal(fixture->outq.count, 0);
    pgrpc__outq_consume(&fixture->outq, 0);
}

static void an_idle_queue_holds_no_slab(void **state)
{
    struct fixture *fixture = *state;
    pgrpc__outq_add_copy(&fixture->outq, "abc", 3);
    pgrpc__outq_consume(&fixture->outq, 3);
    assert_null(fixture->outq.slab);
    size_t count = faulty_allocator_count(&fixture->faulty);
    for (int i = 0; i < 100; i++) {
        pgrpc__outq_add_copy(&fixture->outq, "abc", 3);
        pgrpc__outq_consume(&fixture->outq, 3);
    }
    assert_int_equal(faulty_allocator_count(&fixture->faulty), count);
}

static void a_failed_add_changes_nothing(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct mem mem;
        struct outq outq;
        char expected[4096], got[4096];
        size_t len = 0;
        faulty_allocator_init(&faulty, 0);
        pgrpc__mem_init(&mem, &faulty.hook);
        pgrpc__outq_init(&outq, &mem);
        struct chunk *chunk = chunk_of(&mem, "xyz");
        faulty.fail_at = faulty.count + n;
        for (int i = 0; i < 100; i++) {
            size_t before = outq.bytes;
            int error = i % 2 ? pgrpc__outq_add_ref(&outq, chunk, chunk->data, 3)
                              : pgrpc__outq_add_copy(&outq, "abcdefg", 7);
            if (error == 0) {
                memcpy(expected + len, i % 2 ? "xyz" : "abcdefg", i % 2 ? 3 : 7);
                len += i % 2 ? 3 : 7;
            } else {
                assert_int_equal(error, -ENOMEM);
                assert_int_equal(outq.bytes, before);
            }
        }
        assert_int_equal(drain(&outq, got, 1000), len);
        assert_memory_equal(got, expected, len);
        pgrpc__chunk_unref(chunk);
        pgrpc__outq_clear(&outq);
        assert_int_equal(mem.live_bytes, 0);
        pgrpc__mem_clear(&mem);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!faulty_allocator_has_failed(&faulty))
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_copies_share_one_piece, set_up, tear_down),
        cmocka_unit_test_setup_teardown(order_is_kept_between_copies_and_references, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_pieces_wrap_around_the_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_copy_larger_than_a_slab, set_up, tear_down),
        cmocka_unit_test_setup_teardown(consume_over_several_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_idle_queue_holds_no_slab, set_up, tear_down),
        cmocka_unit_test(a_failed_add_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
