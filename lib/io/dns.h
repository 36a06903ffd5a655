/*
 * Names to addresses, by c-ares on the loop.  Lock held throughout.
 *
 * "localhost" and the hosts file are c-ares's business; literal addresses should not come here.
 */
#ifndef PGRPC__IO_DNS_H
#define PGRPC__IO_DNS_H

#include <stdint.h>

#include "io/address.h"
#include "io/loop.h"

struct dns_query;

/*
 * The answer, once, from a loop turn; the query is gone by then.  |error| NULL means success, with
 * at least one address, the ones to try first in front; otherwise it is a static text.
 */
typedef void dns_answer_fn(void *owner, const struct socket_address *addresses, size_t count,
                           const char *error);

/*
 * Asks for the IPv6 and IPv4 addresses of |host|, with |port| filled in; at most 30 s.  0;
 * otherwise a negative errno and a static text: -ENOTSUP when the library was built without c-ares.
 */
int pgrpc__dns_resolve(struct pgrpc_loop *loop, const char *host, uint16_t port,
                       dns_answer_fn *answer, void *owner, struct dns_query **query,
                       const char **error);
/* No answer will come. Accepts NULL. */
void pgrpc__dns_cancel(struct dns_query *query);

/* For tests: the name servers to ask ("127.0.0.1:5353"); NULL means the system's. */
extern const char *pgrpc__dns_servers;

#endif
