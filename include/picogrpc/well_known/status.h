/*
 * google.rpc.Status: errors with details, over the application's own generated types:
 *
 *     protoc --picogrpc_out=DIR google/protobuf/any.proto google/rpc/status.proto
 *
 * (and google/rpc/error_details.proto for the usual details) and DIR among the include folders.
 *
 *     Google__Rpc__Status rich = GOOGLE__RPC__STATUS__INIT;              a server
 *     rich.code = PGRPC_INVALID_ARGUMENT;
 *     rich.message = (char *)"no such colour";
 *     pgrpc_rich_status_add(&google__rpc__bad_request__descriptor, &bad, arena, &rich);
 *     pgrpc_rich_status_finish(call, &rich);
 *
 *     const Google__Rpc__Status *rich;                                   a client
 *     const void *bad;
 *     if (pgrpc_rich_status_get(pgrpc_call_status(call), arena, &rich) == PGRPC_OK &&
 *         pgrpc_rich_status_find(rich, &google__rpc__bad_request__descriptor, arena, &bad) == 0)
 *         ...
 *
 * Source: google/rpc/status.proto, and grpc-status-details-bin in PROTOCOL-HTTP2.md of gRPC.
 */
#ifndef PICOGRPC_WELL_KNOWN_STATUS_H
#define PICOGRPC_WELL_KNOWN_STATUS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "google/rpc/status.pb-c.h"
#include "picogrpc/call.h"
#include "picogrpc/codec.h"
#include "picogrpc/status.h"
#include "picogrpc/well_known/any.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Packs |message| as one more detail of |rich|, whose array moves into |arena|.
 *   PGRPC_INTERNAL            |message| cannot be encoded: see codec.h
 *   PGRPC_RESOURCE_EXHAUSTED  the arena refused
 */
static inline enum pgrpc_code pgrpc_rich_status_add(const ProtobufCMessageDescriptor *type,
                                                    const void *message, struct pgrpc_arena *arena,
                                                    Google__Rpc__Status *rich)
{
    size_t count = rich->n_details;
    if (count >= SIZE_MAX / sizeof(Google__Protobuf__Any *) - 1)
        return PGRPC_RESOURCE_EXHAUSTED;
    Google__Protobuf__Any fresh = GOOGLE__PROTOBUF__ANY__INIT;
    Google__Protobuf__Any *any = (Google__Protobuf__Any *)pgrpc_arena_alloc(arena, sizeof(*any));
    Google__Protobuf__Any **details = (Google__Protobuf__Any **)pgrpc_arena_alloc(
        arena, (count + 1) * sizeof(Google__Protobuf__Any *));
    if (!any || !details)
        return PGRPC_RESOURCE_EXHAUSTED;
    *any = fresh;
    enum pgrpc_code code = pgrpc_any_pack(type, message, arena, any);
    if (code != PGRPC_OK)
        return code;
    if (count > 0)
        memcpy(details, rich->details, count * sizeof(Google__Protobuf__Any *));
    details[count] = any;
    rich->details = details;
    rich->n_details = count + 1;
    return PGRPC_OK;
}

/*
 * Server: ends |call| with the code, the message and the details of |rich|, as
 * pgrpc_call_finish_status does.  Beside its codes:
 *   PGRPC_INVALID_ARGUMENT    the code of |rich| is none of gRPC's, or is OK
 *   PGRPC_INTERNAL            |rich| cannot be encoded: see codec.h
 *   PGRPC_RESOURCE_EXHAUSTED  out of memory
 * The call goes on after these three: finish it without details.
 */
static inline enum pgrpc_code pgrpc_rich_status_finish(struct pgrpc_call *call,
                                                       const Google__Rpc__Status *rich)
{
    const ProtobufCMessageDescriptor *type = &google__rpc__status__descriptor;
    const char *error = NULL;
    struct pgrpc_status status;
    size_t len = 0;
    enum pgrpc_code code;
    if (rich->code <= PGRPC_OK || rich->code > PGRPC_UNAUTHENTICATED)
        return PGRPC_INVALID_ARGUMENT;
    code = pgrpc_codec_proto.measure(type, rich, &len, &error);
    if (code != PGRPC_OK)
        return code;
    uint8_t *data = (uint8_t *)pgrpc_call_alloc(call, len > 0 ? len : 1);
    if (!data)
        return PGRPC_RESOURCE_EXHAUSTED;
    pgrpc_codec_proto.encode(type, rich, data, len);
    status.code = (enum pgrpc_code)rich->code;
    status.message = rich->message ? rich->message : "";
    status.details = data;
    status.details_len = len;
    return pgrpc_call_finish_status(call, &status);
}

/*
 * Client: decodes the details of a |status| into |arena|; what comes of it may point into |status|.
 *   PGRPC_NOT_FOUND           the server sent no details
 *   PGRPC_INTERNAL            they are not a google.rpc.Status, or their code is not that of the
 *                             call: the server contradicts itself, believe |status|
 *   PGRPC_RESOURCE_EXHAUSTED  the arena refused
 */
static inline enum pgrpc_code pgrpc_rich_status_get(const struct pgrpc_status *status,
                                                    struct pgrpc_arena *arena,
                                                    const Google__Rpc__Status **rich)
{
    const void *message = NULL;
    const char *error = NULL;
    if (!status->details)
        return PGRPC_NOT_FOUND;
    enum pgrpc_code code =
        pgrpc_codec_proto.decode(&google__rpc__status__descriptor, (const uint8_t *)status->details,
                                 status->details_len, arena, &message, &error);
    if (code != PGRPC_OK)
        return code;
    if (((const Google__Rpc__Status *)message)->code != (int32_t)status->code)
        return PGRPC_INTERNAL;
    *rich = (const Google__Rpc__Status *)message;
    return PGRPC_OK;
}

/*
 * Unpacks the first detail of |rich| that is a |type|.
 *   PGRPC_NOT_FOUND  there is none
 *   else as pgrpc_any_unpack
 */
static inline enum pgrpc_code pgrpc_rich_status_find(const Google__Rpc__Status *rich,
                                                     const ProtobufCMessageDescriptor *type,
                                                     struct pgrpc_arena *arena,
                                                     const void **message)
{
    for (size_t i = 0; i < rich->n_details; i++)
        if (pgrpc_any_is(rich->details[i], type))
            return pgrpc_any_unpack(rich->details[i], type, arena, message);
    return PGRPC_NOT_FOUND;
}

#ifdef __cplusplus
}
#endif
#endif
