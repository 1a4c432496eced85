/* Running the stages of a list; the tables of stages and presets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/engine.h"
#include "ptq/layers.h"
#include "ptq_presets.h"

#define DT_PTQ_STAGE(name) extern const dt_ptq_stage dt_ptq_stage_##name;
#include "ptq/stages.def"
#undef DT_PTQ_STAGE

static const dt_row *const stage_rows[] = {
#define DT_PTQ_STAGE(name) &dt_ptq_stage_##name.row,
#include "ptq/stages.def"
#undef DT_PTQ_STAGE
    NULL,
};
const dt_table dt_ptq_stages = { "stage", stage_rows };

#define DT_PTQ_PRESET(name, what)                                                                  \
    static const dt_ptq_preset preset_##name = { .row = { #name, what, NULL, 0 },                  \
                                                 .text = preset_text_##name };
#include "ptq/presets.def"
#undef DT_PTQ_PRESET

static const dt_row *const preset_rows[] = {
#define DT_PTQ_PRESET(name, what) &preset_##name.row,
#include "ptq/presets.def"
#undef DT_PTQ_PRESET
    NULL,
};
const dt_table dt_ptq_presets = { "preset", preset_rows };

const char *dt_ptq_preset_text(const dt_row *preset)
{
    return ((const dt_ptq_preset *)(const void *)preset)->text;
}

static const dt_ptq_stage *stage_at(const dt_ptq_params *p, int i)
{
    return (const dt_ptq_stage *)(const void *)p->stage[i].row;
}

/* A stage that reads the net through quantizers without ranges would learn of nothing but zeros. */
static dt_status check_started(const dt_ptq_params *p, dt_error *err)
{
    bool started = p->started;
    const dt_where at = { .key = "ptq.stages" };
    for (int i = 0; i < p->stage_count; i++) {
        const dt_ptq_stage *s = stage_at(p, i);
        if (s->reads_quantized && !started)
            return dt_fail(err, DT_ERR_ARG, &at,
                           "'%s' (ptq.stages.%d) reads the net through its quantizers, which have "
                           "no ranges there; put 'ranges' before it",
                           s->row.name, i);
        started = started || s->starts_quantizers;
    }
    return DT_OK;
}

static dt_status check_stages(dt_ptq *q, dt_error *err)
{
    const dt_ptq_params *p = q->p;
    for (int i = 0; i < p->stage_count; i++) {
        const dt_ptq_stage *s = stage_at(p, i);
        q->stage = i;
        if (s->transforms && i > 0 && !stage_at(p, i - 1)->transforms)
            return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "ptq.stages" },
                           "'%s' changes the float net, so it comes before '%s'", s->row.name,
                           p->stage[i - 1].row->name);
        if (s->makes_pictures && i > 0)
            return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "ptq.stages" },
                           "'%s' makes the pictures, so it comes first, before '%s'", s->row.name,
                           p->stage[0].row->name);
        if (s->check) DT_TRY(s->check(q, p->stage[i].conf, err));
    }
    return check_started(p, err);
}

/* Stages from `first` on; transforms end where the float net is kept. */
static dt_status run_stages(dt_ptq *q, dt_error *err)
{
    const dt_ptq_params *p = q->p;
    bool started = false;
    for (q->stage = 0; q->stage < p->stage_count; q->stage++) {
        const dt_ptq_stage *s = stage_at(p, q->stage);
        bool goes_on = p->done_stages > 0 || p->done_units > 0;
        if (!s->transforms) DT_TRY(dt_ptq_keep_origin(q, err));
        if (!s->transforms && !started && goes_on && p->start) DT_TRY(p->start(p->events.arg, err));
        started = started || !s->transforms;
        if (q->stage < p->done_stages && !s->transforms) continue;
        dt_ptq_begin(q, 1);
        DT_TRY(dt_ptq_tell(q, "", 0, err));
        DT_TRY(s->run(q, p->stage[q->stage].conf, err));
    }
    return DT_OK;
}

dt_status dt_ptq_run(const dt_ptq_params *p, dt_error *err)
{
    dt_ptq q;
    if (p->count < 1 || p->batch < 1 || p->stage_count < 1 ||
        (!p->pictures && !stage_at(p, 0)->makes_pictures))
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "ptq" }, "needs pictures and stages");
    DT_TRY(dt_ptq_init(&q, p, err));
    dt_status st = check_stages(&q, err);
    if (st == DT_OK) st = run_stages(&q, err);
    if (st == DT_OK) st = dt_ptq_keep_origin(&q, err); /* if all were transforms */
    if (st == DT_OK) st = dt_ptq_settle(&q, err);
    if (st == DT_OK && p->events.layer) st = dt_ptq_tell_layers(&q, err);
    dt_ptq_fini(&q);
    return st;
}
