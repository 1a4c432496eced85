/* The integer model on the fast kernels: exact products (kernels/conv_int.h), and codes by the
 * contract's own arithmetic, in vectors for float32, not by the thresholds and tables that the
 * reference goes by. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/thread.h"
#include "integer/run.h"

static const dt_int_value *value(const dt_int_run *r, int id)
{
    return &r->model->value[id];
}

static dt_code_grid grid_of(const dt_int_value *v)
{
    return (dt_code_grid){ v->grid.scale, v->grid.zero_point, v->grid.low, v->grid.high };
}

/* Elements of the output of all pictures. */
static int64_t count_of(const dt_int_run *r, const dt_int_node *n)
{
    return r->n * dt_int_count(value(r, n->out));
}

static void encode(dt_int_run *r, const dt_int_node *n)
{
    const dt_code_grid g = grid_of(value(r, n->out));
    r->kernels->code.encode(r->threads, count_of(r, n), r->picture, &g, r->data[n->out]);
}

static void product(dt_int_run *r, const dt_int_node *n)
{
    dt_conv_int_call c = { .shape = n->shape,
                           .x = r->data[n->in[0]],
                           .zero = value(r, n->in[0])->grid.zero_point,
                           .w = n->weight,
                           .bias = n->bias,
                           .y = r->data[n->out] };
    c.shape.N = r->n;
    r->kernels->conv_int.forward(&c, r->work, r->threads);
}

typedef struct job {
    const dt_int_run *r;
    const dt_int_node *n;
    const dt_int_value *x, *y;
} job;

static void each_picture(dt_int_run *r, const dt_int_node *n, dt_task task)
{
    job j = { r, n, value(r, n->in[0]), value(r, n->out) };
    dt_parallel(r->threads, r->n, task, &j);
}

static void mean_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const job *j = arg;
    int64_t C = j->x->C, pixels = j->n->pixels;
    const uint8_t *x = (const uint8_t *)j->r->data[j->n->in[0]] + i * pixels * C;
    int32_t *y = (int32_t *)j->r->data[j->n->out] + i * C;
    int32_t zeros = (int32_t)pixels * j->x->grid.zero_point;
    for (int64_t c = 0; c < C; c++)
        y[c] = -zeros;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < C; c++)
            y[c] += x[p * C + c];
}

static void mean(dt_int_run *r, const dt_int_node *n)
{
    each_picture(r, n, mean_task);
}

/* Contracts in fixed point: the formula itself, a chunk of elements at a time. */
typedef struct formula {
    const dt_int_node *n;
    const dt_lower_grid *g;
    int64_t count, C;
    const int32_t *sum;
    const uint8_t *a, *b;
    uint8_t *out;
} formula;

enum { CHUNK = 8192 };

static void formula_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const formula *f = arg;
    int64_t end = (i + 1) * CHUNK < f->count ? (i + 1) * CHUNK : f->count;
    int z = f->g->zero_point;
    for (int64_t k = i * CHUNK; k < end; k++)
        f->out[k] =
            (uint8_t)(f->sum ? z + dt_multiplier_apply(&f->n->multiplier[k % f->C], f->sum[k],
                                                       f->g->low - z, f->g->high - z)
                             : dt_adder_apply(&f->n->adder, f->a[k], f->b[k]));
}

static void run_formula(int threads, const formula *f)
{
    formula copy = *f;
    dt_parallel(threads, (f->count + CHUNK - 1) / CHUNK, formula_task, &copy);
}

void dt_int_engine_requant(const dt_kernels *k, int threads, const dt_int_node *n,
                           const dt_int_value *y, int64_t rows, const int32_t *x, float *scale,
                           uint8_t *out)
{
    const dt_code_grid g = grid_of(y);
    if (n->multiplier[0].rounding != DT_ROUND_FP32) {
        run_formula(threads, &(formula){ n, &y->grid, rows * y->C, y->C, x, NULL, NULL, out });
        return;
    }
    for (int64_t c = 0; c < y->C; c++)
        scale[c] = n->multiplier[c].f;
    k->code.requant(threads, rows, y->C, x, scale, &g, out);
}

/* `work` has room for a float each channel. */
static void requant(dt_int_run *r, const dt_int_node *n)
{
    const dt_int_value *y = value(r, n->out);
    dt_int_engine_requant(r->kernels, r->threads, n, y, r->n * y->H * y->W, r->data[n->in[0]],
                          r->work, r->data[n->out]);
}

void dt_int_engine_add(const dt_kernels *k, int threads, const dt_int_node *n,
                       const dt_int_value *y, int64_t count, const uint8_t *a, const uint8_t *b,
                       uint8_t *out)
{
    const dt_code_grid g = grid_of(y);
    const dt_adder *d = &n->adder;
    if (d->adding == DT_ADD_FUSED)
        k->code.add(threads, count, a, b, d->a_ratio, d->b_ratio, d->fixed, &g, out);
    else
        run_formula(threads, &(formula){ n, &y->grid, count, 1, NULL, a, b, out });
}

static void add(dt_int_run *r, const dt_int_node *n)
{
    dt_int_engine_add(r->kernels, r->threads, n, value(r, n->out), count_of(r, n),
                      r->data[n->in[0]], r->data[n->in[1]], r->data[n->out]);
}

void dt_int_engine_move(const dt_kernels *k, int threads, const dt_int_value *x,
                        const dt_int_value *y, int64_t count, const uint8_t *codes, uint8_t *out)
{
    const dt_code_grid from = grid_of(x), to = grid_of(y);
    k->code.move(threads, count, codes, &from, &to, out);
}

static void move(dt_int_run *r, const dt_int_node *n)
{
    dt_int_engine_move(r->kernels, r->threads, value(r, n->in[0]), value(r, n->out), count_of(r, n),
                       r->data[n->in[0]], r->data[n->out]);
}

static void maxpool_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const job *j = arg;
    const dt_conv_shape *s = &j->n->shape;
    int64_t H = j->x->H, W = j->x->W, C = j->x->C;
    const uint8_t *x = (const uint8_t *)j->r->data[j->n->in[0]] + i * H * W * C;
    uint8_t *y = (uint8_t *)j->r->data[j->n->out] + i * dt_int_count(j->y);
    for (int64_t p = 0; p < j->y->H * j->y->W; p++, y += C) {
        int64_t h0 = p / j->y->W * s->SH - s->PH, w0 = p % j->y->W * s->SW - s->PW;
        for (int64_t c = 0; c < C; c++)
            y[c] = 0;
        for (int64_t h = h0 < 0 ? 0 : h0; h < h0 + s->KH && h < H; h++)
            for (int64_t w = w0 < 0 ? 0 : w0; w < w0 + s->KW && w < W; w++)
                for (int64_t c = 0; c < C; c++)
                    y[c] = y[c] > x[(h * W + w) * C + c] ? y[c] : x[(h * W + w) * C + c];
    }
}

static void maxpool(dt_int_run *r, const dt_int_node *n)
{
    each_picture(r, n, maxpool_task);
}

static void pad_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const job *j = arg;
    int64_t I = j->x->C, O = j->y->C;
    const uint8_t *x = (const uint8_t *)j->r->data[j->n->in[0]] + i * dt_int_count(j->x);
    uint8_t *y = (uint8_t *)j->r->data[j->n->out] + i * dt_int_count(j->y);
    for (int64_t p = 0; p < j->y->H * j->y->W; p++, y += O) {
        int64_t h = p / j->y->W * j->n->shape.SH, w = p % j->y->W * j->n->shape.SW;
        for (int64_t c = 0; c < O; c++)
            y[c] = (uint8_t)j->y->grid.zero_point;
        for (int64_t c = 0; c < I; c++)
            y[j->n->before + c] = x[(h * j->x->W + w) * I + c];
    }
}

static void pad(dt_int_run *r, const dt_int_node *n)
{
    each_picture(r, n, pad_task);
}

static void node(dt_int_run *r, const dt_int_node *n)
{
    static void (*const run[DT_INT_KINDS])(dt_int_run * r, const dt_int_node *n) = {
        [DT_INT_INPUT] = encode,    [DT_INT_PRODUCT] = product, [DT_INT_MEAN] = mean,
        [DT_INT_REQUANT] = requant, [DT_INT_ADD] = add,         [DT_INT_TABLE] = move,
        [DT_INT_MAXPOOL] = maxpool, [DT_INT_PAD] = pad,
    };
    run[n->kind](r, n);
}

static size_t work(const dt_int_run *r)
{
    size_t most = 0;
    for (int i = 0; i < r->model->node_count; i++) {
        const dt_int_node *n = &r->model->node[i];
        size_t size = (size_t)value(r, n->out)->C * sizeof(float);
        dt_conv_shape s = n->shape;
        s.N = r->room;
        if (n->kind == DT_INT_PRODUCT) size = r->kernels->conv_int.workspace(&s, r->threads);
        most = size > most ? size : most;
    }
    return most;
}

const dt_int_executor dt_int_engine = { "engine", node, work };
