/* Products of two values as attention. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_attention.h"

#include <math.h>
#include <string.h>

#include "autograd/op_attention.h"
#include "autograd/op_slice.h"
#include "autograd/query.h"

/* An operand as tokens of the engine [N,rows,heads * columns]. */
typedef struct operand {
    const char *name; /* of the part of it, behind the layer's */
    int value;
    int64_t heads, rows, columns;
} operand;

/* Is the part of an operand's parts that says its rows, or its columns, one whole part? */
static const dt_ox_part *only_part(const dt_ox_order *o, int dim)
{
    const dt_ox_part *found = NULL;
    for (int k = 0; k < o->parts; k++) {
        if (o->part[k].dim != dim || o->part[k].axis == 0) continue;
        if (found) return NULL;
        found = &o->part[k];
    }
    return found;
}

/* Where tokens [N,T,parts * C] hold the operand as one of equal parts of their channels, which one;
 * false: they do not. Parts of the heads lie in front of the last two dimensions. */
static bool is_part(const dt_shape *s, const dt_ox_order *o, int rank, int rows, int columns,
                    operand *out, dt_slice_conf *slice)
{
    const dt_ox_part *r = only_part(o, rows), *c = only_part(o, columns), *h = NULL;
    int others = 0;
    if (s->rank != 3 || !r || !c) return false;
    for (int k = 0; k < o->parts; k++) {
        const dt_ox_part *p = &o->part[k];
        if (p->dim >= rank - 2 || p->axis == 0) continue;
        h = p;
        others++;
    }
    int64_t heads = h ? h->count : 1, C = heads * c->count;
    bool fits = others <= 1 && r->axis == 1 && r->step == 1 && r->count == s->dim[1] &&
                o->first[1] == 0 && c->axis == 2 && c->step == 1 &&
                (!h || (h->axis == 2 && h->step == c->count)) && s->dim[2] % C == 0 &&
                o->first[2] % C == 0;
    if (!fits) return false;
    out->heads = heads;
    out->rows = r->count;
    out->columns = c->count;
    *slice = (dt_slice_conf){ (int)(o->first[2] / C), (int)(s->dim[2] / C) };
    return true;
}

/* The operand with its elements moved: tokens of its own. */
static dt_status move(dt_ox_walk *w, const dt_ox_value *v, dt_ox_order *o, int rows, int columns,
                      operand *out)
{
    dt_ox_order to = *o;
    dt_ox_value tokens = *v, made;
    to.parts = 0;
    out->heads = 1;
    for (int pass = 0; pass < 4; pass++) /* batch, rows, heads, columns */
        for (int k = 0; k < o->parts; k++) {
            dt_ox_part p = o->part[k];
            int of = p.axis == 0 ? 0 : p.dim == rows ? 1 : p.dim == columns ? 3 : 2;
            if (of != pass) continue;
            if (of == 2) out->heads *= p.count;
            p.dim = of == 0 ? 0 : of == 1 ? 1 : 2;
            to.part[to.parts++] = p;
        }
    out->rows = v->dim[rows];
    out->columns = v->dim[columns];
    tokens.rank = 3;
    tokens.dim[0] = 1;
    tokens.dim[1] = out->rows;
    tokens.dim[2] = out->heads * out->columns;
    tokens.order = &to;
    DT_TRY(dt_ox_settle_as(w, &tokens, &made));
    out->value = made.value;
    return DT_OK;
}

static dt_status find_operand(dt_ox_walk *w, int i, bool turned, operand *out, double *factor)
{
    const dt_ox_value *v = dt_ox_input(w, i);
    if (v->padded) return dt_ox_need_value(w, i, &v);
    if (v->rank < 2) return dt_ox_refuse(w, "operand %d has %d dimensions", i, v->rank);
    dt_ox_order o = dt_ox_order_of(w, v);
    int rows = turned ? v->rank - 1 : v->rank - 2, columns = turned ? v->rank - 2 : v->rank - 1;
    dt_slice_conf slice;
    *factor *= v->factor ? v->factor : 1;
    if (!is_part(dt_ox_shape(w, v), &o, v->rank, rows, columns, out, &slice))
        return move(w, v, &o, rows, columns, out);
    out->value = v->value;
    if (slice.parts == 1) return DT_OK;
    const char *layer = dt_layer_name(w->b, "%s.%s", w->layer, out->name);
    out->value = dt_part_node(w->b, "slice", layer, &slice, &v->value, 1);
    return dt_ox_built(w);
}

/* The factor of scores by which only a Mul or Div behind takes them: it is part of this node. */
static double factor_behind(dt_ox_walk *w)
{
    const char *name = w->node->out_count ? w->node->out[0] : "";
    const dt_ox_reader *r = dt_ox_map_find(&w->readers, name);
    const dt_ox_node *n = *name && r && r->count == 1 ? r->node : NULL;
    bool div = n && strcmp(n->op, "Div") == 0, mul = n && strcmp(n->op, "Mul") == 0;
    if ((!div && !mul) || *n->domain || n->absorbed || n->in_count != 2) return 1;
    int k = strcmp(n->in[0], name) == 0 ? 1 : 0;
    const dt_ox_value *v = dt_ox_map_find(&w->values, n->in[k]);
    const dt_ox_tensor *t = v ? v->constant : NULL;
    if (!t || t->whole || t->count != 1 || (div && k == 0)) return 1;
    double f = div ? 1 / (double)t->x[0] : (double)t->x[0];
    if (!isfinite(f) || f == 0) return 1;
    w->taken[n - w->file->node] = true;
    return f;
}

/* Dimensions in front of the last two, which are the heads, the batch among them. */
static void set_front(const dt_ox_value *v, dt_ox_order *o, int axis, int64_t step)
{
    int64_t left = 1;
    int batch = 0;
    const dt_ox_order *from = v->order;
    for (int k = 0; from && k < from->parts; k++)
        if (from->part[k].axis == 0) batch = from->part[k].dim;
    for (int i = 0; i + 2 < v->rank; i++)
        left *= v->dim[i];
    for (int i = 0; i + 2 < v->rank; i++) {
        if (i == batch) o->part[o->parts++] = (dt_ox_part){ 0, i, 1, 1 };
        if (v->dim[i] == 1) continue;
        left /= v->dim[i];
        o->part[o->parts++] = (dt_ox_part){ axis, i, v->dim[i], step * left };
    }
}

/* queries [...,T,d] keys [...,d,S] -> scores [N,H,T,S] */
static dt_status build_scores(dt_ox_walk *w, const dt_ox_value *a, const dt_ox_value *b)
{
    operand q = { .name = "q" }, k = { .name = "k" };
    double factor = 1;
    int64_t dim[DT_OX_RANK];
    DT_TRY(find_operand(w, 0, false, &q, &factor));
    DT_TRY(find_operand(w, 1, true, &k, &factor));
    if (q.heads != k.heads || q.columns != k.columns || a->rank != b->rank)
        return dt_ox_refuse(w, "%lld heads of %lld columns times %lld of %lld rows",
                            (long long)q.heads, (long long)q.columns, (long long)k.heads,
                            (long long)k.columns);
    const dt_attention_heads conf = { (int)q.heads, factor * factor_behind(w) };
    int y = dt_part_node(w->b, "attention_scores", w->layer, &conf, (int[]){ q.value, k.value }, 2);
    DT_TRY(dt_ox_built(w));
    dt_ox_order o = { .layer = w->layer };
    set_front(a, &o, 1, 1);
    memcpy(dim, a->dim, sizeof dim);
    dim[a->rank - 1] = k.rows;
    o.part[o.parts++] = (dt_ox_part){ 2, a->rank - 2, q.rows, 1 };
    o.part[o.parts++] = (dt_ox_part){ 3, a->rank - 1, k.rows, 1 };
    return dt_ox_set_order(w, 0, &(dt_ox_value){ .value = y }, &o, a->rank, dim);
}

/* Has the engine probabilities [N,H,T,S] in the file's order, whatever dimensions H is? */
static bool is_scores(const dt_ox_walk *w, const dt_ox_value *v)
{
    const dt_ox_order o = dt_ox_order_of(w, v);
    const dt_shape *s = dt_ox_shape(w, v);
    const dt_ox_part *r = only_part(&o, v->rank - 2), *c = only_part(&o, v->rank - 1);
    if (s->rank != 4 || v->rank < 3 || v->factor) return false;
    bool fits = (r ? r->axis == 2 && r->count == s->dim[2] : s->dim[2] == 1) &&
                (c ? c->axis == 3 && c->count == s->dim[3] : s->dim[3] == 1);
    int64_t heads = 1;
    for (int k = 0; fits && k < o.parts; k++)
        if (o.part[k].axis == 1) heads *= o.part[k].count;
    return fits && heads == s->dim[1];
}

/* probabilities [...,T,S] values [...,S,d] -> [N,T,H d] */
static dt_status build_mix(dt_ox_walk *w, const dt_ox_value *a, const dt_ox_value *b)
{
    operand v = { .name = "v" };
    double factor = 1;
    int64_t dim[DT_OX_RANK], T = dt_ox_shape(w, a)->dim[2];
    DT_TRY(find_operand(w, 1, false, &v, &factor));
    const dt_shape *p = dt_ox_shape(w, a);
    if (v.heads != p->dim[1] || v.rows != p->dim[3] || a->rank != b->rank || factor != 1)
        return dt_ox_refuse(w, "%lld heads of %lld rows are mixed by %lld of %lld columns",
                            (long long)v.heads, (long long)v.rows, (long long)p->dim[1],
                            (long long)p->dim[3]);
    const dt_attention_heads conf = { (int)v.heads, 1 };
    int y = dt_part_node(w->b, "attention_mix", w->layer, &conf, (int[]){ a->value, v.value }, 2);
    DT_TRY(dt_ox_built(w));
    dt_ox_order o = { .layer = w->layer };
    set_front(a, &o, 2, v.columns);
    memcpy(dim, a->dim, sizeof dim);
    dim[a->rank - 1] = v.columns;
    if (T > 1) o.part[o.parts++] = (dt_ox_part){ 1, a->rank - 2, T, 1 };
    o.part[o.parts++] = (dt_ox_part){ 2, a->rank - 1, v.columns, 1 };
    return dt_ox_set_order(w, 0, &(dt_ox_value){ .value = y }, &o, a->rank, dim);
}

dt_status dt_ox_build_product(dt_ox_walk *w)
{
    const dt_ox_value *a, *b;
    DT_TRY(dt_ox_need(w, 0, &a));
    DT_TRY(dt_ox_need(w, 1, &b));
    const dt_node *maker = dt_ox_maker(w, a);
    while (maker && maker->op->quantizes)
        maker = dt_query_maker(w->b->graph, maker->in[0]);
    bool mixes = maker && maker->op->row_shares && is_scores(w, a);
    return mixes ? build_mix(w, a, b) : build_scores(w, a, b);
}
