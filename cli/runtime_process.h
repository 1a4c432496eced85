/* The script that runs another runtime, at the other end of a pipe. The scripts are part of this
 * program; they are written into a folder of their own, where run_script.py starts one and leaves
 * its verdict. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_RUNTIME_PROCESS_H
#define DT_CLI_RUNTIME_PROCESS_H

#include <stdio.h>
#include <sys/types.h>

#include "cli/cli.h"
#include "cli/work_folder.h"

typedef struct cli_process {
    const char *script; /* its module's name, "verify_c" */
    cli_folder folder;
    char *start, *file, *log, *verdict; /* paths in it; file: the exported model, NULL: none */
    pid_t pid;
    FILE *to, *from; /* from: NULL where the script prints for people */
} cli_process;

/* Makes the folder, until cli_process_remove. Errors: IO, NOMEM. */
dt_status cli_process_open(cli_process *p, const char *script, dt_error *err) DT_MUST_CHECK;
/* Writes the net in that format to p->file. */
dt_status cli_process_export(cli_process *p, const dt_session *s, const char *format,
                             const char *rounding, const cli_args *args,
                             dt_error *err) DT_MUST_CHECK;
void cli_process_remove(cli_process *p);
/* `answers`: what it prints comes back through p->from. */
dt_status cli_process_start(cli_process *p, const cli_args *args, bool answers,
                            dt_error *err) DT_MUST_CHECK;
/* Waits for its end. `whole`: all was sent. Errors: UNSUPPORTED (it cannot run), IO (it failed, or
 * ended without a verdict; also when the user stopped it). */
dt_status cli_process_finish(cli_process *p, bool whole, const cli_args *args, bool *out_good,
                             dt_error *err) DT_MUST_CHECK;

#endif
