/* The graph of a phase: the net's, with quantizers left out or at more bits. Values and their order
 * are the net's, so parameters, optimizer and checkpoints know no phases. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/query.h"
#include "autograd/rewrite.h"
#include "train/net/net.h"

typedef struct phase {
    const dt_net *net;
    const dt_recipe_phase *conf;
    bool quantizes[2], norms;
} phase;

/* A quantizer at `bits`; refused where the method cannot do them. */
static dt_status put_with_bits(dt_rewrite *r, const dt_node *node, int bits)
{
    dt_fakequant_conf c;
    memcpy(&c, node->conf, sizeof c);
    const dt_quantizer *q = c.quantizer;
    const dt_where where = { .key = node->name };
    dt_error below = { .status = DT_OK };
    c.site.bits = bits;
    if (bits < q->min_bits || bits > q->max_bits)
        return dt_fail(r->err, DT_ERR_RANGE, &where, "'%s' does %d..%d bits, not %d as phases say",
                       q->row.name, q->min_bits, q->max_bits, bits);
    dt_status fits = q->check ? q->check(c.options, &c.site, &below) : DT_OK;
    if (fits != DT_OK) return dt_fail(r->err, fits, &where, "%s", below.text);
    return dt_rewrite_put_as(r, node, node->op->name, &c, sizeof c);
}

/* Leaves a quantizer out: its output is its input. Where the output has to stay (the net's), the
 * node before computes it. */
static dt_status leave_out(dt_rewrite *r, const dt_node *node)
{
    const phase *p = r->arg;
    if (dt_graph_is_output(&p->net->graph, node->out[0]))
        dt_rewrite_rename(r, node->in[0], node->out[0]);
    else
        dt_rewrite_stand_for(r, node->out[0], node->in[0]);
    return DT_OK;
}

static dt_status visit(dt_rewrite *r, int i)
{
    phase *p = r->arg;
    const dt_node *node = &r->source->node[i];
    const dt_fakequant_conf *c = dt_query_quantizer(node);
    if (c) {
        int least = c->site.weight ? p->conf->weight_bits : p->conf->activation_bits;
        p->quantizes[!c->site.weight] = true;
        if (least == DT_FLOAT_BITS) return leave_out(r, node);
        if (least > c->site.bits) return put_with_bits(r, node, least);
    }
    p->norms = p->norms || node->op->batch_stat;
    return dt_rewrite_put(r, node);
}

/* Names what a phase speaks of and the net has not. */
static dt_status check_used(const phase *p, dt_error *err)
{
    const dt_recipe_phase *c = p->conf;
    bool weights = c->weight_bits && !p->quantizes[0];
    bool activations = c->activation_bits && !p->quantizes[1];
    if (weights || activations || (c->ranges && !p->quantizes[0] && !p->quantizes[1]))
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "phases" },
                       "%s of epoch %d: the net has no such quantizers",
                       weights       ? "weight_bits"
                       : activations ? "activation_bits"
                                     : "ranges",
                       c->epoch);
    if (c->norm && !p->norms)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "phases" },
                       "norm of epoch %d: the net has no batch norm", c->epoch);
    return DT_OK;
}

dt_status dt_net_phase(const dt_net *net, const dt_recipe_phase *conf, const dt_alloc *a,
                       dt_graph *out, dt_error *err)
{
    phase p = { .net = net, .conf = conf };
    DT_TRY(dt_graph_rewrite(&net->graph, visit, &p, a, out, err));
    dt_status st = check_used(&p, err);
    if (st != DT_OK) dt_graph_fini(out);
    return st;
}
