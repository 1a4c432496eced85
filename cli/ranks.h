/* Training among the ranks that a launcher started. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_RANKS_H
#define DT_CLI_RANKS_H

#include "cli/cli.h"

/* Joins the others as --comm says; without it the ranks of a launcher that has started more than
 * one. NULL in `out`: this process is alone. A failure is told already, by one of them. */
bool cli_ranks_join(const cli_args *args, dt_comm **out);
/* Ends with the others. Gives back the exit code. */
int cli_ranks_leave(dt_comm *comm, int code);
/* Prints an error that all ranks have, on one of them. Returns 1. */
int cli_ranks_fail(dt_comm *comm, const dt_error *err);
/* What this rank gets of the machine: threads where no --threads tells them, and memory. */
int cli_ranks_threads(const dt_comm *comm, const cli_args *args);
dt_memory_limit cli_ranks_memory(const dt_comm *comm, const cli_args *args);
/* The SHA-256 of this program, which tells one build from another. */
dt_status cli_ranks_build(char out[DT_SHA256_HEX], dt_error *err);

#endif
