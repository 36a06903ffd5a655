/*
 * The server of connection_backoff: grpc.testing.ReconnectService.
 *
 *     reconnect-server [--control_port=N] [--retry_port=N] [--transmission_ms=N]
 *
 * Connections to the retry port are closed as soon as they are made.  Between Start and Stop on the
 * control port they must come as doc/connection-backoff.md says: after 1 s, then 1.6 times as long
 * each, up to 120 s or what Start asks for, give or take a fifth and what the machine needs (100
 * ms). Ports 0 take free ones; the line on stderr tells them.  SIGTERM and SIGINT end the server.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flags.h"
#include "grpc/testing/test.pgrpc.h"

enum { TIMES_MAX = 1000, INITIAL_MS = 1000, DEFAULT_MAX_MS = 120 * 1000 };

static struct pgrpc_server *server;
static int transmission_ms = 100;

/* When connections came. */
static struct {
    pthread_mutex_t lock;
    bool is_started;
    int max_ms, count;
    int64_t times_ms[TIMES_MAX];
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the retry port --- */

static int listen_on(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t len = sizeof(address);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (void *)&address, len) || listen(fd, 10) ||
        getsockname(fd, (void *)&address, &len)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* Until the listener is shut down. */
static void *close_connections(void *userdata)
{
    const int *listener = userdata;
    for (;;) {
        int fd = accept(*listener, NULL, NULL);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            return NULL;
        pthread_mutex_lock(&seen.lock);
        if (seen.is_started && seen.count < TIMES_MAX)
            seen.times_ms[seen.count++] = now_ms();
        pthread_mutex_unlock(&seen.lock);
        close(fd);
    }
}

/* --- the service --- */

static void start(struct pgrpc_call *call, const Grpc__Testing__ReconnectParams *request,
                  void *userdata)
{
    const Grpc__Testing__Empty reply = GRPC__TESTING__EMPTY__INIT;
    (void)userdata;
    pthread_mutex_lock(&seen.lock);
    seen.is_started = true;
    seen.count = 0;
    seen.max_ms =
        request->max_reconnect_backoff_ms > 0 ? request->max_reconnect_backoff_ms : DEFAULT_MAX_MS;
    pthread_mutex_unlock(&seen.lock);
    Grpc__Testing__ReconnectService__start__reply(call, &reply);
}

static void stop(struct pgrpc_call *call, const Grpc__Testing__Empty *request, void *userdata)
{
    Grpc__Testing__ReconnectInfo reply = GRPC__TESTING__RECONNECT_INFO__INIT;
    int32_t backoffs_ms[TIMES_MAX];
    double expected_ms = INITIAL_MS;
    (void)request;
    (void)userdata;
    pthread_mutex_lock(&seen.lock);
    seen.is_started = false;
    reply.passed = true;
    reply.backoff_ms = backoffs_ms;
    for (int i = 0; i + 1 < seen.count; i++) {
        double backoff_ms = (double)(seen.times_ms[i + 1] - seen.times_ms[i]);
        expected_ms = expected_ms < seen.max_ms ? expected_ms : seen.max_ms;
        if (backoff_ms < expected_ms * 0.8 - transmission_ms ||
            backoff_ms > expected_ms * 1.2 + transmission_ms)
            reply.passed = false;
        backoffs_ms[reply.n_backoff_ms++] = (int32_t)backoff_ms;
        expected_ms *= 1.6;
    }
    pthread_mutex_unlock(&seen.lock);
    Grpc__Testing__ReconnectService__stop__reply(call, &reply);
}

static const struct Grpc__Testing__ReconnectService_handlers handlers = {
    .start = {start, PGRPC_RUN_INLINE},
    .stop = {stop, PGRPC_RUN_INLINE},
};

/* --- the server --- */

static void end(int signal_number)
{
    (void)signal_number;
    pgrpc_server_shutdown(server, 1000);
}

int main(int argc, char **argv)
{
    int control_port = 10000, retry_port = 10001, status = EXIT_FAILURE;
    const struct flag flags[] = {{"control_port", FLAG_NUMBER, &control_port, 65535},
                                 {"retry_port", FLAG_NUMBER, &retry_port, 65535},
                                 {"transmission_ms", FLAG_NUMBER, &transmission_ms, 60 * 1000}};
    struct pgrpc_error error = {""};
    char address[32];
    pthread_t thread;
    if (flags_parse(flags, sizeof(flags) / sizeof(flags[0]), argc, argv))
        return EXIT_FAILURE;
    int listener = listen_on(&retry_port);
    if (listener < 0) {
        fprintf(stderr, "%s: --retry_port=%d: %s\n", argv[0], retry_port, strerror(errno));
        return EXIT_FAILURE;
    }
    snprintf(address, sizeof(address), "127.0.0.1:%d", control_port);
    if (pgrpc_server_new(NULL, &server, &error) ||
        Grpc__Testing__ReconnectService_register(server, &handlers, NULL) ||
        pgrpc_server_listen(server, address, pgrpc_credentials_insecure(), &control_port))
        goto out;
    signal(SIGTERM, end);
    signal(SIGINT, end);
    if (pthread_create(&thread, NULL, close_connections, &listener))
        goto out;
    fprintf(stderr, "listening on ports %d and %d\n", control_port, retry_port);
    if (pgrpc_server_run(server) == PGRPC_OK)
        status = EXIT_SUCCESS;
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
out:
    close(listener);
    if (status != EXIT_SUCCESS)
        fprintf(stderr, "%s: %s\n", argv[0], server ? pgrpc_server_error(server) : error.text);
    /* A second signal must not find a server that is gone. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    pgrpc_server_free(server);
    return status;
}
