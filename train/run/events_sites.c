/* Events of quantization sites, after an epoch. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_fakequant.h"
#include "train/inspect/inspect.h"
#include "train/inspect/inspect_activations.h"
#include "train/run/metrics.h"

static void add(dt_event_scalar *s, int *n, const char *site, const char *what, double value)
{
    if (!isfinite(value)) return;
    snprintf(s[*n].tag, sizeof s[*n].tag, "quant/%s/%s", site, what);
    s[(*n)++].value = value;
}

/* Activations are not measured here: that takes pictures, and `detent inspect --images` has it. */
static dt_status site_event(dt_metrics *m, const dt_graph *g, const dt_state *state,
                            const dt_node *node, int64_t step, const dt_alloc *a, dt_error *err)
{
    dt_event_scalar s[3];
    int n = 0;
    dt_inspect_fit fit = { 0 };
    const dt_fakequant_conf *c = node->conf;
    if (c->site.weight) DT_TRY(dt_inspect_weights(g, state, node, a, &fit, err));
    const dt_inspect_site site = dt_inspect_site_of(state, node, &fit);
    if (site.has_grid) add(s, &n, node->name, "scale", (site.scale_low + site.scale_high) / 2);
    if (fit.count && fit.has_grid)
        add(s, &n, node->name, "clipped", (double)fit.clipped / (double)fit.count);
    if (fit.count) add(s, &n, node->name, "sqnr_db", dt_inspect_sqnr(&fit));
    return n ? dt_events_add(&m->events, step, s, n, err) : DT_OK;
}

dt_status dt_metrics_sites(dt_metrics *m, const dt_graph *g, const dt_state *state, int64_t step,
                           const dt_alloc *a, dt_error *err)
{
    for (int i = 0; i < g->node_count; i++)
        if (g->node[i].op->quantizes) DT_TRY(site_event(m, g, state, &g->node[i], step, a, err));
    return DT_OK;
}
