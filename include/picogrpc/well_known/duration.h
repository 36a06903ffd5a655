/*
 * google.protobuf.Duration and struct timespec, over the application's own generated type:
 *
 *     protoc --picogrpc_out=DIR google/protobuf/duration.proto
 *
 * and DIR among the include folders.  A Duration lasts up to 10,000 years (315,576,000,000 seconds)
 * in either direction, and its seconds and nanos have the same sign.  In a struct timespec the
 * nanoseconds always count forward: -1.5 seconds are -2 seconds and 500,000,000 nanoseconds.  Any
 * thread.  Source: google/protobuf/duration.proto.
 */
#ifndef PICOGRPC_WELL_KNOWN_DURATION_H
#define PICOGRPC_WELL_KNOWN_DURATION_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "google/protobuf/duration.pb-c.h"
#include "picogrpc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether |duration|, which a peer may have sent, keeps to the range and to one sign. */
static inline bool pgrpc_duration_is_valid(const Google__Protobuf__Duration *duration)
{
    return duration->seconds >= -INT64_C(315576000000) &&
           duration->seconds <= INT64_C(315576000000) && duration->nanos >= -999999999 &&
           duration->nanos <= 999999999 && !(duration->seconds > 0 && duration->nanos < 0) &&
           !(duration->seconds < 0 && duration->nanos > 0);
}

/*
 * Sets seconds and nanos of |duration| and nothing else of it.
 *   PGRPC_INVALID_ARGUMENT  |time| has nanoseconds below 0 or above 999,999,999
 *   PGRPC_OUT_OF_RANGE      |time| is longer than 10,000 years
 */
static inline enum pgrpc_code pgrpc_duration_from_timespec(const struct timespec *time,
                                                           Google__Protobuf__Duration *duration)
{
    int64_t seconds = (int64_t)time->tv_sec;
    int32_t nanos;
    if (time->tv_nsec < 0 || time->tv_nsec > 999999999)
        return PGRPC_INVALID_ARGUMENT;
    nanos = (int32_t)time->tv_nsec;
    if (seconds < 0 && nanos > 0) {
        seconds++;
        nanos -= 1000000000;
    }
    /* Up to a whole 10,000 years and 999,999,999 nanoseconds, as in other languages. */
    if (seconds < -INT64_C(315576000000) || seconds > INT64_C(315576000000))
        return PGRPC_OUT_OF_RANGE;
    duration->seconds = seconds;
    duration->nanos = nanos;
    return PGRPC_OK;
}

/*
 *   PGRPC_INVALID_ARGUMENT  |duration| is not valid
 *   PGRPC_OUT_OF_RANGE      this machine's time_t is too small for it
 */
static inline enum pgrpc_code pgrpc_duration_to_timespec(const Google__Protobuf__Duration *duration,
                                                         struct timespec *time)
{
    int64_t seconds = duration->seconds;
    int32_t nanos = duration->nanos;
    if (!pgrpc_duration_is_valid(duration))
        return PGRPC_INVALID_ARGUMENT;
    if (nanos < 0) {
        seconds--;
        nanos += 1000000000;
    }
    if ((int64_t)(time_t)seconds != seconds)
        return PGRPC_OUT_OF_RANGE;
    time->tv_sec = (time_t)seconds;
    time->tv_nsec = nanos;
    return PGRPC_OK;
}

#ifdef __cplusplus
}
#endif
#endif
