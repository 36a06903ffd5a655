#include "../support/unit.h"

#include "h2/flow.h"

enum { WINDOW = 65536, UNREAD = 16 * 1024 * 1024 };

/* A flow with everything that went out of it added up. */
struct world {
    struct h2_flow flow;
    size_t quota_used;
    size_t received;
    size_t credited; /* to the connection */
};

static void world_init(struct world *world, size_t quota_limit)
{
    memset(world, 0, sizeof(*world));
    pgrpc__h2_flow_init(&world->flow, WINDOW, 1024 * 1024, &world->quota_used, quota_limit);
    world->flow.connection_batch = 1; /* the rules without the pieces */
}

static void receive(struct world *world, struct h2_stream *stream, size_t len)
{
    struct h2_credit credit = pgrpc__h2_flow_receive(&world->flow, stream, len);
    assert_int_equal(credit.stream, 0);
    world->received += len;
    world->credited += credit.connection;
}

static size_t consume(struct world *world, struct h2_stream *stream, size_t len)
{
    struct h2_credit credit = pgrpc__h2_flow_consume(&world->flow, stream, len);
    world->credited += credit.connection;
    return credit.stream;
}

static size_t expect(struct world *world, struct h2_stream *stream, size_t len, size_t left)
{
    struct h2_credit credit = pgrpc__h2_flow_expect(&world->flow, stream, len, left);
    world->credited += credit.connection;
    return credit.stream;
}

static void release(struct world *world, struct h2_stream *stream)
{
    struct h2_credit credit = pgrpc__h2_flow_release(&world->flow, stream);
    world->credited += credit.connection;
}

static void assert_clean(const struct world *world)
{
    assert_int_equal(world->flow.unread_bytes, 0);
    assert_int_equal(world->flow.withheld_bytes, 0);
    assert_int_equal(world->flow.advanced_bytes, 0);
    assert_int_equal(world->flow.starved_count, 0);
    assert_int_equal(world->quota_used, 0);
    assert_null(world->flow.completer);
    assert_int_equal(world->received, world->credited);
}

static void the_connection_gets_its_credit_at_once(void **state)
{
    struct world world;
    struct h2_stream stream = {0};
    (void)state;
    world_init(&world, 64 << 20);
    receive(&world, &stream, 1000);
    assert_int_equal(world.credited, 1000);
    assert_int_equal(consume(&world, &stream, 1000), 0);
    assert_clean(&world);
}

static void a_stream_gets_its_credit_by_half_a_window(void **state)
{
    struct world world;
    struct h2_stream stream = {0};
    (void)state;
    world_init(&world, 64 << 20);
    receive(&world, &stream, WINDOW);
    assert_int_equal(consume(&world, &stream, WINDOW / 2 - 1), 0);
    assert_int_equal(consume(&world, &stream, 1), WINDOW / 2);
    assert_int_equal(consume(&world, &stream, WINDOW / 2 - 1), 0);
    assert_int_equal(consume(&world, &stream, 1), WINDOW / 2);
    /* A message that needs it gets the rest of a piece at once. */
    receive(&world, &stream, 1000);
    assert_int_equal(consume(&world, &stream, 900), 0);
    assert_int_equal(expect(&world, &stream, WINDOW, WINDOW - 1000), 900 + 100);
    release(&world, &stream);
    assert_clean(&world);
}

static void a_connection_gets_its_credit_by_a_quarter(void **state)
{
    struct world world;
    struct h2_stream stream = {0};
    (void)state;
    world_init(&world, 64 << 20);
    pgrpc__h2_flow_init(&world.flow, WINDOW, 1024 * 1024, &world.quota_used, 64 << 20);
    receive(&world, &stream, 256 * 1024 - 1);
    assert_int_equal(world.credited, 0);
    receive(&world, &stream, 1);
    assert_int_equal(world.credited, 256 * 1024);
    receive(&world, &stream, 10);
    release(&world, &stream);
    assert_int_equal(world.flow.pending_bytes, 10);
    assert_int_equal(world.received, world.credited + 10);
}

static void unread_bytes_beyond_the_limit_are_withheld(void **state)
{
    struct world world;
    struct h2_stream stream = {0}, other = {0};
    (void)state;
    world_init(&world, 64 << 20);
    assert_int_equal(world.flow.unread_limit, UNREAD);
    receive(&world, &stream, UNREAD - 1);
    receive(&world, &other, 1);
    assert_int_equal(world.credited, UNREAD);
    receive(&world, &other, 1);
    assert_int_equal(world.credited, UNREAD);
    receive(&world, &other, 99);
    assert_int_equal(world.flow.withheld_bytes, 100);
    consume(&world, &stream, 30);
    assert_int_equal(world.flow.withheld_bytes, 70);
    assert_int_equal(world.credited, UNREAD + 30);
    release(&world, &stream);
    release(&world, &other);
    assert_clean(&world);
}

static void bytes_of_an_incomplete_message_do_not_count_as_unread(void **state)
{
    struct world world;
    struct h2_stream stream = {0};
    (void)state;
    world_init(&world, 256 << 20);
    receive(&world, &stream, 1000);
    expect(&world, &stream, UNREAD, SIZE_MAX);
    assert_int_equal(world.flow.unread_bytes, 0);
    receive(&world, &stream, UNREAD);
    assert_int_equal(world.credited, UNREAD + 1000);
    /* Once complete they do, but what was given back is not taken again. */
    expect(&world, &stream, 0, 0);
    assert_int_equal(world.flow.withheld_bytes, 0);
    receive(&world, &stream, 600);
    assert_int_equal(world.flow.withheld_bytes, 600);
    receive(&world, &stream, 600);
    assert_int_equal(world.flow.withheld_bytes, 1200);
    consume(&world, &stream, 1500);
    assert_int_equal(world.flow.withheld_bytes, 700);
    release(&world, &stream);
    assert_clean(&world);
}

static void a_message_that_fits_gets_nothing_early(void **state)
{
    struct world world;
    struct h2_stream stream = {0};
    (void)state;
    world_init(&world, 64 << 20);
    receive(&world, &stream, 10);
    assert_int_equal(expect(&world, &stream, WINDOW - 10, WINDOW - 10), 0);
    assert_int_equal(expect(&world, &stream, WINDOW - 9, WINDOW - 10), 10);
    release(&world, &stream);
    assert_clean(&world);
}

static void a_large_message_gets_credit_early_and_only_once(void **state)
{
    struct world world;
    struct h2_stream stream = {0};
    size_t message = 4 << 20, left = WINDOW, got = 0, early = 0;
    (void)state;
    world_init(&world, 64 << 20);
    while (got < message) {
        size_t piece = left < 16384 ? left : 16384;
        if (piece > message - got)
            piece = message - got;
        assert_true(piece > 0);
        receive(&world, &stream, piece);
        got += piece;
        left -= piece;
        size_t credit = expect(&world, &stream, message - got, left);
        early += credit;
        left += credit;
        assert_true(left <= WINDOW + WINDOW / 2 + 1);
        assert_int_equal(world.quota_used, early);
    }
    assert_true(early >= message - WINDOW && early <= message);
    assert_null(world.flow.completer);
    size_t rest = consume(&world, &stream, message);
    assert_int_equal(rest + stream.pending_bytes, message - early);
    assert_clean(&world);
}

/* Gives |stream| an incomplete message of which a window has come. */
static size_t start_large(struct world *world, struct h2_stream *stream)
{
    receive(world, stream, WINDOW);
    return expect(world, stream, 10 * WINDOW, 0);
}

static void beyond_the_quota_one_message_at_a_time_goes_on(void **state)
{
    struct world world;
    struct h2_stream streams[6] = {{0}};
    size_t given = WINDOW; /* ten windows are wanted, one has come */
    (void)state;
    world_init(&world, 2 * WINDOW);
    world.flow.advance_limit = SIZE_MAX / 2;
    assert_int_equal(start_large(&world, &streams[0]), given);
    assert_int_equal(start_large(&world, &streams[1]), given);
    assert_null(world.flow.completer);
    assert_int_equal(start_large(&world, &streams[2]), given);
    assert_ptr_equal(world.flow.completer, &streams[2]);
    assert_int_equal(start_large(&world, &streams[3]), 0);
    assert_int_equal(start_large(&world, &streams[4]), 0);
    assert_int_equal(world.flow.starved_count, 2);
    assert_true(streams[3].is_starved && streams[4].is_starved);
    /* The chosen one goes on ... */
    receive(&world, &streams[2], WINDOW);
    assert_int_equal(expect(&world, &streams[2], 9 * WINDOW, 0), WINDOW);
    /* ... and when it is complete, the next one does. */
    expect(&world, &streams[2], 0, 0);
    assert_int_equal(expect(&world, &streams[3], 10 * WINDOW, 0), given);
    assert_ptr_equal(world.flow.completer, &streams[3]);
    assert_int_equal(world.flow.starved_count, 1);
    assert_int_equal(expect(&world, &streams[4], 10 * WINDOW, 0), 0);
    release(&world, &streams[3]);
    assert_int_equal(expect(&world, &streams[4], 10 * WINDOW, 0), given);
    assert_int_equal(world.flow.starved_count, 0);
    for (int i = 0; i < 6; i++)
        release(&world, &streams[i]);
    assert_clean(&world);
}

static void a_stream_that_ends_gives_its_turn_away(void **state)
{
    struct world world;
    struct h2_stream first = {0}, second = {0};
    (void)state;
    world_init(&world, 1);
    world.flow.advance_limit = 1;
    assert_int_equal(start_large(&world, &first), WINDOW);
    assert_int_equal(start_large(&world, &second), 0);
    pgrpc__h2_flow_end(&world.flow, &first);
    assert_int_equal(world.quota_used, WINDOW); /* its bytes are still there */
    assert_int_equal(expect(&world, &second, 10 * WINDOW, 0), WINDOW);
    release(&world, &first);
    release(&world, &second);
    assert_clean(&world);
}

static void the_connections_share_of_the_quota_is_a_quarter(void **state)
{
    struct world world;
    struct h2_stream streams[6] = {{0}};
    (void)state;
    world_init(&world, 16 * WINDOW);
    for (int i = 0; i < 4; i++)
        assert_int_equal(start_large(&world, &streams[i]), WINDOW);
    assert_null(world.flow.completer);
    assert_int_equal(start_large(&world, &streams[4]), WINDOW);
    assert_ptr_equal(world.flow.completer, &streams[4]);
    assert_int_equal(start_large(&world, &streams[5]), 0);
    for (int i = 0; i < 6; i++)
        release(&world, &streams[i]);
    assert_clean(&world);
}

static void the_loops_quota_is_shared(void **state)
{
    struct world world;
    struct h2_stream stream = {0}, other = {0};
    (void)state;
    world_init(&world, 64 * WINDOW);
    world.quota_used = 64 * WINDOW - WINDOW + 1; /* of other connections */
    assert_int_equal(start_large(&world, &stream), WINDOW);
    assert_ptr_equal(world.flow.completer, &stream);
    assert_int_equal(start_large(&world, &other), 0);
    world.quota_used -= WINDOW; /* they gave something back */
    assert_int_equal(expect(&world, &other, 10 * WINDOW, 0), 0);
    world.quota_used -= WINDOW;
    assert_int_equal(expect(&world, &other, 10 * WINDOW, 0), WINDOW);
    release(&world, &stream);
    release(&world, &other);
    world.quota_used -= 64 * WINDOW - WINDOW + 1 - 2 * WINDOW;
    assert_clean(&world);
}

static uint32_t seed;

static uint32_t roll(uint32_t sides)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)seed * sides) >> 32);
}

/* Whatever happens in between: when every stream has been released, nothing is missing. */
static void ten_thousand_random_stream_ends_leave_nothing(void **state)
{
    enum { LIVE = 30, ENDS = 10000 };
    static struct h2_stream streams[LIVE];
    struct world world;
    unsigned ends = 0, starved = 0, withheld = 0;
    (void)state;
    memset(streams, 0, sizeof(streams));
    world_init(&world, 8 * WINDOW);
    world.flow.unread_limit = 4 * WINDOW;
    seed = 20240229;
    while (ends < ENDS) {
        struct h2_stream *stream = &streams[roll(LIVE)];
        switch (roll(6)) {
        case 0:
            receive(&world, stream, roll(WINDOW));
            break;
        case 1:
            consume(&world, stream, roll((uint32_t)stream->buffered_bytes + 1));
            break;
        case 2:
        case 3:
            expect(&world, stream, roll(4 * WINDOW), roll(WINDOW));
            break;
        case 4:
            expect(&world, stream, 0, 0);
            break;
        default:
            release(&world, stream);
            assert_int_equal(stream->buffered_bytes, 0);
            assert_int_equal(stream->advance_bytes, 0);
            ends++;
        }
        starved += world.flow.starved_count > 0;
        withheld += world.flow.withheld_bytes > 0;
        assert_int_equal(world.received - world.credited, world.flow.withheld_bytes);
        assert_int_equal(world.quota_used, world.flow.advanced_bytes);
    }
    for (int i = 0; i < LIVE; i++)
        release(&world, &streams[i]);
    assert_clean(&world);

    assert_true(starved > 1000 && withheld > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_connection_gets_its_credit_at_once),
        cmocka_unit_test(a_stream_gets_its_credit_by_half_a_window),
        cmocka_unit_test(a_connection_gets_its_credit_by_a_quarter),
        cmocka_unit_test(unread_bytes_beyond_the_limit_are_withheld),
        cmocka_unit_test(bytes_of_an_incomplete_message_do_not_count_as_unread),
        cmocka_unit_test(a_message_that_fits_gets_nothing_early),
        cmocka_unit_test(a_large_message_gets_credit_early_and_only_once),
        cmocka_unit_test(beyond_the_quota_one_message_at_a_time_goes_on),
        cmocka_unit_test(a_stream_that_ends_gives_its_turn_away),
        cmocka_unit_test(the_connections_share_of_the_quota_is_a_quarter),
        cmocka_unit_test(the_loops_quota_is_shared),
        cmocka_unit_test(ten_thousand_random_stream_ends_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
