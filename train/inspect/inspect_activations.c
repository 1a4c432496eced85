/* Quantizers watched while the float net runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/inspect/inspect_activations.h"

#include <math.h>

#include "autograd/op_fakequant.h"
#include "autograd/query.h"
#include "exchange/exporter.h"
#include "fakequant/quantizers.h"
#include "train/run/evaluate.h"

typedef struct watch {
    const dt_graph *graph;
    dt_inspect_fit *fit;
    real *room; /* of the largest value at DT_INSPECT_BATCH */
    int64_t valid;
} watch;

static int bin_of(double x, double low, double high)
{
    double at = (x - low) / (high - low) * (DT_INSPECT_BINS / 1.25) + DT_INSPECT_BINS / 10.0;
    if (!(at > 0)) return 0;
    return at < DT_INSPECT_BINS ? (int)at : DT_INSPECT_BINS - 1;
}

void dt_inspect_fit_add(dt_inspect_fit *fit, const dt_fakequant_conf *c, const dt_quant_site *site,
                        const real *params, const real *stats, const real *x, real *room)
{
    dt_encode e;
    dt_grid g;
    dt_fakequant_encode(c, site, params, stats, &e);
    dt_quantizer_apply(&e, site->count, x, room);
    bool grid = c->quantizer->grid && c->quantizer->grid(c->options, site, params, stats, &g);
    fit->has_grid = grid && (fit->has_grid || fit->count == 0);
    double low = grid ? g.scale * (g.level ? g.level[0] : g.qmin - g.zero_point) : 0;
    double high = grid ? g.scale * (g.level ? g.level[g.levels - 1] : g.qmax - g.zero_point) : 0;
    for (int64_t i = 0; i < site->count; i++) {
        double d = (double)x[i] - (double)room[i];
        fit->signal += (double)x[i] * (double)x[i];
        fit->noise += d * d;
        fit->clipped += grid && ((double)x[i] < low || (double)x[i] > high);
        if (grid && low < high) fit->bin[bin_of((double)x[i], low, high)]++;
    }
    fit->count += site->count;
}

double dt_inspect_sqnr(const dt_inspect_fit *fit)
{
    return fit->noise > 0 ? 10 * log10(fit->signal / fit->noise) : INFINITY;
}

/* One scale for the whole value, fixed before it is seen: what deployed nets have. */
static bool is_plain(const dt_node *n)
{
    const dt_fakequant_conf *c = n->conf;
    return !c->site.weight && c->site.groups == 1 && !dt_quant_transforms(c->quantizer, &c->site);
}

static dt_status on_node(void *arg, const dt_node *n, const dt_op_run *run, bool after,
                         dt_error *err)
{
    (void)err;
    watch *w = arg;
    if (after || !n->op->quantizes || !is_plain(n)) return DT_OK;
    const dt_fakequant_conf *c = n->conf;
    dt_shape shape = run->in_shape[0];
    shape.dim[0] = w->valid;
    dt_quant_site site = dt_fakequant_site(c, &shape);
    real params[DT_QUANT_MAX_PARAMS];
    for (int i = 1; i <= dt_query_params(n); i++)
        params[i - 1] = ((const real *)run->in[i])[0];
    dt_inspect_fit_add(&w->fit[n - w->graph->node], c, &site, params, NULL, run->in[0], w->room);
    return DT_OK;
}

static dt_status run_batches(dt_evaluator *e, dt_loader *loader, int64_t pictures, watch *w,
                             dt_error *err)
{
    int64_t all = dt_loader_samples(loader);
    if (pictures > all) pictures = all;
    DT_TRY(dt_loader_seek(loader, 0, 0, err));
    int64_t done = 0;
    for (int64_t b = 0; b < dt_loader_batches(loader) && done < pictures; b++) {
        dt_batch batch;
        DT_TRY(dt_loader_next(loader, &batch, err));
        w->valid = batch.valid < pictures - done ? batch.valid : pictures - done;
        dt_evaluator_feed(e, &batch, batch.valid);
        DT_TRY(dt_exec_forward(&e->exec, err));
        done += batch.valid;
    }
    return DT_OK;
}

int64_t dt_inspect_largest(const dt_graph *g, dt_value_kind kind)
{
    int64_t most = 1;
    for (int i = 0; i < g->value_count; i++) {
        if (g->value[i].kind != kind) continue;
        int64_t n = dt_shape_count(&g->value[i].shape);
        most = n > most ? n : most;
    }
    return most;
}

/* What activation quantizers read: inputs of the net, and what nodes give. */
static int64_t largest_read(const dt_graph *g)
{
    int64_t in = dt_inspect_largest(g, DT_VALUE_INPUT), made = dt_inspect_largest(g, DT_VALUE_NODE);
    return in > made ? in : made;
}

static dt_status watch_net(dt_session *s, const dt_graph *graph, dt_evaluator *e, int64_t pictures,
                           dt_inspect_fit *fit, dt_error *err)
{
    dt_loader *loader;
    size_t most = (size_t)largest_read(graph);
    watch w = { .graph = graph, .fit = fit };
    DT_TRY(dt_session_loader(s, DT_SPLIT_TEST, DT_INSPECT_BATCH, &loader, err));
    w.room = dt_get_array(s->alloc, most * DT_INSPECT_BATCH, sizeof *w.room, "inspection");
    dt_status st = DT_ERR_NOMEM;
    e->exec.hook = on_node;
    e->exec.hook_arg = &w;
    if (w.room)
        st = run_batches(e, loader, pictures, &w, err);
    else
        dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to look at activations");
    dt_put(s->alloc, w.room);
    dt_loader_close(loader);
    return st;
}

dt_status dt_inspect_activations(dt_session *s, const dt_graph *graph, int64_t pictures,
                                 dt_inspect_fit *fit, dt_error *err)
{
    dt_evaluator e;
    DT_TRY(dt_evaluator_init(&e, &s->net, graph, &s->kernels, DT_INSPECT_BATCH, s->threads, NULL,
                             s->alloc, err));
    dt_status st = watch_net(s, graph, &e, pictures, fit, err);
    dt_evaluator_fini(&e);
    return st;
}
