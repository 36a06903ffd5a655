#include "../support/unit.h"
#include "../support/faulty_allocator.h"
#include "../support/raw_tls.h"
#include "../support/tls_pair.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/socket.h"
#include "io/tls.h"

enum { CAPACITY = 64 * 1024 };

static struct certificate ca, server_identity;
static struct pgrpc_credentials *for_client, *for_server;
static struct pgrpc_loop *loop;
static struct tls_pair pair;

static int make_certificates(void **state)
{
    (void)state;
    certificate_make(&ca, &(struct certificate_wishes){.name = "test CA", .is_ca = true});
    certificate_make(&server_identity, &(struct certificate_wishes){
                                           .name = "server",
                                           .alternative_names = "DNS:localhost,IP:127.0.0.1,IP:::1",
                                           .usage = "serverAuth",
                                           .issuer = &ca});
    for_client = client_credentials(&ca, NULL);
    for_server = server_credentials(&server_identity, NULL);
    return 0;
}

static int drop_certificates(void **state)
{
    (void)state;
    pgrpc_credentials_unref(for_client);
    pgrpc_credentials_unref(for_server);
    certificate_clear(&ca);
    certificate_clear(&server_identity);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    memset(&pair, 0, sizeof(pair));
    loop = pgrpc_loop_new(NULL);
    return pgrpc__loop_take_lock(loop);
}

static int tear_down(void **state)
{
    (void)state;
    tls_pair_clear(&pair);
    settle(loop);
    /* The loop's own table of watches and timers may stay. */
    assert_true(loop->mem.live_bytes < 4096);
    pgrpc__loop_leave_lock(loop);
    pgrpc_loop_free(loop);
    assert_int_equal(ERR_peek_error(), 0);
    return 0;
}

/* What comes before the first byte, session tickets, must be taken out of a narrow pipe. */
static void read_nothing(struct watcher *watcher)
{
    assert_int_equal(stream_read(watcher->stream, (char[1]){0}, 1), -EAGAIN);
}

static void connect_pair(size_t capacity)
{
    tls_pair_init(&pair, loop, capacity, for_client, for_server, "localhost");
    pair.client_watcher.on_readable = read_nothing;
    settle(loop);
    pair.client_watcher.on_readable = NULL;
    pair.client_watcher.readable = 0;
    if (pair.client_watcher.ready + pair.server_watcher.ready != 2)
        fail_msg("client: %s; server: %s", pair.client_watcher.text, pair.server_watcher.text);
}

/* Reads what is there, as the owner of a stream does in on_readable. */
struct sink {
    unsigned char *data;
    size_t len;
    size_t step;    /* bytes per read */
    ssize_t result; /* the last that was not positive */
};

static void read_into_sink(struct watcher *watcher)
{
    struct sink *sink = watcher->userdata;
    ssize_t len = stream_read(watcher->stream, sink->data + sink->len, sink->step);
    if (len > 0)
        sink->len += (size_t)len;
    else
        sink->result = len;
}

static void sink_init(struct sink *sink, struct watcher *watcher, size_t cap, size_t step)
{
    *sink = (struct sink){.data = malloc(cap + step), .step = step, .result = 1};
    watcher->on_readable = read_into_sink;
    watcher->userdata = sink;
    watcher->stream->ops->pause_reading(watcher->stream, false);
}

static unsigned char *pattern(size_t len)
{
    unsigned char *data = malloc(len);
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned char)((i * 2654435761u) >> 13);
    return data;
}

/* Writes all of |data|, with turns in between. */
static void write_all(struct bytestream *stream, const unsigned char *data, size_t len)
{
    size_t sent = 0;
    while (sent < len) {
        ssize_t taken = stream_write(stream, data + sent, len - sent);
        if (taken > 0)
            sent += (size_t)taken;
        else
            assert_int_equal(taken, -EAGAIN);
        settle(loop);
    }
}

/* --- handshake ----------------------------------------------------------------------------------
 */

static void both_ends_are_ready_and_know_each_other(void **state)
{
    (void)state;
    tls_pair_init(&pair, loop, CAPACITY, for_client, for_server, "localhost");
    assert_int_equal(stream_write(pair.client, "x", 1), -EAGAIN);
    assert_int_equal(stream_read(pair.client, (char[1]){0}, 1), -EAGAIN);
    assert_string_equal(pair.client->ops->peer(pair.client)->security, "insecure");
    settle(loop);
    assert_int_equal(pair.client_watcher.ready, 1);
    assert_int_equal(pair.server_watcher.ready, 1);
    const struct bytestream_peer *peer = pair.client->ops->peer(pair.client);
    assert_string_equal(peer->address, "pipe:");
    assert_string_equal(peer->security, "tls");
    assert_string_equal(peer->subject, "CN=server,O=picogrpc");
    peer = pair.server->ops->peer(pair.server);
    assert_string_equal(peer->security, "tls");
    assert_null(peer->subject);
}

static void a_handshake_byte_by_byte(void **state)
{
    struct pipe_faults faults = {.max_read = 1, .max_write = 1};
    (void)state;
    tls_pair_init(&pair, loop, 3, for_client, for_server, "localhost");
    pair.client_watcher.on_readable = read_nothing;
    pgrpc__pipe_set_faults(pair.client_pipe, &faults);
    pgrpc__pipe_set_faults(pair.server_pipe, &faults);
    settle(loop);
    assert_int_equal(pair.client_watcher.ready, 1);
    assert_int_equal(pair.server_watcher.ready, 1);
}

static void a_paused_end_still_shakes_hands(void **state)
{
    (void)state;
    tls_pair_init(&pair, loop, CAPACITY, for_client, for_server, "localhost");
    pair.client->ops->pause_reading(pair.client, true);
    pair.server->ops->pause_reading(pair.server, true);
    settle(loop);
    assert_int_equal(pair.client_watcher.ready, 1);
    assert_int_equal(pair.server_watcher.ready, 1);
    stream_write(pair.client, "x", 1);
    settle(loop);
    assert_int_equal(pair.server_watcher.readable, 0);
    pair.server->ops->pause_reading(pair.server, false);
    settle(loop);
    assert_int_equal(pair.server_watcher.readable, 1);
}

static void a_peer_that_leaves_during_the_handshake(void **state)
{
    (void)state;
    tls_pair_init(&pair, loop, CAPACITY, NULL, for_server, NULL);
    settle(loop);
    stream_free(pair.client);
    pair.client = NULL;
    settle(loop);
    assert_int_equal(pair.server_watcher.failed, 1);
    assert_string_equal(pair.server_watcher.text,
                        "TLS handshake with pipe:: the peer closed the connection");
}

static void a_connection_that_breaks_during_the_handshake(void **state)
{
    struct pipe_faults faults = {.read_error = ECONNRESET};
    (void)state;
    tls_pair_init(&pair, loop, CAPACITY, for_client, NULL, "localhost");
    settle(loop);
    pgrpc__pipe_set_faults(pair.client_pipe, &faults);
    settle(loop);
    assert_int_equal(pair.client_watcher.failed, 1);
    assert_string_equal(pair.client_watcher.text,
                        "TLS handshake with pipe:: connection reset by peer");
}

static void plaintext_is_recognised(void **state)
{
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    (void)state;
    tls_pair_init(&pair, loop, CAPACITY, for_client, NULL, "localhost");
    settle(loop);
    stream_write(pair.server, http, sizeof(http) - 1);
    settle(loop);
    assert_int_equal(pair.client_watcher.failed, 1);
    assert_non_null(strstr(pair.client_watcher.text, "does the peer speak plaintext?"));
    tls_pair_clear(&pair);
    tls_pair_init(&pair, loop, CAPACITY, NULL, for_server, NULL);
    settle(loop);
    stream_write(pair.client, preface, sizeof(preface) - 1);
    settle(loop);
    assert_int_equal(pair.server_watcher.failed, 1);
    assert_non_null(strstr(pair.server_watcher.text, "does the peer speak plaintext?"));
}

static void a_failed_connect_below_is_passed_on(void **state)
{
    struct socket_address address;
    struct bytestream *below;
    char text[64], error[256];
    int port, fd;
    (void)state;
    pgrpc__socket_listen("127.0.0.1:0", false, &fd, &port, error, sizeof(error));
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    close(fd);
    pgrpc__address_parse(text, &address, error, sizeof(error));
    assert_int_equal(pgrpc__socket_connect(loop, &address, &below), 0);
    assert_int_equal(pgrpc__tls_new(loop, below, for_client, "localhost", &pair.client), 0);
    watcher_init(&pair.client_watcher, pair.client);
    while (!pair.client_watcher.failed)
        pgrpc__loop_turn(loop, -1);
    assert_memory_equal(pair.client_watcher.text, "connecting to ipv4:", 19);
}

static void hosts_that_no_certificate_can_be_for(void **state)
{
    struct bytestream *first, *second;
    char host[300];
    (void)state;
    memset(host, 'h', sizeof(host));
    host[299] = '\0';
    const char *hosts[] = {NULL, "", ".", host};
    for (size_t i = 0; i < 4; i++) {
        pgrpc__pipe_new(loop, 100, &first, &second);
        assert_int_equal(pgrpc__tls_new(loop, first, for_client, hosts[i], &pair.client), -EINVAL);
        stream_free(second);
    }
    assert_null(pair.client);
}

/* --- bytes --------------------------------------------------------------------------------------
 */

static void bytes_go_both_ways(size_t capacity, const struct pipe_faults *faults, size_t len,
                               size_t step)
{
    struct sink at_server, at_client;
    unsigned char *data = pattern(len);
    connect_pair(capacity);
    if (faults) {
        pgrpc__pipe_set_faults(pair.client_pipe, faults);
        pgrpc__pipe_set_faults(pair.server_pipe, faults);
    }
    sink_init(&at_server, &pair.server_watcher, len, step);
    sink_init(&at_client, &pair.client_watcher, len, step);
    write_all(pair.client, data, len);
    write_all(pair.server, data, len);
    settle(loop);
    assert_int_equal(at_server.len, len);
    assert_int_equal(at_client.len, len);
    assert_memory_equal(at_server.data, data, len);
    assert_memory_equal(at_client.data, data, len);
    free(at_server.data);
    free(at_client.data);
    free(data);
}

static void much_through_a_wide_pipe(void **state)
{
    (void)state;
    bytes_go_both_ways(1 << 20, NULL, 1 << 20, 64 * 1024);
}

static void much_through_a_narrow_pipe(void **state)
{
    (void)state;
    bytes_go_both_ways(1000, NULL, 300000, 1 << 15);
}

static void bytes_one_by_one(void **state)
{
    struct pipe_faults faults = {.max_read = 1, .max_write = 1};
    (void)state;
    bytes_go_both_ways(50, &faults, 5000, 100);
}

static void tiny_reads_of_large_records(void **state)
{
    (void)state;
    /* All of it is inside OpenSSL at once; nothing comes from below any more. */
    bytes_go_both_ways(1 << 20, NULL, 100000, 100);
}

static void vectors_become_records(void **state)
{
    struct iovec vectors[40];
    struct sink sink;
    unsigned char *data = pattern(100000);
    size_t len = 0;
    (void)state;
    connect_pair(1 << 20);
    sink_init(&sink, &pair.server_watcher, 100000, 1 << 15);
    for (size_t i = 0; i < 40; i++) {
        vectors[i] = (struct iovec){data + len, (i * i * 37) % 5000};
        len += vectors[i].iov_len;
    }
    assert_int_equal(pair.client->ops->writev(pair.client, vectors, 40), len);
    settle(loop);
    assert_int_equal(sink.len, len);
    assert_memory_equal(sink.data, data, len);
    free(sink.data);
    free(data);
}

static void half_a_record_does_not_spin(void **state)
{
    struct pipe_faults frozen = {.write_error = EAGAIN}, thawed = {.max_write = 0};
    struct sink sink;
    unsigned char *data = pattern(2000);
    (void)state;
    connect_pair(500);
    sink_init(&sink, &pair.server_watcher, 2000, 4096);
    assert_int_equal(stream_write(pair.client, data, 2000), 2000);
    pgrpc__pipe_set_faults(pair.client_pipe, &frozen);
    settle(loop); /* comes to an end */
    assert_int_equal(sink.len, 0);
    assert_int_equal(sink.result, -EAGAIN);
    assert_int_equal(stream_write(pair.client, "x", 1), -EAGAIN);
    pgrpc__pipe_set_faults(pair.client_pipe, &thawed);
    settle(loop);
    assert_int_equal(pair.client_watcher.writable, 1);
    assert_int_equal(sink.len, 2000);
    assert_memory_equal(sink.data, data, 2000);
    free(sink.data);
    free(data);
}

static void pausing_holds_what_openssl_has(void **state)
{
    char text[100];
    (void)state;
    connect_pair(CAPACITY);
    stream_write(pair.client, "0123456789", 10);
    settle(loop);
    assert_int_equal(pair.server_watcher.readable, 1); /* and pauses */
    assert_int_equal(stream_read(pair.server, text, 4), 4);
    settle(loop);
    assert_int_equal(pair.server_watcher.readable, 1);
    pair.server->ops->pause_reading(pair.server, false);
    settle(loop);
    assert_int_equal(pair.server_watcher.readable, 2);
    assert_int_equal(stream_read(pair.server, text, sizeof(text)), 6);
    pair.server->ops->pause_reading(pair.server, false);
    settle(loop);
    assert_int_equal(pair.server_watcher.readable, 2);
}

/* --- the end ------------------------------------------------------------------------------------
 */

static void shutdown_is_an_orderly_end(void **state)
{
    struct sink sink;
    (void)state;
    connect_pair(CAPACITY);
    sink_init(&sink, &pair.server_watcher, 100, 100);
    stream_write(pair.client, "bye", 3);
    pair.client->ops->shutdown(pair.client);
    pair.client->ops->shutdown(pair.client);
    settle(loop);
    assert_int_equal(sink.len, 3);
    assert_int_equal(sink.result, 0);
    int readable = pair.server_watcher.readable;
    settle(loop);
    assert_int_equal(pair.server_watcher.readable, readable);
    /* The other direction is still open. */
    assert_int_equal(stream_write(pair.server, "well", 4), 4);
    char text[10];
    settle(loop);
    assert_int_equal(stream_read(pair.client, text, sizeof(text)), 4);
    free(sink.data);
}

static void an_end_without_goodbye_is_an_end(void **state)
{
    struct sink sink;
    (void)state;
    connect_pair(CAPACITY);
    sink_init(&sink, &pair.server_watcher, 100, 100);
    stream_write(pair.client, "bye", 3);
    stream_free(pair.client);
    pair.client = NULL;
    settle(loop);
    assert_int_equal(sink.len, 3);
    assert_int_equal(sink.result, 0);
    assert_int_equal(stream_write(pair.server, "x", 1), -EPIPE);
    assert_string_equal(pair.server->ops->error_text(pair.server), "connection closed by peer");
    assert_int_equal(stream_write(pair.server, "x", 1), -EPIPE);
    free(sink.data);
}

static void shutdown_waits_for_what_was_written(void **state)
{
    struct sink sink;
    unsigned char *data = pattern(10000);
    (void)state;
    connect_pair(500);
    pair.server->ops->pause_reading(pair.server, true);
    assert_int_equal(stream_write(pair.client, data, 10000), 10000);
    pair.client->ops->shutdown(pair.client);
    sink_init(&sink, &pair.server_watcher, 10000, 1 << 15);
    settle(loop);
    assert_int_equal(sink.len, 10000);
    assert_memory_equal(sink.data, data, 10000);
    assert_int_equal(sink.result, 0);
    free(sink.data);
    free(data);
}

static void a_broken_connection_is_told(void **state)
{
    struct pipe_faults faults = {.read_error = ECONNRESET};
    struct sink sink;
    (void)state;
    connect_pair(CAPACITY);
    sink_init(&sink, &pair.server_watcher, 100, 100);
    pgrpc__pipe_set_faults(pair.server_pipe, &faults);
    settle(loop);
    assert_int_equal(sink.result, -ECONNRESET);
    assert_string_equal(pair.server->ops->error_text(pair.server), "connection reset by peer");
    assert_int_equal(stream_read(pair.server, (char[1]){0}, 1), -ECONNRESET);
    free(sink.data);
}

static void broken_records_are_told(void **state)
{
    char garbage[100];
    struct sink sink;
    (void)state;
    memset(garbage, 0x17, sizeof(garbage));
    connect_pair(CAPACITY);
    sink_init(&sink, &pair.server_watcher, 1000, 1000);
    /* Behind the client's back. */
    assert_int_equal(stream_write(pair.client_pipe, garbage, sizeof(garbage)), sizeof(garbage));
    settle(loop);
    assert_int_equal(sink.result, -EPROTO);
    assert_true(strlen(pair.server->ops->error_text(pair.server)) > 0);
    free(sink.data);
}

static void free_owner(struct watcher *watcher)
{
    stream_free(watcher->stream);
    pair.server = NULL;
}

static void the_owner_may_free_its_end_in_an_event(void **state)
{
    (void)state;
    connect_pair(CAPACITY);
    pair.server_watcher.on_readable = free_owner;
    stream_write(pair.client, "x", 1);
    settle(loop);
    assert_null(pair.server);
}

/* --- peers that are not ours --------------------------------------------------------------------
 */

/* Shakes hands between our end of |pair| and |raw|; what raw_tls_shake said last. */
static int shake(struct raw_tls *raw)
{
    int done = 0;
    for (int i = 0; i < 20; i++) {
        settle(loop);
        done = raw_tls_shake(raw);
        if (done)
            break;
    }
    settle(loop);
    return done;
}

static void start_raw_client(struct raw_tls *raw, const struct pgrpc_credentials *credentials)
{
    tls_pair_init(&pair, loop, CAPACITY, NULL, credentials, NULL);
    raw_tls_start(raw, pair.client);
}

/* rule 64: a server takes no client without h2 in its ALPN list */
static void a_client_must_offer_h2(void **state)
{
    static const struct {
        const char *protocols;
        unsigned len;
    } table[] = {{NULL, 0}, {"\x08http/1.1", 9}, {"\x03h2c\x02h3", 7}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct raw_tls raw;
        raw_tls_init(&raw, false, NULL);
        if (table[i].protocols)
            SSL_CTX_set_alpn_protos(raw.context, (const unsigned char *)table[i].protocols,
                                    table[i].len);
        start_raw_client(&raw, for_server);
        assert_int_equal(shake(&raw), -1);
        assert_int_equal(ERR_GET_REASON(ERR_peek_error()),
                         SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL);
        assert_int_equal(pair.server_watcher.failed, 1);
        assert_int_equal(pair.server_watcher.ready, 0);
        raw_tls_clear(&raw);
        tls_pair_clear(&pair);
    }
}

static int select_nothing(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                          const unsigned char *in, unsigned in_len, void *userdata)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)in;
    (void)in_len;
    (void)userdata;
    return SSL_TLSEXT_ERR_NOACK;
}

/* rule 64: and a client takes no server that did not select it */
static void a_server_must_select_h2(void **state)
{
    struct raw_tls raw;
    (void)state;
    for (int i = 0; i < 2; i++) {
        raw_tls_init(&raw, true, &server_identity);
        if (i == 1)
            SSL_CTX_set_alpn_select_cb(raw.context, select_nothing, NULL);
        tls_pair_init(&pair, loop, CAPACITY, for_client, NULL, "localhost");
        raw_tls_start(&raw, pair.server);
        shake(&raw);
        assert_int_equal(pair.client_watcher.ready, 0);
        assert_string_equal(pair.client_watcher.text,
                            "TLS handshake with pipe:: the peer did not agree to ALPN h2");
        raw_tls_clear(&raw);
        tls_pair_clear(&pair);
    }
}

/* A24, rule 64: nothing older than TLS 1.2, and of that only what HTTP/2 allows */
static void old_versions_and_ciphers_are_refused(void **state)
{
    static const struct {
        int version;
        const char *ciphers;
        bool is_good;
    } table[] = {{TLS1_VERSION, "ALL:@SECLEVEL=0", false},
                 {TLS1_1_VERSION, "ALL:@SECLEVEL=0", false},
                 {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA256", false},
                 {TLS1_2_VERSION, "AES128-GCM-SHA256", false},
                 {TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", false},
                 {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", true},
                 {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", true},
                 {TLS1_3_VERSION, "ALL", true}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct raw_tls raw;
        raw_tls_init(&raw, false, NULL);
        SSL_CTX_set_min_proto_version(raw.context, table[i].version);
        SSL_CTX_set_max_proto_version(raw.context, table[i].version);
        SSL_CTX_set_cipher_list(raw.context, table[i].ciphers);
        SSL_CTX_set_alpn_protos(raw.context, (const unsigned char *)"\x02h2", 3);
        start_raw_client(&raw, for_server);
        assert_int_equal(shake(&raw), table[i].is_good ? 1 : -1);
        assert_int_equal(pair.server_watcher.ready, table[i].is_good);
        assert_int_equal(pair.server_watcher.failed, !table[i].is_good);
        raw_tls_clear(&raw);
        tls_pair_clear(&pair);
    }
}

/* A24 */
static void renegotiation_is_refused(void **state)
{
    struct raw_tls raw;
    struct sink sink;
    (void)state;
    raw_tls_init(&raw, false, NULL);
    SSL_CTX_set_max_proto_version(raw.context, TLS1_2_VERSION);
    SSL_CTX_set_alpn_protos(raw.context, (const unsigned char *)"\x02h2", 3);
    start_raw_client(&raw, for_server);
    assert_int_equal(shake(&raw), 1);
    sink_init(&sink, &pair.server_watcher, 100, 100);
    SSL_renegotiate(raw.ssl);
    SSL_do_handshake(raw.ssl);
    raw_tls_pump(&raw);
    settle(loop);
    raw_tls_pump(&raw);
    char text[10];
    ERR_clear_error();
    assert_true(SSL_read(raw.ssl, text, sizeof(text)) <= 0);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    free(sink.data);
    raw_tls_clear(&raw);
}

/* TLS 1.3 key updates want an answer, which may find the way blocked. */
static void key_updates_are_answered(void **state)
{
    struct raw_tls raw;
    struct sink sink;
    (void)state;
    raw_tls_init(&raw, false, NULL);
    SSL_CTX_set_alpn_protos(raw.context, (const unsigned char *)"\x02h2", 3);
    start_raw_client(&raw, for_server);
    assert_int_equal(shake(&raw), 1);
    sink_init(&sink, &pair.server_watcher, 1000, 100);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(raw.ssl, "hello", 5), 5);
        raw_tls_pump(&raw);
        settle(loop);
        char text[10];
        raw_tls_pump(&raw);
        SSL_read(raw.ssl, text, sizeof(text));
        assert_int_equal(stream_write(pair.server, "you", 3), 3);
        settle(loop);
        raw_tls_pump(&raw);
        assert_int_equal(SSL_read(raw.ssl, text, sizeof(text)), 3);
    }
    assert_int_equal(sink.len, 25);
    free(sink.data);
    raw_tls_clear(&raw);
}

/* The answer to a key update finds the way blocked; what came behind the request waits with it. */
static void a_stuck_answer_holds_nothing_up(void **state)
{
    struct pipe_faults frozen = {.write_error = EAGAIN}, thawed = {.max_write = 0};
    struct raw_tls raw;
    struct sink sink;
    (void)state;
    for (int with_record = 0; with_record < 2; with_record++) {
        raw_tls_init(&raw, false, NULL);
        SSL_CTX_set_alpn_protos(raw.context, (const unsigned char *)"\x02h2", 3);
        start_raw_client(&raw, for_server);
        assert_int_equal(shake(&raw), 1);
        sink_init(&sink, &pair.server_watcher, 1000, 100);
        pgrpc__pipe_set_faults(pair.server_pipe, &frozen);
        if (with_record)
            assert_int_equal(stream_write(pair.server, "stuck", 5), 5);
        assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(raw.ssl, "hello", 5), 5);
        raw_tls_pump(&raw);
        settle(loop);
        pgrpc__pipe_set_faults(pair.server_pipe, &thawed);
        settle(loop);
        assert_int_equal(sink.len, 5);
        assert_int_equal(stream_write(pair.server, "you", 3), 3);
        settle(loop);
        raw_tls_pump(&raw);
        char text[10];
        if (with_record)
            assert_int_equal(SSL_read(raw.ssl, text, sizeof(text)), 5);
        assert_int_equal(SSL_read(raw.ssl, text, sizeof(text)), 3);
        free(sink.data);
        raw_tls_clear(&raw);
        tls_pair_clear(&pair);
    }
}

static int select_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                     const unsigned char *in, unsigned in_len, void *userdata)
{
    (void)ssl;
    (void)in;
    (void)in_len;
    (void)userdata;
    *out = (const unsigned char *)"h2";
    *out_len = 2;
    return SSL_TLSEXT_ERR_OK;
}

static int make_large_ticket(SSL *ssl, void *userdata)
{
    static const char data[4000];
    (void)userdata;
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data, sizeof(data));
}

/* A session ticket in several records: while one is missing OpenSSL writes nothing. */
static void half_a_ticket_holds_writing_up_until_the_rest_comes(void **state)
{
    char part[600], text[10];
    struct raw_tls raw;
    (void)state;
    raw_tls_init(&raw, true, &server_identity);
    SSL_CTX_set_alpn_select_cb(raw.context, select_h2, NULL);
    SSL_CTX_set_max_send_fragment(raw.context, 512);
    SSL_CTX_set_session_ticket_cb(raw.context, make_large_ticket, NULL, NULL);
    tls_pair_init(&pair, loop, CAPACITY, for_client, NULL, "localhost");
    raw_tls_start(&raw, pair.server);
    for (int i = 0; i < 10 && !SSL_is_init_finished(raw.ssl); i++) {
        raw_tls_pump(&raw);
        settle(loop);
        ssize_t len = stream_read(pair.server, part, sizeof(part));
        if (len > 0)
            BIO_write(raw.in, part, (int)len);
        SSL_do_handshake(raw.ssl);
    }
    assert_int_equal(pair.client_watcher.ready, 1);
    pair.client_watcher.on_readable = read_nothing;
    assert_int_equal(BIO_read(raw.out, part, sizeof(part)), sizeof(part));
    assert_int_equal(stream_write(pair.server, part, sizeof(part)), sizeof(part));
    pair.client->ops->pause_reading(pair.client, false);
    settle(loop);
    assert_int_equal(stream_write(pair.client, "hello", 5), 5);
    assert_int_equal(stream_write(pair.client, "again", 5), -EAGAIN);
    settle(loop);
    assert_int_equal(pair.client_watcher.writable, 0);
    raw_tls_pump(&raw);
    assert_int_equal(SSL_read(raw.ssl, text, sizeof(text)), -1);
    raw_tls_pump(&raw);
    settle(loop);
    assert_int_equal(pair.client_watcher.writable, 1);
    assert_int_equal(stream_write(pair.client, "again", 5), 5);
    raw_tls_pump(&raw);
    assert_int_equal(SSL_read(raw.ssl, text, sizeof(text)), 5);
    assert_int_equal(SSL_read(raw.ssl, text, sizeof(text)), 5);
    raw_tls_clear(&raw);
}

/* What the peer said before it stopped listening can still be read. */
static void reading_goes_on_after_a_failed_write(void **state)
{
    struct pipe_faults faults = {.write_error = EPIPE};
    char text[10];
    (void)state;
    connect_pair(CAPACITY);
    stream_write(pair.server, "goaway", 6);
    pgrpc__pipe_set_faults(pair.client_pipe, &faults);
    assert_int_equal(stream_write(pair.client, "x", 1), -EPIPE);
    assert_int_equal(stream_read(pair.client, text, sizeof(text)), 6);
    assert_int_equal(stream_read(pair.client, text, sizeof(text)), -EAGAIN);
}

/* --- failures -----------------------------------------------------------------------------------
 */

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct pgrpc_loop_options options = {.size = sizeof(options), .allocator = &faulty.hook};
        struct tls_pair other;
        faulty_allocator_init(&faulty, n);
        struct pgrpc_loop *faulty_loop = pgrpc_loop_new(&options);
        if (!faulty_loop)
            continue;
        pgrpc__loop_take_lock(faulty_loop);
        tls_pair_init(&other, faulty_loop, 1000, for_client, for_server, "localhost");
        settle(faulty_loop);
        if (other.client_watcher.ready && other.server_watcher.ready) {
            ssize_t taken = stream_write(other.client, "hello", 5);
            assert_true(taken == 5 || taken == -ENOMEM);
            if (taken < 0)
                assert_string_equal(other.client->ops->error_text(other.client), "out of memory");
        } else {
            assert_true(faulty_allocator_has_failed(&faulty));
        }
        settle(faulty_loop);
        tls_pair_clear(&other);
        pgrpc__loop_leave_lock(faulty_loop);
        pgrpc_loop_free(faulty_loop);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!faulty_allocator_has_failed(&faulty))
            break;
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_ends_are_ready_and_know_each_other),
        TEST(a_handshake_byte_by_byte),
        TEST(a_paused_end_still_shakes_hands),
        TEST(a_peer_that_leaves_during_the_handshake),
        TEST(a_connection_that_breaks_during_the_handshake),
        TEST(plaintext_is_recognised),
        TEST(a_failed_connect_below_is_passed_on),
        TEST(hosts_that_no_certificate_can_be_for),
        TEST(much_through_a_wide_pipe),
        TEST(much_through_a_narrow_pipe),
        TEST(bytes_one_by_one),
        TEST(tiny_reads_of_large_records),
        TEST(vectors_become_records),
        TEST(half_a_record_does_not_spin),
        TEST(pausing_holds_what_openssl_has),
        TEST(shutdown_is_an_orderly_end),
        TEST(an_end_without_goodbye_is_an_end),
        TEST(shutdown_waits_for_what_was_written),
        TEST(a_broken_connection_is_told),
        TEST(broken_records_are_told),
        TEST(the_owner_may_free_its_end_in_an_event),
        TEST(a_client_must_offer_h2),
        TEST(a_server_must_select_h2),
        TEST(old_versions_and_ciphers_are_refused),
        TEST(renegotiation_is_refused),
        TEST(key_updates_are_answered),
        TEST(a_stuck_answer_holds_nothing_up),
        TEST(half_a_ticket_holds_writing_up_until_the_rest_comes),
        TEST(reading_goes_on_after_a_failed_write),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
