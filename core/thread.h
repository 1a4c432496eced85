/* Threads: parallel loops for kernels (OpenMP) and one background worker for the loader. Work is
 * cut by size, never by thread count, so results do not depend on either. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_THREAD_H
#define DT_CORE_THREAD_H

#include <stdint.h>

#include "core/status.h"

enum { DT_MAX_THREADS = 256 };

/* Task i of n; `thread` is 0..threads-1 and selects scratch memory only. */
typedef void (*dt_task)(void *arg, int64_t i, int thread);

/* Runs task(arg, 0..n-1, .) on at most `threads` threads (>= 1); returns when all are done. */
void dt_parallel(int threads, int64_t n, dt_task task, void *arg);
/* Processors this process may use, 1..DT_MAX_THREADS. */
int dt_cpu_count(void);

/* Worker: a thread that runs one job at a time. start/wait pair up; wait returns at once when no
 * job is under way. */
typedef struct dt_worker dt_worker;
typedef void (*dt_job)(void *arg);
dt_worker *dt_worker_new(void) DT_MUST_CHECK; /* NULL: no thread or memory */
void dt_worker_start(dt_worker *w, dt_job job, void *arg);
void dt_worker_wait(dt_worker *w);
void dt_worker_free(dt_worker *w); /* waits for the job; NULL is fine */

#endif
