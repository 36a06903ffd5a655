#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "io/socket.h"
#include "rpc/stream.h"
#include "wire/timeout.h"

enum {
    DEFAULT_WORKERS = 8,
    DEFAULT_RECEIVE_BYTES = 4 * 1024 * 1024,
    DEFAULT_METADATA_BYTES = 16 * 1024,
    DEFAULT_CONCURRENT_CALLS = 100,
    DEFAULT_BYTES = 64 * 1024, /* high water, stream window */
    DEFAULT_HANDSHAKE_MS = 10 * 1000,
    DEFAULT_KEEPALIVE_MS = 2 * 3600 * 1000,
    DEFAULT_KEEPALIVE_TIMEOUT_MS = 20 * 1000,
    DEFAULT_KEEPALIVE_MIN_MS = 5 * 60 * 1000,
    LOOPS_MAX = 1024,
    WORKERS_MAX = 65536
};

/* --- errors -------------------------------------------------------------------------------------
 */

enum pgrpc_code pgrpc__server_fail(struct pgrpc_server *server, enum pgrpc_code code,
                                   const char *format, ...)
{
    va_list arguments;
    pthread_mutex_lock(&server->error_lock);
    va_start(arguments, format);
    vsnprintf(server->error, sizeof(server->error), format, arguments);
    va_end(arguments);
    pthread_mutex_unlock(&server->error_lock);
    return code;
}

const char *pgrpc_server_error(struct pgrpc_server *server)
{
    if (!server)
        return "there is no server: pgrpc_server_new failed, and its error says why";
    return server->error;
}

static enum pgrpc_code refuse(struct pgrpc_error *error, enum pgrpc_code code, const char *text)
{
    if (error)
        snprintf(error->text, sizeof(error->text), "%s", text);
    return code;
}

/* --- shutdown -----------------------------------------------------------------------------------
 */

void pgrpc__server_check_stopped(struct pgrpc_server *server)
{
    for (unsigned i = 0; i < server->loop_count; i++)
        if (!atomic_load(&server->loops[i].is_draining) ||
            atomic_load(&server->loops[i].connection_count))
            return;
    atomic_store(&server->is_stopped, true);
    for (unsigned i = 0; i < server->loop_count; i++)
        if (i > 0 || atomic_load(&server->is_run))
            pgrpc_loop_stop(server->loops[i].host.loop);
}

/* First loop's lock held, left for the hooks. */
static void shut_down(struct pgrpc_server *server)
{
    struct pgrpc_loop *first = server->loops[0].host.loop;
    int64_t grace_ms = atomic_load(&server->grace_ms);
    bool is_first_time = !atomic_exchange(&server->is_shutting_down, true);
    pgrpc__listener_free_all(server);
    if (is_first_time) {
        pgrpc__loop_leave_lock(first);
        for (struct server_hook *hook = server->hooks; hook; hook = hook->next)
            if (hook->on_shutdown)
                hook->on_shutdown(hook->userdata);
        pgrpc__loop_take_lock(first);
    }
    pgrpc__server_loop_drain(&server->loops[0], grace_ms);
    for (unsigned i = 1; i < server->loop_count; i++) {
        struct pgrpc_loop *loop = server->loops[i].host.loop;
        if (pgrpc__loop_take_lock(loop))
            continue;
        pgrpc__server_loop_drain(&server->loops[i], grace_ms);
        pgrpc__loop_leave_lock(loop);
    }
    pgrpc__server_check_stopped(server);
}

static void on_shutdown_event(struct loop_watch *watch, unsigned events)
{
    struct pgrpc_server *server = CONTAINER_OF(watch, struct pgrpc_server, shutdown_watch);
    uint64_t count;
    (void)events;
    if (read(server->shutdown_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        pgrpc__log_printf(PGRPC_LOG_ERROR, "reading the shutdown event", "error", "%s",
                          strerror(errno));
    shut_down(server);
}

void pgrpc_server_shutdown(struct pgrpc_server *server, int64_t grace_ms)
{
    uint64_t one = 1;
    int before = errno;
    atomic_store(&server->grace_ms, grace_ms);
    /* Signal handlers come here: an atomic store and a write, nothing else. */
    if (write(server->shutdown_fd, &one, sizeof(one)) < 0)
        (void)0; /* the counter is full: the event is pending already */
    errno = before;
}

bool pgrpc_server_is_stopped(struct pgrpc_server *server)
{
    return atomic_load(&server->is_stopped);
}

/* --- listening ----------------------------------------------------------------------------------
 */

static struct pgrpc_loop *first_loop(struct pgrpc_server *server)
{
    return server->loops[0].host.loop;
}

struct pgrpc_loop *pgrpc_server_loop(struct pgrpc_server *server)
{
    return first_loop(server);
}

static enum pgrpc_code check_credentials(struct pgrpc_server *server,
                                         const struct pgrpc_credentials *credentials)
{
    if (credentials)
        return PGRPC_OK;
    return pgrpc__server_fail(server, PGRPC_INVALID_ARGUMENT,
                              "credentials are missing: plaintext is pgrpc_credentials_insecure()");
}

static enum pgrpc_code add_listener(struct pgrpc_server *server, int fd,
                                    const struct pgrpc_credentials *credentials)
{
    if (pgrpc__loop_take_lock(first_loop(server))) {
        close(fd);
        return pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION,
                                  "the server belongs to the parent of a fork()");
    }
    int result = pgrpc__listener_new(server, fd, credentials);
    pgrpc__loop_leave_lock(first_loop(server));
    if (result)
        return pgrpc__server_fail(server, PGRPC_RESOURCE_EXHAUSTED, "listening: %s",
                                  strerror(-result));
    return PGRPC_OK;
}

enum pgrpc_code pgrpc_server_listen(struct pgrpc_server *server, const char *address,
                                    const struct pgrpc_credentials *credentials, int *port)
{
    char text[SERVER_ERROR_MAX] = "";
    int fd = -1, bound_port = 0;
    enum pgrpc_code code = check_credentials(server, credentials);
    if (code)
        return code;
    int result = pgrpc__socket_listen(address, server->options.reuse_port, &fd, &bound_port, text,
                                      sizeof(text));
    if (result)
        return pgrpc__server_fail(
            server, result == -EINVAL ? PGRPC_INVALID_ARGUMENT : PGRPC_UNAVAILABLE, "%s", text);
    code = add_listener(server, fd, credentials);
    if (code == PGRPC_OK && port)
        *port = bound_port;
    return code;
}

enum pgrpc_code pgrpc_server_listen_fd(struct pgrpc_server *server, int fd,
                                       const struct pgrpc_credentials *credentials)
{
    enum pgrpc_code code = check_credentials(server, credentials);
    if (code) {
        close(fd);
        return code;
    }
    return add_listener(server, fd, credentials);
}

enum pgrpc_code pgrpc_server_adopt_fd(struct pgrpc_server *server, int fd,
                                      const struct pgrpc_credentials *credentials)
{
    enum pgrpc_code code = check_credentials(server, credentials);
    struct server_loop *loop = pgrpc__server_least_loaded(server);
    if (code || pgrpc__loop_take_lock(loop->host.loop)) {
        close(fd);
        return code ? code
                    : pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION,
                                         "the server belongs to the parent of a fork()");
    }
    int result = pgrpc__server_serve_fd(loop, fd, credentials);
    pgrpc__loop_leave_lock(loop->host.loop);
    return result ? pgrpc__server_fail(server, PGRPC_RESOURCE_EXHAUSTED, "serving a socket: %s",
                                       strerror(-result))
                  : PGRPC_OK;
}

/* --- running ------------------------------------------------------------------------------------
 */

static void *run_loop(void *userdata)
{
    struct server_loop *loop = userdata;
    pgrpc_loop_run(loop->host.loop);
    return NULL;
}

static enum pgrpc_code start_threads(struct pgrpc_server *server)
{
    sigset_t all, before;
    sigfillset(&all);
    enum pgrpc_code code = PGRPC_OK;
    for (unsigned i = 1; i < server->loop_count && code == PGRPC_OK; i++) {
        /* Signals are for the application's threads. */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int error = pthread_create(&server->loops[i].thread, NULL, run_loop, &server->loops[i]);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (error)
            code = pgrpc__server_fail(server, PGRPC_RESOURCE_EXHAUSTED, "starting a thread: %s",
                                      strerror(error));
        else
            server->loops[i].has_thread = true;
    }
    return code;
}

enum pgrpc_code pgrpc_server_start(struct pgrpc_server *server)
{
    if (atomic_exchange(&server->is_started, true))
        return pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION, "the server was started");
    enum pgrpc_code code = start_threads(server);
    if (code)
        return code;
    if (pgrpc__loop_take_lock(first_loop(server)))
        return pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION,
                                  "the server belongs to the parent of a fork()");
    pgrpc__listener_start_all(server);
    pgrpc__loop_leave_lock(first_loop(server));
    return PGRPC_OK;
}

static void join_threads(struct pgrpc_server *server)
{
    for (unsigned i = 1; i < server->loop_count; i++) {
        if (!server->loops[i].has_thread)
            continue;
        pgrpc_loop_stop(server->loops[i].host.loop);
        pthread_join(server->loops[i].thread, NULL);
        server->loops[i].has_thread = false;
    }
}

enum pgrpc_code pgrpc_server_run(struct pgrpc_server *server)
{
    enum pgrpc_code code = PGRPC_OK;
    if (pgrpc__loop_is_in_callback(first_loop(server)))
        return pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION,
                                  "pgrpc_server_run inside a callback of its loop: use "
                                  "pgrpc_server_start");
    atomic_store(&server->is_run, true);
    if (!atomic_load(&server->is_started))
        code = pgrpc_server_start(server);
    while (code == PGRPC_OK && !atomic_load(&server->is_stopped)) {
        int result = pgrpc_loop_run(first_loop(server));
        if (result)
            code = pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION, "running the loop: %s",
                                      strerror(-result));
    }
    join_threads(server);
    return code;
}

/* --- life ---------------------------------------------------------------------------------------
 */

enum pgrpc_code pgrpc__server_add_hook(struct pgrpc_server *server, const struct server_hook *hook)
{
    struct server_hook *copy = pgrpc__arena_memdup(&server->arena, hook, sizeof(*hook));
    if (!copy)
        return pgrpc__server_fail(server, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    copy->next = server->hooks;
    server->hooks = copy;
    return PGRPC_OK;
}

/* Frees what is not tied to a loop. */
static void destroy(struct pgrpc_server *server)
{
    struct pgrpc_allocator allocator = server->allocator;
    for (struct server_hook *hook = server->hooks; hook; hook = hook->next)
        if (hook->on_free)
            hook->on_free(hook->userdata);
    pgrpc__map_clear(&server->targets);
    pgrpc__map_clear(&server->services);
    pthread_mutex_destroy(&server->error_lock);
    pgrpc__raw_free(&allocator, server->loops);
    pgrpc__arena_clear(&server->arena);
    pgrpc__raw_free(&allocator, server);
}

void pgrpc__server_unref(struct pgrpc_server *server)
{
    if (atomic_fetch_sub(&server->refs, 1) == 1)
        destroy(server);
}

static void clear_loop(struct pgrpc_server *server, unsigned index)
{
    struct pgrpc_loop *loop = server->loops[index].host.loop;
    if (pgrpc__loop_take_lock(loop))
        return;
    if (index == 0) {
        pgrpc__listener_free_all(server);
        pgrpc__loop_watch_stop(loop, &server->shutdown_watch);
    }
    /* One turn lets the last frames out and the calls end. */
    if (!loop->turning && !list_is_empty(&server->loops[index].connections))
        pgrpc__loop_turn(loop, 0);
    pgrpc__server_loop_clear(&server->loops[index]);
    if (!loop->turning && server->owns_loops)
        pgrpc__loop_turn(loop, 0);
    pgrpc__loop_leave_lock(loop);
    if (server->owns_loops)
        pgrpc_loop_free(loop);
}

void pgrpc_server_free(struct pgrpc_server *server)
{
    if (!server)
        return;
    if (pgrpc__loop_is_in_callback(first_loop(server))) {
        pgrpc__log(PGRPC_LOG_ERROR, "server not freed: this is a callback of its loop", NULL, 0);
        return;
    }
    if (pgrpc__loop_take_lock(first_loop(server)) == 0) {
        atomic_store(&server->grace_ms, 0);
        shut_down(server);
        pgrpc__loop_leave_lock(first_loop(server));
    }
    join_threads(server);
    pgrpc__workers_clear(&server->workers);
    /* The loop's memory of the server may go with the last unref in here. */
    unsigned count = server->loop_count;
    for (unsigned i = 0; i < count; i++)
        clear_loop(server, i);
    close(server->shutdown_fd);
    pgrpc__server_unref(server);
}

/* --- making -------------------------------------------------------------------------------------
 */

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

/* No sum of times overflows. */
static int64_t or_default_ms(int64_t value, int64_t otherwise)
{
    if (!value)
        return otherwise;
    return value < TIMEOUT_MS_MAX ? value : TIMEOUT_MS_MAX;
}

static void fill_defaults(struct pgrpc_server *server)
{
    struct pgrpc_server_options *options = &server->options;
    options->loops = or_default(options->loops, 1);
    options->workers = or_default(options->workers, DEFAULT_WORKERS);
    options->max_receive_bytes = or_default(options->max_receive_bytes, DEFAULT_RECEIVE_BYTES);
    options->max_send_bytes = or_default(options->max_send_bytes, INT32_MAX);
    options->send_high_water_bytes = or_default(options->send_high_water_bytes, DEFAULT_BYTES);
    server->h2 = (struct h2_connection_config){
        .is_server = true,
        .max_concurrent_streams =
            or_default(options->max_concurrent_calls, DEFAULT_CONCURRENT_CALLS),
        .stream_window = or_default(options->stream_window_bytes, DEFAULT_BYTES),
        .max_header_bytes = or_default(options->max_metadata_bytes, DEFAULT_METADATA_BYTES),
        .handshake_timeout_ms = or_default_ms(options->handshake_timeout_ms, DEFAULT_HANDSHAKE_MS),
        .keepalive_ms = or_default_ms(options->keepalive_ms, DEFAULT_KEEPALIVE_MS),
        .keepalive_timeout_ms =
            or_default_ms(options->keepalive_timeout_ms, DEFAULT_KEEPALIVE_TIMEOUT_MS),
        .keepalive_without_calls = true,
        .keepalive_min_ms = or_default_ms(options->keepalive_min_ms, DEFAULT_KEEPALIVE_MIN_MS),
        .keepalive_permit_without_calls = options->keepalive_permit_without_calls,
    };
}

static enum pgrpc_code copy_options(struct pgrpc_server *server, struct pgrpc_error *error)
{
    struct pgrpc_server_options *options = &server->options;
    if (options->loop && options->loops > 1)
        return refuse(error, PGRPC_INVALID_ARGUMENT,
                      "options.loop is one loop: options.loops must be 0 or 1 with it");
    if (options->loops > LOOPS_MAX || options->workers > WORKERS_MAX)
        return refuse(error, PGRPC_INVALID_ARGUMENT, "too many loops or workers");
    if (options->interceptor_count) {
        options->interceptors =
            pgrpc__arena_memdup(&server->arena, options->interceptors,
                                options->interceptor_count * sizeof(*options->interceptors));
        if (!options->interceptors)
            return refuse(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    }
    if (options->codec_count) {
        options->codecs = pgrpc__arena_memdup(&server->arena, (const void *)options->codecs,
                                              options->codec_count * sizeof(*options->codecs));
        if (!options->codecs)
            return refuse(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    }
    fill_defaults(server);
    return PGRPC_OK;
}

static enum pgrpc_code make_loops(struct pgrpc_server *server, struct pgrpc_error *error)
{
    const struct pgrpc_server_options *options = &server->options;
    server->owns_loops = !options->loop;
    server->loops = pgrpc__raw_zalloc(&server->allocator, options->loops * sizeof(*server->loops));
    if (!server->loops)
        return refuse(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    struct pgrpc_loop_options loop_options = {.size = sizeof(loop_options),
                                              .allocator = options->allocator};
    for (unsigned i = 0; i < options->loops; i++) {
        struct pgrpc_loop *loop = options->loop ? options->loop : pgrpc_loop_new(&loop_options);
        if (!loop)
            return refuse(error, PGRPC_RESOURCE_EXHAUSTED,
                          "no memory or file descriptors for a loop");
        if (pgrpc__loop_take_lock(loop))
            return refuse(error, PGRPC_FAILED_PRECONDITION,
                          "options.loop belongs to the parent of a fork()");
        pgrpc__server_loop_init(&server->loops[i], server, loop);
        server->loop_count++;
        pgrpc__loop_leave_lock(loop);
    }
    return PGRPC_OK;
}

static enum pgrpc_code build(struct pgrpc_server *server, struct pgrpc_error *error)
{
    enum pgrpc_code code = copy_options(server, error);
    if (code == PGRPC_OK)
        code = make_loops(server, error);
    if (code)
        return code;
    if (pgrpc__workers_init(&server->workers, &server->allocator, server->options.workers))
        return refuse(error, PGRPC_RESOURCE_EXHAUSTED, "no memory for workers");
    server->shutdown_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (server->shutdown_fd < 0)
        return refuse(error, PGRPC_RESOURCE_EXHAUSTED, "no file descriptor for an eventfd");
    struct pgrpc_loop *first = first_loop(server);
    pgrpc__loop_take_lock(first);
    server->shutdown_watch.on_event = on_shutdown_event;
    int result =
        pgrpc__loop_watch_start(first, &server->shutdown_watch, server->shutdown_fd, LOOP_READ);
    pgrpc__loop_leave_lock(first);
    return result ? refuse(error, PGRPC_RESOURCE_EXHAUSTED, "no memory to watch an eventfd")
                  : PGRPC_OK;
}

/* Undoes what build did before it failed. */
static void unbuild(struct pgrpc_server *server)
{
    pgrpc__workers_clear(&server->workers);
    unsigned count = server->loop_count;
    for (unsigned i = 0; i < count; i++)
        clear_loop(server, i);
    if (server->shutdown_fd >= 0)
        close(server->shutdown_fd);
    pgrpc__server_unref(server);
}

enum pgrpc_code pgrpc_server_new(const struct pgrpc_server_options *options,
                                 struct pgrpc_server **server, struct pgrpc_error *error)
{
    struct pgrpc_server_options given = {.size = sizeof(given)};
    if (options)
        memcpy(&given, options,
               options->size && options->size < sizeof(given) ? options->size : sizeof(given));
    const struct pgrpc_allocator *allocator =
        given.allocator ? given.allocator : &pgrpc__default_allocator;
    struct pgrpc_server *made = pgrpc__raw_zalloc(allocator, sizeof(*made));
    if (!made)
        return refuse(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    made->options = given;
    made->allocator = *allocator;
    made->options.allocator = given.allocator ? &made->allocator : NULL;
    made->accept = pgrpc__rpc_accept;
    made->shutdown_fd = -1;
    atomic_init(&made->refs, 1);
    pgrpc__arena_init(&made->arena, &made->allocator, NULL, 0);
    pgrpc__map_init(&made->targets, &made->allocator);
    pgrpc__map_init(&made->services, &made->allocator);
    if (pthread_mutex_init(&made->error_lock, NULL)) {
        pgrpc__raw_free(allocator, made);
        return refuse(error, PGRPC_RESOURCE_EXHAUSTED, "no memory for a mutex");
    }
    enum pgrpc_code code = build(made, error);
    if (code) {
        unbuild(made);
        return code;
    }
    *server = made;
    return PGRPC_OK;
}
