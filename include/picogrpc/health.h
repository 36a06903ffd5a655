/* The health service (grpc.health.v1: Check, Watch, List).  Source: doc/health-checking.md, gRFC
 * A17, A90. */
#ifndef PICOGRPC_HEALTH_H
#define PICOGRPC_HEALTH_H

#include "picogrpc/server.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pgrpc_health;

enum pgrpc_serving { PGRPC_SERVING = 1, PGRPC_NOT_SERVING = 2 };

/*
 * Adds the service to |server|, which owns *health.  The server itself ("") starts as SERVING; a
 * shutdown sets every service to NOT_SERVING.  Codes as pgrpc_server_register.
 */
PGRPC_API enum pgrpc_code pgrpc_health_register(struct pgrpc_server *server,
                                                struct pgrpc_health **health);
/*
 * Sets the state of |service| (copied) and tells everyone who watches it.  Any thread.
 *   PGRPC_INVALID_ARGUMENT     |service| is NULL or not UTF-8, or |state| is neither of the two
 *   PGRPC_RESOURCE_EXHAUSTED   out of memory, or more than 10,000 services
 *   PGRPC_FAILED_PRECONDITION  after fork()
 * Ignored after a shutdown, which also ends every Watch with UNAVAILABLE.
 */
PGRPC_API enum pgrpc_code pgrpc_health_set(struct pgrpc_health *health, const char *service,
                                           enum pgrpc_serving state);

#ifdef __cplusplus
}
#endif
#endif
