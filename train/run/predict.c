/* A batch of one picture. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/predict.h"

#include <string.h>

#include "train/net/budget.h"

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to predict");
}

static dt_status open_net(dt_predictor *p, const dt_int_model *m, dt_error *err)
{
    dt_session *s = p->s;
    if (m) {
        DT_TRY(dt_budget_check_run(s, m, 1, err));
        return dt_int_run_init(&p->run, m, &dt_int_engine, &s->kernels, s->threads, 1, s->alloc,
                               err);
    }
    return dt_evaluator_init(&p->evaluator, &s->net, dt_net_steps(&s->net), &s->kernels, 1,
                             s->threads, NULL, s->alloc, err);
}

dt_status dt_predictor_init(dt_predictor *p, dt_session *s, const dt_int_model *m, dt_error *err)
{
    dt_extent any = { 0, 0 };
    *p = (dt_predictor){ .s = s, .is_integer = m != NULL };
    if (!s->net.H)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = s->recipe->name },
                       "the net takes arrays, and this reads pictures; eval --predictions tells "
                       "what it says of arrays");
    DT_TRY(dt_session_steps(s->recipe, DT_SPLIT_TEST, p->steps, &p->step_count, err));
    /* Their options; sizes are known when there is a picture. */
    dt_status fits = dt_transform_check(p->steps, p->step_count, true, &any, err);
    if (fits != DT_OK && fits != DT_ERR_SHAPE) return fits;
    dt_normalize_fill(s->normalize, &p->table);
    dt_sample_init(&p->sample, s->alloc);
    p->sample.orient = (dt_orient)s->data_conf->orientation;
    size_t pixels = (size_t)s->net.H * (size_t)s->net.W;
    p->answer_bytes = dt_goal_answer_bytes(&s->net.goal);
    p->x = dt_get_array(s->alloc, pixels, DT_DATA_CHANNELS * sizeof *p->x, "prediction");
    p->answer = dt_get(s->alloc, p->answer_bytes ? p->answer_bytes : 1, "prediction");
    dt_status st = p->x && p->answer ? open_net(p, m, err) : no_memory(err);
    if (st != DT_OK) {
        p->is_integer = false;
        dt_predictor_fini(p);
    }
    return st;
}

static dt_status load(dt_predictor *p, const char *path, dt_error *err)
{
    const dt_net *net = &p->s->net;
    const dt_where where = { .file = path };
    dt_sample *s = &p->sample;
    dt_rng none;
    dt_error below;
    dt_rng_open(&none, 0, DT_RNG_TEST, 0, 0); /* transforms of data.test draw nothing */
    DT_TRY(dt_picture_read(path, s, err));
    dt_status st = dt_transform_apply(p->steps, p->step_count, &none, s, &below);
    if (st != DT_OK) return dt_fail(err, st, &where, "%s", below.text);
    if (s->picture.H != net->H || s->picture.W != net->W)
        return dt_fail(err, DT_ERR_SHAPE, &where,
                       "%lldx%lld pixels; the net takes %lldx%lld, and data.test=[resize: %lld, "
                       "center_crop: %lld] would make it fit",
                       (long long)s->picture.W, (long long)s->picture.H, (long long)net->W,
                       (long long)net->H, (long long)net->H, (long long)net->H);
    dt_normalize_apply(&p->table, net->H * net->W, s->picture.rgb.data, p->x);
    dt_transform_change(p->steps, p->step_count, &none, (dt_extent){ net->H, net->W }, p->x);
    return DT_OK;
}

dt_status dt_predict(dt_predictor *p, const char *path, float *out, dt_error *err)
{
    const dt_net *net = &p->s->net;
    const dt_goal *g = &net->goal;
    DT_TRY(load(p, path, err));
    if (p->is_integer) {
        dt_int_run_forward(&p->run, p->x, 1);
        dt_int_run_logits(&p->run, out);
        return DT_OK;
    }
    const dt_batch batch = {
        .x = p->x, .targets = p->answer, .answer = DT_ANSWER_RECORD, .valid = 1
    };
    dt_evaluator_feed(&p->evaluator, &batch, 1);
    DT_TRY(dt_exec_forward(&p->evaluator.exec, err));
    const real *y = dt_evaluator_outputs(&p->evaluator, 1);
    for (int64_t i = 0; i < g->K; i++)
        out[i] = (float)y[i];
    return DT_OK;
}

void dt_predictor_fini(dt_predictor *p)
{
    if (p->is_integer)
        dt_int_run_fini(&p->run);
    else if (p->evaluator.net)
        dt_evaluator_fini(&p->evaluator);
    dt_sample_fini(&p->sample);
    dt_put(p->s->alloc, p->x);
    dt_put(p->s->alloc, p->answer);
    p->x = NULL;
    p->answer = NULL;
}

dt_status dt_class_names(const dt_session *s, dt_arena *arena, const char *const **out,
                         dt_error *err)
{
    const dt_goal_part *p = dt_goal_labels(&s->net.goal);
    *out = NULL;
    if (!s->classes) return DT_OK;
    char *copy = dt_arena_strdup(arena, s->classes);
    const char **names = dt_arena_get(arena, (size_t)p->K * sizeof *names);
    if (!copy || !names) return no_memory(err);
    for (int64_t i = 0; i < p->K; i++) {
        names[i] = copy;
        copy = strchr(copy, '\n'); /* there are as many as outputs */
        if (copy) *copy++ = '\0';
    }
    *out = names;
    return DT_OK;
}
