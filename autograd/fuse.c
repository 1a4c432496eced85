/* The fusing pass. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/fuse.h"

#include <math.h>
#include <string.h>

#include "autograd/fuse_attention.h"
#include "autograd/op_chain.h"
#include "autograd/op_encode_codes.h"
#include "autograd/op_relu6.h"
#include "autograd/query.h"
#include "autograd/rewrite.h"

/* A chain in the making. */
typedef struct chain {
    dt_chain_conf conf;
    const char *name;
    int in[DT_OP_MAX_IN], in_count;
    int out[DT_OP_MAX_OUT], out_count;
    int value; /* of the last stage */
    int at;    /* the plain node whose place it takes: by then all operands are there */
} chain;

typedef struct pass {
    const dt_graph *g;
    const int *keep;
    int keep_count;
    dt_arena *arena;                /* what the pass remembers */
    bool *absorbed;                 /* by plain node: part of another one */
    chain **chain;                  /* by plain node: the chain that takes its place, NULL: none */
    chain **behind;                 /* by value: the chain whose batch norm reads it, NULL: none */
    bool *coded;                    /* by value: kept as codes */
    dt_attention_match **attention; /* by plain node: the pattern that ends there, NULL: none */
} pass;

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
}

static bool kept(const pass *p, int v)
{
    for (int i = 0; i < p->keep_count; i++)
        if (p->keep[i] == v) return true;
    return false;
}

/* The configuration of a quantizer whose values are integers times a scale; NULL: another node. */
static const dt_fakequant_conf *integer_quant(const dt_node *node)
{
    const dt_fakequant_conf *c = dt_query_quantizer(node);
    if (!c || c->ste.kind == DT_STE_STOCHASTIC) return NULL;
    bool (*is)(const void *, const dt_quant_site *) =
        c->quantizer->integer ? c->quantizer->integer : c->quantizer->uniform;
    return is && is(c->options, &c->site) ? c : NULL;
}

/* A quantizer that takes values as they come, by one encoder: any kind of it can be a stage. */
static bool is_stage(const dt_node *node)
{
    const dt_fakequant_conf *c = dt_query_quantizer(node);
    return c && !c->site.weight && c->site.groups == 1 && c->ste.kind != DT_STE_STOCHASTIC &&
           !dt_quant_transforms(c->quantizer, &c->site);
}

/* The quantizer that makes v of integers; NULL: none. */
static const dt_fakequant_conf *quant_of(const pass *p, int v)
{
    return integer_quant(dt_query_maker(p->g, v));
}

/* Is input k of node i that of a product which can read it as codes? */
static bool reads_codes(const pass *p, int i, int k)
{
    const dt_node *node = &p->g->node[i];
    const dt_op_product *of = node->op->product;
    const dt_op_codes *codes = node->op->on_codes;
    if (!codes || k != of->x || node->in[of->x] == node->in[of->w]) return false;
    if (codes->fits && !codes->fits(&p->g->value[node->in[k]].shape, node->in_count)) return false;
    const dt_fakequant_conf *w = quant_of(p, node->in[of->w]);
    int64_t channels = p->g->value[node->in[of->w]].shape.dim[of->channel_axis];
    return w && w->site.weight && (w->site.groups == 1 || w->site.groups == channels);
}

/* Can the output of node i be codes only? */
static bool is_coded(const pass *p, int i)
{
    const dt_node *node = &p->g->node[i];
    const dt_fakequant_conf *c = integer_quant(node);
    if (!c || c->site.weight || c->site.groups != 1 || kept(p, node->out[0])) return false;
    DT_QUERY_EACH_USE(u, p->g, node->out[0])
    if (!reads_codes(p, u->node, u->input)) return false;
    return p->g->value[node->out[0]].uses > 0;
}

/* Room for one more stage with `operands` inputs and an output? */
static bool has_room(const chain *c, int operands)
{
    return c->conf.count < DT_CHAIN_STAGES && c->in_count + operands <= DT_OP_MAX_IN &&
           c->out_count < DT_OP_MAX_OUT;
}

static void add_output(chain *c)
{
    c->conf.stage[c->conf.count - 1].out = c->out_count;
    c->out[c->out_count++] = c->value;
}

static dt_chain_stage *add_stage(pass *p, chain *c, int i, dt_chain_kind kind)
{
    dt_chain_stage *s = &c->conf.stage[c->conf.count++];
    *s = (dt_chain_stage){ .kind = kind, .in = c->in_count, .out = -1 };
    c->value = p->g->node[i].out[0];
    p->absorbed[i] = true;
    return s;
}

static void add_quant(pass *p, chain *c, int i)
{
    const dt_node *node = &p->g->node[i];
    dt_chain_stage *s = add_stage(p, c, i, DT_CHAIN_QUANT);
    s->quant = node->conf;
    for (int j = 1; j < node->in_count; j++)
        c->in[c->in_count++] = node->in[j];
    s->codes = p->coded[c->value] = is_coded(p, i);
}

/* Is it a sum of two values of one shape? A chain works element by element. */
static bool adds_alike(const pass *p, const dt_node *node)
{
    return node->op->sum &&
           dt_shape_equal(&p->g->value[node->in[0]].shape, &p->g->value[node->in[1]].shape);
}

/* The stage that limits values in the way of an operation; false: there is none. */
static bool limit_stage(const dt_node *node, dt_chain_kind *out_kind)
{
    double low, high;
    if (!node->op->limits) return false;
    node->op->limits(node->conf, &low, &high);
    *out_kind = isinf(high) ? DT_CHAIN_RELU : DT_CHAIN_RELU6;
    return low == 0 && (isinf(high) || high == DT_RELU6_HIGH);
}

/* Takes in node i, the only reader of the chain's value, if it is of a known kind. */
static bool absorb(pass *p, chain *c, int i)
{
    const dt_node *node = &p->g->node[i];
    dt_chain_kind kind;
    if (p->absorbed[i]) return false; /* an add of two batch norms is in the other chain */
    if (limit_stage(node, &kind) && has_room(c, 0)) {
        add_stage(p, c, i, kind);
    } else if (adds_alike(p, node) && has_room(c, 1)) {
        int other = node->in[0] == c->value ? node->in[1] : node->in[0];
        add_stage(p, c, i, DT_CHAIN_ADD);
        c->in[c->in_count++] = other;
        c->at = i;
    } else if (is_stage(node) && has_room(c, node->in_count - 1)) {
        add_quant(p, c, i);
    } else {
        return false;
    }
    return true;
}

/* A value that several nodes read is an output; a quantizer of it ends the chain. */
static void end_with_quantizer(pass *p, chain *c)
{
    DT_QUERY_EACH_USE(u, p->g, c->value)
    {
        const dt_node *node = &p->g->node[u->node];
        if (u->input != 0 || !is_stage(node) || !has_room(c, node->in_count - 1)) continue;
        if (c->out_count + 1 >= DT_OP_MAX_OUT) return;
        add_output(c);
        add_quant(p, c, u->node);
        return;
    }
}

static dt_status grow_chain(pass *p, int norm, dt_error *err)
{
    const dt_node *node = &p->g->node[norm];
    chain c = { .name = node->name, .in_count = DT_BN_INPUTS, .value = node->out[0], .at = norm };
    memcpy(&c.conf.norm, node->conf, sizeof c.conf.norm);
    memcpy(c.in, node->in, sizeof(int) * DT_BN_INPUTS);
    for (bool more = true; more;) {
        const dt_node *reader = dt_query_reader(p->g, c.value);
        more = reader && !kept(p, c.value) && absorb(p, &c, dt_query_index(p->g, reader));
        if (c.conf.count && c.conf.stage[c.conf.count - 1].codes) break;
        /* Nothing follows what is kept: its gradient is all that comes from behind it. */
        bool several = p->g->value[c.value].uses > 1 && !kept(p, c.value);
        if (!more && c.conf.count && several) end_with_quantizer(p, &c);
    }
    if (c.conf.count == 0) return DT_OK;
    add_output(&c);
    p->absorbed[norm] = true;
    chain *copy = dt_arena_get(p->arena, sizeof c);
    if (!copy) return no_memory(err);
    *copy = c;
    p->chain[c.at] = p->behind[c.in[DT_BN_X]] = copy;
    return DT_OK;
}

static dt_status put_chain(pass *p, dt_rewrite *r, const chain *c)
{
    dt_node node = { .name = c->name, .in_count = c->in_count, .out_count = c->out_count };
    memcpy(node.in, c->in, sizeof c->in);
    memcpy(node.out, c->out, sizeof c->out);
    for (int i = 0; i < c->out_count; i++)
        if (p->coded[c->out[i]]) r->out->value[c->out[i]].store = DT_STORE_CODE;
    return dt_rewrite_put_as(r, &node, "chain", &c->conf, sizeof c->conf);
}

/* The chain that reads v as the input of its batch norm and is the only reader; NULL: none. */
static chain *chain_of(const pass *p, int v)
{
    return p->g->value[v].uses == 1 && !kept(p, v) ? p->behind[v] : NULL;
}

/* The codes of a uniform grid, which no parameter moves; false: some does. */
static bool codes_of(const dt_fakequant_conf *c, dt_grid *out)
{
    real ones[DT_QUANT_MAX_PARAMS];
    for (int i = 0; i < DT_QUANT_MAX_PARAMS; i++)
        ones[i] = 1;
    return c->quantizer->grid(c->options, &c->site, ones, NULL, out) && !out->level &&
           out->zero_point == 0;
}

/* Whether all sums of `terms` products fit 16 bits around some center. */
static bool sums_fit(const dt_fakequant_conf *cx, const dt_fakequant_conf *cw, int64_t terms,
                     int *out_center)
{
    dt_grid x, w;
    if (!codes_of(cx, &x) || !codes_of(cw, &w)) return false;
    int64_t low = 0, high = 0;
    const int xs[] = { x.qmin, x.qmax }, ws[] = { w.qmin, w.qmax };
    for (int i = 0; i < 4; i++) {
        int64_t sum = terms * xs[i / 2] * ws[i % 2];
        low = sum < low ? sum : low;
        high = sum > high ? sum : high;
    }
    *out_center = (int)low + 32768;
    return high - low <= 65535;
}

/* A product of plain node i on codes. Its output is left as sums, if a chain reads it and they are
 * small: half the memory, the same values. */
static dt_status put_product(pass *p, dt_rewrite *r, int i)
{
    dt_node node = p->g->node[i];
    const dt_op_product *of = node.op->product;
    const dt_op_codes *codes = node.op->on_codes;
    const dt_fakequant_conf *x = quant_of(p, node.in[of->x]), *w = quant_of(p, node.in[of->w]);
    const dt_shape *shape = &p->g->value[node.in[of->w]].shape;
    int64_t O = shape->dim[of->channel_axis];
    node.op = dt_op_find(codes->op);
    void *conf = dt_arena_get(p->arena, node.op->conf_size);
    if (!conf) return no_memory(r->err);
    codes->configure(node.conf, x, w, conf);
    chain *reader = chain_of(p, node.out[0]);
    int center;
    bool biased = dt_query_bias(&p->g->node[i]) >= 0; /* which sums have no place for */
    if (sizeof(real) == sizeof(int32_t) && codes->keep_sums && reader && O <= DT_CHAIN_TILE &&
        !biased && sums_fit(x, w, dt_shape_count(shape) / O, &center)) {
        codes->keep_sums(conf, center);
        reader->conf.sums = true;
        r->out->value[node.out[0]].store = DT_STORE_SUM;
    }
    for (int k = 0; k < 2; k++) {
        const dt_node *maker = dt_query_maker(p->g, node.in[k == 0 ? of->x : of->w]);
        for (int j = 1; j <= dt_query_params(maker); j++)
            node.in[node.in_count++] = maker->in[j];
    }
    return dt_rewrite_put_as(r, &node, codes->op, conf, node.op->conf_size);
}

/* The node whose output only quantizer node i reads and that can be computed on the way to its
 * codes; NULL: none. */
static const dt_node *function_before(const pass *p, int i)
{
    int v = p->g->node[i].in[0];
    const dt_node *node = dt_query_maker(p->g, v);
    bool alone = node && !kept(p, v) && p->g->value[v].uses == 1;
    return alone && node->op->encode_of ? node : NULL;
}

/* Marks what is kept as codes only though no chain makes it: tokens, pictures, what others read as
 * well; and what is computed on the way to them. */
static void find_codes(pass *p)
{
    for (int i = 0; i < p->g->node_count; i++) {
        const dt_node *node = &p->g->node[i];
        if (!node->op->quantizes || p->absorbed[i] || !is_coded(p, i)) continue;
        const dt_node *before = function_before(p, i);
        p->coded[node->out[0]] = true;
        if (before) p->absorbed[dt_query_index(p->g, before)] = true;
    }
}

static dt_status put_encode(pass *p, dt_rewrite *r, int i)
{
    dt_node node = p->g->node[i];
    const dt_node *before = function_before(p, i), *from = before ? before : &node;
    dt_encode_codes_conf conf = { .of = DT_ENCODE_VALUE, .quant = node.conf };
    if (before) {
        conf.of = (dt_encode_of)before->op->encode_of;
        conf.function = before->conf;
    }
    int in[DT_OP_MAX_IN], count = 0, inputs = before ? before->in_count : 1;
    for (int j = 0; j < inputs; j++)
        in[count++] = from->in[j];
    for (int j = 1; j < node.in_count; j++)
        in[count++] = node.in[j];
    memcpy(node.in, in, sizeof in);
    node.in_count = count;
    r->out->value[node.out[0]].store = DT_STORE_CODE;
    return dt_rewrite_put_as(r, &node, "encode_codes", &conf, sizeof conf);
}

/* Marks the nodes that attention nodes stand for; each takes the place of its last product. */
static dt_status find_attention(pass *p, dt_error *err)
{
    dt_attention_match m;
    for (int i = 0; i < p->g->node_count; i++) {
        if (!dt_attention_find(p->g, i, p->keep, p->keep_count, &m)) continue;
        for (int j = 1; j < m.node_count; j++)
            p->absorbed[m.node[j]] = true;
        p->attention[i] = dt_arena_get(p->arena, sizeof m);
        if (!p->attention[i]) return no_memory(err);
        *p->attention[i] = m;
    }
    return DT_OK;
}

static dt_status put_attention(pass *p, dt_rewrite *r, int i)
{
    const dt_attention_match *m = p->attention[i];
    dt_node node = p->g->node[i];
    node.in_count = m->in_count;
    memcpy(node.in, m->in, sizeof m->in);
    return dt_rewrite_put_as(r, &node, "attention", &m->conf, sizeof m->conf);
}

static dt_status visit(dt_rewrite *r, int i)
{
    pass *p = r->arg;
    const dt_node *node = &p->g->node[i];
    const dt_op_product *of = node->op->product;
    if (p->attention[i]) return put_attention(p, r, i);
    if (p->chain[i]) return put_chain(p, r, p->chain[i]);
    if (of && p->coded[node->in[of->x]]) return put_product(p, r, i);
    if (p->absorbed[i]) return DT_OK;
    if (p->coded[node->out[0]]) return put_encode(p, r, i);
    return dt_rewrite_put(r, node);
}

static dt_status look(pass *p, dt_error *err)
{
    size_t nodes = (size_t)p->g->node_count + 1, values = (size_t)p->g->value_count + 1;
    p->absorbed = dt_arena_get(p->arena, nodes * sizeof *p->absorbed);
    p->chain = dt_arena_get(p->arena, nodes * sizeof *p->chain);
    p->attention = dt_arena_get(p->arena, nodes * sizeof *p->attention);
    p->behind = dt_arena_get(p->arena, values * sizeof *p->behind);
    p->coded = dt_arena_get(p->arena, values * sizeof *p->coded);
    if (!p->absorbed || !p->chain || !p->attention || !p->behind || !p->coded)
        return no_memory(err);
    DT_TRY(find_attention(p, err));
    for (int i = 0; i < p->g->node_count; i++)
        if (p->g->node[i].op->batch_stat) DT_TRY(grow_chain(p, i, err));
    find_codes(p);
    return DT_OK;
}

dt_status dt_fuse(const dt_graph *g, const int *keep, int keep_count, dt_graph *out,
                  const dt_alloc *a, dt_error *err)
{
    pass p = { .g = g, .keep = keep, .keep_count = keep_count };
    p.arena = dt_arena_new(a, "fuse");
    if (!p.arena) return no_memory(err);
    dt_status st = look(&p, err);
    if (st == DT_OK) st = dt_graph_rewrite(g, visit, &p, a, out, err);
    dt_arena_free(p.arena);
    return st;
}
