/* Products: codes of weights with their scales, int32 biases. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/layout.h"
#include "exchange/onnx/onnx_walker.h"

/* Weights [O,KH,KW,I] as ONNX has them, [O,I,KH,KW]. NULL: no memory. */
static const void *foreign_weights(dt_onnx_walker *w, const dt_lower_product *p, const void *from,
                                   size_t size)
{
    if (p->shape.rank != 4) return from;
    void *to = dt_arena_get(dt_onnx_arena(w->m), (size_t)(p->O * p->K) * size);
    if (to) dt_layout_to_foreign(&p->shape, size, from, to);
    return to;
}

static dt_shape foreign_shape(const dt_shape *s)
{
    return s->rank == 4 ? DT_SHAPE(s->dim[0], s->dim[3], s->dim[1], s->dim[2]) : *s;
}

/* How the codes of a product are stored: int8, uint8 with zero point 128 when they are wide, or
 * half a byte and without the gain. */
static dt_onnx_type weight_type(const dt_onnx_walker *w, const dt_lower_product *p)
{
    bool halves = w->params->packed;
    for (int64_t i = 0; halves && i < p->O * p->K; i++)
        halves = p->code[i] / p->gain >= -8 && p->code[i] / p->gain <= 7;
    return halves ? DT_ONNX_S4 : p->wide && !w->params->symmetric ? DT_ONNX_U8 : DT_ONNX_S8;
}

static const void *pack_codes(dt_onnx_walker *w, const dt_lower_product *p, dt_onnx_type type)
{
    size_t n = (size_t)(p->O * p->K);
    int gain = type == DT_ONNX_S4 ? p->gain : 1, zero = type == DT_ONNX_U8 ? 128 : 0;
    unsigned char *byte = dt_arena_get(dt_onnx_arena(w->m), n);
    for (size_t i = 0; byte && i < n; i++)
        byte[i] = (unsigned char)(p->code[i] / gain + zero);
    return byte ? foreign_weights(w, p, byte, 1) : NULL;
}

/* Their scales; the gain is a power of two. NULL: no memory. */
static const float *weight_scales(dt_onnx_walker *w, const dt_lower_product *p, dt_onnx_type type)
{
    if (type != DT_ONNX_S4) return p->scale;
    float *scale = dt_arena_get(dt_onnx_arena(w->m), (size_t)p->scales * sizeof *scale);
    for (int64_t i = 0; scale && i < p->scales; i++)
        scale[i] = p->scale[i] * (float)p->gain;
    return scale;
}

static const dt_onnx_attr along_outputs[] = { { .name = "axis", .i = 0 }, { .name = NULL } };

/* The weight of a conv or linear as a float value. */
static const char *weight_value(dt_onnx_walker *w, const char *layer, const dt_lower_product *p)
{
    dt_onnx *m = w->m;
    const char *codes = dt_onnx_text(m, "%s.weight", layer);
    const dt_shape shape = foreign_shape(&p->shape);
    if (!p->quantized) {
        const void *floats = foreign_weights(w, p, p->weight, sizeof *p->weight);
        if (!floats) return NULL;
        dt_onnx_constant(m, codes, DT_ONNX_FLOAT, &shape, floats);
        return codes;
    }
    const char *s = dt_onnx_text(m, "%s.weight.scale", layer);
    const char *z = dt_onnx_text(m, "%s.weight.zero_point", layer);
    const char *out = dt_onnx_text(m, "%s.weight/DequantizeLinear", layer);
    bool each = p->scales > 1;
    const dt_shape groups = each ? DT_SHAPE(p->scales) : dt_onnx_scalar;
    dt_onnx_type type = weight_type(w, p);
    const void *bytes = pack_codes(w, p, type);
    const float *scales = weight_scales(w, p, type);
    unsigned char *zeros = dt_arena_get(dt_onnx_arena(m), (size_t)p->scales);
    if (!bytes || !scales || !zeros) return NULL;
    for (int64_t i = 0; type == DT_ONNX_U8 && i < p->scales; i++)
        zeros[i] = 128;
    if (type == DT_ONNX_S4) dt_onnx_require(m, 21);
    dt_onnx_weight(m, codes, type, &shape, bytes, p->bits);
    dt_onnx_constant(m, s, DT_ONNX_FLOAT, &groups, scales);
    dt_onnx_constant(m, z, type, &groups, zeros);
    dt_onnx_node(m, "DequantizeLinear", (const char *[]){ codes, s, z, NULL }, out,
                 each ? along_outputs : NULL);
    return out;
}

/* NULL: none. */
static const char *bias_value(dt_onnx_walker *w, const char *layer, const dt_lower_product *p)
{
    dt_onnx *m = w->m;
    if (!p->has_bias) return NULL;
    const char *codes = dt_onnx_text(m, "%s.bias", layer);
    const dt_shape outputs = DT_SHAPE(p->O);
    if (!p->bias_code || w->params->symmetric) {
        dt_onnx_constant(m, codes, DT_ONNX_FLOAT, &outputs, p->bias);
        return codes;
    }
    const char *s = dt_onnx_text(m, "%s.bias.scale", layer);
    const char *out = dt_onnx_text(m, "%s.bias/DequantizeLinear", layer);
    bool each = p->scales > 1;
    const dt_shape groups = each ? DT_SHAPE(p->scales) : dt_onnx_scalar;
    dt_onnx_constant(m, codes, DT_ONNX_S32, &outputs, p->bias_code);
    dt_onnx_constant(m, s, DT_ONNX_FLOAT, &groups, p->bias_scale);
    dt_onnx_node(m, "DequantizeLinear", (const char *[]){ codes, s, NULL }, out,
                 each ? along_outputs : NULL);
    return out;
}

dt_status dt_onnx_product(dt_onnx_walker *w, const char *layer, const dt_lower_product *p,
                          const char *op, const char *x, const char *out, const dt_onnx_attr *attr)
{
    if (p->quantized && p->gain > 1 && !w->params->packed)
        dt_onnx_meta(w->m, dt_onnx_text(w->m, "detent.gain.%s", layer),
                     dt_onnx_text(w->m, "%d", p->gain));
    const char *in[] = { x, weight_value(w, layer, p), bias_value(w, layer, p), NULL };
    if (!in[1]) return dt_onnx_no_memory(w->err);
    dt_onnx_node(w->m, op, in, out, attr);
    return DT_OK;
}
