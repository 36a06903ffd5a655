/* What the server and the client on picogrpc share. */
#ifndef PEERTEST_COMMON_H
#define PEERTEST_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "peertest.pgrpc.h"

typedef Picogrpc__Peertest__Request Request;
typedef Picogrpc__Peertest__Reply Reply;
typedef Picogrpc__Peertest__Failure Failure;
typedef Picogrpc__Peertest__Detail Detail;
typedef Picogrpc__Peertest__Observation Observation;
typedef Picogrpc__Peertest__RpcStatus RpcStatus;
typedef Picogrpc__Peertest__RpcStatusDetail RpcStatusDetail;

#define ECHO_PREFIX "x-echo-"
#define TRAILER_PREFIX "x-echo-trailer-"
#define DETAIL_TYPE "type.googleapis.com/picogrpc.peertest.Detail"

enum { PATTERN_MAX = 1000000 };

/* PATTERN_MAX bytes: byte i is i % 251. Static. */
const uint8_t *pattern(void);
/* All bytes added up, modulo 2^32. */
uint32_t sum(const uint8_t *data, size_t len);
/* Memory or the end of the program. */
void *must_alloc(size_t size);
char *must_copy(const char *text);
/* Prints the text and ends the program. */
_Noreturn void die(const char *format, ...) PGRPC_PRINTF(1, 2);
void sleep_ms(int ms);
/* Milliseconds of the monotonic clock. */
int64_t clock_ms(void);

#endif
