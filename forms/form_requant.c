/* From sums to codes: low + how many of the channel's thresholds are <= the sum. The formats write
 * it with what makes the sums. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/qonnx/qonnx.h"
#include "integer/builder.h"
#include "integer/job.h"
#include "integer/prover.h"

static dt_status end(dt_int_builder *b, const dt_node *site, const dt_int_state *x,
                     const dt_lower_grid *grid, int *out_value)
{
    dt_int_node *node;
    DT_TRY(dt_int_end_node(b, &dt_form_requant, site, x, grid, &node));
    size_t C = (size_t)b->m->value[node->out].C, steps = (size_t)(grid->high - grid->low);
    node->multiplier = dt_arena_get(b->m->arena, C * sizeof *node->multiplier);
    node->threshold = dt_arena_get(b->m->arena, C * steps * sizeof *node->threshold + 1);
    if (!node->multiplier || !node->threshold) return dt_int_no_memory(b->err);
    *out_value = node->out;
    return DT_OK;
}

static void round_sums(const dt_int_model *m, dt_int_node *n)
{
    const dt_int_value *x = &m->value[n->in[0]], *y = &m->value[n->out];
    const dt_int_node *from = dt_int_producer(m, n->in[0]);
    for (int64_t c = 0; c < y->C; c++) {
        n->multiplier[c] =
            from->pixels ? dt_multiplier_mean(m->contract, &m->value[from->in[0]].grid, &y->grid,
                                              from->pixels)
                         : dt_multiplier_product(m->contract, from->x_scale, from->w_scale[c],
                                                 y->grid.scale);
        dt_int_thresholds(&n->multiplier[c], &y->grid, x->low[c], x->high[c],
                          n->threshold + c * (y->grid.high - y->grid.low));
    }
}

static void reference(const dt_int_job *j, int64_t picture)
{
    const int32_t *x = dt_int_input(j, 0, picture);
    uint8_t *y = dt_int_codes(j, picture);
    int low = j->y->grid.low, high = j->y->grid.high;
    for (int64_t i = 0; i < dt_int_count(j->y); i++)
        y[i] =
            (uint8_t)dt_int_stairs(j->n->threshold + i % j->y->C * (high - low), low, high, x[i]);
}

static int32_t code_at(const dt_int_formula *f, int64_t k)
{
    const dt_lower_grid *g = &f->y->grid;
    return g->zero_point + dt_multiplier_apply(&f->n->multiplier[k % f->y->C],
                                               ((const int32_t *)f->a)[k], g->low - g->zero_point,
                                               g->high - g->zero_point);
}

/* x, out: [rows,C]; `scale` has room for C floats. */
static void requantize(const dt_kernels *k, int threads, const dt_int_node *n,
                       const dt_int_value *y, int64_t rows, const int32_t *x, float *scale,
                       uint8_t *out)
{
    const dt_code_grid g = dt_int_grid_of(y);
    if (n->multiplier[0].rounding != DT_ROUND_FP32 || n->multiplier[0].converts) {
        dt_int_each_element(threads, &(dt_int_formula){ code_at, n, y, x, NULL, out, rows * y->C });
        return;
    }
    for (int64_t c = 0; c < y->C; c++)
        scale[c] = n->multiplier[c].f;
    k->code.requant(threads, rows, y->C, x, scale, &g, out);
}

static void engine(dt_int_run *r, const dt_int_node *n)
{
    const dt_int_value *y = dt_int_value_of(r, n->out);
    requantize(r->kernels, r->threads, n, y, r->n * y->H * y->W, r->data[n->in[0]], r->work,
               r->data[n->out]);
}

static size_t work(const dt_int_run *r, const dt_int_node *n)
{
    return (size_t)dt_int_value_of(r, n->out)->C * sizeof(float);
}

static void prove_engine(const dt_prover *p, const dt_int_node *n, int64_t rows,
                         const int32_t *sums, uint8_t *out)
{
    requantize(p->k, p->threads, n, &p->m->value[n->out], rows, sums, p->scale, out);
}

static void prove(dt_prover *p, int node)
{
    dt_prove_stairs(p, node, prove_engine);
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    const dt_int_node *from = dt_int_producer(w->model, n->in[0]);
    int64_t C = w->model->value[n->out].C;
    bool flat = w->flat[n->in[0]];
    const dt_shape shape = flat ? DT_SHAPE(C) : DT_SHAPE(1, C, 1, 1);
    const char *m = dt_qonnx_part(w, n, ".multiplier"), *scaled = dt_qonnx_part(w, n, "/Mul");
    float *M = dt_qonnx_row(w, C);
    if (!M) return dt_qonnx_no_memory(w);
    for (int64_t c = 0; c < C; c++)
        M[c] = n->multiplier[c].f * (from->pixels ? (float)from->pixels : 1);
    dt_onnx_constant(w->m, m, DT_ONNX_FLOAT, &shape, M);
    dt_onnx_node(w->m, "Mul", (const char *[]){ w->whole[n->in[0]], m, NULL }, scaled, NULL);
    w->flat[n->out] = flat;
    dt_qonnx_end(w, n, scaled);
    return DT_OK;
}

const dt_form dt_form_requant = {
    .name = "requant",
    .end = end,
    .round = round_sums,
    .reference = reference,
    .engine = engine,
    .work = work,
    .prove = prove,
    .qonnx = qonnx,
};
