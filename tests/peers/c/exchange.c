#include "exchange.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct pgrpc_call_options exchange_options(const struct exchange *x)
{
    return (struct pgrpc_call_options){.size = sizeof(struct pgrpc_call_options),
                                       .timeout_ms = x->timeout_ms,
                                       .metadata = x->metadata,
                                       .metadata_count = x->metadata_count,
                                       .compression = x->gzip ? "gzip" : NULL};
}

unsigned exchange_flags(struct exchange *x, size_t index)
{
    if (index % 2 == 1)
        return PGRPC_MESSAGE_NO_COMPRESS;
    if (x->gzip)
        x->sent_compressed++;
    return 0;
}

void exchange_add_reply(struct exchange *x, const Reply *reply, unsigned flags)
{
    size_t len = protobuf_c_message_get_packed_size(&reply->base);
    uint8_t *bytes = must_alloc(len + 1);

    if (x->reply_count == EXCHANGE_MAX)
        die("too many replies");
    protobuf_c_message_pack(&reply->base, bytes);
    x->replies[x->reply_count] = picogrpc__peertest__reply__unpack(NULL, len, bytes);
    x->compressed[x->reply_count] = flags & PGRPC_MESSAGE_COMPRESSED;
    x->reply_count++;
    free(bytes);
}

static void copy_pairs(struct pairs *pairs, const struct pgrpc_metadata *metadata)
{
    pairs->count = pgrpc_metadata_count(metadata);
    pairs->items = must_alloc((pairs->count + 1) * sizeof *pairs->items);
    for (size_t i = 0; i < pairs->count; i++) {
        struct pgrpc_metadatum from = pgrpc_metadata_at(metadata, i);

        pairs->items[i].key = must_copy(from.key);
        pairs->items[i].len = from.len;
        pairs->items[i].value = must_alloc(from.len + 1);
        memcpy(pairs->items[i].value, from.value, from.len);
    }
}

static void clear_pairs(struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->items[i].key);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

void exchange_set_end(struct exchange *x, const struct pgrpc_status *status,
                      const struct pgrpc_metadata *headers, const struct pgrpc_metadata *trailers)
{
    x->code = (int)status->code;
    x->message = must_copy(status->message);
    if (status->details != NULL) {
        x->details_len = status->details_len;
        x->details = must_alloc(status->details_len + 1);
        memcpy(x->details, status->details, status->details_len);
    }
    copy_pairs(&x->headers, headers);
    copy_pairs(&x->trailers, trailers);
}

void exchange_clear(struct exchange *x)
{
    for (size_t i = 0; i < x->reply_count; i++)
        picogrpc__peertest__reply__free_unpacked(x->replies[i], NULL);
    free(x->message);
    free(x->details);
    clear_pairs(&x->headers);
    clear_pairs(&x->trailers);
}

bool is_started(const Observation *observation)
{
    return observation->started;
}

bool observe(struct client *client, const char *call_id,
             bool (*wanted)(const Observation *observation), Observation *last)
{
    struct pgrpc_call_options options = {.size = sizeof options, .timeout_ms = 5000};
    Picogrpc__Peertest__ObserveRequest request = PICOGRPC__PEERTEST__OBSERVE_REQUEST__INIT;
    struct pgrpc_result result = {0};
    bool seen = false;

    request.call_id = (char *)call_id;
    for (int tries = 0; tries < 100 && !seen; tries++) {
        const Observation *observation =
            Picogrpc__Peertest__PeerTest__observe(client->channel, &request, &options, &result);

        if (observation == NULL)
            break;
        seen = wanted(observation);
        if (last != NULL)
            *last = *observation;
        if (!seen)
            sleep_ms(50);
    }
    pgrpc_result_clear(&result);
    return seen;
}

struct canceller {
    struct client *client;
    struct pgrpc_call *call;
    const char *call_id;
    pthread_t thread;
};

static void *cancel_when_started(void *argument)
{
    struct canceller *canceller = argument;

    observe(canceller->client, canceller->call_id, is_started, NULL);
    pgrpc_call_cancel(canceller->call);
    pgrpc_call_unref(canceller->call);
    return NULL;
}

struct canceller *canceller_start(struct client *client, struct pgrpc_call *call,
                                  const char *call_id)
{
    struct canceller *canceller = must_alloc(sizeof *canceller);

    *canceller =
        (struct canceller){.client = client, .call = pgrpc_call_ref(call), .call_id = call_id};
    if (pthread_create(&canceller->thread, NULL, cancel_when_started, canceller) != 0)
        die("no thread");
    return canceller;
}

void canceller_join(struct canceller *canceller)
{
    if (canceller == NULL)
        return;
    pthread_join(canceller->thread, NULL);
    free(canceller);
}
