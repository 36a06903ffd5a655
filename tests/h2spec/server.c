/*
 * A plain HTTP/2 server for h2spec: the library's own listener, TLS and connections, but requests
 * are answered here.  Every complete request gets 200 and a page of 2 KiB (HEAD none).
 *
 *     server [--port-file FILE] [--cert FILE --key FILE] [--engine NAME]
 *
 * It takes a free port of 127.0.0.1.  SIGTERM ends it.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/nghttp2_engine.h"
#include "base/outq.h"
#include "picogrpc/picogrpc.h"
#include "server/server.h"

enum { PAGE_LEN = 2048 };

static const struct h2_engine_ops *const engines[] = {&nghttp2_engine, &pgrpc__h2_frame_engine};
enum { ENGINES = sizeof(engines) / sizeof(engines[0]) };

/* --- pages --- */

/* One request; freed when its stream closes. */
struct page {
    struct h2_stream h2;
    struct pgrpc_loop *loop;
    struct loop_task answer_task;
    size_t left;
    bool is_bare; /* HEAD */
};

static void run_answer(struct loop_task *task)
{
    static const struct header_field fields[] = {{":status", "200", 7, 3, false},
                                                 {"content-type", "text/plain", 12, 10, false}};
    struct page *page = CONTAINER_OF(task, struct page, answer_task);
    /* What cannot be answered is over, and closes. */
    (void)pgrpc__h2_stream_respond(&page->h2, fields, 2, page->is_bare);
}

/* From inside the parser: the answer comes at the top of the turn. */
static void answer_if(struct page *page, bool is_complete)
{
    if (is_complete)
        pgrpc__loop_defer(page->loop, &page->answer_task);
}

static struct page *of(struct h2_stream *h2)
{
    return CONTAINER_OF(h2, struct page, h2);
}

static void on_head(struct h2_stream *h2, const struct h2_head *head, enum h2_head_kind kind,
                    bool end_stream)
{
    (void)head;
    (void)kind;
    answer_if(of(h2), end_stream);
}

static void on_data(struct h2_stream *h2, const uint8_t *data, size_t len, bool end_stream)
{
    (void)data;
    pgrpc__h2_stream_consume(h2, len);
    answer_if(of(h2), end_stream);
}

static void on_measure(struct h2_stream *h2, size_t max, struct h2_output *output)
{
    size_t left = of(h2)->left;
    *output = (struct h2_output){.len = left < max ? left : max, .end = left <= max};
}

static int on_output(struct h2_stream *h2, size_t len, struct outq *outq)
{
    static const char text[PAGE_LEN];
    of(h2)->left -= len;
    return pgrpc__outq_add_copy(outq, text, len);
}

static void on_closed(struct h2_stream *h2, enum h2_end end, uint32_t code)
{
    struct page *page = of(h2);
    (void)end;
    (void)code;
    pgrpc__loop_task_cancel(&page->answer_task);
    pgrpc__h2_stream_release(h2, H2_NO_ERROR);
    pgrpc__mem_free(&page->loop->mem, page);
}

static const struct h2_stream_events page_events = {on_head, on_data, on_measure, on_output,
                                                    on_closed};

static struct h2_stream *accept_request(struct rpc_host *host, struct h2_link *link,
                                        const struct h2_head *head, bool end_stream)
{
    struct page *page = pgrpc__mem_calloc(&host->loop->mem, 1, sizeof(*page));
    (void)link;
    if (!page)
        return NULL;
    page->h2.events = &page_events;
    page->loop = host->loop;
    page->answer_task.run = run_answer;
    page->left = PAGE_LEN;
    for (size_t i = 0; i < head->count; i++) {
        const struct header_field *field = &head->fields[i];
        if (pgrpc__header_find(field->name, field->name_len) == HEADER_METHOD)
            page->is_bare = field->value_len == 4 && memcmp(field->value, "HEAD", 4) == 0;
    }
    answer_if(page, end_stream);
    return &page->h2;
}

/* --- the server --- */

static struct pgrpc_server *server;

static void stop(int signal_number)
{
    (void)signal_number;
    pgrpc_server_shutdown(server, 0);
}

static enum pgrpc_code choose_engine(const char *name)
{
    for (int i = 0; i < ENGINES; i++) {
        if (!strcmp(engines[i]->name, name)) {
            server->h2.engine = engines[i];
            return PGRPC_OK;
        }
    }
    return pgrpc__server_fail(server, PGRPC_INVALID_ARGUMENT, "there is no engine \"%s\"", name);
}

static int write_port(const char *path, int port)
{
    FILE *file = fopen(path, "w");
    int result = !file || fprintf(file, "%d\n", port) < 0 ? -1 : 0;
    if (file && fclose(file))
        result = -1;
    if (result)
        perror(path);
    return result;
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {{"port-file", required_argument, NULL, 'f'},
                                          {"cert", required_argument, NULL, 'c'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"engine", required_argument, NULL, 'e'},
                                          {NULL, 0, NULL, 0}};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_error error = {""};
    const char *engine = NULL, *port_file = NULL;
    int flag, port, status = EXIT_FAILURE;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 'f')
            port_file = optarg;
        else if (flag == 'c')
            tls_options.cert_file = optarg;
        else if (flag == 'k')
            tls_options.key_file = optarg;
        else if (flag == 'e')
            engine = optarg;
        else
            return EXIT_FAILURE;
    }
    if (tls_options.cert_file && pgrpc_credentials_new_tls_server(&tls_options, &tls, &error))
        goto out;
    if (pgrpc_server_new(NULL, &server, &error))
        goto out;
    server->accept = accept_request;
    if (engine && choose_engine(engine))
        goto out;
    if (pgrpc_server_listen(server, "127.0.0.1:0", tls ? tls : pgrpc_credentials_insecure(), &port))
        goto out;
    signal(SIGTERM, stop);
    if (port_file && write_port(port_file, port))
        goto out;
    if (pgrpc_server_run(server) == PGRPC_OK)
        status = EXIT_SUCCESS;
out:
    if (status != EXIT_SUCCESS)
        fprintf(stderr, "%s: %s\n", argv[0], server ? pgrpc_server_error(server) : error.text);
    pgrpc_server_free(server);
    pgrpc_credentials_unref(tls);
    return status;
}
