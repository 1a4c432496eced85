/* y = inputs beside each other along the last axis; they are equal in all other dimensions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op.h"

enum { ROWS = 64 }; /* of a task */

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    dt_shape y = in[0];
    int last = y.rank - 1;
    for (int i = 1; i < in_count; i++) {
        dt_shape same = in[i];
        if (same.rank == y.rank) same.dim[last] = in[0].dim[last];
        if (!dt_shape_equal(&in[0], &same))
            return dt_fail(err, DT_ERR_SHAPE, NULL,
                           "inputs %s and %s differ in more than the last dimension",
                           dt_shape_print(&in[0], a), dt_shape_print(&in[i], b));
        y.dim[last] += in[i].dim[last];
    }
    out[0] = y;
    return DT_OK;
}

static int64_t last_of(const dt_shape *s)
{
    return s->dim[s->rank - 1];
}

static int inputs_of(const dt_op_run *r)
{
    int64_t C = 0;
    int count = 0;
    while (C < last_of(&r->out_shape[0]))
        C += last_of(&r->in_shape[count++]);
    return count;
}

static void forward_rows(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t O = last_of(&r->out_shape[0]), rows = dt_shape_count(&r->out_shape[0]) / O, at = 0;
    int64_t end = (i + 1) * ROWS < rows ? (i + 1) * ROWS : rows;
    for (int k = 0; k < inputs_of(r); k++) {
        int64_t C = last_of(&r->in_shape[k]);
        for (int64_t row = i * ROWS; row < end; row++)
            memcpy((real *)r->out[0] + row * O + at, (const real *)r->in[k] + row * C,
                   (size_t)C * sizeof(real));
        at += C;
    }
}

static void backward_rows(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t O = last_of(&r->out_shape[0]), rows = dt_shape_count(&r->out_shape[0]) / O, at = 0;
    int64_t end = (i + 1) * ROWS < rows ? (i + 1) * ROWS : rows;
    for (int k = 0; k < inputs_of(r); k++) {
        int64_t C = last_of(&r->in_shape[k]);
        for (int64_t row = i * ROWS; r->d_in[k] && row < end; row++) {
            const real *g = r->d_out[0] + row * O + at;
            real *d = r->d_in[k] + row * C;
            for (int64_t c = 0; c < C; c++)
                d[c] = r->add[k] ? d[c] + g[c] : g[c];
        }
        at += C;
    }
}

static void in_rows(const dt_op_run *r, dt_task task)
{
    int64_t rows = dt_shape_count(&r->out_shape[0]) / last_of(&r->out_shape[0]);
    dt_op_each(r, (rows + ROWS - 1) / ROWS, task);
}

static void forward(const dt_op_run *r)
{
    in_rows(r, forward_rows);
}

static void backward(const dt_op_run *r)
{
    in_rows(r, backward_rows);
}

static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 4, { 2, 3, 5, 4 } }, { 4, { 2, 3, 5, 2 } } } },
    { .in_count = 3, .in = { { 2, { 70, 1 } }, { 2, { 70, 3 } }, { 2, { 70, 2 } } } },
    { .in_count = 16,
      .in = { { 2, { 3, 1 } },
              { 2, { 3, 2 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 1 } },
              { 2, { 3, 2 } } } },
    { .in_count = 0 },
};

const dt_op dt_op_concat = {
    .name = "concat",
    .in_min = 1,
    .in_max = DT_OP_MAX_IN,
    .out_count = 1,
    .grads = (1u << DT_OP_MAX_IN) - 1,
    .accumulates = (1u << DT_OP_MAX_IN) - 1,
    .sign = DT_SIGN_KEEP,
    .joins = true,
    .form = "concat",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
