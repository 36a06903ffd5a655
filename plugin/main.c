/* protoc-gen-picogrpc: protoc writes a request to stdin and reads the response from stdout. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"

static const char *const program = "protoc-gen-picogrpc";

static const char *const help =
    "protoc-gen-picogrpc writes messages, gRPC clients and servers in C.  protoc runs it:\n"
    "\n"
    "    protoc --picogrpc_out=DIR x.proto\n"
    "\n"
    "writes x.pb-c.h and x.pb-c.c, the messages, and x.pgrpc.h and x.pgrpc.c, the calls.\n"
    "The messages are protobuf-c's, as protoc-gen-c would write them.  protoc looks for\n"
    "this program in PATH; elsewhere, add --plugin=protoc-gen-picogrpc=FILE.\n"
    "\n"
    "    --picogrpc_out=messages:DIR   all four files, as without a parameter\n"
    "    --picogrpc_out=stubs:DIR      the calls alone, for messages by protoc-gen-c\n"
    "    --picogrpc_out=dllexport_decl=ACME_API:DIR\n"
    "                                  ACME_API stands in front of all that headers declare\n"
    "\n"
    "    --help      print this\n"
    "    --version   print the version\n";

static int fail(const char *reason)
{
    fprintf(stderr, "%s: %s\n", program, reason);
    return 1;
}

static const char *read_all(int fd, struct text *text)
{
    for (;;) {
        enum { STEP = 64 * 1024 };
        char *end = text_reserve(text, STEP);
        if (!end)
            return "out of memory";
        ssize_t count = read(fd, end, STEP);
        if (count == 0)
            return NULL;
        if (count > 0)
            text->len += (size_t)count;
        else if (errno != EINTR)
            return strerror(errno);
    }
}

static const char *write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t count = write(fd, data, len);
        if (count < 0 && errno != EINTR)
            return strerror(errno);
        if (count > 0) {
            data += count;
            len -= (size_t)count;
        }
    }
    return NULL;
}

static const char *run(struct pool *pool)
{
    struct text request = {.pool = pool};
    struct text response = {.pool = pool};
    const char *failure = read_all(STDIN_FILENO, &request);
    if (!failure)
        failure = plugin_run((const uint8_t *)text_string(&request), request.len, &response);
    if (!failure)
        failure = write_all(STDOUT_FILENO, text_string(&response), response.len);
    return failure;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return printf("%s %s\n", program, PACKAGE_VERSION) < 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(help, stdout) < 0;
    if (argc > 1)
        return fail("unknown argument; protoc runs this program without any, see --help");
    if (isatty(STDIN_FILENO)) {
        fputs(help, stderr);
        return 1;
    }

    struct pool pool = {0};
    const char *failure = run(&pool);
    int status = failure ? fail(failure) : 0;
    pool_clear(&pool);
    return status;
}
