#include "wire/error.h"

#include <stdarg.h>
#include <stdio.h>

enum pgrpc_code pgrpc__error_set(struct error_text *error, enum pgrpc_code code, const char *format,
                                 ...)
{
    if (!error)
        return code;
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(error->text, sizeof(error->text), format, arguments) < 0)
        error->text[0] = '\0';
    va_end(arguments);
    /* What a peer sent may be in the text, and the text may go into a log or back to the peer. */
    for (char *position = error->text; *position; position++)
        if (*position < 0x20 || *position > 0x7E)
            *position = '?';
    return code;
}
