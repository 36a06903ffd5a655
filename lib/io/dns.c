#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "io/dns.h"

#include <errno.h>
#include <string.h>

const char *pgrpc__dns_servers;

#ifdef HAVE_CARES

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>

#include "io/error_text.h"

enum {
    LIMIT_MS = 30 * 1000,
    ADDRESSES_MAX = 64 /* a name may have any number; nobody tries more */
};

/* A descriptor of c-ares that the loop watches. */
struct dns_socket {
    struct list node;
    struct loop_watch watch;
    struct dns_query *query;
};

/*
 * Each query has a channel of its own, so that cancelling one leaves others alone and changes of
 * resolv.conf are seen.  c-ares may answer from inside any of its functions, in which its channel
 * must not be destroyed: the answer is kept and told by a task.
 */
struct dns_query {
    struct pgrpc_loop *loop;
    dns_answer_fn *answer;
    void *owner;
    uint16_t port;
    ares_channel channel;
    struct list sockets;
    struct loop_timer timer; /* what c-ares waits for, and the limit */
    int64_t limit_ms;
    struct loop_task answer_task;
    bool is_answered;
    struct socket_address *addresses;
    size_t count;
    const char *error;
};

/* Keeps the answer, the first one that there is. */
static void conclude(struct dns_query *query, const char *error)
{
    if (query->is_answered)
        return;
    query->is_answered = true;
    query->error = error;
    pgrpc__loop_defer(query->loop, &query->answer_task);
}

/* --- what c-ares waits for -------------------------------------------------------------------- */

static void update_timer(struct dns_query *query)
{
    struct timeval left;
    int64_t due_ms = query->limit_ms;

    if (ares_timeout(query->channel, NULL, &left)) {
        int64_t left_ms = (int64_t)left.tv_sec * 1000 + left.tv_usec / 1000;
        int64_t next_ms = pgrpc__loop_due_after(query->loop, left_ms + 1);
        if (next_ms < due_ms)
            due_ms = next_ms;
    }
    if (pgrpc__loop_timer_start(query->loop, &query->timer, due_ms) < 0)
        conclude(query, pgrpc__error_text(ENOMEM));
}

static void on_due(struct loop_timer *timer)
{
    struct dns_query *query = CONTAINER_OF(timer, struct dns_query, timer);
    if (query->loop->now_ms >= query->limit_ms) {
        conclude(query, "the name servers did not answer in time");
        return;
    }
    ares_process_fd(query->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    update_timer(query);
}

static void on_event(struct loop_watch *watch, unsigned events)
{
    struct dns_socket *socket = CONTAINER_OF(watch, struct dns_socket, watch);
    struct dns_query *query = socket->query;
    int fd = watch->fd;
    /* This may close the descriptor and so free |socket|. */
    ares_process_fd(query->channel, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
                    events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
    update_timer(query);
}

static void free_socket(struct dns_socket *socket)
{
    struct pgrpc_loop *loop = socket->query->loop;
    pgrpc__loop_watch_stop(loop, &socket->watch);
    list_remove(&socket->node);
    pgrpc__mem_free(&loop->mem, socket);
}

static struct dns_socket *find_socket(struct dns_query *query, int fd)
{
    for (struct list *node = query->sockets.next; node != &query->sockets; node = node->next) {
        struct dns_socket *socket = CONTAINER_OF(node, struct dns_socket, node);
        if (socket->watch.fd == fd)
            return socket;
    }
    return NULL;
}

static int watch_socket(struct dns_query *query, int fd, unsigned events)
{
    struct dns_socket *socket = find_socket(query, fd);
    if (socket)
        return pgrpc__loop_watch_change(query->loop, &socket->watch, events);
    socket = pgrpc__mem_calloc(&query->loop->mem, 1, sizeof(*socket));
    if (!socket)
        return -ENOMEM;
    socket->query = query;
    socket->watch.on_event = on_event;
    list_add_tail(&query->sockets, &socket->node);
    int error = pgrpc__loop_watch_start(query->loop, &socket->watch, fd, events);
    if (error < 0)
        free_socket(socket);
    return error;
}

static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct dns_query *query = data;
    unsigned events = (readable ? LOOP_READ : 0u) | (writable ? LOOP_WRITE : 0u);
    struct dns_socket *socket = find_socket(query, fd);

    if (events) {
        int error = watch_socket(query, fd, events);
        if (error < 0)
            conclude(query, pgrpc__error_text(error));
    } else if (socket) {
        free_socket(socket);
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static const char *text_of(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
        return "there is no such name";
    case ARES_ENODATA:
        return "the name has no address";
    case ARES_ETIMEOUT:
        return "the name servers did not answer in time";
    case ARES_ECONNREFUSED:
        return "the name servers failed or cannot be reached";
    case ARES_ESERVFAIL:
        return "the name servers failed";
    case ARES_EBADNAME:
        return "this is not a name";
    case ARES_ENOMEM:
        return pgrpc__error_text(ENOMEM);
    default:
        return ares_strerror(status);
    }
}

/* Copies |node|'s address with the port. False for families that are neither IPv4 nor IPv6. */
static bool convert(const struct ares_addrinfo_node *node, uint16_t port,
                    struct socket_address *address)
{
    if ((node->ai_family != AF_INET && node->ai_family != AF_INET6) ||
        node->ai_addrlen > sizeof(address->storage))
        return false;
    memset(address, 0, sizeof(*address));
    memcpy(&address->storage, node->ai_addr, node->ai_addrlen);
    address->len = node->ai_addrlen;
    if (node->ai_family == AF_INET)
        ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
    return true;
}

/* Fills the query's addresses; the error, or NULL. */
static const char *keep_addresses(struct dns_query *query, const struct ares_addrinfo *info)
{
    size_t count = 0;
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        count++;
    if (count > ADDRESSES_MAX)
        count = ADDRESSES_MAX;
    query->addresses = pgrpc__mem_calloc(&query->loop->mem, count, sizeof(*query->addresses));
    if (!query->addresses)
        return pgrpc__error_text(ENOMEM);
    for (const struct ares_addrinfo_node *node = info->nodes; node && query->count < count;
         node = node->ai_next)
        query->count += convert(node, query->port, &query->addresses[query->count]);
    return query->count > 0 ? NULL : text_of(ARES_ENODATA);
}

static void on_addresses(void *data, int status, int timeouts, struct ares_addrinfo *info)
{
    struct dns_query *query = data;
    (void)timeouts;
    if (!query->is_answered)
        conclude(query, status == ARES_SUCCESS ? keep_addresses(query, info) : text_of(status));
    ares_freeaddrinfo(info);
}

static void free_query(struct dns_query *query)
{
    query->is_answered = true; /* c-ares calls back once more when the channel goes */
    if (query->channel)
        ares_destroy(query->channel);
    while (!list_is_empty(&query->sockets))
        free_socket(CONTAINER_OF(query->sockets.next, struct dns_socket, node));
    pgrpc__loop_timer_stop(query->loop, &query->timer);
    pgrpc__loop_task_cancel(&query->answer_task);
    pgrpc__mem_free(&query->loop->mem, query->addresses);
    pgrpc__mem_free(&query->loop->mem, query);
}

static void run_answer(struct loop_task *task)
{
    struct dns_query *query = CONTAINER_OF(task, struct dns_query, answer_task);
    struct dns_query told = *query;
    query->addresses = NULL;
    free_query(query);
    told.answer(told.owner, told.addresses, told.error ? 0 : told.count, told.error);
    pgrpc__mem_free(&told.loop->mem, told.addresses);
}

/* --- asking ----------------------------------------------------------------------------------- */

static int open_channel(struct dns_query *query)
{
    struct ares_options options = {.sock_state_cb = on_socket_state, .sock_state_cb_data = query};
    int status = ares_init_options(&query->channel, &options, ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS)
        query->channel = NULL;
    else if (pgrpc__dns_servers)
        status = ares_set_servers_ports_csv(query->channel, pgrpc__dns_servers);
    return status;
}

int pgrpc__dns_resolve(struct pgrpc_loop *loop, const char *host, uint16_t port,
                       dns_answer_fn *answer, void *owner, struct dns_query **query,
                       const char **error)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct dns_query *asked = pgrpc__mem_calloc(&loop->mem, 1, sizeof(*asked));

    if (!asked) {
        *error = pgrpc__error_text(ENOMEM);
        return -ENOMEM;
    }
    asked->loop = loop;
    asked->answer = answer;
    asked->owner = owner;
    asked->port = port;
    asked->timer.on_due = on_due;
    asked->answer_task.run = run_answer;
    asked->limit_ms = pgrpc__loop_due_after(loop, LIMIT_MS);
    list_init(&asked->sockets);
    int status = open_channel(asked);
    if (status != ARES_SUCCESS) {
        *error = text_of(status);
        free_query(asked);
        return status == ARES_ENOMEM ? -ENOMEM : -EIO;
    }
    ares_getaddrinfo(asked->channel, host, NULL, &hints, on_addresses, asked);
    update_timer(asked);
    *query = asked;
    return 0;
}

void pgrpc__dns_cancel(struct dns_query *query)
{
    if (query)
        free_query(query);
}

#else

int pgrpc__dns_resolve(struct pgrpc_loop *loop, const char *host, uint16_t port,
                       dns_answer_fn *answer, void *owner, struct dns_query **query,
                       const char **error)
{
    (void)loop;
    (void)host;
    (void)port;
    (void)answer;
    (void)owner;
    (void)query;
    *error = "this picogrpc was built without c-ares and cannot look up names: use an address";
    return -ENOTSUP;
}

void pgrpc__dns_cancel(struct dns_query *query)
{
    (void)query;
}

#endif
