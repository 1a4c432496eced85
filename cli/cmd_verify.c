/* detent verify */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/prove.h"
#include "cli/runtime.h"

static bool on_progress(void *arg, int64_t done, int64_t total)
{
    const cli_args *args = arg;
    char text[64];
    snprintf(text, sizeof text, "comparing %lld/%lld", (long long)done, (long long)total);
    if (!args->json) cli_progress(text, 15);
    return !atomic_load(&cli_stop_requested);
}

static double share(const dt_int_diff *d)
{
    return d->checked ? 100.0 * (double)d->differ / (double)d->checked : 0;
}

static void print_place(const char *what, const dt_int_model *m, int node, const dt_int_diff *d)
{
    printf(
        "%s '%s' (%s): %lld of %lld differ by up to %lld; the first in picture %lld at row %lld, "
        "column %lld, channel %lld: %lld, not %lld\n",
        what, m->node[node].name, m->node[node].form->name, (long long)d->differ,
        (long long)d->checked, (long long)d->largest, (long long)d->picture, (long long)d->y,
        (long long)d->x, (long long)d->channel, (long long)d->got, (long long)d->want);
}

static void print_nodes(const dt_verify *v)
{
    const dt_int_model *m = v->params.model;
    printf("%-30s %-8s %9s %11s %11s %7s %11s %7s\n", "node", "kind", "E-I", "of", "F-E chained",
           "most", "isolated", "most");
    for (int i = 0; i < m->node_count; i++) {
        const dt_int_diff *e = &v->compare.chained[i];
        const dt_verify_site *s = &v->site[i];
        printf("%-30s %-8s %9lld %11lld", m->node[i].name, m->node[i].form->name,
               (long long)(e->differ + v->compare.isolated[i].differ), (long long)e->checked);
        if (s->chained.checked)
            printf(" %10.4f%% %7lld %10.4f%% %7lld", share(&s->chained),
                   (long long)s->chained.largest, share(&s->isolated),
                   (long long)s->isolated.largest);
        puts("");
    }
}

static void sum_up(const dt_verify *v, dt_int_diff *e, dt_int_diff *chained, dt_int_diff *isolated)
{
    *e = *chained = *isolated = (dt_int_diff){ 0 };
    for (int i = 0; i < v->params.model->node_count; i++) {
        e->checked += v->compare.chained[i].checked;
        e->differ += v->compare.chained[i].differ;
        chained->checked += v->site[i].chained.checked;
        chained->differ += v->site[i].chained.differ;
        isolated->checked += v->site[i].isolated.checked;
        isolated->differ += v->site[i].isolated.differ;
    }
}

/* What both score, of each output. */
static void print_parts(const dt_verify *v)
{
    const dt_goal *g = &v->params.net->goal;
    for (int p = 0; p < g->trained; p++) {
        char f[DT_METRIC_TEXT], e[DT_METRIC_TEXT], label[DT_GOAL_NAME];
        int i = dt_goal_first(g, p);
        const dt_metric *metric = dt_goal_metric(g, i, NULL);
        printf("; %s %s and %s, the same %s for %lld pictures", dt_goal_label(g, i, label),
               dt_metric_print(metric, dt_score_value(&v->score_float, g, i), f),
               dt_metric_print(metric, dt_score_value(&v->score_integer, g, i), e),
               g->part[p].task->means, (long long)v->same[p]);
    }
    puts("");
}

static void print_text(const dt_verify *v, bool good)
{
    const dt_int_model *m = v->params.model;
    dt_int_diff e, chained, isolated;
    int engine = dt_verify_first_engine(v), site = dt_verify_first_float(v);
    sum_up(v, &e, &chained, &isolated);
    print_nodes(v);
    printf("\n%lld pictures, rounding %s\n", (long long)v->pictures, m->contract->name);
    printf("E against I   %lld of %lld sums and codes differ\n", (long long)e.differ,
           (long long)e.checked);
    if (engine >= 0) print_place("  first at", m, engine, &v->compare.isolated[engine]);
    printf("F against E   %.4f%% of codes differ, %.4f%% node by node", share(&chained),
           share(&isolated));
    print_parts(v);
    if (site >= 0) print_place("  too far at", m, site, &v->site[site].isolated);
    if (!dt_verify_scores_agree(v)) puts("  scores are farther apart than rounding explains");
    puts("100.0 % of the MACs in integers"); /* an integer model has no others */
    puts(good ? "verified" : "NOT verified");
}

static json_t *diff_json(const dt_int_diff *d)
{
    json_t *o = json_pack("{s:I,s:I,s:I}", "checked", (json_int_t)d->checked, "differ",
                          (json_int_t)d->differ, "largest", (json_int_t)d->largest);
    if (o && d->differ)
        json_object_set_new(o, "first",
                            json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "picture",
                                      (json_int_t)d->picture, "row", (json_int_t)d->y, "column",
                                      (json_int_t)d->x, "channel", (json_int_t)d->channel, "got",
                                      (json_int_t)d->got, "want", (json_int_t)d->want));
    return o;
}

static json_t *node_json(const dt_verify *v, int i)
{
    const dt_int_node *n = &v->params.model->node[i];
    json_t *o = json_pack("{s:s,s:s,s:o,s:o}", "name", n->name, "kind", n->form->name,
                          "engine_chained", diff_json(&v->compare.chained[i]), "engine_isolated",
                          diff_json(&v->compare.isolated[i]));
    if (!o || !v->site[i].chained.checked) return o;
    json_object_set_new(o, "float_chained", diff_json(&v->site[i].chained));
    json_object_set_new(o, "float_isolated", diff_json(&v->site[i].isolated));
    json_object_set_new(o, "float_limit", json_integer((json_int_t)v->site[i].limit));
    return o;
}

static json_t *first_json(const dt_verify *v, int node)
{
    return node < 0 ? json_null() : json_string(v->params.model->node[node].name);
}

static void print_json(const dt_verify *v, bool good)
{
    json_t *nodes = json_array();
    for (int i = 0; i < v->params.model->node_count; i++)
        json_array_append_new(nodes, node_json(v, i));
    const dt_goal *g = &v->params.net->goal;
    json_t *o =
        json_pack("{s:b,s:I,s:s,s:f}", "verified", good, "pictures", (json_int_t)v->pictures,
                  "rounding", v->params.model->contract->name, "integer_macs", 1.0);
    cli_put_score(o, g, &v->score_float, "_float");
    cli_put_score(o, g, &v->score_integer, "_integer");
    cli_put_same(o, g, v->same);
    json_object_set_new(o, "first_engine", first_json(v, dt_verify_first_engine(v)));
    json_object_set_new(o, "first_float", first_json(v, dt_verify_first_float(v)));
    json_object_set_new(o, "nodes", nodes);
    cli_print_json(o, 0);
}

static dt_status compare(dt_session *s, const dt_int_model *m, const cli_args *args, bool *out_good,
                         dt_error *err)
{
    enum { DEFAULT_PICTURES = 1000 };
    dt_verify v;
    dt_loader *loader;
    const dt_verify_params p = {
        .net = &s->net, .model = m, .kernels = &s->kernels, .threads = s->threads, .alloc = s->alloc
    };
    DT_TRY(dt_verify_check_memory(s, &p, err));
    DT_TRY(dt_verify_init(&v, &p, err));
    dt_status st = dt_session_loader(s, DT_SPLIT_TEST, DT_VERIFY_BATCH, &loader, err);
    if (st == DT_OK) {
        st = dt_verify_run(&v, loader, args->images ? args->images : DEFAULT_PICTURES, on_progress,
                           (void *)(uintptr_t)args, err);
        dt_loader_close(loader);
        cli_progress(NULL, 0);
    }
    if (st == DT_OK && !atomic_load(&cli_stop_requested)) {
        bool good = dt_verify_first_engine(&v) < 0 && dt_verify_first_float(&v) < 0 &&
                    dt_verify_scores_agree(&v);
        if (args->json)
            print_json(&v, good);
        else
            print_text(&v, good);
        *out_good = good;
    }
    dt_verify_fini(&v);
    return st;
}

static dt_status judge(dt_session *s, const dt_int_model *m, const cli_args *args, bool *out_good,
                       dt_error *err)
{
    if (args->as_exported) DT_TRY(cli_round_biases(s, err));
    if (args->prove && args->runtime) return cli_runtime_prove(m, args, out_good, err);
    if (args->prove) return cli_prove(s, m, args, out_good, err);
    if (args->runtime) return cli_runtime(s, m, args, out_good, err);
    return compare(s, m, args, out_good, err);
}

/* Is it the form that has float operators where there is no integer form, in a runtime? */
static bool may_have_floats(const cli_args *args)
{
    const char *format = args->runtime && !args->prove ? cli_runtime_format(args) : NULL;
    return format && strcmp(format, "onnx") == 0;
}

/* Nets that stay in float in parts, or have no integer model (`whole` is false), are compared without
 * one: the float net has the biases of the file then, whose steps may be larger than those of the
 * codes behind them. */
static dt_status verify_floats(dt_session *s, const cli_args *args, bool whole, bool *out_done,
                               bool *out_good, dt_error *err)
{
    struct dt_text_attr attr[DT_SOURCE_TEXTS];
    const dt_export_source src = cli_source(s, attr);
    const dt_lower_source low = dt_export_lower(&src);
    dt_lowered *l;
    *out_done = false;
    if (!args->runtime || args->prove) return DT_OK;
    DT_TRY(dt_lower_new(&low, &l, err));
    *out_done = l->missing > 0 ? l->floats > 0 || args->allow_float : !whole || l->floats > 0;
    dt_status st = DT_OK;
    if (*out_done) st = cli_round_biases(s, err);
    if (*out_done && st == DT_OK) st = cli_runtime_floats(s, l, args, out_good, err);
    dt_lower_free(l);
    return st;
}

static dt_status verify(dt_session *s, const cli_args *args, bool *out_good, dt_error *err)
{
    dt_int_model *m;
    bool done;
    DT_TRY(cli_calibrate(s, args, err));
    if (args->runtime) DT_TRY(cli_runtime_check(s, args, err));
    DT_TRY(verify_floats(s, args, true, &done, out_good, err));
    if (done) return DT_OK;
    dt_error why;
    dt_status st = cli_model(s, args, &m, &why);
    if (st == DT_ERR_UNSUPPORTED && may_have_floats(args))
        DT_TRY(verify_floats(s, args, false, &done, out_good, err));
    if (done) return DT_OK;
    if (st != DT_OK) {
        *err = why;
        return st;
    }
    st = judge(s, m, args, out_good, err);
    dt_int_model_free(m);
    return st;
}

int cli_verify(const cli_args *args)
{
    dt_error err;
    dt_recipe *recipe;
    dt_session s;
    bool good = false;
    if (cli_recipe_or_checkpoint(args, &recipe, &err) != DT_OK) return cli_fail(&err);
    const dt_session_params p = { .recipe = recipe,
                                  .threads = args->threads,
                                  .isa = args->isa,
                                  .need = cli_need(args),
                                  .memory = args->memory,
                                  .eval_batch = args->prove ? 0 : DT_VERIFY_BATCH,
                                  .eval_key = "model.name",
                                  .calibrate = args->calibrate,
                                  .no_data = args->prove && !args->calibrate };
    cli_catch_stops();
    dt_status st = dt_session_open(&s, &p, &err);
    if (st == DT_OK) {
        cli_tell_import(&s, args);
        st = verify(&s, args, &good, &err);
        dt_session_close(&s);
    }
    dt_recipe_free(recipe);
    cli_progress(NULL, 0);
    if (atomic_load(&cli_stop_requested)) return 130;
    return st != DT_OK ? cli_fail(&err) : good ? 0 : 1;
}
