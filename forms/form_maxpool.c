/* The greatest code of a window. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_maxpool.h"
#include "c99_texts.h"
#include "exchange/c99/c_cell.h"
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "exchange/tflite/tflite_walker.h"
#include "integer/builder.h"
#include "integer/job.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    const dt_maxpool_conf *c = n->conf;
    int x;
    DT_TRY(dt_int_codes_of(b, n, 0, "its input", &x));
    dt_int_node *node = dt_int_add_moved(b, &dt_form_maxpool, n, x);
    if (!node) return dt_int_no_memory(b->err);
    node->shape =
        dt_window_shape(&c->window, &b->g->value[n->in[0]].shape, &b->g->value[n->out[0]].shape);
    return DT_OK;
}

/* A window holds at least one pixel of the picture. */
static void reference(const dt_int_job *j, int64_t picture)
{
    const dt_conv_shape *s = &j->n->shape;
    const uint8_t *x = dt_int_input(j, 0, picture);
    uint8_t *y = dt_int_codes(j, picture);
    int64_t H = j->x->H, W = j->x->W, C = j->x->C;
    for (int64_t i = 0; i < dt_int_count(j->y); i++) {
        int64_t c = i % C, ow = i / C % j->y->W, oh = i / C / j->y->W;
        int most = 0;
        for (int64_t k = 0; k < s->KH * s->KW; k++) {
            int64_t h = oh * s->SH - s->PH + k / s->KW, w = ow * s->SW - s->PW + k % s->KW;
            if (h < 0 || h >= H || w < 0 || w >= W) continue;
            int code = x[(h * W + w) * C + c];
            most = code > most ? code : most;
        }
        y[i] = (uint8_t)most;
    }
}

static void engine_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_int_job *j = arg;
    const dt_conv_shape *s = &j->n->shape;
    int64_t H = j->x->H, W = j->x->W, C = j->x->C;
    const uint8_t *x = dt_int_input(j, 0, i);
    uint8_t *y = dt_int_codes(j, i);
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

static void engine(dt_int_run *r, const dt_int_node *n)
{
    dt_int_each_picture(r, n, engine_task);
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *node)
{
    const dt_maxpool_conf *c = node->conf;
    const dt_graph *g = w->src->graph;
    const dt_conv_shape s =
        dt_window_shape(&c->window, &g->value[node->in[0]].shape, &g->value[node->out[0]].shape);
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { s.KH, s.KW } },
        dt_onnx_pads(&s),
        { .name = "strides", .count = 2, .ints = { s.SH, s.SW } },
        { .name = NULL },
    };
    DT_TRY(dt_onnx_simple(w, node, "MaxPool", attr));
    return dt_onnx_requantize(w, node, w->value[node->out[0]]->floats);
}

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *end)
{
    (void)end;
    const dt_conv_shape *s = &n->shape;
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { s->KH, s->KW } },
        dt_onnx_pads(s),
        { .name = "strides", .count = 2, .ints = { s->SH, s->SW } },
        { .name = NULL },
    };
    w->codes[n->out] = dt_qoperator_part(w, n, "/MaxPool");
    dt_onnx_node(w->m, "MaxPool", (const char *[]){ w->codes[n->in[0]], NULL }, w->codes[n->out],
                 attr);
    return DT_OK;
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { s->KH, s->KW } },
        dt_onnx_pads(s),
        { .name = "strides", .count = 2, .ints = { s->SH, s->SW } },
        { .name = NULL },
    };
    w->whole[n->out] = dt_qonnx_part(w, n, "/MaxPool");
    dt_onnx_node(w->m, "MaxPool", (const char *[]){ w->whole[n->in[0]], NULL }, w->whole[n->out],
                 attr);
    return DT_OK;
}

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *end)
{
    (void)end;
    const dt_conv_shape *s = &n->shape;
    const dt_int_value *v = &w->model->value[n->out];
    int padding, x = dt_tflite_window(w, n, DT_TFL_PADV2, &padding);
    w->tensor[n->out] =
        dt_tflite_codes(w, n->name, "", n->out, dt_tflite_shape(w, n->out, v->H, v->W));
    dt_tflite_node(w->m, DT_TFL_MAX_POOL_2D, &x, 1, w->tensor[n->out],
                   (int[]){ padding, (int)s->SW, (int)s->SH, (int)s->KW, (int)s->KH });
    return DT_OK;
}

static void numbers(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_conv_shape *c = &n->shape;
    const dt_int_value *x = &t->m->value[n->in[0]], *y = &t->m->value[n->out];
    dt_c_say(
        t,
        "static const struct maxpool node_%d = {\n"
        "    .height = %lld, .width = %lld, .channels = %lld, .out_height = %lld, .out_width = "
        "%lld,\n"
        "    .kernel_h = %lld, .kernel_w = %lld, .stride_h = %lld, .stride_w = %lld,\n"
        "    .pad_h = %lld, .pad_w = %lld,\n};\n",
        step, (long long)x->H, (long long)x->W, (long long)x->C, (long long)y->H, (long long)y->W,
        (long long)c->KH, (long long)c->KW, (long long)c->SH, (long long)c->SW, (long long)c->PH,
        (long long)c->PW);
}

static const char *text(const dt_contract *c)
{
    (void)c;
    return c99_maxpool;
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    dt_c_say(t, "maxpool(&node_%d, %s, %s);", step, x[0], y);
}

static const dt_c_cell c_cell = { .text = text, .numbers = numbers, .call = call };

const dt_form dt_form_maxpool = {
    .name = "maxpool",
    .lower = lower,
    .onnx = onnx,
    .reference = reference,
    .engine = engine,
    .qoperator = qoperator,
    .qonnx = qonnx,
    .tflite = tflite,
    .c = &c_cell,
};
