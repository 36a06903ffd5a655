/* Our half of fuzz_protobuf_cpp.cc: protobuf-c's headers and C++ protobuf's names stay apart. */
#ifndef TESTS_FUZZ_PROTOBUF_CPP_H
#define TESTS_FUZZ_PROTOBUF_CPP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FUZZ_TYPES = 15 };

/* What was decoded, encoded again; NULL with a text when it was refused. */
struct fuzz_result {
    uint8_t *data;
    size_t len;
    char error[300];
};
void fuzz_recode(unsigned index, const uint8_t *data, size_t len, struct fuzz_result *result);
void fuzz_free(struct fuzz_result *result);

#ifdef __cplusplus
}
#endif
#endif
