/*
 * Socket addresses and their texts: "1.2.3.4:80", "[::1]:80", "unix:/path", "unix-abstract:name".
 * Names are no addresses; see io/dns.h.
 */
#ifndef PGRPC__IO_ADDRESS_H
#define PGRPC__IO_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct socket_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* "ipv4:1.2.3.4:65535", "ipv6:[...]:65535", "unix:/path" or "unix-abstract:name", as
 * pgrpc_call_peer shows them. */
enum { ADDRESS_TEXT_MAX = 128 };

/*
 * Literal addresses only, "localhost" included (127.0.0.1); also what pgrpc__address_format writes,
 * "unix:///path", and a zone ("[fe80::1%eth0]:80").  0, or -EINVAL and what is wrong in |error|.
 */
int pgrpc__address_parse(const char *text, struct socket_address *address, char *error,
                         size_t error_len);
/* Always terminated; "unknown:" for other families. An IPv4 address inside IPv6 shows as IPv4. */
void pgrpc__address_format(const struct socket_address *address, char text[ADDRESS_TEXT_MAX]);
/* The port, 0 for unix sockets. */
int pgrpc__address_port(const struct socket_address *address);

#endif
