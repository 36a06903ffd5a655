/*
 * The health service.
 *
 * All of it is guarded by one mutex, which is taken before the locks of loops and never inside
 * them.  A watcher is told by whoever changes the state: sending is allowed from any thread as long
 * as one thread sends at a time, and the mutex sees to that.  A watcher whose call takes no more
 * keeps nothing queued here: when it may go on it is told the state of that moment, so what lies in
 * between is left out.
 */
#include "picogrpc/health.h"

#include <pthread.h>
#include <string.h>

#include "base/fork.h"
#include "base/list.h"
#include "server/server.h"
#include "services/proto/files.h"
#include "services/proto/health.pb-c.h"
#include "wire/utf8.h"

enum {
    SERVICES_MAX = 10000, /* names that pgrpc_health_set takes */
    LIST_MAX = 100        /* gRFC A90 */
};

#define STATE(name) PGRPC__BUNDLED__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name
_Static_assert((int)PGRPC_SERVING == (int)STATE(SERVING) &&
                   (int)PGRPC_NOT_SERVING == (int)STATE(NOT_SERVING),
               "the public states are the protocol's");

struct pgrpc_health {
    const struct pgrpc_allocator *allocator; /* the server's */
    uint64_t fork_generation;
    pthread_mutex_t lock;
    struct map services;  /* name -> struct service; none is ever removed */
    struct list watchers; /* struct watcher */
    bool is_shut_down;    /* everything is NOT_SERVING and stays so */
};

struct service {
    Pgrpc__Bundled__HealthCheckResponse__ServingStatus state;
    char name[];
};

/* A call of Watch, in that call's memory. */
struct watcher {
    struct list node; /* unlinked when there is nothing more to tell */
    struct pgrpc_health *health;
    struct pgrpc_call *call;
    const char *name; /* the request's, which lives as long as the call */
    Pgrpc__Bundled__HealthCheckResponse__ServingStatus told; /* UNKNOWN: nothing yet */
    bool is_finished;
};

/* --- states ------------------------------------------------------------------------------------
 */

static struct service *find(const struct pgrpc_health *health, const char *name)
{
    return pgrpc__map_find(&health->services, name, strlen(name));
}

static Pgrpc__Bundled__HealthCheckResponse__ServingStatus
state_of(const struct pgrpc_health *health, const char *name)
{
    const struct service *service = find(health, name);
    return service ? service->state : STATE(SERVICE_UNKNOWN);
}

/* The service of that name, made if need be; NULL when it cannot be. */
static struct service *provide(struct pgrpc_health *health, const char *name)
{
    struct service *service = find(health, name);
    if (service || health->services.count == SERVICES_MAX)
        return service;
    size_t len = strlen(name);
    service = pgrpc__raw_alloc(health->allocator, sizeof(*service) + len + 1);
    if (!service)
        return NULL;
    service->state = STATE(NOT_SERVING);
    memcpy(service->name, name, len + 1);
    if (pgrpc__map_add(&health->services, service->name, len, service)) {
        pgrpc__raw_free(health->allocator, service);
        return NULL;
    }
    return service;
}

/* --- watchers ----------------------------------------------------------------------------------
 */

static void tell(struct watcher *watcher)
{
    struct pgrpc_health *health = watcher->health;
    Pgrpc__Bundled__HealthCheckResponse__ServingStatus state = state_of(health, watcher->name);
    if (state != watcher->told) {
        Pgrpc__Bundled__HealthCheckResponse response = PGRPC__BUNDLED__HEALTH_CHECK_RESPONSE__INIT;
        response.status = state;
        /* AGAIN: on_writable comes back here.  CLOSED: on_done follows. */
        if (pgrpc_call_send(watcher->call, &response, 0) != PGRPC_IO_DONE)
            return;
        watcher->told = state;
    }
    /* This was the last news; a watch that went on would make every shutdown use up its grace. */
    if (health->is_shut_down && !watcher->is_finished) {
        watcher->is_finished = true;
        list_remove(&watcher->node);
        pgrpc_call_finish(watcher->call, PGRPC_UNAVAILABLE, "the server shuts down");
    }
}

/* Tells those who watch |name|; NULL: all. */
static void tell_all(struct pgrpc_health *health, const char *name)
{
    for (struct list *node = health->watchers.next; node != &health->watchers;) {
        struct watcher *watcher = CONTAINER_OF(node, struct watcher, node);
        node = node->next;
        if (!name || strcmp(name, watcher->name) == 0)
            tell(watcher);
    }
}

static void on_writable(struct pgrpc_call *call, void *userdata)
{
    struct watcher *watcher = userdata;
    (void)call;
    pthread_mutex_lock(&watcher->health->lock);
    if (list_is_linked(&watcher->node))
        tell(watcher);
    pthread_mutex_unlock(&watcher->health->lock);
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct watcher *watcher = userdata;
    pthread_mutex_lock(&watcher->health->lock);
    bool was_finished = watcher->is_finished;
    watcher->is_finished = true;
    list_remove(&watcher->node);
    pthread_mutex_unlock(&watcher->health->lock);
    if (!was_finished)
        pgrpc_call_finish(call, PGRPC_CANCELLED, "the watch has ended");
}

/* --- methods -----------------------------------------------------------------------------------
 */

static void check(struct pgrpc_call *call, const void *request, const void *handlers,
                  void *userdata)
{
    struct pgrpc_health *health = userdata;
    const Pgrpc__Bundled__HealthCheckRequest *own = request;
    Pgrpc__Bundled__HealthCheckResponse response = PGRPC__BUNDLED__HEALTH_CHECK_RESPONSE__INIT;
    (void)handlers;
    pthread_mutex_lock(&health->lock);
    Pgrpc__Bundled__HealthCheckResponse__ServingStatus state = state_of(health, own->service);
    pthread_mutex_unlock(&health->lock);
    if (state == STATE(SERVICE_UNKNOWN)) {
        pgrpc_call_finish(call, PGRPC_NOT_FOUND, "unknown service");
        return;
    }
    response.status = state;
    pgrpc_call_reply(call, &response);
}

/* One line of a list: a map on the wire is an array of such. */
struct line {
    Pgrpc__Bundled__HealthListResponse__StatusesEntry entry;
    Pgrpc__Bundled__HealthCheckResponse response;
};

/* Fills |list| with memory of |call|; false when there is none.  Names live as long as the server.
 */
static bool fill(const struct pgrpc_health *health, struct pgrpc_call *call,
                 Pgrpc__Bundled__HealthListResponse *list)
{
    size_t count = health->services.count, position = 0;
    struct line *lines = pgrpc_call_alloc(call, count * sizeof(*lines));
    list->statuses = pgrpc_call_alloc(call, count * sizeof(*list->statuses));
    if (!lines || !list->statuses)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct service *service = pgrpc__map_next(&health->services, &position)->value;
        lines[i] = (struct line){
            PGRPC__BUNDLED__HEALTH_LIST_RESPONSE__STATUSES_ENTRY__INIT,
            PGRPC__BUNDLED__HEALTH_CHECK_RESPONSE__INIT,
        };
        lines[i].entry.key = service->name;
        lines[i].entry.value = &lines[i].response;
        lines[i].response.status = service->state;
        list->statuses[i] = &lines[i].entry;
    }
    list->n_statuses = count;
    return true;
}

static void list_all(struct pgrpc_call *call, const void *request, const void *handlers,
                     void *userdata)
{
    struct pgrpc_health *health = userdata;
    Pgrpc__Bundled__HealthListResponse list = PGRPC__BUNDLED__HEALTH_LIST_RESPONSE__INIT;
    (void)request;
    (void)handlers;
    pthread_mutex_lock(&health->lock);
    bool is_short = health->services.count <= LIST_MAX;
    bool is_filled = is_short && fill(health, call, &list);
    pthread_mutex_unlock(&health->lock);
    if (is_filled)
        pgrpc_call_reply(call, &list);
    else if (is_short)
        pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    else
        pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "there are more than %d services",
                          LIST_MAX);
}

static void watch(struct pgrpc_call *call, const void *request, const void *handlers,
                  void *userdata)
{
    static const struct pgrpc_call_events events = {
        .size = sizeof(events), .on_writable = on_writable, .on_done = on_done};
    struct pgrpc_health *health = userdata;
    const Pgrpc__Bundled__HealthCheckRequest *own = request;
    (void)handlers;
    struct watcher *watcher = pgrpc_call_alloc(call, sizeof(*watcher));
    if (!watcher) {
        pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    *watcher = (struct watcher){
        .health = health, .call = call, .name = own->service, .told = STATE(UNKNOWN)};
    pgrpc_call_set_events(call, &events, watcher);
    pthread_mutex_lock(&health->lock);
    list_add_tail(&health->watchers, &watcher->node);
    tell(watcher);
    pthread_mutex_unlock(&health->lock);
}

/* In the order of the .proto. */
static const struct pgrpc_method methods[] = {
    {
        .path = "/grpc.health.v1.Health/Check",
        .request_type = &pgrpc__bundled__health_check_request__descriptor,
        .reply_type = &pgrpc__bundled__health_check_response__descriptor,
    },
    {
        .path = "/grpc.health.v1.Health/List",
        .request_type = &pgrpc__bundled__health_list_request__descriptor,
        .reply_type = &pgrpc__bundled__health_list_response__descriptor,
    },
    {
        .path = "/grpc.health.v1.Health/Watch",
        .flags = PGRPC_METHOD_SERVER_STREAMING,
        .request_type = &pgrpc__bundled__health_check_request__descriptor,
        .reply_type = &pgrpc__bundled__health_check_response__descriptor,
    },
};
static const struct pgrpc_binding bindings[] = {
    {check, PGRPC_RUN_INLINE},
    {list_all, PGRPC_RUN_INLINE},
    {watch, PGRPC_RUN_INLINE},
};
static const struct pgrpc_service health_service = {
    .version = PGRPC_CODEGEN_VERSION,
    .method_size = sizeof(struct pgrpc_method),
    .name = "grpc.health.v1.Health",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .files = &pgrpc__health_file,
    .file_count = 1,
};

/* --- life --------------------------------------------------------------------------------------
 */

static void on_shutdown(void *userdata)
{
    struct pgrpc_health *health = userdata;
    const struct map_entry *entry;
    size_t position = 0;
    pthread_mutex_lock(&health->lock);
    health->is_shut_down = true;
    while ((entry = pgrpc__map_next(&health->services, &position)) != NULL)
        ((struct service *)entry->value)->state = STATE(NOT_SERVING);
    tell_all(health, NULL);
    pthread_mutex_unlock(&health->lock);
}

static void free_health(void *userdata)
{
    struct pgrpc_health *health = userdata;
    const struct map_entry *entry;
    size_t position = 0;
    while ((entry = pgrpc__map_next(&health->services, &position)) != NULL)
        pgrpc__raw_free(health->allocator, entry->value);
    pgrpc__map_clear(&health->services);
    pthread_mutex_destroy(&health->lock);
    pgrpc__raw_free(health->allocator, health);
}

static struct pgrpc_health *new_health(const struct pgrpc_allocator *allocator)
{
    struct pgrpc_health *health = pgrpc__raw_zalloc(allocator, sizeof(*health));
    if (!health)
        return NULL;
    if (pthread_mutex_init(&health->lock, NULL)) {
        pgrpc__raw_free(allocator, health);
        return NULL;
    }
    health->allocator = allocator;
    health->fork_generation = pgrpc__fork_generation();
    pgrpc__map_init(&health->services, allocator);
    list_init(&health->watchers);
    struct service *whole_server = provide(health, "");
    if (!whole_server) {
        free_health(health);
        return NULL;
    }
    whole_server->state = STATE(SERVING);
    return health;
}

enum pgrpc_code pgrpc_health_register(struct pgrpc_server *server, struct pgrpc_health **health)
{
    if (atomic_load(&server->is_started))
        return pgrpc__server_fail(server, PGRPC_FAILED_PRECONDITION,
                                  "register the health service before the server starts");
    struct pgrpc_health *made = new_health(&server->allocator);
    if (!made)
        return pgrpc__server_fail(server, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    struct server_hook hook = {
        .on_shutdown = on_shutdown, .on_free = free_health, .userdata = made};
    enum pgrpc_code code = pgrpc__server_add_hook(server, &hook);
    if (code) {
        free_health(made);
        return code;
    }
    /* From here on the server owns it, also when it is not used. */
    code = pgrpc_server_register(server, &health_service, bindings, NULL, made);
    if (code == PGRPC_OK)
        *health = made;
    return code;
}

enum pgrpc_code pgrpc_health_set(struct pgrpc_health *health, const char *service,
                                 enum pgrpc_serving state)
{
    if (!health || !service || (state != PGRPC_SERVING && state != PGRPC_NOT_SERVING) ||
        pgrpc__utf8_valid_len(service, strlen(service)) < strlen(service))
        return PGRPC_INVALID_ARGUMENT;
    if (pgrpc__is_forked(health->fork_generation))
        return PGRPC_FAILED_PRECONDITION;
    enum pgrpc_code code = PGRPC_OK;
    pthread_mutex_lock(&health->lock);
    if (!health->is_shut_down) {
        struct service *known = provide(health, service);
        if (known) {
            known->state = (Pgrpc__Bundled__HealthCheckResponse__ServingStatus)state;
            tell_all(health, service);
        } else {
            code = PGRPC_RESOURCE_EXHAUSTED;
        }
    }
    pthread_mutex_unlock(&health->lock);
    return code;
}
