/* What takes a while: training and evaluation. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/common.h"

#include <stdio.h>
#include <string.h>

static void on_progress(void *arg, const dt_run_progress *p)
{
    if (p->evaluating) return;
    api_send(arg, json_pack("{s:s,s:I,s:I,s:f,s:o}", "kind", "progress", "step",
                            (json_int_t)p->at->step, "steps", (json_int_t)p->at->last_step, "lr",
                            p->lr, "images_per_s", dt_json_number(p->images_per_s)));
}

static void on_epoch(void *arg, const dt_run_epoch *e)
{
    json_t *o = json_pack("{s:s,s:I,s:I,s:f,s:f}", "kind", "epoch", "epoch", (json_int_t)e->epoch,
                          "step", (json_int_t)e->step, "lr", e->lr, "seconds", e->seconds);
    dt_score_json(o, "train", e->goal, &e->train);
    dt_score_json(o, "test", e->goal, &e->score);
    if (e->has_val) dt_score_json(o, "val", e->goal, &e->val);
    api_send(arg, o);
}

static dt_status train(dt_recipe *recipe, const char *folder, int threads, int resume,
                       api_listener *l, dt_error *err)
{
    dt_run_result result;
    const dt_run_params p = { .recipe = recipe,
                              .folder = folder,
                              .threads = threads,
                              .resume = resume != 0,
                              .stop = &l->stop,
                              .memory = dt_memory_limit_default(),
                              .events = { .message = api_on_message,
                                          .progress = on_progress,
                                          .epoch = on_epoch,
                                          .arg = l } };
    DT_TRY(dt_run_train(&p, &result, err));
    json_t *o = json_pack("{s:s,s:b,s:I}", "kind", "end", "finished", (int)result.finished, "step",
                          (json_int_t)result.step);
    if (result.finished) dt_score_json(o, "test", &result.goal, &result.score);
    api_send(l, o);
    return DT_OK;
}

int detent_train(const char *path, const detent_words *overrides, const char *folder, int threads,
                 int resume, detent_event *event, void *arg, char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    dt_recipe *recipe;
    api_listener l = { .event = event, .arg = arg };
    dt_status st = api_recipe(path, overrides, &recipe, &err);
    if (st != DT_OK) return api_told(st, &err, error);
    st = train(recipe, folder, threads, resume, &l, &err);
    dt_recipe_free(recipe);
    return api_told(st, &err, error);
}

static dt_status evaluate(dt_session *s, dt_score *score, dt_error *err)
{
    dt_evaluator e;
    dt_loader *loader;
    int64_t batch = s->recipe->eval.batch;
    DT_TRY(dt_session_loader(s, DT_SPLIT_TEST, batch, &loader, err));
    dt_status st = dt_evaluator_init(&e, &s->net, dt_net_steps(&s->net), &s->kernels, batch,
                                     s->threads, NULL, NULL, err);
    if (st == DT_OK) {
        st = dt_evaluate(&e, loader, NULL, NULL, NULL, score, err);
        dt_evaluator_fini(&e);
    }
    dt_loader_close(loader);
    return st;
}

int detent_evaluate(const char *path, const detent_words *overrides, int threads,
                    detent_event *event, void *arg, char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    dt_recipe *recipe;
    dt_session s;
    dt_score score;
    dt_status st = api_session(path, overrides, threads, true, &recipe, &s, &err);
    if (st != DT_OK) return api_told(st, &err, error);
    st = evaluate(&s, &score, &err);
    if (st == DT_OK) {
        api_listener l = { .event = event, .arg = arg };
        json_t *o = json_pack("{s:s,s:I}", "kind", "score", "count", (json_int_t)score.count);
        dt_score_json(o, "test", &s.net.goal, &score);
        api_send(&l, o);
    }
    dt_session_close(&s);
    dt_recipe_free(recipe);
    return api_told(st, &err, error);
}
