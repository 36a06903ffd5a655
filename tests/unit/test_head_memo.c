/* Heads that come or go again: when what is remembered may be used, and when not. */
#include "../support/unit.h"
#include "../support/h2_side.h"

#include <stdio.h>

#include "h2/head_memo.h"

/* --- received, by a whole connection on the frame engine -------------------------------------- */

static void start(struct h2_side *server)
{
    struct h2_connection_config config;
    h2_side_config(&config, true);
    config.engine = &pgrpc__h2_frame_engine;
    h2_side_start(server, true, &config);
}

/* A request with |block| behind the usual fields; what the server made of it. */
static const char *request(struct h2_side *server, uint32_t id, const void *rest, size_t len)
{
    struct raw raw = {0}, block = {0};
    size_t before = server->user_count;
    raw_block(&block, RAW_REQUEST_FIELDS);
    raw_bytes(&block, rest, len);
    raw_frame(&raw, RAW_HEADERS, RAW_END_HEADERS | RAW_END_STREAM, id, block.data, block.len);
    raw_clear(&block);
    assert_int_equal(h2_side_get(server, &raw), 0);
    if (server->user_count == before)
        return h2_side_take(server);
    const char *log = CONTAINER_OF(server->last_user, struct h2_user, next)->log;
    assert_true(strncmp(log, H2_REQUEST_LINE, strlen(H2_REQUEST_LINE)) == 0);
    return log + strlen(H2_REQUEST_LINE);
}

static void the_same_block_means_the_same_fields(void **state)
{
    struct h2_side server;
    (void)state;

    start(&server);
    for (uint32_t id = 1; id < 20; id += 2)
        assert_string_equal(request(&server, id, "\0\1a\1b", 5), " a=b end\n");
    assert_string_equal(request(&server, 21, "\0\1a\1c", 5), " a=c end\n");
    assert_string_equal(request(&server, 23, "\0\1a\1b", 5), " a=b end\n");
    h2_side_clear(&server);
}

/* 62 names the newest entry: the same byte means another field after each that enters. */
static void the_same_block_means_others_when_the_table_has_changed(void **state)
{
    struct h2_side server;
    uint32_t id = 1;
    (void)state;

    start(&server);
    for (int round = 0; round < 5; round++) {
        char entering[] = "\x40\1a\1?", expected[] = " a=? end\n";
        entering[4] = expected[3] = (char)('0' + round);
        assert_string_equal(request(&server, id, entering, 5), expected);
        for (int again = 0; again < 4; again++) {
            id += 2;
            assert_string_equal(request(&server, id, "\xbe", 1), expected);
        }
        id += 2;
    }
    h2_side_clear(&server);
}

/* A field that enters on each use enters on each use. */
static void blocks_that_enter_fields_are_never_kept(void **state)
{
    struct h2_side server;
    (void)state;

    start(&server);
    for (uint32_t id = 1; id < 8; id += 2)
        assert_string_equal(request(&server, id, "\x40\1a\1b", 5), " a=b end\n");
    assert_string_equal(request(&server, 9, "\xbe\xbf\xc0\xc1", 4), " a=b a=b a=b a=b end\n");
    h2_side_clear(&server);
}

static void an_evicted_entry_is_missed(void **state)
{
    struct h2_side server;
    struct raw raw = {0}, block = {0};
    (void)state;

    start(&server);
    request(&server, 1, "\x40\1a\1b", 5);
    for (uint32_t id = 3; id < 9; id += 2)
        assert_string_equal(request(&server, id, "\xbe", 1), " a=b end\n");
    /* A table of nothing must stand first in its block. */
    raw_bytes(&block, "\x20", 1);
    raw_block(&block, RAW_REQUEST_FIELDS);
    raw_frame(&raw, RAW_HEADERS, RAW_END_HEADERS | RAW_END_STREAM, 9, block.data, block.len);
    raw_clear(&block);
    assert_int_equal(h2_side_get(&server, &raw), 0);
    raw_block(&block, RAW_REQUEST_FIELDS);
    raw_bytes(&block, "\xbe", 1);
    raw_frame(&raw, RAW_HEADERS, RAW_END_HEADERS | RAW_END_STREAM, 11, block.data, block.len);
    raw_clear(&block);
    assert_true(h2_side_get(&server, &raw) < 0);
    assert_non_null(strstr(h2_side_take(&server), "GOAWAY last=11 code=9 "));
    h2_side_clear(&server);
}

static void malformed_blocks_stay_malformed(void **state)
{
    struct h2_side server;
    char expected[32];
    (void)state;

    start(&server);
    for (uint32_t id = 1; id < 9; id += 2) {
        snprintf(expected, sizeof(expected), "RST_STREAM %u 1\n", id);
        assert_string_equal(request(&server, id, "\0\1A\1b", 5), expected);
    }
    h2_side_clear(&server);
}

/* A head and trailers of the same bytes are two things. */
static void the_kind_of_a_head_counts(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    (void)state;

    start(&server);
    for (uint32_t id = 1; id < 9; id += 2) {
        raw_request(&raw, 0, id);
        raw_request(&raw, RAW_END_STREAM, id);
        assert_int_equal(h2_side_get(&server, &raw), 0);
        struct h2_user *user = CONTAINER_OF(server.last_user, struct h2_user, next);
        assert_string_equal(user->log, H2_REQUEST_LINE "\nclosed VIOLATION 1\n");
    }
    h2_side_clear(&server);
}

/* --- the tables themselves -------------------------------------------------------------------- */

#define FIELD(name_, value_)                                        \
    {                                                               \
        name_, value_, sizeof(name_) - 1, sizeof(value_) - 1, false \
    }

struct fixture {
    struct mem mem;
    struct hpack *hpack;
    struct memo_table memos;
    struct template_table templates;
};

static void open_fixture(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    pgrpc__mem_init(&fixture->mem, NULL);
    assert_int_equal(pgrpc__hpack_new(&fixture->mem, &fixture->hpack), 0);
}

static void close_fixture(struct fixture *fixture)
{
    pgrpc__memo_table_clear(&fixture->memos, &fixture->mem);
    pgrpc__template_table_clear(&fixture->templates, &fixture->mem);
    pgrpc__hpack_free(fixture->hpack);
    assert_int_equal(fixture->mem.live_bytes, 0);
    pgrpc__mem_clear(&fixture->mem);
}

/* Remembers a block that stands for |field|, twice; whether it is found then. */
static bool is_kept(struct fixture *fixture, const uint8_t *block, size_t len,
                    const struct header_field *field)
{
    struct head_block fields;
    struct head_check check = {0};
    struct memo_key key;

    pgrpc__head_block_init(&fields, &fixture->mem);
    assert_int_equal(pgrpc__head_block_add(&fields, field), 0);
    for (int i = 0; i < 2; i++) {
        pgrpc__memo_key_init(&key, block, len, H2_HEAD_REQUEST, fixture->hpack);
        assert_null(pgrpc__memo_find(&fixture->memos, &key));
        pgrpc__memo_remember(&fixture->memos, &fixture->mem, fixture->hpack, &key, &fields, &check);
    }
    pgrpc__head_block_clear(&fields);
    const struct head_memo *memo = pgrpc__memo_find(&fixture->memos, &key);
    if (!memo)
        return false;
    assert_int_equal(memo->head.count, 1);
    assert_int_equal(memo->head.fields[0].value_len, field->value_len);
    assert_memory_equal(memo->head.fields[0].value, field->value, field->value_len);
    return true;
}

static void what_is_sensitive_or_long_is_not_kept(void **state)
{
    static const struct header_field field = FIELD("name", "value");
    static const struct header_field secret = {"name", "value", 4, 5, true};
    static const uint8_t block[MEMO_BYTES + 1];
    char text[MEMO_BYTES];
    struct header_field longer = {"name", text, 4, MEMO_BYTES - 4, false};
    struct fixture fixture;
    (void)state;

    memset(text, 'x', sizeof(text));
    open_fixture(&fixture);
    assert_true(is_kept(&fixture, block, 10, &field));
    assert_false(is_kept(&fixture, block, 11, &secret));
    assert_true(is_kept(&fixture, block, MEMO_BYTES, &field));
    assert_false(is_kept(&fixture, block, MEMO_BYTES + 1, &field));
    assert_true(is_kept(&fixture, block, 12, &longer));
    longer.value_len++;
    assert_false(is_kept(&fixture, block, 13, &longer));
    close_fixture(&fixture);
}

static void a_template_is_shared_by_the_same_fields(void **state)
{
    static const struct header_field fields[] = {FIELD(":status", "200"), FIELD("a", "b")};
    static const struct header_field others[] = {FIELD(":status", "200"), FIELD("a", "c")};
    static const struct header_field secret[] = {{"a", "b", 1, 1, true}};
    struct fixture fixture;
    (void)state;

    open_fixture(&fixture);
    struct head_template *one = pgrpc__template_get(&fixture.templates, &fixture.mem, fields, 2);
    struct head_template *same = pgrpc__template_get(&fixture.templates, &fixture.mem, fields, 2);
    struct head_template *other = pgrpc__template_get(&fixture.templates, &fixture.mem, others, 2);
    struct head_template *a = pgrpc__template_get(&fixture.templates, &fixture.mem, secret, 1);
    struct head_template *b = pgrpc__template_get(&fixture.templates, &fixture.mem, secret, 1);
    assert_ptr_equal(one, same);
    assert_ptr_not_equal(one, other);
    assert_ptr_not_equal(a, b);
    assert_int_equal(a->block_cap, 0);
    assert_int_equal(one->count, 2);
    assert_memory_equal(one->fields[1].value, "b", 1);
    pgrpc__template_unref(one, &fixture.mem);
    pgrpc__template_unref(same, &fixture.mem);
    pgrpc__template_unref(other, &fixture.mem);
    pgrpc__template_unref(a, &fixture.mem);
    pgrpc__template_unref(b, &fixture.mem);
    pgrpc__template_unref(NULL, &fixture.mem);
    close_fixture(&fixture);
}

static void a_templates_block_holds_while_the_table_does(void **state)
{
    static const struct header_field field = FIELD("name", "value");
    struct fixture fixture;
    uint8_t block[100];
    (void)state;

    open_fixture(&fixture);
    struct head_template *head = pgrpc__template_get(&fixture.templates, &fixture.mem, &field, 1);
    assert_null(pgrpc__template_block(head, fixture.hpack));
    for (int i = 0; i < 2; i++) { /* the first enters the field: that block is not kept */
        uint32_t generation = pgrpc__hpack_encoder_generation(fixture.hpack);
        ssize_t len = pgrpc__hpack_encode(fixture.hpack, &field, 1, block, sizeof(block));
        pgrpc__template_keep(head, fixture.hpack, generation, block, (size_t)len);
        assert_int_equal(pgrpc__template_block(head, fixture.hpack) != NULL, i == 1);
    }
    assert_int_equal(head->block_len, 1);
    assert_int_equal(pgrpc__hpack_set_encoder_table(fixture.hpack, 100), 0);
    assert_null(pgrpc__template_block(head, fixture.hpack));
    pgrpc__template_unref(head, &fixture.mem);
    close_fixture(&fixture);
}

/* Answers to different clients of one connection, over a table that changes. */
static void answers_are_what_was_asked_for(void **state)
{
    struct h2_side server;
    struct raw raw = {0};
    char expected[200];
    (void)state;

    start(&server);
    for (uint32_t id = 1; id < 60; id += 2) {
        char value[8];
        snprintf(value, sizeof(value), "%u", id % 5);
        struct header_field fields[] = {{":status", "200", 7, 3, false},
                                        {"x", value, 1, 1, id % 7 == 0},
                                        {"y", "always", 1, 6, false}};
        if (id % 16 == 9) {
            raw_settings(&raw, 1, id % 32 == 9 ? 0 : 4096, 0);
            assert_int_equal(h2_side_get(&server, &raw), 0);
            assert_string_equal(h2_side_take(&server), "SETTINGS ACK\n");
        }
        struct h2_user *user = h2_side_request(&server, id);
        assert_int_equal(pgrpc__h2_stream_respond(&user->stream, fields, 3, true), 0);
        snprintf(expected, sizeof(expected), "HEADERS %u END_STREAM :status=200 x=%s%s y=always\n",
                 id, value, id % 7 == 0 ? " (never indexed)" : "");
        assert_string_equal(h2_side_take(&server), expected);
    }
    h2_side_clear(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_block_means_the_same_fields),
        cmocka_unit_test(the_same_block_means_others_when_the_table_has_changed),
        cmocka_unit_test(blocks_that_enter_fields_are_never_kept),
        cmocka_unit_test(an_evicted_entry_is_missed),
        cmocka_unit_test(malformed_blocks_stay_malformed),
        cmocka_unit_test(the_kind_of_a_head_counts),
        cmocka_unit_test(what_is_sensitive_or_long_is_not_kept),
        cmocka_unit_test(a_template_is_shared_by_the_same_fields),
        cmocka_unit_test(a_templates_block_holds_while_the_table_does),
        cmocka_unit_test(answers_are_what_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
