/* The script that runs another runtime, at the other end of a pipe. It exits with 0 (good), 1 (not
 * good) or 77 (it cannot run). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_RUNTIME_PEER_H
#define DT_CLI_RUNTIME_PEER_H

#include <stdio.h>
#include <sys/types.h>

#include "cli/cli.h"

typedef struct cli_peer {
    char script[1024];
    char folder[32], file[64]; /* of the exported model; "": none */
    pid_t pid;
    FILE *to, *from; /* from: NULL where the script prints for people */
} cli_peer;

/* Begins with the path of a script of this folder. NOT_FOUND */
dt_status cli_peer_find(cli_peer *p, const char *script, dt_error *err) DT_MUST_CHECK;
/* Writes the net in that format to p->file, in a folder of its own, until cli_peer_remove. */
dt_status cli_peer_export(cli_peer *p, const dt_session *s, const char *format,
                          const char *rounding, const cli_args *args, dt_error *err) DT_MUST_CHECK;
void cli_peer_remove(const cli_peer *p);
/* `answers`: what it prints comes back through p->from. */
dt_status cli_peer_start(cli_peer *p, const cli_args *args, bool answers,
                         dt_error *err) DT_MUST_CHECK;
/* Waits for its end. `whole`: all was sent. Errors: UNSUPPORTED (it cannot run), IO. */
dt_status cli_peer_finish(cli_peer *p, bool whole, const cli_args *args, bool *out_good,
                          dt_error *err) DT_MUST_CHECK;

#endif
