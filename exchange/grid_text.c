/* A site's grid as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/grid_text.h"

#include "autograd/op_fakequant.h"
#include "autograd/quantizer.h"

enum { GROUPS_MAX = 4096 }; /* whose scales fit into a text */

/* The grid of a group; false: it has none by itself. */
static bool grid_of(const dt_node *site, const dt_state *state, int64_t group, dt_grid *out)
{
    const dt_fakequant_conf *c = site->conf;
    const dt_quantizer *q = c->quantizer;
    real p[DT_QUANT_MAX_PARAMS];
    for (int i = 0; i < q->param_count; i++)
        p[i] = state->data[site->in[1 + i]][group];
    if (q->settle) q->settle(c->options, &c->site, p);
    return q->grid(c->options, &c->site, p, NULL, out);
}

static void say_codes(const dt_fakequant_conf *c, const dt_grid *g, dt_text *out)
{
    dt_text_say(out, "{\"signed\":%s,\"low\":%d,\"high\":%d,\"zero_point\":%d,",
                c->site.is_signed ? "true" : "false", g->qmin, g->qmax, g->zero_point);
    for (int i = 0; g->level && i < g->levels; i++)
        dt_text_say(out, "%s%d", i ? "," : "\"levels\":[", g->level[i]);
    dt_text_say(out, "%s\"scale\":[", g->level ? "]," : "");
}

void dt_grid_say(const dt_node *site, const dt_state *state, dt_text *out)
{
    const dt_fakequant_conf *c = site->conf;
    dt_grid g;
    if (!c->quantizer->grid || dt_quant_transforms(c->quantizer, &c->site)) return;
    if (c->site.groups > GROUPS_MAX || !grid_of(site, state, 0, &g)) return;
    say_codes(c, &g, out);
    for (int64_t k = 0; k < c->site.groups && grid_of(site, state, k, &g); k++)
        dt_text_say(out, "%s%.9g", k ? "," : "", g.scale);
    dt_text_say(out, "]}");
}
