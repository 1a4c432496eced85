/* A run of detent quantize as the command line shows it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_QUANTIZE_EVENTS_H
#define DT_CLI_QUANTIZE_EVENTS_H

#include "cli/cli.h"

/* `args` stay where they are until the run has ended. */
void cli_quantize_params(const cli_args *args, dt_recipe *recipe, const char *folder,
                         dt_quantize_params *out);

#endif
