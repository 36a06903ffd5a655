/*
 * picogrpc: gRPC for C.  Includes everything an application needs; generated code includes it too.
 * Read channel.h and call.h for clients, server.h and call.h for servers, loop.h for event loops.
 */
#ifndef PICOGRPC_PICOGRPC_H
#define PICOGRPC_PICOGRPC_H

#include "picogrpc/allocator.h"
#include "picogrpc/call.h"
#include "picogrpc/channel.h"
#include "picogrpc/codec.h"
#include "picogrpc/codegen.h"
#include "picogrpc/credentials.h"
#include "picogrpc/export.h"
#include "picogrpc/health.h"
#include "picogrpc/interceptor.h"
#include "picogrpc/log.h"
#include "picogrpc/loop.h"
#include "picogrpc/metadata.h"
#include "picogrpc/reflection.h"
#include "picogrpc/server.h"
#include "picogrpc/status.h"

#endif
