/* Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef PGRPC__WIRE_UTF8_H
#define PGRPC__WIRE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the longest valid start of |text|, whole characters only; |len| when all of it is
 * valid. */
size_t pgrpc__utf8_valid_len(const void *text, size_t len);
/* The same, but a NUL ends it as well. */
size_t pgrpc__utf8_text_len(const void *text, size_t len);

#endif
