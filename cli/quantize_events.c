/* A run of detent quantize as the command line shows it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/quantize_events.h"

static void on_message(void *arg, const char *text)
{
    (void)arg;
    cli_progress(NULL, 0);
    fprintf(stderr, "%s\n", text);
}

static void on_progress(void *arg, const char *stage, const char *unit, double share, double eta_s)
{
    char text[256], eta[32];
    (void)arg;
    if (eta_s < 0)
        snprintf(text, sizeof text, "%s %s  %.0f %%", stage, unit, 100 * share);
    else
        snprintf(text, sizeof text, "%s %s  %.0f %%  ETA %s", stage, unit, 100 * share,
                 cli_duration(eta_s, eta, sizeof eta));
    cli_progress(text, 15);
}

static void on_unit(void *arg, const dt_quantize_unit *u)
{
    (void)arg;
    cli_progress(NULL, 0);
    fprintf(stderr, "%s %-24s loss %.6g -> %.6g, %lld of %lld codes changed\n", u->stage, u->unit,
            u->before, u->after, (long long)u->changed, (long long)u->weights);
}

/* Refuses a net that its target would not take, whatever comes of it. */
static dt_status on_ready(void *arg, const dt_session *s, dt_error *err)
{
    const cli_args *args = arg;
    const dt_row *row;
    const dt_target *target;
    DT_TRY(cli_exporter(args, &row, &target, err));
    return target ? cli_check_target(s, target, args, true, err) : DT_OK;
}

void cli_quantize_params(const cli_args *args, dt_recipe *recipe, const char *folder,
                         dt_quantize_params *out)
{
    *out = (dt_quantize_params){ .recipe = recipe,
                                 .folder = folder,
                                 .threads = args->threads,
                                 .isa = args->isa,
                                 .memory = args->memory,
                                 .resume = args->resume,
                                 .rounding = args->rounding,
                                 .stop = &cli_stop_requested,
                                 .events = { on_ready, on_message, on_progress, on_unit,
                                             (void *)(uintptr_t)args } };
}
