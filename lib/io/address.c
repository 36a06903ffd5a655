#include "io/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { HOST_MAX = 64 };

static const char *after(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* Each parser returns NULL or what is wrong. */

static const char *parse_unix(const char *name, bool is_abstract, struct socket_address *address)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->storage;
    size_t offset = is_abstract ? 1 : 0, len;

    if (!is_abstract && strncmp(name, "///", 3) == 0)
        name += 2;
    len = strlen(name);
    if (len == 0)
        return is_abstract ? "the name is missing" : "the path is missing";
    if (len > sizeof(un->sun_path) - 1)
        return "it is longer than 107 bytes";
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path + offset, name, len);
    /* A path has a NUL at its end; an abstract name has one before it, and counts exactly. */
    address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return NULL;
}

static const char *parse_port(const char *text, in_port_t *port)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits <= 5 ? strtoul(text, NULL, 10) : 65536;
    if (text[digits] || value > 65535)
        return "the port is not a number from 0 to 65535";
    *port = htons((uint16_t)value);
    return NULL;
}

/* |host| may end in a zone, which is cut off. */
static const char *parse_ipv6(char *host, struct socket_address *address)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->storage;
    char *zone = strchr(host, '%');
    if (zone) {
        *zone++ = '\0';
        in6->sin6_scope_id = if_nametoindex(zone);
        if (in6->sin6_scope_id == 0)
            in6->sin6_scope_id = (uint32_t)strtoul(zone, NULL, 10);
        if (in6->sin6_scope_id == 0)
            return "there is no such network interface";
    }
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
        return "this is no IPv6 address";
    in6->sin6_family = AF_INET6;
    address->len = sizeof(*in6);
    return NULL;
}

static const char *parse_ipv4(const char *host, struct socket_address *address)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&address->storage;
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
        return "this is no IPv4 address, and names are not looked up here";
    in->sin_family = AF_INET;
    address->len = sizeof(*in);
    return NULL;
}

static const char *parse_ip(const char *text, struct socket_address *address)
{
    char host[HOST_MAX];
    bool is_v6 = *text == '[';
    if (is_v6)
        text++;
    const char *end = is_v6 ? strchr(text, ']') : strrchr(text, ':');
    if (!end)
        return is_v6 ? "the closing ] is missing" : "the port is missing";
    size_t len = (size_t)(end - text);
    if (is_v6 && *++end != ':')
        return "the port is missing";
    if (len >= sizeof(host))
        return "the host is too long for an address";
    memcpy(host, text, len);
    host[len] = '\0';
    if (!is_v6 && strchr(host, ':'))
        return "an IPv6 address is written [address]:port";

    const char *wrong = is_v6 ? parse_ipv6(host, address) : parse_ipv4(host, address);
    if (wrong)
        return wrong;
    return parse_port(end + 1, is_v6 ? &((struct sockaddr_in6 *)&address->storage)->sin6_port
                                     : &((struct sockaddr_in *)&address->storage)->sin_port);
}

int pgrpc__address_parse(const char *text, struct socket_address *address, char *error,
                         size_t error_len)
{
    struct socket_address parsed = {.len = 0};
    const char *rest, *wrong;

    if ((rest = after(text, "unix:")))
        wrong = parse_unix(rest, false, &parsed);
    else if ((rest = after(text, "unix-abstract:")))
        wrong = parse_unix(rest, true, &parsed);
    else if ((rest = after(text, "ipv4:")) || (rest = after(text, "ipv6:")))
        wrong = parse_ip(rest, &parsed);
    else
        wrong = parse_ip(text, &parsed);
    if (wrong) {
        snprintf(error, error_len, "address \"%.80s\": %s", text, wrong);
        return -EINVAL;
    }
    *address = parsed;
    return 0;
}

static void format_unix(const struct socket_address *address, char text[ADDRESS_TEXT_MAX])
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    size_t len = address->len > offset ? address->len - offset : 0;
    const char *name = un->sun_path;
    bool is_abstract = len > 0 && !*name;

    if (is_abstract) {
        name++;
        len--;
    } else {
        len = strnlen(name, len);
    }
    snprintf(text, ADDRESS_TEXT_MAX, "%s%.*s", is_abstract ? "unix-abstract:" : "unix:", (int)len,
             name);
}

void pgrpc__address_format(const struct socket_address *address, char text[ADDRESS_TEXT_MAX])
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;
    char host[INET6_ADDRSTRLEN] = "", zone[16] = "";

    switch (address->storage.ss_family) {
    case AF_INET:
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(text, ADDRESS_TEXT_MAX, "ipv4:%s:%u", host, ntohs(in->sin_port));
        break;
    case AF_INET6:
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
            inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof(host));
            snprintf(text, ADDRESS_TEXT_MAX, "ipv4:%s:%u", host, ntohs(in6->sin6_port));
            break;
        }
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        if (in6->sin6_scope_id)
            snprintf(zone, sizeof(zone), "%%%u", (unsigned)in6->sin6_scope_id);
        snprintf(text, ADDRESS_TEXT_MAX, "ipv6:[%s%s]:%u", host, zone, ntohs(in6->sin6_port));
        break;
    case AF_UNIX:
        format_unix(address, text);
        break;
    default:
        snprintf(text, ADDRESS_TEXT_MAX, "unknown:");
        break;
    }
}

int pgrpc__address_port(const struct socket_address *address)
{
    switch (address->storage.ss_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
    default:
        return 0;
    }
}
