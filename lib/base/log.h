/* The log hook and PGRPC_TRACE, as the rest of the library uses them. */
#ifndef PGRPC__BASE_LOG_H
#define PGRPC__BASE_LOG_H

#include <stdbool.h>

#include "picogrpc/log.h"

enum trace_topic { TRACE_FRAMES = 1, TRACE_CALLS = 2, TRACE_CONNECTIONS = 4, TRACE_NAMES = 8 };

/* One event; |fields| may be NULL with count 0. Cheap when no hook listens. */
void pgrpc__log(enum pgrpc_log_level level, const char *message,
                const struct pgrpc_log_field *fields, size_t field_count);
/* The same with one field whose value is formatted. */
void pgrpc__log_printf(enum pgrpc_log_level level, const char *message, const char *key,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));
bool pgrpc__log_is_on(enum pgrpc_log_level level);

/* Topics switched on by PGRPC_TRACE; read from the environment once. */
extern unsigned pgrpc__trace_topics;
void pgrpc__trace_load(void);
#define TRACE_IS_ON(topic) (__builtin_expect((pgrpc__trace_topics & (topic)) != 0, 0))
/* One line to standard error: monotonic time in ms, topic, text. */
void pgrpc__trace(enum trace_topic topic, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
