/* Standard streams: none is closed, and what was printed has arrived or the exit code says so. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static bool untold; /* a report could not be made */

/* At the end of the process, whoever ends it (argp does after --help). */
static void check_output(void)
{
    errno = 0;
    bool bad = ferror(stdout) != 0;
    if (fflush(stdout) != 0) bad = true;
    int reason = errno;
    if (fclose(stdout) != 0 && !bad) {
        bad = true;
        reason = errno;
    }
    if (bad)
        fprintf(stderr, "detent: standard output: cannot write: %s\n",
                reason ? strerror(reason) : "an earlier write failed");
    if (bad || untold) _exit(1);
}

void cli_open_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        /* The lowest free number is this one. */
        if (open("/dev/null", O_RDWR) == fd) continue;
        fprintf(stderr, "detent: /dev/null: cannot open: %s\n", strerror(errno));
        _exit(1);
    }
    if (atexit(check_output) != 0) _exit(1);
}

void cli_print_json(json_t *o, int digits)
{
    size_t flags = JSON_COMPACT | (digits ? JSON_REAL_PRECISION((size_t)digits) : 0);
    bool good = o && json_dumpf(o, stdout, flags) == 0;
    if (good) putchar('\n');
    json_decref(o);
    if (good || ferror(stdout)) return;
    fputs("detent: the report: cannot be made: no memory, or a number that is not finite\n",
          stderr);
    untold = true;
}
