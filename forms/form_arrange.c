/* Elements in another order: codes move. In ONNX and TFLite the loops are a Slice, a Reshape that
 * splits axes, a Transpose, and a Reshape that joins them, as many of these as it takes; so a
 * shuffle of channels is what exporters of other tools write, and a Flatten is none of their
 * layout's elements moved. That wants loops which are parts of axes one after the other, as
 * everything that is made of such operators has them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op_arrange.h"
#include "autograd/query.h"
#include "c99_texts.h"
#include "exchange/c99/c_cell.h"
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "exchange/tflite/tflite_walker.h"
#include "integer/builder.h"
#include "integer/job.h"

/* What a node of the integer model keeps: the shapes have a batch of one. */
typedef struct arrangement {
    dt_arrange_conf conf;
    dt_shape x, y;
} arrangement;

static const char no_parts[] =
    "its order of elements is no Slice, Reshape and Transpose of its input";

/* ---- as operators ---- */

enum { MOST = DT_MAX_RANK + DT_ARRANGE_LOOPS };

/* The operators of an order, in a format's layout: place[] are the axes in that order. */
typedef struct steps {
    int parts;
    /* By place of an axis: its part, and how many elements that has. */
    int64_t first[DT_MAX_RANK], end[DT_MAX_RANK], by[DT_MAX_RANK], count[DT_MAX_RANK];
    bool cuts, splits, turns, joins;
    int split_rank, out_rank;
    int64_t split[MOST], turned[MOST], out[MOST];
    int64_t perm[MOST];
} steps;

/* The loops of an input's axis, the widest step first. */
static int loops_of(const dt_arrange_conf *c, int axis, int *loop)
{
    int count = 0;
    for (int k = 0; k < c->loops; k++) {
        if (c->loop[k].from != axis || c->loop[k].count == 1) continue;
        int at = count++;
        for (; at > 0 && c->loop[loop[at - 1]].step < c->loop[k].step; at--)
            loop[at] = loop[at - 1];
        loop[at] = k;
    }
    return count;
}

/* An axis as a part of it, split into its loops; false: they are not parts one after the other. */
static bool split_axis(const dt_arrange_conf *c, const dt_shape *x, int axis, int place, steps *s,
                       int *split_at)
{
    int loop[DT_ARRANGE_LOOPS], count = loops_of(c, axis, loop);
    int64_t by = count ? c->loop[loop[count - 1]].step : 1, all = 1;
    for (int k = count; k-- > 0;) {
        const dt_arrange_loop *l = &c->loop[loop[k]];
        if (l->step != by * all) return false;
        all *= l->count;
    }
    s->first[place] = c->first[axis];
    s->by[place] = by;
    s->end[place] = c->first[axis] + (all - 1) * by + 1;
    if (all == x->dim[axis]) s->end[place] = x->dim[axis];
    s->count[place] = all;
    s->cuts = s->cuts || all != x->dim[axis];
    for (int k = 0; k < count; k++) {
        split_at[loop[k]] = s->split_rank;
        s->split[s->split_rank++] = c->loop[loop[k]].count;
    }
    return true;
}

static bool differ(int rank, const int64_t *dim, int other_rank, const int64_t *other)
{
    bool same = rank == other_rank;
    for (int i = 1; same && i < rank; i++)
        same = dim[i] == other[i];
    return !same;
}

static bool steps_of(const dt_arrange_conf *c, const dt_shape *x, const int *x_axis,
                     const dt_shape *y, const int *y_axis, steps *s)
{
    int split_at[DT_ARRANGE_LOOPS] = { 0 }, turned = 1;
    *s = (steps){
        .split_rank = 1, .split = { -1 }, .turned = { -1 }, .out_rank = y->rank, .out = { -1 }
    };
    for (int i = 1; i < x->rank; i++)
        if (!split_axis(c, x, x_axis[i], i, s, split_at)) return false;
    for (int i = 1; i < y->rank; i++) {
        s->out[i] = y->dim[y_axis[i]];
        for (int k = 0; k < c->loops; k++) {
            if (c->loop[k].to != y_axis[i] || c->loop[k].count == 1) continue;
            s->turns = s->turns || split_at[k] != turned;
            s->turned[turned] = c->loop[k].count;
            s->perm[turned++] = split_at[k];
        }
    }
    s->splits = s->turns && differ(x->rank, s->count, s->split_rank, s->split);
    s->joins = s->turns ? differ(s->split_rank, s->turned, s->out_rank, s->out)
                        : differ(x->rank, s->count, s->out_rank, s->out);
    s->parts = s->cuts + s->splits + s->turns + s->joins;
    return true;
}

/* ---- ONNX ---- */

static const int as_is[] = { 0, 1, 2, 3, 4, 5 }, planes[] = { 0, 3, 1, 2 };

static const int *places(const dt_shape *s)
{
    return s->rank == 4 ? planes : as_is;
}

/* Of what a node reads: heads are as they are. */
static const int *places_of(const dt_graph *g, int value)
{
    return dt_query_is_map(g, value) ? planes : as_is;
}

static const char *cut(dt_onnx *m, const char *prefix, int rank, const steps *s, const char *x,
                       const char *out)
{
    static const char *const part[] = { "first", "end", "axes", "by" };
    const char *in[6] = { x };
    int64_t axes[DT_MAX_RANK];
    const int64_t *list[] = { s->first + 1, s->end + 1, axes, s->by + 1 };
    for (int i = 0; i + 1 < rank; i++)
        axes[i] = i + 1;
    for (int i = 0; i < 4; i++) {
        in[i + 1] = dt_onnx_text(m, "%s.%s", prefix, part[i]);
        dt_onnx_constant(m, in[i + 1], DT_ONNX_S64, &DT_SHAPE(rank - 1), list[i]);
    }
    dt_onnx_node(m, "Slice", in, out, NULL);
    return out;
}

static const char *reshape(dt_onnx *m, const char *prefix, int rank, const int64_t *dim,
                           const char *x, const char *out)
{
    const char *shape = dt_onnx_text(m, "%s.shape", prefix);
    dt_onnx_constant(m, shape, DT_ONNX_S64, &DT_SHAPE(rank), dim);
    dt_onnx_node(m, "Reshape", (const char *[]){ x, shape, NULL }, out, NULL);
    return out;
}

/* The operators that `s` wants; the last one gives `out` (NULL: a name of its own). */
static const char *write_steps(dt_onnx *m, const char *prefix, const dt_shape *x, const steps *s,
                               const char *in, const char *out)
{
    const char *at = in, *name[4] = { "Slice", "Split", "Transpose", "Reshape" };
    const bool wanted[4] = { s->cuts, s->splits, s->turns, s->joins };
    dt_onnx_attr turn[] = { { .name = "perm", .count = s->split_rank }, { .name = NULL } };
    int left = s->parts;
    for (int i = 0; i < s->split_rank && i < DT_ONNX_MAX_INTS; i++)
        turn[0].ints[i] = s->perm[i];
    if (!left && out) dt_onnx_node(m, "Identity", (const char *[]){ in, NULL }, out, NULL);
    if (!left) return out ? out : in;
    for (int i = 0; i < 4; i++) {
        if (!wanted[i]) continue;
        const char *own = dt_onnx_text(m, "%s/%s", prefix, name[i]),
                   *to = --left || !out ? own : out;
        if (i == 0) cut(m, prefix, x->rank, s, at, to);
        if (i == 1) reshape(m, own, s->split_rank, s->split, at, to);
        if (i == 2) dt_onnx_node(m, "Transpose", (const char *[]){ at, NULL }, to, turn);
        if (i == 3) reshape(m, own, s->out_rank, s->out, at, to);
        at = to;
    }
    return at;
}

/* ---- from a node of the graph ---- */

/* What is shown in ONNX: tokens [N,T,C] are rows there, before and behind. */
static const char *move(dt_onnx_walker *w, const dt_node *n, const char *prefix, const char *x,
                        const char *zero, const char *out)
{
    const dt_shape *xs = &w->src->graph->value[n->in[0]].shape;
    const dt_shape *ys = &w->src->graph->value[n->out[0]].shape;
    steps s;
    (void)zero;
    steps_of(n->conf, xs, places_of(w->src->graph, n->in[0]), ys, places(ys), &s);
    if (xs->rank == 3)
        x = dt_onnx_reshape(w, x, dt_onnx_text(w->m, "%s/Tokens", prefix), 3,
                            (const int64_t[]){ -1, xs->dim[1], xs->dim[2] });
    const char *y = write_steps(w->m, prefix, xs, &s, x, ys->rank == 3 ? NULL : out);
    if (ys->rank != 3) return y;
    return dt_onnx_reshape(w, y, out ? out : dt_onnx_text(w->m, "%s/Rows", prefix), 2,
                           (const int64_t[]){ -1, ys->dim[2] });
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *n)
{
    const dt_graph *g = w->src->graph;
    const dt_shape *xs = &g->value[n->in[0]].shape, *ys = &g->value[n->out[0]].shape;
    const dt_node *site = dt_query_site(g, n->in[0]);
    const dt_onnx_value *x = w->value[n->in[0]];
    steps s;
    if (!steps_of(n->conf, xs, places_of(g, n->in[0]), ys, places(ys), &s) ||
        s.split_rank > DT_ONNX_MAX_INTS)
        return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name }, "%s", no_parts);
    if (site && x->codes && !x->move && !w->params->symmetric) {
        const dt_lower_grid *grid = w->l->grid[dt_query_index(g, site)];
        return dt_onnx_set_codes(w, n, site->name, grid->scale,
                                 move(w, n, n->name, x->codes, x->zero, NULL));
    }
    const char *out = dt_lower_is_output(w->src, n->out[0]) ? dt_onnx_out(w, n, "") : NULL;
    return dt_onnx_set(w, n, move(w, n, n->name, dt_onnx_floats(w, n->in[0]), NULL, out));
}

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    int x;
    DT_TRY(dt_int_codes_of(b, n, 0, "its input", &x));
    const dt_shape *xs = &b->g->value[n->in[0]].shape, *ys = &b->g->value[n->out[0]].shape;
    if (xs->rank == 3 || ys->rank == 3)
        return dt_int_refuse(b, n,
                             "it gives or takes tokens, which have no integer form; --format "
                             "onnx has");
    dt_int_node *node = dt_int_add_moved(b, &dt_form_arrange, n, x);
    arrangement *a = dt_arena_get(b->m->arena, sizeof *a);
    if (!node || !a) return dt_int_no_memory(b->err);
    memcpy(&a->conf, n->conf, sizeof a->conf);
    a->x.rank = xs->rank; /* field by field: it is compared as bytes */
    a->y.rank = ys->rank;
    memcpy(a->x.dim, xs->dim, sizeof a->x.dim);
    memcpy(a->y.dim, ys->dim, sizeof a->y.dim);
    node->own = a;
    node->own_bytes = sizeof *a;
    return DT_OK;
}

/* ---- codes ---- */

static void reference(const dt_int_job *j, int64_t picture)
{
    const arrangement *a = j->n->own;
    const uint8_t *x = dt_int_input(j, 0, picture);
    uint8_t *y = dt_int_codes(j, picture);
    int64_t stride[DT_MAX_RANK] = { 0 }, all = 1;
    for (int i = a->x.rank - 1; i > 0; i--) {
        stride[i] = all;
        all *= a->x.dim[i];
    }
    for (int64_t i = 0; i < dt_int_count(j->y); i++) {
        int64_t left = i, from = 0;
        for (int k = a->conf.loops; k-- > 0;) {
            const dt_arrange_loop *l = &a->conf.loop[k];
            from += left % l->count * l->step * stride[l->from];
            left /= l->count;
        }
        for (int k = 1; k < a->x.rank; k++)
            from += a->conf.first[k] * stride[k];
        y[i] = x[from];
    }
}

static void engine_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_int_job *j = arg;
    const arrangement *a = j->n->own;
    const dt_arrange_walk w = dt_arrange_walk_of(&a->conf, &a->x);
    const uint8_t *x = (const uint8_t *)dt_int_input(j, 0, i) + w.offset;
    uint8_t *y = dt_int_codes(j, i);
    int64_t at[DT_ARRANGE_LOOPS] = { 0 };
    for (int k = 0; k >= 0;) {
        const int64_t run = w.count[w.loops - 1], step = w.stride[w.loops - 1];
        for (int64_t c = 0; c < run; c++)
            *y++ = x[c * step];
        for (k = w.loops - 2; k >= 0; k--) {
            x += w.stride[k];
            if (++at[k] < w.count[k]) break;
            x -= w.stride[k] * at[k];
            at[k] = 0;
        }
    }
}

static void engine(dt_int_run *r, const dt_int_node *n)
{
    dt_int_each_picture(r, n, engine_task);
}

/* ---- formats of the integer model ---- */

static dt_status no_form(const dt_int_node *n, dt_error *err)
{
    return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name }, "%s", no_parts);
}

/* The node on what `in` holds. NULL: there are no such operators. */
static const char *write_moved(dt_onnx *m, const dt_int_node *n, const char *in, bool *out_flat)
{
    const arrangement *a = n->own;
    steps s;
    if (!steps_of(&a->conf, &a->x, places(&a->x), &a->y, places(&a->y), &s) ||
        s.split_rank > DT_ONNX_MAX_INTS)
        return NULL;
    *out_flat = a->y.rank == 2;
    return write_steps(m, n->name, &a->x, &s, in, NULL);
}

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *last)
{
    (void)last;
    w->codes[n->out] = write_moved(w->m, n, w->codes[n->in[0]], &w->flat[n->out]);
    return w->codes[n->out] ? DT_OK : no_form(n, w->err);
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    w->whole[n->out] = write_moved(w->m, n, w->whole[n->in[0]], &w->flat[n->out]);
    return w->whole[n->out] ? DT_OK : no_form(n, w->err);
}

/* [N,H,W,C] of any value, which the loops of rows [N,C] know as axis 1. */
static arrangement as_pictures(const arrangement *from)
{
    arrangement a = *from;
    if (a.x.rank == 2) {
        a.x = DT_SHAPE(1, 1, 1, from->x.dim[1]);
        a.conf.first[3] = from->conf.first[1];
        a.conf.first[1] = 0;
    }
    for (int k = 0; k < a.conf.loops; k++) {
        if (from->x.rank == 2) a.conf.loop[k].from = 3;
        if (from->y.rank == 2) a.conf.loop[k].to = 3;
    }
    if (from->y.rank == 2) a.y = DT_SHAPE(1, 1, 1, from->y.dim[1]);
    return a;
}

/* A tensor of these dimensions on the node's grid; the last one has the node's name. */
static int tensor_of(dt_tflite_walker *w, const dt_int_node *n, int rank, const int64_t *dim,
                     const char *part)
{
    dt_shape shape = { .rank = rank, .dim = { 1 } };
    for (int i = 1; i < rank; i++)
        shape.dim[i] = dim[i];
    return dt_tflite_codes(w, n->name, part, n->out, shape);
}

static int ints_of(dt_tflite_walker *w, const dt_int_node *n, const char *part, int count,
                   const int64_t *from, int first)
{
    int32_t list[MOST] = { 0 };
    for (int i = 0; i < count; i++)
        list[i] = i == 0 ? first : (int32_t)from[i];
    return dt_tflite_ints(w, n->name, part, DT_SHAPE(count), list);
}

static void tflite_cut(dt_tflite_walker *w, const dt_int_node *n, const steps *s, int in, int out)
{
    enum { BATCH = 1 }; /* masks: from the first to the last */
    const int from[] = { in, ints_of(w, n, ".first", 4, s->first, 0),
                         ints_of(w, n, ".end", 4, s->end, 0), ints_of(w, n, ".by", 4, s->by, 1) };
    dt_tflite_node(w->m, DT_TFL_STRIDED_SLICE, from, 4, out, (int[]){ BATCH, BATCH });
}

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *last)
{
    const arrangement a = as_pictures(n->own);
    steps s;
    (void)last;
    if (!steps_of(&a.conf, &a.x, as_is, &a.y, as_is, &s)) return no_form(n, w->err);
    if (s.split_rank > DT_MAX_RANK)
        return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                       "its order of elements turns %d axes, TFLite turns up to %d", s.split_rank,
                       DT_MAX_RANK);
    s.joins = s.joins || !s.parts; /* a tensor of its name */
    int at = w->tensor[n->in[0]], left = s.parts + !s.parts;
    const bool wanted[4] = { s.cuts, s.splits, s.turns, s.joins };
    const int rank[4] = { 4, s.split_rank, s.split_rank, 4 };
    const int64_t *const dim[4] = { s.count, s.split, s.turned, s.out };
    static const char *const part[4] = { "/cut", "/split", "/turned", "" };
    for (int i = 0; i < 4; i++) {
        if (!wanted[i]) continue;
        int in = at, out = tensor_of(w, n, rank[i], dim[i], --left ? part[i] : "");
        if (i == 0) tflite_cut(w, n, &s, in, out);
        if (i == 1 || i == 3)
            dt_tflite_node(
                w->m, DT_TFL_RESHAPE,
                (int[]){ in, ints_of(w, n, i == 1 ? ".split" : ".shape", rank[i], dim[i], -1) }, 2,
                out, NULL);
        if (i == 2)
            dt_tflite_node(w->m, DT_TFL_TRANSPOSE,
                           (int[]){ in, ints_of(w, n, ".perm", rank[i], s.perm, 0) }, 2, out, NULL);
        at = out;
    }
    w->tensor[n->out] = at;
    return DT_OK;
}

static const char *text(const dt_contract *c)
{
    (void)c;
    return c99_arrange;
}

static void numbers(dt_c_text *t, int step)
{
    const arrangement *a = t->p->plan->step[step].node->own;
    const dt_arrange_walk w = dt_arrange_walk_of(&a->conf, &a->x);
    dt_c_say(t, "static const int32_t node_%d[] = {", step);
    for (int k = 0; k < w.loops; k++)
        dt_c_say(t, "%s %lld, %lld", k ? "," : "", (long long)w.count[k], (long long)w.stride[k]);
    dt_c_say(t, " };\n");
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    const arrangement *a = t->p->plan->step[step].node->own;
    const dt_arrange_walk w = dt_arrange_walk_of(&a->conf, &a->x);
    dt_c_say(t, "arrange(node_%d, %d, %s + %lld, %s);", step, w.loops, x[0], (long long)w.offset,
             y);
}

static const dt_c_cell c_cell = { .text = text, .numbers = numbers, .call = call };

const dt_form dt_form_arrange = {
    .name = "arrange",
    .lower = lower,
    .onnx = onnx,
    .reference = reference,
    .engine = engine,
    .qoperator = qoperator,
    .qonnx = qonnx,
    .tflite = tflite,
    .c = &c_cell,
};
