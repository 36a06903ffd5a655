/*
 * The cases of the interop client, and what they are made of.
 *
 * A case gets the settings and a channel, and says in one line what is not as it must be.  The
 * names and what they ask for are those of doc/interop-test-descriptions.md; the cases marked
 * "ours" stand there as plans only.
 */
#ifndef INTEROP_CASES_H
#define INTEROP_CASES_H

#include <stdbool.h>
#include <stddef.h>

#include "grpc/testing/test.pgrpc.h"

enum {
    LARGE_REQUEST = 271828,
    LARGE_REPLY = 314159,
    CALL_TIMEOUT_MS = 30000,
    MAX_METADATA_BYTES = 256 << 10
};

struct soak {
    int iterations, max_failures, max_latency_ms, overall_timeout_s, min_ms_between;
    int request_size, reply_size, threads;
    int iteration_interval_s; /* of long_lived_channel */
};

/* Of connection_backoff. */
struct backoff {
    const char *target;  /* where no connection is ever good for anything */
    int seconds, max_ms; /* 0: the library's maximum */
};

/* One run of the client. */
struct run {
    const char *test_case;
    const char *target;    /* HOST:PORT */
    const char *authority; /* NULL: the target */
    const struct pgrpc_credentials *credentials;
    const struct pgrpc_interceptor *interceptor; /* adds the additional metadata; NULL: none */
    struct pgrpc_channel *channel;               /* for calls that wait */
    struct soak soak;
    struct backoff backoff;
};

struct test_case {
    const char *name;
    int (*run)(const struct run *run); /* 0 passed */
    int limit_s; /* longer than a call may take, which tells more; 0: its flags limit it */
};

/* Each array ends with a NULL name. */
extern const struct test_case unary_cases[];
extern const struct test_case compressed_cases[];
extern const struct test_case stream_cases[];
extern const struct test_case ending_cases[];
extern const struct test_case pressure_cases[];
extern const struct test_case soak_cases[];
/* These need servers of their own. */
extern const struct test_case negative_cases[];
extern const struct test_case backoff_cases[];

/* --- helpers --- */

/* Another channel; |loop| may be NULL. NULL after a line on stderr. */
struct pgrpc_channel *open_channel(const struct run *run, struct pgrpc_loop *loop);

/* The same with a loop of its own, to be freed after the channel, also when that is NULL. */
struct pgrpc_channel *open_channel_and_loop(const struct run *run, struct pgrpc_loop **loop);

/* Sets the name (kept) that failures are said under. */
void fail_as(const char *name);
/* Says in a line what is wrong. Returns 1. */
int fail(const char *format, ...) PGRPC_PRINTF(1, 2);

/* The next two return 0, or 1 after saying what is wrong. */
int expect_status(const struct pgrpc_status *status, enum pgrpc_code code);
int expect_body(const Grpc__Testing__Payload *payload, size_t len);

/* Opening a call gives NULL without memory: all calls of the library take it, and its status tells.
 *
 * Waits for the end of |call|, which must not have a further reply when |code| is OK, and drops it.
 * 0, or 1 after saying what is wrong; 1 also when |failed|. */
int expect_end(struct pgrpc_call *call, enum pgrpc_code code, int failed);

/* Options every call has. */
struct pgrpc_call_options call_options(void);

/* A request with |request_len| zeros, in |payload|, for a reply of |reply_len|. */
Grpc__Testing__SimpleRequest simple_request(Grpc__Testing__Payload *payload, size_t request_len,
                                            size_t reply_len);
/* One UnaryCall, which must end with |code|, and with OK have the reply that |request| asks for.
 * |result| is the caller's to clear. 0, or 1 after saying what is wrong. */
int expect_unary(struct pgrpc_channel *channel, const Grpc__Testing__SimpleRequest *request,
                 const struct pgrpc_call_options *options, enum pgrpc_code code,
                 struct pgrpc_result *result);
/* One UnaryCall with bodies of these sizes. 0 passed. */
int call_unary(struct pgrpc_channel *channel, size_t request_len, size_t reply_len);

/* |count| large UnaryCalls on |channel| of |loop|. 0 passed. */
int call_at_once(struct pgrpc_channel *channel, struct pgrpc_loop *loop, int count);

/* Sends |request_len| zeros and asks for one reply of |reply_len|, or for none below 0. */
enum pgrpc_io send_full_duplex(struct pgrpc_call *call, size_t request_len, int reply_len);
/* Takes one reply of FullDuplexCall, HalfDuplexCall or StreamingOutputCall. 0 passed. */
int recv_output(struct pgrpc_call *call, size_t len);
/* Sends one request of FullDuplexCall and takes the reply that it asks for. 0 passed. */
int exchange(struct pgrpc_call *call, size_t request_len, size_t reply_len);

#endif
