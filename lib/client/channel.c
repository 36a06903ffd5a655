#include "client/channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/credentials.h"
#include "io/socket.h"
#include "rpc/call.h"
#include "wire/timeout.h"

enum {
    DEFAULT_RECEIVE_BYTES = 4 * 1024 * 1024,
    DEFAULT_METADATA_BYTES = 16 * 1024,
    DEFAULT_WINDOW_BYTES = 64 * 1024,
    DEFAULT_HIGH_WATER_BYTES = 64 * 1024,
    DEFAULT_CONNECT_MS = 20 * 1000,
    DEFAULT_BACKOFF_MS = 1000,
    DEFAULT_BACKOFF_MAX_MS = 120 * 1000,
    DEFAULT_KEEPALIVE_TIMEOUT_MS = 20 * 1000,
    KEEPALIVE_MIN_MS = 10 * 1000
};

static enum pgrpc_code refuse(struct pgrpc_error *error, enum pgrpc_code code, const char *text)
{
    if (error)
        snprintf(error->text, sizeof(error->text), "%s", text);
    return code;
}

/* --- connecting ---------------------------------------------------------------------------------
 */

static int secure(struct pgrpc_channel *channel, struct bytestream *plain,
                  struct bytestream **stream, char error[SUBCHANNEL_ERROR_MAX])
{
    int result = pgrpc__credentials_wrap(channel->credentials, channel->loop, plain,
                                         channel->server_name, false, stream);
    if (result)
        snprintf(error, SUBCHANNEL_ERROR_MAX, "preparing TLS: %s", strerror(-result));
    return result;
}

static int connect_stream(void *userdata, const void *address, struct bytestream **stream,
                          char error[SUBCHANNEL_ERROR_MAX])
{
    struct pgrpc_channel *channel = userdata;
    struct bytestream *plain = NULL;
    int result;
    if (channel->source.connect) {
        result = channel->source.connect(channel->source.userdata, channel->loop, &plain, error);
    } else {
        result = pgrpc__socket_connect(channel->loop, address, &plain);
        if (result)
            snprintf(error, SUBCHANNEL_ERROR_MAX, "connecting: %s", strerror(-result));
    }
    return result ? result : secure(channel, plain, stream, error);
}

/* --- life ---------------------------------------------------------------------------------------
 */

/* Frees a channel that nobody uses, whatever of it was made. Lock held. */
static void destroy(struct pgrpc_channel *channel)
{
    pgrpc__loop_task_cancel(&channel->update_task);
    if (channel->balancer)
        channel->balancer->ops->free(channel->balancer);
    pgrpc__resolver_clear(&channel->resolver);
    pgrpc__compressor_clear(&channel->host.compressor);
    if (channel->source.free)
        channel->source.free(channel->source.userdata);
    pgrpc_credentials_unref((struct pgrpc_credentials *)(uintptr_t)channel->credentials);
    pgrpc__arena_clear(&channel->arena);
    pgrpc__loop_unhold(channel->loop);
    struct pgrpc_allocator allocator = channel->allocator;
    pgrpc__raw_free(&allocator, channel);
}

static void on_empty(struct rpc_host *host)
{
    struct pgrpc_channel *channel = CONTAINER_OF(host, struct pgrpc_channel, host);
    if (channel->is_shut_down)
        destroy(channel);
}

static void shut_down(struct pgrpc_channel *channel)
{
    channel->is_shut_down = true;
    pgrpc__loop_task_cancel(&channel->update_task);
    for (struct list *node = channel->host.calls.next; node != &channel->host.calls;) {
        struct pgrpc_call *call = CONTAINER_OF(node, struct pgrpc_call, node);
        node = node->next;
        pgrpc__call_cancel(call, "the channel was freed while the call was in progress");
    }
    if (channel->balancer)
        channel->balancer->ops->free(channel->balancer);
    channel->balancer = NULL;
    /* Calls may keep the channel for long: no answer finds it without its balancer. */
    pgrpc__resolver_clear(&channel->resolver);
    if (channel->host.call_count == 0)
        destroy(channel);
}

struct pgrpc_channel *pgrpc_channel_ref(struct pgrpc_channel *channel)
{
    atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
    return channel;
}

void pgrpc_channel_unref(struct pgrpc_channel *channel)
{
    if (!channel || atomic_fetch_sub_explicit(&channel->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct pgrpc_loop *loop = channel->loop;
    if (pgrpc__loop_take_lock(loop))
        return;
    bool is_private = loop->is_private;
    shut_down(channel);
    /* Nobody turns a private loop for calls that nobody waits for. */
    if (is_private && !loop->turning)
        pgrpc__loop_turn(loop, 0);
    pgrpc__loop_leave_lock(loop);
}

struct pgrpc_loop *pgrpc_channel_loop(struct pgrpc_channel *channel)
{
    return channel->loop;
}

enum pgrpc_channel_state pgrpc_channel_state(struct pgrpc_channel *channel)
{
    if (pgrpc__loop_take_lock(channel->loop))
        return PGRPC_CHANNEL_SHUTDOWN;
    enum pgrpc_channel_state state = PGRPC_CHANNEL_SHUTDOWN;
    if (!channel->is_shut_down)
        state = channel->resolver.count || !pgrpc__resolver_has_failed(&channel->resolver)
                    ? channel->balancer->ops->state(channel->balancer)
                    : PGRPC_CHANNEL_TRANSIENT_FAILURE;
    pgrpc__loop_leave_lock(channel->loop);
    return state;
}

/* --- making -------------------------------------------------------------------------------------
 */

/* No sum of times overflows. */
static int64_t or_default_ms(int64_t value, int64_t otherwise)
{
    if (!value)
        return otherwise;
    return value < TIMEOUT_MS_MAX ? value : TIMEOUT_MS_MAX;
}

static void set_limits(struct pgrpc_channel *channel, const struct pgrpc_channel_options *options)
{
    struct subchannel_config *config = &channel->subchannel;
    channel->host.max_receive_bytes =
        options->max_receive_bytes ? options->max_receive_bytes : DEFAULT_RECEIVE_BYTES;
    channel->host.max_send_bytes = options->max_send_bytes ? options->max_send_bytes : INT32_MAX;
    channel->host.send_high_water_bytes =
        options->send_high_water_bytes ? options->send_high_water_bytes : DEFAULT_HIGH_WATER_BYTES;
    config->loop = channel->loop;
    config->connect_timeout_ms = or_default_ms(options->connect_timeout_ms, DEFAULT_CONNECT_MS);
    config->backoff_initial_ms = or_default_ms(options->backoff_initial_ms, DEFAULT_BACKOFF_MS);
    config->backoff_max_ms = or_default_ms(options->backoff_max_ms, DEFAULT_BACKOFF_MAX_MS);
    config->connect = connect_stream;
    config->connect_userdata = channel;
    config->on_change = pgrpc__channel_on_change;
    config->owner = channel;
    config->h2 = (struct h2_connection_config){
        .is_server = false,
        .stream_window =
            options->stream_window_bytes ? options->stream_window_bytes : DEFAULT_WINDOW_BYTES,
        .max_header_bytes =
            options->max_metadata_bytes ? options->max_metadata_bytes : DEFAULT_METADATA_BYTES,
        .keepalive_ms = options->keepalive_ms && options->keepalive_ms < KEEPALIVE_MIN_MS
                            ? KEEPALIVE_MIN_MS
                            : or_default_ms(options->keepalive_ms, 0),
        .keepalive_timeout_ms =
            or_default_ms(options->keepalive_timeout_ms, DEFAULT_KEEPALIVE_TIMEOUT_MS),
        .keepalive_without_calls = options->keepalive_without_calls,
    };
}

/* Texts, interceptors and the target, in the channel's arena. */
static enum pgrpc_code copy_options(struct pgrpc_channel *channel, const char *target,
                                    const struct pgrpc_channel_options *options,
                                    struct pgrpc_error *error)
{
    struct arena *arena = &channel->arena;
    enum pgrpc_code code = pgrpc__target_parse(target, arena, &channel->target, error);
    if (code)
        return code;
    channel->host.authority = channel->target.authority;
    channel->server_name = channel->target.host;
    if (options->authority)
        channel->host.authority =
            pgrpc__arena_strndup(arena, options->authority, strlen(options->authority));
    channel->host.user_agent = pgrpc__arena_printf(arena, "%s%sgrpc-c-picogrpc/" PGRPC_VERSION,
                                                   options->user_agent ? options->user_agent : "",
                                                   options->user_agent ? " " : "");
    channel->host.scheme = pgrpc__credentials_is_secure(channel->credentials) ? "https" : "http";
    channel->host.interceptors = pgrpc__arena_memdup(
        arena, options->interceptors, options->interceptor_count * sizeof(*options->interceptors));
    channel->host.interceptor_count = options->interceptor_count;
    if (!channel->host.authority || !channel->host.user_agent ||
        (options->interceptor_count && !channel->host.interceptors))
        return refuse(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    for (const char *text = channel->host.authority; *text; text++)
        if (*text <= 0x20 || *text > 0x7e)
            return refuse(error, PGRPC_INVALID_ARGUMENT,
                          "options.authority must be printable ASCII");
    for (const char *text = channel->host.user_agent; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            return refuse(error, PGRPC_INVALID_ARGUMENT,
                          "options.user_agent must be printable ASCII");
    if (options->authority && pgrpc__credentials_is_secure(channel->credentials))
        return pgrpc__authority_host(channel->host.authority, arena, &channel->server_name, error);
    return PGRPC_OK;
}

/* The given loop, or a private one; held for the channel. */
static struct pgrpc_loop *get_loop(const struct pgrpc_channel_options *options)
{
    struct pgrpc_loop *loop = options->loop;
    if (!loop) {
        struct pgrpc_loop_options loop_options = {.size = sizeof(loop_options),
                                                  .allocator = options->allocator};
        loop = pgrpc_loop_new(&loop_options);
    }
    if (!loop || pgrpc__loop_take_lock(loop))
        return NULL;
    pgrpc__loop_hold(loop);
    if (!options->loop) {
        /* It goes with the last object on it. */
        loop->is_private = true;
        loop->is_retired = true;
    }
    pgrpc__loop_leave_lock(loop);
    return loop;
}

static struct pgrpc_channel *make(struct pgrpc_loop *loop,
                                  const struct pgrpc_credentials *credentials,
                                  const struct channel_source *source)
{
    struct pgrpc_channel *channel = pgrpc__raw_zalloc(&loop->mem.allocator, sizeof(*channel));
    if (!channel)
        return NULL;
    channel->allocator = loop->mem.allocator;
    channel->loop = loop;
    channel->credentials =
        pgrpc_credentials_ref((struct pgrpc_credentials *)(uintptr_t)credentials);
    channel->picker.ops = &pgrpc__channel_picker_ops;
    channel->update_task.run = pgrpc__channel_run_update;
    channel->host.loop = loop;
    channel->host.picker = &channel->picker;
    channel->host.on_empty = on_empty;
    atomic_init(&channel->refs, 1);
    if (source)
        channel->source = *source;
    list_init(&channel->waiting);
    list_init(&channel->host.calls);
    pgrpc__arena_init(&channel->arena, &channel->allocator, NULL, 0);
    pgrpc__compressor_init(&channel->host.compressor, &channel->allocator);
    return channel;
}

static enum pgrpc_code build(struct pgrpc_channel *channel, const char *target,
                             const struct pgrpc_channel_options *options, struct pgrpc_error *error)
{
    set_limits(channel, options);
    if (pgrpc__resolver_init(&channel->resolver, channel->loop, &channel->target,
                             channel->subchannel.backoff_initial_ms,
                             channel->subchannel.backoff_max_ms, pgrpc__channel_on_addresses,
                             channel))
        return refuse(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    channel->resolver.is_fixed = channel->source.connect != NULL;
    enum pgrpc_code code = copy_options(channel, target, options, error);
    if (code)
        return code;
    channel->balancer = pgrpc__pick_first_new(&channel->subchannel);
    if (!channel->balancer)
        return refuse(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    return PGRPC_OK;
}

enum pgrpc_code pgrpc__channel_new(const char *target, const struct pgrpc_credentials *credentials,
                                   const struct pgrpc_channel_options *options,
                                   const struct channel_source *source,
                                   struct pgrpc_channel **channel, struct pgrpc_error *error)
{
    struct pgrpc_channel_options given = {.size = sizeof(given)};
    struct pgrpc_channel *made = NULL;
    struct pgrpc_loop *loop = NULL;
    enum pgrpc_code code = PGRPC_OK;
    if (options)
        memcpy(&given, options,
               options->size && options->size < sizeof(given) ? options->size : sizeof(given));
    if (!credentials) {
        code = refuse(error, PGRPC_INVALID_ARGUMENT,
                      "credentials are missing: plaintext is pgrpc_credentials_insecure()");
    } else {
        loop = get_loop(&given);
        if (!loop)
            code = given.loop ? refuse(error, PGRPC_FAILED_PRECONDITION,
                                       "options.loop belongs to the parent of a fork()")
                              : refuse(error, PGRPC_RESOURCE_EXHAUSTED,
                                       "no memory or file descriptors for a loop");
    }
    if (loop) {
        pgrpc__loop_take_lock(loop);
        made = make(loop, credentials, source);
        code = made ? build(made, target, &given, error)
                    : refuse(error, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
        if (code && made)
            destroy(made);
        else if (code)
            pgrpc__loop_unhold(loop);
        pgrpc__loop_leave_lock(loop);
    }
    if (!made && source && source->free)
        source->free(source->userdata);
    if (code == PGRPC_OK)
        *channel = made;
    return code;
}

enum pgrpc_code pgrpc_channel_new(const char *target, const struct pgrpc_credentials *credentials,
                                  const struct pgrpc_channel_options *options,
                                  struct pgrpc_channel **channel, struct pgrpc_error *error)
{
    return pgrpc__channel_new(target, credentials, options, NULL, channel, error);
}

/* --- calls --------------------------------------------------------------------------------------
 */

struct pgrpc_call *pgrpc_call_start(struct pgrpc_channel *channel,
                                    const struct pgrpc_method *method, const void *request,
                                    const struct pgrpc_call_options *options,
                                    const struct pgrpc_call_events *events, void *userdata)
{
    return pgrpc__call_begin(&channel->host, method, request, options, events, userdata, false);
}
