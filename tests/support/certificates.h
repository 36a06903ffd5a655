/*
 * Certificates made on the spot, for tests of TLS: what the test asks for is the only thing that is
 * wrong with them.  EC keys; PEM text.
 */
#ifndef TESTS_CERTIFICATES_H
#define TESTS_CERTIFICATES_H

#include <stdbool.h>

struct certificate {
    char *cert_pem;
    char *key_pem;
};

struct certificate_wishes {
    const char *name;              /* common name */
    const char *alternative_names; /* "DNS:localhost,IP:127.0.0.1", or NULL for none */
    const char *usage;             /* extended key usage: "serverAuth", "clientAuth", or NULL */
    bool is_ca;
    int from_days, until_days;        /* relative to now; both 0: from -1 until 1 */
    const struct certificate *issuer; /* NULL: signed by itself */
};

/* Ends the program when OpenSSL cannot. */
void certificate_make(struct certificate *certificate, const struct certificate_wishes *wishes);
void certificate_clear(struct certificate *certificate);

#endif
