/* The run of a sensitivity, and what metrics share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/sensitivity.h"

#include <string.h>

#include "autograd/op_fakequant.h"
#include "autograd/query.h"
#include "fakequant/quantizers.h"
#include "fakequant/start.h"
#include "ptq/layers.h"
#include "ptq/metric.h"

#define DT_PTQ_METRIC(name) extern const dt_ptq_metric dt_ptq_metric_##name;
#include "ptq/metrics.def"
#undef DT_PTQ_METRIC

static const dt_row *const rows[] = {
#define DT_PTQ_METRIC(name) &dt_ptq_metric_##name.row,
#include "ptq/metrics.def"
#undef DT_PTQ_METRIC
    NULL,
};
const dt_table dt_ptq_metrics = { "metric", rows };

/* The site's quantizer at other bits, with the initialiser that was asked for; `options` is memory
 * for them. */
static dt_status at_bits(const dt_ptq_sense *s, const dt_ptq_weight *w, int bits, void *options,
                         dt_fakequant_conf *out, dt_error *err)
{
    const dt_quantizer *q = w->conf->quantizer;
    const dt_where where = { .key = w->site->name };
    memcpy(out, w->conf, sizeof *out);
    memcpy(options, out->options, q->row.conf_size);
    out->options = options;
    out->site.bits = bits;
    const dt_opt *init = q->row.opts ? dt_opt_find(q->row.opts, "init") : NULL;
    if (s->params->range[0] && init)
        DT_TRY(dt_opt_set(init, options, s->params->range, &where, err));
    if (bits < q->min_bits || bits > q->max_bits)
        return dt_fail(err, DT_ERR_RANGE, &where, "'%s' does %d..%d bits, not %d", q->row.name,
                       q->min_bits, q->max_bits, bits);
    dt_error below = { .status = DT_OK };
    dt_status st = q->check ? q->check(options, &out->site, &below) : DT_OK;
    return st == DT_OK ? st : dt_fail(err, st, &where, "%s", below.text);
}

/* x at `bits`, less x. */
static dt_status change_at(const dt_ptq_sense *s, const dt_ptq_weight *w, int bits, void *room,
                           real *to, dt_error *err)
{
    const dt_quantizer *q = w->conf->quantizer;
    const real *x = s->q->p->state->data[w->value];
    real *param[DT_QUANT_MAX_PARAMS] = { NULL };
    dt_fakequant_conf c;
    DT_TRY(at_bits(s, w, bits, room, &c, err));
    dt_quant_site site = dt_fakequant_site(&c, &s->q->g->value[w->value].shape);
    if (dt_quant_transforms(q, &site) || q->stat_count)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = w->site->name },
                       "'%s' maps the whole tensor; take lsq", q->row.name);
    real *memory = dt_get_array(s->q->p->alloc, (size_t)site.groups * DT_QUANT_MAX_PARAMS,
                                sizeof *memory, "sensitivity");
    if (!memory) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < DT_QUANT_MAX_PARAMS; i++)
        param[i] = memory + i * site.groups;
    dt_status st = dt_quant_start(&c, &site, x, param, err);
    for (int64_t g = 0; st == DT_OK && g < site.groups; g++) {
        dt_encode e;
        real p[DT_QUANT_MAX_PARAMS];
        dt_fakequant_plan(&c, &site, (void *const *)param, NULL, g, p, &e);
        dt_quantizer_apply(&e, site.count, x + g * site.count, to + g * site.count);
        for (int64_t i = g * site.count; i < (g + 1) * site.count; i++)
            to[i] -= x[i];
    }
    dt_put(s->q->p->alloc, memory);
    return st;
}

dt_status dt_ptq_sense_changes(dt_ptq_sense *s, int layer, dt_error *err)
{
    const dt_ptq_weight *w = &s->weight[layer];
    void *room = dt_get(s->q->p->alloc, w->conf->quantizer->row.conf_size, "sensitivity");
    if (!room) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_status st = DT_OK;
    for (int k = 0; st == DT_OK && k < s->params->widths; k++)
        st = change_at(s, w, s->params->width[k], room, s->change[k], err);
    dt_put(s->q->p->alloc, room);
    return st;
}

dt_status dt_ptq_sense_tell(dt_ptq_sense *s, const char *what, dt_error *err)
{
    const dt_ptq_events *e = &s->q->p->events;
    double share = (double)s->done++ / (s->total > 0 ? s->total : 1);
    if (!e->progress || e->progress(e->arg, s->params->metric, what, share)) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, NULL, "stopped");
}

static void fill_layer(dt_ptq_sense *s, const dt_node *product, const dt_ptq_weight *w)
{
    const dt_ptq *q = s->q;
    const dt_op_product *of = product->op->product;
    dt_shape in[2] = { q->g->value[product->in[of->x]].shape, q->g->value[w->value].shape };
    dt_ptq_mixed_layer *l = &s->mixed->layer[s->mixed->count];
    s->product[s->mixed->count] = product;
    s->weight[s->mixed->count++] = *w;
    *l = (dt_ptq_mixed_layer){ .name = product->name,
                               .bits = w->conf->site.bits,
                               .x_bits = dt_ptq_input_bits(q, product),
                               .weights = w->count,
                               .chosen = -1 };
    l->fixed = dt_ptq_is_input(q, dt_ptq_unquantized(q->g, product->in[of->x])) ||
               dt_ptq_is_last(q, dt_ptq_end_of(q, product));
    if (product->op->macs)
        l->macs = product->op->macs(product->conf, in, &q->g->value[product->out[0]].shape);
}

static dt_status find_layers(dt_ptq_sense *s, dt_error *err)
{
    const dt_ptq *q = s->q;
    const size_t n = (size_t)q->g->node_count + 1;
    int64_t largest = 1;
    s->product = dt_arena_get(q->arena, sizeof *s->product * n);
    s->weight = dt_arena_get(q->arena, sizeof *s->weight * n);
    s->mixed->layer = dt_get_array(q->p->alloc, n, sizeof *s->mixed->layer, "sensitivity");
    if (!s->product || !s->weight || !s->mixed->layer)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < q->g->node_count; i++) {
        dt_ptq_weight w;
        if (!q->needed[i] || !dt_ptq_weight_of(q, &q->g->node[i], &w)) continue;
        fill_layer(s, &q->g->node[i], &w);
        largest = w.count > largest ? w.count : largest;
    }
    s->kept = dt_arena_get(q->arena, sizeof(real) * (size_t)largest);
    bool ok = s->kept != NULL;
    for (int k = 0; ok && k < s->params->widths; k++)
        ok = (s->change[k] = dt_arena_get(q->arena, sizeof(real) * (size_t)largest)) != NULL;
    if (!ok) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    if (s->mixed->count) return DT_OK;
    return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "quant" },
                   "the net has no quantized weights");
}

static dt_status run(dt_ptq *q, const dt_ptq_sense_params *params, dt_ptq_mixed *m, dt_error *err)
{
    const dt_row *row;
    dt_ptq_sense s = { .q = q, .params = params, .mixed = m };
    DT_TRY(
        dt_table_get(&dt_ptq_metrics, params->metric, &(dt_where){ .key = "metric" }, &row, err));
    DT_TRY(find_layers(&s, err));
    if (params->look) DT_TRY(params->look(params->arg, m, err));
    return ((const dt_ptq_metric *)(const void *)row)->fill(&s, err);
}

dt_status dt_ptq_sensitivity(const dt_ptq_params *p, const dt_ptq_sense_params *s,
                             dt_ptq_mixed *out, dt_error *err)
{
    dt_ptq q;
    if (s->widths < 1 || s->widths > DT_PTQ_WIDTHS)
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "widths" }, "%d of them; 1 to %d",
                       s->widths, DT_PTQ_WIDTHS);
    *out = (dt_ptq_mixed){ .widths = s->widths, .alloc = p->alloc };
    memcpy(out->width, s->width, sizeof *s->width * (size_t)s->widths);
    DT_TRY(dt_ptq_init(&q, p, err));
    q.origin = *p->state; /* passes of the float net see what metrics change in it */
    dt_status st = run(&q, s, out, err);
    q.origin = (dt_state){ 0 };
    dt_ptq_fini(&q);
    if (st != DT_OK) dt_ptq_mixed_fini(out);
    return st;
}

void dt_ptq_mixed_fini(dt_ptq_mixed *m)
{
    dt_put(m->alloc, m->layer);
    dt_put(m->alloc, m->pair);
    *m = (dt_ptq_mixed){ 0 };
}
