/*
 * What HTTP asks of the fields of one head (RFC 9113 section 8.1 to 8.3, RFC 9110 section 8.6):
 * which pseudo-headers must and may be there, in which order, and what must not.
 *
 * Pure.  A value on the stack or in an engine, for one head.
 */
#ifndef PGRPC__H2_HEAD_CHECK_H
#define PGRPC__H2_HEAD_CHECK_H

#include <stdint.h>

#include "h2/stream.h"

enum { LENGTH_UNKNOWN = -1 };

enum head_verdict {
    HEAD_KEEP,
    HEAD_DROP, /* HTTP forbids the field and nobody has to fail for it */
    HEAD_BAD   /* the head is malformed */
};

struct head_check {
    bool is_request; /* a request's head or trailers */
    bool is_trailers;
    bool is_regular_seen;
    bool is_connect;
    bool is_options;
    bool is_http; /* by the scheme */
    char path_start;
    bool is_path_asterisk;
    unsigned seen;          /* bits of pseudo-headers and host */
    int status;             /* of a response, 0: not seen */
    int64_t content_length; /* LENGTH_UNKNOWN when there is none */
};

/* |kind|: H2_HEAD_REQUEST; H2_HEAD_RESPONSE, which may turn out to be informational;
 * H2_HEAD_TRAILERS of either. |content_length| is what the message said before. */
void pgrpc__head_check_init(struct head_check *check, bool is_request, enum h2_head_kind kind,
                            int64_t content_length);
enum head_verdict pgrpc__head_check_field(struct head_check *check,
                                          const struct header_field *field);
/* After the last field: whether what must be there is there. */
bool pgrpc__head_check_end(struct head_check *check);
bool pgrpc__head_check_is_informational(const struct head_check *check);

#endif
