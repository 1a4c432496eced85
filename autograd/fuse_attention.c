/* The pattern of attention. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/fuse_attention.h"

#include "autograd/query.h"

typedef struct search {
    const dt_graph *g;
    const int *keep;
    int keep_count;
    dt_attention_match *m;
} search;

static bool is_kept(const search *s, int v)
{
    for (int i = 0; i < s->keep_count; i++)
        if (s->keep[i] == v) return true;
    return false;
}

/* The node that makes v for one reader only; NULL: there is none. */
static const dt_node *maker(const search *s, int v)
{
    return s->g->value[v].uses == 1 && !is_kept(s, v) ? dt_query_maker(s->g, v) : NULL;
}

/* Takes a node in; false: there is none, or no room for it. */
static bool take(search *s, const dt_node *node)
{
    if (!node || s->m->node_count == DT_ATTENTION_NODES) return false;
    s->m->node[s->m->node_count++] = dt_query_index(s->g, node);
    return true;
}

/* Goes from *v, which a quantizer of this site may make, to what reaches the quantizer. */
static bool through_quantizer(search *s, int site, int *v, const dt_node **out)
{
    const dt_node *node = maker(s, *v);
    const dt_fakequant_conf *c = dt_query_quantizer(node);
    *out = c ? node : NULL;
    if (!c) return true;
    if (!take(s, node) || c->site.weight || c->site.groups != 1 ||
        c->ste.kind == DT_STE_STOCHASTIC || dt_quant_transforms(c->quantizer, &c->site))
        return false;
    s->m->conf.quant[site] = c;
    *v = node->in[0];
    return true;
}

/* v is part `part` of the joint product. */
static bool is_operand(search *s, int v, int part, int *qkv)
{
    const dt_node *node = maker(s, v);
    int which, parts;
    if (!node || !node->op->part || !take(s, node)) return false;
    node->op->part(node->conf, &which, &parts);
    if (which != part || parts != 3 || (part > 0 && node->in[0] != *qkv)) return false;
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
    if (end->op->matmul != DT_MATMUL_PLAIN) return false;
    int probs = end->in[0], v = end->in[1], qkv = -1;
    if (!through_quantizer(&s, DT_ATTENTION_PROBS, &probs, &quant[DT_ATTENTION_PROBS]) ||
        !through_quantizer(&s, DT_ATTENTION_V, &v, &quant[DT_ATTENTION_V]))
        return false;
    const dt_node *softmax = maker(&s, probs);
    if (!softmax || !softmax->op->row_shares || !take(&s, softmax)) return false;
    int x = softmax->in[0];
    if (!through_quantizer(&s, DT_ATTENTION_SCORES, &x, &quant[DT_ATTENTION_SCORES])) return false;
    const dt_node *scores = maker(&s, x);
    if (!scores || scores->op->matmul != DT_MATMUL_TRANSPOSED || !take(&s, scores)) return false;
    out->conf.heads = *(const dt_attention_heads *)scores->conf;
    int q = scores->in[0], k = scores->in[1];
    return through_quantizer(&s, DT_ATTENTION_Q, &q, &quant[DT_ATTENTION_Q]) &&
           through_quantizer(&s, DT_ATTENTION_K, &k, &quant[DT_ATTENTION_K]) &&
           is_operand(&s, q, 0, &qkv) && is_operand(&s, k, 1, &qkv) && is_operand(&s, v, 2, &qkv) &&
           add_inputs(out, qkv, quant);
}
