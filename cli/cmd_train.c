/* detent train */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ranks.h"

typedef struct view {
    int sites, below_30_db;
    double best_db;
} view;

static void on_message(void *arg, const char *text)
{
    (void)arg;
    cli_say(text, strncmp(text, "warning: ", 9) == 0 ? CLI_WARNING : CLI_PLAIN);
}

static void on_site(void *arg, const dt_site_report *r)
{
    view *v = arg;
    if (v->sites++ == 0)
        fprintf(stderr, "%-34s %-8s %4s %-8s %6s %12s %9s\n", "quantization site", "method", "bits",
                "range", "scales", "first scale", "SQNR dB");
    bool low = r->bits == 8 && r->sqnr_db < 30;
    v->below_30_db += low;
    fprintf(stderr, "%-34s %-8s %4d %-8s %6lld %12.6g %9.1f%s\n", r->name, r->method, r->bits,
            r->is_signed ? "signed" : "unsigned", (long long)r->groups, r->scale, r->sqnr_db,
            low ? "  warning: under 30 dB at 8 bits" : "");
}

static void on_progress(void *arg, const dt_run_progress *p)
{
    (void)arg;
    char text[256], eta[32];
    const dt_run_position *at = p->at;
    if (p->evaluating) {
        snprintf(text, sizeof text, "evaluating %lld/%lld", (long long)p->eval_seen,
                 (long long)p->eval_total);
    } else {
        const dt_metric *metric = p->goal->task->metric;
        char value[DT_METRIC_TEXT];
        double loss = at->seen.count ? at->seen.loss / (double)at->seen.count : 0;
        dt_metric_print(metric, dt_score_value(&at->seen, p->goal, 0), value);
        snprintf(
            text, sizeof text,
            "epoch %lld step %lld/%lld  %.0f img/s  loss %.4f  %s %s  lr %.5f%s  ETA %s",
            (long long)((at->step - 1) / at->steps_per_epoch + 1), (long long)at->step,
            (long long)at->last_step, p->images_per_s, loss, metric->label, value, p->lr, p->dynamics,
            cli_duration(p->eta_s, eta, sizeof eta));
    }
    cli_progress(text, 15);
}

/* The metric that decides, in a column. */
static void print_first(const char *before, const dt_goal *g, const dt_score *s)
{
    char value[DT_METRIC_TEXT];
    const dt_metric *m = g->task->metric;
    dt_metric_print(m, dt_score_value(s, g, 0), value);
    printf("%s%s %7s", before, m->label, value);
}

static void on_epoch(void *arg, const dt_run_epoch *e)
{
    (void)arg;
    char text[32];
    cli_progress(NULL, 0);
    printf("epoch %3lld  lr %.5f  train loss %.4f", (long long)e->epoch, e->lr, e->train.loss);
    print_first(" ", e->goal, &e->train);
    printf("  test loss %.4f", e->score.loss);
    print_first(" ", e->goal, &e->score);
    if (e->has_val) print_first("  val ", e->goal, &e->val);
    printf("  %s%s\n", cli_duration(e->seconds, text, sizeof text),
           !e->is_best  ? ""
           : e->has_val ? "  best"
                        : "  best (selected on test)");
    fflush(stdout);
}

static int dry_run(dt_recipe *recipe, const cli_args *args)
{
    dt_error err;
    size_t params;
    const dt_run_params p = {
        .recipe = recipe,
        .threads = args->threads,
        .plain = args->plain,
        .isa = args->isa,
        .events = { .message = on_message },
        .memory = args->memory,
    };
    if (dt_run_check(&p, &params, &err) != DT_OK) return cli_fail(&err);
    printf("%srecipe hash %s\n%zu parameters; nothing was written\n", recipe->text, recipe->hash,
           params);
    return 0;
}

static int train_in(dt_recipe *recipe, const char *folder, const cli_args *args, dt_comm *comm)
{
    dt_error err;
    char build[DT_SHA256_HEX] = "";
    dt_run_result result;
    view v = { 0 };
    const dt_run_params p = {
        .recipe = recipe,
        .folder = folder,
        .comm = comm,
        .build = build,
        .threads = cli_ranks_threads(comm, args),
        .plain = args->plain,
        .isa = args->isa,
        .memory = cli_ranks_memory(comm, args),
        .resume = args->resume,
        .stop = &cli_stop_requested,
        .events = { on_message, on_site, on_progress, on_epoch, &v },
    };
    cli_catch_stops();
    cli_outlive_readers();
    if (!args->quiet)
        fprintf(stderr, "recipe %s, hash %.12s, run folder %s\n", recipe->name, recipe->hash,
                folder);
    dt_status st = comm ? cli_ranks_build(build, &err) : DT_OK;
    if (dt_comm_settle(comm, st, &err) != DT_OK) return cli_ranks_fail(comm, &err);
    if (dt_run_train(&p, &result, &err) != DT_OK) return cli_ranks_fail(comm, &err);
    cli_progress(NULL, 0);
    if (!result.finished) return 130;
    if (args->quiet) return 0;
    printf("last step %lld: ", (long long)result.step);
    cli_print_metrics(&result.goal, &result.score, true);
    printf(", loss %.4f; %s/last.h5\n", result.score.loss, folder);
    return 0;
}

static int train(dt_recipe *recipe, const cli_args *args, dt_comm *comm)
{
    dt_error err;
    char *folder =
        args->out ? dt_format(NULL, "%s", args->out) : dt_format(NULL, "runs/%s", recipe->name);
    if (!folder) {
        dt_fail(&err, DT_ERR_NOMEM, NULL, "no memory");
        return cli_fail(&err);
    }
    int code = train_in(recipe, folder, args, comm);
    dt_put(NULL, folder);
    return code;
}

static int train_among(const cli_args *args, dt_comm *comm)
{
    dt_error err;
    dt_recipe *recipe = NULL;
    dt_status st = cli_recipe(args, &recipe, &err);
    st = dt_comm_settle(comm, st, &err);
    int code = st != DT_OK     ? cli_ranks_fail(comm, &err)
               : args->dry_run ? dry_run(recipe, args)
                               : train(recipe, args, comm);
    dt_recipe_free(recipe);
    return code;
}

int cli_train(const cli_args *args)
{
    dt_comm *comm;
    cli_args own = *args;
    if (!cli_ranks_join(args, &comm)) return 1;
    own.quiet = dt_comm_rank(comm) > 0;
    int code = 0;
    if (!own.dry_run)
        code = train_among(&own, comm);
    else if (!own.quiet) /* rank 0 alone */
        code = train_among(&own, NULL);
    return cli_ranks_leave(comm, code);
}
