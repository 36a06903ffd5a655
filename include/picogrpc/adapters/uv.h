/*
 * picogrpc inside libuv: a uv_loop_t that also turns a pgrpc_loop.
 *
 *     uv_poll_t poll;
 *     int error = pgrpc_uv_start(uv, loop, &poll);    ... make channels and servers on |loop| ...
 *     uv_run(uv, UV_RUN_DEFAULT);
 *
 * |poll| is yours: it must stay where it is until its close callback has run.  To stop, close it
 * like any handle, uv_close((uv_handle_t *)&poll, NULL), and free |loop| afterwards.  An active
 * handle keeps uv_run going: uv_unref it if that is not wanted.  While nothing happens nothing
 * wakes up.
 */
#ifndef PICOGRPC_ADAPTERS_UV_H
#define PICOGRPC_ADAPTERS_UV_H

#include <uv.h>

#include "picogrpc/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline void pgrpc_uv_turn(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    /* Below 0 the loop cannot be turned (after a fork), and would be readable for ever. */
    if (pgrpc_loop_dispatch((struct pgrpc_loop *)poll->data, 0) < 0)
        uv_poll_stop(poll);
}

/* Starts |poll|. 0, or libuv's error code (pgrpc_loop_fd has the same); then nothing is to be
 * closed.  On the thread that runs |uv|. */
static inline int pgrpc_uv_start(uv_loop_t *uv, struct pgrpc_loop *loop, uv_poll_t *poll)
{
    int fd = pgrpc_loop_fd(loop);
    int error = fd < 0 ? fd : uv_poll_init(uv, poll, fd);
    if (error)
        return error;
    poll->data = loop;
    return uv_poll_start(poll, UV_READABLE, pgrpc_uv_turn);
}

#ifdef __cplusplus
}
#endif
#endif
