/*
 * The allocator hook.  Every byte that picogrpc, nghttp2, zlib and the message codec
 * allocate for a loop goes through the hook given to that loop.  OpenSSL and c-ares have
 * process-wide hooks of their own, which the library leaves alone.
 */
#ifndef PICOGRPC_ALLOCATOR_H
#define PICOGRPC_ALLOCATOR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * alloc returns |size| bytes aligned for any type, or NULL; free accepts what alloc returned.
 * Both must be safe to call from any thread that uses objects of the loop.
 * The struct is copied; |userdata| must outlive the loop.
 */
struct pgrpc_allocator {
    void *(*alloc)(void *userdata, size_t size);
    void (*free)(void *userdata, void *pointer);
    void *userdata;
};

#ifdef __cplusplus
}
#endif
#endif
