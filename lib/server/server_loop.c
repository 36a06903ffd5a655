#include <errno.h>
#include <string.h>

#include "rpc/call.h"
#include "rpc/stream.h"
#include "server/server.h"

/* --- connections --------------------------------------------------------------------------------
 */

static void free_connection(struct server_connection *connection)
{
    struct server_loop *loop = connection->loop;
    list_remove(&connection->node);
    pgrpc__loop_task_cancel(&connection->reap_task);
    pgrpc__h2_link_free(connection->link);
    pgrpc__mem_free(&loop->host.loop->mem, connection);
    atomic_fetch_sub(&loop->connection_count, 1);
    pgrpc__server_check_stopped(loop->server);
}

static void run_reap(struct loop_task *task)
{
    free_connection(CONTAINER_OF(task, struct server_connection, reap_task));
}

static struct h2_stream *on_request(void *owner, const struct h2_head *head, bool end_stream)
{
    struct server_connection *connection = owner;
    struct server_loop *loop = connection->loop;
    return loop->server->accept(&loop->host, connection->link, head, end_stream);
}

static void on_ready(void *owner)
{
    (void)owner;
}

static void on_draining(void *owner, uint32_t code, const char *debug)
{
    struct server_connection *connection = owner;
    (void)code;
    (void)debug;
    pgrpc__h2_link_close_when_finished(connection->link);
}

static void on_capacity(void *owner)
{
    (void)owner;
}

static void on_closed(void *owner, const char *text)
{
    struct server_connection *connection = owner;
    (void)text;
    pgrpc__loop_defer(connection->loop->host.loop, &connection->reap_task);
}

static const struct h2_link_events link_events = {
    .on_ready = on_ready,
    .on_request = on_request,
    .on_draining = on_draining,
    .on_capacity = on_capacity,
    .on_closed = on_closed,
};

int pgrpc__server_loop_serve(struct server_loop *loop, struct bytestream *stream)
{
    struct pgrpc_loop *on = loop->host.loop;
    struct server_connection *connection = NULL;
    if (!loop->is_draining)
        connection = pgrpc__mem_calloc(&on->mem, 1, sizeof(*connection));
    if (!connection) {
        stream->ops->free(stream);
        return -ENOMEM;
    }
    connection->loop = loop;
    connection->reap_task.run = run_reap;
    int result = pgrpc__h2_link_new(on, stream, &loop->server->h2, &link_events, connection,
                                    &connection->link);
    if (result) {
        pgrpc__mem_free(&on->mem, connection);
        return result;
    }
    list_add_tail(&loop->connections, &connection->node);
    atomic_fetch_add(&loop->connection_count, 1);
    return 0;
}

struct server_loop *pgrpc__server_least_loaded(struct pgrpc_server *server)
{
    struct server_loop *best = &server->loops[0];
    for (unsigned i = 1; i < server->loop_count; i++)
        if (atomic_load(&server->loops[i].connection_count) < atomic_load(&best->connection_count))
            best = &server->loops[i];
    return best;
}

/* --- the end ------------------------------------------------------------------------------------
 */

static void on_grace_over(struct loop_timer *timer)
{
    pgrpc__server_loop_cut(CONTAINER_OF(timer, struct server_loop, grace_timer));
}

void pgrpc__server_loop_drain(struct server_loop *loop, int64_t grace_ms)
{
    struct pgrpc_loop *on = loop->host.loop;
    /* From this very moment: this may be another loop's thread, and |on| may have slept for long.
     */
    if (grace_ms <= 0 ||
        pgrpc__loop_timer_start(on, &loop->grace_timer, pgrpc__loop_due_after(on, grace_ms))) {
        pgrpc__server_loop_cut(loop);
        return;
    }
    if (loop->is_draining)
        return;
    loop->is_draining = true;
    for (struct list *node = loop->connections.next; node != &loop->connections;
         node = node->next) {
        struct server_connection *connection = CONTAINER_OF(node, struct server_connection, node);
        pgrpc__h2_connection_drain(pgrpc__h2_link_connection(connection->link),
                                   "the server shuts down");
        pgrpc__h2_link_close_when_finished(connection->link);
    }
}

void pgrpc__server_loop_cut(struct server_loop *loop)
{
    loop->is_draining = true;
    pgrpc__loop_timer_stop(loop->host.loop, &loop->grace_timer);
    for (struct list *node = loop->host.calls.next; node != &loop->host.calls;) {
        struct pgrpc_call *call = CONTAINER_OF(node, struct pgrpc_call, node);
        node = node->next;
        /* Clients are told, as far as the sockets take it; handlers see a call that is over. */
        atomic_store_explicit(&call->is_cancelled, true, memory_order_release);
        pgrpc__call_reject(call, 200, PGRPC_UNAVAILABLE, "the server shuts down");
        pgrpc__call_answer(call);
    }
    /* What was said so far goes out before the connections are cut. */
    pgrpc__loop_flush(loop->host.loop);
    for (struct list *node = loop->connections.next; node != &loop->connections;) {
        struct server_connection *connection = CONTAINER_OF(node, struct server_connection, node);
        node = node->next;
        pgrpc__h2_connection_abort(pgrpc__h2_link_connection(connection->link), H2_NO_ERROR,
                                   "the server shuts down");
        pgrpc__h2_link_close_when_finished(connection->link);
    }
    /* Calls that could not say everything end here: handlers that wait must hear of it, also when
     * nobody turns the loop any more. */
    pgrpc__loop_flush(loop->host.loop);
}

/* --- life ---------------------------------------------------------------------------------------
 */

/* The last thing the loop was kept for is gone. */
static void release(struct server_loop *loop)
{
    struct pgrpc_server *server = loop->server;
    pgrpc__compressor_clear(&loop->host.compressor);
    pgrpc__loop_unhold(loop->host.loop);
    pgrpc__server_unref(server);
}

static void on_empty(struct rpc_host *host)
{
    struct server_loop *loop = CONTAINER_OF(host, struct server_loop, host);
    if (loop->is_cleared)
        release(loop);
}

void pgrpc__server_loop_init(struct server_loop *loop, struct pgrpc_server *server,
                             struct pgrpc_loop *on)
{
    const struct pgrpc_server_options *options = &server->options;
    memset(loop, 0, sizeof(*loop));
    loop->server = server;
    loop->grace_timer.on_due = on_grace_over;
    list_init(&loop->connections);
    loop->host = (struct rpc_host){
        .loop = on,
        .max_receive_bytes = options->max_receive_bytes,
        .max_send_bytes = options->max_send_bytes,
        .send_high_water_bytes = options->send_high_water_bytes,
        .is_strict_te = options->strict_te,
        .interceptors = options->interceptors,
        .interceptor_count = options->interceptor_count,
        .dispatcher = &pgrpc__server_dispatcher,
        .on_empty = on_empty,
    };
    list_init(&loop->host.calls);
    pgrpc__compressor_init(&loop->host.compressor, &on->mem.allocator);
    pgrpc__loop_hold(on);
    atomic_fetch_add(&server->refs, 1);
}

void pgrpc__server_loop_clear(struct server_loop *loop)
{
    loop->is_cleared = true;
    pgrpc__loop_timer_stop(loop->host.loop, &loop->grace_timer);
    while (!list_is_empty(&loop->connections))
        free_connection(CONTAINER_OF(loop->connections.next, struct server_connection, node));
    if (loop->host.call_count == 0)
        release(loop);
}
