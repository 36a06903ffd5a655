/* How streams and connections end, and what limits their number. */
#include "../support/unit.h"
#include "../support/faulty_allocator.h"
#include "../support/h2_side.h"

/* --- ends of streams ------------------------------------------------------------------------- */

static void rule_47_resets_are_reported_with_their_code(void **state)
{
    struct h2_side client;
    (void)state;

    h2_side_start(&client, false, NULL);
    for (uint32_t code = 0; code < 20; code++) {
        struct h2_user call;
        struct raw raw = {0};
        assert_int_equal(h2_user_open(&call, &client, true), 0);
        h2_side_take(&client);
        raw_rst(&raw, 2 * code + 1, code);
        assert_int_equal(h2_side_get(&client, &raw), 0);
        assert_true(call.has_closed);
        assert_int_equal(call.code, code);
        assert_int_equal(call.end, code == H2_REFUSED_STREAM ? H2_END_REFUSED : H2_END_RESET);
        h2_user_release(&call, H2_CANCEL);
        assert_string_equal(h2_side_take(&client), "");
    }
    h2_side_clear(&client);
}

static void a_reset_reaches_the_handler(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    struct h2_user *user = h2_side_request(&server, 1);
    raw_rst(&raw, 1, H2_CANCEL);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(user->log, H2_REQUEST_LINE " end\nclosed RESET 8\n");
    assert_int_equal(h2_user_respond(user, false), -EPIPE);
    h2_user_finish(user);
    h2_user_release(user, H2_CANCEL);
    assert_string_equal(h2_side_take(&server), "");
    h2_side_clear(&server);
}

static void a_released_stream_is_reset_and_heard_of_no_more(void **state)
{
    struct h2_side client;
    struct h2_user call;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&call, &client, false), 0);
    h2_side_take(&client);
    h2_user_release(&call, H2_CANCEL);
    assert_int_equal(pgrpc__h2_connection_stream_count(client.connection), 0);
    assert_null(call.stream.connection);
    raw_headers(&raw, 0, 1, H2_RESPONSE_FIELDS);
    raw_data(&raw, 0, 1, "late", 4);
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(h2_side_take(&client), "RST_STREAM 1 8\n");
    raw_data(&raw, 0, 1, "later", 5);
    raw_headers(&raw, RAW_END_STREAM, 1, "grpc-status=0");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(call.log, "");
    assert_string_equal(h2_side_take(&client), "");
    /* All of it is harmless afterwards. */
    pgrpc__h2_stream_release(&call.stream, H2_CANCEL);
    pgrpc__h2_stream_resume(&call.stream);
    pgrpc__h2_stream_consume(&call.stream, 10);
    pgrpc__h2_stream_expect(&call.stream, 10);
    assert_int_equal(h2_user_respond(&call, true), -EPIPE);
    h2_side_clear(&client);
}

static void a_stream_that_was_never_sent_leaves_no_trace(void **state)
{
    struct h2_side client;
    struct h2_user call, other;
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&call, &client, false), 0);
    h2_user_release(&call, H2_CANCEL);
    assert_string_equal(h2_side_take(&client), "");
    assert_int_equal(h2_user_open(&other, &client, true), 0);
    assert_true(strncmp(h2_side_take(&client), "HEADERS 3 END_STREAM", 20) == 0);
    h2_user_release(&other, H2_CANCEL);
    h2_side_clear(&client);
}

static void rule_51_a_lost_connection_ends_every_stream(void **state)
{
    struct h2_side client, server;
    struct h2_user sent, unsent;
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&sent, &client, true), 0);
    h2_side_take(&client);
    assert_int_equal(h2_user_open(&unsent, &client, true), 0);
    pgrpc__h2_connection_lost(client.connection, "connection reset by peer");
    assert_string_equal(sent.log, "closed LOST 0\n");
    assert_string_equal(unsent.log, "closed UNSENT 0\n");
    assert_string_equal(client.log, "ready\nclosed connection reset by peer\n");
    assert_string_equal(pgrpc__h2_connection_close_text(client.connection),
                        "connection reset by peer");
    struct h2_user more;
    assert_int_equal(h2_user_open(&more, &client, true), -EPIPE);
    h2_user_release(&sent, H2_CANCEL);
    h2_user_release(&unsent, H2_CANCEL);
    h2_side_clear(&client);

    h2_side_start(&server, true, NULL);
    struct h2_user *user = h2_side_request(&server, 1);
    pgrpc__h2_connection_lost(server.connection, "gone");
    assert_string_equal(user->log, H2_REQUEST_LINE " end\nclosed LOST 0\n");
    h2_side_clear(&server);
}

static void rule_53_what_the_socket_never_took_is_unsent(void **state)
{
    struct h2_side client;
    struct h2_user calls[3];
    size_t starts[4];
    (void)state;

    /* Where each head begins in what is written. */
    for (size_t untaken = 0; untaken < 200; untaken++) {
        h2_side_start(&client, false, NULL);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(h2_user_open(&calls[i], &client, true), 0);
            starts[i] = client.outq.bytes;
            pgrpc__h2_connection_output(client.connection, &client.outq, 1 << 20);
        }
        starts[3] = client.outq.bytes;
        assert_true(untaken <= starts[3]);
        size_t taken = starts[3] - untaken;
        pgrpc__h2_connection_untaken(client.connection, untaken);
        pgrpc__h2_connection_lost(client.connection, "gone");
        for (int i = 0; i < 3; i++) {
            assert_int_equal(calls[i].end, taken <= starts[i] ? H2_END_UNSENT : H2_END_LOST);
            h2_user_release(&calls[i], H2_CANCEL);
        }
        h2_side_clear(&client);
        if (taken == 0)
            break;
    }
}

static void streams_outlive_their_connection(void **state)
{
    struct h2_side client;
    struct h2_user open, closed;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&open, &client, false), 0);
    assert_int_equal(h2_user_open(&closed, &client, false), 0);
    h2_side_take(&client);
    raw_headers(&raw, 0, 3, H2_RESPONSE_FIELDS);
    raw_data(&raw, 0, 3, "data", 4);
    raw_rst(&raw, 3, H2_CANCEL);
    assert_int_equal(h2_side_get(&client, &raw), 0);
    pgrpc__h2_connection_free(client.connection);
    client.connection = NULL;
    assert_string_equal(open.log, "closed LOST 0\n");
    assert_string_equal(client.log, "ready\n");
    pgrpc__h2_stream_consume(&closed.stream, 4);
    h2_user_release(&open, H2_CANCEL);
    h2_user_release(&closed, H2_CANCEL);
    h2_side_clear(&client);
}

/* Whoever frees a stream as soon as it is over is not heard of by the connection again. */
static void a_stream_may_be_given_back_from_its_last_event(void **state)
{
    struct h2_side client, server;
    struct h2_user calls[7];
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(h2_user_open(&calls[i], &client, i == 2 || i == 3), 0);
        calls[i].releases = true;
    }
    h2_side_take(&client);
    raw_rst(&raw, 1, H2_CANCEL);
    raw_headers(&raw, 0, 3, "bad=head");
    raw_headers(&raw, RAW_END_STREAM, 5, H2_RESPONSE_FIELDS "|grpc-status=0");
    raw_headers(&raw, 0, 7, H2_RESPONSE_FIELDS "|content-length=1");
    raw_data(&raw, RAW_END_STREAM, 7, "abc", 3);
    raw_goaway(&raw, 9, H2_NO_ERROR, "");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    h2_side_take(&client);
    static const char *const ends[] = {"closed RESET 8\n",
                                       "closed VIOLATION 1\n",
                                       "closed NORMAL 0\n",
                                       "closed VIOLATION 1\n",
                                       "",
                                       "closed REFUSED 7\n"};
    for (int i = 0; i < 6; i++)
        assert_non_null(strstr(calls[i].log, ends[i]));
    pgrpc__h2_connection_abort(client.connection, H2_NO_ERROR, "");
    h2_side_take(&client);
    assert_string_equal(calls[4].log, "closed LOST 0\n");
    for (int i = 0; i < 6; i++)
        raw_clear(&calls[i].received);
    h2_side_clear(&client);

    h2_side_start(&server, true, NULL);
    server.releases = true;
    struct h2_user *first = h2_side_request(&server, 1);
    raw_request(&raw, 0, 3);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    h2_user_answer(first);
    h2_user_answer(first->next);
    h2_side_take(&server);
    raw_request(&raw, 0, 5);
    raw_headers(&raw, RAW_END_STREAM, 5, "Bad=x");
    raw_request(&raw, 0, 7);
    raw_rst(&raw, 7, H2_CANCEL);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    h2_side_take(&server);
    for (struct h2_user *user = server.users; user; user = user->next)
        assert_true(user->has_closed);
    assert_int_equal(pgrpc__h2_connection_stream_count(server.connection), 0);
    h2_side_clear(&server);
}

/* --- GOAWAY ---------------------------------------------------------------------------------- */

static void rule_52_streams_above_the_last_id_were_not_processed(void **state)
{
    struct h2_side client;
    struct h2_user calls[3], more;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(h2_user_open(&calls[i], &client, true), 0);
    h2_side_take(&client);
    assert_int_equal(h2_user_open(&more, &client, true), 0);
    raw_goaway(&raw, 3, H2_NO_ERROR, "max_age");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(client.log, "ready\ndraining 0 max_age\n");
    assert_string_equal(calls[2].log, "closed REFUSED 7\n");
    assert_false(calls[0].has_closed || calls[1].has_closed);
    assert_string_equal(h2_side_take(&client), "");
    assert_string_equal(more.log, "closed UNSENT 7\n");
    h2_user_release(&more, H2_CANCEL);
    assert_int_equal(h2_user_open(&more, &client, true), -EPIPE);
    assert_int_equal(pgrpc__h2_connection_streams_available(client.connection), 0);
    assert_true(pgrpc__h2_connection_is_draining(client.connection));
    raw_headers(&raw, RAW_END_STREAM, 1, H2_RESPONSE_FIELDS "|grpc-status=0");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(calls[0].log, "RESPONSE :status=200 content-type=application/grpc "
                                      "grpc-status=0 end\nclosed NORMAL 0\n");
    assert_string_equal(client.log, "ready\ndraining 0 max_age\n");
    raw_headers(&raw, RAW_END_STREAM, 3, H2_RESPONSE_FIELDS "|grpc-status=0");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(client.log, "ready\ndraining 0 max_age\nclosed connection was drained\n");
    assert_true(pgrpc__h2_connection_is_finished(client.connection));
    for (int i = 0; i < 3; i++)
        h2_user_release(&calls[i], H2_CANCEL);
    h2_side_clear(&client);
}

static void rule_52_a_later_goaway_may_lower_the_id_and_not_raise_it(void **state)
{
    struct h2_side client;
    struct h2_user calls[2];
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(h2_user_open(&calls[i], &client, true), 0);
    h2_side_take(&client);
    raw_goaway(&raw, INT32_MAX, H2_NO_ERROR, "");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(client.log, "ready\ndraining 0 \n");
    raw_goaway(&raw, 1, H2_NO_ERROR, "");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_string_equal(calls[1].log, "closed REFUSED 7\n");
    assert_false(calls[0].has_closed);
    raw_goaway(&raw, 3, H2_NO_ERROR, "");
    h2_side_get(&client, &raw);
    assert_string_equal(h2_side_take(&client),
                        "GOAWAY last=0 code=1 \"GOAWAY: invalid last_stream_id\"\n");
    assert_string_equal(calls[0].log, "closed LOST 0\n");
    h2_user_release(&calls[0], H2_CANCEL);
    h2_user_release(&calls[1], H2_CANCEL);
    h2_side_clear(&client);
}

static void rule_52_a_server_drains_in_two_steps(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    struct h2_user *user = h2_side_request(&server, 1);
    pgrpc__h2_connection_drain(server.connection, "max_age");
    assert_true(server.wants_flush);
    assert_string_equal(h2_side_take(&server),
                        "GOAWAY last=2147483647 code=0 \"\"\nPING draining\n");
    struct h2_user *late = h2_side_request(&server, 3); /* sent before the client knew */
    raw_ping(&raw, RAW_ACK, "draining");
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "GOAWAY last=3 code=0 \"max_age\"\n");
    raw_request(&raw, RAW_END_STREAM, 5);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(server.user_count, 2);
    h2_user_answer(user);
    h2_user_answer(late);
    assert_string_equal(server.log, "ready\n");
    assert_non_null(strstr(h2_side_take(&server), "HEADERS 3 END_STREAM grpc-status=0\n"));
    assert_string_equal(server.log, "ready\nclosed connection was drained\n");
    assert_true(pgrpc__h2_connection_is_finished(server.connection));
    h2_side_clear(&server);
}

static void rule_52_what_comes_with_the_answer_is_not_processed(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    h2_side_request(&server, 1);
    pgrpc__h2_connection_drain(server.connection, "bye");
    h2_side_take(&server);
    raw_request(&raw, RAW_END_STREAM, 3);
    raw_ping(&raw, RAW_ACK, "draining");
    raw_request(&raw, RAW_END_STREAM, 5);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(server.user_count, 2);
    assert_string_equal(h2_side_take(&server), "GOAWAY last=3 code=0 \"bye\"\nRST_STREAM 5 7\n");
    assert_false(server.users->has_closed);
    assert_false(server.users->next->has_closed);
    h2_side_clear(&server);
}

static void rule_52_the_second_step_comes_by_time_when_the_ping_is_not_answered(void **state)
{
    struct h2_side server;
    (void)state;

    h2_side_start(&server, true, NULL);
    struct h2_user *user = h2_side_request(&server, 1);
    pgrpc__h2_connection_drain(server.connection, "bye");
    h2_side_take(&server);
    assert_int_equal(h2_side_pass(&server, 0), 1005000);
    h2_side_pass(&server, 4999);
    assert_string_equal(h2_side_take(&server), "");
    h2_side_pass(&server, 1);
    assert_string_equal(h2_side_take(&server), "GOAWAY last=1 code=0 \"bye\"\n");
    pgrpc__h2_connection_drain(server.connection, "again");
    assert_string_equal(h2_side_take(&server), "");
    h2_user_answer(user);
    h2_side_take(&server);
    assert_true(pgrpc__h2_connection_is_finished(server.connection));
    h2_side_clear(&server);
}

static void a_drain_waits_for_held_handlers(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    struct h2_hold hold = {.connection = NULL};
    (void)state;

    h2_side_start(&server, true, NULL);
    h2_side_request(&server, 1);
    raw_rst(&raw, 1, H2_CANCEL);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    pgrpc__h2_connection_hold(server.connection, &hold);
    pgrpc__h2_connection_drain(server.connection, "bye");
    h2_side_take(&server);
    h2_side_pass(&server, 0);
    h2_side_pass(&server, 5000);
    h2_side_take(&server);
    assert_string_equal(server.log, "ready\n");
    pgrpc__h2_connection_unhold(&hold);
    assert_true(server.wants_flush);
    h2_side_take(&server);
    assert_string_equal(server.log, "ready\nclosed connection was drained\n");
    h2_side_clear(&server);
}

static void a_client_drains_in_one_step(void **state)
{
    struct h2_side client;
    struct h2_user call, more;
    (void)state;

    h2_side_start(&client, false, NULL);
    assert_int_equal(h2_user_open(&call, &client, true), 0);
    h2_side_take(&client);
    pgrpc__h2_connection_drain(client.connection, "idle");
    assert_int_equal(h2_user_open(&more, &client, true), -EPIPE);
    assert_string_equal(h2_side_take(&client), "GOAWAY last=0 code=0 \"idle\"\n");
    assert_string_equal(client.log, "ready\n");
    h2_user_release(&call, H2_CANCEL);
    assert_string_equal(h2_side_take(&client), "RST_STREAM 1 8\n");
    assert_string_equal(client.log, "ready\nclosed connection was drained\n");
    h2_side_clear(&client);
}

static void an_abort_cuts_everything(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    struct h2_user *user = h2_side_request(&server, 1);
    assert_int_equal(h2_user_respond(user, false), 0);
    h2_user_send(user, "never sent", 10, false);
    pgrpc__h2_connection_abort(server.connection, H2_NO_ERROR, "the server shuts down");
    assert_false(user->has_closed);
    assert_false(pgrpc__h2_connection_wants_input(server.connection));
    assert_string_equal(h2_side_take(&server),
                        "HEADERS 1 :status=200 content-type=application/grpc\n"
                        "GOAWAY last=1 code=0 \"the server shuts down\"\n");
    assert_string_equal(user->log, H2_REQUEST_LINE " end\nclosed LOST 0\n");
    assert_string_equal(server.log, "ready\nclosed connection was closed: the server shuts down\n");
    assert_true(pgrpc__h2_connection_is_finished(server.connection));
    raw_request(&raw, 0, 3);
    assert_true(h2_side_get(&server, &raw) < 0);
    pgrpc__h2_connection_abort(server.connection, H2_NO_ERROR, "again");
    pgrpc__h2_connection_drain(server.connection, "again");
    assert_string_equal(h2_side_take(&server), "");
    h2_side_clear(&server);
}

static void an_abort_follows_a_notice_that_was_not_yet_written(void **state)
{
    struct h2_side server;
    (void)state;

    h2_side_start(&server, true, NULL);
    h2_side_request(&server, 1);
    pgrpc__h2_connection_drain(server.connection, "max_age");
    pgrpc__h2_connection_abort(server.connection, H2_NO_ERROR, "now");
    assert_string_equal(h2_side_take(&server), "GOAWAY last=2147483647 code=0 \"\"\n"
                                               "GOAWAY last=1 code=0 \"now\"\n");
    assert_true(pgrpc__h2_connection_is_finished(server.connection));
    h2_side_clear(&server);
}

static void debug_data_is_made_printable(void **state)
{
    struct h2_side client;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    raw_goaway(&raw, INT32_MAX, H2_ENHANCE_YOUR_CALM, "too_many\x1b[31m\n\xff");
    h2_side_get(&client, &raw);
    assert_string_equal(client.log, "ready\ndraining 11 too_many?[31m??\n"
                                    "closed the server closed the connection: code 11, "
                                    "too_many?[31m??\n");
    h2_side_clear(&client);
}

static void frames_on_streams_that_the_client_has_ended_end_the_connection(void **state)
{
    (void)state;
    for (int variant = 0; variant < 6; variant++) {
        struct h2_side server;
        struct raw raw = {0};
        h2_side_start(&server, true, NULL);
        raw_request(&raw, variant % 2 ? RAW_END_STREAM : 0, 1);
        if (variant % 2 == 0)
            raw_rst(&raw, 1, H2_CANCEL);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        if (variant % 2 && variant < 4)
            h2_user_answer(server.users);
        h2_side_take(&server);
        if (variant / 2 == 0)
            raw_data(&raw, 0, 1, "late", 4);
        else if (variant / 2 == 1)
            raw_headers(&raw, RAW_END_STREAM, 1, "late=x");
        else
            raw_request(&raw, RAW_END_STREAM, 1);
        assert_true(h2_side_get(&server, &raw) < 0);
        assert_string_equal(h2_side_take(&server),
                            "GOAWAY last=1 code=5 \"the stream was ended before\"\n");
        h2_side_clear(&server);
    }
}

static void frames_on_streams_that_we_reset_are_dropped(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    raw_request(&raw, 0, 1);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    pgrpc__h2_stream_release(&server.users->stream, H2_CANCEL);
    assert_string_equal(h2_side_take(&server), "RST_STREAM 1 8\n");
    raw_data(&raw, 0, 1, "late", 4);
    raw_window_update(&raw, 1, 10);
    raw_headers(&raw, RAW_END_STREAM, 1, "late=x");
    raw_rst(&raw, 1, H2_CANCEL);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "");
    h2_side_request(&server, 3);
    h2_side_clear(&server);
}

/* --- limits on streams ----------------------------------------------------------------------- */

static void rule_59_a_client_keeps_to_the_servers_limit(void **state)
{
    struct h2_side client;
    struct h2_user calls[4];
    struct raw raw = {0};
    (void)state;

    h2_side_start(&client, false, NULL);
    raw_settings(&raw, 3, 2, 0);
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_int_equal(pgrpc__h2_connection_streams_available(client.connection), 2);
    assert_int_equal(h2_user_open(&calls[0], &client, true), 0);
    assert_int_equal(h2_user_open(&calls[1], &client, true), 0);
    assert_int_equal(pgrpc__h2_connection_streams_available(client.connection), 0);
    assert_int_equal(h2_user_open(&calls[2], &client, true), -EAGAIN);
    h2_side_take(&client);
    assert_int_equal(client.capacity_count, 0);
    raw_headers(&raw, RAW_END_STREAM, 1, H2_RESPONSE_FIELDS "|grpc-status=0");
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_int_equal(client.capacity_count, 1);
    assert_int_equal(h2_user_open(&calls[2], &client, true), 0);
    assert_int_equal(h2_user_open(&calls[3], &client, true), -EAGAIN);
    raw_settings(&raw, 3, 3, 0);
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_int_equal(client.capacity_count, 2);
    /* A lower limit holds at once, for what comes. */
    raw_settings(&raw, 3, 0, 0);
    assert_int_equal(h2_side_get(&client, &raw), 0);
    assert_int_equal(h2_user_open(&calls[3], &client, true), -EAGAIN);
    assert_false(calls[1].has_closed);
    for (int i = 0; i < 3; i++)
        h2_user_release(&calls[i], H2_CANCEL);
    h2_side_clear(&client);
}

static void rule_59_a_client_assumes_100_before_it_is_told(void **state)
{
    struct h2_side client;
    struct h2_user *calls = test_calloc(101, sizeof(*calls));
    (void)state;

    assert_int_equal(h2_side_init(&client, false, NULL, NULL), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(h2_user_open(&calls[i], &client, true), 0);
    assert_int_equal(h2_user_open(&calls[100], &client, true), -EAGAIN);
    h2_side_take(&client);
    for (int i = 0; i < 100; i++)
        h2_user_release(&calls[i], H2_CANCEL);
    assert_int_equal(client.capacity_count, 0);
    /* The room is there once the resets are written. */
    h2_side_take(&client);
    assert_int_equal(client.capacity_count, 1);
    assert_int_equal(pgrpc__h2_connection_streams_available(client.connection), 100);
    h2_side_clear(&client);
    test_free(calls);
}

static void requests_beyond_the_limit_are_refused_also_before_the_settings_are_acked(void **state)
{
    struct h2_connection_config config;
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_config(&config, true);
    config.max_concurrent_streams = 3;
    assert_int_equal(h2_side_init(&server, true, &config, NULL), 0);
    raw_magic(&raw);
    raw_settings(&raw, 0);
    for (uint32_t id = 1; id <= 9; id += 2)
        raw_request(&raw, RAW_END_STREAM, id);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_int_equal(server.user_count, 3);
    const char *text = h2_side_take(&server);
    assert_non_null(strstr(text, "RST_STREAM 7 7\nRST_STREAM 9 7\n"));
    h2_side_clear(&server);
}

static void handlers_of_cancelled_calls_take_no_place_of_others(void **state)
{
    struct h2_connection_config config;
    struct h2_side server;
    struct raw raw = {0};
    struct h2_hold holds[2] = {{.connection = NULL}};
    (void)state;

    h2_side_config(&config, true);
    config.max_concurrent_streams = 3;
    h2_side_start(&server, true, &config);
    for (uint32_t id = 1; id <= 3; id += 2) {
        h2_side_request(&server, id);
        raw_rst(&raw, id, H2_CANCEL);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        pgrpc__h2_connection_hold(server.connection, &holds[id / 2]);
    }
    /* As many as the client was told. */
    for (uint32_t id = 5; id <= 9; id += 2)
        h2_side_request(&server, id);
    assert_string_equal(h2_side_take(&server), "");
    assert_int_equal(server.user_count, 5);
    for (unsigned i = 0; i < 2; i++)
        pgrpc__h2_connection_unhold(&holds[i]);
    h2_side_clear(&server);
}

static void handlers_of_cancelled_calls_are_counted_until_they_return(void **state)
{
    struct h2_connection_config config;
    struct h2_side server;
    struct raw raw = {0};
    struct h2_hold holds[3] = {{.connection = NULL}};
    (void)state;

    h2_side_config(&config, true);
    config.max_concurrent_streams = 3;
    h2_side_start(&server, true, &config);
    for (uint32_t id = 1; id <= 3; id += 2) {
        h2_side_request(&server, id);
        raw_rst(&raw, id, H2_CANCEL);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        pgrpc__h2_connection_hold(server.connection, &holds[id / 2]);
    }
    assert_true(pgrpc__h2_connection_wants_input(server.connection));
    h2_side_request(&server, 5);
    raw_rst(&raw, 5, H2_CANCEL);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    pgrpc__h2_connection_hold(server.connection, &holds[2]);
    /* As many as may be: no more is read, and what was read is refused. */
    assert_false(pgrpc__h2_connection_wants_input(server.connection));
    raw_request(&raw, RAW_END_STREAM, 7);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "RST_STREAM 7 7\n");
    server.wants_flush = false;
    pgrpc__h2_connection_unhold(&holds[1]);
    assert_true(server.wants_flush);
    assert_true(pgrpc__h2_connection_wants_input(server.connection));
    pgrpc__h2_connection_unhold(&holds[1]);
    pgrpc__h2_connection_unhold(&holds[0]);
    /* The last handler outlives the connection. */
    h2_side_clear(&server);
    assert_null(holds[2].connection);
    pgrpc__h2_connection_unhold(&holds[2]);
}

static void an_owner_may_refuse(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    server.refuses = true;
    raw_request(&raw, 0, 1);
    raw_data(&raw, 0, 1, "abc", 3);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    assert_string_equal(h2_side_take(&server), "RST_STREAM 1 7\n");
    server.refuses = false;
    h2_side_request(&server, 3);
    h2_side_clear(&server);
}

/* The last of too many resets ends the connection, and there is no memory to say so: whoever gives
 * the stream back from inside the event is not told of it again. */
static void a_released_stream_is_not_touched_when_memory_is_short(void **state)
{
    enum { LAST_ID = 999, ALLOCATIONS = 4 };
    (void)state;
    for (size_t nth = 1; nth <= ALLOCATIONS; nth++) {
        struct faulty_allocator faulty;
        struct h2_side server;
        struct raw raw = {0};
        faulty_allocator_init(&faulty, 0);
        assert_int_equal(h2_side_init(&server, true, NULL, &faulty.hook), 0);
        server.releases = true;
        raw_magic(&raw);
        raw_settings(&raw, 0);
        raw_settings_ack(&raw);
        for (uint32_t id = 1; id < LAST_ID; id += 2) {
            raw_request(&raw, 0, id);
            raw_rst(&raw, id, H2_CANCEL);
        }
        raw_request(&raw, 0, LAST_ID);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        h2_side_take(&server);
        faulty.fail_at = faulty_allocator_count(&faulty) + nth;
        raw_rst(&raw, LAST_ID, H2_CANCEL);
        assert_true(h2_side_get(&server, &raw) < 0);
        struct h2_user *user = CONTAINER_OF(server.last_user, struct h2_user, next);
        assert_true(user->has_closed);
        struct h2_stream given_back; /* as the user left it */
        memset(&given_back, 0xee, sizeof(given_back));
        given_back.connection = NULL;
        assert_memory_equal(&user->stream, &given_back, sizeof(given_back));
        h2_side_clear(&server);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
    }
}

static void an_id_that_was_skipped_is_never_used(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    h2_side_start(&server, true, NULL);
    h2_side_request(&server, 1);
    h2_side_request(&server, 9);
    h2_side_request(&server, 11);
    raw_request(&raw, RAW_END_STREAM, 5);
    h2_side_get(&server, &raw);
    assert_string_equal(h2_side_take(&server),
                        "GOAWAY last=11 code=1 \"HEADERS: stream was skipped\"\n");
    h2_side_clear(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_47_resets_are_reported_with_their_code),
        cmocka_unit_test(a_reset_reaches_the_handler),
        cmocka_unit_test(a_released_stream_is_reset_and_heard_of_no_more),
        cmocka_unit_test(a_stream_that_was_never_sent_leaves_no_trace),
        cmocka_unit_test(rule_51_a_lost_connection_ends_every_stream),
        cmocka_unit_test(rule_53_what_the_socket_never_took_is_unsent),
        cmocka_unit_test(streams_outlive_their_connection),
        cmocka_unit_test(a_stream_may_be_given_back_from_its_last_event),
        cmocka_unit_test(frames_on_streams_that_the_client_has_ended_end_the_connection),
        cmocka_unit_test(frames_on_streams_that_we_reset_are_dropped),
        cmocka_unit_test(rule_52_streams_above_the_last_id_were_not_processed),
        cmocka_unit_test(rule_52_a_later_goaway_may_lower_the_id_and_not_raise_it),
        cmocka_unit_test(rule_52_a_server_drains_in_two_steps),
        cmocka_unit_test(rule_52_what_comes_with_the_answer_is_not_processed),
        cmocka_unit_test(rule_52_the_second_step_comes_by_time_when_the_ping_is_not_answered),
        cmocka_unit_test(a_drain_waits_for_held_handlers),
        cmocka_unit_test(a_client_drains_in_one_step),
        cmocka_unit_test(an_abort_cuts_everything),
        cmocka_unit_test(an_abort_follows_a_notice_that_was_not_yet_written),
        cmocka_unit_test(debug_data_is_made_printable),
        cmocka_unit_test(rule_59_a_client_keeps_to_the_servers_limit),
        cmocka_unit_test(rule_59_a_client_assumes_100_before_it_is_told),
        cmocka_unit_test(requests_beyond_the_limit_are_refused_also_before_the_settings_are_acked),
        cmocka_unit_test(handlers_of_cancelled_calls_take_no_place_of_others),
        cmocka_unit_test(handlers_of_cancelled_calls_are_counted_until_they_return),
        cmocka_unit_test(an_owner_may_refuse),
        cmocka_unit_test(a_released_stream_is_not_touched_when_memory_is_short),
        cmocka_unit_test(an_id_that_was_skipped_is_never_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
