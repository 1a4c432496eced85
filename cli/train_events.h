/* What a training run shows: its sites, a line of progress, a line an epoch. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_TRAIN_EVENTS_H
#define DT_CLI_TRAIN_EVENTS_H

#include "cli/cli.h"

typedef struct cli_train_view {
    int sites; /* shown so far */
    bool json; /* epochs and the end are JSON objects, a line each, on standard output */
} cli_train_view;

/* `view` stays with the run. */
dt_run_events cli_train_events(cli_train_view *view);
/* The end of a run that is done. */
void cli_train_end(const cli_train_view *view, const dt_run_result *result, const char *folder);
void cli_train_message(void *arg, const char *text);

#endif
