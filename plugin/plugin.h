/*
 * The plugin without its process: one request in, one response out.
 */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include "pool.h"

/*
 * Answers a serialised CodeGeneratorRequest with a serialised CodeGeneratorResponse.  What is wrong
 * with a .proto or with the parameters is told in the response.  Returns NULL, or what is wrong
 * with the request itself, or that memory ran out; |response| is then of no use.  All memory is of
 * |response|'s pool.
 */
const char *plugin_run(const uint8_t *request, size_t len, struct text *response);

#endif
