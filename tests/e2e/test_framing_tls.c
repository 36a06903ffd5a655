/*
 * The part of the framing suite (tests/wire/test_framing.c) that is about TLS: a server on a real
 * socket, and a client that is OpenSSL alone and offers what HTTP/2 does not take.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../support/certificates.h"
#include "../support/unit.h"
#include "../support/engine_choice.h"
#include "picogrpc/picogrpc.h"

static const char everything[] = "ALL:@SECLEVEL=0";
enum { LIMIT_S = 60 }; /* of a read that should have ended */

static struct {
    struct pgrpc_server *server;
    pthread_t thread;
    int port;
} serving;

/* --- the server ------------------------------------------------------------------------------- */

static void *run(void *userdata)
{
    (void)userdata;
    pgrpc_server_run(serving.server);
    return NULL;
}

static int start(void **state)
{
    const struct certificate_wishes wishes = {
        .name = "localhost", .alternative_names = "DNS:localhost", .usage = "serverAuth"};
    struct certificate certificate;
    struct pgrpc_tls_options options = {.size = sizeof(options)};
    struct pgrpc_credentials *credentials;
    (void)state;
    certificate_make(&certificate, &wishes);
    options.cert_pem = certificate.cert_pem;
    options.key_pem = certificate.key_pem;
    assert_int_equal(pgrpc_credentials_new_tls_server(&options, &credentials, NULL), PGRPC_OK);
    assert_int_equal(pgrpc_server_new(NULL, &serving.server, NULL), PGRPC_OK);
    assert_int_equal(pgrpc_server_listen(serving.server, "127.0.0.1:0", credentials, &serving.port),
                     PGRPC_OK);
    assert_int_equal(pthread_create(&serving.thread, NULL, run, NULL), 0);
    pgrpc_credentials_unref(credentials);
    certificate_clear(&certificate);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pgrpc_server_shutdown(serving.server, 0);
    pthread_join(serving.thread, NULL);
    pgrpc_server_free(serving.server);
    return 0;
}

/* --- the client ------------------------------------------------------------------------------- */

static int connect_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)serving.port)};
    const struct timeval limit = {.tv_sec = LIMIT_S};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(connect(fd, (void *)&address, sizeof(address)), 0);
    return fd;
}

enum answer { SERVED, CLOSED, SILENT };

/* Says the preface, as far as TLS comes to it. |alpn| NULL: offers none. */
static enum answer ask(const char *alpn, int version, const char *ciphers)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    unsigned char head[9];
    enum answer answer = CLOSED;
    assert_int_equal(SSL_CTX_set_cipher_list(context, ciphers), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(context, version), 1);
    assert_int_equal(SSL_CTX_set_min_proto_version(context, version), 1);
    if (alpn)
        assert_int_equal(
            SSL_CTX_set_alpn_protos(context, (const unsigned char *)alpn, (unsigned)strlen(alpn)),
            0);
    SSL *ssl = SSL_new(context);
    int fd = connect_socket();
    SSL_set_fd(ssl, fd);
    ERR_clear_error();
    if (SSL_connect(ssl) == 1 && SSL_write(ssl, preface, sizeof(preface) - 1) > 0) {
        int len = SSL_read(ssl, head, sizeof(head));
        if (len > 0)
            answer = len == sizeof(head) && head[3] == 4 ? SERVED : SILENT;
        else if (SSL_get_error(ssl, len) == SSL_ERROR_WANT_READ)
            answer = SILENT;
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    ERR_clear_error();
    return answer;
}

/* --- the cases -------------------------------------------------------------------------------- */

static void case_54_without_alpn_h2_the_connection_is_closed(void **state)
{
    static const char *const offers[] = {NULL, "\x08http/1.1", "\x02h3", "\x03h2c", "\x01h"};
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
            assert_int_equal(ask(offers[i], version, everything), CLOSED);
        assert_int_equal(ask("\x08http/1.1\x02h2", version, everything), SERVED);
    }
}

static void case_55_old_versions_are_refused(void **state)
{
    (void)state;
    assert_int_equal(ask("\x02h2", TLS1_VERSION, everything), CLOSED);
    assert_int_equal(ask("\x02h2", TLS1_1_VERSION, everything), CLOSED);
    assert_int_equal(ask("\x02h2", TLS1_2_VERSION, everything), SERVED);
    assert_int_equal(ask("\x02h2", TLS1_3_VERSION, everything), SERVED);
}

/* RFC 9113 appendix A lists what is not ephemeral or not AEAD. */
static void case_56_blacklisted_ciphers_are_refused(void **state)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int served = 0, refused = 0;
    (void)state;
    SSL_CTX_set_cipher_list(context, everything);
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        char only[100] = "";
        if (!strncmp(SSL_CIPHER_get_name(cipher), "TLS_", 4))
            continue; /* of TLS 1.3: all good */
        strncat(only, SSL_CIPHER_get_name(cipher), 60);
        strcat(only, ":@SECLEVEL=0");
        enum answer answer = ask("\x02h2", TLS1_2_VERSION, only);
        if (answer == SERVED) {
            assert_true(SSL_CIPHER_is_aead(cipher));
            assert_int_equal(SSL_CIPHER_get_kx_nid(cipher), NID_kx_ecdhe);
            served++;
        } else {
            assert_int_equal(answer, CLOSED);
            refused++;
        }
    }
    SSL_CTX_free(context);
    assert_int_equal(served, 3); /* AES 128, AES 256 and ChaCha20, with an ECDSA certificate */
    assert_true(refused > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_54_without_alpn_h2_the_connection_is_closed),
        cmocka_unit_test(case_55_old_versions_are_refused),
        cmocka_unit_test(case_56_blacklisted_ciphers_are_refused),
    };
    signal(SIGPIPE, SIG_IGN); /* of a client that writes to a server that has closed */
    return cmocka_run_group_tests(tests, start, stop);
}
