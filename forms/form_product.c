/* Convolutions and linear layers with their int32 bias: codes -> sums. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op_conv2d.h"
#include "autograd/query.h"
#include "c99_texts.h"
#include "exchange/c99/c_cell.h"
#include "exchange/c99/c_numbers.h"
#include "exchange/tflite/tflite_walker.h"
#include "forms/product.h"
#include "integer/builder.h"
#include "integer/job.h"

/* ---- integers ---- */

static dt_conv_shape conv_shape_of(const dt_int_builder *b, const dt_node *n)
{
    const dt_shape *w = &b->g->value[n->in[1]].shape, *x = &b->g->value[n->in[0]].shape;
    const dt_shape *y = &b->g->value[n->out[0]].shape;
    if (w->rank == 2)
        return (dt_conv_shape){ 1, 1, 1, w->dim[1], w->dim[0], 1, 1, 1, 1, 0, 0, 1, 1, 1 };
    const dt_conv2d_conf *c = n->conf;
    return (dt_conv_shape){
        1,           x->dim[1], x->dim[2], x->dim[3], w->dim[0], w->dim[1], w->dim[2], c->stride_h,
        c->stride_w, c->pad_h,  c->pad_w,  c->groups, y->dim[1], y->dim[2], c->skip_h, c->skip_w,
    };
}

static dt_status copy_product(dt_int_builder *b, const dt_lower_product *p, dt_int_node *node)
{
    dt_arena *arena = b->m->arena;
    size_t O = (size_t)p->O, count = (size_t)(p->O * p->K);
    node->weight = dt_arena_get(arena, count);
    node->negated = dt_arena_get(arena, O * sizeof *node->negated);
    node->bias = dt_arena_get(arena, O * sizeof *node->bias);
    node->w_scale = dt_arena_get(arena, O * sizeof *node->w_scale);
    if (!node->weight || !node->negated || !node->bias || !node->w_scale)
        return dt_int_no_memory(b->err);
    memcpy(node->weight, p->code, count);
    memcpy(node->negated, p->negated, O * sizeof *node->negated);
    if (p->has_bias) memcpy(node->bias, p->bias_code, O * sizeof *node->bias);
    for (size_t o = 0; o < O; o++)
        node->w_scale[o] = p->scale[p->scales > 1 ? o : 0];
    node->bits = p->bits;
    node->gain = p->gain;
    return DT_OK;
}

static int64_t weights_of(const dt_conv_shape *s)
{
    return s->KH * s->KW * s->C / s->G;
}

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    const dt_lower_product *p = b->l->product[dt_query_index(b->g, n)];
    int x;
    DT_TRY(dt_int_codes_of(b, n, n->op->product->x, "its input", &x));
    if (!p->quantized || !p->bias_code)
        return dt_int_refuse(b, n, "its weights have no integer codes");
    const dt_lower_grid grid = b->m->value[x].grid;
    dt_int_node *node = dt_int_add_of(b, &dt_form_product, n, x);
    if (!node) return dt_int_no_memory(b->err);
    node->shape = conv_shape_of(b, n);
    node->x_scale = grid.scale;
    const dt_conv_shape *s = &node->shape;
    bool pads = s->PH || s->PW || dt_conv_cols(s) > s->W ||
                (s->OH - 1) * s->SH + dt_conv_reach(s->KH, s->DH) > s->H;
    if (pads && (grid.zero_point < grid.low || grid.zero_point > grid.high))
        return dt_int_refuse(b, n, "it pads with zeros, which its input's codes cannot say");
    DT_TRY(copy_product(b, p, node));
    DT_TRY(dt_int_set_reach(b, n, node, weights_of(&node->shape)));
    dt_int_set_waiting(b, n, &dt_form_requant, &node->out, 1);
    return DT_OK;
}

/* Sum of one output; taps outside the picture have the value zero and add nothing. */
static int32_t product_at(const dt_int_job *j, const uint8_t *x, int64_t oh, int64_t ow, int64_t o)
{
    const dt_conv_shape *s = &j->n->shape;
    int64_t I = s->C / s->G, first = o / (s->O / s->G) * I;
    int32_t sum = j->n->bias[o], zero = j->x->grid.zero_point;
    for (int64_t kh = 0; kh < s->KH; kh++)
        for (int64_t kw = 0; kw < s->KW; kw++) {
            int64_t h = oh * s->SH - s->PH + kh * (s->DH + 1);
            int64_t w = ow * s->SW - s->PW + kw * (s->DW + 1);
            if (h < 0 || h >= s->H || w < 0 || w >= s->W) continue;
            const uint8_t *at = x + (h * s->W + w) * s->C + first;
            const int8_t *f = j->n->weight + ((o * s->KH + kh) * s->KW + kw) * I;
            for (int64_t i = 0; i < I; i++) /* 16 bits hold it, and compilers know the pattern */
                sum += (int16_t)(at[i] - zero) * (int16_t)f[i];
        }
    return sum;
}

static void reference(const dt_int_job *j, int64_t picture)
{
    const uint8_t *x = dt_int_input(j, 0, picture);
    int32_t *y = dt_int_out_sums(j, picture);
    for (int64_t oh = 0; oh < j->y->H; oh++)
        for (int64_t ow = 0; ow < j->y->W; ow++)
            for (int64_t o = 0; o < j->y->C; o++)
                *y++ = product_at(j, x, oh, ow, o);
}

static void engine(dt_int_run *r, const dt_int_node *n)
{
    const dt_lower_grid *grid = &dt_int_value_of(r, n->in[0])->grid;
    dt_conv_int_call c = { .shape = n->shape,
                           .x = r->data[n->in[0]],
                           .zero = grid->zero_point,
                           .most = grid->high,
                           .w = n->weight,
                           .bias = n->bias,
                           .y = r->data[n->out] };
    c.shape.N = r->n;
    r->kernels->conv_int.forward(&c, r->work, r->threads);
}

static size_t work(const dt_int_run *r, const dt_int_node *n)
{
    dt_conv_shape s = n->shape;
    s.N = r->room;
    return r->kernels->conv_int.workspace(&s, r->threads);
}

/* ---- TFLite ---- */

/* Depthwise weights are [1,KH,KW,O]. */
static bool is_depthwise(const dt_conv_shape *s)
{
    return s->G > 1 && s->G == s->C;
}

static const signed char *weight_codes(dt_tflite_walker *w, const dt_int_node *n, bool depthwise)
{
    const dt_conv_shape *s = &n->shape;
    if (!depthwise) return n->weight;
    size_t K = (size_t)(s->KH * s->KW), O = (size_t)s->O;
    signed char *to = dt_arena_get(w->arena, O * K);
    for (size_t o = 0; to && o < O; o++)
        for (size_t k = 0; k < K; k++)
            to[k * O + o] = n->weight[o * K + k];
    return to;
}

/* Four bits where the codes fit; there is no depthwise kernel that keeps a contract for them. */
static dt_tfl_type tflite_type(const dt_tflite_walker *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    size_t count = (size_t)(s->O * s->KH * s->KW * (s->C / s->G));
    bool fits = w->halves && !is_depthwise(s);
    for (size_t i = 0; fits && i < count; i++)
        fits = n->weight[i] >= -8 && n->weight[i] <= 7;
    return fits ? DT_TFL_S4 : DT_TFL_S8;
}

static dt_status check_range(dt_tflite_walker *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    size_t count = (size_t)(s->O * s->KH * s->KW * (s->C / s->G));
    for (size_t i = 0; i < count; i++)
        if (n->weight[i] < -127)
            return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                           "has the weight code -128, TFLite has -127..127; train its weights with "
                           "narrow: yes");
    return DT_OK;
}

/* Tensors of weight and bias, in[1] and in[2]. */
static dt_status tflite_constants(dt_tflite_walker *w, const dt_int_node *n, int in[3])
{
    const dt_conv_shape *s = &n->shape;
    bool depthwise = is_depthwise(s), each = false;
    const signed char *codes = weight_codes(w, n, depthwise);
    float *units = dt_arena_get(w->arena, (size_t)s->O * sizeof *units);
    char text[320];
    if (!codes || !units) return dt_tflite_no_memory(w);
    for (int64_t o = 0; o < s->O; o++) {
        units[o] = n->x_scale * n->w_scale[o];
        each = each || n->w_scale[o] != n->w_scale[0];
    }
    snprintf(text, sizeof text, "%s.weight", n->name);
    in[1] = dt_tflite_tensor(
        w->m, &(dt_tfl_tensor){ .name = text,
                                .type = tflite_type(w, n),
                                .shape = depthwise ? DT_SHAPE(1, s->KH, s->KW, s->O)
                                                   : DT_SHAPE(s->O, s->KH, s->KW, s->C / s->G),
                                .data = codes,
                                .scale = n->w_scale,
                                .scales = each ? s->O : 1,
                                .axis = depthwise ? 3 : 0,
                                .bits = n->bits });
    snprintf(text, sizeof text, "%s.bias", n->name);
    in[2] = dt_tflite_tensor(w->m, &(dt_tfl_tensor){ .name = text,
                                                     .type = DT_TFL_S32,
                                                     .shape = DT_SHAPE(s->O),
                                                     .data = n->bias,
                                                     .scale = units,
                                                     .scales = each ? s->O : 1 });
    return DT_OK;
}

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *product, const dt_int_node *n)
{
    const dt_conv_shape *s = &product->shape;
    dt_tflite_sums *sums = &w->sums[product->out];
    if (!sums->made) {
        DT_TRY(check_range(w, product));
        DT_TRY(tflite_constants(w, product, sums->in));
        sums->in[0] = dt_tflite_window(w, product, DT_TFL_PAD, &sums->padding);
        sums->made = true;
    }
    const int *in = sums->in, padding = sums->padding;
    const int sw = (int)s->SW, sh = (int)s->SH, times = (int)(s->O / s->G);
    const int dw = (int)s->DW + 1, dh = (int)s->DH + 1;
    if (is_depthwise(s))
        dt_tflite_end(w, n, DT_TFL_DEPTHWISE_CONV_2D, in, 3,
                      (int[]){ padding, sw, sh, times, DT_TFL_NONE, dw, dh });
    else
        dt_tflite_end(w, n, DT_TFL_CONV_2D, in, 3, (int[]){ padding, sw, sh, DT_TFL_NONE, dw, dh });
    return DT_OK;
}

/* ---- C ---- */

typedef struct channels {
    const dt_int_node *requant, *product;
} channels;

static int64_t at_m(const void *data, int64_t o)
{
    const channels *c = data;
    int64_t m = dt_c_scale_of(&c->requant->multiplier[o]).m;
    return c->product->negated[o] ? -m : m;
}

static int64_t at_shift(const void *data, int64_t o)
{
    return dt_c_scale_of(&((const channels *)data)->requant->multiplier[o]).shift;
}

static int index_of(const dt_c_text *t, const dt_int_node *n)
{
    return (int)(n - t->m->node);
}

static void say_weights(dt_c_text *t, const dt_int_node *n)
{
    const dt_c_weights *w = dt_c_packed(t->p, n);
    int i = index_of(t, n);
    dt_c_say(t, "static const uint8_t weights_%d[%zu] = {", i, w->size);
    dt_c_say_list(t, (int64_t)w->size, dt_c_at_u8, w->bytes);
    if (w->level) {
        dt_c_say(t, "static const int8_t level_%d[%d] = {", i, w->levels);
        dt_c_say_list(t, w->levels, dt_c_at_s8, w->level);
    }
    dt_c_say(t, "static const int32_t bias_%d[%lld] = {", i, (long long)n->shape.O);
    dt_c_say_list(t, n->shape.O, dt_c_at_s32, n->bias);
}

static void numbers(dt_c_text *t, int step)
{
    const dt_c_step *s = &t->p->plan->step[step];
    const dt_int_node *n = s->sums;
    const dt_conv_shape *c = &n->shape;
    const channels both = { s->node, n };
    int i = index_of(t, n);
    bool level = ((const dt_c_weights *)dt_c_packed(t->p, n))->level;
    if (dt_c_is_first(t->p->plan, step)) say_weights(t, n);
    dt_c_say(t, "static const int32_t m_%d[%lld] = {", step, (long long)c->O);
    dt_c_say_list(t, c->O, at_m, &both);
    dt_c_say(t, "static const int8_t shift_%d[%lld] = {", step, (long long)c->O);
    dt_c_say_list(t, c->O, at_shift, &both);
    dt_c_say(t, "static const struct product node_%d = {\n", step);
    dt_c_say(t, "    .height = %lld, .width = %lld, .channels = %lld, .zero = %d,\n",
             (long long)c->H, (long long)c->W, (long long)c->C,
             t->m->value[n->in[0]].grid.zero_point);
    dt_c_say(t, "    .out_height = %lld, .out_width = %lld, .out_channels = %lld,\n",
             (long long)c->OH, (long long)c->OW, (long long)c->O);
    dt_c_say(t, "    .kernel_h = %lld, .kernel_w = %lld, .stride_h = %lld, .stride_w = %lld,\n",
             (long long)c->KH, (long long)c->KW, (long long)c->SH, (long long)c->SW);
    dt_c_say(t, "    .pad_h = %lld, .pad_w = %lld, .groups = %lld,\n", (long long)c->PH,
             (long long)c->PW, (long long)c->G);
    dt_c_say(t, "    .step_h = %lld, .step_w = %lld,\n", (long long)c->DH + 1,
             (long long)c->DW + 1);
    dt_c_say(t, "    .bits = %d, .gain = %d, .weights = weights_%d, .bias = bias_%d,\n", n->bits,
             n->gain, i, i);
    if (level) dt_c_say(t, "    .level = level_%d,\n", i);
    dt_c_say(t, "    .m = m_%d, .shift = shift_%d,\n", step, step);
    dt_c_say_grid(t, &t->m->value[s->node->out].grid);
}

static const char *text(const dt_contract *c)
{
    (void)c;
    return c99_product;
}

static size_t c_work(const dt_int_node *n)
{
    return (size_t)weights_of(&n->shape);
}

static dt_status pack(const dt_int_node *n, dt_arena *arena, void **out, dt_error *err)
{
    dt_c_weights *w = *out = dt_arena_get(arena, sizeof *w);
    if (!w) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the C program");
    return dt_c_pack(n, arena, w, err);
}

static void sizes(const dt_c_program *p, const dt_c_step *s, bool first, dt_c_sizes *out)
{
    const dt_conv_shape *c = &s->sums->shape;
    const dt_c_weights *w = dt_c_packed(p, s->sums);
    out->multipliers += 5 * (size_t)c->O;
    if (!first) return;
    out->weights += w->size;
    out->tables += (size_t)w->levels;
    out->biases += 4 * (size_t)c->O;
    out->trained += dt_export_low_bytes((size_t)(c->O * weights_of(c)), s->sums->bits);
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    dt_c_say(t, "product(&node_%d, %s, %s, (int8_t *)arena + %zu);", step, x[0], y,
             t->p->plan->step[step].work);
}

static void what(const dt_int_node *n, char out[96])
{
    const dt_conv_shape *c = &n->shape;
    snprintf(out, 96, "%lldx%lld product, stride %lld, groups %lld, %d-bit weights",
             (long long)c->KH, (long long)c->KW, (long long)c->SH, (long long)c->G, n->bits);
}

static const dt_c_cell c_cell = {
    .text = text,
    .uses = dt_c_uses_requant,
    .work = c_work,
    .pack = pack,
    .sizes = sizes,
    .numbers = numbers,
    .call = call,
    .what = what,
};

const dt_form dt_form_product = {
    .name = "product",
    .lower = lower,
    .onnx = dt_product_onnx,
    .reference = reference,
    .engine = engine,
    .work = work,
    .qoperator = dt_product_qoperator,
    .qonnx = dt_product_qonnx,
    .tflite = tflite,
    .c = &c_cell,
    .ort = "QLinearConv",
    .ort_rows = "com.microsoft:QGemm",
};
