/*
 * Sockets: byte streams over TCP and unix sockets, and listening.  Needs the loop lock except where
 * said.
 */
#ifndef PGRPC__IO_SOCKET_H
#define PGRPC__IO_SOCKET_H

#include <stdbool.h>

#include "io/address.h"
#include "io/bytestream.h"
#include "io/loop.h"

/* Connects without waiting: on_ready or on_failed follows. 0 or a negative errno (nothing was
 * made). */
int pgrpc__socket_connect(struct pgrpc_loop *loop, const struct socket_address *address,
                          struct bytestream **stream);
/* A byte stream over a connected |fd|, which is taken (closed on failure). on_ready follows. 0 or a
 * negative errno. */
int pgrpc__socket_adopt(struct pgrpc_loop *loop, int fd, struct bytestream **stream);

/*
 * A listening, non-blocking socket on |address|; *port is 0 for unix sockets.  "[::]" listens on
 * IPv4 as well, and on IPv4 alone where the system has no IPv6.  The file of a unix socket that
 * nobody listens on any more is replaced; closing leaves the file.  No lock needed.
 * 0; -EINVAL: not an address; otherwise the system's errno. |error| gets a text with the address in
 * it.
 */
int pgrpc__socket_listen(const char *address, bool reuse_port, int *fd, int *port, char *error,
                         size_t error_len);
/*
 * Accepts one connection, non-blocking.  No lock needed.
 * 0 and *fd; -EAGAIN: none is waiting (or those that were are gone); -EMFILE: descriptors or memory
 * ran out: try again in 100 ms; any other: the listener is broken.
 */
int pgrpc__socket_accept(int listener, int *fd);

#endif
