/* Losses over elements. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/loss_elements.h"

#include <math.h>

dt_status dt_elements_infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                            dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    if (in[0].rank != 2 || !dt_shape_equal(&in[0], &in[1]))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "outputs %s and answers %s do not fit",
                       dt_shape_print(&in[0], a), dt_shape_print(&in[1], b));
    out[0] = DT_SHAPE(1);
    return DT_OK;
}

/* Work: the loss of each sample. */
void dt_elements_memory(const dt_op_run *r, dt_op_memory *out)
{
    out->forward_work = (size_t)r->in_shape[0].dim[0] * sizeof(double);
}

double dt_elements_of(const void *conf, const real *y, const void *answer, int64_t K,
                      dt_element_fn value)
{
    const real *t = answer;
    double sum = 0;
    for (int64_t k = 0; k < K; k++)
        sum += value(conf, (double)y[k], (double)t[k]);
    return sum / (double)K;
}

static bool counts(const dt_op_run *r, int64_t n)
{
    return !isnan(((const real *)r->in[1])[n * r->in_shape[1].dim[1]]);
}

static int64_t valid_rows(const dt_op_run *r)
{
    int64_t valid = 0;
    for (int64_t n = 0; n < r->in_shape[0].dim[0]; n++)
        valid += counts(r, n);
    return valid > 0 ? valid : 1;
}

typedef struct pass {
    const dt_op_run *r;
    dt_element_fn of;
    double each; /* backward: gradient of an element's value */
} pass;

static void row(void *arg, int64_t n, int thread)
{
    (void)thread;
    const pass *p = arg;
    const dt_op_run *r = p->r;
    int64_t K = r->in_shape[0].dim[1];
    const real *y = (const real *)r->in[0] + n * K, *t = (const real *)r->in[1] + n * K;
    ((double *)r->work)[n] = counts(r, n) ? dt_elements_of(r->conf, y, t, K, p->of) : 0;
}

void dt_elements_forward(const dt_op_run *r, dt_element_fn value)
{
    pass p = { .r = r, .of = value };
    double sum = 0;
    dt_parallel(r->threads, r->in_shape[0].dim[0], row, &p);
    for (int64_t n = 0; n < r->in_shape[0].dim[0]; n++)
        sum += ((const double *)r->work)[n];
    ((real *)r->out[0])[0] = (real)(sum / (double)valid_rows(r));
}

static void row_back(void *arg, int64_t n, int thread)
{
    (void)thread;
    const pass *p = arg;
    const dt_op_run *r = p->r;
    int64_t K = r->in_shape[0].dim[1];
    const real *y = (const real *)r->in[0] + n * K, *t = (const real *)r->in[1] + n * K;
    bool own = counts(r, n);
    for (int64_t k = 0; k < K; k++)
        r->d_in[0][n * K + k] =
            own ? (real)(p->each * p->of(r->conf, (double)y[k], (double)t[k])) : 0;
}

void dt_elements_backward(const dt_op_run *r, dt_element_fn slope)
{
    double all = (double)valid_rows(r) * (double)r->in_shape[0].dim[1];
    pass p = { .r = r, .of = slope, .each = (double)r->d_out[0][0] / all };
    dt_parallel(r->threads, r->in_shape[0].dim[0], row_back, &p);
}

const dt_op_example dt_elements_examples[] = {
    { .in_count = 2, .in = { { 2, { 5, 4 } }, { 2, { 5, 4 } } } },
    { .in_count = 2, .in = { { 2, { 3, 1 } }, { 2, { 3, 1 } } } },
    { .in_count = 0 },
};
