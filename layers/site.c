/* Quantization sites. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/site.h"

#include <string.h>

#include "fakequant/quantizers.h"

int dt_builder_fail(dt_builder *b, dt_status status)
{
    if (b->status == DT_OK) b->status = status;
    return -1;
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

bool dt_site_on_grid(const dt_builder *b, int x, const dt_quant_choice *choice)
{
    const dt_graph *g = b->graph;
    for (int producer; (producer = g->value[x].producer) >= 0;) {
        const dt_node *node = &g->node[producer];
        if (node->op->quantizes) return same_grid(node->conf, choice);
        if (!node->op->moves_codes) return false;
        x = node->in[0];
    }
    return false;
}

/* A fakequant node that quantizes x per tensor in this way, -1: none. */
static int find_shared(const dt_builder *b, int x, const dt_quant_choice *choice)
{
    const dt_graph *g = b->graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        bool of_x = node->op->quantizes && node->in[0] == x;
        if (of_x && same_choice(node->conf, choice)) return node->out[0];
    }
    return -1;
}

/* Parameters "<name>.<parameter>" [groups]. */
static int add_params(dt_builder *b, const char *layer, const char *name, const dt_quantizer *q,
                      const void *options, const dt_quant_site *site, int *ids)
{
    for (int i = 0; i < q->param_count; i++) {
        const dt_quant_param *p = &q->params[i];
        const char *alias = site->weight ? p->foreign_weight : p->foreign_activation;
        const dt_value v = {
            .name = dt_layer_name(b, "%s.%s", name, p->name_of ? p->name_of(options) : p->name),
            .alias = alias ? dt_layer_name(b, "%s.%s", layer, alias) : NULL,
            .kind = p->learned ? DT_VALUE_PARAM : DT_VALUE_BUFFER,
            .shape = DT_SHAPE(site->groups),
            .role = DT_ROLE_QUANT,
        };
        if (b->status != DT_OK) return -1;
        dt_status st = dt_graph_value(b->graph, &v, &ids[i], b->err);
        if (st != DT_OK) return dt_builder_fail(b, st);
    }
    return 0;
}

static int add_site(dt_builder *b, const char *layer, const char *name, int x,
                    const dt_quant_choice *choice, dt_quant_site site)
{
    const dt_quantizer *q = dt_quantizer_of(choice->method);
    int in[1 + DT_QUANT_MAX_PARAMS] = { x }, out = -1;
    dt_fakequant_conf conf = { .quantizer = q,
                               .site = site,
                               .ste = { choice->ste, choice->ste_strength } };
    conf.site.bits = choice->bits;
    if (site.weight && choice->ste == DT_STE_EWGS) {
        const real delta = (real)dt_ste_strength(&conf.ste);
        conf.delta = dt_graph_keep(b->graph, &delta, sizeof delta);
        if (!conf.delta)
            return dt_builder_fail(b, dt_fail(b->err, DT_ERR_NOMEM, NULL, "no memory"));
    }
    conf.options = dt_graph_keep(b->graph, choice->conf, q->row.conf_size);
    if (!conf.options) return dt_builder_fail(b, dt_fail(b->err, DT_ERR_NOMEM, NULL, "no memory"));
    if (choice->bits < q->min_bits || choice->bits > q->max_bits)
        return dt_builder_fail(b, dt_fail(b->err, DT_ERR_RANGE, &(dt_where){ .key = name },
                                          "'%s' does %d..%d bits, not %d", q->row.name, q->min_bits,
                                          q->max_bits, choice->bits));
    dt_error below = { .status = DT_OK };
    dt_status fits = q->check ? q->check(conf.options, &conf.site, &below) : DT_OK;
    if (fits == DT_OK) fits = dt_ste_check(&conf, &below);
    if (fits != DT_OK)
        return dt_builder_fail(b,
                               dt_fail(b->err, fits, &(dt_where){ .key = name }, "%s", below.text));
    if (add_params(b, layer, name, q, conf.options, &site, in + 1) < 0) return -1;
    dt_status st =
        dt_graph_node(b->graph, "fakequant", name, &conf, in, 1 + q->param_count, &out, b->err);
    return st == DT_OK ? out : dt_builder_fail(b, st);
}

static char *site_name(dt_builder *b, const char *layer, const char *part)
{
    char *name = dt_arena_printf(b->graph->arena, "%s.%s_quant", layer, part);
    if (!name) dt_builder_fail(b, dt_fail(b->err, DT_ERR_NOMEM, NULL, "no memory"));
    return name;
}

int dt_site_activation(dt_builder *b, const char *layer, const char *part, int x,
                       const dt_quant_choice *choice)
{
    if (b->status != DT_OK || x < 0) return -1;
    if (!choice->quantized) return x;
    if (choice->granularity != DT_PER_TENSOR)
        return dt_builder_fail(b, dt_fail(b->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = layer },
                                          "activations are quantized per tensor: a scale for each "
                                          "channel cannot leave the integer sum"));
    int shared = b->share ? find_shared(b, x, choice) : -1;
    if (shared >= 0) return shared;
    char *name = site_name(b, layer, part);
    if (!name) return -1;
    const dt_value *v = &b->graph->value[x];
    dt_quant_site site = { .groups = 1, .is_signed = !v->nonneg, .batches = b->batches };
    if (v->kind == DT_VALUE_INPUT) {
        site.has_range = true;
        site.range_low = b->input_low;
        site.range_high = b->input_high;
    }
    return add_site(b, layer, name, x, choice, site);
}

int dt_site_weight(dt_builder *b, const char *layer, int w, const dt_quant_choice *choice)
{
    if (b->status != DT_OK || w < 0) return -1;
    if (!choice->quantized) return w;
    char *name = site_name(b, layer, "weight");
    if (!name) return -1;
    const dt_shape *shape = &b->graph->value[w].shape;
    int64_t groups = choice->granularity == DT_PER_TENSOR ? 1 : shape->dim[0];
    if (choice->granularity == DT_PER_GROUP) {
        int64_t each = dt_shape_count(shape) / groups;
        if (each % choice->group)
            return dt_builder_fail(
                b, dt_fail(b->err, DT_ERR_SHAPE, &(dt_where){ .key = name },
                           "groups of %d do not divide the %lld elements of an output channel",
                           choice->group, (long long)each));
        groups *= each / choice->group;
    }
    const dt_quant_site site = { .is_signed = true, .weight = true, .groups = groups };
    return add_site(b, layer, name, w, choice, site);
}
