/*
 * :path, "/Service/Method".  Only the canonical form is taken, so that whoever decides by path (an
 * interceptor, a proxy) and whoever routes by it see the same string.
 */
#ifndef PGRPC__WIRE_PATH_H
#define PGRPC__WIRE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Views into the path. */
struct path_parts {
    const char *service;
    const char *method;
    size_t service_len;
    size_t method_len;
};

/*
 * False (answer PGRPC_UNIMPLEMENTED) unless it is a slash, a service, a slash and a method, both
 * not empty, of the printable ASCII characters other than space / \ % ? # ; and neither "." nor
 * "..".
 */
bool pgrpc__path_split(const char *path, size_t len, struct path_parts *parts);

#endif
