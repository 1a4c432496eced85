/* What a training run shows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train_events.h"

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
        snprintf(text, sizeof text,
                 "epoch %lld step %lld/%lld  %.0f img/s  loss %.4f  %s %s  lr %.5f%s  ETA %s",
                 (long long)((at->step - 1) / at->steps_per_epoch + 1), (long long)at->step,
                 (long long)at->last_step, p->images_per_s, loss, metric->label, value, p->lr,
                 p->dynamics, cli_duration(p->eta_s, eta, sizeof eta));
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

dt_run_events cli_train_events(cli_train_view *view)
{
    return (dt_run_events){ cli_train_message, on_site, on_progress, on_epoch, view };
}
