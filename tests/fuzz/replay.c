/*
 * main() for a fuzz target without a fuzzer: runs the files that are named, or without names a
 * fixed sequence of random inputs (FUZZ_RUNS of them), so that every target is built and run with
 * the tests.
 *
 * A real fuzzer: tests/fuzz/build DIRECTORY, then DIRECTORY/fuzz_frame CORPUS.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

enum { INPUT_MAX = 4096, DEFAULT_RUNS = 20000 };

static int run_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file) {
        perror(name);
        return 1;
    }
    size_t len = 0, cap = INPUT_MAX;
    uint8_t *data = malloc(cap);
    while (data && (len += fread(data + len, 1, cap - len, file)) == cap) {
        cap *= 2;
        uint8_t *grown = realloc(data, cap);
        if (!grown)
            free(data);
        data = grown;
    }
    fclose(file);
    if (!data)
        return 1;
    LLVMFuzzerTestOneInput(data, len);
    free(data);
    return 0;
}

/* Short inputs, low values and repetition are likely: they get deeper than noise. */
static size_t make_input(uint8_t *data)
{
    size_t len = 1 + (size_t)random() % (random() % 8 ? 40 : INPUT_MAX);
    for (size_t i = 0; i < len; i++) {
        switch (random() % 4) {
        case 0:
            data[i] = (uint8_t)random();
            break;
        case 1:
            data[i] = i > 3 ? data[i - 1 - (size_t)random() % 4] : 0;
            break;
        default:
            data[i] = (uint8_t)(random() % 32);
        }
    }
    return len;
}

int main(int argc, char **argv)
{
    int failures = 0;
    for (int i = 1; i < argc; i++)
        failures += run_file(argv[i]);
    if (argc > 1)
        return failures ? EXIT_FAILURE : EXIT_SUCCESS;

    const char *setting = getenv("FUZZ_RUNS");
    long runs = setting ? atol(setting) : DEFAULT_RUNS;
    srandom(1);
    for (long i = 0; i < runs; i++) {
        static uint8_t data[INPUT_MAX];
        LLVMFuzzerTestOneInput(data, make_input(data));
    }
    return EXIT_SUCCESS;
}
