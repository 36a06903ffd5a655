#include "../support/unit.h"

#include <stdlib.h>

#include "wire/path.h"

/* From a copy of exactly these bytes, kept for the views until the next call. */
static char *copied;

static bool split(const char *path, size_t len, struct path_parts *parts)
{
    free(copied);
    copied = malloc(len > 0 ? len : 1);
    assert_non_null(copied);
    memcpy(copied, path, len);
    return pgrpc__path_split(copied, len, parts);
}

static int stop(void **state)
{
    (void)state;
    free(copied);
    return 0;
}

static void rule_06_service_and_method(void **state)
{
    static const struct {
        const char *path, *service, *method;
    } table[] = {
        {"/helloworld.Greeter/SayHello", "helloworld.Greeter", "SayHello"},
        {"/a/b", "a", "b"},
        {"/Greeter/SayHello", "Greeter", "SayHello"},
        {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
         "grpc.reflection.v1.ServerReflection", "ServerReflectionInfo"},
        {"/my-service/method_1", "my-service", "method_1"},
        {"/.../...", "...", "..."},
        {"/a..b/c.", "a..b", "c."},
        {"/S/M!$&'()*+,;=:@~", "S", "M!$&'()*+,;=:@~"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct path_parts parts;
        assert_true(split(table[i].path, strlen(table[i].path), &parts));
        assert_int_equal(parts.service_len, strlen(table[i].service));
        assert_memory_equal(parts.service, table[i].service, parts.service_len);
        assert_int_equal(parts.method_len, strlen(table[i].method));
        assert_memory_equal(parts.method, table[i].method, parts.method_len);
    }
}

static void rule_06_anything_else_is_malformed(void **state)
{
    static const char *const table[] = {
        "",        "/",      "//",     "///",    "a",        "a/b",         "/a",
        "/a/",     "//b",    "//a/b",  "/a//b",  "/a/b/",    "/a/b/c",      "a.B/C",
        "*",       "/a/b?c", "/a/b#c", "/a?/b",  "/a%2fb/c", "/a/b%20",     "/%61/b",
        "/a\\b/c", "/./b",   "/a/.",   "/../b",  "/a/..",    "/a/../b",     "/ a/b",
        "/a/b ",   "/a /b",  "/a/b\t", "/a/b\n", "/a/b\x7f", "/a/\xc3\xa9", "http://host/a/b",
        "/a/b;x/", " /a/b",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct path_parts parts;
        if (split(table[i], strlen(table[i]), &parts))
            fail_msg("\"%s\" was taken", table[i]);
    }
    struct path_parts parts;
    assert_false(split("/a/b\0c", 6, &parts));
    assert_false(split("/a\0/b", 5, &parts));
}

static void case_and_bytes_are_kept(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 256; c++) {
        char path[] = {'/', 'S', '/', 'M', (char)c};
        struct path_parts parts;
        bool is_good = c > 0x20 && c < 0x7F && !strchr("/\\%?#", (int)c);
        assert_int_equal(split(path, 5, &parts), is_good);
        if (is_good) {
            assert_int_equal(parts.method_len, 2);
            assert_memory_equal(parts.method, path + 3, 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_06_service_and_method),
        cmocka_unit_test(rule_06_anything_else_is_malformed),
        cmocka_unit_test(case_and_bytes_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, stop);
}
