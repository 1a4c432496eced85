/* The pattern of attention. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/fuse_attention.h"

#include <string.h>

#include "autograd/op_slice.h"

typedef struct search {
    const dt_graph *g;
    const int *keep;
    int keep_count;
    dt_attention_match *m;
} search;

/* Nothing but one node reads v. */
static bool is_passed_on(const search *s, int v)
{
    int readers = 0;
    for (int i = 0; i < s->keep_count; i++)
        if (s->keep[i] == v) return false;
    for (int i = 0; i < s->g->node_count; i++)
        for (int j = 0; j < s->g->node[i].in_count; j++)
            readers += s->g->node[i].in[j] == v;
    return readers == 1;
}

/* The node of this op that makes v for one reader; NULL: it is another one. Takes it in. */
static const dt_node *maker(search *s, int v, const char *op)
{
    int producer = s->g->value[v].producer;
    if (producer < 0 || s->m->node_count == DT_ATTENTION_NODES) return NULL;
    const dt_node *node = &s->g->node[producer];
    if (strcmp(node->op->name, op) != 0 || !is_passed_on(s, v)) return NULL;
    s->m->node[s->m->node_count++] = producer;
    return node;
}

/* Goes from *v, which a quantizer of this site may make, to what reaches the quantizer. */
static bool through_quantizer(search *s, int site, int *v, const dt_node **out)
{
    const dt_node *node = maker(s, *v, "fakequant");
    *out = node;
    if (!node) return true;
    const dt_fakequant_conf *c = node->conf;
    if (c->site.weight || c->site.groups != 1 || c->ste.kind == DT_STE_STOCHASTIC ||
        dt_quant_transforms(c->quantizer, &c->site))
        return false;
    s->m->conf.quant[site] = c;
    *v = node->in[0];
    return true;
}

/* v is part `part` of the joint product. */
static bool is_operand(search *s, int v, int part, int *qkv)
{
    const dt_node *node = maker(s, v, "slice");
    if (!node) return false;
    const dt_slice_conf *c = node->conf;
    if (c->part != part || c->parts != 3 || (part > 0 && node->in[0] != *qkv)) return false;
    *qkv = node->in[0];
    return true;
}

static bool add_inputs(dt_attention_match *m, int qkv, const dt_node *const *quant)
{
    m->in[m->in_count++] = qkv;
    for (int i = 0; i < DT_ATTENTION_SITES; i++)
        for (int j = 1; quant[i] && j < quant[i]->in_count; j++) {
            if (m->in_count == DT_OP_MAX_IN) return false;
            m->in[m->in_count++] = quant[i]->in[j];
        }
    return true;
}

bool dt_attention_find(const dt_graph *g, int mix, const int *keep, int keep_count,
                       dt_attention_match *out)
{
    search s = { g, keep, keep_count, out };
    const dt_node *end = &g->node[mix], *quant[DT_ATTENTION_SITES];
    *out = (dt_attention_match){ .node = { mix }, .node_count = 1 };
    if (strcmp(end->op->name, "attention_mix") != 0) return false;
    int probs = end->in[0], v = end->in[1], qkv = -1;
    if (!through_quantizer(&s, DT_ATTENTION_PROBS, &probs, &quant[DT_ATTENTION_PROBS]) ||
        !through_quantizer(&s, DT_ATTENTION_V, &v, &quant[DT_ATTENTION_V]))
        return false;
    const dt_node *softmax = maker(&s, probs, "softmax");
    int x = softmax ? softmax->in[0] : -1;
    if (!softmax || !through_quantizer(&s, DT_ATTENTION_SCORES, &x, &quant[DT_ATTENTION_SCORES]))
        return false;
    const dt_node *scores = maker(&s, x, "attention_scores");
    if (!scores) return false;
    out->conf.heads = *(const dt_attention_heads *)scores->conf;
    int q = scores->in[0], k = scores->in[1];
    return through_quantizer(&s, DT_ATTENTION_Q, &q, &quant[DT_ATTENTION_Q]) &&
           through_quantizer(&s, DT_ATTENTION_K, &k, &quant[DT_ATTENTION_K]) &&
           is_operand(&s, q, 0, &qkv) && is_operand(&s, k, 1, &qkv) && is_operand(&s, v, 2, &qkv) &&
           add_inputs(out, qkv, quant);
}
