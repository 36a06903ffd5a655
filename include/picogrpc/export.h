/* Version and visibility of the library's symbols. */
#ifndef PICOGRPC_EXPORT_H
#define PICOGRPC_EXPORT_H

#if defined(__GNUC__) || defined(__clang__)
#define PGRPC_API __attribute__((visibility("default")))
#define PGRPC_PRINTF(format_index, first_argument) \
    __attribute__((format(printf, format_index, first_argument)))
#else
#define PGRPC_API
#define PGRPC_PRINTF(format_index, first_argument)
#endif

#define PGRPC_VERSION_MAJOR 0
#define PGRPC_VERSION_MINOR 1
#define PGRPC_VERSION_PATCH 0
#define PGRPC_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library that is linked, for example "0.1.0"; static. Any thread. */
PGRPC_API const char *pgrpc_version(void);

#ifdef __cplusplus
}
#endif
#endif
