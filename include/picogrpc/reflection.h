/* Server reflection (grpc.reflection.v1 and v1alpha), for grpcurl and its like.  Source:
 * doc/server-reflection.md, gRFC A15. */
#ifndef PICOGRPC_REFLECTION_H
#define PICOGRPC_REFLECTION_H

#include "picogrpc/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Serves the descriptors of every registered service, also of those registered later. Codes as
 * pgrpc_server_register. */
PGRPC_API enum pgrpc_code pgrpc_reflection_register(struct pgrpc_server *server);

#ifdef __cplusplus
}
#endif
#endif
