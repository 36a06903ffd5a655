/* Rule 64: TLS under whole connections, against a peer made of OpenSSL. */
#include "../support/phrases.h"

#include <stdio.h>
#include <stdlib.h>

#include "../support/certificates.h"
#include "../support/raw_tls.h"
#include "../support/tls_pair.h"

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* --- the test's end -----------------------------------------------------------------------------
 */

/* What is odd about the test's end of TLS; zero: nothing. */
struct tls_wishes {
    int version;         /* the only one */
    const char *ciphers; /* of TLS 1.2 */
    const char *alpn;    /* a client's list; NULL: "\x02h2" */
    bool has_no_alpn;
    const struct certificate *identity;
};

/* A byte stream for the world's peer: TLS by raw_tls over the pipe it had. */
struct tls_end {
    struct bytestream stream;
    struct bytestream *pipe;
    struct raw_tls raw;
    int shaken;
};

static struct tls_end *end_of(struct bytestream *stream)
{
    return CONTAINER_OF(stream, struct tls_end, stream);
}

static bool shake(struct tls_end *end)
{
    if (end->shaken == 0)
        end->shaken = raw_tls_shake(&end->raw);
    return end->shaken == 1;
}

static ssize_t end_read(struct bytestream *stream, void *data, size_t len)
{
    struct tls_end *end = end_of(stream);
    if (!shake(end))
        return end->shaken ? -EPROTO : -EAGAIN;
    raw_tls_pump(&end->raw);
    int got = SSL_read(end->raw.ssl, data, (int)len);
    return got > 0 ? got : SSL_get_shutdown(end->raw.ssl) & SSL_RECEIVED_SHUTDOWN ? 0 : -EAGAIN;
}

static ssize_t end_writev(struct bytestream *stream, const struct iovec *vectors, int count)
{
    struct tls_end *end = end_of(stream);
    (void)count;
    if (!shake(end))
        return end->shaken ? -EPROTO : -EAGAIN;
    int written = SSL_write(end->raw.ssl, vectors[0].iov_base, (int)vectors[0].iov_len);
    raw_tls_pump(&end->raw);
    return written > 0 ? written : -EPROTO;
}

static void end_free(struct bytestream *stream)
{
    struct tls_end *end = end_of(stream);
    raw_tls_clear(&end->raw);
    end->pipe->ops->free(end->pipe);
    free(end);
}

static int select_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                     const unsigned char *in, unsigned in_len, void *userdata)
{
    (void)ssl;
    (void)userdata;
    return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len,
                                 (const unsigned char *)"\x02h2", 3, in,
                                 in_len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Puts TLS on the world's peer and lets both ends shake hands. */
static struct tls_end *secure(struct world *world, bool is_server, const struct tls_wishes *wishes)
{
    static const struct bytestream_ops ops = {
        .read = end_read, .writev = end_writev, .free = end_free};
    struct tls_end *end = calloc(1, sizeof(*end));
    assert_non_null(end);
    world_run(world);
    assert_non_null(world->peer);
    raw_tls_init(&end->raw, is_server, wishes->identity);
    if (wishes->version) {
        SSL_CTX_set_min_proto_version(end->raw.context, wishes->version);
        SSL_CTX_set_max_proto_version(end->raw.context, wishes->version);
    }
    if (wishes->ciphers)
        SSL_CTX_set_cipher_list(end->raw.context, wishes->ciphers);
    const char *alpn = wishes->alpn ? wishes->alpn : "\x02h2";
    if (!wishes->has_no_alpn && is_server)
        SSL_CTX_set_alpn_select_cb(end->raw.context, select_h2, NULL);
    else if (!wishes->has_no_alpn)
        SSL_CTX_set_alpn_protos(end->raw.context, (const unsigned char *)alpn,
                                (unsigned)strlen(alpn));
    end->stream.ops = &ops;
    end->pipe = world->peer;
    raw_tls_start(&end->raw, end->pipe);
    world->peer = &end->stream;
    for (int i = 0; i < 20 && !end->shaken; i++) {
        assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
        shake(end);
        pgrpc__loop_leave_lock(world->loop);
        world_run(world);
    }
    return end;
}

/* --- fixtures -----------------------------------------------------------------------------------
 */

static struct certificate ca, other_ca, server_identity, foreign_identity, client_identity;
static struct pgrpc_credentials *for_client, *for_server;

static int make_certificates(void **state)
{
    (void)state;
    certificate_make(&ca, &(struct certificate_wishes){.name = "test CA", .is_ca = true});
    certificate_make(&other_ca, &(struct certificate_wishes){.name = "other CA", .is_ca = true});
    certificate_make(&server_identity,
                     &(struct certificate_wishes){.name = "server",
                                                  .alternative_names = "DNS:localhost",
                                                  .usage = "serverAuth",
                                                  .issuer = &ca});
    certificate_make(&foreign_identity,
                     &(struct certificate_wishes){.name = "elsewhere",
                                                  .alternative_names = "DNS:elsewhere.example",
                                                  .usage = "serverAuth",
                                                  .issuer = &ca});
    certificate_make(&client_identity, &(struct certificate_wishes){
                                           .name = "client", .usage = "clientAuth", .issuer = &ca});
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
    certificate_clear(&other_ca);
    certificate_clear(&server_identity);
    certificate_clear(&foreign_identity);
    certificate_clear(&client_identity);
    return 0;
}

/* A call of our client over TLS to a server with these wishes. */
static struct world_call *call_over_tls(struct world *world, const struct tls_wishes *wishes,
                                        struct tls_end **end)
{
    if (!world->credentials)
        world->credentials = for_client;
    if (!world->channel)
        world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    *end = secure(world, true, wishes);
    return call;
}

/* Our server over TLS; the client's handshake is over. */
static struct tls_end *serve_over_tls(struct world *world, const struct tls_wishes *wishes)
{
    if (!world->server) {
        if (!world->credentials)
            world->credentials = for_server;
        world_start_server(world, NULL);
    } else {
        world_reconnect(world);
    }
    world->id = 0;
    return secure(world, false, wishes);
}

/* --- client -------------------------------------------------------------------------------------
 */

static void rule_64_client_talks_https_with_sni_and_alpn(void **state)
{
    struct world *world = *state;
    struct tls_wishes wishes = {.identity = &server_identity};
    struct tls_end *end;
    struct world_call *call = call_over_tls(world, &wishes, &end);
    assert_int_equal(end->shaken, 1);
    assert_string_equal(SSL_get_servername(end->raw.ssl, TLSEXT_NAMETYPE_host_name), "localhost");
    const unsigned char *protocol;
    unsigned len;
    SSL_get0_alpn_selected(end->raw.ssl, &protocol, &len);
    assert_int_equal(len, 2);
    assert_memory_equal(protocol, "h2", 2);
    assert_true(SSL_version(end->raw.ssl) >= TLS1_2_VERSION);
    assert_string_equal(world_talk_streams(world), "MAGIC\n");
    world_greet_client(world);
    world->id = 1;
    assert_non_null(strstr(world_hear(world), ":scheme=https :path=/test.Echo/Say "
                                              ":authority=localhost:50051 te=trailers "));
    struct pgrpc_call *kept = pgrpc_call_ref(call->call);
    world_answer(world, "yes");
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 3 yes\nend\ndone OK\n");
    assert_string_equal(pgrpc_call_peer_subject(kept), "CN=server,O=picogrpc");
    pgrpc_call_unref(kept);
}

static void rule_64_bytes_may_come_one_by_one(void **state)
{
    struct world *world = *state;
    struct tls_wishes wishes = {.identity = &server_identity};
    struct tls_end *end;
    world->faults.max_read = 1;
    world->faults.max_write = 7;
    struct world_call *call = call_over_tls(world, &wishes, &end);
    for (int i = 0; i < 1000 && end->shaken == 0; i++)
        world_talk(world);
    assert_int_equal(end->shaken, 1);
    world->max_piece = 5;
    world_greet_client(world);
    world->id = 1;
    world_talk(world);
    world_answer(world, "yes");
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 3 yes\nend\ndone OK\n");
}

static void rule_64_client_takes_no_server_without_h2(void **state)
{
    struct world *world = *state;
    struct tls_wishes wishes = {.identity = &server_identity, .has_no_alpn = true};
    struct tls_end *end;
    struct world_call *call = call_over_tls(world, &wishes, &end);
    world_check_done(call, PGRPC_UNAVAILABLE,
                     "TLS handshake with pipe:: the peer did not agree to ALPN h2");
    /* Not one byte of HTTP/2 was said. */
    assert_string_equal(world_talk(world), "");
}

static const struct {
    int version;
    const char *ciphers;
    bool is_good;
} secrecy[] = {
    {TLS1_VERSION, "ALL:@SECLEVEL=0", false},
    {TLS1_1_VERSION, "ALL:@SECLEVEL=0", false},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", false},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384", false},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", true},
    {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", true},
    {TLS1_3_VERSION, NULL, true},
};

static void rule_64_client_takes_tls_1_2_and_up_without_the_blacklist(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(secrecy); i++) {
        struct tls_wishes wishes = {.identity = &server_identity,
                                    .version = secrecy[i].version,
                                    .ciphers = secrecy[i].ciphers};
        struct tls_end *end;
        struct world_call *call = call_over_tls(world, &wishes, &end);
        assert_int_equal(end->shaken == 1, secrecy[i].is_good);
        if (secrecy[i].is_good) {
            world_greet_client(world);
            world_talk(world);
            world->id = 1;
            world_answer(world, "yes");
            world_talk(world);
            world_check_done(call, PGRPC_OK, "");
        } else {
            assert_true(call->is_done);
            assert_int_equal(call->code, PGRPC_UNAVAILABLE);
            assert_non_null(strstr(call->message, "TLS handshake"));
        }
        pgrpc_channel_unref(world->channel);
        world->channel = NULL;
        world_run(world);
    }
}

static void rule_64_client_checks_certificate_and_name(void **state)
{
    struct world *world = *state;
    struct pgrpc_credentials *distrustful = client_credentials(&other_ca, NULL);
    struct tls_wishes wishes = {.identity = &server_identity};
    struct tls_end *end;
    for (int i = 0; i < 2; i++) {
        world->credentials = i ? for_client : distrustful;
        wishes.identity = i ? &foreign_identity : &server_identity;
        struct world_call *call = call_over_tls(world, &wishes, &end);
        assert_true(call->is_done);
        assert_int_equal(call->code, PGRPC_UNAVAILABLE);
        assert_non_null(strstr(call->message, "certificate"));
        assert_string_equal(world_talk(world), "");
        pgrpc_channel_unref(world->channel);
        world->channel = NULL;
        world_run(world);
    }
    pgrpc_credentials_unref(distrustful);
}

/* As everywhere in gRPC: whoever sets the authority says who the server is. */
static void rule_64_the_name_is_that_of_the_authority(void **state)
{
    static const char *const authorities[] = {"elsewhere.example", "elsewhere.example:8443"};
    struct world *world = *state;
    struct tls_wishes wishes = {.identity = &foreign_identity};
    struct tls_end *end;
    for (size_t i = 0; i < COUNT(authorities); i++) {
        struct pgrpc_channel_options options = {.size = sizeof(options),
                                                .authority = authorities[i]};
        world->credentials = for_client;
        world_start_client(world, &options);
        call_over_tls(world, &wishes, &end);
        assert_int_equal(end->shaken, 1);
        assert_string_equal(SSL_get_servername(end->raw.ssl, TLSEXT_NAMETYPE_host_name),
                            "elsewhere.example");
        pgrpc_channel_unref(world->channel);
        world->channel = NULL;
        world_run(world);
    }
}

/* Plaintext proves nothing, so there it may be any text. */
static void rule_64_an_authority_without_a_name_is_refused(void **state)
{
    static const char *const bad[] = {"", ":443", "me@elsewhere.example", "a/b", "[::1", "a:b"};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct pgrpc_channel_options options = {.size = sizeof(options), .authority = bad[i]};
        world->credentials = for_client;
        world_start_client(world, &options);
        assert_null(world->channel);
    }
    struct pgrpc_channel_options options = {.size = sizeof(options), .authority = "a/b"};
    world->credentials = NULL;
    world_start_client(world, &options);
    assert_non_null(world->channel);
}

static void rule_64_a_handshake_has_the_time_of_an_attempt(void **state)
{
    struct world *world = *state;
    world->credentials = for_client;
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    world_run(world); /* the ClientHello is never answered */
    world_sleep(world, 19999);
    assert_false(call->is_done);
    world_sleep(world, 1);
    world_check_done(call, PGRPC_UNAVAILABLE, "connecting took longer than 20000 ms");
}

static void rule_64_a_plaintext_server_is_told_apart(void **state)
{
    struct world *world = *state;
    world->credentials = for_client;
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    world_run(world);
    raw_settings(&world->out, 0);
    world_talk(world);
    assert_true(call->is_done);
    assert_int_equal(call->code, PGRPC_UNAVAILABLE);
    assert_non_null(strstr(call->message, "TLS handshake"));
}

/* --- server -------------------------------------------------------------------------------------
 */

static void rule_64_server_talks_to_clients_that_offer_h2(void **state)
{
    struct world *world = *state;
    static const char *const lists[] = {"\x02h2", "\x02h2\x08http/1.1", "\x08http/1.1\x02h2"};
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct tls_wishes wishes = {.alpn = lists[i]};
        struct tls_end *end = serve_over_tls(world, &wishes);
        assert_int_equal(end->shaken, 1);
        world_greet_server(world);
        world_talk(world);
        assert_string_equal(world_ask(world, ":scheme=https", "hello"),
                            WORLD_ECHO("10", "\\x05hello"));
        world_check(world);
    }
}

static void rule_64_server_takes_no_client_without_h2(void **state)
{
    struct world *world = *state;
    static const char *const lists[] = {NULL, "\x08http/1.1", "\x03h2c", "\x05grpc1"};
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct tls_wishes wishes = {.alpn = lists[i], .has_no_alpn = !lists[i]};
        struct tls_end *end = serve_over_tls(world, &wishes);
        world_greet_server(world);
        world_request(world, 0, 1, "");
        world_message(world, RAW_END_STREAM, 1, "hello");
        assert_string_equal(world_talk(world), "");
        assert_int_not_equal(end->shaken, 0);
        assert_string_equal(world->log, "");
    }
    /* Others are served all the while. */
    struct tls_wishes good = {0};
    serve_over_tls(world, &good);
    world_greet_server(world);
    world_talk(world);
    world_check(world);
}

static void rule_64_server_takes_tls_1_2_and_up_without_the_blacklist(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(secrecy); i++) {
        struct tls_wishes wishes = {.version = secrecy[i].version, .ciphers = secrecy[i].ciphers};
        struct tls_end *end = serve_over_tls(world, &wishes);
        assert_int_equal(end->shaken, secrecy[i].is_good ? 1 : -1);
        if (!secrecy[i].is_good)
            continue;
        world_greet_server(world);
        world_talk(world);
        world_check(world);
    }
}

static void rule_64_server_knows_who_calls(void **state)
{
    struct world *world = *state;
    struct pgrpc_credentials *strict = server_credentials(&server_identity, &ca);
    struct tls_wishes unknown = {0}, known = {.identity = &client_identity};
    world->credentials = strict;
    serve_over_tls(world, &unknown);
    world_greet_server(world);
    world_request(world, 0, 1, "");
    world_message(world, RAW_END_STREAM, 1, "hello");
    assert_string_equal(world_talk(world), "");
    serve_over_tls(world, &known);
    world_greet_server(world);
    world_talk(world);
    world_check(world);
    assert_string_equal(world->log, "say again\n");
    pgrpc_credentials_unref(strict);
}

static void rule_64_a_client_that_does_not_shake_hands_is_given_up(void **state)
{
    struct world *world = *state;
    world->credentials = for_server;
    world_start_server(world, NULL);
    world_run(world);
    world_sleep(world, 9999);
    uint8_t byte;
    assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
    assert_int_equal(world->peer->ops->read(world->peer, &byte, 1), -EAGAIN);
    pgrpc__loop_leave_lock(world->loop);
    world_sleep(world, 1);
    world_sleep(world, 1000);
    assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
    assert_int_equal(world->peer->ops->read(world->peer, &byte, 1), 0);
    pgrpc__loop_leave_lock(world->loop);
}

static void rule_64_a_plaintext_client_is_not_served(void **state)
{
    struct world *world = *state;
    world->credentials = for_server;
    world_start_server(world, NULL);
    world_greet_server(world);
    world_request(world, 0, 1, "");
    world_message(world, RAW_END_STREAM, 1, "hello");
    world_talk(world);
    assert_string_equal(world->log, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_64_client_talks_https_with_sni_and_alpn),
        WORLD_TEST(rule_64_bytes_may_come_one_by_one),
        WORLD_TEST(rule_64_client_takes_no_server_without_h2),
        WORLD_TEST(rule_64_client_takes_tls_1_2_and_up_without_the_blacklist),
        WORLD_TEST(rule_64_client_checks_certificate_and_name),
        WORLD_TEST(rule_64_the_name_is_that_of_the_authority),
        WORLD_TEST(rule_64_an_authority_without_a_name_is_refused),
        WORLD_TEST(rule_64_a_handshake_has_the_time_of_an_attempt),
        WORLD_TEST(rule_64_a_plaintext_server_is_told_apart),
        WORLD_TEST(rule_64_server_talks_to_clients_that_offer_h2),
        WORLD_TEST(rule_64_server_takes_no_client_without_h2),
        WORLD_TEST(rule_64_server_takes_tls_1_2_and_up_without_the_blacklist),
        WORLD_TEST(rule_64_server_knows_who_calls),
        WORLD_TEST(rule_64_a_client_that_does_not_shake_hands_is_given_up),
        WORLD_TEST(rule_64_a_plaintext_client_is_not_served),
    };
    return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
