/* Placing quantizers. Nodes are visited in order; each gets the sites of its inputs, then itself,
 * then the sites of what it gives. A parameter is made where the first node reads it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/place.h"

#include "autograd/query.h"

const dt_policy dt_policies[] = {
    [DT_PLACEMENT_PAPER] = { .name = "paper", .help = "as published tables: products only" },
    [DT_PLACEMENT_DEPLOY] = { .name = "deploy",
                              .help = "for integer models: sums, means and logits too",
                              .branch = true,
                              .skip = true,
                              .streams = true,
                              .means = true,
                              .functions = true,
                              .scores = true,
                              .logits = true },
    [DT_PLACEMENT_TRT] = { .name = "trt",
                           .help = "for TensorRT: products, and skip branches of sums",
                           .skip = true },
    [DT_PLACEMENT_FILE] = { .name = "file",
                            .help = "those of the file that the model is read from",
                            .given = true },
};

typedef struct placing {
    const dt_graph *plain;
    const dt_place_params *params;
    dt_placer to;
    int *value; /* by value of plain */
} placing;

/* The status after a site was asked for. */
static dt_status after(const placing *p, int site)
{
    return site < 0 ? p->to.status : DT_OK;
}

/* *v quantized for streams, unless its values lie on such a grid already. */
static dt_status residual(placing *p, bool wanted, const char *layer, const char *part, int *v)
{
    const dt_quant_choice *c = &p->params->residual;
    if (!wanted || dt_site_on_grid(&p->to, *v, c)) return DT_OK;
    *v = dt_site_activation(&p->to, layer, part, *v, c);
    return after(p, *v);
}

static dt_status choose(const placing *p, const dt_node *node, dt_side side, dt_quant_choice *out)
{
    *out = (dt_quant_choice){ .quantized = false };
    return p->params->choose(p->params->choose_arg, node->name, (dt_layer_role)node->role, side,
                             out, p->to.err);
}

/* The value of `out` for an input of a node; a parameter is made here the first time. */
static dt_status take(placing *p, int v, int *out)
{
    if (p->value[v] < 0)
        DT_TRY(dt_graph_value(p->to.graph, &p->plain->value[v], &p->value[v], p->to.err));
    *out = p->value[v];
    return DT_OK;
}

/* Input j of a product: x or its weight quantized as the recipe says. A layer of rows does not
 * quantize again what lies on its grid. */
static dt_status product_input(placing *p, const dt_node *node, int j, const dt_quant_choice *act,
                               const dt_quant_choice *wgt, int *v)
{
    const dt_op_product *of = node->op->product;
    bool rows = p->plain->value[node->in[of->w]].shape.rank == 2;
    if (j == of->x && !(rows && act->quantized && dt_site_on_grid(&p->to, *v, act)))
        *v = dt_site_activation(&p->to, node->name, "input", *v, act);
    if (j == of->w) *v = dt_site_weight(&p->to, node->name, *v, wgt);
    return after(p, *v);
}

/* The sum that alone reads what a node gives which is nothing outside of training, and as which
 * input; NULL: there is none. Its site goes before that node. */
static const dt_node *sum_behind(const placing *p, const dt_node *node, int *out_input)
{
    const dt_node *reader = dt_query_reader(p->plain, node->out[0]);
    if (!node->op->identity_in_eval || !reader || !reader->op->sum) return NULL;
    *out_input = p->plain->use[p->plain->value[node->out[0]].first_use].input;
    return reader;
}

static dt_status sum_input(placing *p, const dt_node *sum, int j, int *v)
{
    const dt_policy *y = p->params->policy;
    if (j > 1) return DT_OK;
    return residual(p, j == 0 ? y->branch : y->skip, sum->name, j == 0 ? "branch" : "skip", v);
}

/* Does it end what a runtime computes in integers, if a grid is behind it? */
static bool ends_layer(const dt_op *op)
{
    return op->product || op->batch_stat || op->limits || op->function || op->on_grids;
}

/* The site of input j, whose value in `out` is *v. */
static dt_status place_input(placing *p, const dt_node *node, int j, const dt_quant_choice *act,
                             const dt_quant_choice *wgt, int *v)
{
    const dt_policy *y = p->params->policy;
    const dt_op *op = node->op;
    int input;
    if (op->product) return product_input(p, node, j, act, wgt, v);
    if (op->on_grids >> j & 1)
        return residual(p, y->functions, node->name, j ? "other" : "input", v);
    if (j > 0 && !op->sum) return DT_OK;
    const dt_node *maker = dt_query_maker(p->plain, node->in[j]),
                  *sum = sum_behind(p, node, &input);
    if (sum) return sum_input(p, sum, input, v);
    if (op->sum && maker && sum_behind(p, maker, &input)) return DT_OK; /* before that node */
    if (op->sum) return sum_input(p, node, j, v);
    if (op->row_shares && maker) return residual(p, y->scores, maker->name, NULL, v);
    if (op->moves_codes && !dt_query_site(p->to.graph, *v))
        return residual(p, y->streams, node->name, "input", v);
    bool computes = (op->function && !op->limits) ||
                    (op->in_float && maker && ends_layer(maker->op)) ||
                    dt_query_norm_alone(p->plain, NULL, node);
    bool wanted = (op->window_mean && y->means) || (computes && y->functions);
    return residual(p, wanted, node->name, "input", v);
}

static bool is_read_by_matmul(const placing *p, int v)
{
    DT_QUERY_EACH_USE(u, p->plain, v)
    if (p->plain->node[u->node].op->matmul) return true;
    return false;
}

/* The sum whose result this node gives: itself, or one behind which it alone limits; NULL: none. */
static const dt_node *sum_of(const placing *p, const dt_node *node)
{
    const dt_node *reader = dt_query_reader(p->plain, node->out[0]);
    const dt_node *before = dt_query_maker(p->plain, node->in[0]);
    if (node->op->sum) return reader && reader->op->limits ? NULL : node;
    bool limits = node->op->limits && before && before->op->sum;
    return limits && dt_query_reader(p->plain, node->in[0]) ? before : NULL;
}

/* Is it what the net gives, of an operation that is tables of codes in integers? */
static bool is_table_at_the_end(const placing *p, const dt_node *node)
{
    const dt_graph *g = p->plain;
    const dt_op *op = node->op;
    bool table =
        (op->function && !op->limits) || op->on_grids || dt_query_norm_alone(g, NULL, node);
    for (int i = 0; table && i < g->port_count; i++)
        if (g->port[i].kind == DT_PORT_OUTPUT && g->port[i].value == node->out[0]) return true;
    return false;
}

/* Sites behind a node, whose value in `out` is *v. */
static dt_status place_output(placing *p, const dt_node *node, int *v)
{
    const dt_policy *y = p->params->policy;
    const dt_node *sum = sum_of(p, node);
    bool last = node->op->product && node->role == DT_LAYER_LAST;
    bool answer = y->logits && (last || is_table_at_the_end(p, node));
    bool wanted = (node->op->window_mean && y->means) || answer;
    if (sum) DT_TRY(residual(p, y->streams, sum->name, "output", v));
    DT_TRY(residual(p, wanted, node->name, "output", v));
    if (node->stream) DT_TRY(residual(p, y->streams, node->stream, "output", v));
    if (!is_read_by_matmul(p, node->out[0])) return DT_OK;
    dt_quant_choice c;
    DT_TRY(choose(p, node, DT_SIDE_ACTIVATIONS, &c));
    *v = dt_site_activation(&p->to, node->name, NULL, *v, &c);
    return after(p, *v);
}

static dt_status place_node(placing *p, const dt_node *node)
{
    dt_quant_choice act = { .quantized = false }, wgt = act;
    int in[DT_OP_MAX_IN], out[DT_OP_MAX_OUT];
    if (node->op->product) {
        DT_TRY(choose(p, node, DT_SIDE_ACTIVATIONS, &act));
        DT_TRY(choose(p, node, DT_SIDE_WEIGHTS, &wgt));
    }
    for (int j = 0; j < node->in_count; j++) {
        DT_TRY(take(p, node->in[j], &in[j]));
        DT_TRY(place_input(p, node, j, &act, &wgt, &in[j]));
    }
    DT_TRY(dt_graph_node(p->to.graph, node->op->name, node->name, node->conf, in, node->in_count,
                         out, p->to.err));
    for (int k = 0; k < node->out_count; k++)
        p->value[node->out[k]] = out[k];
    return place_output(p, node, &p->value[node->out[0]]);
}

static dt_status place_all(placing *p)
{
    for (int v = 0; v < p->plain->value_count; v++) {
        const dt_value *value = &p->plain->value[v];
        p->value[v] = -1;
        if (value->kind == DT_VALUE_INPUT)
            DT_TRY(dt_graph_value(p->to.graph, value, &p->value[v], p->to.err));
    }
    for (int i = 0; i < p->plain->node_count; i++)
        DT_TRY(place_node(p, &p->plain->node[i]));
    return dt_graph_ports_of(p->to.graph, p->plain, p->value, p->to.err);
}

dt_status dt_place(const dt_graph *plain, const dt_place_params *params, const dt_alloc *a,
                   dt_graph *out, int *value, dt_error *err)
{
    placing p = { .plain = plain,
                  .params = params,
                  .value = value,
                  .to = { .graph = out,
                          .share = params->share,
                          .batches = params->batches,
                          .input_low = params->input_low,
                          .input_open = params->input_open,
                          .input_high = params->input_high,
                          .err = err } };
    DT_TRY(dt_graph_init(out, a, err));
    dt_status st = place_all(&p);
    if (st != DT_OK) dt_graph_fini(out);
    return st;
}
