/*
 * google.protobuf.Timestamp and struct timespec, over the application's own generated type:
 *
 *     protoc --picogrpc_out=DIR google/protobuf/timestamp.proto
 *
 * and DIR among the include folders.  A Timestamp is a point in time from 0001-01-01T00:00:00Z to
 * 9999-12-31T23:59:59.999999999Z, as seconds since 1970 and nanoseconds that count forward, before
 * 1970 too: exactly what a struct timespec of CLOCK_REALTIME is.  Any thread.
 * Source: google/protobuf/timestamp.proto.
 */
#ifndef PICOGRPC_WELL_KNOWN_TIMESTAMP_H
#define PICOGRPC_WELL_KNOWN_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "google/protobuf/timestamp.pb-c.h"
#include "picogrpc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether |timestamp|, which a peer may have sent, keeps to the range above. */
static inline bool pgrpc_timestamp_is_valid(const Google__Protobuf__Timestamp *timestamp)
{
    return timestamp->seconds >= INT64_C(-62135596800) &&
           timestamp->seconds <= INT64_C(253402300799) && timestamp->nanos >= 0 &&
           timestamp->nanos <= 999999999;
}

/*
 * Sets seconds and nanos of |timestamp| and nothing else of it.
 *   PGRPC_INVALID_ARGUMENT  |time| has nanoseconds below 0 or above 999,999,999
 *   PGRPC_OUT_OF_RANGE      |time| is before the year 1 or after the year 9999
 */
static inline enum pgrpc_code pgrpc_timestamp_from_timespec(const struct timespec *time,
                                                            Google__Protobuf__Timestamp *timestamp)
{
    if (time->tv_nsec < 0 || time->tv_nsec > 999999999)
        return PGRPC_INVALID_ARGUMENT;
    if ((int64_t)time->tv_sec < INT64_C(-62135596800) ||
        (int64_t)time->tv_sec > INT64_C(253402300799))
        return PGRPC_OUT_OF_RANGE;
    timestamp->seconds = (int64_t)time->tv_sec;
    timestamp->nanos = (int32_t)time->tv_nsec;
    return PGRPC_OK;
}

/*
 *   PGRPC_INVALID_ARGUMENT  |timestamp| is not valid
 *   PGRPC_OUT_OF_RANGE      this machine's time_t is too small for it
 */
static inline enum pgrpc_code
pgrpc_timestamp_to_timespec(const Google__Protobuf__Timestamp *timestamp, struct timespec *time)
{
    if (!pgrpc_timestamp_is_valid(timestamp))
        return PGRPC_INVALID_ARGUMENT;
    if ((int64_t)(time_t)timestamp->seconds != timestamp->seconds)
        return PGRPC_OUT_OF_RANGE;
    time->tv_sec = (time_t)timestamp->seconds;
    time->tv_nsec = timestamp->nanos;
    return PGRPC_OK;
}

#ifdef __cplusplus
}
#endif
#endif
