/* The float network fed with another program's codes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/verify_foreign.h"

#include <math.h>
#include <string.h>

#include "autograd/quantizer.h"
#include "autograd/query.h"

static bool is_input(const dt_graph *g, int value)
{
    for (int k = 0, v; (v = dt_graph_input(g, k)) >= 0; k++)
        if (v == value) return true;
    return false;
}

/* Does a value depend on what goes in? */
static bool depends(const dt_graph *g, int value)
{
    int at = g->value[value].producer;
    if (at < 0) return is_input(g, value);
    for (int k = 0; k < g->node[at].in_count; k++)
        if (depends(g, g->node[at].in[k])) return true;
    return false;
}

/* The softmax of codes that a quantizer alone reads, which onnxruntime joins with it. */
static void find_softmax(dt_foreign_site *s, const dt_graph *g, const dt_lowered *l)
{
    const dt_node *n = dt_query_maker(g, s->node->in[0]);
    const dt_node *from = n && n->op->row_shares ? dt_query_site(g, n->in[0]) : NULL;
    const dt_shape *x = n ? &g->value[n->in[0]].shape : NULL;
    if (!from || !dt_query_reader(g, n->out[0]) ||
        !dt_shares_fit(&s->grid, x->dim[x->rank - 1]))
        return;
    s->softmax = n;
    s->x = *l->grid[dt_query_index(g, from)];
}

static void find_sites(dt_foreign *v, const dt_lowered *l)
{
    const dt_graph *g = &v->net->graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *n = &g->node[i];
        v->site_of[i] = -1;
        /* constants come from a few nodes at the start: the search ends soon */
        if (!l->grid[i] || !depends(g, n->in[0])) continue;
        dt_foreign_site s = { .node = n,
                              .grid = *l->grid[i],
                              .is_map = dt_query_is_map(g, n->out[0]) };
        const dt_shape *y = &g->value[n->out[0]].shape;
        s.shape.rank = y->rank - 1;
        memcpy(s.shape.dim, y->dim + 1, (size_t)s.shape.rank * sizeof *y->dim);
        find_softmax(&s, g, l);
        v->site_of[i] = v->site_count;
        v->site[v->site_count++] = s;
    }
}

/* Before the softmax of a site: the codes that it will have. */
static void run_softmax(dt_foreign *v, const dt_foreign_site *s, const real *x)
{
    dt_shares shares;
    int64_t count = v->n * dt_shape_count(&s->shape), C = s->shape.dim[s->shape.rank - 1];
    dt_shares_init(&shares, &s->x, &s->grid, C);
    for (int64_t i = 0; i < count; i++)
        v->shares[i] = (uint8_t)dt_grid_encode(&s->x, (float)x[i]);
    for (int64_t i = 0; i < count; i += C)
        dt_shares_row(&shares, v->shares + i, C, v->shares + i);
}

/* Before a quantizer: which values lie at ties. */
static void find_ties(dt_foreign *v, const dt_foreign_site *s, const real *x)
{
    for (int64_t i = 0; i < v->n * dt_shape_count(&s->shape); i++) {
        double q = (double)x[i] / (double)s->grid.scale;
        double more = q - rint(q);
        v->tie[i] = fabs(more) > 0.5 - DT_FOREIGN_TIE ? (more > 0 ? 1 : -1) : 0;
    }
}

static double code_of(const dt_foreign *v, const dt_foreign_site *s, const real *x, int64_t i)
{
    if (s->softmax) return v->shares[i];
    return rint((double)x[i] / (double)s->grid.scale) + s->grid.zero_point;
}

/* Behind quantizer `at`: its codes against the other program's, which take their place. */
static void compare_site(dt_foreign *v, dt_foreign_site *s, const uint8_t *code, real *x)
{
    int64_t count = v->n * dt_shape_count(&s->shape);
    for (int64_t i = 0; i < count; i++) {
        int64_t more = code[i] - (int64_t)code_of(v, s, x, i), apart = more < 0 ? -more : more;
        bool tie = more && !s->softmax && more == v->tie[i];
        s->ties += tie;
        s->differ += apart != 0 && !tie;
        if (apart > s->largest) s->largest = apart;
        x[i] = (real)((float)(code[i] - s->grid.zero_point) * s->grid.scale);
    }
    s->checked += count;
}

/* The site that quantizes what a softmax gives; NULL: the node is none of codes. */
static const dt_foreign_site *site_of_softmax(const dt_foreign *v, const dt_node *node)
{
    const dt_graph *g = &v->net->graph;
    const dt_node *reader = node->op->row_shares ? dt_query_reader(g, node->out[0]) : NULL;
    int at = reader ? v->site_of[dt_query_index(g, reader)] : -1;
    return at >= 0 && v->site[at].softmax ? &v->site[at] : NULL;
}

static dt_status on_node(void *arg, const dt_node *node, const dt_op_run *run, bool after,
                         dt_error *err)
{
    dt_foreign *v = arg;
    const dt_graph *g = &v->net->graph;
    int at = v->site_of[dt_query_index(g, node)];
    const uint8_t *code = v->codes;
    (void)err;
    if (!v->codes) return DT_OK;
    const dt_foreign_site *behind = after ? NULL : site_of_softmax(v, node);
    if (behind) run_softmax(v, behind, run->in[0]);
    if (!after && at >= 0) find_ties(v, &v->site[at], run->in[0]);
    if (!after || at < 0) return DT_OK;
    for (int i = 0; i < at; i++)
        code += v->n * dt_shape_count(&v->site[i].shape);
    compare_site(v, &v->site[at], code, run->out[0]);
    return DT_OK;
}

/* Room for what is known of the largest site. */
static dt_status make_room(dt_foreign *v, dt_error *err)
{
    int64_t most = 1;
    for (int i = 0; i < v->site_count; i++) {
        int64_t count = dt_shape_count(&v->site[i].shape);
        if (count > most) most = count;
    }
    v->shares = dt_get_array(v->alloc, DT_VERIFY_BATCH, (size_t)most, "verify");
    v->tie = dt_get_array(v->alloc, DT_VERIFY_BATCH, (size_t)most * sizeof *v->tie, "verify");
    return v->shares && v->tie ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to compare");
}

dt_status dt_foreign_init(dt_foreign *v, dt_net *net, const dt_lowered *lowered,
                          const dt_kernels *k, int threads, const dt_alloc *a, dt_error *err)
{
    size_t nodes = (size_t)net->graph.node_count + 1;
    *v = (dt_foreign){ .net = net, .alloc = a };
    DT_TRY(dt_evaluator_init(&v->f, net, &net->graph, k, DT_VERIFY_BATCH, threads, NULL, a, err));
    v->site = dt_get_array(a, nodes, sizeof *v->site, "verify");
    v->site_of = dt_get_array(a, nodes, sizeof *v->site_of, "verify");
    size_t each = (size_t)dt_goal_predicted(&net->goal);
    for (int i = 0; i < 2; i++)
        v->predictions[i] = dt_get_array(a, each * DT_VERIFY_BATCH, sizeof(float), "verify");
    if (!v->site || !v->site_of || !v->predictions[0] || !v->predictions[1]) {
        dt_foreign_fini(v);
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to compare");
    }
    v->f.exec.hook = on_node;
    v->f.exec.hook_arg = v;
    find_sites(v, lowered);
    dt_status st = make_room(v, err);
    if (st != DT_OK) dt_foreign_fini(v);
    return st;
}

void dt_foreign_fini(dt_foreign *v)
{
    dt_put(v->alloc, v->site);
    dt_put(v->alloc, v->shares);
    dt_put(v->alloc, v->tie);
    dt_put(v->alloc, v->predictions[0]);
    dt_put(v->alloc, v->predictions[1]);
    dt_put(v->alloc, v->site_of);
    dt_evaluator_fini(&v->f);
    *v = (dt_foreign){ .alloc = v->alloc };
}

int64_t dt_foreign_codes(const dt_foreign *v)
{
    int64_t count = 0;
    for (int i = 0; i < v->site_count; i++)
        count += dt_shape_count(&v->site[i].shape);
    return count;
}

static void count_same(dt_foreign *v, int64_t n, const float *outputs)
{
    const dt_goal *g = &v->net->goal;
    const real *f = dt_evaluator_outputs(&v->f, n);
    dt_score_add(&v->score, g, f, v->f.answers, n, v->predictions[0]);
    dt_score_add(&v->score_foreign, g, outputs, v->f.answers, n, v->predictions[1]);
    dt_same_predictions(g, v->predictions[0], v->predictions[1], n, v->same);
}

dt_status dt_foreign_batch(dt_foreign *v, const dt_batch *batch, int64_t n, const uint8_t *codes,
                           const float *outputs, dt_error *err)
{
    v->n = n;
    for (int isolated = 1; isolated >= 0; isolated--) {
        v->codes = isolated ? codes : NULL;
        dt_evaluator_feed(&v->f, batch, n);
        DT_TRY(dt_exec_forward(&v->f.exec, err));
    }
    count_same(v, n, outputs);
    v->pictures += n;
    return DT_OK;
}

int dt_foreign_first(const dt_foreign *v)
{
    for (int i = 0; i < v->site_count; i++)
        if (v->site[i].largest > (v->site[i].softmax ? 0 : 1)) return i;
    return -1;
}
