/*
 * grpc.testing.TestService of interop/, beyond what the interop cases of other clients ask for:
 * what it refuses, and what it does when things come in another order.
 */
#include "../support/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../interop/payload.h"
#include "../../interop/service.h"

struct fixture {
    struct pgrpc_server *server;
    pthread_t thread;
    struct pgrpc_channel *channel;
};

static void *run_server(void *userdata)
{
    struct fixture *fixture = userdata;
    pgrpc_server_run(fixture->server);
    return NULL;
}

static int start(void **state)
{
    static struct fixture fixture;
    const struct pgrpc_server_options options = {.size = sizeof(options),
                                                 .workers = 4,
                                                 .interceptors = &service_echo,
                                                 .interceptor_count = 1};
    char target[32];
    int port;
    assert_int_equal(pgrpc_server_new(&options, &fixture.server, NULL), PGRPC_OK);
    assert_int_equal(Grpc__Testing__TestService_register(fixture.server, &service_handlers, NULL),
                     PGRPC_OK);
    assert_int_equal(
        pgrpc_server_listen(fixture.server, "127.0.0.1:0", pgrpc_credentials_insecure(), &port),
        PGRPC_OK);
    assert_int_equal(pthread_create(&fixture.thread, NULL, run_server, &fixture), 0);
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    assert_int_equal(
        pgrpc_channel_new(target, pgrpc_credentials_insecure(), NULL, &fixture.channel, NULL),
        PGRPC_OK);
    *state = &fixture;
    return 0;
}

static int stop(void **state)
{
    struct fixture *fixture = *state;
    pgrpc_channel_unref(fixture->channel);
    pgrpc_server_shutdown(fixture->server, 200);
    assert_int_equal(pthread_join(fixture->thread, NULL), 0);
    pgrpc_server_free(fixture->server);
    return 0;
}

/* --- calls --------------------------------------------------------------------------------------
 */

static enum pgrpc_code ask(struct pgrpc_channel *channel,
                           const Grpc__Testing__SimpleRequest *request, const char *compression)
{
    const struct pgrpc_call_options options = {.size = sizeof(options), .compression = compression};
    struct pgrpc_result result = {0};
    Grpc__Testing__TestService__unary_call(channel, request, &options, &result);
    enum pgrpc_code code = result.status.code;
    pgrpc_result_clear(&result);
    return code;
}

/* Asks FullDuplexCall for one reply of |size|. */
static void send_duplex(struct pgrpc_call *call, int size, bool is_compressed)
{
    Grpc__Testing__StreamingOutputCallRequest request =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters parameters = GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
    Grpc__Testing__ResponseParameters *list[] = {&parameters};
    Grpc__Testing__BoolValue compressed = GRPC__TESTING__BOOL_VALUE__INIT;
    compressed.value = is_compressed;
    parameters.compressed = &compressed;
    parameters.size = size;
    request.response_parameters = list;
    request.n_response_parameters = 1;
    assert_int_equal(Grpc__Testing__TestService__full_duplex_call__send_request(call, &request),
                     PGRPC_IO_DONE);
}

/* The next reply has |size| bytes, and came as it should. */
static void expect_reply(struct pgrpc_call *call, size_t size, bool is_compressed)
{
    const Grpc__Testing__StreamingOutputCallResponse *reply;
    assert_int_equal(Grpc__Testing__TestService__full_duplex_call__recv_reply(call, &reply),
                     PGRPC_IO_DONE);
    assert_true(payload_is_zeros(reply->payload, size));
    assert_int_equal(pgrpc_call_message_flags(call), is_compressed ? PGRPC_MESSAGE_COMPRESSED : 0);
}

/* --- compression --------------------------------------------------------------------------------
 */

static void a_later_reply_alone_may_be_compressed(void **state)
{
    struct fixture *fixture = *state;
    struct pgrpc_call *call =
        Grpc__Testing__TestService__full_duplex_call__open(fixture->channel, NULL);
    for (int i = 0; i < 4; i++) {
        send_duplex(call, 1000 + i, i % 2);
        expect_reply(call, (size_t)(1000 + i), i % 2);
    }
    pgrpc_call_close_send(call);
    assert_int_equal(pgrpc_call_wait(call)->code, PGRPC_OK);
    pgrpc_call_unref(call);
}

static void a_reply_may_be_compressed_after_headers_that_came_at_once(void **state)
{
    static const struct pgrpc_metadatum header = {"x-grpc-test-echo-initial", "now", 3};
    const struct pgrpc_call_options options = {
        .size = sizeof(options), .metadata = &header, .metadata_count = 1};
    struct fixture *fixture = *state;
    struct pgrpc_call *call =
        Grpc__Testing__TestService__full_duplex_call__open(fixture->channel, &options);
    send_duplex(call, 1000, true);
    expect_reply(call, 1000, true);
    pgrpc_call_close_send(call);
    assert_int_equal(pgrpc_call_wait(call)->code, PGRPC_OK);
    pgrpc_call_unref(call);
}

static void a_request_that_came_otherwise_is_refused(void **state)
{
    struct fixture *fixture = *state;
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = payload_zeros(1000);
    Grpc__Testing__BoolValue expected = GRPC__TESTING__BOOL_VALUE__INIT;
    request.payload = &payload;
    request.expect_compressed = &expected;
    assert_int_equal(ask(fixture->channel, &request, NULL), PGRPC_OK);
    assert_int_equal(ask(fixture->channel, &request, "gzip"), PGRPC_INVALID_ARGUMENT);
    expected.value = true;
    assert_int_equal(ask(fixture->channel, &request, NULL), PGRPC_INVALID_ARGUMENT);
    assert_int_equal(ask(fixture->channel, &request, "gzip"), PGRPC_OK);
}

/* --- what is refused ----------------------------------------------------------------------------
 */

static void replies_that_do_not_exist_are_refused(void **state)
{
    struct fixture *fixture = *state;
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    static const int sizes[] = {-1, PAYLOAD_MAX + 1};
    for (size_t i = 0; i < 2; i++) {
        request.response_size = sizes[i];
        assert_int_equal(ask(fixture->channel, &request, NULL), PGRPC_INVALID_ARGUMENT);
        struct pgrpc_call *call =
            Grpc__Testing__TestService__full_duplex_call__open(fixture->channel, NULL);
        send_duplex(call, sizes[i], false);
        assert_int_equal(pgrpc_call_wait(call)->code, PGRPC_INVALID_ARGUMENT);
        pgrpc_call_unref(call);
    }
    request.response_size = 0;
    request.response_type = (Grpc__Testing__PayloadType)7;
    assert_int_equal(ask(fixture->channel, &request, NULL), PGRPC_INVALID_ARGUMENT);
}

/* --- echoes -------------------------------------------------------------------------------------
 */

static void a_status_comes_back_whole(void **state)
{
    enum { LEN = 4000 };
    static char text[LEN + 1];
    struct fixture *fixture = *state;
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__EchoStatus asked = GRPC__TESTING__ECHO_STATUS__INIT;
    struct pgrpc_result result = {0};
    memset(text, 'x', LEN);
    asked.code = PGRPC_DATA_LOSS;
    asked.message = text;
    request.response_status = &asked;
    /* Nothing else is looked at. */
    request.response_size = -1;
    Grpc__Testing__TestService__unary_call(fixture->channel, &request, NULL, &result);
    assert_int_equal(result.status.code, PGRPC_DATA_LOSS);
    assert_string_equal(result.status.message, text);
    pgrpc_result_clear(&result);
    /* The library sends no codes that there are not. */
    static const int codes[] = {17, -1};
    for (size_t i = 0; i < 2; i++) {
        asked.code = codes[i];
        assert_int_equal(ask(fixture->channel, &request, NULL), PGRPC_UNKNOWN);
    }
}

static void metadata_of_a_method_without_payload_come_back(void **state)
{
    static const struct pgrpc_metadatum sent[] = {{"x-grpc-test-echo-initial", "a", 1},
                                                  {"x-grpc-test-echo-trailing-bin", "\xab", 1}};
    const struct pgrpc_call_options options = {
        .size = sizeof(options), .metadata = sent, .metadata_count = 2};
    const Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    struct fixture *fixture = *state;
    struct pgrpc_result result = {0};
    Grpc__Testing__TestService__empty_call(fixture->channel, &request, &options, &result);
    assert_int_equal(result.status.code, PGRPC_OK);
    assert_non_null(pgrpc_metadata_find(result.headers, sent[0].key));
    assert_null(pgrpc_metadata_find(result.trailers, sent[0].key));
    const struct pgrpc_metadatum *trailing = pgrpc_metadata_find(result.trailers, sent[1].key);
    assert_non_null(trailing);
    assert_int_equal(trailing->len, 1);
    assert_memory_equal(trailing->value, "\xab", 1);
    pgrpc_result_clear(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_later_reply_alone_may_be_compressed),
        cmocka_unit_test(a_reply_may_be_compressed_after_headers_that_came_at_once),
        cmocka_unit_test(a_request_that_came_otherwise_is_refused),
        cmocka_unit_test(replies_that_do_not_exist_are_refused),
        cmocka_unit_test(a_status_comes_back_whole),
        cmocka_unit_test(metadata_of_a_method_without_payload_come_back),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
