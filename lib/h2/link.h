/*
 * A link: a connection on a byte stream and a loop.  Reads when the stream is readable, writes once
 * per loop turn, ticks by a loop timer, and reports how the connection ends.
 *
 * Made by client/subchannel (after connecting) and by server/listener (after accepting); owns the
 * byte stream and the connection.  Needs the loop lock.  Freed by its owner, not from inside its
 * events.
 */
#ifndef PGRPC__H2_LINK_H
#define PGRPC__H2_LINK_H

#include "h2/connection.h"
#include "io/bytestream.h"
#include "io/loop.h"

struct h2_link;

struct h2_link_events {
    void (*on_ready)(void *owner); /* byte stream ready and the peer's SETTINGS there */
    struct h2_stream *(*on_request)(void *owner, const struct h2_head *head, bool end_stream);
    void (*on_draining)(void *owner, uint32_t code, const char *debug);
    void (*on_capacity)(void *owner);
    /* The link is over, before or after on_ready; streams have ended. Once, last. From a loop turn.
     */
    void (*on_closed)(void *owner, const char *text);
};

/* Takes |stream| also on failure. quota and random of |config| are filled from the loop. 0 or
 * -ENOMEM. */
int pgrpc__h2_link_new(struct pgrpc_loop *loop, struct bytestream *stream,
                       const struct h2_connection_config *config,
                       const struct h2_link_events *events, void *owner, struct h2_link **link);
/* Cuts what is left without further events to the owner; streams get their on_closed. Accepts NULL.
 */
void pgrpc__h2_link_free(struct h2_link *link);
struct h2_connection *pgrpc__h2_link_connection(struct h2_link *link);
const struct bytestream_peer *pgrpc__h2_link_peer(struct h2_link *link);
struct pgrpc_loop *pgrpc__h2_link_loop(struct h2_link *link);
/* Reads what is waiting without blocking: FIN and GOAWAY are seen before an idle link is used
 * again. */
void pgrpc__h2_link_poll(struct h2_link *link);
/* After drain or abort: closes as soon as the connection is finished. */
void pgrpc__h2_link_close_when_finished(struct h2_link *link);

#endif
