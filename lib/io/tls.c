#include "io/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "io/error_text.h"
#include "io/tls_parts.h"

enum {
    RECORD_MAX = 16 * 1024, /* plaintext of one TLS record */
    TEXT_MAX = 256
};

enum tls_state {
    TLS_OPENING, /* the stream below is not ready */
    TLS_SHAKING, /* handshake */
    TLS_READY,   /* bytes flow */
    TLS_FAILED   /* on_failed was told */
};

struct tls_stream {
    struct bytestream stream;
    struct pgrpc_loop *loop;
    struct bytestream *inner;
    struct pgrpc_credentials *credentials;
    SSL *ssl;
    struct tls_bio bio;
    struct loop_task event_task;
    enum tls_state state;
    struct bytestream_peer peer;
    char *subject;
    bool is_paused;
    bool is_ended;         /* reading is over: end_result is what is left to say */
    int end_result;        /* 0 or a negative errno */
    bool has_more;         /* a read may give something although nothing comes from below */
    bool read_wants_write; /* an answer to a key update is stuck */
    bool write_wants_read; /* the rest of a session ticket or a key update is still to come */
    int write_error;       /* negative errno; writing is over */
    char *pending; /* the record that waits for room below; SSL_write must be called with the
                      same bytes again */
    size_t pending_len;
    bool owes_writable; /* a write said -EAGAIN */
    bool is_shut;       /* shutdown was asked for */
    char text[TEXT_MAX];
};

static struct tls_stream *tls_of(struct bytestream *stream)
{
    return CONTAINER_OF(stream, struct tls_stream, stream);
}

/* Before each use of OpenSSL: what is found afterwards is of this one. */
static void begin(struct tls_stream *tls)
{
    ERR_clear_error();
    tls->bio.error = 0;
}

/* What went wrong in |ssl| by the last |result|: a negative errno, -EAGAIN when nothing did, 0 at
 * the end. |text| gets the reason. */
static int result_of(struct tls_stream *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        break;
    }
    if (tls->bio.error) {
        snprintf(tls->text, sizeof(tls->text), "%s", tls->inner->ops->error_text(tls->inner));
        ERR_clear_error();
        return tls->bio.error;
    }
    if (tls->bio.is_at_end && ERR_peek_error() == 0)
        return 0;
    pgrpc__tls_error_text(tls->ssl, tls->text, sizeof(tls->text));
    return -EPROTO;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void end_reading(struct tls_stream *tls, int result)
{
    tls->is_ended = true;
    tls->end_result = result;
    /* What is behind a close_notify would be readable for ever. */
    tls->inner->ops->pause_reading(tls->inner, true);
}

static ssize_t tls_read(struct bytestream *stream, void *data, size_t len)
{
    struct tls_stream *tls = tls_of(stream);
    size_t total = 0;

    tls->has_more = false;
    if (tls->state != TLS_READY)
        return -EAGAIN;
    if (tls->write_wants_read)
        pgrpc__loop_defer(tls->loop, &tls->event_task);
    while (total < len && !tls->is_ended) {
        size_t room = len - total < INT_MAX ? len - total : INT_MAX;
        begin(tls);
        int got = SSL_read(tls->ssl, (char *)data + total, (int)room);
        if (got > 0) {
            total += (size_t)got;
            continue;
        }
        int result = result_of(tls, got);
        if (result == -EAGAIN) {
            tls->read_wants_write = SSL_want_write(tls->ssl);
            return total > 0 ? (ssize_t)total : -EAGAIN;
        }
        end_reading(tls, result);
    }
    if (total == 0)
        return tls->end_result;
    /* What OpenSSL keeps makes nothing readable below; a part of a record is no reason to read
     * again. */
    tls->has_more = tls->is_ended || SSL_has_pending(tls->ssl);
    if (tls->has_more)
        pgrpc__loop_defer(tls->loop, &tls->event_task);
    return (ssize_t)total;
}

static void tls_pause_reading(struct bytestream *stream, bool paused)
{
    struct tls_stream *tls = tls_of(stream);
    tls->is_paused = paused;
    if (tls->state != TLS_READY)
        return; /* the handshake reads in any case */
    tls->inner->ops->pause_reading(tls->inner, paused || tls->is_ended);
    if (!paused && tls->has_more)
        pgrpc__loop_defer(tls->loop, &tls->event_task);
}

/* --- writing ---------------------------------------------------------------------------------- */

static int fail_writing(struct tls_stream *tls, int result)
{
    if (result == 0) {
        snprintf(tls->text, sizeof(tls->text), "%s", pgrpc__error_text(EPIPE));
        result = -EPIPE;
    }
    tls->write_error = result;
    return result;
}

/* Hands |len| bytes (at most a record's) to OpenSSL: how many it took, or as result_of. */
static int write_record(struct tls_stream *tls, const char *data, size_t len)
{
    begin(tls);
    int taken = SSL_write(tls->ssl, data, (int)len);
    tls->write_wants_read = taken <= 0 && SSL_want_read(tls->ssl);
    if (taken > 0)
        return taken;
    taken = result_of(tls, taken);
    return taken == -EAGAIN ? taken : fail_writing(tls, taken);
}

/* Copies what follows the first |skip| bytes of |vectors| to |record|; how much. */
static size_t gather(const struct iovec *vectors, int count, size_t skip, char *record)
{
    size_t len = 0;
    for (int i = 0; i < count && len < RECORD_MAX; i++) {
        if (skip >= vectors[i].iov_len) {
            skip -= vectors[i].iov_len;
            continue;
        }
        size_t part = vectors[i].iov_len - skip;
        if (part > RECORD_MAX - len)
            part = RECORD_MAX - len;
        memcpy(record + len, (const char *)vectors[i].iov_base + skip, part);
        len += part;
        skip = 0;
    }
    return len;
}

static ssize_t tls_writev(struct bytestream *stream, const struct iovec *vectors, int count)
{
    struct tls_stream *tls = tls_of(stream);
    size_t total = 0, len;

    if (tls->write_error)
        return tls->write_error;
    if (tls->state != TLS_READY || tls->pending) {
        tls->owes_writable = true;
        return -EAGAIN;
    }
    char *record = pgrpc__mem_alloc(&tls->loop->mem, RECORD_MAX);
    if (!record) {
        snprintf(tls->text, sizeof(tls->text), "%s", pgrpc__error_text(ENOMEM));
        return tls->write_error = -ENOMEM;
    }
    while ((len = gather(vectors, count, total, record)) > 0) {
        int taken = write_record(tls, record, len);
        if (taken == -EAGAIN) {
            /* OpenSSL has it already, encrypted: for the owner it is sent. */
            tls->pending = record;
            tls->pending_len = len;
            return (ssize_t)(total + len);
        }
        if (taken < 0)
            break;
        total += (size_t)taken;
    }
    pgrpc__mem_free(&tls->loop->mem, record);
    return total > 0 ? (ssize_t)total : tls->write_error;
}

static void send_close_notify(struct tls_stream *tls)
{
    if (tls->state == TLS_READY && !tls->write_error && !tls->pending) {
        begin(tls);
        SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
    if (!tls->pending || tls->write_error)
        tls->inner->ops->shutdown(tls->inner);
}

/* Tries the pending record again. True when there is none any more, or never will be. */
static bool flush_pending(struct tls_stream *tls)
{
    if (!tls->pending)
        return true;
    if (!tls->write_error) {
        int taken = write_record(tls, tls->pending, tls->pending_len);
        if (taken == -EAGAIN)
            return false;
    }
    pgrpc__mem_free(&tls->loop->mem, tls->pending);
    tls->pending = NULL;
    if (tls->is_shut)
        send_close_notify(tls);
    return true;
}

static void tls_shutdown(struct bytestream *stream)
{
    struct tls_stream *tls = tls_of(stream);
    if (tls->is_shut)
        return;
    tls->is_shut = true;
    send_close_notify(tls);
}

/* --- handshake -------------------------------------------------------------------------------- */

/* The last thing done in a turn's event: the owner frees the stream. */
static void tell_failed(struct tls_stream *tls, const char *text)
{
    tls->state = TLS_FAILED;
    tls->inner->ops->pause_reading(tls->inner, true);
    if (tls->stream.events)
        tls->stream.events->on_failed(tls->stream.owner, text);
}

static void fail_handshake(struct tls_stream *tls, const char *reason)
{
    char text[2 * TEXT_MAX];
    snprintf(text, sizeof(text), "TLS handshake with %s: %s",
             tls->inner->ops->peer(tls->inner)->address, reason);
    tell_failed(tls, text);
}

/* The subject of the peer's certificate for people and for access rules, which must not see half of
 * it. */
static char *subject_of(struct tls_stream *tls)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    BIO *memory = NULL;
    char *subject = NULL, *data;

    if (certificate && SSL_get_verify_result(tls->ssl) == X509_V_OK)
        memory = BIO_new(BIO_s_mem());
    if (memory && X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0,
                                     XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        long len = BIO_get_mem_data(memory, &data);
        subject = len >= 0 ? pgrpc__mem_alloc(&tls->loop->mem, (size_t)len + 1) : NULL;
        if (subject) {
            memcpy(subject, data, (size_t)len);
            subject[len] = '\0';
        }
    }
    BIO_free(memory);
    ERR_clear_error();
    return subject;
}

static void finish_handshake(struct tls_stream *tls)
{
    const unsigned char *protocol = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(tls->ssl, &protocol, &len);
    if (len != 2 || memcmp(protocol, "h2", 2) != 0) {
        fail_handshake(tls, "the peer did not agree to ALPN h2");
        return;
    }
    tls->state = TLS_READY;
    tls->subject = subject_of(tls);
    tls->peer.address = tls->inner->ops->peer(tls->inner)->address;
    tls->peer.security = "tls";
    tls->peer.subject = tls->subject;
    /* The first bytes may have come with the end of the handshake. */
    tls->has_more = SSL_has_pending(tls->ssl);
    if (tls->has_more)
        pgrpc__loop_defer(tls->loop, &tls->event_task);
    if (tls->is_paused)
        tls->inner->ops->pause_reading(tls->inner, true);
    if (tls->stream.events)
        tls->stream.events->on_ready(tls->stream.owner);
}

static void shake_hands(struct tls_stream *tls)
{
    begin(tls);
    int done = SSL_do_handshake(tls->ssl);
    if (done == 1) {
        finish_handshake(tls);
        return;
    }
    int result = result_of(tls, done);
    if (result == 0)
        fail_handshake(tls, "the peer closed the connection");
    else if (result != -EAGAIN)
        fail_handshake(tls, tls->text);
}

/* --- events ----------------------------------------------------------------------------------- */

static void on_inner_ready(void *owner)
{
    struct tls_stream *tls = owner;
    tls->state = TLS_SHAKING;
    shake_hands(tls);
}

static void on_inner_readable(void *owner)
{
    struct tls_stream *tls = owner;
    if (tls->state == TLS_SHAKING)
        shake_hands(tls);
    else if (tls->state == TLS_READY && !tls->is_ended && tls->stream.events)
        tls->stream.events->on_readable(tls->stream.owner);
}

/* Goes on with what is stuck. */
static void write_on(struct tls_stream *tls)
{
    if (!flush_pending(tls) || !tls->owes_writable)
        return;
    tls->owes_writable = false;
    if (tls->stream.events)
        tls->stream.events->on_writable(tls->stream.owner);
}

static void on_inner_writable(void *owner)
{
    struct tls_stream *tls = owner;
    if (tls->read_wants_write) {
        tls->read_wants_write = false;
        tls->has_more = true;
        pgrpc__loop_defer(tls->loop, &tls->event_task);
    }
    if (tls->state == TLS_SHAKING)
        shake_hands(tls);
    else if (tls->state == TLS_READY)
        write_on(tls);
}

static void on_inner_failed(void *owner, const char *text)
{
    tell_failed(owner, text);
}

static const struct bytestream_events inner_events = {on_inner_ready, on_inner_readable,
                                                      on_inner_writable, on_inner_failed};

/* Bytes that are here already, which repeat like what comes from below until they are read; and a
 * write that waited for a read. */
static void run_event(struct loop_task *task)
{
    struct tls_stream *tls = CONTAINER_OF(task, struct tls_stream, event_task);
    if (tls->write_wants_read) {
        tls->write_wants_read = false;
        if (tls->has_more)
            pgrpc__loop_defer(tls->loop, task);
        write_on(tls);
        return;
    }
    if (!tls->has_more || tls->is_paused || !tls->stream.events)
        return;
    pgrpc__loop_defer(tls->loop, task);
    tls->stream.events->on_readable(tls->stream.owner);
}

/* --- life ------------------------------------------------------------------------------------- */

static const struct bytestream_peer *tls_peer(struct bytestream *stream)
{
    struct tls_stream *tls = tls_of(stream);
    return tls->state == TLS_READY ? &tls->peer : tls->inner->ops->peer(tls->inner);
}

static const char *tls_error_text(struct bytestream *stream)
{
    return tls_of(stream)->text;
}

static void tls_free(struct bytestream *stream)
{
    struct tls_stream *tls = tls_of(stream);
    struct mem *mem = &tls->loop->mem;
    pgrpc__loop_task_cancel(&tls->event_task);
    SSL_free(tls->ssl);
    tls->inner->ops->free(tls->inner);
    pgrpc_credentials_unref(tls->credentials);
    pgrpc__mem_free(mem, tls->pending);
    pgrpc__mem_free(mem, tls->subject);
    pgrpc__mem_free(mem, tls);
}

static const struct bytestream_ops tls_ops = {
    .read = tls_read,
    .writev = tls_writev,
    .pause_reading = tls_pause_reading,
    .shutdown = tls_shutdown,
    .peer = tls_peer,
    .error_text = tls_error_text,
    .free = tls_free,
};

/* Whom the certificate must be for. 0, -EINVAL or -ENOMEM. */
static int set_host(SSL *ssl, const char *host)
{
    unsigned char binary[16];
    size_t len = strlen(host);
    char name[256];

    if (len > 0 && host[len - 1] == '.')
        len--; /* an absolute name: neither SNI nor certificates have the dot */
    if (len == 0 || len >= sizeof(name))
        return -EINVAL;
    memcpy(name, host, len);
    name[len] = '\0';
    if (inet_pton(AF_INET, name, binary) == 1 || inet_pton(AF_INET6, name, binary) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) ? 0 : -ENOMEM;
    /* RFC 6125: names are in subjectAltName; the common name and f*.example are of the past. */
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set_tlsext_host_name(ssl, name) && SSL_set1_host(ssl, name) ? 0 : -ENOMEM;
}

int pgrpc__tls_new(struct pgrpc_loop *loop, struct bytestream *inner,
                   const struct pgrpc_credentials *credentials, const char *host,
                   struct bytestream **stream)
{
    struct tls_stream *tls = pgrpc__mem_calloc(&loop->mem, 1, sizeof(*tls));
    int error = -ENOMEM;
    BIO *bio;

    if (!tls) {
        inner->ops->free(inner);
        return error;
    }
    tls->stream.ops = &tls_ops;
    tls->loop = loop;
    tls->inner = inner;
    tls->event_task.run = run_event;
    tls->bio.inner = inner;
    tls->credentials = pgrpc_credentials_ref((struct pgrpc_credentials *)(uintptr_t)credentials);
    ERR_clear_error();
    tls->ssl = SSL_new(credentials->context);
    if (!tls->ssl)
        goto fail;
    bio = pgrpc__tls_bio_new(credentials->bio_method, &tls->bio);
    if (!bio)
        goto fail;
    SSL_set_bio(tls->ssl, bio, bio);
    if (credentials->kind == CREDENTIALS_TLS_SERVER) {
        SSL_set_accept_state(tls->ssl);
    } else {
        SSL_set_connect_state(tls->ssl);
        if (credentials->server_name)
            host = credentials->server_name;
        error = host ? set_host(tls->ssl, host) : -EINVAL;
        if (error < 0)
            goto fail;
    }
    bytestream_set_events(inner, &inner_events, tls);
    *stream = &tls->stream;
    return 0;

fail:
    ERR_clear_error();
    tls_free(&tls->stream);
    return error;
}
