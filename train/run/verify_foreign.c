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
        v->site_of[i] = v->site_count;
        v->site[v->site_count++] = s;
    }
}

/* Behind quantizer `at`: its codes against the other program's, which take their place. */
static void compare_site(dt_foreign *v, dt_foreign_site *s, const uint8_t *code, real *x)
{
    int64_t count = v->n * dt_shape_count(&s->shape);
    for (int64_t i = 0; i < count; i++) {
        double q = rint((double)x[i] / (double)s->grid.scale) + s->grid.zero_point;
        int64_t apart = (int64_t)fabs(q - code[i]);
        s->differ += apart != 0;
        if (apart > s->largest) s->largest = apart;
        x[i] = (real)((float)(code[i] - s->grid.zero_point) * s->grid.scale);
    }
    s->checked += count;
}

static dt_status on_node(void *arg, const dt_node *node, const dt_op_run *run, bool after,
                         dt_error *err)
{
    dt_foreign *v = arg;
    int at = v->site_of[node - v->net->graph.node];
    const uint8_t *code = v->codes;
    (void)err;
    if (!after || !v->codes || at < 0) return DT_OK;
    for (int i = 0; i < at; i++)
        code += v->n * dt_shape_count(&v->site[i].shape);
    compare_site(v, &v->site[at], code, run->out[0]);
    return DT_OK;
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
    return DT_OK;
}

void dt_foreign_fini(dt_foreign *v)
{
    dt_put(v->alloc, v->site);
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
        if (v->site[i].largest > 1) return i;
    return -1;
}
