/* Finding edges, and moving factors over them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/edges.h"

#include <math.h>

#include "autograd/query.h"
#include "core/mathx.h"

enum { GAIN = 1, SHIFT = 2 /* inputs of a node that is `affine` */ };

/* Does a positive factor of each channel pass through? `out_limits`: an offset does not. */
static bool passes(const dt_ptq *q, const dt_node *node, bool *out_limits)
{
    const dt_shape *in = &q->g->value[node->in[0]].shape, *out = &q->g->value[node->out[0]].shape;
    double low, high;
    if (node->op->quantizes || node->op->identity_in_eval) return true;
    if (node->op->limits) {
        node->op->limits(node->conf, &low, &high);
        *out_limits = true;
        return low == 0 && isinf(high);
    }
    return node->op->moves_codes && !node->op->part &&
           in->dim[in->rank - 1] == out->dim[out->rank - 1] &&
           (!node->op->keeps_channels || node->op->keeps_channels(node->conf, in));
}

static bool is_linear_with_bias(const dt_ptq *q, const dt_node *node)
{
    const dt_op_product *of = node->op->product;
    return q->g->value[node->in[of->w]].shape.rank == 2 && of->bias >= 0 &&
           of->bias < node->in_count;
}

/* Follows all readers of a value. */
static bool follow(const dt_ptq *q, int value, dt_ptq_edge *e)
{
    int readers = 0;
    if (value == q->p->logits) return false;
    DT_QUERY_EACH_USE(u, q->g, value)
    {
        const dt_node *node = &q->g->node[u->node];
        const dt_op_product *of = node->op->product;
        bool limits = false;
        if (!q->needed[u->node]) continue;
        readers++;
        if (of && u->input == of->x) {
            if (e->products == DT_PTQ_READERS) return false;
            e->shifts = e->shifts && is_linear_with_bias(q, node);
            e->product[e->products++] = node;
        } else if (u->input != 0 || !passes(q, node, &limits)) {
            return false;
        } else {
            e->shifts = e->shifts && !limits;
            if (!node->op->quantizes) e->value = node->out[0];
            if (!follow(q, node->out[0], e)) return false;
        }
    }
    return readers > 0;
}

bool dt_ptq_edge_of(const dt_ptq *q, const dt_node *norm, dt_ptq_edge *out)
{
    if (!norm->op->affine || !q->needed[dt_query_index(q->g, norm)]) return false;
    *out = (dt_ptq_edge){
        .norm = norm, .value = norm->out[0], .C = dt_ptq_features(q, norm->in[GAIN]), .shifts = true
    };
    if (q->g->value[norm->in[GAIN]].uses != 1) return false;
    if (!follow(q, norm->out[0], out) || out->products == 0) return false;
    for (int i = 0; i < out->products; i++) { /* weights that others use stay */
        const dt_node *p = out->product[i];
        int w = dt_query_latent(q->g, p->in[p->op->product->w]);
        const dt_value *v = &q->g->value[w];
        if (v->kind != DT_VALUE_PARAM || v->uses != 1) return false;
    }
    return true;
}

/* A product's weights seen as [O][taps][I], and which channel of x input i of output o is. */
typedef struct view {
    real *w;
    int64_t O, taps, I, groups;
} view;

static view view_of(const dt_ptq *q, const dt_ptq_edge *e, const dt_node *product)
{
    const dt_op_product *of = product->op->product;
    int w = dt_query_latent(q->g, product->in[of->w]);
    const dt_shape *s = &q->g->value[w].shape;
    view v = { .w = q->p->state->data[w], .O = s->dim[0], .I = s->dim[s->rank - 1] };
    v.taps = dt_shape_count(s) / (v.O * v.I);
    v.groups = e->C / v.I;
    return v;
}

static int64_t channel_of(const view *v, int64_t o, int64_t i)
{
    return o / (v->O / v->groups) * v->I + i;
}

void dt_ptq_edge_columns(const dt_ptq *q, const dt_ptq_edge *e, double *out)
{
    for (int64_t c = 0; c < e->C; c++)
        out[c] = 0;
    for (int k = 0; k < e->products; k++) {
        view v = view_of(q, e, e->product[k]);
        for (int64_t j = 0; j < v.O * v.taps * v.I; j++) {
            int64_t c = channel_of(&v, j / (v.taps * v.I), j % v.I);
            out[c] = fmax(out[c], fabs((double)v.w[j]));
        }
    }
}

/* b_o += sum of W shift. */
static void add_shift(const dt_ptq *q, const dt_node *product, const view *v, const double *shift)
{
    real *bias = q->p->state->data[product->in[product->op->product->bias]];
    for (int64_t o = 0; o < v->O; o++) {
        double sum = 0;
        for (int64_t i = 0; i < v->I; i++)
            sum += (double)v->w[o * v->I + i] * shift[i];
        bias[o] = (real)((double)bias[o] + sum);
    }
}

void dt_ptq_edge_fold(const dt_ptq *q, const dt_ptq_edge *e, const double *factor,
                      const double *shift)
{
    real *gain = q->p->state->data[e->norm->in[GAIN]],
         *beta = q->p->state->data[e->norm->in[SHIFT]];
    for (int64_t c = 0; c < e->C; c++) {
        gain[c] = (real)((double)gain[c] / factor[c]);
        beta[c] = (real)(((double)beta[c] - (shift ? shift[c] : 0)) / factor[c]);
    }
    for (int k = 0; k < e->products; k++) {
        view v = view_of(q, e, e->product[k]);
        if (shift) add_shift(q, e->product[k], &v, shift);
        for (int64_t j = 0; j < v.O * v.taps * v.I; j++)
            v.w[j] = (real)((double)v.w[j] * factor[channel_of(&v, j / (v.taps * v.I), j % v.I)]);
    }
}

double dt_ptq_edge_factor(double a, double w, double alpha, double beta)
{
    a = a > 1e-5 ? a : 1e-5;
    w = w > 1e-5 ? w : 1e-5;
    return dt_exp(alpha * dt_log(a) - beta * dt_log(w));
}
