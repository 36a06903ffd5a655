/* What fuzz targets share: the entry point that libFuzzer calls, and a check that no build leaves
 * out. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static inline void check_at(int is_true, const char *condition, const char *file, int line)
{
    if (!is_true) {
        fprintf(stderr, "%s:%d: %s\n", file, line, condition);
        abort();
    }
}
#define CHECK(condition) check_at((condition) != 0, #condition, __FILE__, __LINE__)

#endif
