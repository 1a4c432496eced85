/* Transformers. Tokens are rows [N T,C], so a linear layer is a Gemm and becomes onnxruntime's
 * QGemm; queries, keys and values are a Gemm each with their rows of the joint weight, for each has
 * a quantizer of its own behind it. Moves (to heads, to a token in front) happen on codes between
 * QuantizeLinear and DequantizeLinear. The factor of the scores is part of the scale with which the
 * queries' codes are read. LayerNormalization and Softmax are float operators. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_attention.h"
#include "autograd/op_layernorm.h"
#include "autograd/op_slice.h"
#include "autograd/query.h"
#include "exchange/onnx/onnx_walker.h"
#include "integer/builder.h"

enum { LAYERNORM_OPSET = 17 };

static const dt_shape *shape_of(const dt_onnx_walker *w, int value)
{
    return &w->src->graph->value[value].shape;
}

static const char *named(dt_onnx_walker *w, const char *prefix, const char *part, const char *out)
{
    return out ? out : dt_onnx_text(w->m, "%s/%s", prefix, part);
}

static const char *transpose(dt_onnx_walker *w, const char *x, const char *out, int rank, int64_t a,
                             int64_t b, int64_t c, int64_t d)
{
    const dt_onnx_attr attr[] = { { .name = "perm", .count = rank, .ints = { a, b, c, d } },
                                  { .name = NULL } };
    return dt_onnx_unary(w, "Transpose", x, out, attr);
}

/* [N,...] -> rows of the last axis. */
static const char *to_rows(dt_onnx_walker *w, const char *x, int64_t C, const char *out)
{
    return dt_onnx_reshape(w, x, out, 2, (const int64_t[]){ -1, C });
}

/* Rows [N T,C] -> [N,T,C]. */
static const char *to_tokens(dt_onnx_walker *w, const dt_shape *s, const char *prefix,
                             const char *x)
{
    return dt_onnx_reshape(w, x, dt_onnx_text(w->m, "%s/Tokens", prefix), 3,
                           (const int64_t[]){ -1, s->dim[1], s->dim[2] });
}

/* [N,C,H,W] -> rows [N HW,C]. */
static const char *move_patches(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                                const char *x, const char *zero, const char *out)
{
    const dt_shape *y = shape_of(w, node->out[0]);
    (void)zero;
    x = dt_onnx_reshape(w, x, named(w, prefix, "Pixels", NULL), 3,
                        (const int64_t[]){ -1, y->dim[2], y->dim[1] });
    x = transpose(w, x, named(w, prefix, "Transpose", NULL), 3, 0, 2, 1, 0);
    return to_rows(w, x, y->dim[2], named(w, prefix, "Reshape", out));
}

static dt_status emit_patch_embed(dt_onnx_walker *w, const dt_node *node)
{
    const dt_node *norm = dt_query_norm(w->src->graph, w->needed, node), *last = norm ? norm : node;
    const dt_lower_product *p = w->l->product[dt_query_index(w->src->graph, node)];
    const dt_shape *k = &p->shape; /* [O,P,Q,I] */
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { k->dim[1], k->dim[2] } },
        { .name = "strides", .count = 2, .ints = { k->dim[1], k->dim[2] } },
        { .name = NULL },
    };
    const char *out = dt_onnx_text(w->m, "%s/Conv", node->name);
    DT_TRY(dt_onnx_product(w, node->name, p, "Conv", dt_onnx_floats(w, node->in[0]), out, attr));
    return dt_onnx_set_moved(w, last, out, move_patches);
}

/* token [1,1,C] and position [1,T,C] are constants, and so is their sum. */
static dt_status emit_class_position(dt_onnx_walker *w, const dt_node *node)
{
    const dt_shape *s = shape_of(w, node->out[0]);
    const real *token = w->src->state->data[node->in[0]], *at = w->src->state->data[node->in[1]];
    size_t n = (size_t)dt_shape_count(s), C = (size_t)s->dim[2];
    float *sum = dt_arena_get(dt_onnx_arena(w->m), n * sizeof *sum);
    if (!sum) return dt_onnx_no_memory(w->err);
    for (size_t i = 0; i < n; i++)
        sum[i] = (float)(at[i] + (i < C ? token[i] : 0));
    const char *name = dt_onnx_text(w->m, "%s.sum", node->name);
    dt_onnx_constant(w->m, name, DT_ONNX_FLOAT, s, sum);
    return dt_onnx_set(w, node, name);
}

/* Rows [N T,C] -> [N,T+1,C], a token of zeros in front. */
static const char *move_behind_class(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                                     const char *x, const char *zero, const char *out)
{
    static const int64_t pads[] = { 0, 1, 0, 0, 0, 0 };
    const char *amount = dt_onnx_text(w->m, "%s.pads", prefix);
    dt_onnx_constant(w->m, amount, DT_ONNX_S64, &DT_SHAPE(DT_ARRAY_LEN(pads)), pads);
    x = to_tokens(w, shape_of(w, node->in[0]), prefix, x);
    out = named(w, prefix, "Pad", out);
    dt_onnx_node(w->m, "Pad", (const char *[]){ x, amount, zero, NULL }, out, NULL);
    return out;
}

static const char *move_to_rows(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                                const char *x, const char *zero, const char *out)
{
    (void)zero;
    return to_rows(w, x, shape_of(w, node->out[0])->dim[2], named(w, prefix, "Reshape", out));
}

static dt_status emit_class_token(dt_onnx_walker *w, const dt_node *node)
{
    bool scaled;
    const char *in[] = { dt_onnx_moved(w, node, node->name, node->in[0], move_behind_class, 1,
                                       &scaled),
                         dt_onnx_floats(w, node->in[1]), NULL };
    const char *out = dt_onnx_text(w->m, "%s/Add", node->name);
    dt_onnx_node(w->m, "Add", in, out, NULL);
    return dt_onnx_set_moved(w, node, out, move_to_rows);
}

static const char *move_first(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                              const char *x, const char *zero, const char *out)
{
    static const int64_t first = 0;
    const char *index = dt_onnx_text(w->m, "%s.index", prefix);
    (void)zero;
    dt_onnx_constant(w->m, index, DT_ONNX_S64, &dt_onnx_scalar, &first);
    x = to_tokens(w, shape_of(w, node->in[0]), prefix, x);
    out = named(w, prefix, "Gather", out);
    dt_onnx_node(w->m, "Gather", (const char *[]){ x, index, NULL }, out,
                 (dt_onnx_attr[]){ { .name = "axis", .i = 1 }, { .name = NULL } });
    return out;
}

static dt_status emit_select_token(dt_onnx_walker *w, const dt_node *node)
{
    bool scaled;
    return dt_onnx_set(w, node,
                       dt_onnx_moved(w, node, node->name, node->in[0], move_first, 1, &scaled));
}

/* Part `part` of the outputs of a product. */
static dt_lower_product rows_of(const dt_lower_product *p, int part, int parts)
{
    dt_lower_product r = *p;
    r.O = p->O / parts;
    r.shape.dim[0] = r.O;
    int64_t at = part * r.O;
    if (p->scales > 1) r.scales = r.O;
    int64_t group = p->scales > 1 ? at : 0;
    r.bias += at;
    if (p->quantized) {
        r.code += at * p->K;
        r.scale += group;
        r.bias_scale += group;
    } else {
        r.weight += at * p->K;
    }
    if (p->bias_code) r.bias_code += at;
    return r;
}

/* Rows [N T,C] -> the part of each. */
static const char *move_part(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                             const char *x, const char *zero, const char *out)
{
    static const char *const ends[] = { "%s.starts", "%s.ends", "%s.axes" };
    const dt_slice_conf *c = node->conf;
    const int64_t C = shape_of(w, node->out[0])->dim[2];
    const int64_t at[] = { c->part * C, (c->part + 1) * C, -1 };
    const char *in[DT_ARRAY_LEN(ends) + 2] = { x };
    (void)zero;
    for (size_t i = 0; i < DT_ARRAY_LEN(ends); i++) {
        in[i + 1] = dt_onnx_text(w->m, ends[i], prefix);
        dt_onnx_constant(w->m, in[i + 1], DT_ONNX_S64, &DT_SHAPE(1), &at[i]);
    }
    out = named(w, prefix, "Slice", out);
    dt_onnx_node(w->m, "Slice", in, out, NULL);
    return out;
}

/* A part of what a linear layer gives is a linear layer; of codes it is these. */
static dt_status emit_slice(dt_onnx_walker *w, const dt_node *node)
{
    if (dt_query_site(w->src->graph, node->in[0])) {
        const char *prefix = dt_onnx_text(w->m, "%s.part", node->name);
        bool scaled;
        return dt_onnx_set(w, node,
                           dt_onnx_moved(w, node, prefix, node->in[0], move_part, 1, &scaled));
    }
    const dt_slice_conf *c = node->conf;
    const dt_graph *g = w->src->graph;
    const dt_node *linear = dt_query_maker(g, node->in[0]);
    const dt_op_product *of = linear ? linear->op->product : NULL;
    if (!of || g->value[linear->in[of->w]].shape.rank != 2)
        return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = node->name },
                       "takes a part of '%s', and only parts of linear layers have an ONNX form",
                       linear ? linear->name : g->value[node->in[0]].name);
    const dt_lower_product part =
        rows_of(w->l->product[dt_query_index(g, linear)], c->part, c->parts);
    const dt_onnx_attr attr[] = { { .name = "transB", .i = 1 }, { .name = NULL } };
    const char *x = dt_onnx_floats(w, linear->in[0]), *out = dt_onnx_out(w, node, "Gemm");
    DT_TRY(dt_onnx_product(w, node->name, &part, "Gemm", x, out, attr));
    return dt_onnx_set(w, node, out);
}

/* Rows [N T,C] -> [N,T,heads,C/heads]. */
static const char *to_heads(dt_onnx_walker *w, const dt_node *node, int value, const char *prefix,
                            const char *x)
{
    const dt_attention_heads *c = node->conf;
    const dt_shape *s = shape_of(w, value);
    const int64_t dims[] = { -1, s->dim[1], c->heads, s->dim[2] / c->heads };
    return dt_onnx_reshape(w, x, named(w, prefix, "Reshape", NULL), 4, dims);
}

/* Rows to [N,heads,T,d], for queries and values. */
static const char *move_heads(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                              const char *x, const char *zero, const char *out)
{
    (void)zero;
    int value = node->op->matmul == DT_MATMUL_PLAIN ? node->in[1] : node->in[0];
    x = to_heads(w, node, value, prefix, x);
    return transpose(w, x, named(w, prefix, "Transpose", out), 4, 0, 2, 1, 3);
}

/* Rows to [N,heads,d,T], for keys. */
static const char *move_keys(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                             const char *x, const char *zero, const char *out)
{
    (void)zero;
    x = to_heads(w, node, node->in[1], prefix, x);
    return transpose(w, x, named(w, prefix, "Transpose", out), 4, 0, 2, 3, 1);
}

static dt_status emit_scores(dt_onnx_walker *w, const dt_node *node)
{
    const dt_attention_heads *c = node->conf;
    const float factor = (float)c->scale;
    bool scaled, as_is;
    const char *q = dt_onnx_text(w->m, "%s.q", node->name);
    const char *k = dt_onnx_text(w->m, "%s.k", node->name);
    const char *in[] = { dt_onnx_moved(w, node, q, node->in[0], move_heads, c->scale, &scaled),
                         dt_onnx_moved(w, node, k, node->in[1], move_keys, 1, &as_is), NULL };
    const char *out = dt_onnx_text(w->m, "%s/MatMul", node->name);
    dt_onnx_node(w->m, "MatMul", in, out, NULL);
    if (scaled) return dt_onnx_set(w, node, out);
    const char *by[] = { out, dt_onnx_text(w->m, "%s.factor", node->name), NULL };
    dt_onnx_constant(w->m, by[1], DT_ONNX_FLOAT, &dt_onnx_scalar, &factor);
    out = dt_onnx_text(w->m, "%s/Mul", node->name);
    dt_onnx_node(w->m, "Mul", by, out, NULL);
    return dt_onnx_set(w, node, out);
}

/* [N,heads,T,d] -> rows [N T,C]. */
static const char *move_together(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                                 const char *x, const char *zero, const char *out)
{
    (void)zero;
    x = transpose(w, x, named(w, prefix, "Transpose", NULL), 4, 0, 2, 1, 3);
    return to_rows(w, x, shape_of(w, node->out[0])->dim[2], named(w, prefix, "Reshape", out));
}

static dt_status emit_mix(dt_onnx_walker *w, const dt_node *node)
{
    bool scaled;
    const char *v = dt_onnx_text(w->m, "%s.v", node->name);
    const char *in[] = { dt_onnx_floats(w, node->in[0]),
                         dt_onnx_moved(w, node, v, node->in[1], move_heads, 1, &scaled), NULL };
    const char *out = dt_onnx_text(w->m, "%s/MatMul", node->name);
    dt_onnx_node(w->m, "MatMul", in, out, NULL);
    return dt_onnx_set_moved(w, node, out, move_together);
}

static dt_status emit_softmax(dt_onnx_walker *w, const dt_node *node)
{
    const bool map = dt_query_is_map(w->src->graph, node->in[0]);
    const dt_onnx_attr attr[] = { { .name = "axis", .i = map ? 1 : -1 }, { .name = NULL } };
    const char *out = dt_onnx_out(w, node, "Softmax");
    return dt_onnx_set(w, node,
                       dt_onnx_unary(w, "Softmax", dt_onnx_floats(w, node->in[0]), out, attr));
}

/* [N,C,H,W] -> [N,H,W,C] */
static const char *move_channels_last(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                                      const char *x, const char *zero, const char *out)
{
    (void)node;
    (void)zero;
    return transpose(w, x, named(w, prefix, "Transpose", out), 4, 0, 2, 3, 1);
}

static const char *move_channels_back(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                                      const char *x, const char *zero, const char *out)
{
    (void)node;
    (void)zero;
    return transpose(w, x, named(w, prefix, "Transpose", out), 4, 0, 3, 1, 2);
}

static dt_status emit_layernorm(dt_onnx_walker *w, const dt_node *node)
{
    const dt_layernorm_conf *c = node->conf;
    bool scaled, picture = shape_of(w, node->in[DT_LN_X])->rank == 4;
    const char *last = picture ? dt_onnx_text(w->m, "%s.x", node->name) : NULL;
    const char *in[DT_LN_INPUTS + 1] = { picture ? dt_onnx_moved(w, node, last, node->in[DT_LN_X],
                                                                 move_channels_last, 1, &scaled)
                                                 : dt_onnx_floats(w, node->in[DT_LN_X]) };
    for (int i = DT_LN_GAMMA; i < DT_LN_INPUTS; i++) {
        const dt_value *v = &w->src->graph->value[node->in[i]];
        in[i] = dt_onnx_parameter(w, node, node->in[i]);
        dt_onnx_constant(w->m, in[i], DT_ONNX_FLOAT, &v->shape, w->src->state->data[node->in[i]]);
    }
    const dt_onnx_attr attr[] = { { .name = "axis", .i = -1 },
                                  { .name = "epsilon", .is_float = true, .f = (float)c->eps },
                                  { .name = NULL } };
    const char *out = picture ? dt_onnx_text(w->m, "%s/LayerNormalization", node->name)
                              : dt_onnx_out(w, node, "LayerNormalization");
    dt_onnx_require(w->m, LAYERNORM_OPSET);
    dt_onnx_node(w->m, "LayerNormalization", in, out, attr);
    return dt_onnx_set_moved(w, node, out, picture ? move_channels_back : NULL);
}

const dt_form dt_form_attention_mix = { .name = "attention_mix", .onnx = emit_mix };
const dt_form dt_form_attention_scores = { .name = "attention_scores", .onnx = emit_scores };
const dt_form dt_form_class_position = { .name = "class_position", .onnx = emit_class_position };
const dt_form dt_form_class_token = { .name = "class_token", .onnx = emit_class_token };
const dt_form dt_form_layernorm = { .name = "layernorm", .onnx = emit_layernorm };
const dt_form dt_form_patch_embed = { .name = "patch_embed", .onnx = emit_patch_embed };
const dt_form dt_form_select_token = { .name = "select_token", .onnx = emit_select_token };
const dt_form dt_form_slice = { .name = "slice", .onnx = emit_slice };
const dt_form dt_form_softmax = { .name = "softmax", .onnx = emit_softmax };
