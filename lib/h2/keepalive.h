/*
 * When to ask whether the peer is still there, and when to give it up (gRFC A8); and, on a server,
 * when a client asks too often.  Pure: time comes as an argument.  Embedded in a connection.
 */
#ifndef PGRPC__H2_KEEPALIVE_H
#define PGRPC__H2_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

enum keepalive_action { KEEPALIVE_NOTHING, KEEPALIVE_PING, KEEPALIVE_EXPIRED };

struct keepalive {
    int64_t interval_ms; /* 0: never */
    int64_t timeout_ms;
    bool without_calls;
    int64_t heard_ms;  /* when the peer was heard last */
    int64_t pinged_ms; /* when the ping under way was sent */
    bool is_waiting;   /* a ping is under way */
    bool had_calls;

    int64_t min_ms; /* of the other side; 0: not enforced */
    bool permit_without_calls;
    bool has_pinged;
    int64_t last_ping_ms;
    unsigned strikes;
    bool is_forgiven; /* we sent DATA or HEADERS since the last ping */
};

/* Bytes came: that is an answer too. */
void pgrpc__keepalive_heard(struct keepalive *keepalive, int64_t now_ms);
/* |has_calls|: calls are under way.  *next_ms: when to ask again, INT64_MAX: not before calls
 * start. */
enum keepalive_action pgrpc__keepalive_tick(struct keepalive *keepalive, int64_t now_ms,
                                            bool has_calls, int64_t *next_ms);
/* The peer pinged. False when that was one too many. */
bool pgrpc__keepalive_pinged(struct keepalive *keepalive, int64_t now_ms, bool has_calls);
/* We sent DATA or HEADERS: a ping may then measure the connection. */
static inline void pgrpc__keepalive_sent(struct keepalive *keepalive)
{
    keepalive->is_forgiven = true;
}

#endif
