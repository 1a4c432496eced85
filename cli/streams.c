/* Standard streams: none is closed, what was printed has arrived or the exit code says so, and
 * nothing that a file held can steer a terminal. */
/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* fopencookie */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/plain.h"

enum { PIECE = 512 };

/* What takes the place of stdout or stderr. */
typedef struct filter {
    int fd;
    int reason; /* of the first write that failed */
    cli_plain plain;
} filter;

static filter out = { .fd = STDOUT_FILENO }, err = { .fd = STDERR_FILENO };

static bool write_all(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text += n;
        size -= (size_t)n;
    }
    return true;
}

static ssize_t filter_write(void *cookie, const char *text, size_t size)
{
    filter *f = cookie;
    char shown[CLI_PLAIN_MOST * (PIECE + CLI_PLAIN_HELD)];
    for (size_t at = 0; at < size; at += PIECE) {
        size_t n = size - at < PIECE ? size - at : PIECE;
        n = cli_plain_add(&f->plain, text + at, n, shown);
        if (write_all(f->fd, shown, n)) continue;
        if (!f->reason) f->reason = errno;
        return 0;
    }
    return (ssize_t)size;
}

static int filter_close(void *cookie)
{
    filter *f = cookie;
    char shown[CLI_PLAIN_MOST * CLI_PLAIN_HELD];
    bool good = write_all(f->fd, shown, cli_plain_end(&f->plain, shown));
    int reason = errno;
    if (close(f->fd) != 0) return -1;
    errno = reason;
    return good ? 0 : -1;
}

/* Keeps how the stream is buffered: by line on a terminal, and not at all where errors go. */
static FILE *open_filter(filter *f)
{
    const cookie_io_functions_t calls = { .write = filter_write, .close = filter_close };
    FILE *stream = fopencookie(f, "w", calls);
    if (!stream) _exit(1);
    int how = f->fd == STDERR_FILENO ? _IONBF : isatty(f->fd) ? _IOLBF : _IOFBF;
    setvbuf(stream, NULL, how, how == _IONBF ? 0 : BUFSIZ);
    return stream;
}

static bool untold; /* a report could not be made */

/* At the end of the process, whoever ends it (argp does after --help). */
static void check_output(void)
{
    errno = 0;
    bool bad = ferror(stdout) != 0;
    if (fflush(stdout) != 0) bad = true;
    int reason = out.reason ? out.reason : errno;
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
    stdout = open_filter(&out);
    stderr = open_filter(&err);
    if (atexit(check_output) != 0) _exit(1);
}

void cli_control(const char *sequence)
{
    if (!write_all(STDERR_FILENO, sequence, strlen(sequence))) clearerr(stderr);
}

json_t *cli_text_json(const char *text)
{
    json_t *same = json_string(text);
    if (same) return same;
    cli_plain plain = { .count = 0 };
    size_t size = strlen(text);
    char *shown = dt_get(NULL, CLI_PLAIN_MOST * (size + 2 * CLI_PLAIN_HELD), "text");
    if (!shown) return NULL;
    size_t n = cli_plain_add(&plain, text, size, shown);
    n += cli_plain_end(&plain, shown + n);
    json_t *o = json_stringn(shown, n);
    dt_put(NULL, shown);
    return o;
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
