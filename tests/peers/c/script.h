/*
 * What the server does for one RPC, step by step (../peertest.proto), apart from waiting, which
 * handlers on workers and handlers on the loop do in their own ways.
 *
 * Life: begun and ended by the handler that owns the call; holds a reference to the call.
 */
#ifndef PEERTEST_SCRIPT_H
#define PEERTEST_SCRIPT_H

#include "common.h"

enum { HOLD_MS = 10000 };

struct record;

struct script {
    struct pgrpc_call *call;
    int64_t deadline_ms;
    struct record *record; /* for Observe; NULL while no message came, or none with an id */
    bool started;
    bool compress;
    uint32_t count, bytes, sum, compressed, index;
    char *text; /* of all messages, owned */
};

/* Echoes metadata. */
void script_begin(struct script *script, struct pgrpc_call *call);
void script_end(struct script *script);
/* Counts a message, which came with |flags|. */
void script_receive(struct script *script, const Request *request, unsigned flags);
/* Fills the next reply, which points to |text|, and tells the flags to send it with. */
unsigned script_fill_reply(struct script *script, uint32_t reply_bytes, char *text, Reply *reply);
/* Ends the call as scripted. */
void script_fail(struct script *script, const Failure *failure);

/* Fills what is known of a call. */
void script_observe(const char *call_id, Observation *observation);
void script_free_records(void);

extern const struct Picogrpc__Peertest__PeerTest_handlers worker_handlers, inline_handlers;

#endif
