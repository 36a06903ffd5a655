/* A connection whose allocations fail, one after the other: whatever fails, both sides come to an
 * end, every stream hears of it, and nothing is left. */
#include "../support/unit.h"
#include "../support/faulty_allocator.h"
#include "../support/h2_side.h"

#include <stdlib.h>

enum { DATA_LEN = 200000 };

static uint8_t data[DATA_LEN];

static void handle_requests(struct h2_side *server)
{
    for (struct h2_user *user = server->users; user; user = user->next) {
        if (user->output_end || user->has_closed)
            continue;
        if (h2_user_respond(user, false) == 0) {
            h2_user_send(user, data, DATA_LEN, false);
            h2_user_finish(user);
        }
    }
}

/* Handshake, three calls with data both ways, one cancelled, one large head, drain. */
static void scenario(struct h2_side *client, struct h2_side *server)
{
    struct h2_user calls[3];
    struct raw raw = {0};
    int opened[3];

    for (int i = 0; i < 3; i++) {
        opened[i] = h2_user_open(&calls[i], client, false);
        calls[i].consumes = true;
        if (opened[i] == 0)
            h2_user_send(&calls[i], data, DATA_LEN, true);
    }
    h2_side_join(client, server);
    handle_requests(server);
    if (opened[2] == 0)
        pgrpc__h2_stream_release(&calls[2].stream, H2_CANCEL);
    h2_side_join(client, server);
    pgrpc__h2_connection_drain(server->connection, "max_age");
    h2_side_join(client, server);
    /* Hand-made: pings, an unknown frame, a reset. */
    raw_ping(&raw, 0, "12345678");
    raw_frame(&raw, 0xfa, 0, 0, "x", 1);
    raw_rst(&raw, 1, H2_CANCEL);
    raw_goaway(&raw, 0, H2_NO_ERROR, "bye");
    h2_side_get(client, &raw);
    h2_side_join(client, server);
    h2_side_pass(server, 5000);
    h2_side_join(client, server);
    for (int i = 0; i < 3; i++) {
        if (opened[i] == 0 && i != 2 && !calls[i].has_closed &&
            !pgrpc__h2_connection_is_over(client->connection))
            pgrpc__h2_connection_lost(client->connection, "test is over");
        assert_true(opened[i] != 0 || i == 2 || calls[i].has_closed);
        h2_user_release(&calls[i], H2_CANCEL);
    }
}

static void every_allocation_fails_once(bool is_server)
{
    size_t n = 1;
    for (;; n++) {
        struct faulty_allocator faulty;
        struct h2_side client, server;
        faulty_allocator_init(&faulty, n);
        int server_error = h2_side_init(&server, true, NULL, is_server ? &faulty.hook : NULL);
        int client_error = h2_side_init(&client, false, NULL, is_server ? NULL : &faulty.hook);
        if (server_error == 0 && client_error == 0)
            scenario(&client, &server);
        bool has_failed = faulty_allocator_has_failed(&faulty);
        if (server_error || client_error)
            assert_true(has_failed);
        if (!has_failed)
            assert_string_equal(client.log, "ready\ndraining 0 \nclosed connection was drained\n");
        h2_side_clear(&client);
        h2_side_clear(&server);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!has_failed)
            break;
    }
    print_message("%zu allocations\n", n - 1);
    assert_true(n > 20);
}

static void the_clients_allocations_fail(void **state)
{
    (void)state;
    every_allocation_fails_once(false);
}

static void the_servers_allocations_fail(void **state)
{
    (void)state;
    every_allocation_fails_once(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clients_allocations_fail),
        cmocka_unit_test(the_servers_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
