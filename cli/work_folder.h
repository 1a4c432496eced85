/* A private folder for the time of a command, in $TMPDIR or /tmp. It is removed with all that is in
 * it, by the next command where this one was killed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_WORK_FOLDER_H
#define DT_CLI_WORK_FOLDER_H

#include "cli/cli.h"
#include "core/dir.h"

typedef struct cli_folder {
    char *path;  /* NULL: none */
    dt_dir held; /* while it is in use */
} cli_folder;

/* Errors: IO, NOMEM. */
dt_status cli_folder_make(cli_folder *f, dt_error *err) DT_MUST_CHECK;
void cli_folder_remove(cli_folder *f); /* fine when none was made */
/* "<folder>/<name>", for dt_put(NULL, .); NULL: no memory. */
char *cli_folder_path(const cli_folder *f, const char *name);

#endif
