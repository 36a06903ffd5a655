/*
 * Why something was refused, for the text of a status.
 *
 * Functions of wire/ that refuse something for more than one reason return an enum pgrpc_code and
 * fill a struct error_text that the caller owns, usually on its stack.  It is written on failure
 * only.
 */
#ifndef PGRPC__WIRE_ERROR_H
#define PGRPC__WIRE_ERROR_H

#include <stddef.h>

#include "picogrpc/status.h"

enum { ERROR_TEXT_MAX = 192 };

/* Printable ASCII, terminated; longer texts are cut. */
struct error_text {
    char text[ERROR_TEXT_MAX];
};

/* Formats; bytes of arguments outside 0x20..0x7E become '?'. Returns |code|. |error| may be NULL.
 */
enum pgrpc_code pgrpc__error_set(struct error_text *error, enum pgrpc_code code, const char *format,
                                 ...) __attribute__((format(printf, 3, 4)));

#endif
