/* Finding edges, and moving factors over them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/edges.h"

#include <math.h>

#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "core/mathx.h"

enum { GAIN = 1, SHIFT = 2 /* inputs of a node that is `affine` */ };

/* Does a positive factor of each channel pass through? `e` learns what an offset would meet. */
static bool passes(const dt_ptq *q, const dt_node *node, dt_ptq_edge *e)
{
    const dt_shape *in = &q->g->value[node->in[0]].shape, *out = &q->g->value[node->out[0]].shape;
    double low, high;
    if (node->op->quantizes || node->op->identity_in_eval) return true;
    if (node->op->limits) {
        node->op->limits(node->conf, &low, &high);
        e->limited = true;
        return low == 0 && isinf(high);
    }
    if (dt_shape_count(out) > dt_shape_count(in)) e->offsets = false; /* it may pad */
    return node->op->moves_codes && !node->op->part &&
           in->dim[in->rank - 1] == out->dim[out->rank - 1];
}

enum { ROWS = 64 };

/* Rows of ones are ones, but where there is padding. */
static bool reads_padding(const dt_op_product *of, const dt_node *node, const dt_shape *x,
                          const dt_shape *w, real *ones, real *rows)
{
    int64_t groups;
    const int64_t count = of->rows(node->conf, x, w, &groups);
    const int64_t K = dt_shape_count(w) / w->dim[of->channel_axis];
    for (int64_t i = 0; i < dt_shape_count(x); i++)
        ones[i] = 1;
    for (int64_t first = 0; first < count; first += ROWS) {
        const int64_t n = count - first < ROWS ? count - first : ROWS;
        of->read_rows(node->conf, x, w, ones, 0, first, n, rows);
        for (int64_t i = 0; i < n * K; i++)
            if (rows[i] != 1) return true;
    }
    return false;
}

static bool is_padded(const dt_ptq *q, const dt_node *node)
{
    const dt_op_product *of = node->op->product;
    if (!of->rows || !of->read_rows) return true; /* nobody knows */
    dt_shape x = q->g->value[node->in[of->x]].shape;
    const dt_shape *w = &q->g->value[node->in[of->w]].shape;
    const size_t K = (size_t)(dt_shape_count(w) / w->dim[of->channel_axis]);
    x.dim[0] = 1;
    real *ones = dt_get_array(q->p->alloc, (size_t)dt_shape_count(&x), sizeof *ones, "edges");
    real *rows = dt_get_array(q->p->alloc, ROWS * K, sizeof *rows, "edges");
    bool padded = !ones || !rows || reads_padding(of, node, &x, w, ones, rows);
    dt_put(q->p->alloc, ones);
    dt_put(q->p->alloc, rows);
    return padded;
}

/* A parameter that nobody else reads. */
static bool is_own(const dt_ptq *q, int value)
{
    return value >= 0 && q->g->value[value].uses == 1;
}

/* What an offset of a product's result can be put into: +1 its bias, -1 the mean of its batch norm;
 * `out_value`: which parameter. 0: nothing. */
static int takes_offset(const dt_ptq *q, const dt_node *product, int *out_value)
{
    const dt_node *norm = dt_query_norm(q->g, q->needed, product);
    *out_value = dt_query_bias(product);
    if (*out_value >= 0 && q->g->value[*out_value].kind != DT_VALUE_PARAM) return 0;
    if (is_own(q, *out_value)) return 1;
    *out_value = norm ? norm->in[DT_BN_MEAN] : -1;
    return is_own(q, *out_value) ? -1 : 0;
}

/* Follows all readers of a value. */
static bool follow(const dt_ptq *q, int value, dt_ptq_edge *e)
{
    int readers = 0;
    if (dt_ptq_output_at(q, value) >= 0) return false;
    DT_QUERY_EACH_USE(u, q->g, value)
    {
        const dt_node *node = &q->g->node[u->node];
        const dt_op_product *of = node->op->product;
        int takes;
        if (!q->needed[u->node]) continue;
        readers++;
        if (of && u->input == of->x) {
            if (e->products == DT_PTQ_READERS) return false;
            e->offsets = e->offsets && takes_offset(q, node, &takes) && !is_padded(q, node);
            e->product[e->products++] = node;
        } else if (u->input != 0 || !passes(q, node, e)) {
            return false;
        } else {
            if (!node->op->quantizes) e->value = node->out[0];
            if (!follow(q, node->out[0], e)) return false;
        }
    }
    return readers > 0;
}

bool dt_ptq_edge_of(const dt_ptq *q, const dt_node *norm, dt_ptq_edge *out)
{
    if (!norm->op->affine || !q->needed[dt_query_index(q->g, norm)]) return false;
    *out = (dt_ptq_edge){ .norm = norm,
                          .value = norm->out[0],
                          .C = dt_ptq_features(q, norm->in[GAIN]),
                          .offsets = true };
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

/* What the product gives less without the shift: into its bias, or out of its norm's mean. */
static void add_shift(const dt_ptq *q, const dt_node *product, const view *v, const double *shift)
{
    int at;
    const int sign = takes_offset(q, product, &at);
    real *to = q->p->state->data[at];
    for (int64_t o = 0; o < v->O; o++) {
        double sum = 0;
        for (int64_t j = 0; j < v->taps * v->I; j++)
            sum += (double)v->w[o * v->taps * v->I + j] * shift[channel_of(v, o, j % v->I)];
        to[o] = (real)((double)to[o] + sign * sum);
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
