/* KL divergence of the softmax from the float net's, with this weight quantized and nothing else: a
 * pass over the pictures for every layer and width, from the last border before the layer on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/metric.h"

static dt_status on_width(void *arg, int width, double kl, dt_error *err)
{
    dt_ptq_mixed_layer *l = arg;
    (void)err;
    l->damage[width] = kl;
    return DT_OK;
}

static dt_status run(dt_ptq_sweep *w, dt_error *err)
{
    dt_ptq_mixed *m = w->s->mixed;
    for (int i = 0; i < m->count; i++) {
        DT_TRY(dt_ptq_sense_tell(w->s, m->layer[i].name, err));
        DT_TRY(dt_ptq_sweep_to(w, i, err));
        DT_TRY(dt_ptq_sweep_layer(w, i, on_width, &m->layer[i], err));
    }
    return DT_OK;
}

static dt_status fill(dt_ptq_sense *s, dt_error *err)
{
    dt_ptq_sweep w;
    s->total = s->mixed->count;
    DT_TRY(dt_ptq_sweep_open(&w, s, err));
    dt_status st = run(&w, err);
    dt_ptq_sweep_close(&w);
    return st;
}

const dt_ptq_metric dt_ptq_metric_kl = {
    .row = { .name = "kl", .help = "KL divergence from the float net with one weight quantized" },
    .fill = fill,
};
