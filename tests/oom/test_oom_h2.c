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

/* A head with |count| fields beside the usual ones. */
static void long_head(struct raw *raw, uint32_t id, const char *start, int count, size_t value_len)
{
    struct raw block = {0};
    char value[2001];
    memset(value, 'v', value_len);
    value[value_len] = '\0';
    raw_block(&block, start);
    for (int i = 0; i < count; i++)
        raw_field(&block, "name", value);
    raw_frame(raw, RAW_HEADERS, RAW_END_HEADERS, id, block.data, block.len);
    raw_clear(&block);
}

/* What a server has to do with for frames of every kind. */
static void server_script(struct h2_side *server)
{
    static struct header_field fields[60];
    struct raw raw = {0};

    raw_magic(&raw);
    raw_settings(&raw, 4, 100, 0);
    long_head(&raw, 1, RAW_REQUEST_FIELDS, 100, 20); /* fields and text grow */
    long_head(&raw, 3, RAW_REQUEST_FIELDS, 9, 2000); /* over the limit */
    raw_request(&raw, 0, 5);
    raw_headers(&raw, RAW_END_STREAM, 5, "Bad=x");
    raw_headers(&raw, 0, 7, RAW_REQUEST_FIELDS "|content-length=1");
    raw_data(&raw, RAW_END_STREAM, 7, "abc", 3);
    for (uint32_t id = 9; id < 39; id += 2) /* the table of streams grows */
        raw_request(&raw, 0, id);
    h2_side_get(server, &raw);
    server->refuses = true;
    raw_request(&raw, 0, 39);
    h2_side_get(server, &raw);
    fields[0] = (struct header_field){":status", "200", 7, 3, false};
    for (int i = 1; i < 60; i++)
        fields[i] = (struct header_field){"name", "value", 4, 5, false};
    for (struct h2_user *user = server->users; user; user = user->next) {
        if (pgrpc__h2_stream_respond(&user->stream, fields, 60, false) == 0) {
            h2_user_send(user, data, 100, false);
            h2_side_take(server);
            h2_user_finish(user); /* the window is closed: the trailers go alone */
        }
    }
    h2_side_take(server);
    raw_request(&raw, 0, 3); /* ended before */
    h2_side_get(server, &raw);
    h2_side_take(server);
}

/* The same for a client. */
static void client_script(struct h2_side *client)
{
    struct h2_user calls[3];
    bool opened[3];
    struct raw raw = {0};

    for (int i = 0; i < 3; i++) {
        opened[i] = h2_user_open(&calls[i], client, false) == 0;
        if (opened[i])
            h2_user_send(&calls[i], data, 70000, true);
    }
    h2_side_take(client);
    raw_settings(&raw, 3, 50, 0);
    for (int i = 0; i < 9; i++)
        raw_headers(&raw, 0, 1, ":status=103");
    long_head(&raw, 3, H2_RESPONSE_FIELDS, 100, 20);
    raw_data(&raw, 0, 3, data, 10000);
    raw_window_update(&raw, 0, 100000);
    raw_window_update(&raw, 5, 0x7fffffff);
    h2_side_get(client, &raw);
    h2_side_take(client);
    for (int i = 0; i < 3; i++) {
        if (opened[i])
            h2_user_release(&calls[i], H2_CANCEL);
    }
    h2_side_take(client);
    pgrpc__h2_connection_abort(client->connection, H2_NO_ERROR, "done");
    h2_side_take(client);
}

static void every_allocation_of_a_script_fails_once(bool is_server,
                                                    void (*script)(struct h2_side *side))
{
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct h2_side side;
        faulty_allocator_init(&faulty, n);
        int error = h2_side_init(&side, is_server, NULL, &faulty.hook);
        bool has_failed = faulty_allocator_has_failed(&faulty);
        assert_int_equal(error != 0, has_failed);
        if (!error)
            script(&side);
        has_failed = faulty_allocator_has_failed(&faulty);
        h2_side_clear(&side);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!has_failed) {
            print_message("%zu allocations\n", n - 1);
            break;
        }
    }
}

static void the_servers_allocations_fail_over_a_script(void **state)
{
    (void)state;
    every_allocation_of_a_script_fails_once(true, server_script);
}

static void the_clients_allocations_fail_over_a_script(void **state)
{
    (void)state;
    every_allocation_of_a_script_fails_once(false, client_script);
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

/* The engine goes on with what it was given: it must not know of a stream that is gone. */
static void what_follows_a_failure_does_not_touch_what_was_given_back(void **state)
{
    struct faulty_allocator faulty;
    struct h2_side server;
    struct raw raw = {0};
    struct h2_stream gone;
    (void)state;

    faulty_allocator_init(&faulty, 0);
    assert_int_equal(h2_side_init(&server, true, NULL, &faulty.hook), 0);
    raw_magic(&raw);
    raw_settings(&raw, 0);
    raw_settings_ack(&raw);
    raw_request(&raw, 0, 1);
    raw_request(&raw, 0, 3);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    h2_side_take(&server);
    struct h2_user *user = server.users->next;
    user->releases = true; /* and fills it with 0xee */

    faulty.fail_at = faulty_allocator_count(&faulty) + 1;
    faulty.keeps_failing = true;
    for (int i = 0; i < 3; i++) /* credit for these cannot be announced */
        raw_data(&raw, 0, 1, data, 16000);
    raw_rst(&raw, 3, H2_CANCEL);
    assert_true(h2_side_get(&server, &raw) < 0);
    assert_true(user->has_closed);
    memset(&gone, 0xee, sizeof(gone));
    gone.connection = NULL;
    assert_memory_equal(&user->stream, &gone, sizeof(gone));
    faulty.fail_at = 0;
    faulty.keeps_failing = false;
    h2_side_clear(&server);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_a_failure_does_not_touch_what_was_given_back),
        cmocka_unit_test(the_clients_allocations_fail),
        cmocka_unit_test(the_servers_allocations_fail),
        cmocka_unit_test(the_servers_allocations_fail_over_a_script),
        cmocka_unit_test(the_clients_allocations_fail_over_a_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
