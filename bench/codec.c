/*
 * One way to decode or encode one message, again and again, for who counts instructions:
 *
 *   codec WAY MESSAGE COUNT     ours-decode, stock-decode, stock-arena-decode, ours-encode,
 * stock-encode codec write MESSAGE FILE    the bytes
 *
 * MESSAGE is small, medium or large.  Encoding counts the size as well: a receiver is told it
 * first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "codec.pb-c.h"
#include "codec/codec.h"

enum { ARENA_LEN = 1024, SCRATCH_LEN = 2048, RECORDS_MAX = 200 }; /* as a call has them */

static void *make(size_t size)
{
    void *pointer = calloc(1, size);
    if (!pointer)
        abort();
    return pointer;
}

/* --- the messages ------------------------------------------------------------------------------
 */

static char text_memory[RECORDS_MAX * 256];
static size_t text_used;

__attribute__((format(printf, 1, 2))) static char *text(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *start = text_memory + text_used;
    size_t room = sizeof(text_memory) - text_used;
    int len = vsnprintf(start, room, format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= room)
        abort();
    text_used += (size_t)len + 1;
    return start;
}

static ProtobufCMessage *make_small(void)
{
    static Bench__Small__Pet pets[2];
    static Bench__Small__Pet *pet_pointers[] = {&pets[0], &pets[1]};
    static Bench__Small small;
    static Bench__SmallRequest request;
    bench__small__pet__init(&pets[0]);
    bench__small__pet__init(&pets[1]);
    bench__small__init(&small);
    bench__small_request__init(&request);
    pets[0].name = text("Bof the dog");
    pets[0].colour = BENCH__SMALL__COLOUR__BLUE;
    pets[1].name = text("Kim the cat");
    pets[1].colour = BENCH__SMALL__COLOUR__RED;
    small.name = text("a name");
    small.double_number = 4.55332;
    small.float_number = 232.3F;
    small.flag = 1;
    small.number = 32;
    small.long_number = 444325235223;
    small.choice_case = BENCH__SMALL__CHOICE_TEXT;
    small.text = text("ofcouse");
    small.n_pets = 2;
    small.pets = pet_pointers;
    request.request = &small;
    return &request.base;
}

static Bench__Record *make_record(int number)
{
    static const char *const cities[] = {"Berlin", "Z\xc3\xbcrich", "Reykjavik", "Rome"};
    Bench__Record *record = make(sizeof(*record));
    bench__record__init(record);
    record->id = 1000000 + 7919 * number;
    record->name = text("Customer number %d", number);
    record->email = text("customer%d@mail.example.org", number);
    record->n_tags = 2;
    record->tags = make(2 * sizeof(char *));
    record->tags[0] = text("new");
    record->tags[1] = text("prepaid");
    record->address = make(sizeof(*record->address));
    bench__record__address__init(record->address);
    record->address->street = text("%d Main Street", number + 1);
    record->address->city = text("%s", cities[number % 4]);
    record->address->country = text("XY");
    record->address->zip = 10000 + number;
    record->n_labels = 1;
    record->labels = make(sizeof(*record->labels));
    record->labels[0] = make(sizeof(*record->labels[0]));
    bench__record__labels_entry__init(record->labels[0]);
    record->labels[0]->key = text("tier");
    record->labels[0]->value = text(number % 2 ? "gold" : "silver");
    record->n_scores = 6;
    record->scores = make(6 * sizeof(int32_t));
    for (int i = 0; i < 6; i++)
        record->scores[i] = i * 37 + number;
    record->balance = number * 12.75;
    record->is_active = number % 3 != 0;
    record->created = make(sizeof(*record->created));
    bench__record__time__init(record->created);
    record->created->seconds = 1700000000 + number;
    record->created->nanos = number * 1000;
    record->token.len = 16;
    record->token.data = make(16);
    return record;
}

static ProtobufCMessage *make_page(bool is_large)
{
    static Bench__Page page;
    static Bench__Record *records[RECORDS_MAX];
    static int32_t deltas[1500];
    static double samples[1000];
    static uint8_t picture[20000];
    bench__page__init(&page);
    page.n_records = is_large ? RECORDS_MAX : 9;
    page.records = records;
    for (size_t i = 0; i < page.n_records; i++)
        records[i] = make_record((int)i + 1);
    page.next = text("bmV4dCBwYWdl");
    page.total = 123456;
    if (is_large) {
        page.n_deltas = sizeof(deltas) / sizeof(deltas[0]);
        page.deltas = deltas;
        for (size_t i = 0; i < page.n_deltas; i++)
            deltas[i] = (int32_t)(i * i % 701) - 200;
        page.n_samples = sizeof(samples) / sizeof(samples[0]);
        page.samples = samples;
        for (size_t i = 0; i < page.n_samples; i++)
            samples[i] = (double)i / 7;
        page.picture.len = sizeof(picture);
        page.picture.data = picture;
    }
    return &page.base;
}

/* --- the ways ----------------------------------------------------------------------------------
 */

struct work {
    const ProtobufCMessage *message;
    const ProtobufCMessageDescriptor *type;
    const uint8_t *data;
    size_t len;
    uint8_t *output;
    struct arena arena;
    char *bump, *bump_start;
};

static void check(bool is_fine)
{
    if (!is_fine) {
        fprintf(stderr, "codec: failed\n");
        exit(1);
    }
}

static void ours_decode(struct work *work)
{
    const void *message;
    const char *error;
    pgrpc__arena_reset(&work->arena);
    check(pgrpc_codec_proto.decode(work->type, work->data, work->len, codec_arena(&work->arena),
                                   &message, &error) == PGRPC_OK);
}

static void stock_decode(struct work *work)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(work->type, NULL, work->len, work->data);
    check(message);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void *bump(void *data, size_t size)
{
    struct work *work = data;
    void *pointer = work->bump;
    work->bump += (size + 7) & ~(size_t)7;
    return pointer;
}

static void keep(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

static void stock_arena_decode(struct work *work)
{
    ProtobufCAllocator allocator = {bump, keep, work};
    work->bump = work->bump_start;
    check(protobuf_c_message_unpack(work->type, &allocator, work->len, work->data));
}

static void ours_encode(struct work *work)
{
    _Alignas(16) char first[SCRATCH_LEN];
    struct arena scratch;
    const uint8_t *data;
    size_t len;
    pgrpc__arena_init(&scratch, &pgrpc__default_allocator, first, sizeof(first));
    check(
        pgrpc_codec_proto.serialize(work->type, work->message, codec_arena(&scratch), &data, &len));
    check(len == work->len);
    memcpy(work->output, data, len);
    pgrpc__arena_clear(&scratch);
}

static void stock_encode(struct work *work)
{
    check(protobuf_c_message_get_packed_size(work->message) == work->len);
    protobuf_c_message_pack(work->message, work->output);
}

/* --- attacks -----------------------------------------------------------------------------------
 */

/* Messages in one another, as many as fit: each length is that of what follows. */
static void fill_depth(uint8_t *data, size_t len)
{
    size_t at = 0;
    while (len - at >= 6) {
        size_t inner = len - at - 6;
        data[at++] = 0x0a;
        for (int i = 0; i < 5; i++, inner >>= 7)
            data[at++] = (uint8_t)((inner & 0x7f) | (i < 4 ? 0x80 : 0));
    }
}

static int bomb(const char *name, size_t len)
{
    static const struct {
        const char *name, *pattern;
        size_t pattern_len;
    } bombs[] = {
        {"depth", NULL, 0},
        {"groups", "\x2b", 1},
        {"merge-numbers", "\x0a\x02\x20\x01", 4},
        {"merge-messages", "\x0a\x04\x12\x00\x12\x00", 6},
        {"merge-deep", "\x0a\x06\x0a\x04\x0a\x02\x20\x01", 8},
        {"messages", "\x12\x00", 2},
        {"texts", "\x1a\x00", 2},
        {"unknown", "\x28\x01", 2},
        {"in-turn", "\x12\x00\x20\x01\x28\x01", 6},
    };
    uint8_t *data = make(len);
    struct arena arena;
    const void *message;
    const char *error = "";
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    arena.budget = CODEC_BUDGET_FACTOR * len;
    for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
        size_t pattern_len = bombs[i].pattern_len;
        if (strcmp(name, bombs[i].name) != 0)
            continue;
        if (!bombs[i].pattern)
            fill_depth(data, len);
        else
            len -= len % pattern_len;
        for (size_t j = 0; bombs[i].pattern && j < len; j += pattern_len)
            memcpy(data + j, bombs[i].pattern, pattern_len);
        enum pgrpc_code code = pgrpc_codec_proto.decode(&bench__node__descriptor, data, len,
                                                        codec_arena(&arena), &message, &error);
        printf("%s\n", code == PGRPC_OK ? "ok" : code == PGRPC_INTERNAL ? "malformed" : "budget");
        pgrpc__arena_clear(&arena);
        free(data);
        return 0;
    }
    return 2;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct work *);
    } ways[] = {
        {"ours-decode", ours_decode},
        {"stock-decode", stock_decode},
        {"stock-arena-decode", stock_arena_decode},
        {"ours-encode", ours_encode},
        {"stock-encode", stock_encode},
    };
    if (argc != 4)
        return 2;
    if (strcmp(argv[1], "bomb") == 0)
        return bomb(argv[2], 1024 * (size_t)atol(argv[3]));
    struct work work;
    work.message =
        strcmp(argv[2], "small") == 0 ? make_small() : make_page(strcmp(argv[2], "large") == 0);
    work.type = work.message->descriptor;
    work.len = protobuf_c_message_get_packed_size(work.message);
    uint8_t *data = make(work.len);
    protobuf_c_message_pack(work.message, data);
    work.data = data;
    if (strcmp(argv[1], "write") == 0) {
        FILE *file = fopen(argv[3], "wb");
        check(file && fwrite(data, 1, work.len, file) == work.len && fclose(file) == 0);
        return 0;
    }

    work.output = make(work.len);
    work.bump_start = make(64 * work.len + 65536);
    pgrpc__arena_init(&work.arena, &pgrpc__default_allocator, make(ARENA_LEN), ARENA_LEN);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(argv[1], ways[i].name) == 0) {
            for (long count = atol(argv[3]); count > 0; count--)
                ways[i].run(&work);
            return 0;
        }
    }
    return 2;
}
