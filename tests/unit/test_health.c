#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/socket.h>

#include "../support/served.h"
#include "services/proto/health.pb-c.h"
#include "../support/unit.h"

/* --- a client -----------------------------------------------------------------------------------
 */

static const struct pgrpc_method check_method = {
    .path = "/grpc.health.v1.Health/Check",
    .request_type = &pgrpc__bundled__health_check_request__descriptor,
    .reply_type = &pgrpc__bundled__health_check_response__descriptor,
};
static const struct pgrpc_method list_method = {
    .path = "/grpc.health.v1.Health/List",
    .request_type = &pgrpc__bundled__health_list_request__descriptor,
    .reply_type = &pgrpc__bundled__health_list_response__descriptor,
};
static const struct pgrpc_method watch_method = {
    .path = "/grpc.health.v1.Health/Watch",
    .flags = PGRPC_METHOD_SERVER_STREAMING,
    .request_type = &pgrpc__bundled__health_check_request__descriptor,
    .reply_type = &pgrpc__bundled__health_check_response__descriptor,
};

static const char *name_of(unsigned status)
{
    static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    return status < 4 ? names[status] : "?";
}

static void note_status(struct served_call *call, const void *reply)
{
    const Pgrpc__Bundled__HealthCheckResponse *response = reply;
    served_note(call, "%s\n", name_of(response->status));
}

static void note_list(struct served_call *call, const void *reply)
{
    const Pgrpc__Bundled__HealthListResponse *response = reply;
    /* A map has no order; the tests want one. */
    for (unsigned pass = 0; pass < 10; pass++)
        for (size_t i = 0; i < response->n_statuses && response->n_statuses < 10; i++)
            if (strlen(response->statuses[i]->key) == pass)
                served_note(call, "\"%s\" %s\n", response->statuses[i]->key,
                            name_of(response->statuses[i]->value->status));
    served_note(call, "%zu\n", response->n_statuses);
}

static bool start(struct served *served, struct served_call *call,
                  const struct pgrpc_method *method, const char *service)
{
    Pgrpc__Bundled__HealthCheckRequest request = PGRPC__BUNDLED__HEALTH_CHECK_REQUEST__INIT;
    request.service = service;
    return served_call(served, call, method, &request, note_status);
}

struct fixture {
    struct served served;
    struct pgrpc_health *health;
    struct served_call call;
    struct served_call other;
};

static void begin_with(struct fixture *fixture, const struct pgrpc_server_options *server_options,
                       const struct pgrpc_channel_options *channel_options)
{
    memset(fixture, 0, sizeof(*fixture));
    assert_true(served_init(&fixture->served, 0, server_options));
    assert_int_equal(pgrpc_health_register(fixture->served.server, &fixture->health), PGRPC_OK);
    assert_true(served_start(&fixture->served, channel_options));
}

static void begin(struct fixture *fixture)
{
    begin_with(fixture, NULL, NULL);
}

static void end(struct fixture *fixture)
{
    served_call_clear(&fixture->call);
    served_call_clear(&fixture->other);
    served_clear(&fixture->served);
}

/* Calls and answers what came. */
static const char *check(struct fixture *fixture, const char *service)
{
    served_call_clear(&fixture->call);
    served_run(&fixture->served);
    assert_true(start(&fixture->served, &fixture->call, &check_method, service));
    served_run(&fixture->served);
    return fixture->call.log;
}

static const char *list(struct fixture *fixture)
{
    Pgrpc__Bundled__HealthListRequest request = PGRPC__BUNDLED__HEALTH_LIST_REQUEST__INIT;
    served_call_clear(&fixture->call);
    served_run(&fixture->served);
    assert_true(served_call(&fixture->served, &fixture->call, &list_method, &request, note_list));
    served_run(&fixture->served);
    return fixture->call.log;
}

static void set(struct fixture *fixture, const char *service, enum pgrpc_serving state)
{
    assert_int_equal(pgrpc_health_set(fixture->health, service, state), PGRPC_OK);
    served_run(&fixture->served);
}

/* --- Check, List --------------------------------------------------------------------------------
 */

static void whole_server_serves_from_the_start(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_string_equal(check(&fixture, ""), "SERVING\nOK\n");
    end(&fixture);
}

static void check_of_unknown_service_is_not_found(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_string_equal(check(&fixture, "a.B"), "NOT_FOUND unknown service\n");
    end(&fixture);
}

static void check_says_what_was_set(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    set(&fixture, "a.B", PGRPC_NOT_SERVING);
    assert_string_equal(check(&fixture, "a.B"), "NOT_SERVING\nOK\n");
    set(&fixture, "a.B", PGRPC_SERVING);
    assert_string_equal(check(&fixture, "a.B"), "SERVING\nOK\n");
    set(&fixture, "", PGRPC_NOT_SERVING);
    assert_string_equal(check(&fixture, ""), "NOT_SERVING\nOK\n");
    assert_string_equal(check(&fixture, "a.B"), "SERVING\nOK\n");
    end(&fixture);
}

static void list_says_all(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_string_equal(list(&fixture), "\"\" SERVING\n1\nOK\n");
    set(&fixture, "a", PGRPC_NOT_SERVING);
    set(&fixture, "b.C", PGRPC_SERVING);
    assert_string_equal(list(&fixture),
                        "\"\" SERVING\n\"a\" NOT_SERVING\n\"b.C\" SERVING\n3\nOK\n");
    end(&fixture);
}

static void set_numbered(struct fixture *fixture, unsigned from, unsigned to)
{
    char name[32];
    for (unsigned i = from; i < to; i++) {
        snprintf(name, sizeof(name), "service.%u", i);
        assert_int_equal(pgrpc_health_set(fixture->health, name, PGRPC_SERVING), PGRPC_OK);
    }
}

static void list_has_at_most_a_hundred(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    set_numbered(&fixture, 0, 98);
    assert_string_equal(list(&fixture), "99\nOK\n");
    set_numbered(&fixture, 98, 99);
    assert_string_equal(list(&fixture), "100\nOK\n");
    set_numbered(&fixture, 99, 100);
    assert_string_equal(list(&fixture), "RESOURCE_EXHAUSTED there are more than 100 services\n");
    end(&fixture);
}

/* --- Watch --------------------------------------------------------------------------------------
 */

static void watch(struct fixture *fixture, struct served_call *call, const char *service)
{
    assert_true(start(&fixture->served, call, &watch_method, service));
    served_run(&fixture->served);
}

static void watch_tells_the_state_and_its_changes(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    watch(&fixture, &fixture.call, "");
    assert_string_equal(fixture.call.log, "SERVING\n");
    set(&fixture, "", PGRPC_NOT_SERVING);
    assert_string_equal(fixture.call.log, "SERVING\nNOT_SERVING\n");
    set(&fixture, "", PGRPC_SERVING);
    assert_string_equal(fixture.call.log, "SERVING\nNOT_SERVING\nSERVING\n");
    assert_false(fixture.call.is_done);
    end(&fixture);
}

static void watch_says_nothing_when_nothing_changes(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    watch(&fixture, &fixture.call, "");
    set(&fixture, "", PGRPC_SERVING);
    set(&fixture, "a.B", PGRPC_NOT_SERVING);
    assert_string_equal(fixture.call.log, "SERVING\n");
    end(&fixture);
}

static void watch_of_unknown_service_stays_open(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    watch(&fixture, &fixture.call, "a.B");
    assert_string_equal(fixture.call.log, "SERVICE_UNKNOWN\n");
    set(&fixture, "a.B", PGRPC_SERVING);
    assert_string_equal(fixture.call.log, "SERVICE_UNKNOWN\nSERVING\n");
    /* Watching made nothing of it. */
    watch(&fixture, &fixture.other, "a.C");
    assert_string_equal(check(&fixture, "a.C"), "NOT_FOUND unknown service\n");
    end(&fixture);
}

static void all_watchers_of_a_service_are_told(void **state)
{
    struct fixture fixture;
    static struct served_call calls[50];
    (void)state;
    begin(&fixture);
    for (unsigned i = 0; i < 50; i++)
        watch(&fixture, &calls[i], i % 2 ? "odd" : "even");
    set(&fixture, "odd", PGRPC_SERVING);
    for (unsigned i = 0; i < 50; i++) {
        assert_string_equal(calls[i].log,
                            i % 2 ? "SERVICE_UNKNOWN\nSERVING\n" : "SERVICE_UNKNOWN\n");
        served_call_clear(&calls[i]);
    }
    end(&fixture);
}

static void watcher_that_cancels_is_forgotten(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    watch(&fixture, &fixture.call, "");
    watch(&fixture, &fixture.other, "");
    pgrpc_call_cancel(fixture.call.call);
    set(&fixture, "", PGRPC_NOT_SERVING);
    assert_string_equal(fixture.call.log, "SERVING\nCANCELLED cancelled\n");
    assert_string_equal(fixture.other.log, "SERVING\nNOT_SERVING\n");
    set(&fixture, "", PGRPC_SERVING);
    end(&fixture);
}

static void watches_that_come_and_go_do_not_add_up(void **state)
{
    struct fixture fixture;
    size_t live = 0;
    (void)state;
    begin(&fixture);
    for (unsigned i = 0; i < 300; i++) {
        watch(&fixture, &fixture.call, "a name that nobody has set");
        served_call_clear(&fixture.call);
        served_run(&fixture.served);
        if (i == 99)
            live = faulty_allocator_live(&fixture.served.faulty);
    }
    assert_int_equal(faulty_allocator_live(&fixture.served.faulty), live);
    end(&fixture);
}

static void slow_watcher_gets_the_latest_state(void **state)
{
    struct pgrpc_server_options server_options = {.size = sizeof(server_options),
                                                  .send_high_water_bytes = 64};
    struct pgrpc_channel_options channel_options = {.size = sizeof(channel_options),
                                                    .stream_window_bytes = 128};
    struct fixture fixture;
    (void)state;
    begin_with(&fixture, &server_options, &channel_options);
    assert_true(start(&fixture.served, &fixture.call, &watch_method, ""));
    fixture.call.holds_back = true;
    for (unsigned i = 0; i < 10000; i++)
        set(&fixture, "", i % 2 ? PGRPC_SERVING : PGRPC_NOT_SERVING);
    size_t live = faulty_allocator_live(&fixture.served.faulty);
    for (unsigned i = 0; i < 10000; i++)
        set(&fixture, "", i % 2 ? PGRPC_SERVING : PGRPC_NOT_SERVING);
    assert_int_equal(faulty_allocator_live(&fixture.served.faulty), live);
    set(&fixture, "", PGRPC_NOT_SERVING);
    fixture.call.holds_back = false;
    served_call_read(&fixture.call);
    served_run(&fixture.served);
    assert_in_range(fixture.call.message_count, 2, 64);
    assert_string_equal(fixture.call.log + fixture.call.log_len - strlen("\nNOT_SERVING\n"),
                        "\nNOT_SERVING\n");
    served_call_reset(&fixture.call);
    set(&fixture, "", PGRPC_SERVING);
    assert_string_equal(fixture.call.log, "SERVING\n");
    end(&fixture);
}

/* --- the end ------------------------------------------------------------------------------------
 */

static void shutdown_tells_everyone_and_ends_the_watches(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    set(&fixture, "a.B", PGRPC_SERVING);
    watch(&fixture, &fixture.call, "a.B");
    watch(&fixture, &fixture.other, "a.C");
    pgrpc_server_shutdown(fixture.served.server, 60 * 1000);
    served_run(&fixture.served);
    assert_string_equal(fixture.call.log,
                        "SERVING\nNOT_SERVING\nUNAVAILABLE the server shuts down\n");
    assert_string_equal(fixture.other.log, "SERVICE_UNKNOWN\nUNAVAILABLE the server shuts down\n");
    /* Nobody had to wait for the grace to be over. */
    assert_true(pgrpc_server_is_stopped(fixture.served.server));
    end(&fixture);
}

static void slow_watcher_is_told_of_the_shutdown(void **state)
{
    struct pgrpc_server_options server_options = {.size = sizeof(server_options),
                                                  .send_high_water_bytes = 64};
    struct pgrpc_channel_options channel_options = {.size = sizeof(channel_options),
                                                    .stream_window_bytes = 128};
    static const char last[] = "\nNOT_SERVING\nUNAVAILABLE the server shuts down\n";
    struct fixture fixture;
    (void)state;
    begin_with(&fixture, &server_options, &channel_options);
    assert_true(start(&fixture.served, &fixture.call, &watch_method, ""));
    fixture.call.holds_back = true;
    for (unsigned i = 0; i < 1000; i++)
        set(&fixture, "", i % 2 ? PGRPC_SERVING : PGRPC_NOT_SERVING);
    pgrpc_server_shutdown(fixture.served.server, 60 * 1000);
    served_run(&fixture.served);
    assert_false(pgrpc_server_is_stopped(fixture.served.server));
    fixture.call.holds_back = false;
    served_call_read(&fixture.call);
    served_run(&fixture.served);
    assert_string_equal(fixture.call.log + fixture.call.log_len - strlen(last), last);
    assert_true(pgrpc_server_is_stopped(fixture.served.server));
    end(&fixture);
}

static void states_stay_after_a_shutdown(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    /* A call that the grace is for: shutting down leaves it alone. */
    watch(&fixture, &fixture.call, "");
    pgrpc_server_shutdown(fixture.served.server, 60 * 1000);
    served_run(&fixture.served);
    set(&fixture, "", PGRPC_SERVING);
    set(&fixture, "a.B", PGRPC_SERVING);
    assert_string_equal(fixture.call.log,
                        "SERVING\nNOT_SERVING\nUNAVAILABLE the server shuts down\n");
    end(&fixture);
}

static void server_is_freed_while_it_is_watched(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    watch(&fixture, &fixture.call, "");
    pgrpc_server_free(fixture.served.server);
    fixture.served.server = NULL;
    served_run(&fixture.served);
    assert_true(fixture.call.is_done);
    assert_int_equal(fixture.call.code, PGRPC_UNAVAILABLE);
    end(&fixture);
}

/* --- wrong use ----------------------------------------------------------------------------------
 */

static void registering_twice_fails(void **state)
{
    struct fixture fixture;
    struct pgrpc_health *second = NULL;
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    assert_true(served_init(&fixture.served, 0, NULL));
    assert_int_equal(pgrpc_health_register(fixture.served.server, &fixture.health), PGRPC_OK);
    assert_int_equal(pgrpc_health_register(fixture.served.server, &second), PGRPC_ALREADY_EXISTS);
    assert_null(second);
    assert_true(served_start(&fixture.served, NULL));
    assert_string_equal(check(&fixture, ""), "SERVING\nOK\n");
    end(&fixture);
}

static void registering_after_the_start_fails(void **state)
{
    struct fixture fixture;
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    assert_true(served_init(&fixture.served, 0, NULL));
    assert_true(served_start(&fixture.served, NULL));
    assert_int_equal(pgrpc_health_register(fixture.served.server, &fixture.health),
                     PGRPC_FAILED_PRECONDITION);
    assert_null(fixture.health);
    end(&fixture);
}

static void setting_wrong_things_fails(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    assert_int_equal(pgrpc_health_set(NULL, "", PGRPC_SERVING), PGRPC_INVALID_ARGUMENT);
    assert_int_equal(pgrpc_health_set(fixture.health, NULL, PGRPC_SERVING), PGRPC_INVALID_ARGUMENT);
    assert_int_equal(pgrpc_health_set(fixture.health, "a.B", (enum pgrpc_serving)0),
                     PGRPC_INVALID_ARGUMENT);
    assert_int_equal(pgrpc_health_set(fixture.health, "a.B", (enum pgrpc_serving)3),
                     PGRPC_INVALID_ARGUMENT);
    /* It would spoil every list. */
    assert_int_equal(pgrpc_health_set(fixture.health, "a.\xff", PGRPC_SERVING),
                     PGRPC_INVALID_ARGUMENT);
    assert_string_equal(list(&fixture), "\"\" SERVING\n1\nOK\n");
    end(&fixture);
}

static void services_are_limited(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    set_numbered(&fixture, 1, 10000);
    assert_int_equal(pgrpc_health_set(fixture.health, "one.more", PGRPC_SERVING),
                     PGRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(pgrpc_health_set(fixture.health, "service.1", PGRPC_NOT_SERVING), PGRPC_OK);
    assert_string_equal(check(&fixture, "service.1"), "NOT_SERVING\nOK\n");
    end(&fixture);
}

/* --- memory -------------------------------------------------------------------------------------
 */

/* One of everything; true when all of it went well. */
static bool use_everything(struct served *served, struct pgrpc_health *health,
                           struct served_call *calls)
{
    Pgrpc__Bundled__HealthListRequest request = PGRPC__BUNDLED__HEALTH_LIST_REQUEST__INIT;
    bool is_good = pgrpc_health_set(health, "a.B", PGRPC_SERVING) == PGRPC_OK;
    is_good &= start(served, &calls[0], &watch_method, "a.B");
    served_run(served);
    is_good &= start(served, &calls[1], &check_method, "a.B");
    is_good &= served_call(served, &calls[2], &list_method, &request, note_list);
    served_run(served);
    is_good &= pgrpc_health_set(health, "a.B", PGRPC_NOT_SERVING) == PGRPC_OK;
    served_run(served);
    is_good &= pgrpc_health_set(health, "", PGRPC_NOT_SERVING) == PGRPC_OK;
    pgrpc_server_shutdown(served->server, 60 * 1000);
    served_run(served);
    return is_good &&
           strcmp(calls[0].log, "SERVING\nNOT_SERVING\nUNAVAILABLE the server shuts "
                                "down\n") == 0 &&
           strcmp(calls[1].log, "SERVING\nOK\n") == 0 &&
           strcmp(calls[2].log, "\"\" SERVING\n\"a.B\" SERVING\n2\nOK\n") == 0;
}

static void every_allocation_may_fail(void **state)
{
    static struct served_call calls[3];
    (void)state;
    for (size_t n = 1;; n++) {
        struct served served;
        struct pgrpc_health *health;
        bool is_good = false;
        memset(calls, 0, sizeof(calls));
        if (served_init(&served, n, NULL) &&
            pgrpc_health_register(served.server, &health) == PGRPC_OK &&
            served_start(&served, NULL))
            is_good = use_everything(&served, health, calls);
        for (unsigned i = 0; i < 3; i++)
            served_call_clear(&calls[i]);
        bool has_failed = faulty_allocator_has_failed(&served.faulty);
        served_clear(&served);
        if (has_failed)
            continue;
        assert_true(is_good);
        break;
    }
}

/* --- threads ------------------------------------------------------------------------------------
 */

enum { LOOPS = 3, SETTERS = 4, CHANNELS = 6, CHANGES = 500 };

struct setter {
    pthread_t thread;
    struct pgrpc_health *health;
    unsigned number;
};

static void *run_setter(void *userdata)
{
    struct setter *setter = userdata;
    char own[32];
    snprintf(own, sizeof(own), "own.%u", setter->number);
    for (unsigned i = 0; i < CHANGES; i++) {
        pgrpc_health_set(setter->health, own, i % 2 ? PGRPC_SERVING : PGRPC_NOT_SERVING);
        pgrpc_health_set(setter->health, "shared", i % 2 ? PGRPC_SERVING : PGRPC_NOT_SERVING);
    }
    pgrpc_health_set(setter->health, own, PGRPC_SERVING);
    return NULL;
}

static void *run_server(void *server)
{
    return (void *)(intptr_t)pgrpc_server_run(server);
}

static struct pgrpc_channel *connect_to(struct pgrpc_server *server)
{
    int ends[2];
    struct pgrpc_channel *channel = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(pgrpc_server_adopt_fd(server, ends[0], pgrpc_credentials_insecure()),
                     PGRPC_OK);
    assert_int_equal(pgrpc_channel_new_from_fd(ends[1], "server", pgrpc_credentials_insecure(),
                                               NULL, &channel, NULL),
                     PGRPC_OK);
    return channel;
}

static struct pgrpc_call *open_watch(struct pgrpc_channel *channel, const char *service)
{
    Pgrpc__Bundled__HealthCheckRequest request = PGRPC__BUNDLED__HEALTH_CHECK_REQUEST__INIT;
    request.service = service;
    struct pgrpc_call *call = pgrpc_call_open(channel, &watch_method, &request, NULL);
    assert_non_null(call);
    return call;
}

/* Reads until |state| comes; returns how many messages came. */
static unsigned read_until(struct pgrpc_call *call, unsigned state)
{
    const void *reply;
    for (unsigned count = 1;; count++) {
        assert_int_equal(pgrpc_call_recv(call, &reply, NULL), PGRPC_IO_DONE);
        if (((const Pgrpc__Bundled__HealthCheckResponse *)reply)->status == state)
            return count;
    }
}

static void watchers_on_several_loops_are_told_by_several_threads(void **state)
{
    struct pgrpc_server_options options = {.size = sizeof(options), .loops = LOOPS};
    struct pgrpc_server *server;
    struct pgrpc_health *health;
    struct setter setters[SETTERS];
    struct pgrpc_channel *channels[CHANNELS];
    struct pgrpc_call *own[CHANNELS], *shared[CHANNELS];
    const void *reply;
    pthread_t thread;
    void *code;
    (void)state;
    assert_int_equal(pgrpc_server_new(&options, &server, NULL), PGRPC_OK);
    assert_int_equal(pgrpc_health_register(server, &health), PGRPC_OK);
    assert_int_equal(pgrpc_server_start(server), PGRPC_OK);
    assert_int_equal(pthread_create(&thread, NULL, run_server, server), 0);
    for (unsigned i = 0; i < CHANNELS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "own.%u", i % SETTERS);
        channels[i] = connect_to(server);
        own[i] = open_watch(channels[i], name);
        shared[i] = open_watch(channels[i], "shared");
        read_until(own[i], 3);
        read_until(shared[i], 3);
    }
    for (unsigned i = 0; i < SETTERS; i++) {
        setters[i] = (struct setter){.health = health, .number = i};
        assert_int_equal(pthread_create(&setters[i].thread, NULL, run_setter, &setters[i]), 0);
    }
    for (unsigned i = 0; i < SETTERS; i++)
        pthread_join(setters[i].thread, NULL);
    pgrpc_server_shutdown(server, 60 * 1000);
    for (unsigned i = 0; i < CHANNELS; i++) {
        read_until(own[i], 1);
        while (pgrpc_call_recv(own[i], &reply, NULL) == PGRPC_IO_DONE)
            ;
        assert_int_equal(pgrpc_call_wait(own[i])->code, PGRPC_UNAVAILABLE);
        unsigned last = 0;
        while (pgrpc_call_recv(shared[i], &reply, NULL) == PGRPC_IO_DONE)
            last = ((const Pgrpc__Bundled__HealthCheckResponse *)reply)->status;
        assert_int_equal(last, PGRPC_NOT_SERVING);
        pgrpc_call_unref(own[i]);
        pgrpc_call_unref(shared[i]);
        pgrpc_channel_unref(channels[i]);
    }
    pthread_join(thread, &code);
    assert_int_equal((intptr_t)code, PGRPC_OK);
    pgrpc_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_server_serves_from_the_start),
        cmocka_unit_test(check_of_unknown_service_is_not_found),
        cmocka_unit_test(check_says_what_was_set),
        cmocka_unit_test(list_says_all),
        cmocka_unit_test(list_has_at_most_a_hundred),
        cmocka_unit_test(watch_tells_the_state_and_its_changes),
        cmocka_unit_test(watch_says_nothing_when_nothing_changes),
        cmocka_unit_test(watch_of_unknown_service_stays_open),
        cmocka_unit_test(all_watchers_of_a_service_are_told),
        cmocka_unit_test(watcher_that_cancels_is_forgotten),
        cmocka_unit_test(watches_that_come_and_go_do_not_add_up),
        cmocka_unit_test(slow_watcher_gets_the_latest_state),
        cmocka_unit_test(shutdown_tells_everyone_and_ends_the_watches),
        cmocka_unit_test(slow_watcher_is_told_of_the_shutdown),
        cmocka_unit_test(states_stay_after_a_shutdown),
        cmocka_unit_test(server_is_freed_while_it_is_watched),
        cmocka_unit_test(registering_twice_fails),
        cmocka_unit_test(registering_after_the_start_fails),
        cmocka_unit_test(setting_wrong_things_fails),
        cmocka_unit_test(services_are_limited),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(watchers_on_several_loops_are_told_by_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
