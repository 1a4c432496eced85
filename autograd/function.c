/* Element-wise operations. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/function.h"

enum { CHUNK = 1 << 13 /* elements of a task */, SPAN = 256 };

typedef struct job {
    const dt_op_run *r;
    dt_function_values *values;
    dt_function_slopes *slopes;
    int64_t n;
} job;

static int64_t chunk(const job *j, int64_t i)
{
    int64_t left = j->n - i * CHUNK;
    return left < CHUNK ? left : CHUNK;
}

static void forward_chunk(void *arg, int64_t i, int thread)
{
    const job *j = arg;
    (void)thread;
    j->values(j->r->conf, chunk(j, i), (const real *)j->r->in[0] + i * CHUNK,
              (real *)j->r->out[0] + i * CHUNK);
}

/* dx may be dy. */
static void backward_chunk(void *arg, int64_t i, int thread)
{
    const job *j = arg;
    const real *x = (const real *)j->r->in[0] + i * CHUNK, *g = j->r->d_out[0] + i * CHUNK;
    real *dx = j->r->d_in[0] + i * CHUNK, slope[SPAN];
    int64_t n = chunk(j, i);
    (void)thread;
    for (int64_t at = 0; at < n; at += SPAN) {
        int64_t m = n - at < SPAN ? n - at : SPAN;
        j->slopes(j->r->conf, m, x + at, slope);
        for (int64_t k = 0; k < m; k++)
            dx[at + k] = (j->r->add[0] ? dx[at + k] : 0) + g[at + k] * slope[k];
    }
}

static void run(const job *j, dt_task task)
{
    job copy = *j;
    copy.n = dt_shape_count(&j->r->in_shape[0]);
    dt_parallel(j->r->threads, (copy.n + CHUNK - 1) / CHUNK, task, &copy);
}

void dt_function_forward(const dt_op_run *r, dt_function_values *values)
{
    run(&(job){ .r = r, .values = values }, forward_chunk);
}

void dt_function_backward(const dt_op_run *r, dt_function_slopes *slopes)
{
    run(&(job){ .r = r, .slopes = slopes }, backward_chunk);
}

const dt_op_example dt_function_examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 9, 11 } } } },
    { .in_count = 0 },
};
