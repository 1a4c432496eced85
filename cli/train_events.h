/* What a training run shows: its sites, a line of progress, a line an epoch. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_TRAIN_EVENTS_H
#define DT_CLI_TRAIN_EVENTS_H

#include "cli/cli.h"

typedef struct cli_train_view {
    int sites; /* shown so far */
} cli_train_view;

/* `view` stays with the run. */
dt_run_events cli_train_events(cli_train_view *view);
void cli_train_message(void *arg, const char *text);

#endif
