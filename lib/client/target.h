/* Targets: "host:port", "dns:///host:port", "ipv4:1.2.3.4:port", "ipv6:[::1]:port", "unix:/path",
 * "unix-abstract:name". */
#ifndef PGRPC__CLIENT_TARGET_H
#define PGRPC__CLIENT_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "picogrpc/status.h"

struct target {
    bool is_name;     /* |host| and |port| are to be resolved */
    const char *host; /* without brackets; "localhost" for unix sockets */
    uint16_t port;
    const char *literal;   /* otherwise: an address that io/address.h reads */
    const char *authority; /* for :authority */
};

/* Texts in |arena|. PGRPC_INVALID_ARGUMENT with a text, or PGRPC_RESOURCE_EXHAUSTED. */
enum pgrpc_code pgrpc__target_parse(const char *text, struct arena *arena, struct target *target,
                                    struct pgrpc_error *error);
/* The host of an authority that an application chose, without brackets: who the server must be. The
 * same codes. */
enum pgrpc_code pgrpc__authority_host(const char *authority, struct arena *arena, const char **host,
                                      struct pgrpc_error *error);

#endif
