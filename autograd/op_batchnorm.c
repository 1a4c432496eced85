/* Batch normalisation over the last axis: y = gamma (x - mean) / sqrt(var + eps) + beta (Ioffe and
 * Szegedy 2015). Training uses the batch's biased variance and moves the running values by
 * `momentum`, the running variance from the unbiased one (PyTorch's convention). Inputs: x [...,C],
 * gamma, beta, running mean, running variance [C]. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_batchnorm.h"

#include <math.h>
#include <string.h>

dt_batchnorm_dims dt_batchnorm_dims_of(const dt_shape *x)
{
    int64_t C = x->dim[x->rank - 1];
    return (dt_batchnorm_dims){ dt_shape_count(x) / C, C };
}

size_t dt_batchnorm_saved_bytes(dt_batchnorm_dims d)
{
    return 2 * (size_t)d.C * sizeof(real);
}

size_t dt_batchnorm_work_bytes(dt_batchnorm_dims d, int threads)
{
    return 5 * (size_t)d.C * sizeof(double) + dt_point_work(d.rows, d.C, threads);
}

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    if (in[0].rank < 2) return dt_fail(err, DT_ERR_SHAPE, NULL, "input wants 2 or more dimensions");
    for (int i = 1; i < in_count; i++)
        if (in[i].rank != 1 || in[i].dim[0] != in[0].dim[in[0].rank - 1])
            return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s and parameter %s differ in channels",
                           dt_shape_print(&in[0], a), dt_shape_print(&in[i], b));
    out[0] = in[0];
    return DT_OK;
}

static void memory(const dt_op_run *r, dt_op_memory *out)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    out->saved = dt_batchnorm_saved_bytes(d);
    out->forward_work = out->backward_work = dt_batchnorm_work_bytes(d, r->threads);
}

/* That the statistics are of. */
static double all_rows(const dt_op_run *r)
{
    double rows = (double)dt_batchnorm_dims_of(&r->in_shape[0]).rows;
    return r->batches ? rows * r->batches : rows;
}

/* From the batch's mean [C] and biased variance [C]. */
static void move_running(const dt_op_run *r, const dt_batchnorm_conf *c, const double *mean,
                         const double *var)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    real *run_mean = r->in[DT_BN_MEAN], *run_var = r->in[DT_BN_VAR];
    double momentum = r->norms == DT_NORMS_REPLACE ? 1 : c->momentum;
    double rows = all_rows(r), unbias = rows > 1 ? rows / (rows - 1) : 1;
    for (int64_t i = 0; i < d.C; i++) {
        run_mean[i] = (real)((1 - momentum) * (double)run_mean[i] + momentum * mean[i]);
        run_var[i] = (real)((1 - momentum) * (double)run_var[i] + momentum * unbias * var[i]);
    }
}

int64_t dt_batchnorm_count(const void *conf, const dt_shape *in)
{
    (void)conf;
    return 2 * dt_batchnorm_dims_of(in).C;
}

void dt_batchnorm_move(const dt_op_run *r, const double *numbers)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    move_running(r, r->conf, numbers, numbers + d.C);
}

/* All batches have as many rows, so their number is a weight (Chan, Golub and LeVeque 1979). */
void dt_batchnorm_merge(int64_t count, double *a, double a_batches, const double *b,
                        double b_batches)
{
    int64_t C = count / 2;
    double both = a_batches + b_batches;
    for (int64_t i = 0; i < C; i++) {
        double apart = b[i] - a[i];
        double spread = apart * apart * (a_batches / both) * (b_batches / both);
        a[i] += apart * (b_batches / both);
        a[C + i] = (a_batches * a[C + i] + b_batches * b[C + i]) / both + spread;
    }
}

static void use_batch(const dt_op_run *r, const dt_batchnorm_conf *c, dt_batchnorm_dims d,
                      const double *mean, const double *var)
{
    real *save_mean = r->saved, *save_inv = save_mean + d.C;
    for (int64_t i = 0; i < d.C; i++) {
        save_mean[i] = (real)mean[i];
        save_inv[i] = (real)(1 / sqrt(var[i] + c->eps));
    }
    if (r->norms == DT_NORMS_BATCH) return;
    if (r->norms == DT_NORMS_MOVE && r->moves) {
        memcpy(r->moves, mean, (size_t)d.C * sizeof *mean);
        memcpy(r->moves + d.C, var, (size_t)d.C * sizeof *var);
    } else {
        move_running(r, c, mean, var);
    }
}

static void use_running(const dt_op_run *r, const dt_batchnorm_conf *c, dt_batchnorm_dims d)
{
    const real *run_mean = r->in[DT_BN_MEAN], *run_var = r->in[DT_BN_VAR];
    real *save_mean = r->saved, *save_inv = save_mean + d.C;
    for (int64_t i = 0; i < d.C; i++) {
        save_mean[i] = run_mean[i];
        save_inv[i] = (real)(1 / sqrt((double)run_var[i] + c->eps));
    }
}

void dt_batchnorm_statistics(const dt_op_run *r, const dt_batchnorm_conf *c, bool known, void *work,
                             real *k)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    double *mean = work, *var = mean + d.C, *rest = mean + 5 * d.C;
    if (r->joined)
        memcpy(mean, r->joined, 2 * (size_t)d.C * sizeof *mean);
    else if (r->norms != DT_NORMS_RUNNING && !known)
        r->kernels->point.moments(r->threads, d.rows, d.C, r->in[0], rest, mean, var);
    if (r->norms == DT_NORMS_RUNNING)
        use_running(r, c, d);
    else
        use_batch(r, c, d, mean, var);
    const real *gamma = r->in[DT_BN_GAMMA], *inv = (real *)r->saved + d.C;
    for (int64_t i = 0; i < d.C; i++)
        k[i] = gamma[i] * inv[i];
}

static void forward(const dt_op_run *r)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    double *work = r->work, *rest = work + 5 * d.C;
    real *k = (real *)(work + 2 * d.C);
    dt_batchnorm_statistics(r, r->conf, false, work, k);
    r->kernels->point.scale_shift(r->threads, d.rows, d.C, r->in[0], r->saved, k, r->in[DT_BN_BETA],
                                  rest, r->out[0]);
}

static void measure(const dt_op_run *r, double *to)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    r->kernels->point.moments(r->threads, d.rows, d.C, r->in[0], (double *)r->work + 5 * d.C, to,
                              to + d.C);
}

/* dbeta = sum dy; dgamma = sum dy xhat;
 * dx = gamma inv (dy - dbeta/rows - xhat dgamma/rows), with xhat = (x - mean) inv; with running
 * statistics dx = gamma inv dy. */
void dt_batchnorm_param_grads(const dt_op_run *r, const double *sum_dy, const double *sum_dyx)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    const real *inv = (real *)r->saved + d.C;
    for (int64_t i = 0; i < d.C; i++) {
        if (r->d_in[DT_BN_GAMMA]) r->d_in[DT_BN_GAMMA][i] = (real)(sum_dyx[i] * (double)inv[i]);
        if (r->d_in[DT_BN_BETA]) r->d_in[DT_BN_BETA][i] = (real)sum_dy[i];
    }
}

void dt_batchnorm_factors(const dt_op_run *r, const double *sum_dy, const double *sum_dyx, real *k,
                          real *a, real *b)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    const real *gamma = r->in[DT_BN_GAMMA], *inv = (real *)r->saved + d.C;
    double rows = all_rows(r);
    bool fixed = r->norms == DT_NORMS_RUNNING;
    for (int64_t i = 0; i < d.C; i++) {
        double inverse = (double)inv[i];
        k[i] = gamma[i] * inv[i];
        a[i] = fixed ? 0 : (real)(sum_dy[i] / rows);
        b[i] = fixed ? 0 : (real)(sum_dyx[i] * inverse * inverse / rows);
    }
}

static void measure_back(const dt_op_run *r, double *to)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    r->kernels->point.norm_back_sums(r->threads, d.rows, d.C, r->in[0], r->d_out[0], r->saved,
                                     (double *)r->work + 5 * d.C, to, to + d.C);
    dt_batchnorm_param_grads(r, to, to + d.C);
}

static void backward(const dt_op_run *r)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    double *work = r->work, *rest = work + 5 * d.C;
    real *k = (real *)(work + 2 * d.C), *a = k + d.C, *b = a + d.C;
    const double *sums = r->joined;
    if (!sums) {
        measure_back(r, work);
        sums = work;
    }
    dt_batchnorm_factors(r, sums, sums + d.C, k, a, b);
    if (r->d_in[0])
        r->kernels->point.norm_back(r->threads, d.rows, d.C, r->in[0], r->d_out[0], r->saved, k, a,
                                    b, rest, r->d_in[0], r->add[0]);
}

static const dt_batchnorm_conf conf = { .eps = 1e-5, .momentum = 0.1 };
static const dt_op_example examples[] = {
    { .in_count = 5,
      .in = { { 4, { 3, 2, 2, 3 } }, { 1, { 3 } }, { 1, { 3 } }, { 1, { 3 } }, { 1, { 3 } } },
      .conf = &conf,
      .positive = 1 << DT_BN_VAR },
    { .in_count = 5,
      .in = { { 2, { 40, 5 } }, { 1, { 5 } }, { 1, { 5 } }, { 1, { 5 } }, { 1, { 5 } } },
      .conf = &conf,
      .positive = 1 << DT_BN_VAR },
    { .in_count = 5,
      .in = { { 2, { 6, 5 } }, { 1, { 5 } }, { 1, { 5 } }, { 1, { 5 } }, { 1, { 5 } } },
      .conf = &conf,
      .norms = DT_NORMS_RUNNING,
      .positive = 1 << DT_BN_VAR },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_FLOAT(dt_batchnorm_conf, eps, 1e-5, 0, 1, "added to the variance"),
    DT_OPT_FLOAT(dt_batchnorm_conf, momentum, 0.1, 0, 1,
                 "share of the batch in running statistics"),
    DT_OPT_END,
};

static const dt_op_statistics statistics = {
    .count = dt_batchnorm_count,
    .move = dt_batchnorm_move,
    .measure = measure,
    .merge = dt_batchnorm_merge,
    .measure_back = measure_back,
};

const dt_op dt_op_batchnorm = {
    .name = "batchnorm",
    .in_min = 5,
    .in_max = 5,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_batchnorm_conf),
    .grads = 7,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .batch_stat = true,
    .affine = true,
    .form = "batchnorm",
    .infer = infer,
    .memory = memory,
    .statistics = &statistics,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
