/* Quantization sites. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/site.h"

#include <string.h>

#include "autograd/query.h"
#include "fakequant/quantizers.h"

static int fail(dt_placer *p, dt_status status)
{
    if (p->status == DT_OK) p->status = status;
    return -1;
}

static int no_memory(dt_placer *p)
{
    return fail(p, dt_fail(p->err, DT_ERR_NOMEM, NULL, "no memory"));
}

static bool same_grid(const dt_fakequant_conf *c, const dt_quant_choice *choice)
{
    return c->quantizer == dt_quantizer_of(choice->method) && c->site.bits == choice->bits;
}

static bool same_choice(const dt_fakequant_conf *c, const dt_quant_choice *choice)
{
    size_t size = c->quantizer->row.conf_size;
    bool same_ste = c->ste.kind == choice->ste && c->ste.strength == choice->ste_strength;
    return same_grid(c, choice) && same_ste &&
           (size == 0 || memcmp(c->options, choice->conf, size) == 0);
}

bool dt_site_on_grid(const dt_placer *p, int x, const dt_quant_choice *choice)
{
    const dt_graph *g = p->graph;
    for (int producer; (producer = g->value[x].producer) >= 0;) {
        const dt_node *node = &g->node[producer];
        if (node->op->quantizes) return same_grid(node->conf, choice);
        if (!node->op->moves_codes) return false;
        x = node->in[0];
    }
    return false;
}

/* A node that quantizes x per tensor in this way, -1: none. */
static int find_shared(const dt_placer *p, int x, const dt_quant_choice *choice)
{
    DT_QUERY_EACH_USE(u, p->graph, x)
    {
        const dt_node *node = &p->graph->node[u->node];
        const dt_fakequant_conf *c = u->input == 0 ? dt_query_quantizer(node) : NULL;
        if (c && same_choice(c, choice)) return node->out[0];
    }
    return -1;
}

/* Parameters "<name>.<parameter>" [groups]. */
static int add_params(dt_placer *p, const char *layer, const char *name, const dt_quantizer *q,
                      const void *options, const dt_quant_site *site, int *ids)
{
    for (int i = 0; i < q->param_count; i++) {
        const dt_quant_param *of = &q->params[i];
        const char *foreign = site->weight ? of->foreign_weight : of->foreign_activation;
        const char *own = of->name_of ? of->name_of(options) : of->name;
        const dt_value v = {
            .name = dt_arena_printf(p->graph->arena, "%s.%s", name, own),
            .alias = foreign ? dt_arena_printf(p->graph->arena, "%s.%s", layer, foreign) : NULL,
            .kind = of->learned ? DT_VALUE_PARAM : DT_VALUE_BUFFER,
            .shape = DT_SHAPE(site->groups),
            .role = DT_ROLE_QUANT,
        };
        if (!v.name || (foreign && !v.alias)) return no_memory(p);
        dt_status st = dt_graph_value(p->graph, &v, &ids[i], p->err);
        if (st != DT_OK) return fail(p, st);
    }
    return 0;
}

/* What the gradient of rounding is scaled by, "<name>.strength". */
static int add_strength(dt_placer *p, const char *name, const dt_ste *ste, int *id)
{
    const dt_value v = { .name = dt_arena_printf(p->graph->arena, "%s.strength", name),
                         .kind = DT_VALUE_AUX,
                         .shape = DT_SHAPE(1),
                         .role = DT_ROLE_QUANT,
                         .init = DT_INIT_NUMBER,
                         .number = (real)dt_ste_strength(ste) };
    if (!v.name) return no_memory(p);
    dt_status st = dt_graph_value(p->graph, &v, id, p->err);
    return st == DT_OK ? 0 : fail(p, st);
}

int dt_site_add(dt_placer *p, const char *layer, const char *name, int x,
                const dt_quant_choice *choice, dt_quant_site site)
{
    if (p->status != DT_OK || x < 0) return -1;
    const dt_quantizer *q = dt_quantizer_of(choice->method);
    int in[2 + DT_QUANT_MAX_PARAMS] = { x }, count = 1 + q->param_count, out = -1;
    dt_fakequant_conf conf = { .quantizer = q,
                               .site = site,
                               .ste = { choice->ste, choice->ste_strength } };
    conf.site.bits = choice->bits;
    conf.strength_in = site.weight && choice->ste == DT_STE_EWGS;
    conf.options = dt_graph_keep(p->graph, choice->conf, q->row.conf_size);
    if (!conf.options) return no_memory(p);
    if (choice->bits < q->min_bits || choice->bits > q->max_bits)
        return fail(p, dt_fail(p->err, DT_ERR_RANGE, &(dt_where){ .key = name },
                               "'%s' does %d..%d bits, not %d", q->row.name, q->min_bits,
                               q->max_bits, choice->bits));
    dt_error below = { .status = DT_OK };
    dt_status fits = q->check ? q->check(conf.options, &conf.site, &below) : DT_OK;
    if (fits == DT_OK) fits = dt_ste_check(&conf, &below);
    if (fits != DT_OK)
        return fail(p, dt_fail(p->err, fits, &(dt_where){ .key = name }, "%s", below.text));
    if (add_params(p, layer, name, q, conf.options, &site, in + 1) < 0) return -1;
    if (conf.strength_in && add_strength(p, name, &conf.ste, &in[count++]) < 0) return -1;
    dt_status st = dt_graph_node(p->graph, "fakequant", name, &conf, in, count, &out, p->err);
    return st == DT_OK ? out : fail(p, st);
}

static char *site_name(dt_placer *p, const char *layer, const char *part)
{
    dt_arena *arena = p->graph->arena;
    char *name = part ? dt_arena_printf(arena, "%s.%s_quant", layer, part)
                      : dt_arena_printf(arena, "%s_quant", layer);
    if (!name) no_memory(p);
    return name;
}

int dt_site_activation(dt_placer *p, const char *layer, const char *part, int x,
                       const dt_quant_choice *choice)
{
    if (p->status != DT_OK || x < 0) return -1;
    if (!choice->quantized) return x;
    if (choice->granularity != DT_PER_TENSOR)
        return fail(p, dt_fail(p->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = layer },
                               "activations are quantized per tensor: a scale for each "
                               "channel cannot leave the integer sum"));
    int shared = p->share ? find_shared(p, x, choice) : -1;
    if (shared >= 0) return shared;
    char *name = site_name(p, layer, part);
    if (!name) return -1;
    const dt_value *v = &p->graph->value[x];
    dt_quant_site site = { .groups = 1, .is_signed = !v->nonneg, .batches = p->batches };
    if (v->kind == DT_VALUE_INPUT && !p->input_open) {
        site.has_range = true;
        site.range_low = p->input_low;
        site.range_high = p->input_high;
    }
    return dt_site_add(p, layer, name, x, choice, site);
}

int dt_site_weight(dt_placer *p, const char *layer, int w, const dt_quant_choice *choice)
{
    if (p->status != DT_OK || w < 0) return -1;
    if (!choice->quantized) return w;
    char *name = site_name(p, layer, "weight");
    if (!name) return -1;
    const dt_shape *shape = &p->graph->value[w].shape;
    int64_t groups = choice->granularity == DT_PER_TENSOR ? 1 : shape->dim[0];
    if (choice->granularity == DT_PER_GROUP) {
        int64_t each = dt_shape_count(shape) / groups;
        if (each % choice->group)
            return fail(p,
                        dt_fail(p->err, DT_ERR_SHAPE, &(dt_where){ .key = name },
                                "groups of %d do not divide the %lld elements of an output channel",
                                choice->group, (long long)each));
        groups *= each / choice->group;
    }
    const dt_quant_site site = { .is_signed = true, .weight = true, .groups = groups };
    return dt_site_add(p, layer, name, w, choice, site);
}
