/* grpc-timeout (PROTOCOL-HTTP2.md, Timeout), in the milliseconds of the loop's clock. */
#ifndef PGRPC__WIRE_TIMEOUT_H
#define PGRPC__WIRE_TIMEOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMEOUT_TEXT_MAX = 9 }; /* eight digits and a unit */

/* The largest value that can be written, 99999999H; no sum with a clock overflows. */
#define TIMEOUT_MS_MAX (INT64_C(99999999) * 3600 * 1000)

/*
 * One to eight digits and one of H M S m u n; false for anything else (fail the RPC with
 * PGRPC_INTERNAL).  Rounded up, so that a deadline is never early; 0 means expired on arrival.
 */
bool pgrpc__timeout_parse(const char *text, size_t len, int64_t *timeout_ms);

/*
 * Writes the value in the finest unit from milliseconds up that fits eight digits, rounded up; no
 * NUL.  Returns the number of characters.  A timeout that is not positive must end the call before
 * it gets here; it is written as "1n".
 */
size_t pgrpc__timeout_format(int64_t timeout_ms, char text[TIMEOUT_TEXT_MAX]);

#endif
