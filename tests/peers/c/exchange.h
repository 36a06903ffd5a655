/*
 * One RPC of any kind, made with the blocking or with the asynchronous API, and what came of it.
 *
 * Life: fill what is sent, run it once, look at what came, clear it.
 */
#ifndef PEERTEST_EXCHANGE_H
#define PEERTEST_EXCHANGE_H

#include "common.h"

enum kind { UNARY, SERVER_STREAM, CLIENT_STREAM, BIDI };

/* Two channels to one server: the second is on a loop that exchange_run_async turns. */
struct client {
    struct pgrpc_channel *channel;
    struct pgrpc_channel *loop_channel;
    struct pgrpc_loop *loop;
};

/* A copy of one header or trailer. */
struct pair {
    char *key;
    void *value;
    size_t len;
};

struct pairs {
    struct pair *items;
    size_t count;
};

enum { EXCHANGE_MAX = 256 };

struct exchange {
    /* What is sent; not owned. */
    enum kind kind;
    const Request *requests[EXCHANGE_MAX];
    size_t request_count;
    int64_t timeout_ms; /* 0: none */
    const struct pgrpc_metadatum *metadata;
    size_t metadata_count;
    bool gzip; /* messages with an odd index go uncompressed */
    /* Cancel, without half-closing before, once the server has started the call with this id, and a
     * stream has brought its first reply. */
    const char *cancel_id;

    /* What came; owned. */
    Reply *replies[EXCHANGE_MAX];
    bool compressed[EXCHANGE_MAX];
    size_t reply_count;
    size_t sent_compressed;
    int code;
    char *message;
    uint8_t *details;
    size_t details_len;
    struct pairs headers, trailers;
};

/* Asks the server about a call until it says so, for 5 seconds at most. False when it never does.
 */
bool observe(struct client *client, const char *call_id,
             bool (*wanted)(const Observation *observation), Observation *last);
bool is_started(const Observation *observation);

void exchange_run_blocking(struct client *client, struct exchange *x);
void exchange_run_async(struct client *client, struct exchange *x);
void exchange_clear(struct exchange *x);

/* For the two runners. */
struct pgrpc_call_options exchange_options(const struct exchange *x);
unsigned exchange_flags(struct exchange *x, size_t index); /* of request |index|, which goes out */
void exchange_add_reply(struct exchange *x, const Reply *reply, unsigned flags);
void exchange_set_end(struct exchange *x, const struct pgrpc_status *status,
                      const struct pgrpc_metadata *headers, const struct pgrpc_metadata *trailers);

/* Cancels |call| from a thread of its own when the server has started it. */
struct canceller;
struct canceller *canceller_start(struct client *client, struct pgrpc_call *call,
                                  const char *call_id);
/* Waits for the thread. Accepts NULL. */
void canceller_join(struct canceller *canceller);

#endif
