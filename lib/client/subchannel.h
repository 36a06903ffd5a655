/*
 * A subchannel: one address and the connection to it, made, watched and made again after a
 * back-off.
 *
 *   IDLE --connect--> CONNECTING --SETTINGS--> READY --GOAWAY, lost--> IDLE
 *                         |
 *                         +--failed--> BACKOFF --time--> IDLE
 *
 * When several connections in a row end at once without an answer, that is a failure to connect.
 * A connection that drains (GOAWAY) leaves the subchannel's place at once and lives on beside it
 * until its streams have ended.  Owned by a balancer; needs the loop lock.
 */
#ifndef PGRPC__CLIENT_SUBCHANNEL_H
#define PGRPC__CLIENT_SUBCHANNEL_H

#include "client/backoff.h"
#include "h2/link.h"

enum subchannel_state {
    SUBCHANNEL_IDLE,
    SUBCHANNEL_CONNECTING,
    SUBCHANNEL_READY,
    SUBCHANNEL_BACKOFF
};

enum { SUBCHANNEL_ERROR_MAX = 256 };

struct subchannel;

struct subchannel_config {
    struct pgrpc_loop *loop;
    struct h2_connection_config h2;
    int64_t connect_timeout_ms;
    int64_t backoff_initial_ms;
    int64_t backoff_max_ms;
    /* Gives a byte stream that connects. 0, or a negative errno and a text. */
    int (*connect)(void *connect_userdata, const void *address, struct bytestream **stream,
                   char error[SUBCHANNEL_ERROR_MAX]);
    void *connect_userdata;
    /* The state changed, or a stream may be opened again. From a loop turn; must only take note. */
    void (*on_change)(void *owner);
    void *owner;
};

/* |config| and |address| must outlive the subchannel. NULL when out of memory. */
struct subchannel *pgrpc__subchannel_new(const struct subchannel_config *config,
                                         const void *address);
/* Cuts its connections; their streams get on_closed. Accepts NULL. */
void pgrpc__subchannel_free(struct subchannel *subchannel);
const void *pgrpc__subchannel_address(const struct subchannel *subchannel);
/* The same address has moved. */
void pgrpc__subchannel_set_address(struct subchannel *subchannel, const void *address);
/* It will not be picked any more: its connections go when their streams have ended.  False when it
 * has none. */
bool pgrpc__subchannel_retire(struct subchannel *subchannel);
enum subchannel_state pgrpc__subchannel_state(const struct subchannel *subchannel);
/* Starts to connect if it is idle. */
void pgrpc__subchannel_connect(struct subchannel *subchannel);
/* The connection, NULL unless READY. */
struct h2_link *pgrpc__subchannel_link(struct subchannel *subchannel);
/* True when the last attempt failed, also when its back-off is over. */
bool pgrpc__subchannel_has_failed(const struct subchannel *subchannel);
/* Why the last attempt or connection failed; "" if none did. Lives with the subchannel. */
const char *pgrpc__subchannel_error(const struct subchannel *subchannel);

#endif
