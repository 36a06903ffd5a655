#include "../support/unit.h"
#include "../support/fds.h"
#include "../support/raw_tls.h"
#include "../support/tls_pair.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CAPACITY = 64 * 1024 };

static struct certificate ca, other_ca;
static struct pgrpc_loop *loop;
static struct tls_pair pair;

static int make_authorities(void **state)
{
    (void)state;
    certificate_make(&ca, &(struct certificate_wishes){.name = "test CA", .is_ca = true});
    certificate_make(&other_ca, &(struct certificate_wishes){.name = "other CA", .is_ca = true});
    return 0;
}

static int drop_authorities(void **state)
{
    (void)state;
    certificate_clear(&ca);
    certificate_clear(&other_ca);
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
    pgrpc__loop_leave_lock(loop);
    pgrpc_loop_free(loop);
    assert_int_equal(ERR_peek_error(), 0);
    return 0;
}

/* --- certificates of servers --------------------------------------------------------------------
 */

struct server_case {
    const char *what;
    struct certificate_wishes wishes; /* issued by the CA unless it says otherwise */
    bool is_self_signed;
    const char *host;
    const char *text; /* part of what the client says; NULL: all is well */
};

/* A26 */
static const struct server_case server_cases[] = {
    {"all is well", {.name = "s", .alternative_names = "DNS:localhost"}, false, "localhost", NULL},
    {"an absolute name",
     {.name = "s", .alternative_names = "DNS:a.example"},
     false,
     "a.example.",
     NULL},
    {"another case", {.name = "s", .alternative_names = "DNS:A.Example"}, false, "a.eXAMPLE", NULL},
    {"signed by nobody we know",
     {.name = "s", .alternative_names = "DNS:localhost"},
     true,
     "localhost",
     "self-signed certificate (is its CA among the trusted ones?)"},
    {"issued by another CA",
     {.name = "s", .alternative_names = "DNS:localhost", .issuer = &other_ca},
     false,
     "localhost",
     "unable to get local issuer certificate (is its CA among the trusted ones?)"},
    {"expired",
     {.name = "s", .alternative_names = "DNS:localhost", .from_days = -9, .until_days = -1},
     false,
     "localhost",
     "certificate has expired"},
    {"not yet valid",
     {.name = "s", .alternative_names = "DNS:localhost", .from_days = 1, .until_days = 9},
     false,
     "localhost",
     "certificate is not yet valid"},
    {"another name",
     {.name = "s", .alternative_names = "DNS:other.example"},
     false,
     "a.example",
     "hostname mismatch"},
    {"the name only as common name",
     {.name = "a.example"},
     false,
     "a.example",
     "hostname mismatch"},
    {"a wildcard",
     {.name = "s", .alternative_names = "DNS:*.example.org"},
     false,
     "a.example.org",
     NULL},
    {"a wildcard for two levels",
     {.name = "s", .alternative_names = "DNS:*.example.org"},
     false,
     "a.b.example.org",
     "hostname mismatch"},
    {"a wildcard for none",
     {.name = "s", .alternative_names = "DNS:*.example.org"},
     false,
     "example.org",
     "hostname mismatch"},
    {"half a wildcard",
     {.name = "s", .alternative_names = "DNS:f*.example.org"},
     false,
     "foo.example.org",
     "hostname mismatch"},
    {"an IPv4 address", {.name = "s", .alternative_names = "IP:10.1.2.3"}, false, "10.1.2.3", NULL},
    {"another IPv4 address",
     {.name = "s", .alternative_names = "IP:10.1.2.3"},
     false,
     "10.1.2.4",
     "IP address mismatch"},
    {"an IPv4 address as a name",
     {.name = "s", .alternative_names = "DNS:10.1.2.3"},
     false,
     "10.1.2.3",
     "IP address mismatch"},
    {"an IPv6 address",
     {.name = "s", .alternative_names = "IP:2001:db8::1"},
     false,
     "2001:db8:0::1",
     NULL},
    {"another IPv6 address",
     {.name = "s", .alternative_names = "IP:2001:db8::1"},
     false,
     "2001:db8::2",
     "IP address mismatch"},
    {"for clients only",
     {.name = "s", .alternative_names = "DNS:localhost", .usage = "clientAuth"},
     false,
     "localhost",
     "certificate purpose"},
};

static void a_client_checks_the_server(void **state)
{
    struct pgrpc_credentials *client = client_credentials(&ca, NULL);
    (void)state;
    for (size_t i = 0; i < sizeof(server_cases) / sizeof(server_cases[0]); i++) {
        const struct server_case *one = &server_cases[i];
        struct certificate_wishes wishes = one->wishes;
        struct certificate identity;
        if (!wishes.issuer && !one->is_self_signed)
            wishes.issuer = &ca;
        certificate_make(&identity, &wishes);
        struct pgrpc_credentials *server = server_credentials(&identity, NULL);
        tls_pair_init(&pair, loop, CAPACITY, client, server, one->host);
        settle(loop);
        assert_int_equal(pair.client_watcher.ready, one->text == NULL);
        if (one->text && !strstr(pair.client_watcher.text, one->text))
            fail_msg("%s: \"%s\"", one->what, pair.client_watcher.text);
        if (one->text && !strstr(pair.client_watcher.text, "certificate verify failed: "))
            fail_msg("%s: \"%s\"", one->what, pair.client_watcher.text);
        /* The server learns of it by the client's alert. */
        if (one->text && !strstr(pair.server_watcher.text, "the peer sent the alert: "))
            fail_msg("%s: server: \"%s\"", one->what, pair.server_watcher.text);
        tls_pair_clear(&pair);
        pgrpc_credentials_unref(server);
        certificate_clear(&identity);
    }
    pgrpc_credentials_unref(client);
}

static void a_certificate_that_is_trusted_itself(void **state)
{
    struct certificate identity;
    (void)state;
    certificate_make(&identity, &(struct certificate_wishes){.name = "s",
                                                             .alternative_names = "DNS:localhost",
                                                             .issuer = &ca});
    /* Not the root, but that very certificate. */
    struct pgrpc_credentials *client = client_credentials(&identity, NULL);
    struct pgrpc_credentials *server = server_credentials(&identity, NULL);
    tls_pair_init(&pair, loop, CAPACITY, client, server, "localhost");
    settle(loop);
    assert_int_equal(pair.client_watcher.ready, 1);
    tls_pair_clear(&pair);
    pgrpc_credentials_unref(client);
    pgrpc_credentials_unref(server);
    certificate_clear(&identity);
}

/* Issuers one below another, the last one first, as a server sends them. */
static char *make_chain(const struct certificate *root, int count, struct certificate *leaf)
{
    struct certificate issuer = *root, made;
    char *chain = calloc(1, (size_t)(count + 1) * 2048), name[32];
    for (int i = 0; i <= count; i++) {
        snprintf(name, sizeof(name), "link %d", i);
        certificate_make(&made, &(struct certificate_wishes){.name = name,
                                                             .alternative_names =
                                                                 i < count ? NULL : "DNS:localhost",
                                                             .is_ca = i < count,
                                                             .issuer = &issuer});
        size_t len = strlen(made.cert_pem), rest = strlen(chain);
        memmove(chain + len, chain, rest + 1);
        memcpy(chain, made.cert_pem, len);
        if (i > 0)
            certificate_clear(&issuer);
        issuer = made;
    }
    *leaf = issuer;
    return chain;
}

static void chains_have_a_limit(void **state)
{
    static const struct {
        int count;
        const char *text;
    } table[] = {{2, NULL}, {30, "certificate chain too long"}, {200, "excessive message size"}};
    struct pgrpc_credentials *client = client_credentials(&ca, NULL);
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct certificate leaf;
        char *chain = make_chain(&ca, table[i].count, &leaf);
        struct certificate sent = {.cert_pem = chain, .key_pem = leaf.key_pem};
        struct pgrpc_credentials *server = server_credentials(&sent, NULL);
        tls_pair_init(&pair, loop, 1 << 20, client, server, "localhost");
        settle(loop);
        assert_int_equal(pair.client_watcher.ready, table[i].text == NULL);
        if (table[i].text && !strstr(pair.client_watcher.text, table[i].text))
            fail_msg("%d: \"%s\"", table[i].count, pair.client_watcher.text);
        tls_pair_clear(&pair);
        pgrpc_credentials_unref(server);
        certificate_clear(&leaf);
        free(chain);
    }
    pgrpc_credentials_unref(client);
}

static void a_name_instead_of_the_targets(void **state)
{
    struct certificate identity;
    struct pgrpc_credentials *client;
    (void)state;
    certificate_make(&identity,
                     &(struct certificate_wishes){
                         .name = "s", .alternative_names = "DNS:foo.test.example", .issuer = &ca});
    struct pgrpc_tls_options options = {.size = sizeof(options)};
    options.ca_pem = ca.cert_pem;
    options.server_name = "foo.test.example";
    assert_int_equal(pgrpc_credentials_new_tls_client(&options, &client, NULL), PGRPC_OK);
    struct pgrpc_credentials *server = server_credentials(&identity, NULL);
    tls_pair_init(&pair, loop, CAPACITY, client, server, "10.0.0.1");
    settle(loop);
    assert_int_equal(pair.client_watcher.ready, 1);
    tls_pair_clear(&pair);
    pgrpc_credentials_unref(client);
    pgrpc_credentials_unref(server);
    certificate_clear(&identity);
}

static char asked_name[256];

static int remember_name(SSL *ssl, int *alert, void *userdata)
{
    (void)alert;
    (void)userdata;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(asked_name, sizeof(asked_name), "%s", name ? name : "(none)");
    return SSL_TLSEXT_ERR_OK;
}

/* rule 64 */
static void sni_is_sent_for_names_only(void **state)
{
    static const char *const table[][2] = {{"a.example", "a.example"},
                                           {"a.example.", "a.example"},
                                           {"10.0.0.1", "(none)"},
                                           {"::1", "(none)"}};
    struct pgrpc_credentials *client = client_credentials(&ca, NULL);
    struct certificate identity;
    (void)state;
    certificate_make(&identity, &(struct certificate_wishes){.name = "s", .issuer = &ca});
    for (size_t i = 0; i < 4; i++) {
        struct raw_tls raw;
        raw_tls_init(&raw, true, &identity);
        SSL_CTX_set_tlsext_servername_callback(raw.context, remember_name);
        tls_pair_init(&pair, loop, CAPACITY, client, NULL, table[i][0]);
        raw_tls_start(&raw, pair.server);
        settle(loop);
        raw_tls_shake(&raw);
        assert_string_equal(asked_name, table[i][1]);
        raw_tls_clear(&raw);
        tls_pair_clear(&pair);
    }
    pgrpc_credentials_unref(client);
    certificate_clear(&identity);
}

/* --- certificates of clients --------------------------------------------------------------------
 */

static void remember_result(struct watcher *watcher)
{
    char data[16];
    ssize_t result = stream_read(watcher->stream, data, sizeof(data));
    if (result != -EAGAIN) {
        *(ssize_t *)watcher->userdata = result;
        watcher->stream->ops->pause_reading(watcher->stream, true);
    }
}

/* A26 */
static void a_server_checks_the_client(void **state)
{
    static const struct {
        const char *what;
        struct certificate_wishes wishes;
        bool is_missing;
        const char *server_text; /* NULL: all is well */
        const char *client_text;
    } table[] = {
        {"all is well", {.name = "c", .issuer = &ca}, false, NULL, NULL},
        {"for clients", {.name = "c", .usage = "clientAuth", .issuer = &ca}, false, NULL, NULL},
        {"none", {.name = "c"}, true, "the client sent no certificate", "certificate required"},
        {"of another CA",
         {.name = "c", .issuer = &other_ca},
         false,
         "unable to get local issuer certificate",
         "unknown ca"},
        {"expired",
         {.name = "c", .issuer = &ca, .from_days = -9, .until_days = -1},
         false,
         "certificate has expired",
         "certificate expired"},
        {"for servers",
         {.name = "c", .usage = "serverAuth", .issuer = &ca},
         false,
         "certificate purpose",
         "unsupported certificate"},
    };
    struct certificate server_identity;
    (void)state;
    certificate_make(&server_identity,
                     &(struct certificate_wishes){
                         .name = "s", .alternative_names = "DNS:localhost", .issuer = &ca});
    struct pgrpc_credentials *server = server_credentials(&server_identity, &ca);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct certificate identity;
        ssize_t result = 1;
        certificate_make(&identity, &table[i].wishes);
        struct pgrpc_credentials *client =
            client_credentials(&ca, table[i].is_missing ? NULL : &identity);
        tls_pair_init(&pair, loop, CAPACITY, client, server, "localhost");
        pair.client_watcher.on_readable = remember_result;
        pair.client_watcher.userdata = &result;
        settle(loop);
        assert_int_equal(pair.server_watcher.ready, table[i].server_text == NULL);
        if (table[i].server_text) {
            /* In TLS 1.3 the client learns of it when it reads. */
            assert_int_equal(result, -EPROTO);
            if (!strstr(pair.server_watcher.text, table[i].server_text) ||
                !strstr(pair.client->ops->error_text(pair.client), table[i].client_text))
                fail_msg("%s: \"%s\", client: \"%s\"", table[i].what, pair.server_watcher.text,
                         pair.client->ops->error_text(pair.client));
        } else {
            assert_string_equal(pair.server->ops->peer(pair.server)->subject, "CN=c,O=picogrpc");
        }
        tls_pair_clear(&pair);
        pgrpc_credentials_unref(client);
        certificate_clear(&identity);
    }
    pgrpc_credentials_unref(server);
    certificate_clear(&server_identity);
}

/* A server with a CA that does not insist takes both kinds of clients. */
static void a_certificate_may_be_optional(void **state)
{
    struct certificate identity;
    struct pgrpc_credentials *server;
    (void)state;
    certificate_make(&identity, &(struct certificate_wishes){.name = "s",
                                                             .alternative_names = "DNS:localhost",
                                                             .issuer = &ca});
    struct pgrpc_tls_options options = {.size = sizeof(options)};
    options.ca_pem = ca.cert_pem;
    options.cert_pem = identity.cert_pem;
    options.key_pem = identity.key_pem;
    assert_int_equal(pgrpc_credentials_new_tls_server(&options, &server, NULL), PGRPC_OK);
    for (int i = 0; i < 2; i++) {
        struct pgrpc_credentials *client = client_credentials(&ca, i ? &identity : NULL);
        tls_pair_init(&pair, loop, CAPACITY, client, server, "localhost");
        settle(loop);
        assert_int_equal(pair.server_watcher.ready, 1);
        const char *subject = pair.server->ops->peer(pair.server)->subject;
        assert_int_equal(subject != NULL, i);
        tls_pair_clear(&pair);
        pgrpc_credentials_unref(client);
    }
    pgrpc_credentials_unref(server);
    certificate_clear(&identity);
}

static SSL_SESSION *kept_session;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept_session);
    kept_session = session;
    return 1;
}

/* Connects a raw client to |server|, with the session kept before: was it resumed? */
static bool resumes(const struct pgrpc_credentials *server, const struct certificate *identity,
                    int version)
{
    struct raw_tls raw;
    raw_tls_init(&raw, false, identity);
    SSL_CTX_set_max_proto_version(raw.context, version);
    SSL_CTX_set_session_cache_mode(raw.context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(raw.context, keep_session);
    SSL_CTX_set_alpn_protos(raw.context, (const unsigned char *)"\x02h2", 3);
    tls_pair_init(&pair, loop, CAPACITY, NULL, server, NULL);
    raw_tls_start(&raw, pair.client);
    if (kept_session)
        SSL_set_session(raw.ssl, kept_session);
    int done = 0;
    for (int i = 0; i < 10 && !done; i++) {
        settle(loop);
        done = raw_tls_shake(&raw);
    }
    settle(loop);
    raw_tls_pump(&raw);
    SSL_read(raw.ssl, (char[1]){0}, 1); /* takes in the tickets */
    bool is_resumed = done == 1 && SSL_session_reused(raw.ssl);
    assert_int_equal(pair.server_watcher.ready, 1);
    SSL_shutdown(raw.ssl);
    raw_tls_clear(&raw);
    tls_pair_clear(&pair);
    return is_resumed;
}

/* A27 */
static void sessions_of_clients_with_certificates_are_not_resumed(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct certificate identity;
    (void)state;
    certificate_make(&identity, &(struct certificate_wishes){.name = "s",
                                                             .alternative_names = "DNS:localhost",
                                                             .issuer = &ca});
    for (int i = 0; i < 2; i++) {
        struct pgrpc_credentials *open = server_credentials(&identity, NULL);
        struct pgrpc_credentials *other = server_credentials(&identity, NULL);
        struct pgrpc_credentials *mutual = server_credentials(&identity, &ca);
        kept_session = NULL;
        assert_false(resumes(open, NULL, versions[i]));
        assert_true(resumes(open, NULL, versions[i]));
        /* Neither by other credentials, which have other keys, nor with certificates. */
        assert_false(resumes(other, NULL, versions[i]));
        SSL_SESSION_free(kept_session);
        kept_session = NULL;
        assert_false(resumes(mutual, &identity, versions[i]));
        assert_false(resumes(mutual, &identity, versions[i]));
        SSL_SESSION_free(kept_session);
        kept_session = NULL;
        pgrpc_credentials_unref(open);
        pgrpc_credentials_unref(other);
        pgrpc_credentials_unref(mutual);
    }
    certificate_clear(&identity);
}

/* --- options ------------------------------------------------------------------------------------
 */

static char folder[] = "/tmp/picogrpc-test-XXXXXX";

static const char *file_of(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (text) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
    return path;
}

static void expect_refusal(bool is_server, const struct pgrpc_tls_options *options,
                           enum pgrpc_code code, const char *text)
{
    struct pgrpc_credentials *credentials = NULL;
    struct pgrpc_error error = {""};
    size_t fds = open_fd_count();
    enum pgrpc_code got = is_server
                              ? pgrpc_credentials_new_tls_server(options, &credentials, &error)
                              : pgrpc_credentials_new_tls_client(options, &credentials, &error);
    if (got != code || !strstr(error.text, text))
        fail_msg("%d \"%s\" instead of %d \"%s\"", got, error.text, code, text);
    assert_null(credentials);
    assert_int_equal(open_fd_count(), fds);
    assert_int_equal(ERR_peek_error(), 0);
    /* Nobody has to want the text. */
    got = is_server ? pgrpc_credentials_new_tls_server(options, &credentials, NULL)
                    : pgrpc_credentials_new_tls_client(options, &credentials, NULL);
    assert_int_equal(got, code);
}

static char *encrypted_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
    long len = BIO_get_mem_data(bio, &data);
    char *text = calloc(1, (size_t)len + 1);
    memcpy(text, data, (size_t)len);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return text;
}

static char *rsa_key(void)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    long len = BIO_get_mem_data(bio, &data);
    char *text = calloc(1, (size_t)len + 1);
    memcpy(text, data, (size_t)len);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return text;
}

static void options_are_checked(void **state)
{
    struct certificate identity;
    struct pgrpc_tls_options options = {.size = 0};
    char *locked = encrypted_key(), *rsa = rsa_key(), path[128];
    (void)state;
    assert_non_null(mkdtemp(folder));
    certificate_make(&identity, &(struct certificate_wishes){.name = "s", .issuer = &ca});

    expect_refusal(false, &options, PGRPC_INVALID_ARGUMENT, "size is not set");
    options.size = sizeof(options);
    expect_refusal(true, &options, PGRPC_INVALID_ARGUMENT, "a server needs a certificate");
    options.require_client_cert = true;
    expect_refusal(false, &options, PGRPC_INVALID_ARGUMENT, "is for servers");
    expect_refusal(true, &options, PGRPC_INVALID_ARGUMENT, "needs the CA");
    options.require_client_cert = false;
    options.server_name = "x";
    expect_refusal(true, &options, PGRPC_INVALID_ARGUMENT, "is for clients");
    options.server_name = "";
    expect_refusal(false, &options, PGRPC_INVALID_ARGUMENT, "server_name is empty");
    options.server_name = NULL;

    options.ca_pem = ca.cert_pem;
    options.ca_file = "x";
    expect_refusal(false, &options, PGRPC_INVALID_ARGUMENT, "ca_file and ca_pem are both set");
    options.ca_pem = NULL;
    strcpy(path, file_of("missing.pem", NULL));
    options.ca_file = path;
    expect_refusal(false, &options, PGRPC_FAILED_PRECONDITION, "missing.pem: no such file");
    options.ca_file = folder;
    expect_refusal(false, &options, PGRPC_FAILED_PRECONDITION, folder);
    options.ca_file = "/dev/zero"; /* ends by the limit, without a certificate */
    expect_refusal(false, &options, PGRPC_FAILED_PRECONDITION, "/dev/zero");
    strcpy(path, file_of("empty.pem", ""));
    options.ca_file = path;
    expect_refusal(false, &options, PGRPC_FAILED_PRECONDITION, "empty.pem: no certificate in it");
    strcpy(path, file_of("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                       "-----END CERTIFICATE-----\n"));
    expect_refusal(false, &options, PGRPC_FAILED_PRECONDITION, "broken.pem: ");
    options.ca_file = NULL;

    options.cert_pem = identity.cert_pem;
    expect_refusal(false, &options, PGRPC_INVALID_ARGUMENT, "belong together");
    options.key_pem = ca.key_pem;
    expect_refusal(true, &options, PGRPC_FAILED_PRECONDITION,
                   "key: the private key does not belong to the certificate");
    options.key_pem = rsa;
    expect_refusal(true, &options, PGRPC_FAILED_PRECONDITION,
                   "the private key does not belong to the certificate");
    options.key_pem = locked;
    expect_refusal(true, &options, PGRPC_FAILED_PRECONDITION, "has a password");
    options.key_pem = identity.cert_pem;
    expect_refusal(true, &options, PGRPC_FAILED_PRECONDITION, "no private key in it");
    options.key_pem = identity.key_pem;
    options.cert_pem = identity.key_pem;
    expect_refusal(true, &options, PGRPC_FAILED_PRECONDITION, "cert: no certificate in it");

    unlink(file_of("empty.pem", NULL));
    unlink(file_of("broken.pem", NULL));
    rmdir(folder);
    free(locked);
    free(rsa);
    certificate_clear(&identity);
}

static void files_do_as_well_as_memory(void **state)
{
    char name[] = "/tmp/picogrpc-test-XXXXXX", both_path[64];
    struct certificate identity;
    struct pgrpc_credentials *server = NULL, *client = NULL;
    (void)state;
    certificate_make(&identity, &(struct certificate_wishes){.name = "s",
                                                             .alternative_names = "DNS:localhost",
                                                             .issuer = &ca});
    /* Certificate, key and CA in one file, as some tools write it. */
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    strcpy(both_path, name);
    dprintf(fd, "%s%s%s", identity.cert_pem, identity.key_pem, ca.cert_pem);
    close(fd);
    struct pgrpc_tls_options options = {.size = sizeof(options)};
    options.cert_file = options.key_file = both_path;
    assert_int_equal(pgrpc_credentials_new_tls_server(&options, &server, NULL), PGRPC_OK);
    options = (struct pgrpc_tls_options){.size = sizeof(options)};
    options.ca_file = both_path;
    assert_int_equal(pgrpc_credentials_new_tls_client(&options, &client, NULL), PGRPC_OK);
    unlink(name);
    tls_pair_init(&pair, loop, CAPACITY, client, server, "localhost");
    settle(loop);
    assert_int_equal(pair.client_watcher.ready, 1);
    tls_pair_clear(&pair);
    pgrpc_credentials_unref(client);
    pgrpc_credentials_unref(server);
    certificate_clear(&identity);
}

static void the_systems_store_is_the_default(void **state)
{
    struct pgrpc_credentials *client = NULL;
    struct certificate identity;
    (void)state;
    assert_int_equal(pgrpc_credentials_new_tls_client(NULL, &client, NULL), PGRPC_OK);
    certificate_make(&identity, &(struct certificate_wishes){.name = "s",
                                                             .alternative_names = "DNS:localhost",
                                                             .issuer = &ca});
    struct pgrpc_credentials *server = server_credentials(&identity, NULL);
    tls_pair_init(&pair, loop, CAPACITY, client, server, "localhost");
    settle(loop);
    assert_int_equal(pair.client_watcher.failed, 1);
    tls_pair_clear(&pair);
    pgrpc_credentials_unref(client);
    pgrpc_credentials_unref(server);
    certificate_clear(&identity);
}

static void credentials_are_counted_and_of_a_kind(void **state)
{
    struct certificate identity;
    struct bytestream *first, *second, *wrapped = NULL;
    (void)state;
    certificate_make(&identity, &(struct certificate_wishes){.name = "s", .issuer = &ca});
    struct pgrpc_credentials *client = client_credentials(&ca, NULL);
    struct pgrpc_credentials *server = server_credentials(&identity, NULL);
    struct pgrpc_credentials *insecure =
        (struct pgrpc_credentials *)(uintptr_t)pgrpc_credentials_insecure();

    assert_ptr_equal(pgrpc_credentials_ref(client), client);
    pgrpc_credentials_unref(client);
    assert_ptr_equal(pgrpc_credentials_ref(insecure), insecure);
    pgrpc_credentials_unref(insecure);
    pgrpc_credentials_unref(insecure);
    pgrpc_credentials_unref(NULL);
    assert_true(pgrpc__credentials_is_secure(client));
    assert_false(pgrpc__credentials_is_secure(insecure));
    assert_true(pgrpc__credentials_fits(client, false));
    assert_false(pgrpc__credentials_fits(client, true));
    assert_true(pgrpc__credentials_fits(server, true));
    assert_false(pgrpc__credentials_fits(server, false));
    assert_true(pgrpc__credentials_fits(insecure, true));
    assert_true(pgrpc__credentials_fits(insecure, false));

    pgrpc__pipe_new(loop, 100, &first, &second);
    assert_int_equal(pgrpc__credentials_wrap(insecure, loop, first, "h", false, &wrapped), 0);
    assert_ptr_equal(wrapped, first);
    assert_int_equal(pgrpc__credentials_wrap(client, loop, first, "h", true, &wrapped), -EINVAL);
    stream_free(second);

    /* A stream keeps its credentials. */
    tls_pair_init(&pair, loop, CAPACITY, client, server, "localhost");
    pgrpc_credentials_unref(client);
    pgrpc_credentials_unref(server);
    settle(loop);
    tls_pair_clear(&pair);
    certificate_clear(&identity);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_checks_the_server),
        TEST(a_certificate_that_is_trusted_itself),
        TEST(chains_have_a_limit),
        TEST(a_name_instead_of_the_targets),
        TEST(sni_is_sent_for_names_only),
        TEST(a_server_checks_the_client),
        TEST(a_certificate_may_be_optional),
        TEST(sessions_of_clients_with_certificates_are_not_resumed),
        TEST(options_are_checked),
        TEST(files_do_as_well_as_memory),
        TEST(the_systems_store_is_the_default),
        TEST(credentials_are_counted_and_of_a_kind),
    };
    return cmocka_run_group_tests(tests, make_authorities, drop_authorities);
}
