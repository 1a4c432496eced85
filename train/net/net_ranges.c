/* What a file's learned ranges must be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "autograd/query.h"
#include "fakequant/floor.h"
#include "train/net/net.h"

static dt_status check_group(const dt_node *site, const dt_state *state, int64_t group,
                             const char *path, dt_error *err)
{
    const dt_fakequant_conf *c = site->conf;
    real p[DT_QUANT_MAX_PARAMS];
    double size;
    for (int i = 1; i <= dt_query_params(site); i++)
        p[i - 1] = state->data[site->in[i]][group];
    if (!dt_floor_usable(c, p, &size)) {
        int at = 1; /* what the range is made of begins there; a number that is none comes first */
        for (int i = 1; i <= dt_query_params(site) && isfinite(p[at - 1]); i++)
            at = isfinite(p[i - 1]) ? 1 : i;
        char group_text[32] = "";
        if (c->site.groups > 1)
            snprintf(group_text, sizeof group_text, " in group %lld", (long long)group);
        return dt_fail(err, DT_ERR_NUMERIC,
                       &(dt_where){ .file = path, .key = state->graph->value[site->in[at]].name },
                       "is %g%s, and no range: it must be finite and its size %g or more, not %g; "
                       "--calibrate starts it from data",
                       (double)state->data[site->in[at]][group], group_text, DT_FLOOR_LEAST, size);
    }
    return DT_OK;
}

dt_status dt_net_check_ranges(const dt_graph *sites, const dt_state *state, const bool *anew,
                              const char *path, dt_error *err)
{
    for (int i = 0; i < sites->node_count; i++) {
        const dt_node *site = &sites->node[i];
        const dt_fakequant_conf *c = site->conf;
        bool learns = site->op->quantizes && c->quantizer->range;
        if (learns && anew && anew[site->in[1]]) continue;
        for (int64_t k = 0; learns && k < c->site.groups; k++)
            DT_TRY(check_group(site, state, k, path, err));
    }
    return DT_OK;
}
