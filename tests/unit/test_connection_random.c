/*
 * Random conversations: frames that make sense, frames that do not, and everything a user of the
 * connection may do, in any order.  Nothing may break, every stream must end once, and nothing may
 * be left.  RANDOM_SEED and RANDOM_ROUNDS in the environment replay or prolong a run.
 */
#include "../support/unit.h"
#include "../support/h2_side.h"

#include <stdio.h>
#include <stdlib.h>

enum { CALLS = 6, ROUNDS = 1500, MAX_STREAMS = 2000 };

static uint64_t seed;
static uint8_t data[100000];

/* What the peer of hand-made frames knows of its streams, by half the id. */
static struct {
    bool exists;
    bool has_head;
    bool has_ended;
} streams[MAX_STREAMS];
static uint32_t stream_count; /* requests made so far ... */
static uint32_t known_count;  /* ... and received by the peer */

static uint32_t roll(uint32_t sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % sides);
}

static bool one_in(uint32_t sides)
{
    return roll(sides) == 0;
}

static uint32_t new_id(void)
{
    streams[stream_count].exists = true;
    known_count = stream_count + 1;
    return 2 * stream_count++ + 1;
}

/* A stream on which the peer may still send, 0 when none is found. */
static uint32_t some_id(void)
{
    for (int tries = 0; tries < 10 && known_count > 0; tries++) {
        uint32_t index = known_count - 1 - roll(known_count < 12 ? known_count : 12);
        if (streams[index].exists && !streams[index].has_ended)
            return 2 * index + 1;
    }
    return 0;
}

static void ended(uint32_t id)
{
    streams[id / 2].has_ended = true;
}

static void add_large_head(struct raw *raw, uint32_t id, const char *fields)
{
    struct raw block = {0};
    char *value = test_calloc(1, 17001);
    memset(value, 'x', roll(17000));
    raw_block(&block, fields);
    raw_field(&block, "large", value);
    size_t first = block.len < 16384 ? block.len : 16384;
    raw_frame(raw, RAW_HEADERS, 0, id, block.data, first);
    raw_frame(raw, RAW_CONTINUATION, RAW_END_HEADERS, id, block.data + first, block.len - first);
    raw_clear(&block);
    test_free(value);
}

/* What a peer should not send. */
static void add_nonsense(struct raw *raw)
{
    uint8_t bytes[40];
    switch (roll(5)) {
    case 0:
        raw_window_update(raw, 2 * roll(stream_count + 1) + 1, 0x7fffffff * roll(2));
        break;
    case 1:
        raw_settings(raw, roll(7) + 1, roll(100000), 4, roll(70000), 0);
        break;
    case 2:
        raw_data(raw, (uint8_t)roll(2), 2 * roll(stream_count + 1) + 1, data, roll(100));
        break;
    default:
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)roll(256);
        raw_frame(raw, (uint8_t)roll(16), (uint8_t)roll(256), roll(12), bytes, roll(40));
        break;
    }
}

static void add_start(struct raw *raw, bool is_server)
{
    const char *fields = is_server ? RAW_REQUEST_FIELDS : H2_RESPONSE_FIELDS;
    uint8_t end = one_in(2) ? RAW_END_STREAM : 0;
    uint32_t id = is_server && stream_count < MAX_STREAMS ? new_id() : some_id();
    if (id == 0 || streams[id / 2].has_head)
        return;
    if (!is_server && one_in(5)) {
        raw_headers(raw, 0, id, ":status=103|a=b");
        return;
    }
    streams[id / 2].has_head = true;
    if (one_in(20)) {
        add_large_head(raw, id, fields);
        return;
    }
    if (one_in(20))
        fields = is_server ? ":method=POST|:scheme=http" : "no=status";
    raw_headers(raw, end, id, fields);
    if (end)
        ended(id);
}

static void add_more(struct raw *raw)
{
    uint8_t end = one_in(4) ? RAW_END_STREAM : 0;
    uint32_t id = some_id();
    if (id == 0 || !streams[id / 2].has_head)
        return;
    if (one_in(8)) {
        raw_headers(raw, RAW_END_STREAM, id, one_in(3) ? "Bad=x" : "grpc-status=0");
        ended(id);
    } else if (one_in(10)) {
        raw_rst(raw, id, roll(15));
        ended(id);
    } else {
        raw_data(raw, end | (one_in(8) ? RAW_PADDED : 0), id, data,
                 one_in(4) ? roll(16385) : roll(100) + 1);
        if (end)
            ended(id);
    }
}

static void add_frame(struct raw *raw, bool is_server, bool is_wild)
{
    switch (roll(30)) {
    case 0:
        raw_window_update(raw, one_in(2) ? 0 : some_id(), roll(100000) + 1);
        break;
    case 1:
        raw_settings(raw, 3, roll(20), 4, roll(70000), 0);
        break;
    case 2:
        if (one_in(30))
            raw_settings_ack(raw);
        break;
    case 3:
        if (one_in(4))
            raw_ping(raw, (uint8_t)roll(2), one_in(2) ? "draining" : "keeppico");
        break;
    case 4:
        if (one_in(20))
            raw_goaway(raw, one_in(2) ? 0x7fffffff : 2 * roll(20) + 1, roll(14), "debug");
        break;
    case 5:
        if (is_wild && one_in(4))
            add_nonsense(raw);
        break;
    case 6:
        raw_frame(raw, 250, (uint8_t)roll(256), roll(12), "unknown", 7);
        break;
    default:
        if (one_in(3))
            add_start(raw, is_server);
        else
            add_more(raw);
        break;
    }
}

/* Something that a user may do with a stream. */
static void act(struct h2_user *user)
{
    bool can_send = !user->output_end && user->stream.connection;
    user->log[0] = '\0';
    switch (roll(8)) {
    case 0:
        if (can_send && user->stream.is_server && !user->stream.has_head)
            h2_user_respond(user, one_in(4));
        break;
    case 1:
        if (can_send)
            h2_user_send(user, data, roll(sizeof(data)), one_in(4));
        break;
    case 2:
        if (can_send && user->stream.is_server)
            h2_user_finish(user);
        break;
    case 3:
        pgrpc__h2_stream_consume(&user->stream, roll((uint32_t)user->stream.buffered_bytes + 1));
        break;
    case 4:
        pgrpc__h2_stream_expect(&user->stream, one_in(3) ? 0 : roll(300000));
        break;
    case 5:
        pgrpc__h2_stream_resume(&user->stream);
        break;
    default:
        break;
    }
}

/* Handlers that still run. */
enum { HOLDS_MAX = 10000 };
static struct h2_hold holds[HOLDS_MAX];
static size_t hold_count;

static void act_on_requests(struct h2_side *side)
{
    struct h2_user **at = &side->users;
    while (*at) {
        struct h2_user *user = *at;
        act(user);
        if (one_in(12)) {
            *at = user->next;
            if (one_in(2)) {
                assert_true(hold_count < HOLDS_MAX);
                pgrpc__h2_connection_hold(side->connection, &holds[hold_count++]);
            }
            h2_user_release(user, (enum h2_error)roll(10));
            free(user);
        } else {
            at = &user->next;
        }
    }
    side->last_user = at;
}

static void act_on_calls(struct h2_side *side, struct h2_user calls[CALLS])
{
    for (int i = 0; i < CALLS; i++) {
        struct h2_user *call = &calls[i];
        if (!call->stream.connection) {
            if (!side->config.is_server && one_in(3) && h2_user_open(call, side, one_in(2)) == 0 &&
                call->stream.id / 2 < MAX_STREAMS) {
                stream_count = (uint32_t)call->stream.id / 2 + 1;
                streams[call->stream.id / 2].exists = true;
            }
        } else if (one_in(10)) {
            h2_user_release(call, (enum h2_error)roll(10));
            h2_user_init(call, side);
        } else {
            act(call);
        }
    }
}

static void act_on_connection(struct h2_side *side)
{
    side->log[0] = '\0';
    if (one_in(200))
        pgrpc__h2_connection_drain(side->connection, "drain");
    if (one_in(300))
        pgrpc__h2_connection_abort(side->connection, (enum h2_error)roll(14), "abort");
    if (one_in(300))
        pgrpc__h2_connection_lost(side->connection, "lost");
    if (one_in(4))
        h2_side_pass(side, roll(3000));
    if (one_in(2)) {
        h2_side_take(side);
        known_count = stream_count;
    }
}

static void configure(struct h2_connection_config *config, bool is_server, size_t *quota)
{
    h2_side_config(config, is_server);
    config->quota_used = quota;
    if (one_in(2))
        config->quota_limit = 100000;
    if (one_in(4))
        config->max_concurrent_streams = roll(20);
    if (one_in(2))
        config->keepalive_ms = 1000;
    if (one_in(4))
        config->stream_window = roll(200000) + 1;
    if (one_in(4))
        config->connection_window = roll(300000) + 1;
}

static void converse(void)
{
    struct h2_connection_config config;
    struct h2_user calls[CALLS];
    struct h2_side side;
    struct raw raw = {0};
    size_t quota = 0;
    bool is_server = one_in(2), is_wild = one_in(2);

    memset(streams, 0, sizeof(streams));
    stream_count = known_count = 0;
    configure(&config, is_server, &quota);
    assert_int_equal(h2_side_init(&side, is_server, &config, NULL), 0);
    side.consumes = one_in(2);
    for (int i = 0; i < CALLS; i++)
        h2_user_init(&calls[i], &side);
    if (is_server && !one_in(20))
        raw_magic(&raw);
    if (!one_in(20))
        raw_settings(&raw, 0);
    for (uint32_t step = roll(80); step > 0; step--) {
        for (uint32_t frames = roll(6); frames > 0; frames--)
            add_frame(&raw, is_server, is_wild);
        size_t len = one_in(3) ? roll((uint32_t)raw.len + 1) : raw.len;
        h2_side_receive(&side, raw.data, len);
        struct raw rest = {0};
        if (raw.len > len)
            raw_bytes(&rest, raw.data + len, raw.len - len);
        raw_clear(&raw);
        raw = rest;
        act_on_calls(&side, calls);
        act_on_requests(&side);
        if (hold_count > 0 && one_in(3))
            pgrpc__h2_connection_unhold(&holds[--hold_count]);
        act_on_connection(&side);
    }
    raw_clear(&raw);
    if (one_in(2)) {
        pgrpc__h2_connection_free(side.connection);
        side.connection = NULL;
    }
    for (int i = 0; i < CALLS; i++)
        h2_user_release(&calls[i], H2_CANCEL);
    h2_side_clear(&side);
    assert_int_equal(quota, 0);
    /* These outlive the connection. */
    for (; hold_count > 0; hold_count--)
        assert_null(holds[hold_count - 1].connection);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void random_conversations_break_nothing(void **state)
{
    uint64_t start = number_from("RANDOM_SEED", 20240229);
    uint64_t rounds = number_from("RANDOM_ROUNDS", ROUNDS);
    (void)state;
    print_message("RANDOM_SEED=%llu\n", (unsigned long long)start);
    for (uint64_t round = 0; round < rounds; round++) {
        seed = (start + round) * 7919;
        converse();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_conversations_break_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
