#include "../support/unit.h"
#include "../support/served.h"

#include "codec/codec.h"
#include "codec3.pb-c.h"
#include "picogrpc/well_known/any.h"
#include "picogrpc/well_known/duration.h"
#include "picogrpc/well_known/field_mask.h"
#include "picogrpc/well_known/status.h"
#include "picogrpc/well_known/timestamp.h"

#define YEAR_ONE INT64_C(-62135596800)
#define YEAR_END INT64_C(253402300799)
#define LONGEST INT64_C(315576000000)

#define HELLO &codec3__hello__descriptor
#define TREE &codec3__tree__descriptor

static struct pgrpc_arena *arena;

static int start(void **state)
{
    (void)state;
    arena = pgrpc_arena_new(NULL, 0);
    return arena ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    pgrpc_arena_free(arena);
    return 0;
}

static void timestamps_keep_to_their_years(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        bool is_valid;
    } table[] = {
        {0, 0, true},
        {0, 999999999, true},
        {-1, 500000000, true},
        {YEAR_ONE, 0, true},
        {YEAR_END, 999999999, true},
        {YEAR_ONE - 1, 999999999, false},
        {YEAR_END + 1, 0, false},
        {INT64_MIN, 0, false},
        {INT64_MAX, 0, false},
        {0, -1, false},
        {0, 1000000000, false},
        {0, INT32_MIN, false},
        {0, INT32_MAX, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
        struct timespec time = {7, 8};
        timestamp.seconds = table[i].seconds;
        timestamp.nanos = table[i].nanos;
        assert_int_equal(pgrpc_timestamp_is_valid(&timestamp), table[i].is_valid);
        enum pgrpc_code code = pgrpc_timestamp_to_timespec(&timestamp, &time);
        assert_int_equal(code, table[i].is_valid ? PGRPC_OK : PGRPC_INVALID_ARGUMENT);
        assert_int_equal(time.tv_sec, table[i].is_valid ? table[i].seconds : 7);
        assert_int_equal(time.tv_nsec, table[i].is_valid ? table[i].nanos : 8);
    }
}

static void times_become_timestamps(void **state)
{
    static const struct {
        int64_t seconds;
        long nanos;
        enum pgrpc_code code;
    } table[] = {
        {0, 0, PGRPC_OK},
        {-2, 500000000, PGRPC_OK},
        {YEAR_ONE, 0, PGRPC_OK},
        {YEAR_END, 999999999, PGRPC_OK},
        {YEAR_ONE - 1, 999999999, PGRPC_OUT_OF_RANGE},
        {YEAR_END + 1, 0, PGRPC_OUT_OF_RANGE},
        {0, -1, PGRPC_INVALID_ARGUMENT},
        {0, 1000000000, PGRPC_INVALID_ARGUMENT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
        struct timespec time = {(time_t)table[i].seconds, table[i].nanos};
        timestamp.seconds = 7;
        timestamp.nanos = 8;
        assert_int_equal(pgrpc_timestamp_from_timespec(&time, &timestamp), table[i].code);
        bool is_written = table[i].code == PGRPC_OK;
        assert_int_equal(timestamp.seconds, is_written ? table[i].seconds : 7);
        assert_int_equal(timestamp.nanos, is_written ? table[i].nanos : 8);
    }
}

/* The same span as a Duration and as a struct timespec. */
static void durations_have_one_sign(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        int64_t time_seconds;
        long time_nanos;
    } table[] = {
        {0, 0, 0, 0},
        {1, 500000000, 1, 500000000},
        {-1, -500000000, -2, 500000000},
        {0, -1, -1, 999999999},
        {0, -999999999, -1, 1},
        {-1, 0, -1, 0},
        {-1, -1, -2, 999999999},
        {LONGEST, 0, LONGEST, 0},
        {LONGEST, 999999999, LONGEST, 999999999},
        {-LONGEST, 0, -LONGEST, 0},
        {-LONGEST, -999999999, -LONGEST - 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
        struct timespec time = {0, 0};
        duration.seconds = table[i].seconds;
        duration.nanos = table[i].nanos;
        assert_true(pgrpc_duration_is_valid(&duration));
        assert_int_equal(pgrpc_duration_to_timespec(&duration, &time), PGRPC_OK);
        assert_int_equal(time.tv_sec, table[i].time_seconds);
        assert_int_equal(time.tv_nsec, table[i].time_nanos);
        duration.seconds = duration.nanos = 7;
        assert_int_equal(pgrpc_duration_from_timespec(&time, &duration), PGRPC_OK);
        assert_int_equal(duration.seconds, table[i].seconds);
        assert_int_equal(duration.nanos, table[i].nanos);
    }
}

static void bad_durations_are_refused(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
    } table[] = {
        {LONGEST + 1, 0}, {-LONGEST - 1, 0}, {INT64_MAX, 0},   {INT64_MIN, 0}, {1, -1},
        {-1, 1},          {0, 1000000000},   {0, -1000000000}, {0, INT32_MIN}, {0, INT32_MAX},
    };
    static const struct {
        int64_t seconds;
        long nanos;
        enum pgrpc_code code;
    } times[] = {
        {0, -1, PGRPC_INVALID_ARGUMENT},
        {0, 1000000000, PGRPC_INVALID_ARGUMENT},
        {LONGEST + 1, 0, PGRPC_OUT_OF_RANGE},
        {-LONGEST - 1, 0, PGRPC_OUT_OF_RANGE},
        {-LONGEST - 2, 999999999, PGRPC_OUT_OF_RANGE},
        {INT64_MAX, 999999999, PGRPC_OUT_OF_RANGE},
        {INT64_MIN, 999999999, PGRPC_OUT_OF_RANGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
        struct timespec time = {7, 8};
        duration.seconds = table[i].seconds;
        duration.nanos = table[i].nanos;
        assert_false(pgrpc_duration_is_valid(&duration));
        assert_int_equal(pgrpc_duration_to_timespec(&duration, &time), PGRPC_INVALID_ARGUMENT);
        assert_int_equal(time.tv_sec, 7);
        assert_int_equal(time.tv_nsec, 8);
    }
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
        struct timespec time = {(time_t)times[i].seconds, times[i].nanos};
        duration.seconds = duration.nanos = 7;
        assert_int_equal(pgrpc_duration_from_timespec(&time, &duration), times[i].code);
        assert_int_equal(duration.seconds, 7);
        assert_int_equal(duration.nanos, 7);
    }
}

static void an_any_holds_a_message(void **state)
{
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    Codec3__Hello hello = CODEC3__HELLO__INIT;
    const void *message = NULL;
    (void)state;
    hello.name = (char *)"world";
    assert_int_equal(pgrpc_any_pack(HELLO, &hello, arena, &any), PGRPC_OK);
    assert_string_equal(any.type_url, "type.googleapis.com/codec3.Hello");
    assert_int_equal(any.value.len, 7);
    assert_true(pgrpc_any_is(&any, HELLO));
    assert_false(pgrpc_any_is(&any, TREE));
    assert_int_equal(pgrpc_any_unpack(&any, HELLO, arena, &message), PGRPC_OK);
    assert_string_equal(((const Codec3__Hello *)message)->name, "world");

    message = NULL;
    assert_int_equal(pgrpc_any_unpack(&any, TREE, arena, &message), PGRPC_INVALID_ARGUMENT);
    any.value.data[0] = 0;
    assert_int_equal(pgrpc_any_unpack(&any, HELLO, arena, &message), PGRPC_INTERNAL);
    assert_null(message);

    /* an empty message has no bytes, and is one */
    hello.name = NULL;
    assert_int_equal(pgrpc_any_pack(HELLO, &hello, arena, &any), PGRPC_OK);
    assert_int_equal(any.value.len, 0);
    assert_int_equal(pgrpc_any_unpack(&any, HELLO, arena, &message), PGRPC_OK);
    assert_non_null(message);
}

static void a_type_url_is_what_follows_the_last_slash(void **state)
{
    static const struct {
        const char *url;
        bool is_hello;
    } table[] = {
        {"type.googleapis.com/codec3.Hello", true},
        {"example.com/types/codec3.Hello", true},
        {"/codec3.Hello", true},
        {"codec3.Hello", false},
        {"type.googleapis.com/codec3.Hello/", false},
        {"type.googleapis.com/codec3.Hello2", false},
        {"type.googleapis.com/xcodec3.Hello", false},
        {"type.googleapis.com/Hello", false},
        {"type.googleapis.com/", false},
        {"/", false},
        {"", false},
        {NULL, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
        any.type_url = (char *)table[i].url;
        assert_int_equal(pgrpc_any_is(&any, HELLO), table[i].is_hello);
    }
}

static void packing_fails_without_a_trace(void **state)
{
    static const size_t sizes[] = {1, 16, 32, 48};
    char *nothing = NULL;
    Codec3__Repeated repeated = CODEC3__REPEATED__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    Codec3__Hello hello = CODEC3__HELLO__INIT;
    (void)state;
    repeated.n_text = 1;
    repeated.text = &nothing;
    any.value.len = 99;
    assert_int_equal(pgrpc_any_pack(&codec3__repeated__descriptor, &repeated, arena, &any),
                     PGRPC_INTERNAL);
    hello.name = (char *)"world";
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct pgrpc_arena *small = pgrpc_arena_new(NULL, sizes[i]);
        assert_int_equal(pgrpc_any_pack(HELLO, &hello, small, &any), PGRPC_RESOURCE_EXHAUSTED);
        assert_int_equal(any.value.len, 99);
        assert_string_equal(any.type_url, "");
        pgrpc_arena_free(small);
    }
}

/* --- statuses --- */

static enum pgrpc_code finished;
static const Google__Rpc__Status *to_send;

static void finish_with_details(struct pgrpc_call *call, const void *request, const void *handlers,
                                void *userdata)
{
    (void)request;
    (void)handlers;
    (void)userdata;
    finished = pgrpc_rich_status_finish(call, to_send);
    if (finished != PGRPC_OK)
        pgrpc_call_finish(call, PGRPC_UNKNOWN, "without details");
}

/* Calls a server that ends with |rich|; the client's call stays readable until stop_call. */
static const struct pgrpc_status *call_that_ends_with(struct served *served,
                                                      struct served_call *call,
                                                      const Google__Rpc__Status *rich)
{
    static const struct pgrpc_binding binding = {finish_with_details, PGRPC_RUN_INLINE};
    static const struct pgrpc_method method = {.path = "/a.B/C", .codec = &pgrpc_codec_raw};
    static const struct pgrpc_bytes request = {"", 0};
    to_send = rich;
    assert_true(served_init(served, 0, NULL));
    assert_int_equal(pgrpc_server_register_fallback(served->server, &binding, NULL, NULL),
                     PGRPC_OK);
    assert_true(served_start(served, NULL));
    assert_true(served_call(served, call, &method, &request, NULL));
    served_run(served);
    assert_true(call->is_done);
    return pgrpc_call_status(call->call);
}

static void stop_call(struct served *served, struct served_call *call)
{
    served_call_clear(call);
    served_clear(served);
}

static void details_reach_the_client(void **state)
{
    static struct served_call call;
    struct served served;
    Google__Rpc__Status rich = GOOGLE__RPC__STATUS__INIT;
    Codec3__Hello hello = CODEC3__HELLO__INIT;
    Codec3__Tree tree = CODEC3__TREE__INIT;
    const Google__Rpc__Status *received = NULL;
    const void *message;
    (void)state;
    rich.code = PGRPC_NOT_FOUND;
    rich.message = (char *)"no such colour";
    hello.name = (char *)"first";
    assert_int_equal(pgrpc_rich_status_add(HELLO, &hello, arena, &rich), PGRPC_OK);
    tree.name = (char *)"second";
    assert_int_equal(pgrpc_rich_status_add(TREE, &tree, arena, &rich), PGRPC_OK);
    hello.name = (char *)"third";
    assert_int_equal(pgrpc_rich_status_add(HELLO, &hello, arena, &rich), PGRPC_OK);

    const struct pgrpc_status *status = call_that_ends_with(&served, &call, &rich);
    assert_int_equal(finished, PGRPC_OK);
    assert_int_equal(status->code, PGRPC_NOT_FOUND);
    assert_string_equal(status->message, "no such colour");
    assert_int_equal(pgrpc_rich_status_get(status, arena, &received), PGRPC_OK);
    assert_int_equal(received->code, PGRPC_NOT_FOUND);
    assert_string_equal(received->message, "no such colour");
    assert_int_equal(received->n_details, 3);
    assert_int_equal(pgrpc_rich_status_find(received, HELLO, arena, &message), PGRPC_OK);
    assert_string_equal(((const Codec3__Hello *)message)->name, "first");
    assert_int_equal(pgrpc_rich_status_find(received, TREE, arena, &message), PGRPC_OK);
    assert_string_equal(((const Codec3__Tree *)message)->name, "second");
    assert_int_equal(pgrpc_rich_status_find(received, &codec3__empty__descriptor, arena, &message),
                     PGRPC_NOT_FOUND);
    stop_call(&served, &call);
}

static void a_status_that_cannot_be_sent_is_refused(void **state)
{
    static const int32_t codes[] = {0, -1, 17, INT32_MAX, INT32_MIN};
    static struct served_call call;
    struct served served;
    Google__Protobuf__Any *nothing = NULL;
    (void)state;
    for (size_t i = 0; i <= sizeof(codes) / sizeof(codes[0]); i++) {
        Google__Rpc__Status rich = GOOGLE__RPC__STATUS__INIT;
        bool is_code = i < sizeof(codes) / sizeof(codes[0]);
        rich.code = is_code ? codes[i] : PGRPC_ABORTED;
        rich.n_details = !is_code;
        rich.details = &nothing;
        const struct pgrpc_status *status = call_that_ends_with(&served, &call, &rich);
        assert_int_equal(finished, is_code ? PGRPC_INVALID_ARGUMENT : PGRPC_INTERNAL);
        assert_int_equal(status->code, PGRPC_UNKNOWN);
        assert_string_equal(status->message, "without details");
        stop_call(&served, &call);
    }
}

static void bad_details_are_told_from_none(void **state)
{
    static const uint8_t code_five[] = {0x08, 5};
    struct pgrpc_status status = {PGRPC_NOT_FOUND, "", NULL, 0};
    const Google__Rpc__Status *rich = NULL;
    (void)state;
    assert_int_equal(pgrpc_rich_status_get(&status, arena, &rich), PGRPC_NOT_FOUND);
    status.details = code_five;
    status.details_len = 1;
    assert_int_equal(pgrpc_rich_status_get(&status, arena, &rich), PGRPC_INTERNAL);
    status.details_len = 2;
    status.code = PGRPC_ABORTED; /* another one than in the details */
    assert_int_equal(pgrpc_rich_status_get(&status, arena, &rich), PGRPC_INTERNAL);
    assert_null(rich);
    status.code = PGRPC_NOT_FOUND;
    assert_int_equal(pgrpc_rich_status_get(&status, arena, &rich), PGRPC_OK);
    assert_int_equal(rich->n_details, 0);
}

static void a_detail_that_finds_no_memory_is_not_added(void **state)
{
    Google__Rpc__Status rich = GOOGLE__RPC__STATUS__INIT;
    Codec3__Hello hello = CODEC3__HELLO__INIT;
    size_t refused = 0;
    (void)state;
    for (size_t size = 1;; size += 16) {
        struct pgrpc_arena *small = pgrpc_arena_new(NULL, size);
        enum pgrpc_code code = pgrpc_rich_status_add(HELLO, &hello, small, &rich);
        pgrpc_arena_free(small);
        if (code == PGRPC_OK)
            break;
        assert_int_equal(code, PGRPC_RESOURCE_EXHAUSTED);
        assert_int_equal(rich.n_details, 0);
        refused++;
    }
    assert_true(refused > 2);
}

/* --- masks --- */

static void a_mask_contains_what_is_below_its_paths(void **state)
{
    static char *paths[] = {(char *)"a", (char *)"b.c", (char *)""};
    static const struct {
        const char *path;
        bool is_there;
    } table[] = {
        {"a", true},  {"a.x", true}, {"a.x.y", true}, {"ab", false},
        {"b", false}, {"b.c", true}, {"b.c.d", true}, {"b.cd", false},
        {"", false},  {"c", false},  {".x", false},
    };
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    (void)state;
    assert_false(pgrpc_field_mask_contains(&mask, "a"));
    mask.n_paths = sizeof(paths) / sizeof(paths[0]);
    mask.paths = paths;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(pgrpc_field_mask_contains(&mask, table[i].path), table[i].is_there);
}

static void a_valid_mask_leads_to_fields(void **state)
{
    static const struct {
        const char *path;
        bool is_valid;
    } table[] = {
        {"name", true},         {"child", true},
        {"child.name", true},   {"child.child.name", true},
        {"children", true},     {"children.name", false}, /* repeated */
        {"name.x", false},                                /* no message */
        {"nam", false},         {"names", false},
        {"child.", false},      {".name", false},
        {"child..name", false}, {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char *paths[] = {(char *)"name", (char *)table[i].path};
        Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
        mask.n_paths = 2;
        mask.paths = paths;
        assert_int_equal(pgrpc_field_mask_is_valid(&mask, TREE), table[i].is_valid);
    }
    assert_false(pgrpc_field_mask_path_is_valid("name", &codec3__empty__descriptor));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestamps_keep_to_their_years),
        cmocka_unit_test(times_become_timestamps),
        cmocka_unit_test(durations_have_one_sign),
        cmocka_unit_test(bad_durations_are_refused),
        cmocka_unit_test_setup_teardown(an_any_holds_a_message, start, stop),
        cmocka_unit_test(a_type_url_is_what_follows_the_last_slash),
        cmocka_unit_test_setup_teardown(packing_fails_without_a_trace, start, stop),
        cmocka_unit_test_setup_teardown(details_reach_the_client, start, stop),
        cmocka_unit_test(a_status_that_cannot_be_sent_is_refused),
        cmocka_unit_test_setup_teardown(bad_details_are_told_from_none, start, stop),
        cmocka_unit_test(a_detail_that_finds_no_memory_is_not_added),
        cmocka_unit_test(a_mask_contains_what_is_below_its_paths),
        cmocka_unit_test(a_valid_mask_leads_to_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
