/* Ranges of all quantizers from the pictures: weights' from the weights, then activations' in the
 * order of the net, each from what reaches it through the quantizers before it. All pictures count:
 * an initialiser sees the values of every picture, or of evenly spread ones where they would be
 * more than `values`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op_fakequant.h"
#include "autograd/query.h"
#include "fakequant/start.h"
#include "ptq/engine.h"

typedef struct conf {
    dt_opt_str weights, activations;
    int values;
} conf;

static const dt_opt opts[] = {
    DT_OPT_STR(
        conf, weights, "",
        "initialiser of weights' ranges: minmax, mse, pnorm, ... (detent list keys); default: "
        "the quantizer's `init`"),
    DT_OPT_STR(conf, activations, "", "the same for activations"),
    DT_OPT_INT(conf, values, 67108864, 4096, 2000000000,
               "values that an initialiser sees, at most"),
    DT_OPT_END,
};

/* The site's configuration with another initialiser; `options` is memory for them. */
static dt_status with_rule(const dt_node *site, const char *rule, void *options,
                           dt_fakequant_conf *out, dt_error *err)
{
    memcpy(out, site->conf, sizeof *out);
    const dt_row *row = &out->quantizer->row;
    const dt_opt *init = row->opts ? dt_opt_find(row->opts, "init") : NULL;
    if (!*rule || !init) return DT_OK;
    memcpy(options, out->options, row->conf_size);
    out->options = options;
    const dt_where where = { .key = out->site.weight ? "ranges.weights" : "ranges.activations" };
    DT_TRY(dt_opt_set(init, options, rule, &where, err));
    return out->quantizer->check ? out->quantizer->check(options, &out->site, err) : DT_OK;
}

static dt_status start(dt_ptq *q, const dt_node *site, const char *rule, const real *x,
                       const dt_shape *shape, dt_error *err)
{
    dt_fakequant_conf c;
    real *param[DT_OP_MAX_IN];
    dt_error below = { .status = DT_OK };
    const dt_fakequant_conf *own = site->conf;
    void *options = dt_get(q->p->alloc, own->quantizer->row.conf_size, "ptq");
    if (!options) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 1; i <= dt_query_params(site); i++)
        param[i - 1] = q->p->state->data[site->in[i]];
    dt_status st = with_rule(site, rule, options, &c, &below);
    if (st == DT_OK) {
        dt_quant_site at = dt_fakequant_site(&c, shape);
        st = dt_quant_start(&c, &at, x, param, &below);
    }
    dt_put(q->p->alloc, options);
    return st == DT_OK ? st : dt_fail(err, st, &(dt_where){ .key = site->name }, "%s", below.text);
}

/* Evenly spread pictures of [count, n], moved to the front; how many. */
static int64_t thin_out(const dt_ptq *q, real *x, int64_t n, int64_t most)
{
    int64_t keep = most / n < 1 ? 1 : most / n;
    if (keep >= q->p->count) return q->p->count;
    for (int64_t i = 1; i < keep; i++)
        memmove(x + i * n, x + i * q->p->count / keep * n, sizeof *x * (size_t)n);
    return keep;
}

static dt_status start_activation(dt_ptq *q, const dt_node *site, const conf *c, dt_error *err)
{
    const int64_t n = dt_ptq_features(q, site->in[0]);
    dt_shape shape = q->g->value[site->in[0]].shape;
    real *x;
    DT_TRY(dt_ptq_get(q, site->in[0], &x, err));
    dt_status st = dt_ptq_read(q, site->in[0], x, NULL, err);
    if (st == DT_OK) {
        shape.dim[0] = thin_out(q, x, n, c->values);
        st = start(q, site, c->activations, x, &shape, err);
    }
    dt_ptq_put(q, x);
    return st;
}

static int count_sites(const dt_ptq *q)
{
    int count = 0;
    for (int i = 0; i < q->g->node_count; i++)
        count += q->needed[i] && q->g->node[i].op->quantizes;
    return count;
}

static dt_status run_site(dt_ptq *q, int i, const conf *c, dt_error *err)
{
    const dt_node *site = &q->g->node[i];
    const dt_fakequant_conf *f = site->conf;
    if (f->site.weight)
        return start(q, site, c->weights, q->p->state->data[dt_query_latent(q->g, site->in[0])],
                     &q->g->value[site->in[0]].shape, err);
    DT_TRY(dt_ptq_advance(q, dt_ptq_border_before(q, q->g->value[site->in[0]].producer), err));
    return start_activation(q, site, c, err);
}

static dt_status run(dt_ptq *q, const void *options, dt_error *err)
{
    DT_TRY(dt_ptq_advance(q, q->start, err));
    int total = count_sites(q), done = 0;
    for (int i = 0; i < q->g->node_count; i++) {
        if (!q->needed[i] || !q->g->node[i].op->quantizes) continue;
        DT_TRY(dt_ptq_tell(q, q->g->node[i].name, (double)done++ / total, err));
        DT_TRY(run_site(q, i, options, err));
    }
    return DT_OK;
}

const dt_ptq_stage dt_ptq_stage_ranges = {
    .row = { "ranges", "ranges of all quantizers from the pictures", opts, sizeof(conf) },
    .starts_quantizers = true,
    .run = run,
};
