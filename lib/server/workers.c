#include "server/workers.h"

#include <errno.h>
#include <signal.h>

static void *work(void *userdata)
{
    struct workers *workers = userdata;
    pthread_mutex_lock(&workers->lock);
    while (true) {
        struct list *node = list_pop(&workers->queue);
        if (!node) {
            if (workers->is_stopping)
                break;
            workers->idle++;
            pthread_cond_wait(&workers->work, &workers->lock);
            workers->idle--;
            continue;
        }
        workers->queued--;
        pthread_mutex_unlock(&workers->lock);
        struct pgrpc_call *call = CONTAINER_OF(node, struct pgrpc_call, picker_node);
        if (pgrpc__loop_take_lock(call->loop) == 0) {
            struct pgrpc_loop *loop = call->loop;
            pgrpc__call_run_handler(call);
            pgrpc__call_unref_locked(call);
            pgrpc__loop_leave_lock(loop);
        }
        pthread_mutex_lock(&workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

/* Signals are for the application's threads. */
static int start_thread(struct workers *workers)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&workers->threads[workers->count], NULL, work, workers);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        workers->count++;
    return -error;
}

int pgrpc__workers_init(struct workers *workers, const struct pgrpc_allocator *allocator,
                        unsigned limit)
{
    workers->allocator = allocator;
    workers->limit = limit;
    workers->count = 0;
    workers->idle = 0;
    workers->queued = 0;
    workers->is_stopping = false;
    list_init(&workers->queue);
    workers->threads = pgrpc__raw_zalloc(allocator, limit * sizeof(*workers->threads));
    if (!workers->threads)
        return -ENOMEM;
    int error = pthread_mutex_init(&workers->lock, NULL);
    if (error == 0) {
        error = pthread_cond_init(&workers->work, NULL);
        if (error)
            pthread_mutex_destroy(&workers->lock);
    }
    if (error) {
        pgrpc__raw_free(allocator, workers->threads);
        workers->threads = NULL;
    }
    return -error;
}

int pgrpc__workers_add(struct workers *workers, struct pgrpc_call *call)
{
    int result = 0;
    pthread_mutex_lock(&workers->lock);
    if (workers->idle <= workers->queued && workers->count < workers->limit)
        result = start_thread(workers);
    if (workers->count && !workers->is_stopping) {
        pgrpc_call_ref(call);
        list_add_tail(&workers->queue, &call->picker_node);
        workers->queued++;
        pthread_cond_signal(&workers->work);
        result = 0;
    } else if (result == 0) {
        result = -EAGAIN;
    }
    pthread_mutex_unlock(&workers->lock);
    return result;
}

void pgrpc__workers_clear(struct workers *workers)
{
    if (!workers->threads)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->is_stopping = true;
    pthread_cond_broadcast(&workers->work);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->count; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_cond_destroy(&workers->work);
    pthread_mutex_destroy(&workers->lock);
    pgrpc__raw_free(workers->allocator, workers->threads);
    workers->threads = NULL;
    workers->count = 0;
}
