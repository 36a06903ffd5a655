/* The engine interface holds another engine than nghttp2: connections on the toy engine of
 * tests/support behave as they do on the real one. */
#include "../support/unit.h"
#include "../support/fake_engine.h"
#include "../support/h2_side.h"

struct pair {
    struct h2_side client;
    struct h2_side server;
};

static void pair_open(struct pair *pair)
{
    struct h2_connection_config config;
    h2_side_config(&config, false);
    config.engine = &fake_engine;
    assert_int_equal(h2_side_init(&pair->client, false, &config, NULL), 0);
    h2_side_config(&config, true);
    config.engine = &fake_engine;
    config.max_concurrent_streams = 3;
    assert_int_equal(h2_side_init(&pair->server, true, &config, NULL), 0);
    h2_side_join(&pair->client, &pair->server);
    assert_string_equal(pair->client.log, "ready\n");
    assert_string_equal(pair->server.log, "ready\n");
}

static void pair_close(struct pair *pair)
{
    h2_side_clear(&pair->client);
    h2_side_clear(&pair->server);
}

static void a_call_goes_through(void **state)
{
    struct pair pair;
    struct h2_user call;
    (void)state;

    pair_open(&pair);
    assert_int_equal(h2_user_open(&call, &pair.client, false), 0);
    h2_user_send(&call, "hello", 5, true);
    h2_side_join(&pair.client, &pair.server);
    struct h2_user *handler = pair.server.users;
    assert_string_equal(handler->log, H2_REQUEST_LINE "\ndata 5\nend\n");
    h2_user_send(handler, "answer", 6, false);
    h2_user_answer(handler);
    h2_side_join(&pair.client, &pair.server);
    assert_string_equal(call.log, "RESPONSE :status=200 content-type=application/grpc\n"
                                  "data 6\nTRAILERS grpc-status=0 end\nclosed NORMAL 0\n");
    assert_string_equal(handler->log, H2_REQUEST_LINE "\ndata 5\nend\nclosed NORMAL 0\n");
    h2_user_release(&call, H2_CANCEL);
    pair_close(&pair);
}

static void a_large_message_goes_through_and_back(void **state)
{
    enum { LEN = 500000 };
    static uint8_t data[LEN];
    struct pair pair;
    struct h2_user call;
    (void)state;

    for (size_t i = 0; i < LEN; i++)
        data[i] = (uint8_t)(i >> 3);
    pair_open(&pair);
    assert_int_equal(h2_user_open(&call, &pair.client, false), 0);
    call.consumes = true;
    h2_user_send(&call, data, LEN, true);
    h2_side_join(&pair.client, &pair.server);
    struct h2_user *handler = pair.server.users;
    assert_int_equal(handler->received.len, LEN);
    assert_memory_equal(handler->received.data, data, LEN);
    h2_user_send(handler, data, LEN, false);
    h2_user_answer(handler);
    h2_side_join(&pair.client, &pair.server);
    assert_int_equal(call.received.len, LEN);
    assert_int_equal(call.end, H2_END_NORMAL);
    h2_user_release(&call, H2_CANCEL);
    pair_close(&pair);
}

static void a_cancelled_call_is_reset(void **state)
{
    struct pair pair;
    struct h2_user call;
    (void)state;

    pair_open(&pair);
    assert_int_equal(h2_user_open(&call, &pair.client, false), 0);
    h2_side_join(&pair.client, &pair.server);
    h2_user_release(&call, H2_CANCEL);
    h2_side_join(&pair.client, &pair.server);
    assert_string_equal(pair.server.users->log, H2_REQUEST_LINE "\nclosed RESET 8\n");
    pair_close(&pair);
}

static void the_limits_are_the_connections(void **state)
{
    struct pair pair;
    struct h2_user calls[4];
    struct h2_hold holds[3] = {{.connection = NULL}};
    (void)state;

    pair_open(&pair);
    for (int i = 0; i < 3; i++)
        assert_int_equal(h2_user_open(&calls[i], &pair.client, true), 0);
    assert_int_equal(h2_user_open(&calls[3], &pair.client, true), -EAGAIN);
    h2_side_join(&pair.client, &pair.server);
    h2_user_answer(pair.server.users);
    h2_side_join(&pair.client, &pair.server);
    assert_int_equal(pair.client.capacity_count, 1);
    for (int i = 0; i < 3; i++)
        pgrpc__h2_connection_hold(pair.server.connection, &holds[i]);
    assert_int_equal(h2_user_open(&calls[3], &pair.client, true), 0);
    h2_side_join(&pair.client, &pair.server);
    assert_string_equal(calls[3].log, "closed REFUSED 7\n");
    for (int i = 0; i < 3; i++)
        pgrpc__h2_connection_unhold(&holds[i]);
    for (int i = 0; i < 4; i++)
        h2_user_release(&calls[i], H2_CANCEL);
    pair_close(&pair);
}

static void draining_works_the_same(void **state)
{
    struct pair pair;
    struct h2_user call;
    (void)state;

    pair_open(&pair);
    assert_int_equal(h2_user_open(&call, &pair.client, true), 0);
    h2_side_join(&pair.client, &pair.server);
    pgrpc__h2_connection_drain(pair.server.connection, "max_age");
    h2_side_join(&pair.client, &pair.server);
    assert_string_equal(pair.client.log, "ready\ndraining 0 \n");
    assert_false(call.has_closed);
    h2_user_answer(pair.server.users);
    h2_side_join(&pair.client, &pair.server);
    assert_int_equal(call.end, H2_END_NORMAL);
    assert_string_equal(pair.server.log, "ready\nclosed connection was drained\n");
    h2_side_join(&pair.client, &pair.server);
    assert_string_equal(pair.client.log, "ready\ndraining 0 \nclosed connection was drained\n");
    h2_user_release(&call, H2_CANCEL);
    pair_close(&pair);
}

static void what_is_no_frame_ends_the_connection(void **state)
{
    struct pair pair;
    (void)state;

    pair_open(&pair);
    assert_true(h2_side_receive(&pair.client, "HTTP/1.1 400 Bad Request\r\n\r\n", 28) < 0);
    assert_string_equal(pair.client.log, "ready\nclosed the server broke the HTTP/2 protocol: not "
                                         "the toy protocol\n");
    pair_close(&pair);
}

static void a_client_leaves_before_its_ids_are_used_up(void **state)
{
    struct pair pair;
    struct h2_user calls[3];
    (void)state;

    fake_engine_first_id = 0x5fffffff;
    pair_open(&pair);
    fake_engine_first_id = 1;
    assert_int_equal(h2_user_open(&calls[0], &pair.client, true), 0);
    h2_side_join(&pair.client, &pair.server);
    assert_string_equal(pair.client.log, "ready\n");
    assert_int_equal(h2_user_open(&calls[1], &pair.client, true), 0);
    assert_int_equal(h2_user_open(&calls[2], &pair.client, true), -EPIPE);
    h2_side_join(&pair.client, &pair.server);
    assert_string_equal(pair.client.log, "ready\ndraining 0 stream ids are used up\n");
    assert_int_equal(pair.server.user_count, 2);
    for (struct h2_user *user = pair.server.users; user; user = user->next)
        h2_user_answer(user);
    h2_side_join(&pair.client, &pair.server);
    assert_int_equal(calls[0].end, H2_END_NORMAL);
    assert_int_equal(calls[1].end, H2_END_NORMAL);
    assert_string_equal(
        pair.client.log,
        "ready\ndraining 0 stream ids are used up\nclosed connection was drained\n");
    h2_user_release(&calls[0], H2_CANCEL);
    h2_user_release(&calls[1], H2_CANCEL);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_through),
        cmocka_unit_test(a_large_message_goes_through_and_back),
        cmocka_unit_test(a_cancelled_call_is_reset),
        cmocka_unit_test(the_limits_are_the_connections),
        cmocka_unit_test(draining_works_the_same),
        cmocka_unit_test(what_is_no_frame_ends_the_connection),
        cmocka_unit_test(a_client_leaves_before_its_ids_are_used_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
