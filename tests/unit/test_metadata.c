#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include <stdlib.h>

#include "wire/base64.h"
#include "wire/metadata.h"

static struct arena arena;
static struct pgrpc_metadata metadata;
static struct error_text error;

static int start(void **state)
{
    (void)state;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    pgrpc__metadata_init(&metadata, &arena);
    error.text[0] = '\0';
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pgrpc__arena_clear(&arena);
    return 0;
}

/* From copies of exactly these bytes, gone afterwards. */
static enum pgrpc_code add_bytes(const char *name, const char *value, size_t value_len)
{
    size_t name_len = strlen(name);
    char *name_copy = malloc(name_len > 0 ? name_len : 1);
    char *value_copy = malloc(value_len > 0 ? value_len : 1);
    memcpy(name_copy, name, name_len);
    memcpy(value_copy, value, value_len);
    enum pgrpc_code code =
        pgrpc__metadata_add_field(&metadata, pgrpc__header_find(name, name_len), name_copy,
                                  name_len, value_copy, value_len, &error);
    free(name_copy);
    free(value_copy);
    return code;
}

static void add(const char *name, const char *value)
{
    assert_int_equal(add_bytes(name, value, strlen(value)), PGRPC_OK);
}

static void expect_entry(size_t index, const char *key, const char *value)
{
    struct pgrpc_metadatum entry = pgrpc_metadata_at(&metadata, index);
    assert_non_null(entry.key);
    assert_string_equal(entry.key, key);
    assert_int_equal(entry.len, strlen(value));
    assert_string_equal(entry.value, value); /* and the NUL */
}

static void no_metadata(void **state)
{
    (void)state;
    assert_int_equal(pgrpc_metadata_count(NULL), 0);
    assert_null(pgrpc_metadata_at(NULL, 0).key);
    assert_null(pgrpc_metadata_find(NULL, "key"));
    assert_int_equal(pgrpc_metadata_count(&metadata), 0);
    assert_null(pgrpc_metadata_at(&metadata, 0).key);
    assert_null(pgrpc_metadata_find(&metadata, "key"));
}

static void rule_19_what_is_shown(void **state)
{
    static const char *const hidden[] = {
        ":method",
        ":path",
        ":scheme",
        ":status",
        ":protocol",
        ":",
        "te",
        "content-type",
        "host",
        "grpc-status",
        "grpc-message",
        "grpc-encoding",
        "grpc-accept-encoding",
        "grpc-timeout",
        "grpc-message-type",
        "grpc-status-details-bin",
        /* not keys */
        "",
        "Upper",
        "x y",
        "x!",
        "x/y",
        "caf\xc3\xa9",
        "x:",
    };
    static const char *const shown[] = {
        ":authority",
        "user-agent",
        "grpc-previous-rpc-attempts",
        "grpc-retry-pushback-ms",
        "grpc-trace-bin",
        "x",
        "0",
        "_-.",
        "a.b_c-d9",
        "content-length",
        "tee",
        "-bin",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        add(hidden[i], "Zm9v");
    assert_int_equal(metadata.count, 0);
    assert_int_equal(arena.used, 0);
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        add(shown[i], "Zm9v");
        expect_entry(i, shown[i], strstr(shown[i], "-bin") ? "foo" : "Zm9v");
    }
}

static void rule_20_values_are_trimmed(void **state)
{
    static const char *const table[][2] = {
        {"", ""},     {" ", ""},     {" \t ", ""},      {"a", "a"},
        {"  a", "a"}, {"a \t", "a"}, {"\ta b ", "a b"}, {"~!\"%,;", "~!\"%,;"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        add("key", table[i][0]);
        expect_entry(i, "key", table[i][1]);
    }
}

static void rule_20_values_that_are_not_ascii_are_dropped(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char value[] = {'a', (char)c, 'b'};
        size_t before = metadata.count;
        assert_int_equal(add_bytes("key", value, 3), PGRPC_OK);
        assert_int_equal(metadata.count - before, c >= 0x20 && c <= 0x7E);
        metadata.count = 0;
    }
}

static void rule_22_binary_values_split_at_commas(void **state)
{
    (void)state;
    add("a-bin", "Zm9v,Zm9vYg==, Zg ,,Zm8");
    assert_int_equal(metadata.count, 5);
    expect_entry(0, "a-bin", "foo");
    expect_entry(1, "a-bin", "foob");
    expect_entry(2, "a-bin", "f");
    expect_entry(3, "a-bin", "");
    expect_entry(4, "a-bin", "fo");
    add("ascii", "Zm9v,Zm8");
    expect_entry(5, "ascii", "Zm9v,Zm8");
}

static void rule_23_order_and_last_wins(void **state)
{
    (void)state;
    add("a", "1");
    add("b", "2");
    add("a", "3");
    for (int i = 0; i < 50; i++)
        add("c", "x");
    assert_int_equal(pgrpc_metadata_count(&metadata), 53);
    expect_entry(0, "a", "1");
    expect_entry(1, "b", "2");
    expect_entry(2, "a", "3");
    assert_string_equal(pgrpc_metadata_find(&metadata, "a")->value, "3");
    assert_string_equal(pgrpc_metadata_find(&metadata, "b")->value, "2");
    assert_null(pgrpc_metadata_find(&metadata, "A"));
    assert_null(pgrpc_metadata_find(&metadata, ""));
    assert_null(pgrpc_metadata_at(&metadata, 53).key);
}

static void rule_24_empty_values(void **state)
{
    (void)state;
    add("a-bin", "");
    add("a", "");
    expect_entry(0, "a-bin", "");
    expect_entry(1, "a", "");
}

static void rule_25_bad_base64_fails_the_rpc(void **state)
{
    static const char *const table[] = {"Z", "Zg=", "Zm9v,*", "*,Zm9v", "Zm-_", "Zg==,Z"};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(add_bytes("key-bin", table[i], strlen(table[i])), PGRPC_INTERNAL);
        assert_non_null(strstr(error.text, "key-bin"));
        assert_non_null(strstr(error.text, "base64"));
    }
    assert_int_equal(add_bytes("key-bin", "Zm9\0", 4), PGRPC_INTERNAL);
}

static void binary_values_may_hold_any_byte(void **state)
{
    uint8_t data[256];
    char text[400];
    (void)state;
    for (unsigned i = 0; i < 256; i++)
        data[i] = (uint8_t)i;
    pgrpc__base64_encode(data, sizeof(data), text);
    assert_int_equal(add_bytes("k-bin", text, base64_encoded_len(sizeof(data))), PGRPC_OK);
    assert_int_equal(metadata.entries[0].len, 256);
    assert_memory_equal(metadata.entries[0].value, data, 256);
}

static void number_of_entries_is_limited(void **state)
{
    char commas[METADATA_COUNT_MAX + 1];
    (void)state;
    for (int i = 0; i < METADATA_COUNT_MAX; i++)
        add("k", "v");
    assert_int_equal(add_bytes("k", "v", 1), PGRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(pgrpc_metadata_count(&metadata), METADATA_COUNT_MAX);
    memset(commas, ',', sizeof(commas));
    metadata.count = 0;
    assert_int_equal(add_bytes("k-bin", commas, METADATA_COUNT_MAX - 1), PGRPC_OK);
    assert_int_equal(pgrpc_metadata_count(&metadata), METADATA_COUNT_MAX);
    metadata.count = 0;
    assert_int_equal(add_bytes("k-bin", commas, METADATA_COUNT_MAX), PGRPC_RESOURCE_EXHAUSTED);
}

static void expect_refused(const char *key, const char *value, size_t len, const char *text)
{
    struct pgrpc_metadatum entries[] = {{"fine", "value", 5}, {key, value, len}};
    struct header_field *fields = NULL;
    enum pgrpc_code code = pgrpc__metadata_encode(entries, 2, &arena, &fields, &error);
    if (code != PGRPC_INTERNAL)
        fail_msg("\"%s\" was taken", key ? key : "NULL");
    assert_null(fields);
    if (!strstr(error.text, text))
        fail_msg("\"%s\" does not say \"%s\"", error.text, text);
}

static void rule_19_keys_an_application_may_not_send(void **state)
{
    static const char *const bad[] = {"Upper", "a b",         "a:b", ":path", ":authority", "a\n",
                                      "a\r",   "caf\xc3\xa9", "a/b", "a=",    "a\x7f",      "(a)"};
    static const char *const set_by_us[] = {"te",
                                            "content-type",
                                            "user-agent",
                                            "host",
                                            "connection",
                                            "content-length",
                                            "upgrade",
                                            "transfer-encoding",
                                            "keep-alive",
                                            "proxy-connection",
                                            "trailer",
                                            "grpc-status",
                                            "grpc-message",
                                            "grpc-timeout",
                                            "grpc-encoding",
                                            "grpc-accept-encoding",
                                            "grpc-message-type",
                                            "grpc-status-details-bin"};
    static const char *const reserved[] = {"grpc-", "grpc-x", "grpc-trace", "grpc-status2"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_refused(bad[i], "v", 1, "characters");
    for (size_t i = 0; i < sizeof(set_by_us) / sizeof(set_by_us[0]); i++)
        expect_refused(set_by_us[i], "v", 1, set_by_us[i]);
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        expect_refused(reserved[i], "v", 1, "reserved");
    expect_refused("", "v", 1, "entry 1 has no key");
    expect_refused(NULL, "v", 1, "entry 1 has no key");
}

static void rule_20_values_an_application_may_not_send(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char value[] = {'a', (char)c, 'b'};
        if (c < 0x20 || c > 0x7E)
            expect_refused("key", value, 3, "key");
    }
    expect_refused("key", NULL, 1, "no value");
    expect_refused("key-bin", NULL, 1, "no value");
}

static void encoding_copies_everything(void **state)
{
    char key[] = "key", value[] = " two words ", binary[] = "\x00\xff\r\n";
    struct pgrpc_metadatum entries[] = {
        {key, value, strlen(value)},
        {"key-bin", binary, 4},
        {"empty", NULL, 0},
        {"empty-bin", NULL, 0},
        {"authorization", "secret", 6},
        {"cookie", "secret", 6},
        {"grpc-retry-pushback-ms", "5", 1},
    };
    enum { COUNT = sizeof(entries) / sizeof(entries[0]) };
    static const char *const expected[COUNT] = {"two words", "AP8NCg", "", "",
                                                "secret",    "secret", "5"};
    struct header_field *fields;
    (void)state;
    assert_int_equal(pgrpc__metadata_encode(entries, COUNT, &arena, &fields, &error), PGRPC_OK);
    memset(key, 'x', 3);
    memset(value, 'x', sizeof(value));
    memset(binary, 'x', sizeof(binary));
    size_t size = 0;
    for (size_t i = 0; i < COUNT; i++) {
        const char *name = i == 0 ? "key" : entries[i].key;
        assert_int_equal(fields[i].name_len, strlen(name));
        assert_memory_equal(fields[i].name, name, fields[i].name_len);
        assert_int_equal(fields[i].value_len, strlen(expected[i]));
        assert_memory_equal(fields[i].value, expected[i], fields[i].value_len);
        assert_int_equal(fields[i].is_sensitive, i == 4 || i == 5);
        size += fields[i].name_len + fields[i].value_len + 32;
    }
    assert_int_equal(pgrpc__header_list_size(fields, COUNT), size);
    assert_int_equal(pgrpc__metadata_encode(NULL, 0, &arena, &fields, &error), PGRPC_OK);
    assert_int_equal(pgrpc__header_list_size(fields, 0), 0);
}

static void rule_26_size_saturates(void **state)
{
    struct header_field fields[] = {{"a", "b", 1, 1, false}, {"a", "b", 3, SIZE_MAX - 40, false}};
    (void)state;
    assert_int_equal(pgrpc__header_list_size(fields, 1), 34);
    assert_true(pgrpc__header_list_size(fields, 2) == SIZE_MAX);
}

static void absurd_sizes_are_refused(void **state)
{
    struct pgrpc_metadatum entry = {"key-bin", "", SIZE_MAX / 2 + 1};
    struct header_field *fields;
    (void)state;
    assert_int_equal(pgrpc__metadata_encode(&entry, 1, &arena, &fields, &error),
                     PGRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(pgrpc__metadata_encode(&entry, SIZE_MAX / 2, &arena, &fields, &error),
                     PGRPC_RESOURCE_EXHAUSTED);
}

static void what_is_sent_is_received(void **state)
{
    (void)state;
    srandom(19);
    for (int turn = 0; turn < 500; turn++) {
        struct pgrpc_metadatum entries[20];
        struct header_field *fields;
        char values[20][30];
        size_t count = (size_t)random() % 20;
        for (size_t i = 0; i < count; i++) {
            bool is_binary = random() % 2;
            size_t len = (size_t)random() % 30;
            for (size_t j = 0; j < len; j++)
                values[i][j] = (char)(is_binary ? random() : 0x21 + random() % 94);
            entries[i] = (struct pgrpc_metadatum){is_binary ? "key-bin" : "key", values[i], len};
        }
        assert_int_equal(pgrpc__metadata_encode(entries, count, &arena, &fields, &error), PGRPC_OK);
        pgrpc__metadata_init(&metadata, &arena);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(pgrpc__metadata_add_field(&metadata, HEADER_OTHER, fields[i].name,
                                                       fields[i].name_len, fields[i].value,
                                                       fields[i].value_len, &error),
                             PGRPC_OK);
        assert_int_equal(metadata.count, count);
        for (size_t i = 0; i < count; i++) {
            struct pgrpc_metadatum entry = pgrpc_metadata_at(&metadata, i);
            assert_string_equal(entry.key, entries[i].key);
            assert_int_equal(entry.len, entries[i].len);
            assert_memory_equal(entry.value, entries[i].value, entry.len);
        }
        pgrpc__arena_reset(&arena);
    }
}

/* Sends and receives a few entries through |arena|. */
static enum pgrpc_code round_trip(size_t value_len)
{
    static char value[3000];
    struct pgrpc_metadatum entries[] = {{"key", value, value_len}, {"key-bin", value, value_len}};
    struct header_field *fields;
    memset(value, 'A', sizeof(value));
    pgrpc__metadata_init(&metadata, &arena);
    enum pgrpc_code code = pgrpc__metadata_encode(entries, 2, &arena, &fields, &error);
    for (size_t i = 0; i < 20 && code == PGRPC_OK; i++)
        code = add_bytes(i % 2 ? "key" : "key-bin", value, value_len);
    return code;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        faulty_allocator_init(&faulty, n);
        pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
        enum pgrpc_code code = round_trip(3000);
        bool failed = faulty_allocator_has_failed(&faulty);
        assert_int_equal(code, failed ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
        if (failed)
            assert_non_null(strstr(error.text, "memory"));
        pgrpc__arena_clear(&arena);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!failed) {
            assert_in_range(n, 3, 60);
            break;
        }
    }
}

static void every_allocation_may_exceed_the_budget(void **state)
{
    enum pgrpc_code code;
    size_t budget = 0;
    (void)state;
    do {
        pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
        arena.budget = budget++;
        code = round_trip(8);
        assert_int_equal(code, arena.over_budget ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
        pgrpc__arena_clear(&arena);
    } while (code != PGRPC_OK);
    assert_in_range(budget, 500, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_metadata, start, stop),
        cmocka_unit_test_setup_teardown(rule_19_what_is_shown, start, stop),
        cmocka_unit_test_setup_teardown(rule_20_values_are_trimmed, start, stop),
        cmocka_unit_test_setup_teardown(rule_20_values_that_are_not_ascii_are_dropped, start, stop),
        cmocka_unit_test_setup_teardown(rule_22_binary_values_split_at_commas, start, stop),
        cmocka_unit_test_setup_teardown(rule_23_order_and_last_wins, start, stop),
        cmocka_unit_test_setup_teardown(rule_24_empty_values, start, stop),
        cmocka_unit_test_setup_teardown(rule_25_bad_base64_fails_the_rpc, start, stop),
        cmocka_unit_test_setup_teardown(binary_values_may_hold_any_byte, start, stop),
        cmocka_unit_test_setup_teardown(number_of_entries_is_limited, start, stop),
        cmocka_unit_test_setup_teardown(rule_19_keys_an_application_may_not_send, start, stop),
        cmocka_unit_test_setup_teardown(rule_20_values_an_application_may_not_send, start, stop),
        cmocka_unit_test_setup_teardown(encoding_copies_everything, start, stop),
        cmocka_unit_test_setup_teardown(rule_26_size_saturates, start, stop),
        cmocka_unit_test_setup_teardown(absurd_sizes_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(what_is_sent_is_received, start, stop),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_allocation_may_exceed_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
