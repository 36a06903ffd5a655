/* HPACK behind our own types: blocks whole and in pieces, the generations, the checks of texts. */
#include "../support/unit.h"
#include "../support/rawframe.h"

#include <stdio.h>

#include "h2/hpack.h"

#define FIELD(name_, value_)                                        \
    {                                                               \
        name_, value_, sizeof(name_) - 1, sizeof(value_) - 1, false \
    }

struct fixture {
    struct mem mem;
    struct hpack *hpack;
    char text[1024];
};

static void open_fixture(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    pgrpc__mem_init(&fixture->mem, NULL);
    assert_int_equal(pgrpc__hpack_new(&fixture->mem, &fixture->hpack), 0);
}

static void close_fixture(struct fixture *fixture)
{
    pgrpc__hpack_free(fixture->hpack);
    assert_int_equal(fixture->mem.live_bytes, 0);
    pgrpc__mem_clear(&fixture->mem);
}

static int note(void *userdata, const struct header_field *field)
{
    struct fixture *fixture = userdata;
    size_t len = strlen(fixture->text);
    snprintf(fixture->text + len, sizeof(fixture->text) - len, "%.*s=%.*s%s|", (int)field->name_len,
             field->name, (int)field->value_len, field->value, field->is_sensitive ? "!" : "");
    return strcmp(field->name, "stop") == 0 ? -ENOMEM : 0;
}

static int decode(struct fixture *fixture, const void *block, size_t len, bool is_last)
{
    fixture->text[0] = '\0';
    return pgrpc__hpack_decode(fixture->hpack, block, len, is_last, note, fixture);
}

static void what_is_encoded_is_decoded(void **state)
{
    static const struct header_field fields[] = {
        FIELD(":status", "200"), FIELD("name", "value"), {"secret", "s", 6, 1, true}};
    struct fixture fixture;
    uint8_t block[200];
    (void)state;

    open_fixture(&fixture);
    assert_true(pgrpc__hpack_bound(fields, 3) <= sizeof(block));
    for (int i = 0; i < 3; i++) {
        ssize_t len = pgrpc__hpack_encode(fixture.hpack, fields, 3, block, sizeof(block));
        assert_true(len > 0);
        assert_int_equal(decode(&fixture, block, (size_t)len, true), 0);
        assert_string_equal(fixture.text, ":status=200|name=value|secret=s!|");
    }
    close_fixture(&fixture);
}

static void many_fields_are_encoded(void **state)
{
    struct header_field fields[50];
    struct fixture fixture;
    uint8_t block[2000];
    (void)state;

    open_fixture(&fixture);
    for (int i = 0; i < 50; i++)
        fields[i] = (struct header_field)FIELD("n", "v");
    assert_true(pgrpc__hpack_bound(fields, 50) <= sizeof(block));
    ssize_t len = pgrpc__hpack_encode(fixture.hpack, fields, 50, block, sizeof(block));
    assert_int_equal(decode(&fixture, block, (size_t)len, true), 0);
    assert_int_equal(strlen(fixture.text), 50 * 4);
    close_fixture(&fixture);
}

static void a_block_may_come_in_pieces(void **state)
{
    struct raw block = {0};
    struct fixture fixture;
    char all[1024];
    (void)state;

    open_fixture(&fixture);
    raw_block(&block, RAW_REQUEST_FIELDS);
    all[0] = '\0';
    for (size_t i = 0; i < block.len; i++) {
        assert_int_equal(decode(&fixture, block.data + i, 1, false), 0);
        strcat(all, fixture.text);
    }
    assert_int_equal(decode(&fixture, "", 0, true), 0);
    strcat(all, fixture.text);
    assert_int_equal(decode(&fixture, block.data, block.len, true), 0);
    assert_string_equal(all, fixture.text);
    raw_clear(&block);
    close_fixture(&fixture);
}

static void what_is_no_hpack_is_said_so(void **state)
{
    struct fixture fixture;
    (void)state;

    open_fixture(&fixture);
    assert_int_equal(decode(&fixture, "\x80", 1, true), -EBADMSG); /* index 0 */
    close_fixture(&fixture);
    open_fixture(&fixture);
    assert_int_equal(decode(&fixture, "\xbe", 1, true), -EBADMSG); /* not in the table */
    close_fixture(&fixture);
    open_fixture(&fixture);
    assert_int_equal(decode(&fixture, "\x40\x05na", 4, true), -EBADMSG); /* cut */
    close_fixture(&fixture);
    open_fixture(&fixture);
    assert_int_equal(decode(&fixture, "\0\4stop\1x\x82", 9, true), -ENOMEM);
    assert_string_equal(fixture.text, "stop=x|");
    close_fixture(&fixture);
}

static void the_decoders_generation_counts_changes_of_the_table(void **state)
{
    struct fixture fixture;
    (void)state;

    open_fixture(&fixture);
    uint32_t start = pgrpc__hpack_decoder_generation(fixture.hpack);
    assert_int_equal(decode(&fixture, "\x82\0\1a\1b", 6, true), 0);
    assert_int_equal(decode(&fixture, "\x10\1a\1b", 5, true), 0);
    assert_int_equal(pgrpc__hpack_decoder_generation(fixture.hpack), start);
    assert_int_equal(decode(&fixture, "\x40\1a\1b", 5, true), 0); /* enters the table */
    assert_true(pgrpc__hpack_decoder_generation(fixture.hpack) > start);
    start = pgrpc__hpack_decoder_generation(fixture.hpack);
    assert_int_equal(decode(&fixture, "\xbe", 1, true), 0);
    assert_int_equal(pgrpc__hpack_decoder_generation(fixture.hpack), start);
    assert_int_equal(decode(&fixture, "\x20\x82", 2, true), 0); /* a table of nothing */
    assert_true(pgrpc__hpack_decoder_generation(fixture.hpack) > start);
    start = pgrpc__hpack_decoder_generation(fixture.hpack);
    assert_int_equal(decode(&fixture, "\x82", 1, false), 0); /* in pieces: it may */
    assert_int_equal(decode(&fixture, "\x84", 1, true), 0);
    assert_true(pgrpc__hpack_decoder_generation(fixture.hpack) > start);
    close_fixture(&fixture);
}

static void the_encoders_generation_counts_changes_of_the_table(void **state)
{
    static const struct header_field field = FIELD("name", "value");
    struct fixture fixture;
    uint8_t first[100], second[100], third[100];
    (void)state;

    open_fixture(&fixture);
    uint32_t start = pgrpc__hpack_encoder_generation(fixture.hpack);
    pgrpc__hpack_encode(fixture.hpack, &field, 1, first, sizeof(first));
    uint32_t entered = pgrpc__hpack_encoder_generation(fixture.hpack);
    assert_true(entered > start);
    assert_int_equal(pgrpc__hpack_encode(fixture.hpack, &field, 1, second, sizeof(second)), 1);
    assert_int_equal(pgrpc__hpack_encode(fixture.hpack, &field, 1, third, sizeof(third)), 1);
    assert_int_equal(second[0], third[0]);
    assert_int_equal(pgrpc__hpack_encoder_generation(fixture.hpack), entered);
    assert_int_equal(pgrpc__hpack_set_encoder_table(fixture.hpack, 0), 0);
    uint32_t resized = pgrpc__hpack_encoder_generation(fixture.hpack);
    assert_true(resized > entered);
    ssize_t len = pgrpc__hpack_encode(fixture.hpack, &field, 1, first, sizeof(first));
    assert_true(len > 1);
    assert_int_equal(first[0], 0x20); /* says the size first */
    assert_true(pgrpc__hpack_encoder_generation(fixture.hpack) > resized);
    close_fixture(&fixture);
}

static void blocks_that_change_the_table_are_told_from_others(void **state)
{
    static const struct {
        const char *block;
        size_t len;
        bool changes;
    } cases[] = {
        {"", 0, false},
        {"\x82\xff\x80\x01\xbe", 5, false},       /* indexed, one with a long number */
        {"\x04\x01/\x14\x01/", 6, false},         /* not indexed, never indexed */
        {"\0\1a\x81\xff", 5, false},              /* with a name */
        {"\x0f\x0f\1a", 4, false},                /* a long index */
        {"\x82\x44\1/", 4, true},                 /* indexed from now on */
        {"\x40\1a\1b", 5, true},                  /* ... with a name */
        {"\x20", 1, true},                        /* sizes */
        {"\x3f\xe1\x1f\x82", 4, true},            /* ... */
        {"\x82\x04\x05/", 4, true},               /* cut: who knows */
        {"\xff", 1, true},                        /* ... */
        {"\x04", 1, true},                        /* ... */
        {"\xff\xff\xff\xff\xff\xff\xff", 7, true} /* no number ends */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (pgrpc__hpack_changes_table((const uint8_t *)cases[i].block, cases[i].len) !=
            cases[i].changes)
            fail_msg("case %zu", i);
    }
}

static void texts_are_checked(void **state)
{
    (void)state;
    assert_true(pgrpc__hpack_is_name("x-name", 6));
    assert_false(pgrpc__hpack_is_name("X-name", 6));
    assert_false(pgrpc__hpack_is_name("x name", 6));
    assert_false(pgrpc__hpack_is_name("", 0));
    assert_true(pgrpc__hpack_is_value(" a b ", 5));
    assert_true(pgrpc__hpack_is_value("", 0));
    assert_false(pgrpc__hpack_is_value("a\nb", 3));
    assert_true(pgrpc__hpack_is_method("POST", 4));
    assert_false(pgrpc__hpack_is_method("PO ST", 5));
    assert_true(pgrpc__hpack_is_path("/a.B/c", 6));
    assert_false(pgrpc__hpack_is_path("/a b", 4));
    assert_true(pgrpc__hpack_is_authority("host:1", 6));
    assert_false(pgrpc__hpack_is_authority("a b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(many_fields_are_encoded),
        cmocka_unit_test(a_block_may_come_in_pieces),
        cmocka_unit_test(what_is_no_hpack_is_said_so),
        cmocka_unit_test(the_decoders_generation_counts_changes_of_the_table),
        cmocka_unit_test(the_encoders_generation_counts_changes_of_the_table),
        cmocka_unit_test(blocks_that_change_the_table_are_told_from_others),
        cmocka_unit_test(texts_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
