/* OpenMP loops and a pthread worker. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/thread.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/alloc.h"

void dt_parallel(int threads, int64_t n, dt_task task, void *arg)
{
    if (threads <= 1 || n <= 1) {
        for (int64_t i = 0; i < n; i++)
            task(arg, i, 0);
        return;
    }
    /* Tasks are handed out by a counter of our own: for a dynamic schedule LLVM's runtime allocates
     * in every loop. */
    atomic_int_fast64_t next = 0;
#pragma omp parallel num_threads(threads)
    {
        int thread = omp_get_thread_num();
        for (int64_t i; (i = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed)) < n;)
            task(arg, i, thread);
    }
}

int dt_cpu_count(void)
{
    int n = omp_get_num_procs();
    return n < 1 ? 1 : n > DT_MAX_THREADS ? DT_MAX_THREADS : n;
}

struct dt_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    dt_job job; /* NULL: idle */
    void *arg;
    bool quit;
};

static void *worker_main(void *p)
{
    dt_worker *w = p;
    pthread_mutex_lock(&w->lock);
    while (!w->quit) {
        if (!w->job) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        w->job(w->arg);
        pthread_mutex_lock(&w->lock);
        w->job = NULL;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

dt_worker *dt_worker_new(void)
{
    dt_worker *w = dt_get(NULL, sizeof *w, "worker");
    if (!w) return NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    if (pthread_create(&w->thread, NULL, worker_main, w) == 0) return w;
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    dt_put(NULL, w);
    return NULL;
}

void dt_worker_wait(dt_worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->job)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

void dt_worker_start(dt_worker *w, dt_job job, void *arg)
{
    dt_worker_wait(w);
    pthread_mutex_lock(&w->lock);
    w->job = job;
    w->arg = arg;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void dt_worker_free(dt_worker *w)
{
    if (!w) return;
    dt_worker_wait(w);
    pthread_mutex_lock(&w->lock);
    w->quit = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    dt_put(NULL, w);
}
