/* The sum of two values on grids of their own: a table of all pairs of codes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "c99_texts.h"
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
        DT_TRY(dt_int_codes_of(b, n, k, "an addend", &in[k]));
    dt_int_set_waiting(b, n, &dt_form_add, in, 2);
    return DT_OK;
}

static dt_status end(dt_int_builder *b, const dt_node *site, const dt_int_state *x,
                     const dt_lower_grid *grid, int *out_value)
{
    dt_int_node *node;
    DT_TRY(dt_int_end_node(b, &dt_form_add, site, x, grid, &node));
    node->pair = dt_arena_get(b->m->arena, DT_PAIRS);
    if (!node->pair) return dt_int_no_memory(b->err);
    *out_value = node->out;
    return DT_OK;
}

static dt_adder adder_of(const dt_int_model *m, const dt_int_node *n, const dt_contract *c)
{
    return dt_adder_make(c, &m->value[n->in[0]].grid, &m->value[n->in[1]].grid,
                         &m->value[n->out].grid);
}

static void all_pairs(const dt_adder *adder, uint8_t *out)
{
    for (int i = 0; i < DT_PAIRS; i++)
        out[i] = (uint8_t)dt_adder_apply(adder, i / DT_CODES, i % DT_CODES);
}

static void round_pairs(const dt_int_model *m, dt_int_node *n)
{
    n->adder = adder_of(m, n, m->contract);
    all_pairs(&n->adder, n->pair);
}

static void reference(const dt_int_job *j, int64_t picture)
{
    const uint8_t *a = dt_int_input(j, 0, picture), *b = dt_int_input(j, 1, picture);
    uint8_t *y = dt_int_codes(j, picture);
    for (int64_t i = 0; i < dt_int_count(j->y); i++)
        y[i] = j->n->pair[a[i] * DT_CODES + b[i]];
}

static int32_t code_at(const dt_int_formula *f, int64_t k)
{
    return dt_adder_apply(&f->n->adder, ((const uint8_t *)f->a)[k], ((const uint8_t *)f->b)[k]);
}

static void add(const dt_kernels *k, int threads, const dt_int_node *n, const dt_int_value *y,
                int64_t count, const uint8_t *a, const uint8_t *b, uint8_t *out)
{
    const dt_code_grid g = dt_int_grid_of(y);
    const dt_adder *d = &n->adder;
    if (d->adding == DT_ADD_FUSED)
        k->code.add(threads, count, a, b, d->a_ratio, d->b_ratio, d->fixed, &g, out);
    else
        dt_int_each_element(threads, &(dt_int_formula){ code_at, n, y, a, b, out, count });
}

static void engine(dt_int_run *r, const dt_int_node *n)
{
    add(r->kernels, r->threads, n, dt_int_value_of(r, n->out), dt_int_out_count(r, n),
        r->data[n->in[0]], r->data[n->in[1]], r->data[n->out]);
}

static void pairs_under(const dt_int_model *m, const dt_int_node *n, const dt_contract *c,
                        uint8_t *out)
{
    const dt_adder adder = adder_of(m, n, c);
    all_pairs(&adder, out);
}

static void prove(dt_prover *p, int node)
{
    const dt_int_node *n = &p->m->node[node];
    add(p->k, p->threads, n, &p->m->value[n->out], DT_PAIRS, p->a, p->b, p->out);
    dt_prove_codes(p, node, NULL, -1, n->pair, p->out, true);
    dt_prove_contracts(p, node, n->pair, pairs_under);
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *node)
{
    const char *in[] = { dt_onnx_floats(w, node->in[0]), dt_onnx_floats(w, node->in[1]), NULL };
    const char *out = dt_onnx_out(w, node, "Add");
    dt_onnx_node(w->m, "Add", in, out, NULL);
    return dt_onnx_set(w, node, out);
}

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *end)
{
    (void)end;
    const char *raw = dt_qoperator_part(w, n, "/QLinearAdd");
    const char *in[] = { w->codes[n->in[0]],
                         dt_qoperator_scale(w, n->in[0]),
                         dt_qoperator_zero(w, n->in[0]),
                         w->codes[n->in[1]],
                         dt_qoperator_scale(w, n->in[1]),
                         dt_qoperator_zero(w, n->in[1]),
                         dt_qoperator_scale(w, n->out),
                         dt_qoperator_zero(w, n->out),
                         NULL };
    dt_onnx_node(w->m, n->form->ort, in, raw, NULL);
    w->flat[n->out] = w->flat[n->in[0]];
    dt_qoperator_finish(w, n, raw);
    return DT_OK;
}

/* fixed + a a_ratio + b b_ratio with the codes themselves, from left to right; see contract.c. */
static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    const dt_adder *r = &n->adder;
    const char *a = w->whole[n->in[0]], *b = w->whole[n->in[1]], *sum = dt_qonnx_part(w, n, "/Add");
    if (r->a.zero_point) a = dt_qonnx_apply(w, n, "Add", ".a.zero_point", a, r->a.zero_point);
    if (r->b.zero_point) b = dt_qonnx_apply(w, n, "Add", ".b.zero_point", b, r->b.zero_point);
    a = dt_qonnx_apply(w, n, "Mul", ".a.ratio", a, (double)r->a_ratio);
    b = dt_qonnx_apply(w, n, "Mul", ".b.ratio", b, (double)r->b_ratio);
    if (r->fixed != 0) a = dt_qonnx_apply(w, n, "Add", ".fixed", a, (double)r->fixed);
    dt_onnx_node(w->m, "Add", (const char *[]){ a, b, NULL }, sum, NULL);
    if (r->y.zero_point) sum = dt_qonnx_apply(w, n, "Sub", ".zero", sum, r->y.zero_point);
    w->flat[n->out] = w->flat[n->in[0]];
    dt_qonnx_end(w, n, sum);
    return DT_OK;
}

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *end)
{
    (void)end;
    dt_tflite_end(w, n, DT_TFL_ADD, (int[]){ w->tensor[n->in[0]], w->tensor[n->in[1]] }, 2,
                  (int[]){ DT_TFL_NONE });
    return DT_OK;
}

static void numbers(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_int_value *y = &t->m->value[n->out];
    const dt_adder *d = &n->adder;
    dt_c_say(t, "static const struct add node_%d = {\n    .count = %lld,\n", step,
             (long long)dt_int_count(y));
    if (d->adding == DT_ADD_FIXED) {
        dt_c_scale a = dt_c_scale_of(&d->a_scale), b = dt_c_scale_of(&d->b_scale);
        dt_c_scale s = dt_c_scale_of(&d->y_scale);
        dt_c_say(t, "    .a_zero = %d, .a_m = %ld, .a_shift = %d,\n", d->a.zero_point, (long)a.m,
                 a.shift);
        dt_c_say(t, "    .b_zero = %d, .b_m = %ld, .b_shift = %d,\n", d->b.zero_point, (long)b.m,
                 b.shift);
        dt_c_say(t, "    .m = %ld, .shift = %d, .zero = %d,", (long)s.m, s.shift,
                 y->grid.zero_point);
    } else {
        const dt_c_sum *s = dt_c_packed(t->p, n);
        dt_c_say(t,
                 "    .a = INT64_C(%lld), .b = INT64_C(%lld), .fixed = INT64_C(%lld),\n"
                 "    .shift = %d,",
                 (long long)s->a, (long long)s->b, (long long)s->fixed, s->shift);
    }
    dt_c_say(t, " .low = %d, .high = %d,\n};\n", y->grid.low, y->grid.high);
}

static const char *text(const dt_contract *c)
{
    static const char *const adds[] = { [DT_ADD_FUSED] = c99_add_fused,
                                        [DT_ADD_UNFUSED] = c99_add_unfused,
                                        [DT_ADD_XNNPACK] = c99_add_xnnpack,
                                        [DT_ADD_FIXED] = c99_add_fixed };
    return adds[c->adding];
}

static unsigned uses(const dt_contract *c)
{
    return c->adding == DT_ADD_FIXED     ? DT_C_CLAMP | DT_C_REQUANT
           : c->adding == DT_ADD_XNNPACK ? DT_C_CLAMP | DT_C_SHIFT_DOWN
                                         : DT_C_CLAMP | DT_C_SHIFT_EVEN;
}

static dt_status pack(const dt_int_node *n, dt_arena *arena, void **out, dt_error *err)
{
    if (n->adder.adding == DT_ADD_FIXED) return DT_OK;
    dt_c_sum *s = *out = dt_arena_get(arena, sizeof *s);
    if (!s) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the C program");
    if (dt_c_sum_of(&n->adder, s)) return DT_OK;
    return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                   "the scales of its addends, %g and %g, are too far apart for sums of 64 bits",
                   (double)n->adder.a.scale, (double)n->adder.b.scale);
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    dt_c_say(t, "add(&node_%d, %s, %s, %s);", step, x[0], x[1], y);
}

static const dt_c_cell c_cell = {
    .text = text,
    .uses = uses,
    .in_place = true,
    .pack = pack,
    .numbers = numbers,
    .call = call,
};

const dt_form dt_form_add = {
    .name = "add",
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
    .ort = "com.microsoft:QLinearAdd",
};
