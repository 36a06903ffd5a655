#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "io/tls_parts.h"

static void verify_text(const SSL *ssl, char *text, size_t len)
{
    long result = SSL_get_verify_result(ssl);
    const char *hint = "";

    switch (result) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        hint = " (is its CA among the trusted ones?)";
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        hint = " (its subjectAltName must have the name that was connected to)";
        break;
    default:
        break;
    }
    snprintf(text, len, "certificate verify failed: %s%s", X509_verify_cert_error_string(result),
             hint);
}

void pgrpc__tls_error_text(const SSL *ssl, char *text, size_t len)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    const char *words = ERR_reason_error_string(code);

    if (code == 0 || !words) {
        snprintf(text, len, "%s", code == 0 ? "no reason given" : "unknown reason");
    } else if (ERR_GET_LIB(code) != ERR_LIB_SSL) {
        snprintf(text, len, "%s", words);
    } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && ssl) {
        verify_text(ssl, text, len);
    } else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
               reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_BAD_RECORD_TYPE) {
        snprintf(text, len, "%s (does the peer speak plaintext?)", words);
    } else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        snprintf(text, len, "the client sent no certificate");
    } else if (reason == SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL) {
        snprintf(text, len, "the peer refuses ALPN h2");
    } else if (reason > SSL_AD_REASON_OFFSET) {
        /* "tlsv13 alert certificate required" */
        const char *alert = strstr(words, "alert ");
        snprintf(text, len, "the peer sent the alert: %s", alert ? alert + 6 : words);
    } else {
        snprintf(text, len, "%s", words);
    }
    ERR_clear_error();
}

bool pgrpc__tls_is_out_of_memory(void)
{
    return ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

enum pgrpc_code pgrpc__tls_refuse(struct pgrpc_error *error, enum pgrpc_code code,
                                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (error)
        vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return code;
}

enum pgrpc_code pgrpc__tls_refuse_memory(struct pgrpc_error *error)
{
    ERR_clear_error();
    return pgrpc__tls_refuse(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
}

enum pgrpc_code pgrpc__tls_refuse_ssl(struct pgrpc_error *error, const char *what)
{
    char text[160];
    if (pgrpc__tls_is_out_of_memory())
        return pgrpc__tls_refuse_memory(error);
    pgrpc__tls_error_text(NULL, text, sizeof(text));
    return pgrpc__tls_refuse(error, PGRPC_FAILED_PRECONDITION, "%.80s: %s", what, text);
}
