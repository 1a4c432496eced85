/* SPDX-License-Identifier: Apache-2.0 */
#include "core/thread.h"

#include "tests/support/run.h"

static void square(void *arg, int64_t i, int thread)
{
    (void)thread;
    ((int64_t *)arg)[i] = i * i;
}

START_TEST(every_task_runs_once)
{
    for (int threads = 1; threads <= 4; threads++) {
        int64_t out[1000] = { 0 };
        dt_parallel(threads, 1000, square, out);
        for (int64_t i = 0; i < 1000; i++)
            ck_assert_int_eq(out[i], i * i);
    }
    dt_parallel(4, 0, square, NULL);
    ck_assert_int_ge(dt_cpu_count(), 1);
}
END_TEST

static void add_one(void *arg)
{
    ++*(int *)arg;
}

START_TEST(worker_runs_jobs_in_turn)
{
    dt_worker *w = dt_worker_new();
    int n = 0;
    for (int i = 0; i < 1000; i++)
        dt_worker_start(w, add_one, &n);
    dt_worker_wait(w);
    ck_assert_int_eq(n, 1000);
    dt_worker_wait(w);
    dt_worker_free(w);
    dt_worker_free(NULL);
}
END_TEST

DT_TEST_MAIN("thread", every_task_runs_once, worker_runs_jobs_in_turn)
