#include "client/subchannel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* Connections in a row that may come to nothing before that counts as failing to connect. */
enum { FUTILE_MAX = 3 };

/* One connection of a subchannel: the current one, a draining one, or one that is over and to be
 * freed. */
struct client_link {
    struct list node;
    struct subchannel *subchannel;
    struct h2_link *link;
    struct loop_task reap_task;
};

struct subchannel {
    const struct subchannel_config *config;
    const void *address;
    enum subchannel_state state;
    struct client_link *current;
    struct list links;
    struct backoff backoff;
    struct loop_timer timer; /* CONNECTING: the attempt's limit; BACKOFF: the next attempt */
    int64_t attempt_start_ms;
    int64_t keepalive_ms;
    unsigned futile_count; /* latest connections, see was_futile */
    bool has_failed;       /* the last attempt did, whatever became of its back-off */
    char error[SUBCHANNEL_ERROR_MAX];
};

static void set_state(struct subchannel *subchannel, enum subchannel_state state)
{
    static const char *const names[] = {"idle", "connecting", "ready", "back-off"};
    subchannel->state = state;
    if (TRACE_IS_ON(TRACE_CONNECTIONS))
        pgrpc__trace(TRACE_CONNECTIONS, "subchannel %p: %s %s", (void *)subchannel, names[state],
                     subchannel->error);
    subchannel->config->on_change(subchannel->config->owner);
}

/* A timer that is not due keeps its place in the loop, so that starting it never lacks memory: a
 * back-off that could not be waited for would be no back-off. */
static int rest(struct subchannel *subchannel)
{
    return pgrpc__loop_timer_start(subchannel->config->loop, &subchannel->timer, INT64_MAX);
}

static void set_error(struct subchannel *subchannel, const char *text)
{
    snprintf(subchannel->error, sizeof(subchannel->error), "%s", text);
}

/* --- links --------------------------------------------------------------------------------------
 */

static void free_link(struct client_link *link)
{
    list_remove(&link->node);
    pgrpc__loop_task_cancel(&link->reap_task);
    pgrpc__h2_link_free(link->link);
    pgrpc__mem_free(&link->subchannel->config->loop->mem, link);
}

static void run_reap(struct loop_task *task)
{
    free_link(CONTAINER_OF(task, struct client_link, reap_task));
}

/* The attempt has failed: the next one waits, measured from this one's start. */
static void fail_attempt(struct subchannel *subchannel, const char *text)
{
    struct pgrpc_loop *loop = subchannel->config->loop;
    set_error(subchannel, text);
    subchannel->has_failed = true;
    int64_t delay = pgrpc__backoff_next(&subchannel->backoff, loop->random(loop->random_userdata));
    (void)pgrpc__loop_timer_start(loop, &subchannel->timer, subchannel->attempt_start_ms + delay);
    set_state(subchannel, SUBCHANNEL_BACKOFF);
}

static void on_ready(void *owner)
{
    struct client_link *link = owner;
    struct subchannel *subchannel = link->subchannel;
    if (subchannel->current != link || subchannel->state != SUBCHANNEL_CONNECTING)
        return;
    (void)rest(subchannel);
    pgrpc__backoff_reset(&subchannel->backoff);
    subchannel->has_failed = false;
    set_state(subchannel, SUBCHANNEL_READY);
}

/*
 * The connection was ready, and left.  One that gave no answer and ended at once would be made
 * again and again without a pause by a call that waits for it: SETTINGS alone reset the back-off.
 */
static bool was_futile(struct subchannel *subchannel, const struct client_link *link)
{
    int64_t lived_ms = loop_now(subchannel->config->loop) - subchannel->attempt_start_ms;
    if (pgrpc__h2_connection_has_answers(pgrpc__h2_link_connection(link->link)) ||
        lived_ms >= subchannel->config->backoff_initial_ms)
        subchannel->futile_count = 0;
    else if (++subchannel->futile_count > FUTILE_MAX)
        subchannel->futile_count = FUTILE_MAX + 1;
    return subchannel->futile_count > FUTILE_MAX;
}

static void on_draining(void *owner, uint32_t code, const char *debug)
{
    struct client_link *link = owner;
    struct subchannel *subchannel = link->subchannel;
    if (code == H2_ENHANCE_YOUR_CALM && strcmp(debug, "too_many_pings") == 0 &&
        subchannel->keepalive_ms && subchannel->keepalive_ms < INT64_MAX / 2) {
        subchannel->keepalive_ms *= 2;
        pgrpc__log_printf(PGRPC_LOG_WARNING, "the server asks for fewer keepalive pings",
                          "keepalive_ms", "%lld", (long long)subchannel->keepalive_ms);
    }
    pgrpc__h2_link_close_when_finished(link->link);
    if (subchannel->current != link)
        return;
    subchannel->current = NULL;
    if (subchannel->state == SUBCHANNEL_CONNECTING || was_futile(subchannel, link)) {
        (void)rest(subchannel);
        fail_attempt(subchannel, *debug ? debug : "the server sent GOAWAY at once");
    } else {
        set_state(subchannel, SUBCHANNEL_IDLE);
    }
}

static void on_capacity(void *owner)
{
    struct client_link *link = owner;
    link->subchannel->config->on_change(link->subchannel->config->owner);
}

static void on_closed(void *owner, const char *text)
{
    struct client_link *link = owner;
    struct subchannel *subchannel = link->subchannel;
    /* This is inside the link: it goes at the top of the turn. */
    pgrpc__loop_defer(subchannel->config->loop, &link->reap_task);
    if (subchannel->current != link)
        return;
    subchannel->current = NULL;
    (void)rest(subchannel);
    if (subchannel->state == SUBCHANNEL_CONNECTING || was_futile(subchannel, link)) {
        fail_attempt(subchannel, text);
    } else {
        set_error(subchannel, text);
        set_state(subchannel, SUBCHANNEL_IDLE);
    }
}

static const struct h2_link_events link_events = {
    .on_ready = on_ready,
    .on_draining = on_draining,
    .on_capacity = on_capacity,
    .on_closed = on_closed,
};

/* --- connecting ---------------------------------------------------------------------------------
 */

static void on_time(struct loop_timer *timer)
{
    struct subchannel *subchannel = CONTAINER_OF(timer, struct subchannel, timer);
    (void)rest(subchannel); /* first, while its place is free */
    if (subchannel->state == SUBCHANNEL_BACKOFF) {
        set_state(subchannel, SUBCHANNEL_IDLE);
        return;
    }
    struct client_link *link = subchannel->current;
    char text[80];
    subchannel->current = NULL;
    snprintf(text, sizeof(text), "connecting took longer than %lld ms",
             (long long)subchannel->config->connect_timeout_ms);
    if (link)
        pgrpc__loop_defer(subchannel->config->loop, &link->reap_task);
    fail_attempt(subchannel, text);
}

static int open_link(struct subchannel *subchannel, char error[SUBCHANNEL_ERROR_MAX])
{
    const struct subchannel_config *config = subchannel->config;
    struct bytestream *stream = NULL;
    struct client_link *link = pgrpc__mem_calloc(&config->loop->mem, 1, sizeof(*link));
    if (!link) {
        snprintf(error, SUBCHANNEL_ERROR_MAX, "out of memory");
        return -ENOMEM;
    }
    link->subchannel = subchannel;
    link->reap_task.run = run_reap;
    int result = config->connect(config->connect_userdata, subchannel->address, &stream, error);
    if (result == 0) {
        struct h2_connection_config h2 = config->h2;
        h2.keepalive_ms = subchannel->keepalive_ms;
        result = pgrpc__h2_link_new(config->loop, stream, &h2, &link_events, link, &link->link);
        if (result)
            snprintf(error, SUBCHANNEL_ERROR_MAX, "out of memory");
    }
    if (result) {
        pgrpc__mem_free(&config->loop->mem, link);
        return result;
    }
    list_add_tail(&subchannel->links, &link->node);
    subchannel->current = link;
    return 0;
}

void pgrpc__subchannel_connect(struct subchannel *subchannel)
{
    struct pgrpc_loop *loop = subchannel->config->loop;
    char error[SUBCHANNEL_ERROR_MAX] = "connecting failed";
    if (subchannel->state != SUBCHANNEL_IDLE)
        return;
    subchannel->attempt_start_ms = loop_now(loop);
    if (open_link(subchannel, error)) {
        fail_attempt(subchannel, error);
        return;
    }
    (void)pgrpc__loop_timer_start(loop, &subchannel->timer,
                                  subchannel->attempt_start_ms +
                                      subchannel->config->connect_timeout_ms);
    set_state(subchannel, SUBCHANNEL_CONNECTING);
}

/* --- life ---------------------------------------------------------------------------------------
 */

struct subchannel *pgrpc__subchannel_new(const struct subchannel_config *config,
                                         const void *address)
{
    struct subchannel *subchannel = pgrpc__mem_calloc(&config->loop->mem, 1, sizeof(*subchannel));
    if (!subchannel)
        return NULL;
    subchannel->config = config;
    subchannel->address = address;
    subchannel->keepalive_ms = config->h2.keepalive_ms;
    subchannel->timer.on_due = on_time;
    list_init(&subchannel->links);
    pgrpc__backoff_init(&subchannel->backoff, config->backoff_initial_ms, config->backoff_max_ms);
    if (rest(subchannel)) {
        pgrpc__mem_free(&config->loop->mem, subchannel);
        return NULL;
    }
    return subchannel;
}

void pgrpc__subchannel_free(struct subchannel *subchannel)
{
    if (!subchannel)
        return;
    struct mem *mem = &subchannel->config->loop->mem;
    pgrpc__loop_timer_stop(subchannel->config->loop, &subchannel->timer);
    subchannel->current = NULL;
    while (!list_is_empty(&subchannel->links))
        free_link(CONTAINER_OF(subchannel->links.next, struct client_link, node));
    pgrpc__mem_free(mem, subchannel);
}

const void *pgrpc__subchannel_address(const struct subchannel *subchannel)
{
    return subchannel->address;
}

void pgrpc__subchannel_set_address(struct subchannel *subchannel, const void *address)
{
    subchannel->address = address;
}

bool pgrpc__subchannel_retire(struct subchannel *subchannel)
{
    struct client_link *link = subchannel->current;
    subchannel->current = NULL;
    (void)rest(subchannel);
    if (link && subchannel->state == SUBCHANNEL_READY) {
        pgrpc__h2_connection_drain(pgrpc__h2_link_connection(link->link), "");
        pgrpc__h2_link_close_when_finished(link->link);
    } else if (link) {
        free_link(link);
    }
    subchannel->state = SUBCHANNEL_IDLE;
    return !list_is_empty(&subchannel->links);
}

enum subchannel_state pgrpc__subchannel_state(const struct subchannel *subchannel)
{
    return subchannel->state;
}

struct h2_link *pgrpc__subchannel_link(struct subchannel *subchannel)
{
    return subchannel->state == SUBCHANNEL_READY ? subchannel->current->link : NULL;
}

bool pgrpc__subchannel_has_failed(const struct subchannel *subchannel)
{
    return subchannel->has_failed;
}

const char *pgrpc__subchannel_error(const struct subchannel *subchannel)
{
    return subchannel->error;
}
