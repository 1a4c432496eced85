/* The graph of a phase: the net's, with quantizers left out or at more bits, and batch norms at
 * fixed statistics. Values and their order are the net's, so parameters, optimizer and checkpoints
 * know no phases. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "autograd/op_batchnorm.h"
#include "autograd/quantizer.h"
#include "train/net.h"

typedef struct rewrite {
    const dt_net *net;
    const dt_recipe_phase *phase;
    dt_graph *out;
    int *value; /* by value of the net: which one stands for it */
    bool quantizes[2], norms;
} rewrite;

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
}

/* A quantizer at `bits`; refused where the method cannot do them. */
static dt_status with_bits(rewrite *r, dt_node *node, int bits, dt_error *err)
{
    dt_fakequant_conf c;
    memcpy(&c, node->conf, sizeof c);
    const dt_quantizer *q = c.quantizer;
    const dt_where where = { .key = node->name };
    dt_error below = { .status = DT_OK };
    c.site.bits = bits;
    if (bits < q->min_bits || bits > q->max_bits)
        return dt_fail(err, DT_ERR_RANGE, &where, "'%s' does %d..%d bits, not %d as phases say",
                       q->row.name, q->min_bits, q->max_bits, bits);
    dt_status fits = q->check ? q->check(c.options, &c.site, &below) : DT_OK;
    if (fits != DT_OK) return dt_fail(err, fits, &where, "%s", below.text);
    node->conf = dt_graph_keep(r->out, &c, sizeof c);
    return node->conf ? DT_OK : no_memory(err);
}

/* Leaves a quantizer out: its output is its input. Where the output has to stay (logits), the node
 * before computes it. */
static void leave_out(rewrite *r, const dt_node *node)
{
    int x = r->value[node->in[0]], y = node->out[0];
    int producer = r->out->value[x].producer;
    r->value[y] = x;
    if (y != r->net->logits || producer < 0) return;
    dt_node *before = &r->out->node[producer];
    for (int i = 0; i < before->out_count; i++)
        if (before->out[i] == x) before->out[i] = y;
    r->out->value[y].producer = producer;
    r->value[y] = y;
    r->value[x] = y;
}

static dt_status add(rewrite *r, const dt_node *plain, dt_error *err)
{
    dt_node node = *plain;
    dt_graph *out = r->out;
    if (strcmp(node.op->name, "fakequant") == 0) {
        const dt_fakequant_conf *c = node.conf;
        int least = c->site.weight ? r->phase->weight_bits : r->phase->activation_bits;
        r->quantizes[!c->site.weight] = true;
        if (least == 32) {
            leave_out(r, plain);
            return DT_OK;
        }
        if (least > c->site.bits) DT_TRY(with_bits(r, &node, least, err));
    }
    if (strcmp(node.op->name, "batchnorm") == 0 && r->phase->norm) {
        dt_batchnorm_conf c;
        memcpy(&c, node.conf, sizeof c);
        c.frozen = true;
        r->norms = true;
        node.conf = dt_graph_keep(out, &c, sizeof c);
        if (!node.conf) return no_memory(err);
    }
    for (int i = 0; i < node.in_count; i++)
        node.in[i] = r->value[node.in[i]];
    for (int i = 0; i < node.out_count; i++)
        out->value[node.out[i]].producer = out->node_count;
    out->node[out->node_count++] = node;
    return DT_OK;
}

static dt_status rewrite_all(rewrite *r, dt_error *err)
{
    const dt_graph *g = &r->net->graph;
    dt_graph *out = r->out;
    out->value = dt_graph_keep(out, g->value, (size_t)g->value_count * sizeof *out->value);
    out->node = dt_arena_get(out->arena, (size_t)g->node_count * sizeof *out->node);
    r->value = dt_arena_get(out->arena, (size_t)g->value_count * sizeof *r->value);
    if (!out->value || !out->node || !r->value) return no_memory(err);
    out->value_count = out->value_room = g->value_count;
    out->node_room = g->node_count;
    for (int i = 0; i < g->value_count; i++) {
        r->value[i] = i;
        out->value[i].producer = -1;
    }
    for (int i = 0; i < g->node_count; i++)
        DT_TRY(add(r, &g->node[i], err));
    const dt_recipe_phase *p = r->phase;
    bool weights = p->weight_bits && !r->quantizes[0];
    bool activations = p->activation_bits && !r->quantizes[1];
    if (weights || activations || (p->ranges && !r->quantizes[0] && !r->quantizes[1]))
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "phases" },
                       "%s of epoch %d: the net has no such quantizers",
                       weights       ? "weight_bits"
                       : activations ? "activation_bits"
                                     : "ranges",
                       p->epoch);
    if (p->norm && !r->norms)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "phases" },
                       "norm of epoch %d: the net has no batch norm", p->epoch);
    return DT_OK;
}

dt_status dt_net_phase(const dt_net *net, const dt_recipe_phase *phase, const dt_alloc *a,
                       dt_graph *out, dt_error *err)
{
    DT_TRY(dt_graph_init(out, a, err));
    rewrite r = { .net = net, .phase = phase, .out = out };
    dt_status st = rewrite_all(&r, err);
    if (st != DT_OK) dt_graph_fini(out);
    return st;
}
