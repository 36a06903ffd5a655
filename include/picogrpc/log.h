/*
 * Logging and tracing.  The library never writes anywhere by itself, with one exception that the
 * user asks for: the environment variable PGRPC_TRACE, a comma-separated list of `frames`, `calls`,
 * `connections`, `names` or `all`, prints what happens to standard error, readably.
 */
#ifndef PICOGRPC_LOG_H
#define PICOGRPC_LOG_H

#include <stddef.h>

#include "picogrpc/export.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pgrpc_log_level {
    PGRPC_LOG_DEBUG = 0,
    PGRPC_LOG_INFO = 1,
    PGRPC_LOG_WARNING = 2, /* something is off, the library goes on: a peer asked us to ping less */
    PGRPC_LOG_ERROR = 3    /* something the user must mend: a certificate does not load */
};

/* A key and its value as text; both live during the call of the hook only. */
struct pgrpc_log_field {
    const char *key;
    const char *value;
};

/*
 * Receives one event.  May be called from any thread that uses the library, sometimes with internal
 * locks held: it must not call back into the library.
 */
typedef void pgrpc_log_fn(void *userdata, enum pgrpc_log_level level, const char *message,
                          const struct pgrpc_log_field *fields, size_t field_count);

/*
 * Sets the process's log hook; NULL turns logging off (the default).  Events below |minimum| are
 * not formatted.  Call before the first other object is made, or when no other thread uses the
 * library.
 */
PGRPC_API void pgrpc_log_set(pgrpc_log_fn *hook, enum pgrpc_log_level minimum, void *userdata);

#ifdef __cplusplus
}
#endif
#endif
