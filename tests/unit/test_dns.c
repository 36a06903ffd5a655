#include "../support/unit.h"
#include "../support/faulty_allocator.h"
#include "../support/fds.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "io/dns.h"

#ifdef HAVE_CARES

/* --- a name server on the same loop -------------------------------------------------------------
 */

enum { QUESTION_MAX = 300, RECORD_TYPE_A = 1, RECORD_TYPE_AAAA = 28 };

static struct {
    struct pgrpc_loop *loop;
    struct loop_watch watch;
    char text[32];
    int asked;
} server;

/* Copies the name of the question behind the 12 bytes of header; its end, or 0. */
static size_t name_of(const uint8_t *packet, size_t len, char *name)
{
    size_t at = 12, out = 0;
    while (at < len && packet[at] != 0) {
        size_t part = packet[at++];
        if (at + part > len || out + part + 2 > QUESTION_MAX)
            return 0;
        memcpy(name + out, packet + at, part);
        out += part;
        name[out++] = '.';
        at += part;
    }
    name[out ? out - 1 : 0] = '\0';
    return at + 1;
}

/* One answer record that points back to the question's name. */
static size_t add_record(uint8_t *packet, size_t at, int type, const void *data, size_t len)
{
    const uint8_t head[] = {0xc0, 12, 0, (uint8_t)type, 0, 1, 0, 0, 0, 60, 0, (uint8_t)len};
    memcpy(packet + at, head, sizeof(head));
    memcpy(packet + at + sizeof(head), data, len);
    return at + sizeof(head) + len;
}

static void on_question(struct loop_watch *watch, unsigned events)
{
    uint8_t packet[2048];
    char name[QUESTION_MAX];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    (void)events;
    ssize_t got = recvfrom(watch->fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
    if (got < 12)
        return;
    size_t end = name_of(packet, (size_t)got, name);
    assert_true(end > 0 && end + 4 <= (size_t)got);
    int type = packet[end + 1], answers = 0;
    size_t len = end + 4;
    server.asked++;
    if (strcmp(name, "silent.example") == 0)
        return;
    packet[2] = 0x81; /* an answer */
    packet[3] = 0x80;
    memset(packet + 6, 0, 6);
    if (strcmp(name, "both.example") == 0 || strcmp(name, "four.example") == 0) {
        if (type == RECORD_TYPE_A) {
            len = add_record(packet, len, type, "\x7f\x00\x00\x01", 4);
            len = add_record(packet, len, type, "\x7f\x00\x00\x02", 4);
            answers = 2;
        } else if (type == RECORD_TYPE_AAAA && name[0] == 'b') {
            len = add_record(packet, len, type, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
            answers = 1;
        }
    } else if (strcmp(name, "many.example") == 0 && type == RECORD_TYPE_A) {
        for (answers = 0; answers < 30; answers++)
            len = add_record(packet, len, type, (uint8_t[]){127, 0, 1, (uint8_t)answers}, 4);
    } else if (strcmp(name, "nothing.example") == 0) {
        answers = 0;
    } else if (strcmp(name, "broken.example") == 0) {
        packet[3] = 0x82; /* SERVFAIL */
    } else if (strcmp(name, "many.example") != 0) {
        packet[3] = 0x83; /* NXDOMAIN */
    }
    packet[7] = (uint8_t)answers;
    assert_int_equal(sendto(watch->fd, packet, len, 0, (struct sockaddr *)&from, sizeof(from)),
                     len);
}

static void server_start(struct pgrpc_loop *loop)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    memset(&server, 0, sizeof(server));
    server.loop = loop;
    server.watch.on_event = on_question;
    assert_int_equal(pgrpc__loop_watch_start(loop, &server.watch, fd, LOOP_READ), 0);
    snprintf(server.text, sizeof(server.text), "127.0.0.1:%d", ntohs(address.sin_port));
    pgrpc__dns_servers = server.text;
}

static void server_stop(void)
{
    int fd = server.watch.fd;
    pgrpc__loop_watch_stop(server.loop, &server.watch);
    close(fd);
    pgrpc__dns_servers = NULL;
}

/* --- a client -----------------------------------------------------------------------------------
 */

struct answer {
    int count; /* of answers */
    size_t address_count;
    char first[ADDRESS_TEXT_MAX];
    char all[4096];
    char error[200];
};

static void on_answer(void *owner, const struct socket_address *addresses, size_t count,
                      const char *error)
{
    struct answer *answer = owner;
    answer->count++;
    answer->address_count = count;
    if (error)
        snprintf(answer->error, sizeof(answer->error), "%s", error);
    for (size_t i = 0; i < count; i++) {
        char text[ADDRESS_TEXT_MAX];
        pgrpc__address_format(&addresses[i], text);
        if (i == 0)
            strcpy(answer->first, text);
        if (strlen(answer->all) + strlen(text) + 2 < sizeof(answer->all)) {
            strcat(answer->all, text);
            strcat(answer->all, " ");
        }
    }
}

struct fixture {
    struct pgrpc_loop *loop;
    struct dns_query *query;
    size_t fds;
    int64_t now_ms;
};
static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    fixture.fds = open_fd_count();
    fixture.loop = pgrpc_loop_new(NULL);
    pgrpc__loop_take_lock(fixture.loop);
    server_start(fixture.loop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_stop();
    assert_int_equal(fixture.loop->watch_count, 0);
    assert_int_equal(fixture.loop->timer_count, 0);
    pgrpc__loop_leave_lock(fixture.loop);
    pgrpc_loop_free(fixture.loop);
    assert_int_equal(open_fd_count(), fixture.fds);
    return 0;
}

static void ask(const char *name, struct answer *answer)
{
    const char *error = NULL;
    memset(answer, 0, sizeof(*answer));
    assert_int_equal(
        pgrpc__dns_resolve(fixture.loop, name, 443, on_answer, answer, &fixture.query, &error), 0);
    assert_int_equal(answer->count, 0);
}

static void wait_for(struct answer *answer)
{
    while (answer->count == 0)
        assert_true(pgrpc__loop_turn(fixture.loop, -1) >= 0);
    while (pgrpc__loop_turn(fixture.loop, 0) > 0)
        continue;
    assert_int_equal(answer->count, 1);
}

static void names_have_addresses_of_both_families(void **state)
{
    struct answer answer;
    (void)state;
    ask("both.example", &answer);
    wait_for(&answer);
    assert_string_equal(answer.error, "");
    assert_int_equal(answer.address_count, 3);
    assert_non_null(strstr(answer.all, "ipv4:127.0.0.1:443 "));
    assert_non_null(strstr(answer.all, "ipv4:127.0.0.2:443 "));
    assert_non_null(strstr(answer.all, "ipv6:[::1]:443 "));
    ask("four.example", &answer);
    wait_for(&answer);
    assert_int_equal(answer.address_count, 2);
}

static void localhost_needs_no_server(void **state)
{
    struct answer answer;
    (void)state;
    ask("localhost", &answer);
    wait_for(&answer);
    assert_string_equal(answer.error, "");
    assert_true(answer.address_count >= 1);
    assert_non_null(strstr(answer.all, "ipv4:127.0.0.1:443 "));
    assert_int_equal(server.asked, 0);
}

static void a_name_may_have_many_addresses(void **state)
{
    struct answer answer;
    (void)state;
    ask("many.example", &answer);
    wait_for(&answer);
    assert_string_equal(answer.error, "");
    assert_int_equal(answer.address_count, 30);
}

static void failures_have_a_text(void **state)
{
    static const char *const table[][2] = {{"unknown.example", "there is no such name"},
                                           {"nothing.example", "the name has no address"},
                                           {"broken.example", "the name servers failed"}};
    struct answer answer;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        ask(table[i][0], &answer);
        wait_for(&answer);
        if (!strstr(answer.error, table[i][1]))
            fail_msg("%s: %s", table[i][0], answer.error);
        assert_int_equal(answer.address_count, 0);
    }
    ask("a..b", &answer);
    wait_for(&answer);
    assert_true(strlen(answer.error) > 0);
}

static int64_t fake_clock(void *userdata)
{
    (void)userdata;
    return fixture.now_ms;
}

static void silence_ends_after_a_while(void **state)
{
    struct answer answer;
    (void)state;
    pgrpc__loop_set_clock(fixture.loop, fake_clock, NULL);
    ask("silent.example", &answer);
    fixture.now_ms = 29999;
    pgrpc__loop_turn(fixture.loop, 0);
    pgrpc__loop_turn(fixture.loop, 0);
    assert_int_equal(answer.count, 0);
    fixture.now_ms = 30000;
    wait_for(&answer);
    assert_string_equal(answer.error, "the name servers did not answer in time");
}

static void a_cancelled_query_is_not_answered(void **state)
{
    struct answer first, second;
    (void)state;
    /* Before it is sent, while it waits, and with the answer on its way. */
    ask("localhost", &first);
    pgrpc__dns_cancel(fixture.query);
    ask("silent.example", &first);
    struct dns_query *query = fixture.query;
    ask("both.example", &second);
    wait_for(&second);
    pgrpc__dns_cancel(query);
    pgrpc__dns_cancel(NULL);
    while (pgrpc__loop_turn(fixture.loop, 0) > 0)
        continue;
    assert_int_equal(first.count, 0);
}

static void on_answer_ask_again(void *owner, const struct socket_address *addresses, size_t count,
                                const char *error)
{
    on_answer(owner, addresses, count, error);
    ask("four.example", owner);
}

static void an_answer_may_ask_again(void **state)
{
    struct answer answer = {0};
    const char *error;
    (void)state;
    assert_int_equal(pgrpc__dns_resolve(fixture.loop, "both.example", 1, on_answer_ask_again,
                                        &answer, &fixture.query, &error),
                     0);
    while (server.asked < 4)
        pgrpc__loop_turn(fixture.loop, -1);
    wait_for(&answer);
    assert_int_equal(answer.address_count, 2);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct pgrpc_loop_options options = {.size = sizeof(options), .allocator = &faulty.hook};
        struct answer answer = {0};
        struct dns_query *query;
        const char *error = NULL;
        size_t fds = open_fd_count();
        faulty_allocator_init(&faulty, 0);
        struct pgrpc_loop *loop = pgrpc_loop_new(&options);
        pgrpc__loop_take_lock(loop);
        server_start(loop);
        faulty.fail_at = faulty.count + n;
        int result =
            pgrpc__dns_resolve(loop, "both.example", 443, on_answer, &answer, &query, &error);
        if (result == 0) {
            while (answer.count == 0)
                pgrpc__loop_turn(loop, -1);
            assert_true(faulty_allocator_has_failed(&faulty) || answer.address_count == 3);
        } else {
            assert_int_equal(result, -ENOMEM);
            assert_string_equal(error, "out of memory");
        }
        server_stop();
        pgrpc__loop_leave_lock(loop);
        pgrpc_loop_free(loop);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        assert_int_equal(open_fd_count(), fds);
        if (!faulty_allocator_has_failed(&faulty))
            break;
    }
}

static void no_descriptors_left(void **state)
{
    struct answer answer;
    (void)state;
    fd_limit_set(0);
    const char *error = NULL;
    memset(&answer, 0, sizeof(answer));
    int result = pgrpc__dns_resolve(fixture.loop, "both.example", 443, on_answer, &answer,
                                    &fixture.query, &error);
    if (result == 0)
        while (answer.count == 0)
            pgrpc__loop_turn(fixture.loop, -1);
    fd_limit_lift();
    assert_true(result < 0 ? strlen(error) > 0 : strlen(answer.error) > 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_have_addresses_of_both_families),
        TEST(localhost_needs_no_server),
        TEST(a_name_may_have_many_addresses),
        TEST(failures_have_a_text),
        TEST(silence_ends_after_a_while),
        TEST(a_cancelled_query_is_not_answered),
        TEST(an_answer_may_ask_again),
        cmocka_unit_test(every_allocation_may_fail),
        TEST(no_descriptors_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void names_are_refused(void **state)
{
    const char *error = NULL;
    struct dns_query *query = NULL;
    (void)state;
    assert_int_equal(pgrpc__dns_resolve(NULL, "localhost", 1, NULL, NULL, &query, &error),
                     -ENOTSUP);
    assert_non_null(strstr(error, "without c-ares"));
    pgrpc__dns_cancel(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
