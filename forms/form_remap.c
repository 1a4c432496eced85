/* Elements by an index for each axis: codes move, and zeros are the code of 0. In ONNX and TFLite
 * that is a Pad with as many zeros as are asked for, a Resize where rows and columns are repeated
 * as often, and a Gather for each axis that is neither. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/op_remap.h"
#include "autograd/query.h"
#include "c99_texts.h"
#include "exchange/c99/c_cell.h"
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "exchange/tflite/tflite_walker.h"
#include "integer/builder.h"
#include "integer/job.h"

/* What a node of the integer model keeps: the shapes have a batch of one. */
typedef struct mapping {
    dt_remap_conf conf;
    dt_shape x, y;
} mapping;

/* ---- as operators ---- */

/* What a format does, by place of an axis: place[] are the engine's axes in its layout. */
typedef struct steps {
    int64_t before[DT_MAX_RANK], behind[DT_MAX_RANK]; /* zeros */
    int64_t times[DT_MAX_RANK];                       /* each element so often; 0: by indices */
    bool pads, resizes;
} steps;

/* Place i of a rule that has zeros: below 0 or `size` and more are such. */
static int64_t open_index(const dt_remap_axis *a, int64_t size, int64_t i)
{
    int64_t top = a->num * i + a->add, at = top / a->den;
    if (at * a->den != top) return size; /* between two elements */
    return at;
}

/* Element i of an axis after its zeros were put around it. */
static int64_t padded_index(const mapping *m, const steps *s, int axis, int place, int64_t i)
{
    const dt_remap_axis *a = &m->conf.axis[axis];
    if (!s->before[place] && !s->behind[place]) return dt_remap_index(a, m->x.dim[axis], i);
    return open_index(a, m->x.dim[axis], i) + s->before[place];
}

/* How often an axis of so many elements is repeated, as runtimes compute it in single precision; 0:
 * it is something else. */
static int64_t repeats(const mapping *m, const steps *s, int axis, int place)
{
    int64_t in = m->x.dim[axis] + s->before[place] + s->behind[place], out = m->y.dim[axis];
    const float scale = (float)in / (float)out;
    if (out % in) return 0;
    for (int64_t i = 0; i < out; i++)
        if (padded_index(m, s, axis, place, i) != i / (out / in) ||
            (int64_t)floorf((float)i * scale) != i / (out / in))
            return 0;
    return out / in;
}

static steps steps_of(const mapping *m, const int *axis)
{
    steps s = { .pads = false };
    for (int p = 1; p < m->x.rank; p++) {
        const dt_remap_axis *a = &m->conf.axis[axis[p]];
        int64_t size = m->x.dim[axis[p]];
        for (int64_t i = 0; a->count && a->border == DT_REMAP_FILL && i < a->count; i++) {
            int64_t at = open_index(a, size, i);
            if (-at > s.before[p]) s.before[p] = -at;
            if (at - size + 1 > s.behind[p]) s.behind[p] = at - size + 1;
        }
        s.pads = s.pads || s.before[p] || s.behind[p];
        s.times[p] = repeats(m, &s, axis[p], p);
    }
    return s;
}

/* Indices of an axis, at the place of it. */
static void indices_of(const mapping *m, const steps *s, const int *axis, int p, int64_t *out)
{
    for (int64_t i = 0; i < m->y.dim[axis[p]]; i++)
        out[i] = padded_index(m, s, axis[p], p, i);
}

/* ---- ONNX ---- */

static const int as_is[] = { 0, 1, 2, 3, 4, 5 }, planes[] = { 0, 3, 1, 2 };

static const int *places(const dt_shape *s)
{
    return s->rank == 4 ? planes : as_is;
}

static const char *pad(dt_onnx *m, const char *name, int rank, const steps *s, const char *x,
                       const char *zero)
{
    int64_t pads[2 * DT_MAX_RANK] = { 0 };
    const char *in[] = { x, dt_onnx_text(m, "%s.pads", name), zero, NULL };
    for (int p = 1; p < rank; p++) {
        pads[p] = s->before[p];
        pads[rank + p] = s->behind[p];
    }
    dt_onnx_constant(m, in[1], DT_ONNX_S64, &DT_SHAPE(2 * rank), pads);
    dt_onnx_node(m, "Pad", in, name, NULL);
    return name;
}

/* Rows and columns of [N,C,H,W], each so often. */
static const char *resize(dt_onnx *m, const char *name, const steps *s, const char *x)
{
    const float scale[] = { 1, 1, (float)s->times[2], (float)s->times[3] };
    const dt_onnx_attr attr[] = {
        { .name = "mode", .text = "nearest" },
        { .name = "coordinate_transformation_mode", .text = "asymmetric" },
        { .name = "nearest_mode", .text = "floor" },
        { .name = NULL },
    };
    const char *in[] = { x, "", dt_onnx_text(m, "%s.scales", name), NULL };
    dt_onnx_constant(m, in[2], DT_ONNX_FLOAT, &DT_SHAPE(4), scale);
    dt_onnx_node(m, "Resize", in, name, attr);
    return name;
}

static const char *gather(dt_onnx *m, const char *name, const mapping *map, const steps *s,
                          const int *axis, int p, const char *x)
{
    const int64_t count = map->y.dim[axis[p]];
    int64_t *index = dt_arena_get(dt_onnx_arena(m), (size_t)count * sizeof *index);
    const char *in[] = { x, dt_onnx_text(m, "%s.index", name), NULL };
    const dt_onnx_attr attr[] = { { .name = "axis", .i = p }, { .name = NULL } };
    if (!index) return name; /* no file comes of it: the arena is empty for all else, too */
    indices_of(map, s, axis, p, index);
    dt_onnx_constant(m, in[1], DT_ONNX_S64, &DT_SHAPE(count), index);
    dt_onnx_node(m, "Gather", in, name, attr);
    return name;
}

/* The operators on x; `zero` is its code of 0, NULL: 0 itself. */
static const char *write_steps(dt_onnx *m, const char *prefix, const mapping *map, const int *axis,
                               const char *x, const char *zero)
{
    steps s = steps_of(map, axis);
    if (s.pads) x = pad(m, dt_onnx_text(m, "%s/Pad", prefix), map->x.rank, &s, x, zero);
    bool both = axis == planes && s.times[2] && s.times[3] && s.times[2] * s.times[3] > 1;
    if (both) x = resize(m, dt_onnx_text(m, "%s/Resize", prefix), &s, x);
    for (int p = 1; p < map->x.rank; p++)
        if (s.times[p] != 1 && !(both && p > 1))
            x = gather(m, dt_onnx_text(m, "%s/Gather_%d", prefix, p), map, &s, axis, p, x);
    return x;
}

/* ---- from a node of the graph ---- */

/* Field by field: it is compared as bytes. */
static void set_mapping(mapping *m, const dt_node *n, const dt_shape *x, const dt_shape *y)
{
    memset(m, 0, sizeof *m);
    memcpy(&m->conf, n->conf, sizeof m->conf);
    m->x.rank = x->rank;
    m->y.rank = y->rank;
    memcpy(m->x.dim, x->dim, sizeof m->x.dim);
    memcpy(m->y.dim, y->dim, sizeof m->y.dim);
}

/* Tokens [N,T,C] are rows in ONNX, before and behind. */
static const char *move(dt_onnx_walker *w, const dt_node *n, const char *prefix, const char *x,
                        const char *zero, const char *out)
{
    mapping m;
    set_mapping(&m, n, &w->src->graph->value[n->in[0]].shape,
                &w->src->graph->value[n->out[0]].shape);
    bool tokens = m.x.rank == 3;
    if (tokens)
        x = dt_onnx_reshape(w, x, dt_onnx_text(w->m, "%s/Tokens", prefix), 3,
                            (const int64_t[]){ -1, m.x.dim[1], m.x.dim[2] });
    const bool heads = m.x.rank == 4 && !dt_query_is_map(w->src->graph, n->in[0]);
    x = write_steps(w->m, prefix, &m, heads ? as_is : places(&m.x), x, zero);
    if (heads) { /* what moves elements gives a map */
        const dt_onnx_attr turn[] = { { .name = "perm", .count = 4, .ints = { 0, 3, 1, 2 } },
                                      { .name = NULL } };
        x = dt_onnx_unary(w, "Transpose", x, dt_onnx_text(w->m, "%s/Transpose", prefix), turn);
    }
    if (tokens)
        return dt_onnx_reshape(w, x, out ? out : dt_onnx_text(w->m, "%s/Rows", prefix), 2,
                               (const int64_t[]){ -1, m.y.dim[2] });
    return out ? dt_onnx_unary(w, "Identity", x, out, NULL) : x;
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *n)
{
    const dt_graph *g = w->src->graph;
    const dt_node *site = dt_query_site(g, n->in[0]);
    const dt_onnx_value *x = w->value[n->in[0]];
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
    const dt_shape *xs = &b->g->value[n->in[0]].shape;
    DT_TRY(dt_int_codes_of(b, n, 0, "its input", &x));
    if (xs->rank != 4 && xs->rank != 2)
        return dt_int_refuse(b, n,
                             "it gives or takes tokens, which have no integer form; --format "
                             "onnx has");
    dt_int_node *node = dt_int_add_moved(b, &dt_form_remap, n, x);
    mapping *m = dt_arena_get(b->m->arena, sizeof *m);
    if (!node || !m) return dt_int_no_memory(b->err);
    set_mapping(m, n, xs, &b->g->value[n->out[0]].shape);
    node->own = m;
    node->own_bytes = sizeof *m;
    return DT_OK;
}

/* ---- codes ---- */

/* Every element by itself. */
static void reference(const dt_int_job *j, int64_t picture)
{
    const mapping *m = j->n->own;
    const uint8_t *x = dt_int_input(j, 0, picture);
    uint8_t *y = dt_int_codes(j, picture);
    for (int64_t i = 0; i < dt_int_count(j->y); i++) {
        int64_t left = i, from = 0, stride = 1;
        bool zero = false;
        for (int k = m->x.rank - 1; k > 0; k--) {
            int64_t at = dt_remap_index(&m->conf.axis[k], m->x.dim[k], left % m->y.dim[k]);
            zero = zero || at < 0;
            from += at * stride;
            left /= m->y.dim[k];
            stride *= m->x.dim[k];
        }
        y[i] = zero ? (uint8_t)j->y->grid.zero_point : x[from];
    }
}

/* Rows of channels, which most often stay as they are. */
static void engine_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_int_job *j = arg;
    const mapping *m = j->n->own;
    const int last = m->x.rank - 1;
    const dt_remap_axis *a = &m->conf.axis[last];
    const int64_t C = m->x.dim[last], O = m->y.dim[last], rows = dt_int_count(j->y) / O;
    const uint8_t *x = dt_int_input(j, 0, i);
    uint8_t *y = dt_int_codes(j, i);
    for (int64_t row = 0; row < rows; row++, y += O) {
        int64_t from = dt_remap_row(&m->conf, &m->x, &m->y, row);
        if (from >= 0 && !a->count) {
            memcpy(y, x + from, (size_t)O);
            continue;
        }
        for (int64_t k = 0; k < O; k++) {
            int64_t at = from < 0 ? -1 : dt_remap_index(a, C, k);
            y[k] = at < 0 ? (uint8_t)j->y->grid.zero_point : x[from + at];
        }
    }
}

static void engine(dt_int_run *r, const dt_int_node *n)
{
    dt_int_each_picture(r, n, engine_task);
}

/* ---- formats of the integer model ---- */

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *last)
{
    const mapping *m = n->own;
    (void)last;
    w->codes[n->out] = write_steps(w->m, n->name, m, places(&m->x), w->codes[n->in[0]],
                                   dt_qoperator_zero(w, n->in[0]));
    w->flat[n->out] = m->y.rank == 2;
    return DT_OK;
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    const mapping *m = n->own;
    w->whole[n->out] = write_steps(w->m, n->name, m, places(&m->x), w->whole[n->in[0]], NULL);
    w->flat[n->out] = m->y.rank == 2;
    return DT_OK;
}

/* [N,H,W,C] of any value: rows [N,C] are pictures of one pixel. */
static mapping as_picture(const mapping *from)
{
    mapping m = *from;
    if (from->x.rank == 4) return m;
    m.x = DT_SHAPE(1, 1, 1, from->x.dim[1]);
    m.y = DT_SHAPE(1, 1, 1, from->y.dim[1]);
    m.conf.axis[3] = from->conf.axis[1];
    m.conf.axis[1] = (dt_remap_axis){ 0 };
    return m;
}

typedef struct tflite_steps {
    dt_tflite_walker *w;
    const dt_int_node *n;
    dt_shape shape; /* of `at` */
    int at, left;   /* tensor; operators that are still to come */
} tflite_steps;

/* The tensor that the next operator gives: the last one has the node's name. */
static int next_tensor(tflite_steps *t, const char *part)
{
    return dt_tflite_codes(t->w, t->n->name, --t->left ? part : "", t->n->out, t->shape);
}

static void tflite_pad(tflite_steps *t, const steps *s)
{
    int32_t pads[8];
    for (int p = 0; p < 4; p++) {
        pads[2 * p] = (int32_t)s->before[p];
        pads[2 * p + 1] = (int32_t)s->behind[p];
        t->shape.dim[p] += s->before[p] + s->behind[p];
    }
    const int in[] = { t->at, dt_tflite_ints(t->w, t->n->name, ".pads", DT_SHAPE(4, 2), pads) };
    t->at = next_tensor(t, "/padded");
    dt_tflite_node(t->w->m, DT_TFL_PAD, in, 2, t->at, NULL);
}

static void tflite_resize(tflite_steps *t, const steps *s)
{
    for (int p = 1; p < 3; p++)
        t->shape.dim[p] *= s->times[p];
    const int32_t size[] = { (int32_t)t->shape.dim[1], (int32_t)t->shape.dim[2] };
    const int in[] = { t->at, dt_tflite_ints(t->w, t->n->name, ".size", DT_SHAPE(2), size) };
    t->at = next_tensor(t, "/resized");
    dt_tflite_node(t->w->m, DT_TFL_RESIZE_NEAREST, in, 2, t->at, (int[]){ 0, 0 });
}

static dt_status tflite_gather(tflite_steps *t, const mapping *m, const steps *s, int p)
{
    static const char *const names[] = { "", ".rows", ".columns", ".channels" }, *const parts[] = {
        "", "/rows", "/columns", "/channels"
    };
    const int64_t count = m->y.dim[p];
    int64_t *index = dt_arena_get(t->w->arena, (size_t)count * sizeof *index);
    int32_t *small = dt_arena_get(t->w->arena, (size_t)count * sizeof *small);
    if (!index || !small) return dt_tflite_no_memory(t->w);
    indices_of(m, s, as_is, p, index);
    for (int64_t i = 0; i < count; i++)
        small[i] = (int32_t)index[i];
    const int in[] = { t->at, dt_tflite_ints(t->w, t->n->name, names[p], DT_SHAPE(count), small) };
    t->shape.dim[p] = count;
    t->at = next_tensor(t, parts[p]);
    dt_tflite_node(t->w->m, DT_TFL_GATHER, in, 2, t->at, (int[]){ p, 0 });
    return DT_OK;
}

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *last)
{
    const mapping m = as_picture(n->own);
    steps s = steps_of(&m, as_is);
    (void)last;
    bool both = s.times[1] && s.times[2] && s.times[1] * s.times[2] > 1;
    tflite_steps t = { w, n, m.x, w->tensor[n->in[0]], s.pads + both };
    for (int p = 1; p < 4; p++)
        t.left += s.times[p] != 1 && !(both && p < 3);
    if (!t.left) s.pads = true, t.left = 1; /* a tensor of its name: a Pad of nothing */
    if (s.pads) tflite_pad(&t, &s);
    if (both) tflite_resize(&t, &s);
    for (int p = 1; p < 4; p++)
        if (s.times[p] != 1 && !(both && p < 3)) DT_TRY(tflite_gather(&t, &m, &s, p));
    w->tensor[n->out] = t.at;
    return DT_OK;
}

static const char *text(const dt_contract *c)
{
    (void)c;
    return c99_remap;
}

static const char *const c_axis[] = { "", "row", "column", "channel" };

static void numbers(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const mapping m = as_picture(n->own);
    const dt_int_value *y = &t->m->value[n->out];
    for (int p = 1; p < 4; p++) {
        if (!m.conf.axis[p].count) continue;
        dt_c_say(t, "static const int32_t node_%d_%s[] = {", step, c_axis[p]);
        for (int64_t i = 0; i < m.y.dim[p]; i++)
            dt_c_say(t, "%s%s %lld", i ? "," : "", i && i % 16 == 0 ? "\n   " : "",
                     (long long)dt_remap_index(&m.conf.axis[p], m.x.dim[p], i));
        dt_c_say(t, " };\n");
    }
    dt_c_say(t,
             "static const struct remap node_%d = {\n    .width = %lld, .channels = %lld,\n"
             "    .out_height = %lld, .out_width = %lld, .out_channels = %lld, .zero = %d,\n",
             step, (long long)m.x.dim[2], (long long)m.x.dim[3], (long long)m.y.dim[1],
             (long long)m.y.dim[2], (long long)m.y.dim[3], y->grid.zero_point);
    for (int p = 1; p < 4; p++)
        if (m.conf.axis[p].count)
            dt_c_say(t, "    .%s = node_%d_%s,\n", c_axis[p], step, c_axis[p]);
    dt_c_say(t, "};\n");
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    dt_c_say(t, "remap(&node_%d, %s, %s);", step, x[0], y);
}

static const dt_c_cell c_cell = { .text = text, .numbers = numbers, .call = call };

const dt_form dt_form_remap = {
    .name = "remap",
    .lower = lower,
    .onnx = onnx,
    .reference = reference,
    .engine = engine,
    .qoperator = qoperator,
    .qonnx = qonnx,
    .tflite = tflite,
    .c = &c_cell,
};
