/* Subsampling, and channels of zeros in front and behind: the shortcut of option A. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_pad_channels.h"
#include "autograd/query.h"
#include "c99_texts.h"
#include "exchange/c99/c_cell.h"
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "exchange/tflite/tflite_walker.h"
#include "integer/builder.h"
#include "integer/job.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    const dt_pad_channels_conf *c = n->conf;
    int x;
    DT_TRY(dt_int_codes_of(b, n, 0, "its input", &x));
    dt_int_node *node = dt_int_add_moved(b, &dt_form_pad, n, x);
    if (!node) return dt_int_no_memory(b->err);
    const dt_lower_grid *grid = &b->m->value[node->out].grid;
    if (grid->zero_point < grid->low || grid->zero_point > grid->high)
        return dt_int_refuse(b, n, "it adds zero channels, which its input's codes cannot say");
    node->shape = (dt_conv_shape){ .SH = c->stride, .SW = c->stride };
    node->before = c->before;
    return DT_OK;
}

static void reference(const dt_int_job *j, int64_t picture)
{
    const uint8_t *x = dt_int_input(j, 0, picture);
    uint8_t *y = dt_int_codes(j, picture);
    int64_t W = j->x->W, I = j->x->C;
    for (int64_t i = 0; i < dt_int_count(j->y); i++) {
        int64_t c = i % j->y->C - j->n->before, ow = i / j->y->C % j->y->W;
        int64_t oh = i / j->y->C / j->y->W;
        y[i] = c < 0 || c >= I ? (uint8_t)j->y->grid.zero_point
                               : x[(oh * j->n->shape.SH * W + ow * j->n->shape.SW) * I + c];
    }
}

static void engine_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_int_job *j = arg;
    int64_t I = j->x->C, O = j->y->C;
    const uint8_t *x = dt_int_input(j, 0, i);
    uint8_t *y = dt_int_codes(j, i);
    for (int64_t p = 0; p < j->y->H * j->y->W; p++, y += O) {
        int64_t h = p / j->y->W * j->n->shape.SH, w = p % j->y->W * j->n->shape.SW;
        for (int64_t c = 0; c < O; c++)
            y[c] = (uint8_t)j->y->grid.zero_point;
        for (int64_t c = 0; c < I; c++)
            y[j->n->before + c] = x[(h * j->x->W + w) * I + c];
    }
}

static void engine(dt_int_run *r, const dt_int_node *n)
{
    dt_int_each_picture(r, n, engine_task);
}

/* Weight of the 1x1 conv that subsamples and adds zero channels: code 1 at [before + i, i]. */
static const char *identity_weight(dt_onnx_walker *w, const dt_node *node, bool codes)
{
    const dt_pad_channels_conf *c = node->conf;
    dt_onnx *m = w->m;
    int64_t I = w->src->graph->value[node->in[0]].shape.dim[3];
    const dt_shape shape = DT_SHAPE(c->before + I + c->after, I, 1, 1);
    const char *name = dt_onnx_text(m, "%s.weight", node->name);
    size_t n = (size_t)dt_shape_count(&shape);
    float *ones = dt_arena_get(dt_onnx_arena(m), n * sizeof *ones), one = 1;
    signed char *bytes = dt_arena_get(dt_onnx_arena(m), n), zero = 0;
    if (!ones || !bytes) return NULL;
    for (int64_t i = 0; i < I; i++)
        ones[(c->before + i) * I + i] = bytes[(c->before + i) * I + i] = 1;
    dt_onnx_constant(m, name, codes ? DT_ONNX_S8 : DT_ONNX_FLOAT, &shape,
                     codes ? (const void *)bytes : ones);
    if (!codes) return name;
    const char *s = dt_onnx_text(m, "%s.scale", name), *z = dt_onnx_text(m, "%s.zero_point", name);
    const char *out = dt_onnx_text(m, "%s/DequantizeLinear", name);
    dt_onnx_constant(m, s, DT_ONNX_FLOAT, &dt_onnx_scalar, &one);
    dt_onnx_constant(m, z, DT_ONNX_S8, &dt_onnx_scalar, &zero);
    dt_onnx_node(m, "DequantizeLinear", (const char *[]){ name, s, z, NULL }, out, NULL);
    return out;
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *node)
{
    const dt_pad_channels_conf *c = node->conf;
    const char *weight =
        identity_weight(w, node, dt_query_site(w->src->graph, node->in[0]) != NULL);
    if (!weight) return dt_onnx_no_memory(w->err);
    const char *in[] = { dt_onnx_floats(w, node->in[0]), weight, NULL };
    const char *y = dt_onnx_text(w->m, "%s/Conv", node->name);
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { 1, 1 } },
        { .name = "strides", .count = 2, .ints = { c->stride, c->stride } },
        { .name = NULL },
    };
    dt_onnx_node(w->m, "Conv", in, y, attr);
    return dt_onnx_requantize(w, node, y);
}

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *end)
{
    (void)end;
    const dt_int_value *x = &w->model->value[n->in[0]], *y = &w->model->value[n->out];
    const char *one = dt_qoperator_part(w, n, ".weight.scale"),
               *zero = dt_qoperator_part(w, n, ".weight.zero_point");
    const char *weight = dt_qoperator_part(w, n, ".weight"),
               *raw = dt_qoperator_part(w, n, "/QLinearConv");
    const dt_shape shape = DT_SHAPE(y->C, x->C, 1, 1);
    signed char *bytes = dt_arena_get(dt_onnx_arena(w->m), (size_t)(y->C * x->C)), none = 0;
    const float unit = 1;
    if (!bytes) return dt_qoperator_no_memory(w);
    for (int64_t i = 0; i < x->C; i++)
        bytes[(n->before + i) * x->C + i] = 1;
    dt_onnx_constant(w->m, weight, DT_ONNX_S8, &shape, bytes);
    dt_onnx_constant(w->m, one, DT_ONNX_FLOAT, &dt_onnx_scalar, &unit);
    dt_onnx_constant(w->m, zero, DT_ONNX_S8, &dt_onnx_scalar, &none);
    const dt_conv_shape s = { .H = x->H,
                              .W = x->W,
                              .OH = y->H,
                              .OW = y->W,
                              .KH = 1,
                              .KW = 1,
                              .SH = n->shape.SH,
                              .SW = n->shape.SW,
                              .G = 1 };
    const char *in[] = { w->codes[n->in[0]],
                         dt_qoperator_scale(w, n->in[0]),
                         dt_qoperator_zero(w, n->in[0]),
                         weight,
                         one,
                         zero,
                         dt_qoperator_scale(w, n->out),
                         dt_qoperator_zero(w, n->out),
                         NULL };
    dt_qoperator_conv(w, &s, in, raw);
    w->codes[n->out] = raw; /* inside the input's limits, as the zero point is */
    return DT_OK;
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    int64_t I = w->model->value[n->in[0]].C, O = w->model->value[n->out].C;
    const dt_shape shape = DT_SHAPE(O, I, 1, 1);
    const char *weight = dt_qonnx_part(w, n, ".weight"),
               *out = dt_qonnx_part(w, n, ".weight/Quant");
    float *ones = dt_qonnx_row(w, O * I);
    if (!ones) return dt_qonnx_no_memory(w);
    for (int64_t i = 0; i < I; i++)
        ones[(n->before + i) * I + i] = 1;
    dt_onnx_constant(w->m, weight, DT_ONNX_FLOAT, &shape, ones);
    dt_qonnx_quant(w, weight, weight, dt_qonnx_number(w, n, ".weight.scale", 1),
                   (dt_qonnx_width){ .bits = 2, .is_signed = true }, out);
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { 1, 1 } },
        { .name = "strides", .count = 2, .ints = { n->shape.SH, n->shape.SW } },
        { .name = NULL },
    };
    w->whole[n->out] = dt_qonnx_part(w, n, "/Conv");
    dt_onnx_node(w->m, "Conv", (const char *[]){ w->whole[n->in[0]], out, NULL }, w->whole[n->out],
                 attr);
    return DT_OK;
}

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *end)
{
    (void)end;
    enum { ALL = 15 }; /* from the first to the last in each of four dimensions */
    const dt_int_value *x = &w->model->value[n->in[0]], *y = &w->model->value[n->out];
    const int32_t none[4] = { 0 };
    const int32_t steps[4] = { 1, (int32_t)n->shape.SH, (int32_t)n->shape.SW, 1 };
    const int32_t after = (int32_t)(y->C - x->C - n->before);
    int in[] = { w->tensor[n->in[0]], dt_tflite_ints(w, n->name, ".begin", DT_SHAPE(4), none),
                 dt_tflite_ints(w, n->name, ".end", DT_SHAPE(4), none),
                 dt_tflite_ints(w, n->name, ".steps", DT_SHAPE(4), steps) };
    int few =
        dt_tflite_codes(w, n->name, "/few", n->in[0], dt_tflite_shape(w, n->in[0], y->H, y->W));
    dt_tflite_node(w->m, DT_TFL_STRIDED_SLICE, in, 4, few, (int[]){ ALL, ALL });
    const int32_t pads[8] = { 0, 0, 0, 0, 0, 0, n->before, after };
    int more[] = { few, dt_tflite_ints(w, n->name, ".pads", DT_SHAPE(4, 2), pads) };
    w->tensor[n->out] =
        dt_tflite_codes(w, n->name, "", n->out, dt_tflite_shape(w, n->out, y->H, y->W));
    dt_tflite_node(w->m, DT_TFL_PAD, more, 2, w->tensor[n->out], NULL);
    return DT_OK;
}

static void numbers(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_int_value *x = &t->m->value[n->in[0]], *y = &t->m->value[n->out];
    dt_c_say(
        t,
        "static const struct pad node_%d = {\n"
        "    .width = %lld, .channels = %lld, .stride_h = %lld, .stride_w = %lld,\n"
        "    .out_height = %lld, .out_width = %lld, .out_channels = %lld, .before = %d, .zero = "
        "%d,\n"
        "};\n",
        step, (long long)x->W, (long long)x->C, (long long)n->shape.SH, (long long)n->shape.SW,
        (long long)y->H, (long long)y->W, (long long)y->C, n->before, y->grid.zero_point);
}

static const char *text(const dt_contract *c)
{
    (void)c;
    return c99_pad;
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    dt_c_say(t, "pad(&node_%d, %s, %s);", step, x[0], y);
}

static const dt_c_cell c_cell = { .text = text, .numbers = numbers, .call = call };

const dt_form dt_form_pad = {
    .name = "pad",
    .lower = lower,
    .onnx = onnx,
    .reference = reference,
    .engine = engine,
    .qoperator = qoperator,
    .qonnx = qonnx,
    .tflite = tflite,
    .c = &c_cell,
};
