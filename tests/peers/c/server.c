/*
 * The server on picogrpc: does what each request's script says (../peertest.proto).
 *
 * The scripted methods run on workers, where everything waits; Observe runs inline.
 */
#include "common.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
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

/* The state of one RPC. */
struct script {
    struct pgrpc_call *call;
    int64_t deadline_ms;
    struct record *record; /* NULL while no message came, or none with an id */
    bool started;
    bool compress;
    bool sees_compression;
    uint32_t count, bytes, sum, compressed, index;
    char *text; /* of all messages, owned */
};

/* --- records ---------------------------------------------------------------------------------- */

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

static void free_records(void)
{
    while (records != NULL) {
        struct record *record = records;

        records = record->next;
        free(record->call_id);
        free(record);
    }
}

/* --- steps of a script ------------------------------------------------------------------------ */

static void begin(struct script *script, struct pgrpc_call *call)
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
        if (pgrpc_call_add_header(call, &echo) != PGRPC_OK)
            die("header %s: %s", echo.key, pgrpc_call_error(call));
        snprintf(key, sizeof key, TRAILER_PREFIX "%s", echo.key + strlen(ECHO_PREFIX));
        echo.key = key;
        if (pgrpc_call_add_trailer(call, &echo) != PGRPC_OK)
            die("trailer %s: %s", key, pgrpc_call_error(call));
    }
}

static void end(struct script *script)
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

static void receive(struct script *script, const Request *request)
{
    size_t old_len = strlen(script->text);
    char *text = must_alloc(old_len + strlen(request->text) + 1);

    memcpy(text, script->text, old_len);
    strcpy(text + old_len, request->text);
    free(script->text);
    script->text = text;
    script->count++;
    script->bytes += (uint32_t)request->payload.len;
    script->sum += sum(request->payload.data, request->payload.len);
    if (script->started)
        return;
    script->started = true;
    if (request->call_id[0] != '\0')
        script->record = add_record(request->call_id, script->deadline_ms);
    script->compress = request->compress_replies;
    if (script->compress && pgrpc_call_set_compression(script->call, "gzip") != PGRPC_OK)
        die("gzip: %s", pgrpc_call_error(script->call));
}

/* Waits for the next message of a client stream. */
static enum pgrpc_io receive_next(struct script *script, const Request **request)
{
    const void *message;
    unsigned flags = 0;
    enum pgrpc_io io = pgrpc_call_recv(script->call, &message, &flags);

    if (io != PGRPC_IO_DONE)
        return io;
    *request = message;
    script->sees_compression = true;
    if (flags & PGRPC_MESSAGE_COMPRESSED)
        script->compressed++;
    receive(script, *request);
    return PGRPC_IO_DONE;
}

/* Until the time is up or the call is over. */
static void wait_ms(struct script *script, uint32_t ms)
{
    int64_t until = clock_ms() + ms;

    while (clock_ms() < until && !pgrpc_call_is_cancelled(script->call))
        sleep_ms(5);
}

/* Fills the next reply; it may point into |request| and |text|. */
static void make_reply(struct script *script, const Request *request, char *text, Reply *reply)
{
    wait_ms(script, request->delay_ms);
    picogrpc__peertest__reply__init(reply);
    reply->text = text;
    reply->payload.data = (uint8_t *)pattern();
    reply->payload.len = request->reply_bytes < PATTERN_MAX ? request->reply_bytes : PATTERN_MAX;
    reply->index = script->index;
    reply->received_count = script->count;
    reply->received_bytes = script->bytes;
    reply->received_sum = script->sum;
    reply->deadline_ms = script->deadline_ms;
    reply->sees_compression = script->sees_compression;
    reply->received_compressed = script->compressed;
    reply->sent_compressed = script->compress && script->index % 2 == 0;
    script->index++;
}

static bool send_replies(struct script *script, const Request *request)
{
    for (uint32_t i = 0; i < request->reply_count; i++) {
        Reply reply;

        make_reply(script, request, request->text, &reply);
        if (pgrpc_call_send(script->call, &reply,
                            reply.sent_compressed ? 0 : PGRPC_MESSAGE_NO_COMPRESS) != PGRPC_IO_DONE)
            return false;
    }
    return true;
}

static void fail(struct pgrpc_call *call, const Failure *failure)
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
    pgrpc_call_finish_status(call, &status);
}

/* The last steps: hold, fail. True when the call was ended. */
static bool finish(struct script *script, const Request *request)
{
    if (request->hold)
        wait_ms(script, 10000);
    if (request->failure == NULL)
        return false;
    fail(script->call, request->failure);
    return true;
}

/* --- handlers --------------------------------------------------------------------------------- */

static void unary(struct pgrpc_call *call, const Request *request, void *userdata)
{
    struct script script;
    Reply reply;

    (void)userdata;
    begin(&script, call);
    receive(&script, request);
    make_reply(&script, request, request->text, &reply);
    if (!finish(&script, request))
        Picogrpc__Peertest__PeerTest__unary__reply(call, &reply);
    end(&script);
}

static void server_stream(struct pgrpc_call *call, const Request *request, void *userdata)
{
    struct script script;

    (void)userdata;
    begin(&script, call);
    receive(&script, request);
    if (!send_replies(&script, request) || !finish(&script, request))
        pgrpc_call_finish(call, PGRPC_OK, NULL);
    end(&script);
}

static void client_stream(struct pgrpc_call *call, void *userdata)
{
    struct script script;
    const Request *request;
    Request last = PICOGRPC__PEERTEST__REQUEST__INIT;
    Reply reply;
    enum pgrpc_io io;
    bool finished = false;

    (void)userdata;
    begin(&script, call);
    while (!finished && (io = receive_next(&script, &request)) == PGRPC_IO_DONE) {
        finished = finish(&script, request);
        last.reply_bytes = request->reply_bytes;
        last.delay_ms = request->delay_ms;
    }
    if (!finished && io == PGRPC_IO_END) {
        make_reply(&script, &last, script.text, &reply);
        Picogrpc__Peertest__PeerTest__client_stream__reply(call, &reply);
    } else if (!finished) {
        pgrpc_call_finish(call, PGRPC_CANCELLED, NULL);
    }
    end(&script);
}

static void bidi(struct pgrpc_call *call, void *userdata)
{
    struct script script;
    const Request *request;
    bool finished = false;

    (void)userdata;
    begin(&script, call);
    while (!finished && receive_next(&script, &request) == PGRPC_IO_DONE) {
        if (!send_replies(&script, request))
            break;
        finished = finish(&script, request);
    }
    if (!finished)
        pgrpc_call_finish(call, PGRPC_OK, NULL);
    end(&script);
}

static void observe(struct pgrpc_call *call, const Picogrpc__Peertest__ObserveRequest *request,
                    void *userdata)
{
    Observation observation = PICOGRPC__PEERTEST__OBSERVATION__INIT;
    struct record *record;

    (void)userdata;
    pthread_mutex_lock(&mutex);
    record = find_record(request->call_id);
    if (record != NULL)
        observation = record->observation;
    pthread_mutex_unlock(&mutex);
    Picogrpc__Peertest__PeerTest__observe__reply(call, &observation);
}

/* --- main ------------------------------------------------------------------------------------- */

static struct pgrpc_server *server;

static void stop(int signal_number)
{
    (void)signal_number;
    pgrpc_server_shutdown(server, 0);
}

static void write_port(const char *path, int port)
{
    char temporary[4096];
    FILE *file;

    snprintf(temporary, sizeof temporary, "%s.new", path);
    file = fopen(temporary, "w");
    if (file == NULL || fprintf(file, "%d", port) < 0 || fclose(file) != 0 ||
        rename(temporary, path) != 0)
        die("cannot write %s", path);
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {{"port", required_argument, NULL, 'p'},
                                          {"port-file", required_argument, NULL, 'f'},
                                          {"tls-cert", required_argument, NULL, 'c'},
                                          {"tls-key", required_argument, NULL, 'k'},
                                          {NULL, 0, NULL, 0}};
    static const struct Picogrpc__Peertest__PeerTest_handlers handlers = {
        .unary = {unary, PGRPC_RUN_WORKER},
        .server_stream = {server_stream, PGRPC_RUN_WORKER},
        .client_stream = {client_stream, PGRPC_RUN_WORKER},
        .bidi = {bidi, PGRPC_RUN_WORKER},
        .observe = {observe, PGRPC_RUN_INLINE}};
    struct pgrpc_tls_options tls = {.size = sizeof tls};
    struct pgrpc_credentials *made = NULL;
    const struct pgrpc_credentials *credentials = pgrpc_credentials_insecure();
    struct pgrpc_health *health;
    struct sigaction action = {.sa_handler = stop};
    struct pgrpc_error error;
    const char *port_file = NULL;
    char address[64] = "127.0.0.1:0";
    int flag, port;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 'p')
            snprintf(address, sizeof address, "127.0.0.1:%s", optarg);
        else if (flag == 'f')
            port_file = optarg;
        else if (flag == 'c')
            tls.cert_file = optarg;
        else if (flag == 'k')
            tls.key_file = optarg;
        else
            return 2;
    }
    if (port_file == NULL)
        die("--port-file is missing");
    pattern(); /* before there are threads */
    if (tls.cert_file != NULL) {
        if (pgrpc_credentials_new_tls_server(&tls, &made, &error) != PGRPC_OK)
            die("%s", error.text);
        credentials = made;
    }
    if (pgrpc_server_new(NULL, &server, &error) != PGRPC_OK)
        die("%s", error.text);
    if (Picogrpc__Peertest__PeerTest_register(server, &handlers, NULL) != PGRPC_OK ||
        pgrpc_health_register(server, &health) != PGRPC_OK ||
        pgrpc_reflection_register(server) != PGRPC_OK ||
        pgrpc_server_listen(server, address, credentials, &port) != PGRPC_OK)
        die("%s", pgrpc_server_error(server));
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    write_port(port_file, port);
    if (pgrpc_server_run(server) != PGRPC_OK)
        die("%s", pgrpc_server_error(server));
    pgrpc_server_free(server);
    pgrpc_credentials_unref(made);
    free_records();
    return 0;
}
