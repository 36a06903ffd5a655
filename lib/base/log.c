#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { VALUE_MAX = 512, LINE_MAX_LEN = 4096 };

static pgrpc_log_fn *log_hook;
static enum pgrpc_log_level log_minimum;
static void *log_userdata;

unsigned pgrpc__trace_topics;
static pthread_once_t trace_once = PTHREAD_ONCE_INIT;

static const struct {
    const char *name;
    unsigned topics;
} topic_names[] = {
    {"frames", TRACE_FRAMES},
    {"calls", TRACE_CALLS},
    {"connections", TRACE_CONNECTIONS},
    {"names", TRACE_NAMES},
    {"all", TRACE_FRAMES | TRACE_CALLS | TRACE_CONNECTIONS | TRACE_NAMES},
};
enum { TOPIC_NAME_COUNT = sizeof(topic_names) / sizeof(topic_names[0]) };

void pgrpc_log_set(pgrpc_log_fn *hook, enum pgrpc_log_level minimum, void *userdata)
{
    log_hook = hook;
    log_minimum = minimum;
    log_userdata = userdata;
}

bool pgrpc__log_is_on(enum pgrpc_log_level level)
{
    return log_hook && level >= log_minimum;
}

void pgrpc__log(enum pgrpc_log_level level, const char *message,
                const struct pgrpc_log_field *fields, size_t field_count)
{
    if (pgrpc__log_is_on(level))
        log_hook(log_userdata, level, message, fields, field_count);
}

void pgrpc__log_printf(enum pgrpc_log_level level, const char *message, const char *key,
                       const char *format, ...)
{
    if (!pgrpc__log_is_on(level))
        return;
    char value[VALUE_MAX];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(value, sizeof(value), format, arguments) < 0)
        value[0] = '\0';
    va_end(arguments);
    struct pgrpc_log_field field = {key, value};
    pgrpc__log(level, message, &field, 1);
}

static void write_line(char *line, size_t len)
{
    /* What a peer sent must not steer the terminal. */
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '.';
    line[len++] = '\n';
    /* One write, so that lines of several threads do not mix; there is nobody to tell of a failure.
     */
    if (write(STDERR_FILENO, line, len) < 0)
        return;
}

static void read_environment(void)
{
    const char *list = getenv("PGRPC_TRACE");
    unsigned topics = 0;

    while (list && *list) {
        size_t len = strcspn(list, ","), i = 0;
        while (i < TOPIC_NAME_COUNT &&
               !(strlen(topic_names[i].name) == len && memcmp(topic_names[i].name, list, len) == 0))
            i++;
        if (i < TOPIC_NAME_COUNT) {
            topics |= topic_names[i].topics;
        } else if (len > 0) {
            char line[160];
            int written =
                snprintf(line, sizeof(line) - 1,
                         "picogrpc: PGRPC_TRACE: no topic \"%.*s\" (frames, calls, connections, "
                         "names, all)",
                         len > 40 ? 40 : (int)len, list);
            if (written > 0)
                write_line(line, (size_t)written);
        }
        list += len + (list[len] == ',');
    }
    pgrpc__trace_topics = topics;
}

void pgrpc__trace_load(void)
{
    pthread_once(&trace_once, read_environment);
}

void pgrpc__trace(enum trace_topic topic, const char *format, ...)
{
    char line[LINE_MAX_LEN];
    enum { ROOM = sizeof(line) - 1 }; /* for the line's end */
    const char *name = "";
    for (size_t i = 0; i < TOPIC_NAME_COUNT; i++)
        if (topic_names[i].topics == (unsigned)topic)
            name = topic_names[i].name;

    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long now_ms = (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int head = snprintf(line, ROOM, "picogrpc %lld %s: ", now_ms, name);
    if (head < 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(line + head, ROOM - (size_t)head, format, arguments);
    va_end(arguments);
    size_t len = (size_t)head;
    if (written > 0)
        len += (size_t)written;
    if (len > ROOM - 1) {
        len = ROOM - 1;
        memcpy(line + len - 3, "...", 3);
    }
    /* The text that ends many lines may be empty. */
    while (line[len - 1] == ' ')
        len--;
    write_line(line, len);
}
