/* What a training run shows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train_events.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

void cli_train_message(void *arg, const char *text)
{
    (void)arg;
    cli_say(text, strncmp(text, "warning: ", 9) == 0 ? CLI_WARNING : CLI_PLAIN);
}

static void on_site(void *arg, const dt_site_report *r)
{
    cli_train_view *v = arg;
    if (v->sites++ == 0)
        fprintf(stderr, "%-34s %-8s %4s %-8s %6s %12s %9s\n", "quantization site", "method", "bits",
                "range", "scales", "first scale", "SQNR dB");
    bool low = r->bits == 8 && r->sqnr_db < 30;
    fprintf(stderr, "%-34s %-8s %4d %-8s %6lld %12.6g %9.1f%s\n", r->name, r->method, r->bits,
            r->is_signed ? "signed" : "unsigned", (long long)r->groups, r->scale, r->sqnr_db,
            low ? "  warning: under 30 dB at 8 bits" : "");
}

/* The first metric of every part: "top-1 91.45%", "class top-1 91.45%, box RMSE 0.20". */
static void say_firsts(char *text, size_t size, const dt_goal *g, const dt_score *s)
{
    size_t used = 0;
    for (int p = 0; p < g->trained && used < size; p++) {
        char label[DT_GOAL_NAME], value[DT_METRIC_TEXT];
        int i = dt_goal_first(g, p);
        dt_metric_print(dt_goal_metric(g, i, NULL), dt_score_value(s, g, i), value);
        int n = snprintf(text + used, size - used, "%s%s %s", p ? ", " : "",
                         dt_goal_label(g, i, label), value);
        used += n > 0 ? (size_t)n : 0;
    }
}

static void on_progress(void *arg, const dt_run_progress *p)
{
    (void)arg;
    char text[512], eta[32];
    const dt_run_position *at = p->at;
    if (p->evaluating) {
        snprintf(text, sizeof text, "evaluating %lld/%lld", (long long)p->eval_seen,
                 (long long)p->eval_total);
    } else {
        char value[192] = "";
        double loss = at->seen.count ? at->seen.loss / (double)at->seen.count : 0;
        say_firsts(value, sizeof value, p->goal, &at->seen);
        snprintf(text, sizeof text,
                 "epoch %lld step %lld/%lld  %.0f img/s  loss %.4f  %s  lr %.5f%s  ETA %s",
                 (long long)((at->step - 1) / at->steps_per_epoch + 1), (long long)at->step,
                 (long long)at->last_step, p->images_per_s, loss, value, p->lr, p->dynamics,
                 cli_duration(p->eta_s, eta, sizeof eta));
    }
    cli_progress(text, 15);
}

/* The first metric of every part, in columns. */
static void print_first(const char *before, const dt_goal *g, const dt_score *s)
{
    for (int p = 0; p < g->trained; p++) {
        char label[DT_GOAL_NAME], value[DT_METRIC_TEXT];
        int i = dt_goal_first(g, p);
        dt_metric_print(dt_goal_metric(g, i, NULL), dt_score_value(s, g, i), value);
        printf("%s%s %7s", p ? " " : before, dt_goal_label(g, i, label), value);
    }
}

static void print_epoch_json(const dt_run_epoch *e)
{
    json_t *o = json_pack("{s:s,s:I,s:I,s:f,s:f,s:b}", "kind", "epoch", "epoch",
                          (json_int_t)e->epoch, "step", (json_int_t)e->step, "lr", e->lr, "seconds",
                          e->seconds, "best", (int)e->is_best);
    dt_score_json(o, "train", e->goal, &e->train);
    dt_score_json(o, "test", e->goal, &e->score);
    if (e->has_val) dt_score_json(o, "val", e->goal, &e->val);
    cli_print_json(o, 9);
    fflush(stdout);
}

void cli_train_end(const cli_train_view *view, const dt_run_result *r, const char *folder)
{
    if (view->json) {
        json_t *o = json_pack("{s:s,s:I,s:I,s:o}", "kind", "end", "step", (json_int_t)r->step,
                              "count", (json_int_t)r->score.count, "folder", cli_text_json(folder));
        dt_score_json(o, "test", &r->goal, &r->score);
        cli_print_json(o, 9);
        return;
    }
    printf("last step %lld: ", (long long)r->step);
    cli_print_metrics(&r->goal, &r->score, true);
    printf(", loss %.4f; %s/last.h5\n", r->score.loss, folder);
}

static void on_epoch(void *arg, const dt_run_epoch *e)
{
    const cli_train_view *v = arg;
    char text[32];
    cli_progress(NULL, 0);
    if (v->json) {
        print_epoch_json(e);
        return;
    }
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

dt_run_events cli_train_events(cli_train_view *view)
{
    return (dt_run_events){ cli_train_message, on_site, on_progress, on_epoch, view };
}
