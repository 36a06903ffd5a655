/* How the outcome of an RPC is said on the wire, and what to make of a peer that did not say it. */
#ifndef PGRPC__WIRE_STATUS_H
#define PGRPC__WIRE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picogrpc/status.h"

enum { STATUS_TEXT_MAX = 2 };

/* grpc-status: decimal, no leading zeros; PGRPC_UNKNOWN for anything else and for numbers above 16.
 */
enum pgrpc_code pgrpc__status_parse(const char *text, size_t len);
/* Writes grpc-status; returns its length (1 or 2), no NUL. */
size_t pgrpc__status_format(enum pgrpc_code code, char text[STATUS_TEXT_MAX]);
/* For a response without grpc-status, by its :status; 200 gives PGRPC_UNKNOWN
 * (http-grpc-status-mapping.md). */
enum pgrpc_code pgrpc__status_from_http(unsigned http_status);
/* For a stream that RST_STREAM with this error code ended before trailers came (PROTOCOL-HTTP2.md,
 * Errors). */
enum pgrpc_code pgrpc__status_from_reset(uint32_t http2_error);

/*
 * True when a content-type is gRPC's: application/grpc, then the end, '+' or ';'.
 * *subtype is what follows '+' up to ';', a view into |text|; *subtype_len 0 means proto.
 */
bool pgrpc__content_type_parse(const char *text, size_t len, const char **subtype,
                               size_t *subtype_len);

#endif
