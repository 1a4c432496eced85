/* The library behind few names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/detent.h"

enum { BATCH = 16 /* of a forward pass */ };

struct detent_net {
    dt_recipe *recipe;
    dt_session s;
    dt_evaluator evaluator;
    float *x;              /* [BATCH,H,W,C], of a batch that is not full */
    void *answers;         /* of pictures without any: zeros */
    int *tensor;           /* [tensors]: values of the graph */
    int64_t count, inputs; /* tensors; elements of a picture */
    int open;              /* steps of detent_net_open that were done */
};

int detent_api_version(void)
{
    return DETENT_API;
}

const char *detent_version(void)
{
    return DT_VERSION;
}

static int told(dt_status st, const dt_error *err, char error[DETENT_ERROR])
{
    if (st != DT_OK) snprintf(error, DETENT_ERROR, "%s", err->text);
    return (int)st;
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* ---- training ---- */

typedef struct listener {
    detent_event *event;
    void *arg;
    atomic_int stop;
} listener;

static void send(listener *l, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(o);
    if (!text) return;
    if (l->event(l->arg, text) != 0) atomic_store(&l->stop, 1);
    free(text);
}

static void on_message(void *arg, const char *text)
{
    send(arg, json_pack("{s:s,s:s}", "kind", "message", "text", text));
}

static void on_progress(void *arg, const dt_run_progress *p)
{
    if (p->evaluating) return;
    send(arg, json_pack("{s:s,s:I,s:I,s:f,s:o}", "kind", "progress", "step",
                        (json_int_t)p->at->step, "steps", (json_int_t)p->at->last_step, "lr", p->lr,
                        "images_per_s", number(p->images_per_s)));
}

static void put_score(json_t *o, const char *split, const dt_score *score, const dt_goal *g)
{
    char key[96];
    const dt_metric *m = g->task->metric;
    snprintf(key, sizeof key, "%s_loss", split);
    json_object_set_new(o, key, number(score->loss));
    for (int i = 0; m[i].name; i++) {
        snprintf(key, sizeof key, "%s_%s", split, m[i].name);
        json_object_set_new(o, key, number(dt_score_value(score, g, i)));
    }
}

static void on_epoch(void *arg, const dt_run_epoch *e)
{
    json_t *o = json_pack("{s:s,s:I,s:I,s:f,s:f}", "kind", "epoch", "epoch", (json_int_t)e->epoch,
                          "step", (json_int_t)e->step, "lr", e->lr, "seconds", e->seconds);
    put_score(o, "train", &e->train, e->goal);
    put_score(o, "test", &e->score, e->goal);
    if (e->has_val) put_score(o, "val", &e->val, e->goal);
    send(arg, o);
}

static dt_status train(dt_recipe *recipe, const char *folder, int threads, int resume, listener *l,
                       dt_error *err)
{
    dt_run_result result;
    const dt_run_params p = {
        .recipe = recipe,
        .folder = folder,
        .threads = threads,
        .resume = resume != 0,
        .stop = &l->stop,
        .memory = dt_memory_limit_default(),
        .events = { .message = on_message, .progress = on_progress, .epoch = on_epoch, .arg = l }
    };
    DT_TRY(dt_run_train(&p, &result, err));
    json_t *o = json_pack("{s:s,s:b,s:I}", "kind", "end", "finished", (int)result.finished, "step",
                          (json_int_t)result.step);
    if (result.finished) put_score(o, "test", &result.score, &result.goal);
    send(l, o);
    return DT_OK;
}

int detent_train(const char *path, const detent_words *overrides, const char *folder, int threads,
                 int resume, detent_event *event, void *arg, char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    dt_recipe *recipe;
    listener l = { .event = event, .arg = arg };
    dt_status st = dt_recipe_open(path, overrides->at, overrides->count, &recipe, &err);
    if (st != DT_OK) return told(st, &err, error);
    st = train(recipe, folder, threads, resume, &l, &err);
    dt_recipe_free(recipe);
    return told(st, &err, error);
}

/* ---- a network ---- */

static dt_status open_session(const char *path, const detent_words *overrides, int threads,
                              bool data, dt_recipe **recipe, dt_session *s, dt_error *err)
{
    DT_TRY(dt_recipe_open(path, overrides->at, overrides->count, recipe, err));
    const dt_session_params p = { .recipe = *recipe,
                                  .threads = threads,
                                  .need = DT_NEED_TEST,
                                  .no_data = !data,
                                  .scores = data,
                                  .memory = dt_memory_limit_default(),
                                  .eval_batch = data ? (*recipe)->eval.batch : BATCH };
    dt_status st = dt_session_open(s, &p, err);
    if (st == DT_OK && !s->quantizers_ready) {
        st = dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path },
                     "has quantizers without state; give a trained checkpoint");
        dt_session_close(s);
    }
    if (st != DT_OK) dt_recipe_free(*recipe);
    return st;
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
    dt_status st = open_session(path, overrides, threads, true, &recipe, &s, &err);
    if (st != DT_OK) return told(st, &err, error);
    st = evaluate(&s, &score, &err);
    if (st == DT_OK) {
        listener l = { .event = event, .arg = arg };
        json_t *o = json_pack("{s:s,s:I}", "kind", "score", "count", (json_int_t)score.count);
        put_score(o, "test", &score, &s.net.goal);
        send(&l, o);
    }
    dt_session_close(&s);
    dt_recipe_free(recipe);
    return told(st, &err, error);
}

static dt_status list_tensors(detent_net *net, dt_error *err)
{
    const dt_graph *g = &net->s.net.graph;
    net->tensor = dt_get_array(NULL, (size_t)g->value_count + 1, sizeof *net->tensor, "net");
    if (!net->tensor) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a network");
    for (int i = 0; i < g->value_count; i++)
        if (net->s.net.state.data[i]) net->tensor[net->count++] = i;
    return DT_OK;
}

static dt_status open_net(detent_net *net, dt_error *err)
{
    dt_session *s = &net->s;
    net->inputs = dt_shape_count(&s->net.graph.value[s->net.input].shape);
    net->x = dt_get_array(NULL, (size_t)net->inputs * BATCH, sizeof *net->x, "net");
    net->answers = dt_get_array(NULL, BATCH, dt_goal_answer_bytes(&s->net.goal) + 1, "net");
    if (!net->x || !net->answers)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a network");
    DT_TRY(list_tensors(net, err));
    return dt_evaluator_init(&net->evaluator, &s->net, dt_net_steps(&s->net), &s->kernels, BATCH,
                             s->threads, NULL, NULL, err);
}

int detent_net_open(const char *path, const detent_words *overrides, int threads, detent_net **out,
                    char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    detent_net *net = dt_get(NULL, sizeof *net, "net");
    dt_status st = net ? open_session(path, overrides, threads, false, &net->recipe, &net->s, &err)
                       : dt_fail(&err, DT_ERR_NOMEM, NULL, "no memory for a network");
    if (st == DT_OK) {
        net->open = 1;
        st = open_net(net, &err);
        if (st == DT_OK) net->open = 2;
    }
    if (st == DT_OK)
        *out = net;
    else
        detent_net_close(net);
    return told(st, &err, error);
}

void detent_net_close(detent_net *net)
{
    if (!net) return;
    if (net->open > 1) dt_evaluator_fini(&net->evaluator);
    dt_put(NULL, net->x);
    dt_put(NULL, net->answers);
    dt_put(NULL, net->tensor);
    if (net->open) {
        dt_session_close(&net->s);
        dt_recipe_free(net->recipe);
    }
    dt_put(NULL, net);
}

void detent_net_sizes(const detent_net *net, int64_t out[4])
{
    const dt_net *n = &net->s.net;
    out[0] = n->H;
    out[1] = n->W;
    out[2] = net->inputs / (n->H * n->W);
    out[3] = n->goal.K;
}

static dt_status one_batch(detent_net *net, const float *x, int64_t n, float *out, dt_error *err)
{
    const dt_goal *g = &net->s.net.goal;
    bool label = g->task->answer == DT_ANSWER_LABEL;
    if (n < BATCH) x = memcpy(net->x, x, (size_t)(n * net->inputs) * sizeof *x);
    const dt_batch batch = { .x = x,
                             .labels = label ? net->answers : NULL,
                             .targets = label ? NULL : net->answers,
                             .answer = g->task->answer,
                             .valid = n };
    dt_evaluator_feed(&net->evaluator, &batch, n);
    DT_TRY(dt_exec_forward(&net->evaluator.exec, err));
    const real *y = dt_exec_value(&net->evaluator.exec, net->s.net.logits);
    for (int64_t i = 0; i < n * g->K; i++)
        out[i] = (float)y[i];
    return DT_OK;
}

int detent_net_forward(detent_net *net, const float *x, int64_t n, float *out,
                       char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    dt_status st = DT_OK;
    for (int64_t at = 0; at < n && st == DT_OK; at += BATCH) {
        int64_t here = n - at < BATCH ? n - at : BATCH;
        st = one_batch(net, x + at * net->inputs, here, out + at * net->s.net.goal.K, &err);
    }
    return told(st, &err, error);
}

int64_t detent_net_count(const detent_net *net)
{
    return net->count;
}

const char *detent_net_tensor(detent_net *net, int64_t i, int64_t dims[4], int *rank, float **data)
{
    const dt_value *v = &net->s.net.graph.value[net->tensor[i]];
    *rank = v->shape.rank;
    for (int k = 0; k < v->shape.rank && k < 4; k++)
        dims[k] = v->shape.dim[k];
    *data = net->s.net.state.data[net->tensor[i]];
    return v->name;
}

static dt_status write_export(detent_net *net, const char *format, const char *path, dt_error *err)
{
    const dt_session *s = &net->s;
    const dt_row *row;
    struct dt_text_attr attr[DT_SOURCE_TEXTS];
    const dt_export_source src = dt_session_source(s, DT_VERSION, attr);
    DT_TRY(dt_table_get(&dt_exporters, format, &(dt_where){ .key = "format" }, &row, err));
    const dt_exporter *e = dt_exporter_of(row);
    void *conf = dt_get(NULL, e->row.conf_size + 1, "exporter");
    if (!conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to export");
    dt_opt_defaults(e->row.opts, conf);
    dt_status st = e->write(&src, conf, path, NULL, err);
    dt_put(NULL, conf);
    return st;
}

int detent_net_export(detent_net *net, const char *format, const char *path,
                      char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    return told(write_export(net, format, path, &err), &err, error);
}
