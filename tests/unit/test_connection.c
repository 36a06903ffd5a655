#include "../support/unit.h"
#include "../support/h2_side.h"

static void a_call_goes_through_both_sides(void **state)
{
    struct h2_side client, server;
    struct h2_user call;
    (void)state;

    assert_int_equal(h2_side_init(&client, false, NULL, NULL), 0);
    assert_int_equal(h2_side_init(&server, true, NULL, NULL), 0);
    assert_int_equal(h2_user_open(&call, &client, false), 0);
    h2_user_send(&call, "hello", 5, true);
    h2_side_join(&client, &server);
    assert_string_equal(client.log, "ready\n");
    assert_string_equal(server.log, "ready\n");
    assert_int_equal(server.user_count, 1);
    struct h2_user *handler = server.users;
    assert_string_equal(handler->log,
                        "REQUEST :method=POST :scheme=http :path=/test.Echo/Say "
                        ":authority=localhost te=trailers content-type=application/grpc\n"
                        "data 5\nend\n");
    assert_memory_equal(handler->received.data, "hello", 5);

    assert_int_equal(h2_user_respond(handler, false), 0);
    h2_user_send(handler, "answer", 6, false);
    h2_user_finish(handler);
    h2_side_join(&client, &server);
    assert_string_equal(call.log, "RESPONSE :status=200 content-type=application/grpc\n"
                                  "data 6\nTRAILERS grpc-status=0 end\nclosed NORMAL 0\n");
    assert_memory_equal(call.received.data, "answer", 6);
    assert_true(handler->has_closed);
    assert_int_equal(handler->end, H2_END_NORMAL);
    h2_user_release(&call, H2_CANCEL);
    h2_side_clear(&client);
    h2_side_clear(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_through_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
