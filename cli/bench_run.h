/* detent bench step --run */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_BENCH_RUN_H
#define DT_CLI_BENCH_RUN_H

#include "cli/cli.h"

/* Trains the recipe for one epoch, or train.max_steps, in a folder that is removed, and prints where
 * the time went. Returns the exit code. */
int cli_bench_run(dt_recipe *recipe, const cli_args *args);

#endif
