/*
 * picogrpc inside GLib: a GMainContext that also turns a pgrpc_loop.
 *
 *     GSource *source = pgrpc_glib_source_new(loop);
 *     g_source_attach(source, NULL);                  ... make channels and servers on |loop| ...
 *     g_main_loop_run(main_loop);
 *     g_source_destroy(source);
 *     g_source_unref(source);
 *     pgrpc_loop_free(loop);
 *
 * While nothing happens nothing wakes up.
 */
#ifndef PICOGRPC_ADAPTERS_GLIB_H
#define PICOGRPC_ADAPTERS_GLIB_H

#include <glib-unix.h>
#include <glib.h>

#include "picogrpc/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline gboolean pgrpc_glib_turn(gint fd, GIOCondition condition, gpointer loop)
{
    (void)fd;
    (void)condition;
    /* Below 0 the loop cannot be turned (after a fork), and would be readable for ever. */
    return pgrpc_loop_dispatch((struct pgrpc_loop *)loop, 0) >= 0 ? G_SOURCE_CONTINUE
                                                                  : G_SOURCE_REMOVE;
}

/* A source to attach to the context of the thread that shall turn |loop|; you own one reference.
 * NULL when the loop has no descriptor left. */
static inline GSource *pgrpc_glib_source_new(struct pgrpc_loop *loop)
{
    int fd = pgrpc_loop_fd(loop);
    GSource *source;
    if (fd < 0)
        return NULL;
    source = g_unix_fd_source_new(fd, G_IO_IN);
    g_source_set_callback(source, (GSourceFunc)(void (*)(void))pgrpc_glib_turn, loop, NULL);
    return source;
}

#ifdef __cplusplus
}
#endif
#endif
