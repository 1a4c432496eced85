/* Around an update. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/hold.h"

#include <stdio.h>
#include <string.h>

#include "autograd/query.h"
#include "fakequant/floor.h"

enum { TOLD_HALF = 1, TOLD_FLOOR = 2, OFTEN = 20 };

dt_status dt_hold_init(dt_hold *h, const dt_graph *g, const dt_alloc *a, dt_error *err)
{
    *h = (dt_hold){ .graph = g, .arena = dt_arena_new(a, "ranges") };
    size_t n = (size_t)g->value_count + 1;
    bool full = !h->arena || !(h->before = dt_arena_get(h->arena, n * sizeof *h->before)) ||
                !(h->told = dt_arena_get(h->arena, n)) ||
                !(h->halved = dt_arena_get(h->arena, n * sizeof *h->halved));
    for (int i = 0; !full && i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        if (v->role != DT_ROLE_QUANT) continue;
        h->before[i] = dt_arena_get(h->arena, (size_t)dt_shape_count(&v->shape) * sizeof(real));
        full = !h->before[i];
    }
    if (!full) return DT_OK;
    dt_hold_fini(h);
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the ranges of quantizers");
}

void dt_hold_fini(dt_hold *h)
{
    dt_arena_free(h->arena);
    *h = (dt_hold){ 0 };
}

void dt_hold_begin(dt_hold *h, const dt_state *s)
{
    for (int i = 0; i < h->graph->value_count; i++)
        if (h->before[i])
            memcpy(h->before[i], s->data[i],
                   (size_t)dt_shape_count(&h->graph->value[i].shape) * sizeof(real));
}

static const dt_fakequant_conf *site_conf(const dt_node *node)
{
    return node->op->quantizes ? node->conf : NULL;
}

static void read_group(const dt_node *site, real *const *data, int64_t group, real *out)
{
    for (int i = 1; i <= dt_query_params(site); i++)
        out[i - 1] = data[site->in[i]][group];
}

/* Writes a group back where it was held, and says what is to be told of it. */
static void put_group(dt_hold *h, const dt_node *site, const dt_optim_state *o, dt_state *s,
                      int64_t group, const real *held, dt_hold_event *e)
{
    for (int i = dt_query_params(site); i > 0; i--) {
        real *x = &s->data[site->in[i]][group];
        if (memcmp(x, &held[i - 1], sizeof *x) == 0) continue;
        const char *name = strrchr(h->graph->value[site->in[i]].name, '.');
        e->parameter = name ? name + 1 : "";
        e->updated = (double)*x;
        e->held = (double)held[i - 1];
        *x = held[i - 1];
        if (h->graph->value[site->in[i]].kind == DT_VALUE_PARAM)
            dt_optim_let_go(o, site->in[i], group);
    }
}

static dt_status hold_group(dt_hold *h, const dt_node *site, const dt_optim_state *o, dt_state *s,
                            int64_t group, dt_hold_fn fn, void *arg, bool *out_halved,
                            dt_error *err)
{
    const dt_fakequant_conf *c = site->conf;
    real before[DT_QUANT_MAX_PARAMS], held[DT_QUANT_MAX_PARAMS];
    read_group(site, h->before, group, before);
    read_group(site, s->data, group, held);
    dt_held what = dt_floor_hold(c, before, held);
    if (what == DT_HELD_NOT) return DT_OK;
    dt_hold_event e = { .site = site->name,
                        .parameter = "",
                        .group = group,
                        .groups = c->site.groups,
                        .at_floor = what == DT_HELD_FLOOR };
    put_group(h, site, o, s, group, held, &e);
    *out_halved = *out_halved || !e.at_floor;
    if (e.at_floor && dt_floor_is_at(c, before)) return DT_OK; /* it stays there */
    unsigned char *told = &h->told[site->in[1]], bit = e.at_floor ? TOLD_FLOOR : TOLD_HALF;
    e.first = !(*told & bit);
    *told |= bit;
    return fn(arg, &e, err);
}

dt_status dt_hold_end(dt_hold *h, const dt_graph *sites, const dt_optim_state *o, dt_state *s,
                      dt_hold_fn fn, void *arg, dt_error *err)
{
    for (int i = 0; i < sites->node_count; i++) {
        const dt_node *site = &sites->node[i];
        const dt_fakequant_conf *c = site_conf(site);
        bool halved = false;
        for (int64_t k = 0; c && c->quantizer->range && k < c->site.groups; k++)
            DT_TRY(hold_group(h, site, o, s, k, fn, arg, &halved, err));
        if (halved) h->halved[site->in[1]]++;
    }
    h->steps++;
    return DT_OK;
}

/* Names of sites in a text, the first few. */
enum { NAMES = 4 };

static void name_site(int nth, const char *name, char *text, size_t size)
{
    size_t used = strlen(text);
    if (nth < NAMES)
        snprintf(text + used, size - used, "%s%s", used ? ", " : "", name);
    else if (nth == NAMES)
        snprintf(text + used, size - used, ", ...");
}

int dt_hold_often(const dt_hold *h, const dt_graph *sites, char *text, size_t size)
{
    int n = 0;
    text[0] = '\0';
    for (int i = 0; i < sites->node_count; i++) {
        const dt_node *site = &sites->node[i];
        char name[256];
        int64_t halved = dt_query_params(site) > 0 ? h->halved[site->in[1]] : 0;
        if (halved * OFTEN <= h->steps) continue;
        snprintf(name, sizeof name, "%s (%lld of %lld steps)", site->name, (long long)halved,
                 (long long)h->steps);
        name_site(n++, name, text, size);
    }
    return n;
}

bool dt_hold_group_at_floor(const dt_node *site, const dt_state *s, int64_t group)
{
    real params[DT_QUANT_MAX_PARAMS];
    read_group(site, s->data, group, params);
    return dt_floor_is_at(site->conf, params);
}

static bool is_at_floor(const dt_node *site, const dt_state *s)
{
    const dt_fakequant_conf *c = site_conf(site);
    for (int64_t k = 0; c && k < c->site.groups; k++)
        if (dt_hold_group_at_floor(site, s, k)) return true;
    return false;
}

int dt_hold_at_floor(const dt_graph *sites, const dt_state *s, char *text, size_t size)
{
    int n = 0;
    text[0] = '\0';
    for (int i = 0; i < sites->node_count; i++)
        if (is_at_floor(&sites->node[i], s)) name_site(n++, sites->node[i].name, text, size);
    return n;
}
