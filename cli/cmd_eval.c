/* detent eval */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "core/atomic.h"

typedef struct seen {
    const cli_args *args;
    const dt_goal *goal;
} seen;

static bool on_batch(void *arg, const dt_score *s, int64_t total)
{
    const seen *e = arg;
    char text[256], value[DT_METRIC_TEXT], label[DT_GOAL_NAME];
    int i = dt_goal_first(e->goal, e->goal->decides < 0 ? 0 : e->goal->decides);
    dt_metric_print(dt_goal_metric(e->goal, i, NULL), dt_score_value(s, e->goal, i), value);
    snprintf(text, sizeof text, "evaluating %lld/%lld  %.120s %s", (long long)s->count,
             (long long)total, dt_goal_label(e->goal, i, label), value);
    if (!e->args->json) cli_progress(text, 15);
    return true;
}

static bool is_integer(const cli_args *args)
{
    return args->arith && strcmp(args->arith, "integer") == 0;
}

static void print_score_json(const dt_session *s, const dt_score *score, const char *arith)
{
    const dt_goal *g = &s->net.goal;
    char key[DT_GOAL_NAME];
    json_t *o = json_object();
    for (int p = 0; p < g->trained; p++)
        for (int i = 0; i < g->part[p].task->counts; i++)
            json_object_set_new(o, dt_goal_name(g, &g->part[p], "_", g->part[p].task->sum[i], key),
                                json_integer((json_int_t)score->sum[p][i]));
    json_object_set_new(o, "count", json_integer((json_int_t)score->count));
    for (int i = 0; dt_goal_metric(g, i, NULL); i++)
        json_object_set_new(o, dt_goal_key(g, i, key), json_real(dt_score_value(score, g, i)));
    json_object_set_new(o, "loss", json_real(score->loss));
    json_object_set_new(o, "arith", json_string(arith));
    json_object_set_new(o, "isa", json_string(s->kernels.isa));
    cli_print_json(o, 9);
}

static void print_score(const dt_session *s, const dt_score *score, const cli_args *args)
{
    char arith[48];
    if (is_integer(args))
        snprintf(arith, sizeof arith, "integer, %s", cli_rounding(s, args));
    else
        snprintf(arith, sizeof arith, "float%s", args->as_exported ? ", biases as exported" : "");
    if (args->json) {
        print_score_json(s, score, arith);
        return;
    }
    const dt_goal *g = &s->net.goal;
    printf("%s: ", s->recipe->name);
    if (g->trained == 1 && g->part[0].task->counts)
        printf("%lld of %lld %s, ", (long long)score->sum[0][0], (long long)score->count,
               g->part[0].task->sum[0]);
    else
        printf("%lld samples, ", (long long)score->count);
    cli_print_metrics(g, score, g->trained > 1);
    printf(", loss %.4f (%s arithmetic)\n", score->loss, arith);
}

/* Tab and the file of sample `index`, if samples are files. */
static dt_status write_name(dt_atomic_file *f, const dt_sample_name *name, bool whole,
                            dt_error *err)
{
    const char *text = whole ? name->path : name->name;
    if (!*text) return DT_OK;
    DT_TRY(dt_atomic_write(f, "\t", 1, err));
    return dt_atomic_write(f, text, strlen(text), err);
}

/* What is told of sample `i` beside its prediction; nothing where samples were left out, for then
 * it is not known which one it is. `room` is to read one. */
static dt_status write_sample(dt_atomic_file *f, const cli_args *args, const dt_session *s,
                              const dt_loader *loader, int64_t i, dt_sample *room, dt_error *err)
{
    dt_sample_name name = { .label = -1 };
    int64_t index = dt_loader_index(loader, i);
    char text[24];
    if (dt_loader_skipped(loader, NULL)) return DT_OK;
    bool file = dt_data_name(s->data, DT_SPLIT_TEST, index, &name, NULL) == DT_OK;
    if (args->labels && dt_data_info_of(s->data)->answer == DT_ANSWER_LABEL) {
        if (!file) DT_TRY(dt_data_read(s->data, DT_SPLIT_TEST, index, room, err));
        int n = snprintf(text, sizeof text, "\t%d", file ? name.label : room->label);
        DT_TRY(dt_atomic_write(f, text, (size_t)n, err));
    }
    return file ? write_name(f, &name, args->labels, err) : DT_OK;
}

/* What the outputs of a sample mean; *prediction goes on to the next one. */
static dt_status write_numbers(dt_atomic_file *f, const dt_goal *g, const float **prediction,
                               dt_error *err)
{
    for (int p = 0; p < g->trained; p++) {
        const dt_net_task *t = g->part[p].task;
        int64_t each = t->predicted(g->part[p].K);
        for (int64_t k = 0; k < each; k++) {
            char text[48];
            int n = snprintf(text, sizeof text, "%s%.*g", p || k ? " " : "", t->digits,
                             (double)*(*prediction)++);
            DT_TRY(dt_atomic_write(f, text, (size_t)n, err));
        }
    }
    return DT_OK;
}

/* What the outputs of each sample mean, one a line, in the order of the split. */
static dt_status write_predictions(const cli_args *args, const dt_session *s,
                                   const dt_loader *loader, const float *prediction, int64_t count,
                                   dt_error *err)
{
    const dt_goal *g = &s->net.goal;
    dt_atomic_file f;
    dt_status st = DT_OK;
    dt_sample room;
    dt_sample_init(&room, NULL);
    DT_TRY(dt_atomic_begin(&f, NULL, args->predictions, err));
    for (int64_t i = 0; i < count && st == DT_OK; i++) {
        st = write_numbers(&f, g, &prediction, err);
        if (st == DT_OK) st = write_sample(&f, args, s, loader, i, &room, err);
        if (st == DT_OK) st = dt_atomic_write(&f, "\n", 1, err);
    }
    dt_sample_fini(&room);
    if (st == DT_OK) return dt_atomic_end(&f, NULL, NULL, err);
    dt_atomic_cancel(&f);
    return st;
}

/* One of the two is NULL. */
static dt_status run_loader(dt_evaluator *e, dt_int_run *r, const dt_session *s, dt_loader *loader,
                            const cli_args *args, dt_score *score, dt_error *err)
{
    const dt_goal *g = &s->net.goal;
    float *predictions = NULL;
    size_t each = (size_t)dt_goal_predicted(g);
    if (args->predictions) {
        size_t n = (size_t)dt_loader_samples(loader);
        predictions = dt_get_array(NULL, n, each * sizeof *predictions, "predictions");
        if (!predictions) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for predictions");
    }
    seen arg = { args, g };
    dt_status st = e ? dt_evaluate(e, loader, on_batch, &arg, predictions, score, err)
                     : dt_evaluate_integer(r, g, loader, on_batch, &arg, predictions, score, err);
    if (st == DT_OK && predictions)
        st = write_predictions(args, s, loader, predictions, score->count, err);
    dt_put(NULL, predictions);
    return st;
}

static dt_status evaluate_float(dt_session *s, dt_loader *loader, const cli_args *args,
                                dt_score *score, dt_error *err)
{
    dt_evaluator e;
    int64_t batch = s->recipe->eval.batch;
    if (args->as_exported) DT_TRY(cli_round_biases(s, err));
    DT_TRY(dt_evaluator_init(&e, &s->net, dt_net_steps(&s->net), &s->kernels, batch, s->threads,
                             NULL, NULL, err));
    dt_status st = run_loader(&e, NULL, s, loader, args, score, err);
    dt_evaluator_fini(&e);
    return st;
}

static dt_status evaluate_integer(dt_session *s, dt_loader *loader, const cli_args *args,
                                  dt_score *score, dt_error *err)
{
    dt_int_model *m;
    dt_int_run r;
    DT_TRY(cli_model(s, args, &m, err));
    dt_status st = dt_budget_check_run(s, m, DT_INT_BATCH, err);
    if (st == DT_OK)
        st = dt_int_run_init(&r, m, &dt_int_engine, &s->kernels, s->threads, DT_INT_BATCH, s->alloc,
                             err);
    if (st == DT_OK) {
        st = run_loader(NULL, &r, s, loader, args, score, err);
        dt_int_run_fini(&r);
    }
    dt_int_model_free(m);
    return st;
}

static dt_status evaluate(dt_session *s, const cli_args *args, dt_score *score, dt_error *err)
{
    dt_loader *loader;
    if (args->arith && !is_integer(args) && strcmp(args->arith, "float") != 0)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "--arith" },
                       "'%s' is not one of float|integer", args->arith);
    DT_TRY(cli_calibrate(s, args, err));
    DT_TRY(dt_session_loader(s, DT_SPLIT_TEST, s->recipe->eval.batch, &loader, err));
    dt_status st = is_integer(args) ? evaluate_integer(s, loader, args, score, err)
                                    : evaluate_float(s, loader, args, score, err);
    if (st == DT_OK && !isfinite(score->loss))
        st = dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .file = s->recipe->name },
                     "the loss over the test pictures is not finite: the net computes no numbers");
    const char *first;
    int64_t skipped = dt_loader_skipped(loader, &first);
    if (st == DT_OK && skipped)
        fprintf(stderr, "left out %lld pictures that cannot be read, such as %s\n",
                (long long)skipped, first);
    dt_loader_close(loader);
    return st;
}

int cli_eval(const cli_args *args)
{
    dt_error err;
    dt_recipe *recipe;
    dt_session s;
    dt_score score;
    if (cli_recipe_or_checkpoint(args, &recipe, &err) != DT_OK) return cli_fail(&err);
    const dt_session_params p = { .recipe = recipe,
                                  .threads = args->threads,
                                  .isa = args->isa,
                                  .plain = args->plain,
                                  .scores = true,
                                  .need = cli_need(args),
                                  .memory = args->memory,
                                  .eval_batch =
                                      is_integer(args) ? DT_INT_BATCH : recipe->eval.batch,
                                  .eval_key = "eval.batch",
                                  .calibrate = args->calibrate };
    dt_status st = dt_session_open(&s, &p, &err);
    if (st == DT_OK) {
        cli_tell_import(&s, args);
        if (!args->json) cli_notes(s.data);
        st = evaluate(&s, args, &score, &err);
        cli_progress(NULL, 0);
        if (st == DT_OK) print_score(&s, &score, args);
        dt_session_close(&s);
    }
    dt_recipe_free(recipe);
    return st == DT_OK ? 0 : cli_fail(&err);
}
