/* Before quantization-aware training: signs of batch-norm scales, first scales of quantizers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/op_batchnorm.h"
#include "autograd/op_fakequant.h"
#include "autograd/query.h"
#include "fakequant/start.h"
#include "train/net/net.h"

static bool is_own(const dt_graph *g, int value)
{
    return g->value[value].kind == DT_VALUE_PARAM && g->value[value].uses == 1;
}

/* The parameters behind the weight and the bias (-1: none) of a product that a batch norm alone
 * reads; false: there is no such product, or others use them as well. */
static bool parameters_before(const dt_graph *g, const dt_node *norm, int *out_w, int *out_bias)
{
    const dt_node *product = dt_query_maker(g, norm->in[DT_BN_X]);
    if (!product || dt_query_norm(g, NULL, product) != norm) return false;
    *out_w = dt_query_latent(g, product->in[product->op->product->w]);
    *out_bias = dt_query_bias(product);
    return is_own(g, *out_w) && (*out_bias < 0 || is_own(g, *out_bias));
}

static void negate(real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = -x[i];
}

int dt_net_make_gamma_positive(dt_net *net, int *out_small)
{
    const dt_graph *g = &net->graph;
    int changed = 0, small = 0;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *bn = &g->node[i];
        if (!bn->op->batch_stat) continue;
        int w = -1, bias = -1;
        bool turns = parameters_before(g, bn, &w, &bias);
        real *gamma = net->state.data[bn->in[DT_BN_GAMMA]];
        real *mean = net->state.data[bn->in[DT_BN_MEAN]];
        int64_t C = g->value[bn->in[DT_BN_GAMMA]].shape.dim[0];
        for (int64_t c = 0; c < C; c++) {
            small += fabs((double)gamma[c]) < 1e-3;
            if (!turns || gamma[c] >= 0) continue;
            int64_t n = dt_shape_count(&g->value[w].shape) / C;
            negate(net->state.data[w] + c * n, n);
            negate(&mean[c], 1);
            if (bias >= 0) negate(net->state.data[bias] + c, 1);
            gamma[c] = -gamma[c];
            changed++;
        }
    }
    *out_small = small;
    return changed;
}

typedef struct calibration {
    dt_net *net;
    const dt_graph *before; /* NULL: every site is new */
    bool init;
    dt_site_fn site;
    void *arg;
} calibration;

/* Before the node: its parameters from the values that reach it. */
static dt_status start_site(const dt_node *node, const dt_op_run *run, dt_error *err)
{
    const dt_fakequant_conf *c = node->conf;
    dt_quant_site site = dt_fakequant_site(c, &run->in_shape[0]);
    real *param[DT_QUANT_MAX_PARAMS];
    dt_error below = { .status = DT_OK };
    for (int i = 0; i < DT_QUANT_MAX_PARAMS; i++)
        param[i] = run->in[1 + i];
    dt_status st = dt_quant_start(c, &site, run->in[0], param, &below);
    if (st == DT_OK) return DT_OK;
    return dt_fail(err, st, &(dt_where){ .key = node->name }, "%s", below.text);
}

static void report_site(const calibration *c, const dt_node *node, const dt_op_run *run)
{
    const dt_fakequant_conf *f = node->conf;
    const real *x = run->in[0], *y = run->out[0];
    double signal = 0, noise = 0;
    for (int64_t i = 0, n = dt_shape_count(&run->in_shape[0]); i < n; i++) {
        double d = (double)y[i] - (double)x[i];
        signal += (double)x[i] * (double)x[i];
        noise += d * d;
    }
    dt_site_report r = { .name = node->name,
                         .method = f->quantizer->row.name,
                         .bits = f->site.bits,
                         .is_signed = f->site.is_signed,
                         .weight = f->site.weight,
                         .groups = f->site.groups };
    if (f->quantizer->param_count) r.scale = (double)((real *)run->in[1])[0];
    r.sqnr_db = noise > 0 ? 10 * log10(signal / noise) : INFINITY;
    c->site(c->arg, &r);
}

bool dt_net_is_new_site(const dt_graph *before, const dt_node *site)
{
    const dt_fakequant_conf *now = site->conf;
    for (int i = 0; before && i < before->node_count; i++) {
        const dt_node *other = &before->node[i];
        const dt_fakequant_conf *then = other->conf;
        if (!other->op->quantizes || strcmp(other->name, site->name) != 0) continue;
        return then->site.bits != now->site.bits;
    }
    return true;
}

static dt_status hook(void *arg, const dt_node *node, const dt_op_run *run, bool after,
                      dt_error *err)
{
    const calibration *c = arg;
    if (!node->op->quantizes || !dt_net_is_new_site(c->before, node)) return DT_OK;
    /* At the start of a run sites may have come with the file; later no phase has them yet. */
    const bool *anew = c->before || dt_query_params(node) == 0 ? NULL : c->net->anew;
    if (anew && !anew[node->in[1]]) return DT_OK;
    if (!after) return c->init ? start_site(node, run, err) : DT_OK;
    if (c->site) report_site(c, node, run);
    return DT_OK;
}

dt_status dt_net_calibrate_phase(dt_net *net, const dt_graph *graph, const dt_graph *before,
                                 dt_norms norms, const dt_kernels *k, int threads, const float *x,
                                 const void *answers, int64_t batch, bool init, dt_site_fn site,
                                 void *arg, const dt_alloc *a, dt_error *err)
{
    dt_plan plan;
    dt_exec exec;
    calibration c = { net, before, init, site, arg };
    int outputs[DT_GRAPH_PORTS];
    DT_TRY(dt_plan_init(
        &plan,
        &(dt_plan_request){ .graph = graph,
                            .kernels = k,
                            .mode = DT_MODE_EVAL,
                            .norms = norms,
                            .batch = batch,
                            .threads = threads,
                            .outputs = outputs,
                            .output_count = dt_graph_wanted(graph, net->logits, outputs) },
        a, err));
    dt_status st = dt_exec_init(&exec, &plan, &net->state, k, NULL, a, err);
    if (st == DT_OK) {
        exec.hook = hook;
        exec.hook_arg = &c;
        dt_exec_feed(&exec, x);
        dt_exec_feed_answers(&exec, answers);
        st = dt_exec_forward(&exec, err);
        dt_exec_fini(&exec);
    }
    dt_plan_fini(&plan);
    return st;
}

dt_status dt_net_calibrate(dt_net *net, const dt_kernels *k, int threads, const float *x,
                           const void *answers, int64_t batch, bool init, dt_site_fn site,
                           void *arg, const dt_alloc *a, dt_error *err)
{
    return dt_net_calibrate_phase(net, &net->graph, NULL, DT_NORMS_BATCH, k, threads, x, answers,
                                  batch, init, site, arg, a, err);
}
