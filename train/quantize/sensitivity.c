/* Sensitivity of a recipe's float net. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/quantize/sensitivity.h"

#include "train/quantize/quantize_state.h"

static bool on_progress(void *arg, const char *metric, const char *what, double share)
{
    const dt_sensitivity_params *p = arg;
    if (p->progress) p->progress(p->arg, metric, what, share);
    return !p->stop || !atomic_load(p->stop);
}

static dt_status measure(const dt_sensitivity_params *p, dt_session *s, dt_ptq_mixed *out,
                         dt_error *err)
{
    float *pictures;
    int small;
    DT_TRY(dt_quantize_check(s, err));
    dt_net_make_gamma_positive(&s->net, &small);
    DT_TRY(dt_quantize_pictures(s, DT_SPLIT_TEST, &pictures, err));
    dt_ptq_output outputs[DT_GRAPH_PORTS];
    dt_ptq_params params;
    dt_quantize_net(s, outputs, &params);
    params.pictures = pictures;
    params.events = (dt_ptq_events){ .progress = on_progress, .arg = (void *)(uintptr_t)p };
    dt_status st = dt_ptq_sensitivity(&params, &p->sense, out, err);
    dt_put(s->alloc, pictures);
    return st;
}

dt_status dt_sensitivity(const dt_sensitivity_params *p, dt_session *out_session, dt_ptq_mixed *out,
                         dt_error *err)
{
    DT_TRY(dt_session_open(out_session,
                           &(dt_session_params){ .recipe = p->recipe,
                                                 .threads = p->threads,
                                                 .isa = p->isa,
                                                 .gradients = true,
                                                 .need = DT_NEED_TRAIN,
                                                 .calibrate = true,
                                                 .memory = p->memory,
                                                 .rest = dt_quantize_count,
                                                 .alloc = p->alloc },
                           err));
    dt_status st = measure(p, out_session, out, err);
    if (st != DT_OK) dt_session_close(out_session);
    return st;
}
