/*
 * Is the installed nghttp2 safe to use?
 *
 * Connections end themselves by nghttp2_session_terminate_session() inside callbacks.  Releases
 * before 1.68.1 (in Debian 12: before 1.52.0-1+deb12u3) go on parsing after it, and a frame of a
 * wrong size then fails an assertion: a peer could end the process (CVE-2026-27135).
 * Distributions mend this without changing the version, so it is tried, in a child.
 */
#include "../support/unit.h"

#include <nghttp2/nghttp2.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_SAFE = 0, CHILD_BROKEN = 1 };

/* The callback that terminates the session. */
enum moment {
    BEGIN_HEADERS_FRAME,
    BEGIN_CONTINUATION,
    BEGIN_HEADERS,
    HEADER,
    HEADERS_FRAME,
    BEGIN_DATA,
    DATA_CHUNK,
    BEGIN_PING,
    PING_FRAME,
};

struct probe {
    enum moment moment;
    bool terminated;
};

static int terminate(nghttp2_session *session, struct probe *probe, enum moment moment)
{
    if (probe->moment != moment || probe->terminated)
        return 0;
    probe->terminated = true;
    return nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *userdata)
{
    switch (head->type) {
    case NGHTTP2_HEADERS:
        return terminate(session, userdata, BEGIN_HEADERS_FRAME);
    case NGHTTP2_CONTINUATION:
        return terminate(session, userdata, BEGIN_CONTINUATION);
    case NGHTTP2_DATA:
        return terminate(session, userdata, BEGIN_DATA);
    case NGHTTP2_PING:
        return terminate(session, userdata, BEGIN_PING);
    default:
        return 0;
    }
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    (void)frame;
    return terminate(session, userdata, BEGIN_HEADERS);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *userdata)
{
    (void)frame, (void)name, (void)name_len, (void)value, (void)value_len, (void)flags;
    return terminate(session, userdata, HEADER);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    if (frame->hd.type == NGHTTP2_HEADERS)
        return terminate(session, userdata, HEADERS_FRAME);
    if (frame->hd.type == NGHTTP2_PING)
        return terminate(session, userdata, PING_FRAME);
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                         const uint8_t *data, size_t len, void *userdata)
{
    (void)flags, (void)stream_id, (void)data, (void)len;
    return terminate(session, userdata, DATA_CHUNK);
}

/* What a client sends: the frame of the moment, then an RST_STREAM without its four bytes. */
#define START "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
#define REQUEST START "\0\0\6\1\4\0\0\0\1\x83\x86\x84\x41\1x"
#define EMPTY_RESET "\0\0\0\3\0\0\0\0\1"

struct script {
    const char *bytes;
    size_t len;
};
static const char after_headers[] = REQUEST EMPTY_RESET;
static const char after_continuation[] = START "\0\0\3\1\0\0\0\0\1\x83\x86\x84"
                                               "\0\0\3\x9\4\0\0\0\1\x41\1x" EMPTY_RESET;
static const char after_data[] = REQUEST "\0\0\4\0\0\0\0\0\1data" EMPTY_RESET;
static const char after_ping[] = REQUEST "\0\0\x8\6\0\0\0\0\0opaque.." EMPTY_RESET;
static const struct script scripts[] = {
#define SCRIPT(bytes)            \
    {                            \
        bytes, sizeof(bytes) - 1 \
    }
    [BEGIN_HEADERS_FRAME] = SCRIPT(after_headers),
    [BEGIN_CONTINUATION] = SCRIPT(after_continuation),
    [BEGIN_HEADERS] = SCRIPT(after_headers),
    [HEADER] = SCRIPT(after_headers),
    [HEADERS_FRAME] = SCRIPT(after_headers),
    [BEGIN_DATA] = SCRIPT(after_data),
    [DATA_CHUNK] = SCRIPT(after_data),
    [BEGIN_PING] = SCRIPT(after_ping),
    [PING_FRAME] = SCRIPT(after_ping),
};

static int feed(enum moment moment, size_t step)
{
    struct probe probe = {.moment = moment};
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_session *session = NULL;
    const char *bytes = scripts[moment].bytes;
    size_t left = scripts[moment].len;

    if (nghttp2_session_callbacks_new(&callbacks))
        return CHILD_BROKEN;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    if (nghttp2_session_server_new(&session, callbacks, &probe))
        return CHILD_BROKEN;
    while (left > 0) {
        size_t len = left < step ? left : step;

        if (nghttp2_session_mem_recv(session, (const uint8_t *)bytes, len) < 0)
            break;
        bytes += len;
        left -= len;
    }
    nghttp2_session_del(session);
    nghttp2_session_callbacks_del(callbacks);
    return probe.terminated ? CHILD_SAFE : CHILD_BROKEN;
}

static void expect_safe_in_steps_of(enum moment moment, size_t step)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0};

        setrlimit(RLIMIT_CORE, &no_core);
        _exit(feed(moment, step));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != CHILD_SAFE)
        fail_msg("nghttp2 %s fails when a session is terminated in a callback (CVE-2026-27135): "
                 "install 1.68.1 or newer, or a package with the fix (Debian 12: 1.52.0-1+deb12u3)",
                 nghttp2_version(0)->version_str);
}

static void expect_safe(enum moment moment)
{
    expect_safe_in_steps_of(moment, scripts[moment].len);
    /* One byte at a time, releases before 1.70 count nine CONTINUATION frames instead of one. */
    expect_safe_in_steps_of(moment, 2);
}

static void terminate_in_a_callback_is_safe(void **state)
{
    expect_safe(*(const enum moment *)*state);
}

int main(void)
{
    static enum moment moments[] = {
        BEGIN_HEADERS_FRAME, BEGIN_CONTINUATION, BEGIN_HEADERS, HEADER,    HEADERS_FRAME,
        BEGIN_DATA,          DATA_CHUNK,         BEGIN_PING,    PING_FRAME};
#define CASE(moment)                                                                  \
    {                                                                                 \
        "terminate_is_safe_in_" #moment, terminate_in_a_callback_is_safe, NULL, NULL, \
            &moments[moment]                                                          \
    }
    const struct CMUnitTest tests[] = {
        CASE(BEGIN_HEADERS_FRAME), CASE(BEGIN_CONTINUATION), CASE(BEGIN_HEADERS), CASE(HEADER),
        CASE(HEADERS_FRAME),       CASE(BEGIN_DATA),         CASE(DATA_CHUNK),    CASE(BEGIN_PING),
        CASE(PING_FRAME),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
