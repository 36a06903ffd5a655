/*
 * The inside of a server.
 *
 *   listener -> server_loop (one per thread) -> server_connection -> rpc stream -> dispatch ->
 * handler (inline or worker)
 *
 * The first loop accepts and hands each connection to the loop with the fewest.  A server lives
 * until its user has freed it and the last call is gone.
 */
#ifndef PGRPC__SERVER_SERVER_H
#define PGRPC__SERVER_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "h2/link.h"
#include "picogrpc/codegen.h"
#include "picogrpc/server.h"
#include "rpc/host.h"
#include "server/workers.h"

enum { SERVER_ERROR_MAX = 256 };

/* One loop's part of the server. Its lists need that loop's lock. */
struct server_loop {
    struct rpc_host host;
    struct pgrpc_server *server;
    struct list connections;
    _Atomic unsigned connection_count; /* read by the acceptor of another loop */
    struct loop_timer grace_timer;
    _Atomic bool is_draining;
    bool is_cleared; /* the server was freed; handlers may still have calls */
    bool has_thread;
    pthread_t thread;
};

struct server_connection {
    struct list node;
    struct server_loop *loop;
    struct h2_link *link;
    struct loop_task reap_task;
};

struct listener;

/* What other rooms want to know of a server's life: health, reflection. Called without locks. */
struct server_hook {
    struct server_hook *next;
    void (*on_shutdown)(void *userdata);
    void (*on_free)(void *userdata);
    void *userdata;
};

struct pgrpc_server {
    struct pgrpc_server_options options;
    struct pgrpc_allocator allocator;
    struct arena arena; /* interceptors, codecs, bindings */
    struct server_loop *loops;
    unsigned loop_count;
    bool owns_loops;
    struct workers workers;
    struct h2_connection_config h2;

    struct map targets;  /* path -> rpc_target */
    struct map services; /* name -> pgrpc_service */
    struct rpc_target *fallback;
    struct server_hook *hooks;
    /* What answers a request: pgrpc__rpc_accept. Tests of HTTP/2 alone put a plain server here. */
    struct h2_stream *(*accept)(struct rpc_host *host, struct h2_link *link,
                                const struct h2_head *head, bool end_stream);

    struct listener *listeners; /* first loop's lock */
    struct loop_watch shutdown_watch;
    int shutdown_fd; /* eventfd: a signal handler can write to it */
    _Atomic int64_t grace_ms;
    _Atomic bool is_started;
    _Atomic bool is_shutting_down;
    _Atomic bool is_stopped;
    _Atomic bool is_run;   /* pgrpc_server_run waits for the end */
    _Atomic unsigned refs; /* the user's, and one for each loop until its last call is gone */

    pthread_mutex_t error_lock;
    char error[SERVER_ERROR_MAX];
};

/* --- server.c --- */
/* Remembers |text| for pgrpc_server_error and returns |code|. Any thread. */
enum pgrpc_code pgrpc__server_fail(struct pgrpc_server *server, enum pgrpc_code code,
                                   const char *format, ...) __attribute__((format(printf, 3, 4)));
void pgrpc__server_unref(struct pgrpc_server *server);
/* PGRPC_RESOURCE_EXHAUSTED when out of memory. */
enum pgrpc_code pgrpc__server_add_hook(struct pgrpc_server *server, const struct server_hook *hook);

/* --- server_loop.c: lock of the loop held --- */
void pgrpc__server_loop_init(struct server_loop *loop, struct pgrpc_server *server,
                             struct pgrpc_loop *on);
/* Frees its connections; the rest goes with the last call a handler has. */
void pgrpc__server_loop_clear(struct server_loop *loop);
/* Serves |stream| (taken, also on failure). 0 or -ENOMEM. */
int pgrpc__server_loop_serve(struct server_loop *loop, struct bytestream *stream);
/* The loop with the fewest connections. */
struct server_loop *pgrpc__server_least_loaded(struct pgrpc_server *server);
void pgrpc__server_loop_drain(struct server_loop *loop, int64_t grace_ms);
/* Ends calls and connections now. */
void pgrpc__server_loop_cut(struct server_loop *loop);
/* One loop has nothing left: when none has, the server is stopped. */
void pgrpc__server_check_stopped(struct pgrpc_server *server);

/* --- listener.c --- */
/* Listens on |fd| (taken, also on failure). First loop's lock held. 0 or a negative errno. */
int pgrpc__listener_new(struct pgrpc_server *server, int fd,
                        const struct pgrpc_credentials *credentials);
void pgrpc__listener_start_all(struct pgrpc_server *server);
void pgrpc__listener_free_all(struct pgrpc_server *server);
/* Hands a connected |fd| (taken, also on failure) to |loop|, whose lock is held. 0 or a negative
 * errno. */
int pgrpc__server_serve_fd(struct server_loop *loop, int fd,
                           const struct pgrpc_credentials *credentials);

/* --- dispatch.c --- */
extern const struct dispatcher_ops pgrpc__server_dispatcher;

#endif
