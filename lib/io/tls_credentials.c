#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/mem.h"
#include "io/credentials.h"
#include "io/tls.h"
#include "io/tls_parts.h"

enum {
    CERT_LIST_MAX = 64 * 1024, /* bytes of the chain a peer may send */
    CHAIN_DEPTH_MAX = 10
};

/* What is being made, and where to say why it failed. */
struct builder {
    const struct pgrpc_tls_options *options;
    struct pgrpc_credentials *credentials;
    struct pgrpc_error *error;
    bool is_server;
};

/* --- parts of a context ----------------------------------------------------------------------- */

static int add_trusted(void *userdata, X509 *certificate, int index)
{
    const struct builder *builder = userdata;
    SSL_CTX *context = builder->credentials->context;
    (void)index;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1 &&
           (!builder->is_server || SSL_CTX_add_client_CA(context, certificate) == 1);
}

/* A server has no other use for a CA. */
static bool asks_for_clients(const struct pgrpc_tls_options *options)
{
    return options->ca_file || options->ca_pem;
}

static enum pgrpc_code set_trust(struct builder *builder)
{
    const struct pgrpc_tls_options *options = builder->options;
    SSL_CTX *context = builder->credentials->context;
    struct pem pem = {0};

    enum pgrpc_code code =
        pgrpc__pem_load("ca", options->ca_file, options->ca_pem, &pem, builder->error);
    if (code == PGRPC_OK && pem.data) {
        code = pgrpc__pem_each_certificate(&pem, add_trusted, builder, builder->error);
        /* Whoever names a certificate trusts it, root or not. */
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    } else if (code == PGRPC_OK && !builder->is_server) {
        if (!SSL_CTX_set_default_verify_paths(context))
            code = pgrpc__tls_refuse_ssl(builder->error, "the system's trusted certificates");
    }
    pgrpc__pem_clear(&pem);
    if (code != PGRPC_OK)
        return code;

    int mode = !builder->is_server || asks_for_clients(options) ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
    if (options->require_client_cert)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context, mode, NULL);
    return PGRPC_OK;
}

static int add_own(void *userdata, X509 *certificate, int index)
{
    const struct builder *builder = userdata;
    SSL_CTX *context = builder->credentials->context;
    return (index == 0 ? SSL_CTX_use_certificate(context, certificate)
                       : (int)SSL_CTX_add1_chain_cert(context, certificate)) == 1;
}

static enum pgrpc_code set_key(struct builder *builder, const struct pem *pem)
{
    SSL_CTX *context = builder->credentials->context;
    EVP_PKEY *key = NULL;

    enum pgrpc_code code = pgrpc__pem_key(pem, &key, builder->error);
    if (code != PGRPC_OK)
        return code;
    /* The second check finds a key of another kind than the certificate's. */
    if (SSL_CTX_use_PrivateKey(context, key) != 1 || SSL_CTX_check_private_key(context) != 1)
        code = pgrpc__tls_is_out_of_memory()
                   ? pgrpc__tls_refuse_memory(builder->error)
                   : pgrpc__tls_refuse(builder->error, PGRPC_FAILED_PRECONDITION,
                                       "%.150s: the private key does not belong to the certificate",
                                       pem->what);
    ERR_clear_error();
    EVP_PKEY_free(key);
    return code;
}

static enum pgrpc_code set_identity(struct builder *builder)
{
    const struct pgrpc_tls_options *options = builder->options;
    struct pem chain = {0}, key = {0};

    enum pgrpc_code code =
        pgrpc__pem_load("cert", options->cert_file, options->cert_pem, &chain, builder->error);
    if (code == PGRPC_OK)
        code = pgrpc__pem_load("key", options->key_file, options->key_pem, &key, builder->error);
    if (code == PGRPC_OK && !chain.data != !key.data)
        code = pgrpc__tls_refuse(builder->error, PGRPC_INVALID_ARGUMENT,
                                 "a certificate and its key belong together");
    if (code == PGRPC_OK && !chain.data && builder->is_server)
        code = pgrpc__tls_refuse(builder->error, PGRPC_INVALID_ARGUMENT,
                                 "a server needs a certificate and its key");
    if (code == PGRPC_OK && chain.data) {
        code = pgrpc__pem_each_certificate(&chain, add_own, builder, builder->error);
        if (code == PGRPC_OK)
            code = set_key(builder, &key);
    }
    pgrpc__pem_clear(&chain);
    pgrpc__pem_clear(&key);
    return code;
}

/* --- ALPN ------------------------------------------------------------------------------------- */

static const unsigned char alpn_h2[] = {2, 'h', '2'};

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *userdata)
{
    (void)ssl;
    (void)userdata;
    for (unsigned i = 0; i < in_len; i += 1u + in[i]) {
        if (in[i] == 2 && in_len - i >= 3 && memcmp(in + i + 1, "h2", 2) == 0) {
            *out = in + i + 1;
            *out_len = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The callback above is not asked when the client does not offer ALPN at all. */
static int require_alpn(SSL *ssl, int *alert, void *userdata)
{
    const unsigned char *data;
    size_t len;
    (void)userdata;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data,
                                  &len))
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

/* --- context ---------------------------------------------------------------------------------- */

/* RFC 9113, 9.2.2: of TLS 1.2 only what has ephemeral keys and an AEAD. AES-128 first: it is the
 * fastest. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char suites[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

static enum pgrpc_code set_server(struct builder *builder)
{
    SSL_CTX *context = builder->credentials->context;
    unsigned char id[SSL_MAX_SSL_SESSION_ID_LENGTH];

    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_alpn_select_cb(context, select_alpn, NULL);
    SSL_CTX_set_client_hello_cb(context, require_alpn, NULL);
    /* A session of other credentials must not be resumed here, whatever they have in common. */
    if (RAND_bytes(id, sizeof(id)) != 1 || !SSL_CTX_set_session_id_context(context, id, sizeof(id)))
        return pgrpc__tls_refuse_ssl(builder->error, "session context");
    /* Nor may a client whose certificate is not trusted any more come back with a ticket. */
    if (asks_for_clients(builder->options)) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        if (!SSL_CTX_set_num_tickets(context, 0))
            return pgrpc__tls_refuse_ssl(builder->error, "session tickets");
    }
    return PGRPC_OK;
}

static enum pgrpc_code set_context(struct builder *builder)
{
    SSL_CTX *context = SSL_CTX_new(builder->is_server ? TLS_server_method() : TLS_client_method());
    if (!context)
        return pgrpc__tls_refuse_ssl(builder->error, "TLS");
    builder->credentials->context = context;
    builder->credentials->bio_method = pgrpc__tls_bio_method_new();
    if (!builder->credentials->bio_method)
        return pgrpc__tls_refuse_memory(builder->error);

    /* The system's configuration may ask for more than TLS 1.2, not for less. */
    if ((SSL_CTX_get_min_proto_version(context) < TLS1_2_VERSION &&
         !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION)) ||
        !SSL_CTX_set_cipher_list(context, ciphers) || !SSL_CTX_set_ciphersuites(context, suites))
        return pgrpc__tls_refuse_ssl(builder->error, "TLS versions and ciphers");
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Of an idle connection only the state is kept, not its buffers. */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(context, CERT_LIST_MAX);
    SSL_CTX_set_verify_depth(context, CHAIN_DEPTH_MAX);
    if (builder->is_server)
        return set_server(builder);
    if (SSL_CTX_set_alpn_protos(context, alpn_h2, sizeof(alpn_h2)) != 0)
        return pgrpc__tls_refuse_memory(builder->error);
    return PGRPC_OK;
}

/* --- credentials ------------------------------------------------------------------------------ */

static enum pgrpc_code check_options(struct builder *builder)
{
    const struct pgrpc_tls_options *options = builder->options;
    if (builder->is_server) {
        if (options->server_name)
            return pgrpc__tls_refuse(builder->error, PGRPC_INVALID_ARGUMENT,
                                     "server_name is for clients");
        if (options->require_client_cert && !asks_for_clients(options))
            return pgrpc__tls_refuse(builder->error, PGRPC_INVALID_ARGUMENT,
                                     "require_client_cert needs the CA of the clients");
    } else if (options->require_client_cert) {
        return pgrpc__tls_refuse(builder->error, PGRPC_INVALID_ARGUMENT,
                                 "require_client_cert is for servers");
    }
    return PGRPC_OK;
}

static enum pgrpc_code set_server_name(struct builder *builder)
{
    const char *name = builder->options->server_name;
    if (!name)
        return PGRPC_OK;
    size_t len = strlen(name);
    if (len == 0 || len > 255)
        return pgrpc__tls_refuse(builder->error, PGRPC_INVALID_ARGUMENT,
                                 "server_name is empty or too long");
    char *copy = pgrpc__raw_alloc(&pgrpc__default_allocator, len + 1);
    if (!copy)
        return pgrpc__tls_refuse_memory(builder->error);
    memcpy(copy, name, len + 1);
    builder->credentials->server_name = copy;
    return PGRPC_OK;
}

static enum pgrpc_code new_tls(const struct pgrpc_tls_options *options, bool is_server,
                               struct pgrpc_credentials **credentials, struct pgrpc_error *error)
{
    struct pgrpc_tls_options given = {.size = sizeof(given)};
    struct builder builder = {.options = &given, .error = error, .is_server = is_server};

    if (options && options->size < sizeof(options->size))
        return pgrpc__tls_refuse(error, PGRPC_INVALID_ARGUMENT, "size is not set in the options");
    if (options)
        memcpy(&given, options, options->size < sizeof(given) ? options->size : sizeof(given));
    enum pgrpc_code code = check_options(&builder);
    if (code != PGRPC_OK)
        return code;
    builder.credentials =
        pgrpc__raw_zalloc(&pgrpc__default_allocator, sizeof(*builder.credentials));
    if (!builder.credentials)
        return pgrpc__tls_refuse_memory(error);
    atomic_init(&builder.credentials->refs, 1);
    builder.credentials->kind = is_server ? CREDENTIALS_TLS_SERVER : CREDENTIALS_TLS_CLIENT;

    ERR_clear_error();
    code = set_context(&builder);
    if (code == PGRPC_OK)
        code = set_trust(&builder);
    if (code == PGRPC_OK)
        code = set_identity(&builder);
    if (code == PGRPC_OK)
        code = set_server_name(&builder);
    if (code == PGRPC_OK)
        *credentials = builder.credentials;
    else
        pgrpc_credentials_unref(builder.credentials);
    ERR_clear_error();
    return code;
}

enum pgrpc_code pgrpc_credentials_new_tls_client(const struct pgrpc_tls_options *options,
                                                 struct pgrpc_credentials **credentials,
                                                 struct pgrpc_error *error)
{
    return new_tls(options, false, credentials, error);
}

enum pgrpc_code pgrpc_credentials_new_tls_server(const struct pgrpc_tls_options *options,
                                                 struct pgrpc_credentials **credentials,
                                                 struct pgrpc_error *error)
{
    return new_tls(options, true, credentials, error);
}

const struct pgrpc_credentials *pgrpc_credentials_insecure(void)
{
    static const struct pgrpc_credentials insecure = {.kind = CREDENTIALS_INSECURE};
    return &insecure;
}

struct pgrpc_credentials *pgrpc_credentials_ref(struct pgrpc_credentials *credentials)
{
    if (credentials->kind != CREDENTIALS_INSECURE)
        atomic_fetch_add_explicit(&credentials->refs, 1, memory_order_relaxed);
    return credentials;
}

void pgrpc_credentials_unref(struct pgrpc_credentials *credentials)
{
    if (!credentials || credentials->kind == CREDENTIALS_INSECURE ||
        atomic_fetch_sub_explicit(&credentials->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(credentials->context);
    BIO_meth_free(credentials->bio_method);
    pgrpc__raw_free(&pgrpc__default_allocator, credentials->server_name);
    pgrpc__raw_free(&pgrpc__default_allocator, credentials);
}

bool pgrpc__credentials_is_secure(const struct pgrpc_credentials *credentials)
{
    return credentials->kind != CREDENTIALS_INSECURE;
}

bool pgrpc__credentials_fits(const struct pgrpc_credentials *credentials, bool is_server)
{
    return credentials->kind != (is_server ? CREDENTIALS_TLS_CLIENT : CREDENTIALS_TLS_SERVER);
}

int pgrpc__credentials_wrap(const struct pgrpc_credentials *credentials, struct pgrpc_loop *loop,
                            struct bytestream *inner, const char *host, bool is_server,
                            struct bytestream **stream)
{
    if (!pgrpc__credentials_fits(credentials, is_server)) {
        inner->ops->free(inner);
        return -EINVAL;
    }
    if (pgrpc__credentials_is_secure(credentials))
        return pgrpc__tls_new(loop, inner, credentials, host, stream);
    *stream = inner;
    return 0;
}
