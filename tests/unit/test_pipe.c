#include "../support/unit.h"
#include "../support/faulty_allocator.h"
#include "../support/watcher.h"

#include "io/pipe.h"

enum { CAPACITY = 16 };

struct fixture {
    struct pgrpc_loop *loop;
    struct bytestream *first;
    struct bytestream *second;
    struct watcher watcher; /* of the first end */
};
static struct fixture fixture;

/* Runs turns, with the lock held as all of these tests hold it, until nothing happens any more. */
static void settle(void)
{
    while (pgrpc__loop_turn(fixture.loop, 0) > 0)
        continue;
}

static int set_up(void **state)
{
    memset(&fixture, 0, sizeof(fixture));
    fixture.loop = pgrpc_loop_new(NULL);
    assert_int_equal(pgrpc__loop_take_lock(fixture.loop), 0);
    assert_int_equal(pgrpc__pipe_new(fixture.loop, CAPACITY, &fixture.first, &fixture.second), 0);
    watcher_init(&fixture.watcher, fixture.first);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stream_free(fixture.first);
    stream_free(fixture.second);
    assert_int_equal(fixture.loop->mem.live_bytes, 0);
    pgrpc__loop_leave_lock(fixture.loop);
    pgrpc_loop_free(fixture.loop);
    return 0;
}

static void ready_comes_once_and_in_a_turn(void **state)
{
    (void)state;
    assert_int_equal(fixture.watcher.ready, 0);
    settle();
    settle();
    assert_int_equal(fixture.watcher.ready, 1);
    assert_int_equal(fixture.watcher.readable, 0);
    assert_int_equal(fixture.watcher.writable, 0);
    assert_string_equal(fixture.first->ops->peer(fixture.first)->address, "pipe:");
    assert_string_equal(fixture.first->ops->peer(fixture.first)->security, "insecure");
    assert_null(fixture.first->ops->peer(fixture.first)->subject);
}

static void bytes_go_through_in_order(void **state)
{
    char in[1000], out[1000];
    size_t written = 0, got = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (char)(i * 31);
    for (size_t step = 1; got < sizeof(in); step = step % 7 + 1) {
        size_t len = sizeof(in) - written < step ? sizeof(in) - written : step;
        ssize_t count = len ? stream_write(fixture.second, in + written, len) : -EAGAIN;
        if (count > 0)
            written += (size_t)count;
        else
            assert_int_equal(count, -EAGAIN);
        count = stream_read(fixture.first, out + got, 1 + step % 3);
        if (count > 0)
            got += (size_t)count;
    }
    assert_memory_equal(in, out, sizeof(in));
    assert_int_equal(stream_read(fixture.first, out, 1), -EAGAIN);
}

static void vectors_are_gathered(void **state)
{
    struct iovec vectors[] = {
        {(void *)"abc", 3}, {NULL, 0}, {(void *)"defghijklmnop", 13}, {(void *)"q", 1}};
    char text[CAPACITY];
    (void)state;
    assert_int_equal(fixture.second->ops->writev(fixture.second, vectors, 4), CAPACITY);
    assert_int_equal(stream_write(fixture.second, "x", 1), -EAGAIN);
    assert_int_equal(stream_read(fixture.first, text, sizeof(text)), CAPACITY);
    assert_memory_equal(text, "abcdefghijklmnop", CAPACITY);
}

static void readable_comes_as_long_as_bytes_are_left(void **state)
{
    char byte;
    (void)state;
    settle();
    stream_write(fixture.second, "ab", 2);
    assert_int_equal(fixture.watcher.readable, 0);
    settle(); /* the watcher pauses at the first event */
    assert_int_equal(fixture.watcher.readable, 1);
    assert_int_equal(stream_read(fixture.first, &byte, 1), 1);
    settle();
    assert_int_equal(fixture.watcher.readable, 1);
    fixture.first->ops->pause_reading(fixture.first, false);
    settle();
    assert_int_equal(fixture.watcher.readable, 2);
    assert_int_equal(stream_read(fixture.first, &byte, 1), 1);
    fixture.first->ops->pause_reading(fixture.first, false);
    settle();
    assert_int_equal(fixture.watcher.readable, 2);
}

static void writable_follows_a_write_that_found_no_room(void **state)
{
    char text[CAPACITY];
    (void)state;
    settle();
    assert_int_equal(stream_write(fixture.first, "0123456789abcdefXYZ", 19), CAPACITY);
    settle();
    assert_int_equal(fixture.watcher.writable, 0);
    assert_int_equal(stream_write(fixture.first, "XYZ", 3), -EAGAIN);
    settle();
    assert_int_equal(fixture.watcher.writable, 0);
    assert_int_equal(stream_read(fixture.second, text, 5), 5);
    assert_int_equal(fixture.watcher.writable, 0);
    settle();
    assert_int_equal(fixture.watcher.writable, 1);
    assert_int_equal(stream_write(fixture.first, "XYZ", 3), 3);
    settle();
    assert_int_equal(fixture.watcher.writable, 1);
}

static void shutdown_gives_the_end_after_the_bytes(void **state)
{
    char text[CAPACITY];
    (void)state;
    settle();
    stream_write(fixture.second, "bye", 3);
    fixture.second->ops->shutdown(fixture.second);
    assert_int_equal(stream_write(fixture.second, "x", 1), -EPIPE);
    assert_int_equal(stream_read(fixture.first, text, sizeof(text)), 3);
    settle();
    assert_int_equal(fixture.watcher.readable, 1);
    assert_int_equal(stream_read(fixture.first, text, sizeof(text)), 0);
    assert_int_equal(stream_read(fixture.first, text, sizeof(text)), 0);
    /* The end is told once. */
    fixture.first->ops->pause_reading(fixture.first, false);
    settle();
    assert_int_equal(fixture.watcher.readable, 1);
    /* The other direction goes on. */
    assert_int_equal(stream_write(fixture.first, "still", 5), 5);
    assert_int_equal(stream_read(fixture.second, text, sizeof(text)), 5);
}

static void freeing_one_end_ends_the_other(void **state)
{
    char text[CAPACITY];
    (void)state;
    settle();
    stream_write(fixture.second, "bye", 3);
    stream_write(fixture.first, "0123456789abcdef", CAPACITY);
    assert_int_equal(stream_write(fixture.first, "x", 1), -EAGAIN);
    stream_free(fixture.second);
    fixture.second = NULL;
    settle();
    assert_int_equal(fixture.watcher.writable, 1);
    assert_int_equal(stream_write(fixture.first, "x", 1), -EPIPE);
    assert_string_equal(fixture.first->ops->error_text(fixture.first), "connection closed by peer");
    assert_int_equal(stream_read(fixture.first, text, sizeof(text)), 3);
    assert_int_equal(stream_read(fixture.first, text, sizeof(text)), 0);
}

static void free_owner(struct watcher *watcher)
{
    stream_free(watcher->stream);
    fixture.first = NULL;
}

static void the_owner_may_free_its_end_in_an_event(void **state)
{
    (void)state;
    fixture.watcher.on_readable = free_owner;
    stream_write(fixture.second, "bytes", 5);
    settle();
    assert_null(fixture.first);
    assert_int_equal(stream_write(fixture.second, "x", 1), -EPIPE);
}

static void no_event_after_free(void **state)
{
    (void)state;
    stream_write(fixture.second, "bytes", 5);
    stream_free(fixture.first);
    fixture.first = NULL;
    settle();
    assert_int_equal(fixture.watcher.ready + fixture.watcher.readable, 0);
}

static void faults_split_and_fail(void **state)
{
    char text[CAPACITY];
    (void)state;
    settle();
    struct pipe_faults faults = {.max_read = 1, .max_write = 2};
    pgrpc__pipe_set_faults(fixture.first, &faults);
    assert_int_equal(stream_write(fixture.first, "abc", 3), 2);
    stream_write(fixture.second, "abc", 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(stream_read(fixture.first, text, sizeof(text)), 1);
    settle();
    assert_int_equal(fixture.watcher.readable, 0);
    faults = (struct pipe_faults){.read_error = ECONNRESET, .write_error = EPIPE};
    pgrpc__pipe_set_faults(fixture.first, &faults);
    settle();
    assert_int_equal(fixture.watcher.readable, 1);
    assert_int_equal(stream_read(fixture.first, text, sizeof(text)), -ECONNRESET);
    assert_string_equal(fixture.first->ops->error_text(fixture.first), "connection reset by peer");
    assert_int_equal(stream_write(fixture.first, "abc", 3), -EPIPE);
}

static void out_of_memory(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct pgrpc_loop_options options = {.size = sizeof(options), .allocator = &faulty.hook};
        struct bytestream *first, *second;
        faulty_allocator_init(&faulty, n);
        struct pgrpc_loop *loop = pgrpc_loop_new(&options);
        if (!loop)
            continue;
        pgrpc__loop_take_lock(loop);
        int error = pgrpc__pipe_new(loop, 100, &first, &second);
        if (error == 0) {
            stream_free(first);
            stream_free(second);
        } else {
            assert_int_equal(error, -ENOMEM);
        }
        assert_int_equal(pgrpc__pipe_new(loop, SIZE_MAX - 8, &first, &second), -ENOMEM);
        pgrpc__loop_leave_lock(loop);
        pgrpc_loop_free(loop);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (error == 0)
            break;
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ready_comes_once_and_in_a_turn),
        TEST(bytes_go_through_in_order),
        TEST(vectors_are_gathered),
        TEST(readable_comes_as_long_as_bytes_are_left),
        TEST(writable_follows_a_write_that_found_no_room),
        TEST(shutdown_gives_the_end_after_the_bytes),
        TEST(freeing_one_end_ends_the_other),
        TEST(the_owner_may_free_its_end_in_an_event),
        TEST(no_event_after_free),
        TEST(faults_split_and_fail),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
