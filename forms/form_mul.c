/* The product of two values on grids of their own, one of which may be repeated over rows and
 * columns: a table of all pairs of codes. With M = a's scale * b's scale / y's scale and p the
 * product of the codes less their zero points, onnxruntime's QLinearMul rounds M p + zero point in
 * float32 (tried on all pairs of 60 random triples of grids); the others round M p. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "exchange/c99/c_cell.h"
#include "exchange/c99/c_numbers.h"
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "exchange/tflite/tflite_walker.h"
#include "integer/builder.h"
#include "integer/job.h"
#include "integer/prover.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    int in[2];
    for (int k = 0; k < 2; k++)
        DT_TRY(dt_int_codes_of(b, n, k, "a factor", &in[k]));
    dt_int_set_waiting(b, n, &dt_form_mul, in, 2);
    return DT_OK;
}

static dt_status end(dt_int_builder *b, const dt_node *site, const dt_int_state *x,
                     const dt_lower_grid *grid, int *out_value)
{
    dt_int_node *node;
    DT_TRY(dt_int_end_node(b, &dt_form_mul, site, x, grid, &node));
    node->pair = dt_arena_get(b->m->arena, DT_PAIRS);
    node->multiplier = dt_arena_get(b->m->arena, sizeof *node->multiplier);
    if (!node->pair || !node->multiplier) return dt_int_no_memory(b->err);
    *out_value = node->out;
    return DT_OK;
}

/* ---- codes ---- */

typedef struct factors {
    dt_multiplier m;
    dt_lower_grid a, b, y;
    bool with_zero; /* M p + zero point is rounded */
} factors;

static factors factors_of(const dt_int_model *m, const dt_int_node *n, const dt_contract *c)
{
    factors f = { .a = m->value[n->in[0]].grid,
                  .b = m->value[n->in[1]].grid,
                  .y = m->value[n->out].grid,
                  .with_zero = c->adding <= DT_ADD_UNFUSED };
    f.m = dt_multiplier_product(c, f.a.scale, f.b.scale, f.y.scale);
    return f;
}

static int32_t code_of(const factors *f, int32_t a, int32_t b)
{
    int32_t p = (a - f->a.zero_point) * (b - f->b.zero_point), z = f->y.zero_point;
    if (!f->with_zero) return z + dt_multiplier_apply(&f->m, p, f->y.low - z, f->y.high - z);
    float scaled = (float)p * f->m.f, v = rintf(scaled + (float)z);
    return v > (float)f->y.low ? v < (float)f->y.high ? (int32_t)v : f->y.high : f->y.low;
}

static void pairs_under(const dt_int_model *m, const dt_int_node *n, const dt_contract *c,
                        uint8_t *out)
{
    const factors f = factors_of(m, n, c);
    for (int i = 0; i < DT_PAIRS; i++)
        out[i] = (uint8_t)code_of(&f, i / DT_CODES, i % DT_CODES);
}

static void round_pairs(const dt_int_model *m, dt_int_node *n)
{
    *n->multiplier = factors_of(m, n, m->contract).m;
    pairs_under(m, n, m->contract, n->pair);
}

/* ---- execution ---- */

static int64_t at(const dt_int_value *v, int64_t h, int64_t w)
{
    return ((v->H > 1 ? h : 0) * v->W + (v->W > 1 ? w : 0)) * v->C;
}

static void reference(const dt_int_job *j, int64_t picture)
{
    const dt_int_value *va = j->x, *vb = dt_int_value_of(j->r, j->n->in[1]);
    const uint8_t *a = dt_int_input(j, 0, picture), *b = dt_int_input(j, 1, picture);
    uint8_t *y = dt_int_codes(j, picture);
    for (int64_t h = 0; h < j->y->H; h++)
        for (int64_t w = 0; w < j->y->W; w++)
            for (int64_t c = 0; c < j->y->C; c++)
                *y++ = j->n->pair[a[at(va, h, w) + c] * DT_CODES + b[at(vb, h, w) + c]];
}

/* By the contract's formula, not by the table. */
static void engine_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_int_job *j = arg;
    const factors f = factors_of(j->r->model, j->n, j->r->model->contract);
    const dt_int_value *va = j->x, *vb = dt_int_value_of(j->r, j->n->in[1]);
    const uint8_t *a = dt_int_input(j, 0, i), *b = dt_int_input(j, 1, i);
    uint8_t *y = dt_int_codes(j, i);
    for (int64_t h = 0; h < j->y->H; h++)
        for (int64_t w = 0; w < j->y->W; w++)
            for (int64_t c = 0; c < j->y->C; c++)
                *y++ = (uint8_t)code_of(&f, a[at(va, h, w) + c], b[at(vb, h, w) + c]);
}

static void engine(dt_int_run *r, const dt_int_node *n)
{
    dt_int_each_picture(r, n, engine_task);
}

static void prove(dt_prover *p, int node)
{
    const dt_int_node *n = &p->m->node[node];
    pairs_under(p->m, n, p->m->contract, p->out);
    dt_prove_codes(p, node, NULL, -1, n->pair, p->out, true);
    dt_prove_contracts(p, node, n->pair, pairs_under);
}

/* ---- ONNX ---- */

/* [N,C] beside pictures is [N,C,1,1]. */
static const char *as_picture(dt_onnx *m, const char *prefix, const char *part, const char *x,
                              int64_t C)
{
    const char *out = dt_onnx_text(m, "%s.%s/Reshape", prefix, part);
    const char *shape = dt_onnx_text(m, "%s.%s.shape", prefix, part);
    const int64_t dims[] = { -1, C, 1, 1 };
    dt_onnx_constant(m, shape, DT_ONNX_S64, &DT_SHAPE(4), dims);
    dt_onnx_node(m, "Reshape", (const char *[]){ x, shape, NULL }, out, NULL);
    return out;
}

/* Moved on codes, as which `dt_onnx_moved` asks for it. */
static const char *move_up(dt_onnx_walker *w, const dt_node *n, const char *prefix, const char *x,
                           const char *zero, const char *out)
{
    (void)zero;
    (void)out;
    const dt_shape *y = &w->src->graph->value[n->out[0]].shape;
    return as_picture(w->m, prefix, "factor", x, y->dim[3]);
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *n)
{
    const dt_graph *g = w->src->graph;
    bool scaled, picture = g->value[n->out[0]].shape.rank == 4;
    const char *in[3] = { NULL }, *out = dt_onnx_out(w, n, "Mul");
    for (int k = 0; k < 2; k++)
        in[k] = picture && g->value[n->in[k]].shape.rank == 2
                    ? dt_onnx_moved(w, n, dt_onnx_text(w->m, "%s.%d", n->name, k), n->in[k],
                                    move_up, 1, &scaled)
                    : dt_onnx_floats(w, n->in[k]);
    dt_onnx_node(w->m, "Mul", in, out, NULL);
    return dt_onnx_set(w, n, out);
}

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *last)
{
    const char *raw = dt_qoperator_part(w, n, "/QLinearMul"), *x[2];
    bool flat = w->flat[n->in[0]] && w->flat[n->in[1]];
    (void)last;
    for (int k = 0; k < 2; k++)
        x[k] = !flat && w->flat[n->in[k]]
                   ? as_picture(w->m, n->name, k ? "b" : "a", w->codes[n->in[k]],
                                w->model->value[n->out].C)
                   : w->codes[n->in[k]];
    const char *in[] = { x[0],
                         dt_qoperator_scale(w, n->in[0]),
                         dt_qoperator_zero(w, n->in[0]),
                         x[1],
                         dt_qoperator_scale(w, n->in[1]),
                         dt_qoperator_zero(w, n->in[1]),
                         dt_qoperator_scale(w, n->out),
                         dt_qoperator_zero(w, n->out),
                         NULL };
    dt_onnx_node(w->m, n->form->ort, in, raw, NULL);
    w->flat[n->out] = flat;
    dt_qoperator_finish(w, n, raw);
    return DT_OK;
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    const char *in[3] = { NULL }, *y = dt_qonnx_part(w, n, "/Mul");
    bool flat = w->flat[n->in[0]] && w->flat[n->in[1]];
    int zero = w->model->value[n->out].grid.zero_point;
    for (int k = 0; k < 2; k++)
        in[k] = !flat && w->flat[n->in[k]]
                    ? as_picture(w->m, n->name, k ? "b" : "a", w->whole[n->in[k]],
                                 w->model->value[n->out].C)
                    : w->whole[n->in[k]];
    dt_onnx_node(w->m, "Mul", in, y, NULL);
    y = dt_qonnx_apply(w, n, "Mul", ".multiplier", y, (double)n->multiplier->f);
    if (zero) { /* half to even of the code, not of what is left without its zero point */
        const char *sum = dt_qonnx_apply(w, n, "Add", ".plus", y, zero);
        y = dt_qonnx_part(w, n, ".code/Round");
        dt_onnx_node(w->m, "Round", (const char *[]){ sum, NULL }, y, NULL);
        y = dt_qonnx_apply(w, n, "Sub", ".minus", y, zero);
    }
    w->flat[n->out] = flat;
    dt_qonnx_end(w, n, y);
    return DT_OK;
}

/* ---- TFLite ---- */

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *last)
{
    (void)last;
    dt_tflite_end(w, n, DT_TFL_MUL, (int[]){ w->tensor[n->in[0]], w->tensor[n->in[1]] }, 2,
                  (int[]){ DT_TFL_NONE });
    return DT_OK;
}

/* ---- C ---- */

#define STRUCT                                                                                     \
    "struct mul {\n"                                                                               \
    "    int32_t height, width, channels;\n"                                                       \
    "    int32_t a_row, a_column, a_zero, b_row, b_column, b_zero; /* steps; 0: repeated */\n"     \
    "    int32_t m, shift, zero, low, high;\n"                                                     \
    "};\n\n"                                                                                       \
    "static void mul(const struct mul *p, const uint8_t *a, const uint8_t *b, uint8_t *y)\n"       \
    "{\n"                                                                                          \
    "    int32_t h, v, c;\n"                                                                       \
    "    for (h = 0; h < p->height; h++)\n"                                                        \
    "        for (v = 0; v < p->width; v++)\n"                                                     \
    "            for (c = 0; c < p->channels; c++) {\n"                                            \
    "                int64_t product = (a[h * p->a_row + v * p->a_column + c] - p->a_zero) *\n"    \
    "                                  (b[h * p->b_row + v * p->b_column + c] - p->b_zero);\n"
#define CLOSE                                                                                      \
    "                *y++ = (uint8_t)clamp(code, p->low, p->high);\n"                              \
    "            }\n"                                                                              \
    "}\n"

static const char with_zero[] =
    "/* Products of codes; one factor may be repeated. All in units of 2^-shift, as float32 has\n"
    " * it. */\n" STRUCT
    "                int64_t zero = (int64_t)p->zero * ((int64_t)1 << p->shift);\n"
    "                int64_t code = shift_even(round_float(round_float(product * p->m) + zero),\n"
    "                                          p->shift);\n" CLOSE;
static const char without[] =
    "/* Products of codes; one factor may be repeated. */\n" STRUCT
    "                int64_t code = requant(product, p->m, p->shift) + p->zero;\n" CLOSE;

static const char *text(const dt_contract *c)
{
    return c->adding <= DT_ADD_UNFUSED ? with_zero : without;
}

static unsigned uses(const dt_contract *c)
{
    return DT_C_CLAMP | (c->adding <= DT_ADD_UNFUSED ? DT_C_SHIFT_EVEN : DT_C_REQUANT);
}

static void say_steps(dt_c_text *t, const dt_int_value *v, char name)
{
    dt_c_say(t, "    .%c_row = %lld, .%c_column = %lld, .%c_zero = %d,\n", name,
             (long long)(v->H > 1 ? v->W * v->C : 0), name, (long long)(v->W > 1 ? v->C : 0), name,
             v->grid.zero_point);
}

static void numbers(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_int_value *y = &t->m->value[n->out];
    dt_c_scale m = dt_c_scale_of(n->multiplier);
    enum { ROOM = 54 }; /* a code times 2^shift has 62 bits; a smaller M rounds everything away */
    if (m.shift > ROOM && t->m->contract->adding <= DT_ADD_UNFUSED) m = (dt_c_scale){ 0, 0 };
    dt_c_say(t, "static const struct mul node_%d = {\n", step);
    dt_c_say(t, "    .height = %lld, .width = %lld, .channels = %lld,\n", (long long)y->H,
             (long long)y->W, (long long)y->C);
    say_steps(t, &t->m->value[n->in[0]], 'a');
    say_steps(t, &t->m->value[n->in[1]], 'b');
    dt_c_say(t, "    .m = %ld, .shift = %d, .zero = %d, .low = %d, .high = %d,\n};\n", (long)m.m,
             m.shift, y->grid.zero_point, y->grid.low, y->grid.high);
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    dt_c_say(t, "mul(&node_%d, %s, %s, %s);", step, x[0], x[1], y);
}

static const dt_c_cell c_cell = {
    .text = text,
    .uses = uses,
    .in_place = true,
    .numbers = numbers,
    .call = call,
};

const dt_form dt_form_mul = {
    .name = "mul",
    .lower = lower,
    .end = end,
    .onnx = onnx,
    .round = round_pairs,
    .reference = reference,
    .engine = engine,
    .prove = prove,
    .qoperator = qoperator,
    .qonnx = qonnx,
    .tflite = tflite,
    .c = &c_cell,
    .ort = "com.microsoft:QLinearMul",
};
