/* Bits layer by layer: shared by `sensitivity` and `quantize --bits mixed`. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_MIXED_H
#define DT_CLI_MIXED_H

#include "cli/cli.h"

/* What the options ask for, and what came of it. */
typedef struct cli_mixed {
    dt_ptq_sense_params sense;
    int width[DT_PTQ_WIDTHS];
    const dt_ptq_resource *resource; /* of --budget; NULL: nothing is chosen */
    double amount;                   /* INFINITY: no limit */
    char table_file[4096];           /* of a resource that has one */
    const dt_ptq_allocator *allocator;
    dt_session session;
    dt_ptq_mixed table;
    int64_t budget; /* in the resource's cost */
    dt_ptq_point front[512];
    int front_count;
} cli_mixed;

/* Reads --metric, --widths, --budget and --allocator. */
dt_status cli_mixed_options(const cli_args *args, cli_mixed *m, dt_error *err);
/* Measures, and chooses where there is a budget. After DT_OK it ends with cli_mixed_fini. */
dt_status cli_mixed_run(const cli_args *args, dt_recipe *recipe, cli_mixed *m, dt_error *err);
/* Widths for a budget in the resource's cost. */
dt_status cli_mixed_choose(cli_mixed *m, int64_t budget, dt_error *err);
void cli_mixed_fini(cli_mixed *m);
/* The rule of a layer as a recipe's list has it: "{layers: conv1, weights: {bits: 4}}". */
void cli_mixed_rule(const cli_mixed *m, int layer, char *text, size_t size);
/* A cost in the unit that budgets have. */
double cli_mixed_amount(const cli_mixed *m, int64_t cost);

#endif
