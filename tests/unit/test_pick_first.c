/* pick_first: which address is tried, and what becomes of connections when addresses change. */
#include "../support/unit.h"

#include <stdio.h>

#include "../support/faulty_allocator.h"
#include "../support/rawframe.h"
#include "client/balancer.h"
#include "io/pipe.h"

enum { PEERS_MAX = 8 };

/* The other ends of the connections that were made, by the last digit of the port. */
static struct {
    struct faulty_allocator faulty;
    struct pgrpc_loop *loop;
    struct subchannel_config config;
    struct balancer *balancer;
    int64_t now_ms;
    struct bytestream *peers[PEERS_MAX];
    unsigned connects[PEERS_MAX];
    bool refuses[PEERS_MAX];
} test;

static int64_t clock_ms(void *userdata)
{
    (void)userdata;
    return test.now_ms;
}

static uint64_t no_jitter(void *userdata)
{
    (void)userdata;
    return 2048;
}

static int connect_peer(void *userdata, const void *address, struct bytestream **stream,
                        char error[SUBCHANNEL_ERROR_MAX])
{
    int number = pgrpc__address_port(address) % 10;
    (void)userdata;
    test.connects[number]++;
    if (test.refuses[number]) {
        snprintf(error, SUBCHANNEL_ERROR_MAX, "%d refuses", number);
        return -ECONNREFUSED;
    }
    assert_null(test.peers[number]);
    return pgrpc__pipe_new(test.loop, 65536, stream, &test.peers[number]);
}

static void on_change(void *owner)
{
    (void)owner;
}

static int set_up(void **state)
{
    (void)state;
    memset(&test, 0, sizeof(test));
    test.now_ms = 1000;
    faulty_allocator_init(&test.faulty, 0);
    struct pgrpc_loop_options options = {.size = sizeof(options), .allocator = &test.faulty.hook};
    test.loop = pgrpc_loop_new(&options);
    pgrpc__loop_set_clock(test.loop, clock_ms, NULL);
    pgrpc__loop_set_random(test.loop, no_jitter, NULL);
    test.config =
        (struct subchannel_config){.loop = test.loop,
                                   .h2 = {.stream_window = 65536, .max_header_bytes = 16384},
                                   .connect_timeout_ms = 20000,
                                   .backoff_initial_ms = 1000,
                                   .backoff_max_ms = 120000,
                                   .connect = connect_peer,
                                   .on_change = on_change};
    assert_int_equal(pgrpc__loop_take_lock(test.loop), 0);
    test.balancer = pgrpc__pick_first_new(&test.config);
    assert_non_null(test.balancer);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test.balancer->ops->free(test.balancer);
    for (int i = 0; i < PEERS_MAX; i++)
        if (test.peers[i])
            test.peers[i]->ops->free(test.peers[i]);
    pgrpc__loop_leave_lock(test.loop);
    pgrpc_loop_free(test.loop);
    assert_int_equal(faulty_allocator_live(&test.faulty), 0);
    return 0;
}

/* Addresses by their digits, as "12"; they live until the next ones. */
static int set_addresses(const char *digits)
{
    static struct socket_address sets[2][PEERS_MAX];
    static int turn;
    struct socket_address *addresses = sets[turn++ % 2];
    size_t count = strlen(digits);
    for (size_t i = 0; i < count; i++) {
        char text[32], error[64];
        snprintf(text, sizeof(text), "127.0.0.1:500%c", digits[i]);
        assert_int_equal(pgrpc__address_parse(text, &addresses[i], error, sizeof(error)), 0);
    }
    return test.balancer->ops->set_addresses(test.balancer, addresses, count);
}

/* Time passes, and the balancer looks. */
static void pass(int64_t ms)
{
    test.now_ms += ms;
    for (int i = 0; i < 50; i++) {
        pgrpc__loop_turn(test.loop, 0);
        test.balancer->ops->advance(test.balancer);
    }
}

/* Makes the connection to |number| ready. */
static void greet(int number)
{
    struct raw raw = {0};
    raw_settings(&raw, 0);
    struct iovec vector = {raw.data, raw.len};
    assert_int_equal(test.peers[number]->ops->writev(test.peers[number], &vector, 1), raw.len);
    raw_clear(&raw);
    pass(0);
}

/* True when our side has closed the connection. */
static bool is_closed(int number)
{
    char data[4096];
    ssize_t len;
    while ((len = test.peers[number]->ops->read(test.peers[number], data, sizeof(data))) > 0)
        ;
    return len == 0;
}

static void addresses_are_tried_in_order(void **state)
{
    (void)state;
    assert_int_equal(set_addresses("123"), 0);
    pass(0);
    assert_int_equal(test.connects[1], 0); /* nobody wants a connection */
    test.refuses[1] = true;
    test.balancer->ops->connect(test.balancer);
    pass(0);
    assert_int_equal(test.connects[1], 1);
    assert_int_equal(test.connects[2], 1);
    assert_int_equal(test.connects[3], 0);
    assert_int_equal(test.balancer->ops->state(test.balancer), PGRPC_CHANNEL_CONNECTING);
    assert_string_equal(test.balancer->ops->error(test.balancer), "1 refuses");
    greet(2);
    assert_non_null(test.balancer->ops->pick(test.balancer));
    assert_int_equal(test.balancer->ops->state(test.balancer), PGRPC_CHANNEL_READY);
}

static void addresses_that_stay_keep_their_back_off(void **state)
{
    (void)state;
    test.refuses[1] = test.refuses[2] = test.refuses[3] = true;
    assert_int_equal(set_addresses("12"), 0);
    test.balancer->ops->connect(test.balancer);
    pass(0);
    assert_int_equal(test.balancer->ops->state(test.balancer), PGRPC_CHANNEL_TRANSIENT_FAILURE);
    assert_int_equal(set_addresses("231"), 0);
    pass(0);
    assert_int_equal(test.connects[1], 1);
    assert_int_equal(test.connects[2], 1);
    assert_int_equal(test.connects[3], 1); /* the new one is tried at once */
    pass(999);
    assert_int_equal(test.connects[1] + test.connects[2] + test.connects[3], 3);
    pass(1);
    assert_int_equal(test.connects[1] + test.connects[2] + test.connects[3], 6);
}

static void a_connection_that_stays_is_kept(void **state)
{
    (void)state;
    assert_int_equal(set_addresses("12"), 0);
    test.balancer->ops->connect(test.balancer);
    pass(0);
    greet(1);
    struct h2_link *link = test.balancer->ops->pick(test.balancer);
    assert_int_equal(set_addresses("21"), 0);
    assert_ptr_equal(test.balancer->ops->pick(test.balancer), link);
    assert_false(is_closed(1));
}

static void a_connection_that_goes_is_closed_when_it_is_idle(void **state)
{
    (void)state;
    assert_int_equal(set_addresses("1"), 0);
    test.balancer->ops->connect(test.balancer);
    pass(0);
    greet(1);
    assert_int_equal(set_addresses("2"), 0);
    assert_null(test.balancer->ops->pick(test.balancer));
    pass(0);
    assert_true(is_closed(1));
    /* An attempt that is not needed any more is given up. */
    test.balancer->ops->connect(test.balancer);
    pass(0);
    assert_int_equal(test.connects[2], 1);
    assert_int_equal(set_addresses("3"), 0);
    assert_true(is_closed(2));
    /* What was left behind goes with the next addresses. */
    assert_int_equal(set_addresses("45"), 0);
}

static void without_memory_the_old_addresses_stay(void **state)
{
    (void)state;
    assert_int_equal(set_addresses("1"), 0);
    test.balancer->ops->connect(test.balancer);
    pass(0);
    greet(1);
    struct h2_link *link = test.balancer->ops->pick(test.balancer);
    test.faulty.keeps_failing = true;
    test.faulty.fail_at = test.faulty.count + 1;
    /* Blocks that the loop keeps may serve some of it. */
    int result = set_addresses("1234567");
    test.faulty.fail_at = 0;
    assert_int_equal(result, -ENOMEM);
    assert_ptr_equal(test.balancer->ops->pick(test.balancer), link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(addresses_are_tried_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_that_stay_keep_their_back_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_that_stays_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_that_goes_is_closed_when_it_is_idle, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_memory_the_old_addresses_stay, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
