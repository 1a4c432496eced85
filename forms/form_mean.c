/* The mean of each channel over all pixels: codes -> sums, zero point taken off. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "c99_texts.h"
#include "exchange/c99/c_cell.h"
#include "exchange/c99/c_numbers.h"
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "exchange/tflite/tflite_walker.h"
#include "integer/builder.h"
#include "integer/job.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    int x;
    DT_TRY(dt_int_codes_of(b, n, 0, "its input", &x));
    dt_int_node *node = dt_int_add_of(b, &dt_form_mean, n, x);
    if (!node) return dt_int_no_memory(b->err);
    const dt_int_value *v = &b->m->value[x];
    node->x_scale = v->grid.scale;
    node->pixels = v->H * v->W;
    node->w_scale = dt_arena_get(b->m->arena, (size_t)v->C * sizeof *node->w_scale);
    if (!node->w_scale) return dt_int_no_memory(b->err);
    for (int64_t c = 0; c < v->C; c++)
        node->w_scale[c] = 1;
    DT_TRY(dt_int_set_reach(b, n, node, 0));
    dt_int_set_waiting(b, n, &dt_form_requant, &node->out, 1);
    return DT_OK;
}

static void reference(const dt_int_job *j, int64_t picture)
{
    const uint8_t *x = dt_int_input(j, 0, picture);
    int32_t *y = dt_int_out_sums(j, picture);
    for (int64_t c = 0; c < j->x->C; c++) {
        y[c] = 0;
        for (int64_t p = 0; p < j->n->pixels; p++)
            y[c] += x[p * j->x->C + c] - j->x->grid.zero_point;
    }
}

static void engine_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_int_job *j = arg;
    int64_t C = j->x->C, pixels = j->n->pixels;
    const uint8_t *x = dt_int_input(j, 0, i);
    int32_t *y = dt_int_out_sums(j, i);
    int32_t zeros = (int32_t)pixels * j->x->grid.zero_point;
    for (int64_t c = 0; c < C; c++)
        y[c] = -zeros;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < C; c++)
            y[c] += x[p * C + c];
}

static void engine(dt_int_run *r, const dt_int_node *n)
{
    dt_int_each_picture(r, n, engine_task);
}

static const char *flatten_pixel(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                                 const char *x, const char *zero, const char *out)
{
    (void)node;
    (void)zero;
    return dt_onnx_flatten(w, x, out ? out : dt_onnx_text(w->m, "%s/Flatten", prefix));
}

/* [N,C,H,W] -> [N,C,1,1], [N,C] after the move. */
static dt_status onnx(dt_onnx_walker *w, const dt_node *node)
{
    const char *pool = dt_onnx_text(w->m, "%s/GlobalAveragePool", node->name);
    dt_onnx_unary(w, "GlobalAveragePool", dt_onnx_floats(w, node->in[0]), pool, NULL);
    return dt_onnx_set_moved(w, node, pool, flatten_pixel);
}

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *mean, const dt_int_node *n)
{
    const char *raw = dt_qoperator_part(w, n, "/QLinearGlobalAveragePool"),
               *rows = dt_qoperator_part(w, n, "/Flatten");
    const char *in[] = { w->codes[mean->in[0]],
                         dt_qoperator_scale(w, mean->in[0]),
                         dt_qoperator_zero(w, mean->in[0]),
                         dt_qoperator_scale(w, n->out),
                         dt_qoperator_zero(w, n->out),
                         NULL };
    const dt_onnx_attr first[] = { { .name = "channels_last", .i = 0 }, { .name = NULL } };
    const dt_onnx_attr axis[] = { { .name = "axis", .i = 1 }, { .name = NULL } };
    dt_onnx_node(w->m, mean->form->ort, in, raw, first);
    dt_onnx_node(w->m, "Flatten", (const char *[]){ raw, NULL }, rows, axis);
    w->flat[n->out] = true;
    dt_qoperator_finish(w, n, rows);
    return DT_OK;
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    const char *pool = dt_qonnx_part(w, n, "/GlobalAveragePool"),
               *out = dt_qonnx_part(w, n, "/Flatten");
    const dt_onnx_attr axis[] = { { .name = "axis", .i = 1 }, { .name = NULL } };
    dt_onnx_node(w->m, "GlobalAveragePool", (const char *[]){ w->whole[n->in[0]], NULL }, pool,
                 NULL);
    dt_onnx_node(w->m, "Flatten", (const char *[]){ pool, NULL }, out, axis);
    w->whole[n->out] = out;
    w->flat[n->out] = true;
    return DT_OK;
}

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *from, const dt_int_node *n)
{
    const dt_int_value *v = &w->model->value[n->out];
    const int32_t pixels[] = { 1, 2 }, shape[] = { -1, 1, 1, (int32_t)v->C };
    int axes = dt_tflite_ints(w, from->name, ".axes", DT_SHAPE(2), pixels);
    int rows = dt_tflite_codes(w, n->name, "/rows", n->out, DT_SHAPE(1, v->C));
    int in[] = { rows, dt_tflite_ints(w, n->name, ".shape", DT_SHAPE(4), shape) };
    dt_tflite_node(w->m, DT_TFL_MEAN, (int[]){ w->tensor[from->in[0]], axes }, 2, rows,
                   (int[]){ false });
    dt_tflite_end(w, n, DT_TFL_RESHAPE, in, 2, NULL);
    return DT_OK;
}

static void numbers(dt_c_text *t, int step)
{
    const dt_c_step *s = &t->p->plan->step[step];
    const dt_int_value *x = &t->m->value[s->in[0]];
    const dt_c_scale scale = dt_c_scale_of(&s->node->multiplier[0]); /* all are the same */
    dt_c_say(t, "static const struct mean node_%d = {\n", step);
    dt_c_say(t, "    .pixels = %lld, .channels = %lld, .zero = %d, .m = %ld, .shift = %d,\n",
             (long long)s->sums->pixels, (long long)x->C, x->grid.zero_point, (long)scale.m,
             scale.shift);
    dt_c_say_grid(t, &t->m->value[s->node->out].grid);
}

static const char *text(const dt_contract *c)
{
    (void)c;
    return c99_mean;
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    dt_c_say(t, "mean(&node_%d, %s, %s);", step, x[0], y);
}

static const dt_c_cell c_cell = {
    .text = text,
    .uses = dt_c_uses_requant,
    .numbers = numbers,
    .call = call,
};

const dt_form dt_form_mean = {
    .name = "mean",
    .lower = lower,
    .onnx = onnx,
    .reference = reference,
    .engine = engine,
    .qoperator = qoperator,
    .qonnx = qonnx,
    .tflite = tflite,
    .c = &c_cell,
    .ort = "com.microsoft:QLinearGlobalAveragePool",
};
