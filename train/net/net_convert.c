/* Quantizer parameters from those of another form of the same range. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/net_convert.h"

#include <string.h>

#include "autograd/quantizer.h"
#include "autograd/query.h"

/* The numbers of one group of a site in a file. */
typedef struct lookup {
    const dt_tensors *set;
    const char *site;
    int64_t groups, group;
} lookup;

static bool read_number(void *arg, const char *name, double *out)
{
    const lookup *l = arg;
    float number;
    char *full = dt_format(NULL, "%s.%s", l->site, name);
    const dt_named_tensor *t = full ? dt_tensors_find(l->set, full) : NULL;
    dt_put(NULL, full);
    if (!t || dt_shape_count(&t->shape) != l->groups) return false;
    dt_to_f32(t->dtype, (const char *)t->data + (size_t)l->group * dt_dtype_size(t->dtype), 1,
              &number);
    *out = (double)number;
    return true;
}

static bool has_all(const dt_graph *g, const dt_node *site, const dt_tensors *set)
{
    for (int i = 1; i <= dt_query_params(site); i++)
        if (!dt_tensors_find(set, g->value[site->in[i]].name)) return false;
    return true;
}

bool dt_net_convert(const dt_graph *g, const dt_node *site, const dt_tensors *set,
                    const dt_state *state)
{
    const dt_fakequant_conf *c = site->conf;
    if (!site->op->quantizes || !c->quantizer->convert) return false;
    if (has_all(g, site, set)) return false;
    for (int64_t group = 0; group < c->site.groups; group++) {
        real p[DT_QUANT_MAX_PARAMS] = { 0 };
        lookup l = { set, site->name, c->site.groups, group };
        if (!c->quantizer->convert(c->options, &c->site, read_number, &l, p)) return false;
        for (int i = 1; state && i <= dt_query_params(site); i++)
            state->data[site->in[i]][group] = p[i - 1];
    }
    return true;
}
