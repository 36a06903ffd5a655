/*
 * The client on picogrpc: runs cases (../README.md says what each must show) and prints one line
 * for each.  A case passes when it does with the blocking and with the asynchronous API.
 */
#include "exchange.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT "Grüße ☺ 😈"
#define ERROR_MESSAGE "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈, 100% %41 \t\n"
#define ERROR_DETAIL "why ☺"

static const struct pgrpc_metadatum echoed[] = {
    {"x-echo-ascii", "plain, with comma", 17},
    {"x-echo-dup", "first", 5},
    {"x-echo-dup", "second", 6},
    {"x-echo-dup", "first", 5},
    {"x-echo-bytes-bin", "\x00\x01\x02\xff\x00\xfe\x80", 7},
    {"x-echo-dup-bin", "\x00", 1},
    {"x-echo-dup-bin", "\x00\x00", 2},
    {"x-echo-dup-bin", "\xff", 1},
    {"x-echo-empty-bin", "", 0},
};
enum { ECHOED_COUNT = sizeof echoed / sizeof *echoed };

/* The state of the case that runs. */
static struct client client;
static void (*run)(struct client *client, struct exchange *x);
static const char *target, *ca, *other_ca, *peer = "";
static char problem[1024]; /* why the case failed; "" while it has not */
static char note[1024];

static bool peer_is(const char *name)
{
    return strcmp(peer, name) == 0;
}

static void write_text(char *to, size_t size, const char *format, va_list arguments)
{
    vsnprintf(to, size, format, arguments);
    for (char *c = to; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
}

/* Keeps the first reason. Always false. */
PGRPC_PRINTF(1, 2) static bool failed(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (problem[0] == '\0')
        write_text(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return false;
}

PGRPC_PRINTF(1, 2) static void set_note(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_text(note, sizeof note, format, arguments);
    va_end(arguments);
}

/* --- exchanges -------------------------------------------------------------------------------- */

static bool has_one_request(enum kind kind)
{
    return kind == UNARY || kind == SERVER_STREAM;
}

static Request make_request(const char *text, size_t payload_len)
{
    Request request = PICOGRPC__PEERTEST__REQUEST__INIT;

    request.text = (char *)text;
    request.payload.data = (uint8_t *)pattern();
    request.payload.len = payload_len;
    return request;
}

/* The usual requests of a kind: one, or |count| of them where the client streams. */
static void script(struct exchange *x, enum kind kind, uint32_t count, Request *request)
{
    *x = (struct exchange){.kind = kind};
    request->reply_count = has_one_request(kind) ? count : 1;
    x->request_count = has_one_request(kind) ? 1 : count;
    for (size_t i = 0; i < x->request_count; i++)
        x->requests[i] = request;
}

static bool check_reply(const struct exchange *x, size_t i, const Reply *want)
{
    const Reply *reply = x->replies[i];

    if (strcmp(reply->text, want->text) != 0)
        return failed("reply %zu: text '%s', not '%s'", i, reply->text, want->text);
    if (reply->payload.len != want->payload.len ||
        memcmp(reply->payload.data ? reply->payload.data : pattern(), pattern(),
               want->payload.len) != 0)
        return failed("reply %zu: payload of %zu bytes is wrong", i, reply->payload.len);
    if (reply->index != i)
        return failed("reply %zu: index %u", i, reply->index);
    if (reply->received_count != want->received_count ||
        reply->received_bytes != want->received_bytes || reply->received_sum != want->received_sum)
        return failed("reply %zu: received %u messages, %u bytes, sum %u, not %u, %u, %u", i,
                      reply->received_count, reply->received_bytes, reply->received_sum,
                      want->received_count, want->received_bytes, want->received_sum);
    if (x->timeout_ms == 0 && reply->deadline_ms != -1)
        return failed("reply %zu: deadline %lld ms where none was set", i,
                      (long long)reply->deadline_ms);
    return true;
}

/* Compares all replies with what the script says. */
static bool check(const struct exchange *x)
{
    static const Request no_request = PICOGRPC__PEERTEST__REQUEST__INIT;
    bool streams = x->kind == SERVER_STREAM || x->kind == BIDI;
    const Request *last = &no_request;
    Reply want = PICOGRPC__PEERTEST__REPLY__INIT;
    size_t wanted = 0;
    char text[4096] = "";

    for (size_t i = 0; i < x->request_count && last->failure == NULL; i++) {
        last = x->requests[i];
        want.received_count++;
        want.received_bytes += (uint32_t)last->payload.len;
        want.received_sum += sum(last->payload.data, last->payload.len);
        want.payload.len = last->reply_bytes;
        want.text = last->text;
        strncat(text, last->text, sizeof text - strlen(text) - 1);
        for (uint32_t n = 0; streams && n < last->reply_count; n++, wanted++)
            if (wanted < x->reply_count && !check_reply(x, wanted, &want))
                return false;
    }
    if (!streams && last->failure == NULL) {
        want.text = text;
        if (x->reply_count > 0 && !check_reply(x, 0, &want))
            return false;
        wanted++;
    }
    if (x->reply_count != wanted)
        return failed("%zu replies, not %zu", x->reply_count, wanted);
    return true;
}

static bool has_status(const struct exchange *x, int code, const char *message)
{
    if (x->code != code || (message != NULL && strcmp(x->message, message) != 0))
        return failed("status %d '%s', not %d '%s'", x->code, x->message, code,
                      message ? message : "");
    return true;
}

/* Runs it, and expects OK and all replies. The caller clears it. */
static bool succeed(struct exchange *x)
{
    run(&client, x);
    return has_status(x, PGRPC_OK, NULL) && check(x);
}

static char *make_id(enum kind kind)
{
    static char id[64];
    static int count;

    snprintf(id, sizeof id, "c-%ld-%d-%d", (long)getpid(), (int)kind, count++);
    return id;
}

/* --- cases ------------------------------------------------------------------------------------ */

/* Sends a message only after the reply to the one before. */
static bool ping_pong(void)
{
    struct pgrpc_call *call = Picogrpc__Peertest__PeerTest__bidi__open(client.channel, NULL);
    const Reply *reply = NULL;
    bool good = call != NULL;

    for (int i = 0; i < 5 && good; i++) {
        Request request = make_request("", 0);
        char text[16];

        snprintf(text, sizeof text, "ping %d", i);
        request.text = text;
        request.reply_count = 1;
        good = Picogrpc__Peertest__PeerTest__bidi__send_request(call, &request) == PGRPC_IO_DONE &&
               Picogrpc__Peertest__PeerTest__bidi__recv_reply(call, &reply) == PGRPC_IO_DONE &&
               strcmp(reply->text, text) == 0;
    }
    good = good && pgrpc_call_close_send(call) == PGRPC_IO_DONE &&
           Picogrpc__Peertest__PeerTest__bidi__recv_reply(call, &reply) == PGRPC_IO_END;
    if (!good)
        failed("ping-pong: %s", call ? pgrpc_call_status(call)->message : "out of memory");
    pgrpc_call_unref(call);
    return good;
}

static bool basic(enum kind kind)
{
    Request request = make_request(TEXT, 5), empty = make_request("", 0);
    struct exchange x;
    bool good;

    request.reply_bytes = 10;
    script(&x, kind, 5, &request);
    good = succeed(&x);
    exchange_clear(&x);
    if (good && kind == BIDI)
        good = ping_pong();
    if (!good)
        return false;
    script(&x, kind, 0, &empty);
    good = succeed(&x);
    exchange_clear(&x);
    return good;
}

static bool large(enum kind kind)
{
    size_t size = kind == UNARY ? 1000000 : 100000;
    Request request = make_request("x", size);
    struct exchange x;
    bool good;

    request.reply_bytes = (uint32_t)size;
    script(&x, kind, kind == UNARY ? 1 : 20, &request);
    good = succeed(&x);
    exchange_clear(&x);
    return good;
}

/* Whether |pairs| has exactly the echoed values of |key| under |name|. */
static bool has_values(const struct pairs *pairs, const char *name, const char *key,
                       const char *where)
{
    size_t at = 0;

    if (peer_is("node") && strcmp(key, "x-echo-dup") == 0) {
        static const char joined[] = "first, second, first";

        set_note("limit: the peer joins the values of one key");
        for (size_t i = 0; i < pairs->count; i++)
            if (strcmp(pairs->items[i].key, name) == 0 &&
                strcmp(pairs->items[i].value, joined) == 0)
                return true;
        return failed("%s %s is not '%s'", where, name, joined);
    }
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].key, name) != 0)
            continue;
        while (at < ECHOED_COUNT && strcmp(echoed[at].key, key) != 0)
            at++;
        if (at == ECHOED_COUNT)
            return failed("%s %s: more values than were sent", where, name);
        if (pairs->items[i].len != echoed[at].len ||
            memcmp(pairs->items[i].value, echoed[at].value, echoed[at].len) != 0)
            return failed("%s %s: a value of %zu bytes differs", where, name, pairs->items[i].len);
        at++;
    }
    while (at < ECHOED_COUNT && strcmp(echoed[at].key, key) != 0)
        at++;
    return at == ECHOED_COUNT || failed("%s %s: a value is missing", where, name);
}

static bool has_key(const struct pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->items[i].key, key) == 0)
            return true;
    return false;
}

/* Compares headers with what was sent, and trailers under their longer name. */
static bool check_echo(const struct exchange *x)
{
    for (size_t i = 0; i < ECHOED_COUNT; i++) {
        const char *key = echoed[i].key;
        char trailer[128];

        snprintf(trailer, sizeof trailer, TRAILER_PREFIX "%s", key + strlen(ECHO_PREFIX));
        if (!has_values(&x->headers, key, key, "header") ||
            !has_values(&x->trailers, trailer, key, "trailer"))
            return false;
        if (has_key(&x->headers, trailer) || has_key(&x->trailers, key))
            return failed("headers and trailers of %s are mixed up", key);
    }
    return true;
}

static bool metadata(enum kind kind)
{
    Request request = make_request(TEXT, 0);
    struct exchange x;
    bool good;

    script(&x, kind, 2, &request);
    x.metadata = echoed;
    x.metadata_count = ECHOED_COUNT;
    good = succeed(&x) && check_echo(&x);
    exchange_clear(&x);
    return good;
}

static bool check_details(const struct exchange *x)
{
    RpcStatus *status = picogrpc__peertest__rpc_status__unpack(NULL, x->details_len, x->details);
    Detail *detail = NULL;
    bool good = status != NULL && status->n_details == 1;

    if (good && strcmp(status->details[0]->type_url, DETAIL_TYPE) == 0)
        detail = picogrpc__peertest__detail__unpack(NULL, status->details[0]->value.len,
                                                    status->details[0]->value.data);
    good = good && detail != NULL && strcmp(detail->text, ERROR_DETAIL) == 0 && status->code == 9 &&
           strcmp(status->message, ERROR_MESSAGE) == 0;
    if (status != NULL)
        picogrpc__peertest__rpc_status__free_unpacked(status, NULL);
    if (detail != NULL)
        picogrpc__peertest__detail__free_unpacked(detail, NULL);
    return good || failed("details of %zu bytes are wrong", x->details_len);
}

static bool fails_with(enum kind kind, Failure *failure, const struct pgrpc_metadatum *echo)
{
    Request request = make_request(TEXT, 0), last;
    struct exchange x;
    bool good;

    script(&x, kind, 2, &request);
    last = request;
    last.failure = failure;
    x.requests[x.request_count - 1] = &last;
    x.metadata = echo;
    x.metadata_count = echo != NULL ? ECHOED_COUNT : 0;
    run(&client, &x);
    good = has_status(&x, (int)failure->code, failure->message) && check(&x);
    if (good && failure->detail[0] != '\0')
        good = check_details(&x);
    else if (good && x.details != NULL)
        good = failed("details where there are none");
    if (good && echo != NULL)
        good = check_echo(&x);
    exchange_clear(&x);
    return good;
}

static bool error(enum kind kind)
{
    Failure rich = PICOGRPC__PEERTEST__FAILURE__INIT, bare = PICOGRPC__PEERTEST__FAILURE__INIT;

    rich.code = 9;
    rich.message = (char *)ERROR_MESSAGE;
    rich.detail = (char *)ERROR_DETAIL;
    bare.code = 5;
    return fails_with(kind, &rich, echoed) && fails_with(kind, &bare, NULL);
}

/* Lets the server end the call while the client still has 10 MB to send. */
static bool early(enum kind kind)
{
    Failure failure = PICOGRPC__PEERTEST__FAILURE__INIT;
    Request first = make_request("", 0), more = make_request("", 50000);
    struct exchange x;
    bool good;

    failure.code = 8;
    failure.message = (char *)"enough";
    first.failure = &failure;
    script(&x, kind, 201, &more);
    x.requests[0] = &first;
    run(&client, &x);
    good = has_status(&x, 8, "enough");
    exchange_clear(&x);
    return good;
}

static bool has_ended(const Observation *observation)
{
    return observation->ended;
}

static bool was_cancelled(const Observation *observation)
{
    return observation->ended && observation->cancelled;
}

static bool deadline(enum kind kind)
{
    Request request = make_request("", 0);
    Observation seen = PICOGRPC__PEERTEST__OBSERVATION__INIT;
    struct exchange x;
    bool good;

    script(&x, kind, 1, &request);
    x.timeout_ms = 30000;
    good = succeed(&x);
    if (good && (x.replies[0]->deadline_ms <= 20000 || x.replies[0]->deadline_ms > 31000))
        good = failed("of 30 s the server sees %lld ms", (long long)x.replies[0]->deadline_ms);
    exchange_clear(&x);
    if (!good)
        return false;
    request.call_id = make_id(kind);
    request.hold = true;
    script(&x, kind, 1, &request);
    x.timeout_ms = 700;
    run(&client, &x);
    good = has_status(&x, PGRPC_DEADLINE_EXCEEDED, NULL);
    exchange_clear(&x);
    if (!good)
        return false;
    if (!observe(&client, request.call_id, has_ended, &seen))
        return failed("the server's handler does not end");
    if (!seen.cancelled || seen.deadline_ms < 1 || seen.deadline_ms > 730)
        return failed("the server saw %lld ms, %s", (long long)seen.deadline_ms,
                      seen.cancelled ? "cancelled" : "not cancelled");
    set_note("server saw %lld of 700 ms", (long long)seen.deadline_ms);
    return true;
}

static bool cancel(enum kind kind)
{
    Request request = make_request("", 0);
    struct exchange x;
    bool good;

    if (kind == UNARY && run == exchange_run_blocking)
        return true; /* a one-shot call cannot be cancelled */
    request.call_id = make_id(kind);
    request.hold = has_one_request(kind);
    script(&x, kind, 1, &request);
    x.cancel_id = request.call_id;
    run(&client, &x);
    good = has_status(&x, PGRPC_CANCELLED, NULL);
    exchange_clear(&x);
    if (good && !observe(&client, request.call_id, was_cancelled, NULL))
        good = failed("the server never saw it");
    return good;
}

static bool check_gzip(const struct exchange *x)
{
    const Reply *last = x->replies[x->reply_count - 1];
    const char *cannot = "", *blind = "";
    size_t compressed = 0;

    for (size_t i = 0; i < x->reply_count; i++) {
        if (x->compressed[i] != !!x->replies[i]->sent_compressed)
            return failed("reply %zu: sent %scompressed, arrived otherwise", i,
                          x->compressed[i] ? "un" : "");
        compressed += !!x->replies[i]->sent_compressed;
    }
    if (compressed == 0 && peer_is("node"))
        cannot = "limit: the peer's server cannot compress; ";
    else if (compressed == 0)
        return failed("no reply was compressed");
    if (!last->sees_compression)
        blind = "limit: the peer's server cannot see the flag; ";
    else if (last->received_compressed != x->sent_compressed)
        return failed("the server saw %u of %zu requests compressed, not %zu",
                      last->received_compressed, x->request_count, x->sent_compressed);
    set_note("%s%s%zu of %zu requests and %zu of %zu replies compressed", cannot, blind,
             x->sent_compressed, x->request_count, compressed, x->reply_count);
    return true;
}

static bool gzip(enum kind kind)
{
    Request request = make_request(TEXT, 20000);
    struct exchange x;
    bool good;

    request.reply_bytes = 20000;
    request.compress_replies = true;
    script(&x, kind, 4, &request);
    x.gzip = true;
    good = succeed(&x) && check_gzip(&x);
    exchange_clear(&x);
    return good;
}

/* --- cases of no kind ------------------------------------------------------------------------- */

static void count_done(struct pgrpc_call *call, void *userdata)
{
    int *left = userdata;
    const Reply *reply;
    enum pgrpc_io io = Picogrpc__Peertest__PeerTest__unary__recv_reply(call, &reply);

    if (pgrpc_call_status(call)->code != PGRPC_OK)
        failed("status %d '%s'", (int)pgrpc_call_status(call)->code,
               pgrpc_call_status(call)->message);
    else if (io != PGRPC_IO_DONE || strncmp(reply->text, "concurrent ", 11) != 0)
        failed("a wrong reply, or none");
    --*left;
}

static bool concurrent(enum kind kind)
{
    struct pgrpc_call_events events = {.size = sizeof events, .on_done = count_done};
    int left = 0;

    (void)kind;
    for (int i = 0; i < 100; i++) {
        char text[32];
        Request request = make_request(text, 0);

        snprintf(text, sizeof text, "concurrent %d", i);
        request.delay_ms = 20;
        if (Picogrpc__Peertest__PeerTest__unary__start(client.loop_channel, &request, NULL, &events,
                                                       &left) == NULL)
            return failed("out of memory");
        left++;
    }
    while (left > 0)
        if (pgrpc_loop_dispatch(client.loop, -1) < 0)
            return failed("the loop failed");
    return problem[0] == '\0';
}

static bool unimplemented(enum kind kind)
{
    static const struct pgrpc_method missing = {
        .path = "/picogrpc.peertest.PeerTest/Missing",
        .request_type = &picogrpc__peertest__request__descriptor,
        .reply_type = &picogrpc__peertest__reply__descriptor,
    };
    Request request = make_request("", 0);
    struct pgrpc_result result = {0};
    bool good;

    (void)kind;
    Picogrpc__Peertest__NotServed__missing(client.channel, &request, NULL, &result);
    good = result.status.code == PGRPC_UNIMPLEMENTED ||
           failed("service: %d '%s'", (int)result.status.code, result.status.message);
    if (good) {
        pgrpc_call_unary(client.channel, &missing, &request, NULL, &result);
        good = result.status.code == PGRPC_UNIMPLEMENTED ||
               failed("method: %d '%s'", (int)result.status.code, result.status.message);
    }
    pgrpc_result_clear(&result);
    return good;
}

static struct pgrpc_channel *open_channel(const char *ca_file, struct pgrpc_loop *loop)
{
    struct pgrpc_tls_options tls = {.size = sizeof tls, .ca_file = ca_file};
    struct pgrpc_channel_options options = {.size = sizeof options, .loop = loop};
    struct pgrpc_credentials *made = NULL;
    struct pgrpc_channel *channel;
    struct pgrpc_error error;

    if (ca_file != NULL && pgrpc_credentials_new_tls_client(&tls, &made, &error) != PGRPC_OK)
        die("%s", error.text);
    if (pgrpc_channel_new(target, made ? made : pgrpc_credentials_insecure(), &options, &channel,
                          &error) != PGRPC_OK)
        die("%s", error.text);
    pgrpc_credentials_unref(made);
    return channel;
}

static bool untrusted(enum kind kind)
{
    struct pgrpc_channel *stranger = open_channel(other_ca, NULL);
    struct pgrpc_result result = {0};
    Request request = make_request("", 0);
    bool good;

    (void)kind;
    Picogrpc__Peertest__PeerTest__unary(stranger, &request, NULL, &result);
    good = result.status.code == PGRPC_UNAVAILABLE ||
           failed("status %d '%s'", (int)result.status.code, result.status.message);
    set_note("%s", result.status.message);
    pgrpc_result_clear(&result);
    pgrpc_channel_unref(stranger);
    return good;
}

/* --- main ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*run)(enum kind kind);
} features[] = {
    {"basic", basic},           {"large", large},
    {"metadata", metadata},     {"error", error},
    {"early", early},           {"deadline", deadline},
    {"cancel", cancel},         {"gzip", gzip},
    {"concurrent", concurrent}, {"unimplemented", unimplemented},
    {"untrusted", untrusted},
};
static const char *const kinds[] = {"unary", "server_stream", "client_stream", "bidi"};

static void run_case(const char *name)
{
    static void (*const modes[])(struct client *, struct exchange *) = {exchange_run_blocking,
                                                                        exchange_run_async};
    const char *feature = strchr(name, '.');
    bool (*test)(enum kind kind) = NULL;
    enum kind kind = UNARY;

    for (size_t i = 0; feature != NULL && i < sizeof features / sizeof *features; i++)
        if (strcmp(features[i].name, feature + 1) == 0)
            test = features[i].run;
    for (int i = 0; feature != NULL && i < 4; i++)
        if (strncmp(kinds[i], name, strlen(kinds[i])) == 0 && name[strlen(kinds[i])] == '.')
            kind = (enum kind)i;
    problem[0] = note[0] = '\0';
    for (int i = 0; test != NULL && i < 2 && problem[0] == '\0'; i++) {
        run = modes[i];
        if (!test(kind)) {
            printf("%s fail %s: %s\n", name, i == 0 ? "blocking" : "asynchronous",
                   problem[0] ? problem : "no reason given");
            fflush(stdout);
            return;
        }
    }
    if (test == NULL)
        printf("%s fail this client has no such case\n", name);
    else
        printf("%s pass %s\n", name, note);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {
        {"target", required_argument, NULL, 't'},   {"ca", required_argument, NULL, 'a'},
        {"other-ca", required_argument, NULL, 'o'}, {"peer", required_argument, NULL, 'p'},
        {"cases", required_argument, NULL, 'c'},    {NULL, 0, NULL, 0}};
    char *cases = NULL;
    int flag;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 't')
            target = optarg;
        else if (flag == 'a')
            ca = optarg;
        else if (flag == 'o')
            other_ca = optarg;
        else if (flag == 'p')
            peer = optarg;
        else if (flag == 'c')
            cases = optarg;
        else
            return 2;
    }
    if (target == NULL || cases == NULL)
        die("--target or --cases is missing");
    pattern(); /* before there are threads */
    client.loop = pgrpc_loop_new(NULL);
    if (client.loop == NULL)
        die("no loop");
    client.channel = open_channel(ca, NULL);
    client.loop_channel = open_channel(ca, client.loop);
    for (char *rest = cases, *name; (name = strsep(&rest, ",")) != NULL;)
        run_case(name);
    pgrpc_channel_unref(client.channel);
    pgrpc_channel_unref(client.loop_channel);
    pgrpc_loop_free(client.loop);
    return 0;
}
