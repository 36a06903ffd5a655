#include "../support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

static char logged[1024];

static void remember(void *userdata, enum pgrpc_log_level level, const char *message,
                     const struct pgrpc_log_field *fields, size_t field_count)
{
    size_t len = (size_t)snprintf(logged, sizeof(logged), "%s %d %s", (const char *)userdata,
                                  (int)level, message);
    for (size_t i = 0; i < field_count; i++)
        len += (size_t)snprintf(logged + len, sizeof(logged) - len, " %s=%s", fields[i].key,
                                fields[i].value);
}

static void events_reach_the_hook_from_the_minimum_on(void **state)
{
    const struct pgrpc_log_field fields[] = {{"a", "1"}, {"b", "2"}};
    (void)state;
    logged[0] = '\0';
    pgrpc__log(PGRPC_LOG_ERROR, "nobody listens", NULL, 0);
    assert_false(pgrpc__log_is_on(PGRPC_LOG_ERROR));
    pgrpc_log_set(remember, PGRPC_LOG_WARNING, (void *)"me");
    assert_false(pgrpc__log_is_on(PGRPC_LOG_INFO));
    assert_true(pgrpc__log_is_on(PGRPC_LOG_WARNING));
    pgrpc__log(PGRPC_LOG_INFO, "quiet", NULL, 0);
    assert_string_equal(logged, "");
    pgrpc__log(PGRPC_LOG_WARNING, "text", fields, 2);
    assert_string_equal(logged, "me 2 text a=1 b=2");
    pgrpc__log(PGRPC_LOG_ERROR, "bare", NULL, 0);
    assert_string_equal(logged, "me 3 bare");
    pgrpc_log_set(NULL, PGRPC_LOG_DEBUG, NULL);
    pgrpc__log(PGRPC_LOG_ERROR, "off again", NULL, 0);
    assert_string_equal(logged, "me 3 bare");
}

static void a_value_is_formatted_and_cut(void **state)
{
    (void)state;
    pgrpc_log_set(remember, PGRPC_LOG_DEBUG, (void *)"me");
    pgrpc__log_printf(PGRPC_LOG_INFO, "text", "key", "%d-%s", 5, "x");
    assert_string_equal(logged, "me 1 text key=5-x");
    pgrpc__log_printf(PGRPC_LOG_INFO, "text", "key", "%2000d", 5);
    assert_true(strlen(logged) < 600);
    pgrpc_log_set(NULL, PGRPC_LOG_DEBUG, NULL);
}

/* Runs |body| in a child with PGRPC_TRACE set and returns what it wrote to standard error. */
static const char *trace_of(const char *topics, void (*body)(void))
{
    static char text[16384];
    int fds[2], status;
    size_t len = 0;
    ssize_t got;

    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        if (topics)
            setenv("PGRPC_TRACE", topics, 1);
        else
            unsetenv("PGRPC_TRACE");
        pgrpc__trace_load();
        pgrpc__trace_load();
        body();
        _exit(0);
    }
    close(fds[1]);
    while ((got = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    close(fds[0]);
    text[len] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return text;
}

static void trace_frames_and_names(void)
{
    if (TRACE_IS_ON(TRACE_FRAMES))
        pgrpc__trace(TRACE_FRAMES, "HEADERS %d", 1);
    if (TRACE_IS_ON(TRACE_CALLS))
        pgrpc__trace(TRACE_CALLS, "call");
    if (TRACE_IS_ON(TRACE_NAMES))
        pgrpc__trace(TRACE_NAMES, "name\r\n\033[31m");
    if (TRACE_IS_ON(TRACE_CONNECTIONS))
        pgrpc__trace(TRACE_CONNECTIONS, "ready %s", ""); /* no space at the end */
}

static void trace_a_long_line(void)
{
    pgrpc__trace(TRACE_FRAMES, "%9000d", 1);
    pgrpc__trace(TRACE_FRAMES, "next");
}

static void topics_come_from_the_environment(void **state)
{
    (void)state;
    assert_string_equal(trace_of(NULL, trace_frames_and_names), "");
    assert_string_equal(trace_of("", trace_frames_and_names), "");
    assert_null(strstr(trace_of("connections", trace_frames_and_names), "frames"));
    const char *text = trace_of("names,frames", trace_frames_and_names);
    assert_non_null(strstr(text, " frames: HEADERS 1\n"));
    assert_non_null(strstr(text, " names: name...[31m\n"));
    assert_null(strstr(text, "call"));
    text = trace_of("all", trace_frames_and_names);
    assert_non_null(strstr(text, " calls: call\n"));
    assert_non_null(strstr(text, " connections: ready\n"));
}

static void an_unknown_topic_is_told(void **state)
{
    (void)state;
    const char *text = trace_of("frame,,names", trace_frames_and_names);
    assert_non_null(strstr(text, "no topic \"frame\" (frames, calls, connections, names, all)\n"));
    assert_non_null(strstr(text, " names: "));
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    const char *text = trace_of("frames", trace_a_long_line);
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_true(end - text <= 4096);
    assert_memory_equal(end - 3, "...", 3);
    assert_non_null(strstr(end, " frames: next\n"));
}

static void the_version_is_that_of_the_headers(void **state)
{
    char text[32];
    (void)state;
    snprintf(text, sizeof(text), "%d.%d.%d", PGRPC_VERSION_MAJOR, PGRPC_VERSION_MINOR,
             PGRPC_VERSION_PATCH);
    assert_string_equal(pgrpc_version(), text);
    assert_string_equal(PGRPC_VERSION, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_reach_the_hook_from_the_minimum_on),
        cmocka_unit_test(a_value_is_formatted_and_cut),
        cmocka_unit_test(topics_come_from_the_environment),
        cmocka_unit_test(an_unknown_topic_is_told),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(the_version_is_that_of_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
