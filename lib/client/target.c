#include "client/target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_PORT = 443, NAME_MAX_LEN = 253 };

static enum pgrpc_code refuse(struct pgrpc_error *error, const char *text, const char *why)
{
    if (error)
        snprintf(error->text, sizeof(error->text),
                 "target \"%.100s\": %s; use host:port, dns:///host:port, ipv4:, ipv6: or unix:",
                 text, why);
    return PGRPC_INVALID_ARGUMENT;
}

static enum pgrpc_code no_memory(struct pgrpc_error *error)
{
    if (error)
        snprintf(error->text, sizeof(error->text), "out of memory");
    return PGRPC_RESOURCE_EXHAUSTED;
}

static const char *after(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* "unix:/path", "unix:///path", "unix-abstract:name" */
static enum pgrpc_code parse_unix(const char *text, const char *path, bool is_abstract,
                                  struct arena *arena, struct target *target,
                                  struct pgrpc_error *error)
{
    if (!is_abstract && strncmp(path, "//", 2) == 0)
        path += 2;
    if (!*path)
        return refuse(error, text, "the path is missing");
    target->literal =
        pgrpc__arena_printf(arena, "%s%s", is_abstract ? "unix-abstract:" : "unix:", path);
    target->host = "localhost";
    target->authority = "localhost";
    return target->literal ? PGRPC_OK : no_memory(error);
}

/* Splits "host", "host:port", "[v6]:port", "v6"; |host| without brackets. */
static const char *split(const char *text, struct arena *arena, const char **host, unsigned *port,
                         bool *failed)
{
    const char *host_end;
    const char *port_text = NULL;
    *port = DEFAULT_PORT;
    *failed = false;
    if (*text == '[') {
        text++;
        host_end = strchr(text, ']');
        if (!host_end)
            return "the closing ] is missing";
        if (host_end[1] == ':')
            port_text = host_end + 2;
        else if (host_end[1])
            return "a port follows a ] as :port";
    } else {
        const char *colon = strchr(text, ':');
        bool has_port = colon && !strchr(colon + 1, ':');
        host_end = has_port ? colon : text + strlen(text);
        if (has_port)
            port_text = colon + 1;
    }
    if (host_end == text)
        return "the host is missing";
    if (host_end - text > NAME_MAX_LEN)
        return "the host is too long";
    if (port_text) {
        unsigned value = 0;
        size_t digits = strspn(port_text, "0123456789");
        if (!digits || port_text[digits] || digits > 5)
            return "the port is not a number";
        for (size_t i = 0; i < digits; i++)
            value = value * 10 + (unsigned)(port_text[i] - '0');
        if (!value || value > 65535)
            return "the port is not in 1..65535";
        *port = value;
    }
    *host = pgrpc__arena_strndup(arena, text, (size_t)(host_end - text));
    *failed = !*host;
    return NULL;
}

enum pgrpc_code pgrpc__target_parse(const char *text, struct arena *arena, struct target *target,
                                    struct pgrpc_error *error)
{
    struct target parsed = {0};
    unsigned char binary[16];
    const char *rest;
    if (!text || !*text)
        return refuse(error, text ? text : "", "it is empty");
    enum pgrpc_code code = PGRPC_OK;
    if ((rest = after(text, "unix:")) != NULL) {
        code = parse_unix(text, rest, false, arena, &parsed, error);
    } else if ((rest = after(text, "unix-abstract:")) != NULL) {
        code = parse_unix(text, rest, true, arena, &parsed, error);
    } else {
        bool must_be_v4 = false, must_be_v6 = false, failed;
        const char *host = NULL;
        unsigned port;
        if ((rest = after(text, "dns:")) != NULL) {
            if (strncmp(rest, "//", 2) == 0) {
                if (rest[2] != '/')
                    return refuse(error, text, "a DNS server in the target is not supported");
                rest += 3;
            }
        } else if ((rest = after(text, "ipv4:")) != NULL) {
            must_be_v4 = true;
        } else if ((rest = after(text, "ipv6:")) != NULL) {
            must_be_v6 = true;
        } else {
            rest = text;
        }
        const char *why = split(rest, arena, &host, &port, &failed);
        if (why)
            return refuse(error, text, why);
        if (failed)
            return no_memory(error);
        bool is_v4 = inet_pton(AF_INET, host, binary) == 1;
        bool is_v6 = inet_pton(AF_INET6, host, binary) == 1;
        if ((must_be_v4 && !is_v4) || (must_be_v6 && !is_v6))
            return refuse(error, text, "this is not such an address");
        if (!is_v4 && !is_v6 && strpbrk(host, "/:@?# "))
            return refuse(error, text, "the host has a character that names do not have");
        parsed.is_name = !is_v4 && !is_v6;
        parsed.host = host;
        parsed.port = (uint16_t)port;
        parsed.authority = pgrpc__arena_printf(arena, is_v6 ? "[%s]:%u" : "%s:%u", host, port);
        parsed.literal = parsed.is_name ? NULL : parsed.authority;
        if (!parsed.authority)
            return no_memory(error);
    }
    if (code == PGRPC_OK)
        *target = parsed;
    return code;
}

enum pgrpc_code pgrpc__authority_host(const char *authority, struct arena *arena, const char **host,
                                      struct pgrpc_error *error)
{
    unsigned port;
    bool failed;
    const char *why = split(authority, arena, host, &port, &failed);
    if (!why && !failed && strpbrk(*host, "/@?#"))
        why = "the host has a character that names do not have";
    if (why && error)
        snprintf(error->text, sizeof(error->text), "options.authority \"%.100s\": %s", authority,
                 why);
    if (why)
        return PGRPC_INVALID_ARGUMENT;
    return failed ? no_memory(error) : PGRPC_OK;
}
