#include "phrases.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIELDS_MAX = 4096 };

int world_set_up(void **state)
{
    struct world *world = malloc(sizeof(*world));
    if (!world)
        return -1;
    world_init(world);
    *state = world;
    return 0;
}

int world_tear_down(void **state)
{
    struct world *world = *state;
    world_clear(world);
    free(world);
    return 0;
}

/* --- heads --------------------------------------------------------------------------------------
 */

/* Length of the name at |field|: up to the '=' or the '|'. */
static size_t name_len(const char *field)
{
    return strcspn(field, "=|");
}

static void append(char *fields, const char *field, size_t len)
{
    size_t used = strlen(fields);
    assert_true(used + len + 2 < FIELDS_MAX);
    if (used)
        fields[used++] = '|';
    memcpy(fields + used, field, len);
    fields[used + len] = '\0';
}

/* The change that concerns |field|, NULL when there is none. */
static const char *find_change(const char *changes, const char *field)
{
    size_t len = name_len(field);
    while (*changes) {
        const char *name = changes + (*changes == '-');
        if (name_len(name) == len && memcmp(name, field, len) == 0)
            return changes;
        changes += strcspn(changes, "|");
        changes += *changes == '|';
    }
    return NULL;
}

static void say_head(struct world *world, uint8_t flags, uint32_t id, const char *usual,
                     const char *changes)
{
    char fields[FIELDS_MAX] = "";
    for (const char *field = usual; *field;) {
        size_t len = strcspn(field, "|");
        const char *change = find_change(changes, field);
        if (!change)
            append(fields, field, len);
        else if (*change != '-')
            append(fields, change, strcspn(change, "|"));
        field += len + (field[len] == '|');
    }
    for (const char *change = changes; *change;) {
        size_t len = strcspn(change, "|");
        if (*change == '+')
            append(fields, change + 1, len - 1);
        else if (*change != '-' && !find_change(usual, change))
            append(fields, change, len);
        change += len + (change[len] == '|');
    }
    raw_headers(&world->out, flags, id, fields);
}

void world_request(struct world *world, uint8_t flags, uint32_t id, const char *changes)
{
    say_head(world, flags, id, RAW_REQUEST_FIELDS, changes);
}

void world_response(struct world *world, uint8_t flags, uint32_t id, const char *changes)
{
    say_head(world, flags, id, ":status=200|content-type=application/grpc", changes);
}

void world_trailers(struct world *world, uint32_t id, const char *fields)
{
    raw_headers(&world->out, RAW_END_STREAM, id, fields);
}

void world_framed(struct world *world, uint8_t flags, uint32_t id, uint8_t flag, const void *data,
                  size_t len)
{
    uint8_t *framed = malloc(len + 5);
    assert_non_null(framed);
    framed[0] = flag;
    framed[1] = (uint8_t)(len >> 24);
    framed[2] = (uint8_t)(len >> 16);
    framed[3] = (uint8_t)(len >> 8);
    framed[4] = (uint8_t)len;
    if (len)
        memcpy(framed + 5, data, len);
    raw_data(&world->out, flags, id, framed, len + 5);
    free(framed);
}

/* --- hearing ------------------------------------------------------------------------------------
 */

const char *world_hear(struct world *world)
{
    static const char *const names[] = {"HEADERS ", "DATA ", "RST_STREAM "};
    char id[16];
    size_t id_len = (size_t)snprintf(id, sizeof(id), "%u", (unsigned)world->id);
    const char *line = world_talk_streams(world);
    char *heard = world->heard;
    size_t left = sizeof(world->heard);
    heard[0] = '\0';
    while (*line) {
        const char *rest = line;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            size_t len = strlen(names[i]);
            if (strncmp(line, names[i], len) == 0 && strncmp(line + len, id, id_len) == 0 &&
                strchr(" \n", line[len + id_len])) {
                int written = snprintf(heard, left, "%sID", names[i]);
                heard += written;
                left -= (size_t)written;
                rest = line + len + id_len;
            }
        }
        size_t len = strcspn(rest, "\n") + 1;
        assert_true(len < left);
        memcpy(heard, rest, len);
        heard += len;
        left -= len;
        *heard = '\0';
        line = rest + len;
    }
    return world->heard;
}

/* --- our server ---------------------------------------------------------------------------------
 */

void world_serve(struct world *world, const struct pgrpc_server_options *options)
{
    world_start_server(world, options);
    assert_non_null(world->server);
    world_greet_server(world);
    assert_string_equal(world_talk_streams(world), "");
}

static uint32_t next_id(struct world *world)
{
    world->id = world->id ? world->id + 2 : 1;
    return world->id;
}

const char *world_ask(struct world *world, const char *changes, const char *text)
{
    uint32_t id = next_id(world);
    world_request(world, text ? 0 : RAW_END_STREAM, id, changes);
    if (text)
        world_message(world, RAW_END_STREAM, id, text);
    return world_hear(world);
}

/* --- our client ---------------------------------------------------------------------------------
 */

struct world_call *world_begin(struct world *world, enum world_method method, const char *request,
                               const struct pgrpc_call_options *options)
{
    if (!world->channel)
        world_start_client(world, NULL);
    unsigned connections = world->connection_count;
    struct world_call *call = world_call(world, method, request, options);
    const char *frames = world_talk_streams(world);
    if (world->connection_count > connections) {
        assert_string_equal(frames, "MAGIC\n");
        world_greet_client(world);
        frames = world_talk_streams(world);
    }
    const char *head = strstr(frames, "HEADERS ");
    unsigned id = 0;
    if (head)
        assert_int_equal(sscanf(head, "HEADERS %u", &id), 1);
    world->id = id;
    /* The frames once more, now that the stream is known. */
    snprintf(world->heard, sizeof(world->heard), "%s", frames);
    char number[24];
    snprintf(number, sizeof(number), " %u ", id);
    for (char *place = strstr(world->heard, number); id && place; place = strstr(place, number)) {
        size_t len = strlen(number);
        memmove(place + 4, place + len, strlen(place + len) + 1);
        memcpy(place, " ID ", 4);
        place += 4;
    }
    return call;
}

void world_answer(struct world *world, const char *text)
{
    world_response(world, 0, world->id, "");
    if (text)
        world_message(world, 0, world->id, text);
    world_trailers(world, world->id, "grpc-status=0");
}

void world_check_done(const struct world_call *call, enum pgrpc_code code, const char *message)
{
    assert_true(call->is_done);
    assert_string_equal(pgrpc_code_name(call->code), pgrpc_code_name(code));
    assert_string_equal(call->message, message);
}

/* --- still there --------------------------------------------------------------------------------
 */

void world_check(struct world *world)
{
    if (world->server) {
        assert_string_equal(world_ask(world, "", "again"), WORLD_ECHO("10", "\\x05"
                                                                            "again"));
        return;
    }
    unsigned connections = world->connection_count;
    struct world_call *call = world_begin(world, WORLD_UNARY, "again", NULL);
    assert_int_equal(world->connection_count, connections);
    assert_string_equal(
        world->heard,
        WORLD_REQUEST("/test.Echo/Say") "DATA ID END_STREAM 10 \"\\x00\\x00\\x00\\x00\\x05"
                                        "again\"\n");
    world_answer(world, "good");
    assert_string_equal(world_talk_streams(world), "");
    assert_string_equal(call->log, "headers\nmessage 4 good\nend\ndone OK\n");
}
