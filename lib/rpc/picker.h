/*
 * The picker: how a call on the client's side gets a connection for an attempt.  rpc/ calls it,
 * client/ fills it. Everything with the loop lock held.
 */
#ifndef PGRPC__RPC_PICKER_H
#define PGRPC__RPC_PICKER_H

struct pgrpc_call;
struct picker;
struct rpc_host;

struct picker_ops {
    /*
     * |call| needs a connection.  Answers now or later, once, with pgrpc__call_start_attempt or
     * pgrpc__call_fail; until then it holds the call on a list of its own (call->picker_node).
     */
    void (*pick)(struct picker *picker, struct pgrpc_call *call);
    /* |call| does not wait any more (cancelled, deadline). Only while it waits. */
    void (*forget)(struct picker *picker, struct pgrpc_call *call);
    /* Why connecting failed last, for the text of a deadline that passed while waiting; "" if it
     * did not. */
    const char *(*last_error)(struct picker *picker);
};

struct picker {
    const struct picker_ops *ops;
};

#endif
