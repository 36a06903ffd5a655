#include "script.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What became of one call, for Observe. Kept until the server ends. */
struct record {
    struct record *next;
    char *call_id;
    Observation observation;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct record *records;

static struct record *find_record(const char *call_id)
{
    struct record *record = records;

    while (record != NULL && strcmp(record->call_id, call_id) != 0)
        record = record->next;
    return record;
}

static struct record *add_record(const char *call_id, int64_t deadline_ms)
{
    struct record *record = must_alloc(sizeof *record);

    record->call_id = must_copy(call_id);
    picogrpc__peertest__observation__init(&record->observation);
    record->observation.started = true;
    record->observation.deadline_ms = deadline_ms;
    pthread_mutex_lock(&mutex);
    record->next = records;
    records = record;
    pthread_mutex_unlock(&mutex);
    return record;
}

void script_free_records(void)
{
    while (records != NULL) {
        struct record *record = records;

        records = record->next;
        free(record->call_id);
        free(record);
    }
}

void script_observe(const char *call_id, Observation *observation)
{
    struct record *record;

    pthread_mutex_lock(&mutex);
    record = find_record(call_id);
    if (record != NULL)
        *observation = record->observation;
    pthread_mutex_unlock(&mutex);
}

void script_begin(struct script *script, struct pgrpc_call *call)
{
    const struct pgrpc_metadata *headers = pgrpc_call_headers(call);
    int64_t left = pgrpc_call_remaining_ms(call);

    *script = (struct script){.call = pgrpc_call_ref(call), .text = must_copy("")};
    script->deadline_ms = left == INT64_MAX ? -1 : left < 0 ? 0 : left;
    for (size_t i = 0; i < pgrpc_metadata_count(headers); i++) {
        struct pgrpc_metadatum echo = pgrpc_metadata_at(headers, i);
        char key[256];

        if (strncmp(echo.key, ECHO_PREFIX, strlen(ECHO_PREFIX)) != 0)
            continue;
        if (pgrpc_call_add_header(call, &echo) != PGRPC_OK && !pgrpc_call_is_cancelled(call))
            die("header %s: %s", echo.key, pgrpc_call_error(call));
        snprintf(key, sizeof key, TRAILER_PREFIX "%s", echo.key + strlen(ECHO_PREFIX));
        echo.key = key;
        if (pgrpc_call_add_trailer(call, &echo) != PGRPC_OK && !pgrpc_call_is_cancelled(call))
            die("trailer %s: %s", key, pgrpc_call_error(call));
    }
}

void script_end(struct script *script)
{
    if (script->record != NULL) {
        pthread_mutex_lock(&mutex);
        script->record->observation.ended = true;
        script->record->observation.cancelled = pgrpc_call_is_cancelled(script->call);
        pthread_mutex_unlock(&mutex);
    }
    pgrpc_call_unref(script->call);
    free(script->text);
}

void script_receive(struct script *script, const Request *request, unsigned flags)
{
    size_t old_len = strlen(script->text);
    char *text = must_alloc(old_len + strlen(request->text) + 1);

    memcpy(text, script->text, old_len);
    strcpy(text + old_len, request->text);
    free(script->text);
    script->text = text;
    script->count++;
    if (flags & PGRPC_MESSAGE_COMPRESSED)
        script->compressed++;
    script->bytes += (uint32_t)request->payload.len;
    script->sum += sum(request->payload.data, request->payload.len);
    if (script->started)
        return;
    script->started = true;
    if (request->call_id[0] != '\0')
        script->record = add_record(request->call_id, script->deadline_ms);
    script->compress = request->compress_replies;
    if (script->compress && pgrpc_call_set_compression(script->call, "gzip") != PGRPC_OK &&
        !pgrpc_call_is_cancelled(script->call))
        die("gzip: %s", pgrpc_call_error(script->call));
}

unsigned script_fill_reply(struct script *script, uint32_t reply_bytes, char *text, Reply *reply)
{
    picogrpc__peertest__reply__init(reply);
    reply->text = text;
    reply->payload.data = (uint8_t *)pattern();
    reply->payload.len = reply_bytes < PATTERN_MAX ? reply_bytes : PATTERN_MAX;
    reply->index = script->index;
    reply->received_count = script->count;
    reply->received_bytes = script->bytes;
    reply->received_sum = script->sum;
    reply->deadline_ms = script->deadline_ms;
    reply->sees_compression = true;
    reply->received_compressed = script->compressed;
    reply->sent_compressed = script->compress && script->index % 2 == 0;
    return reply->sent_compressed ? 0 : PGRPC_MESSAGE_NO_COMPRESS;
}

void script_fail(struct script *script, const Failure *failure)
{
    uint8_t detail_bytes[256], status_bytes[1024];
    Detail detail = PICOGRPC__PEERTEST__DETAIL__INIT;
    RpcStatusDetail any = PICOGRPC__PEERTEST__RPC_STATUS_DETAIL__INIT;
    RpcStatus rpc_status = PICOGRPC__PEERTEST__RPC_STATUS__INIT;
    RpcStatusDetail *details[] = {&any};
    struct pgrpc_status status = {.code = (enum pgrpc_code)failure->code,
                                  .message = failure->message};

    if (failure->detail[0] != '\0') {
        detail.text = failure->detail;
        any.type_url = (char *)DETAIL_TYPE;
        rpc_status.code = (int32_t)failure->code;
        rpc_status.message = failure->message;
        rpc_status.details = details;
        rpc_status.n_details = 1;
        any.value.len = protobuf_c_message_get_packed_size(&detail.base);
        if (any.value.len > sizeof detail_bytes)
            die("detail is too long");
        any.value.data = detail_bytes;
        protobuf_c_message_pack(&detail.base, detail_bytes);
        status.details_len = protobuf_c_message_get_packed_size(&rpc_status.base);
        if (status.details_len > sizeof status_bytes)
            die("status is too long");
        protobuf_c_message_pack(&rpc_status.base, status_bytes);
        status.details = status_bytes;
    }
    pgrpc_call_finish_status(script->call, &status);
}
