/* The fusing pass. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/fuse.h"

#include <string.h>

#include "autograd/fuse_attention.h"
#include "autograd/op_chain.h"
#include "autograd/op_conv2d.h"
#include "autograd/op_encode_codes.h"
#include "autograd/op_gelu.h"
#include "autograd/op_layernorm.h"
#include "autograd/op_linear_codes.h"

/* A chain in the making. */
typedef struct chain {
    dt_chain_conf conf;
    int in[DT_OP_MAX_IN], in_count;
    int out[DT_OP_MAX_OUT], out_count;
    int value; /* of the last stage */
    int at;    /* the plain node whose place it takes: by then all operands are there */
} chain;

typedef struct pass {
    const dt_graph *g;
    dt_graph *out;
    const int *keep;
    int keep_count;
    bool *absorbed; /* by plain node: part of a chain */
    chain **chain;  /* by plain node: the chain that takes its place, NULL: none */
} pass;

static bool is_op(const dt_node *node, const char *name)
{
    return strcmp(node->op->name, name) == 0;
}

/* How often nodes read v; the last of them goes to `out_reader`. */
static int readers_of(const pass *p, int v, int *out_reader)
{
    int count = 0;
    for (int i = 0; i < p->g->node_count; i++)
        for (int j = 0; j < p->g->node[i].in_count; j++) {
            if (p->g->node[i].in[j] != v) continue;
            *out_reader = i;
            count++;
        }
    return count;
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
    const dt_fakequant_conf *c = node->conf;
    if (!is_op(node, "fakequant") || c->ste.kind == DT_STE_STOCHASTIC) return NULL;
    bool (*is)(const void *, const dt_quant_site *) =
        c->quantizer->integer ? c->quantizer->integer : c->quantizer->uniform;
    return is && is(c->options, &c->site) ? c : NULL;
}

/* A quantizer that takes values as they come, by one encoder: any kind of it can be a stage. */
static bool is_stage(const dt_node *node)
{
    const dt_fakequant_conf *c = node->conf;
    return is_op(node, "fakequant") && !c->site.weight && c->site.groups == 1 &&
           c->ste.kind != DT_STE_STOCHASTIC && !dt_quant_transforms(c->quantizer, &c->site);
}

/* The quantizer that makes v of integers; NULL: none. */
static const dt_fakequant_conf *quant_of(const pass *p, int v)
{
    int producer = p->g->value[v].producer;
    return producer >= 0 ? integer_quant(&p->g->node[producer]) : NULL;
}

/* Values [N,T,C]: linear layers of tokens work on codes. */
static bool is_tokens(const pass *p, int v)
{
    return p->g->value[v].shape.rank == 3;
}

/* Is node i a convolution, or a linear layer of tokens, that can read v as codes? */
static bool reads_codes(const pass *p, int i, int v)
{
    const dt_node *node = &p->g->node[i];
    bool linear = is_op(node, "linear") && is_tokens(p, v) && node->in_count == 3;
    if (!(linear || is_op(node, "conv2d")) || node->in[0] != v || node->in[1] == v) return false;
    const dt_fakequant_conf *w = quant_of(p, node->in[1]);
    int64_t channels = p->g->value[node->in[1]].shape.dim[0];
    return w && w->site.weight && (w->site.groups == 1 || w->site.groups == channels);
}

/* Can the output of fakequant node i be codes only? */
static bool is_coded(const pass *p, int i)
{
    const dt_node *node = &p->g->node[i];
    const dt_fakequant_conf *c = integer_quant(node);
    int v = node->out[0], reader = -1;
    if (!c || c->site.weight || c->site.groups != 1 || kept(p, v)) return false;
    for (int k = 0; k < p->g->node_count; k++)
        for (int j = 0; j < p->g->node[k].in_count; j++) {
            if (p->g->node[k].in[j] != v) continue;
            if (!reads_codes(p, k, v)) return false;
            reader = k;
        }
    return reader >= 0;
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
    if (!is_coded(p, i)) return;
    s->codes = true;
    p->out->value[c->value].store = DT_STORE_CODE;
}

/* Takes in node i, the only reader of the chain's value, if it is of a known kind. */
static bool absorb(pass *p, chain *c, int i)
{
    const dt_node *node = &p->g->node[i];
    if (p->absorbed[i]) return false; /* an add of two batch norms is in the other chain */
    if (is_op(node, "relu") && has_room(c, 0)) {
        add_stage(p, c, i, DT_CHAIN_RELU);
    } else if (is_op(node, "relu6") && has_room(c, 0)) {
        add_stage(p, c, i, DT_CHAIN_RELU6);
    } else if (is_op(node, "add") && has_room(c, 1)) {
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
    for (int i = 0; i < p->g->node_count; i++) {
        const dt_node *node = &p->g->node[i];
        if (node->in[0] != c->value || !is_stage(node) || !has_room(c, node->in_count - 1))
            continue;
        if (c->out_count + 1 >= DT_OP_MAX_OUT) return;
        add_output(c);
        add_quant(p, c, i);
        return;
    }
}

static dt_status grow_chain(pass *p, int norm, dt_error *err)
{
    const dt_node *node = &p->g->node[norm];
    chain c = { .in_count = DT_BN_INPUTS, .value = node->out[0], .at = norm };
    memcpy(&c.conf.norm, node->conf, sizeof c.conf.norm);
    memcpy(c.in, node->in, sizeof(int) * DT_BN_INPUTS);
    for (bool more = true; more;) {
        int reader = -1, count = readers_of(p, c.value, &reader);
        more = count == 1 && !kept(p, c.value) && absorb(p, &c, reader);
        if (c.conf.count && c.conf.stage[c.conf.count - 1].codes) break;
        if (!more && c.conf.count && count > 1) end_with_quantizer(p, &c);
    }
    if (c.conf.count == 0) return DT_OK;
    add_output(&c);
    p->absorbed[norm] = true;
    chain *copy = dt_graph_keep(p->out, &c, sizeof c);
    if (!copy) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
    p->chain[c.at] = copy;
    return DT_OK;
}

static void append(pass *p, const dt_node *node)
{
    dt_graph *out = p->out;
    for (int i = 0; i < node->out_count; i++)
        out->value[node->out[i]].producer = out->node_count;
    out->node[out->node_count++] = *node;
}

static void append_chain(pass *p, const chain *c)
{
    const dt_node *norm = &p->g->node[p->g->value[c->in[DT_BN_X]].producer];
    dt_node node = { .op = dt_op_find("chain"), .name = norm->name, .conf = &c->conf };
    node.in_count = c->in_count;
    node.out_count = c->out_count;
    memcpy(node.in, c->in, sizeof c->in);
    memcpy(node.out, c->out, sizeof c->out);
    append(p, &node);
}

/* The chain that reads v as the input of its batch norm and is the only reader; NULL: none. */
static chain *chain_of(const pass *p, int v)
{
    int reader = -1;
    if (readers_of(p, v, &reader) != 1 || kept(p, v)) return NULL;
    for (int i = 0; i < p->g->node_count; i++)
        if (p->chain[i] && p->chain[i]->in[DT_BN_X] == v) return p->chain[i];
    return NULL;
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

/* Whether all sums of the convolution fit 16 bits around some center. */
static bool sums_fit(const dt_conv2d_codes_conf *c, const dt_shape *w, int *out_center)
{
    dt_grid x, k;
    if (!codes_of(c->x, &x) || !codes_of(c->w, &k)) return false;
    int64_t terms = w->dim[1] * w->dim[2] * w->dim[3], low = 0, high = 0;
    const int xs[] = { x.qmin, x.qmax }, ks[] = { k.qmin, k.qmax };
    for (int i = 0; i < 4; i++) {
        int64_t sum = terms * xs[i / 2] * ks[i % 2];
        low = sum < low ? sum : low;
        high = sum > high ? sum : high;
    }
    *out_center = (int)low + 32768;
    return high - low <= 65535;
}

/* Leaves the output of a convolution of codes as sums, if a chain reads it and they are small. */
static void keep_sums(pass *p, const dt_node *plain, dt_conv2d_codes_conf *conf)
{
    const dt_shape *w = &p->g->value[plain->in[1]].shape;
    chain *reader = chain_of(p, plain->out[0]);
    if (sizeof(real) != sizeof(int32_t) || !reader || w->dim[0] > DT_CHAIN_TILE) return;
    if (!sums_fit(conf, w, &conf->center)) return;
    conf->sums = reader->conf.sums = true;
    p->out->value[plain->out[0]].store = DT_STORE_SUM;
}

/* A product of plain node i on codes: the parameters of both quantizers follow its inputs. */
static dt_status append_product(pass *p, int i, const char *op, const void *conf, size_t size,
                                dt_error *err)
{
    dt_node node = p->g->node[i];
    node.op = dt_op_find(op);
    node.conf = dt_graph_keep(p->out, conf, size);
    if (!node.conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
    for (int k = 0; k < 2; k++) {
        const dt_node *maker = &p->g->node[p->g->value[node.in[k]].producer];
        for (int j = 1; j < maker->in_count; j++)
            node.in[node.in_count++] = maker->in[j];
    }
    append(p, &node);
    return DT_OK;
}

static dt_status append_conv(pass *p, int i, dt_error *err)
{
    const dt_node *plain = &p->g->node[i];
    dt_conv2d_codes_conf conf = { .x = quant_of(p, plain->in[0]), .w = quant_of(p, plain->in[1]) };
    memcpy(&conf.conv, plain->conf, sizeof conf.conv);
    keep_sums(p, plain, &conf);
    return append_product(p, i, "conv2d_codes", &conf, sizeof conf, err);
}

static dt_status append_linear(pass *p, int i, dt_error *err)
{
    const dt_node *plain = &p->g->node[i];
    const dt_linear_codes_conf conf = { quant_of(p, plain->in[0]), quant_of(p, plain->in[1]) };
    return append_product(p, i, "linear_codes", &conf, sizeof conf, err);
}

/* The layer norm or GELU whose output only fakequant node i reads; NULL: none. */
static const dt_node *function_before(const pass *p, int i)
{
    int v = p->g->node[i].in[0], producer = p->g->value[v].producer, reader;
    if (producer < 0 || kept(p, v) || readers_of(p, v, &reader) != 1) return NULL;
    const dt_node *node = &p->g->node[producer];
    return is_op(node, "layernorm") || is_op(node, "gelu") ? node : NULL;
}

/* Marks what is kept as codes only though no chain makes it: tokens, pictures, what others read as
 * well; and what is computed on the way to them. */
static void find_codes(pass *p)
{
    for (int i = 0; i < p->g->node_count; i++) {
        const dt_node *node = &p->g->node[i];
        if (!is_op(node, "fakequant") || p->absorbed[i] || !is_coded(p, i)) continue;
        const dt_node *before = function_before(p, i);
        p->out->value[node->out[0]].store = DT_STORE_CODE;
        if (before) p->absorbed[before - p->g->node] = true;
    }
}

static dt_status append_encode(pass *p, int i, dt_error *err)
{
    dt_node node = p->g->node[i];
    const dt_node *before = function_before(p, i), *from = before ? before : &node;
    dt_encode_codes_conf conf = { .of = DT_ENCODE_VALUE, .quant = node.conf };
    if (before && is_op(before, "gelu")) {
        conf.of = DT_ENCODE_GELU;
        conf.by_tanh = ((const dt_gelu_conf *)before->conf)->by_tanh;
    } else if (before) {
        conf.of = DT_ENCODE_LAYERNORM;
        conf.eps = ((const dt_layernorm_conf *)before->conf)->eps;
    }
    int in[DT_OP_MAX_IN], count = 0, inputs = before ? before->in_count : 1;
    for (int j = 0; j < inputs; j++)
        in[count++] = from->in[j];
    for (int j = 1; j < node.in_count; j++)
        in[count++] = node.in[j];
    node.op = dt_op_find("encode_codes");
    node.conf = dt_graph_keep(p->out, &conf, sizeof conf);
    if (!node.conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
    memcpy(node.in, in, sizeof in);
    node.in_count = count;
    append(p, &node);
    return DT_OK;
}

/* Marks the nodes that attention nodes stand for; each takes the place of its attention_mix. */
static void find_attention(pass *p)
{
    dt_attention_match m;
    for (int i = 0; i < p->g->node_count; i++) {
        if (!dt_attention_find(p->g, i, p->keep, p->keep_count, &m)) continue;
        for (int j = 1; j < m.node_count; j++)
            p->absorbed[m.node[j]] = true;
    }
}

/* Appends the attention node that ends at plain node i, if there is one. */
static dt_status append_attention(pass *p, int i, bool *out_done, dt_error *err)
{
    dt_attention_match m;
    dt_node node = p->g->node[i];
    *out_done = dt_attention_find(p->g, i, p->keep, p->keep_count, &m);
    if (!*out_done) return DT_OK;
    node.op = dt_op_find("attention");
    node.conf = dt_graph_keep(p->out, &m.conf, sizeof m.conf);
    if (!node.conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
    node.in_count = m.in_count;
    memcpy(node.in, m.in, sizeof m.in);
    append(p, &node);
    return DT_OK;
}

static dt_status rewrite(pass *p, dt_error *err)
{
    bool done;
    find_attention(p);
    for (int i = 0; i < p->g->node_count; i++)
        if (is_op(&p->g->node[i], "batchnorm")) DT_TRY(grow_chain(p, i, err));
    find_codes(p);
    for (int i = 0; i < p->g->node_count; i++) {
        const dt_node *node = &p->g->node[i];
        DT_TRY(append_attention(p, i, &done, err));
        if (done) continue;
        bool coded = p->out->value[node->in[0]].store == DT_STORE_CODE;
        bool on_codes = coded && is_op(node, "conv2d");
        if (p->chain[i])
            append_chain(p, p->chain[i]);
        else if (on_codes)
            DT_TRY(append_conv(p, i, err));
        else if (coded && is_op(node, "linear"))
            DT_TRY(append_linear(p, i, err));
        else if (p->absorbed[i])
            continue;
        else if (p->out->value[node->out[0]].store == DT_STORE_CODE)
            DT_TRY(append_encode(p, i, err));
        else
            append(p, node);
    }
    return DT_OK;
}

dt_status dt_fuse(const dt_graph *g, const int *keep, int keep_count, dt_graph *out,
                  const dt_alloc *a, dt_error *err)
{
    DT_TRY(dt_graph_init(out, a, err));
    size_t values = (size_t)g->value_count, nodes = (size_t)g->node_count;
    pass p = { .g = g, .out = out, .keep = keep, .keep_count = keep_count };
    out->value = dt_graph_keep(out, g->value, values * sizeof *out->value);
    out->node = dt_arena_get(out->arena, nodes * sizeof *out->node);
    p.absorbed = dt_arena_get(out->arena, nodes * sizeof *p.absorbed);
    p.chain = dt_arena_get(out->arena, nodes * sizeof(chain *));
    if (!out->value || !out->node || !p.absorbed || !p.chain) {
        dt_graph_fini(out);
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
    }
    out->value_count = out->value_room = g->value_count;
    out->node_room = g->node_count;
    for (int i = 0; i < out->value_count; i++)
        out->value[i].producer = -1;
    dt_status st = rewrite(&p, err);
    if (st != DT_OK) dt_graph_fini(out);
    return st;
}
