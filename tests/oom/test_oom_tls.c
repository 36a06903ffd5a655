/*
 * Every allocation of OpenSSL fails once, while credentials are made and hands are shaken.  The
 * hooks are the process's, so only a test program may set them; the library never does.
 */
#include "../support/unit.h"
#include "../support/tls_pair.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>

static size_t allocations, fail_at;

static void *count_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (++allocations == fail_at)
        return NULL;
    return malloc(size);
}

static void *count_realloc(void *pointer, size_t size, const char *file, int line)
{
    if (!pointer)
        return count_malloc(size, file, line);
    if (++allocations == fail_at)
        return NULL;
    return realloc(pointer, size);
}

static void count_free(void *pointer, const char *file, int line)
{
    (void)file;
    (void)line;
    free(pointer);
}

static struct certificate ca, identity;

/* There are thousands: after the first of them, samples will do. */
static size_t next(size_t n)
{
    return n + 1 + n / 64;
}

static bool is_unknown_or_memory(enum pgrpc_code code)
{
    return code == PGRPC_RESOURCE_EXHAUSTED || code == PGRPC_FAILED_PRECONDITION;
}

static void credentials_are_made_or_refused(void **state)
{
    (void)state;
    for (fail_at = 1;; fail_at = next(fail_at)) {
        struct pgrpc_tls_options options = {.size = sizeof(options)};
        struct pgrpc_credentials *client = NULL, *server = NULL;
        struct pgrpc_error error = {""};
        allocations = 0;
        options.ca_pem = ca.cert_pem;
        enum pgrpc_code code = pgrpc_credentials_new_tls_client(&options, &client, &error);
        if (code != PGRPC_OK) {
            assert_true(is_unknown_or_memory(code));
            assert_true(strlen(error.text) > 0);
            assert_null(client);
        }
        options.cert_pem = identity.cert_pem;
        options.key_pem = identity.key_pem;
        code = pgrpc_credentials_new_tls_server(&options, &server, &error);
        if (code != PGRPC_OK) {
            assert_true(is_unknown_or_memory(code));
            assert_null(server);
        }
        pgrpc_credentials_unref(client);
        pgrpc_credentials_unref(server);
        assert_int_equal(ERR_peek_error(), 0);
        if (allocations < fail_at)
            break;
    }
}

static void hands_are_shaken_or_not(void **state)
{
    fail_at = 0;
    struct pgrpc_credentials *client = client_credentials(&ca, NULL);
    struct pgrpc_credentials *server = server_credentials(&identity, NULL);
    struct pgrpc_loop *loop = pgrpc_loop_new(NULL);
    (void)state;
    pgrpc__loop_take_lock(loop);
    for (size_t n = 1;; n = next(n)) {
        struct tls_pair pair;
        allocations = 0;
        fail_at = n;
        tls_pair_init(&pair, loop, 64 * 1024, client, server, "localhost");
        settle(loop);
        if (pair.client && pair.server) {
            /* Ready or failed; an end may also wait for one that is not there. */
            assert_true(pair.client_watcher.ready + pair.client_watcher.failed <= 1);
            if (pair.client_watcher.failed)
                assert_true(strlen(pair.client_watcher.text) > 0);
            if (pair.client_watcher.ready)
                assert_true(stream_write(pair.client, "hello", 5) != 0);
            settle(loop);
        }
        tls_pair_clear(&pair);
        settle(loop);
        assert_int_equal(ERR_peek_error(), 0);
        if (allocations < n)
            break;
    }
    fail_at = 0;
    pgrpc__loop_leave_lock(loop);
    pgrpc_loop_free(loop);
    pgrpc_credentials_unref(client);
    pgrpc_credentials_unref(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_made_or_refused),
        cmocka_unit_test(hands_are_shaken_or_not),
    };
    if (!CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free))
        return 99;
    certificate_make(&ca, &(struct certificate_wishes){.name = "CA", .is_ca = true});
    certificate_make(&identity, &(struct certificate_wishes){.name = "s",
                                                             .alternative_names = "DNS:localhost",
                                                             .issuer = &ca});
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    certificate_clear(&ca);
    certificate_clear(&identity);
    return failed;
}
