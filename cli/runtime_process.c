/* Starting, feeding and ending the script. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runtime_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/atomic.h"
#include "runtime_scripts.h"

enum { NO_EXEC = 127, VERDICT = 400 };

static const struct {
    const char *name, *text;
} scripts[] = { script_ROWS };

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
}

static dt_status write_scripts(const cli_folder *folder, dt_error *err)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(scripts); i++) {
        char *path = cli_folder_path(folder, scripts[i].name);
        if (!path) return no_memory(err);
        dt_status st = dt_file_write(path, scripts[i].text, strlen(scripts[i].text), err);
        dt_put(NULL, path);
        DT_TRY(st);
    }
    return DT_OK;
}

dt_status cli_process_open(cli_process *p, const char *script, dt_error *err)
{
    *p = (cli_process){ .script = script };
    DT_TRY(cli_folder_make(&p->folder, err));
    p->start = cli_folder_path(&p->folder, "run_script.py");
    p->log = cli_folder_path(&p->folder, "log");
    p->verdict = cli_folder_path(&p->folder, "verdict");
    dt_status st = p->start && p->log && p->verdict ? DT_OK : no_memory(err);
    if (st == DT_OK) st = write_scripts(&p->folder, err);
    if (st != DT_OK) cli_process_remove(p);
    return st;
}

/* Sets an option of an exporter, if it has it. */
static dt_status set_option(const dt_exporter *e, void *conf, const char *key, const char *value,
                            dt_error *err)
{
    const dt_opt *opt = e->row.opts ? dt_opt_find(e->row.opts, key) : NULL;
    return opt ? dt_opt_set(opt, conf, value, &(dt_where){ .key = key }, err) : DT_OK;
}

dt_status cli_process_export(cli_process *p, const dt_session *s, const char *format,
                             const char *rounding, const cli_args *args, dt_error *err)
{
    struct dt_text_attr attr[DT_SOURCE_TEXTS];
    const dt_export_source src = cli_source(s, attr);
    const dt_row *row;
    char name[32];
    DT_TRY(dt_table_get(&dt_exporters, format, &(dt_where){ .key = "--format" }, &row, err));
    const dt_exporter *e = dt_exporter_of(row);
    void *conf = dt_get(NULL, e->row.conf_size, "exporter");
    if (!conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    snprintf(name, sizeof name, "model.%s", e->extension);
    p->file = cli_folder_path(&p->folder, name);
    dt_opt_defaults(e->row.opts, conf);
    dt_status st = p->file ? set_option(e, conf, "rounding", rounding, err) : no_memory(err);
    if (st == DT_OK) st = set_option(e, conf, "prefix", "net", err);
    if (st == DT_OK && args->allow_float) st = set_option(e, conf, "allow_float", "true", err);
    if (st == DT_OK) st = e->write(&src, conf, p->file, NULL, err);
    dt_put(NULL, conf);
    return st;
}

void cli_process_remove(cli_process *p)
{
    cli_folder_remove(&p->folder);
    dt_put(NULL, p->start);
    dt_put(NULL, p->file);
    dt_put(NULL, p->log);
    dt_put(NULL, p->verdict);
    *p = (cli_process){ .folder.held.fd = -1 };
}

static const char *python(const cli_args *args)
{
    return args->python ? args->python : "python3";
}

/* In the child, a group of its own: the script, its input from `in`, its output to `out` (-1: as
 * ours), what it says beside its result to `log`. Temporary files of what it runs are removed with
 * the folder. */
static void become(const cli_process *p, const cli_args *args, int in, int out, int log)
{
    setpgid(0, 0);
    dup2(in, STDIN_FILENO);
    if (out >= 0) dup2(out, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    setenv("TMPDIR", p->folder.path, 1);
    execlp(python(args), python(args), p->start, p->script, args->json ? "--json" : "--text",
           (char *)NULL);
    dprintf(STDERR_FILENO, "%s\n", strerror(errno));
    _exit(NO_EXEC);
}

/* Ends that the child does not inherit, but for those it is given as input and output. */
static bool make_pipe(int ends[2])
{
    if (pipe(ends) != 0) return false;
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    return true;
}

static void close_pipe(const int ends[2])
{
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0) close(ends[i]);
}

dt_status cli_process_start(cli_process *p, const cli_args *args, bool answers, dt_error *err)
{
    int there[2] = { -1, -1 }, back[2] = { -1, -1 };
    int log = open(p->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0 || !make_pipe(there) || (answers && !make_pipe(back))) {
        close_pipe(there);
        if (log >= 0) close(log);
        return dt_fail(err, DT_ERR_IO, NULL, "no pipe can be made");
    }
    signal(SIGPIPE, SIG_IGN); /* a script that ends early is seen by its verdict */
    fflush(stdout);
    p->pid = fork();
    if (p->pid == 0) become(p, args, there[0], back[1], log);
    if (p->pid > 0) {
        setpgid(p->pid, p->pid); /* as the child does; whoever comes first */
        cli_stop_also(p->pid);
    }
    close(log);
    close(there[0]);
    if (answers) close(back[1]);
    p->to = p->pid > 0 ? fdopen(there[1], "wb") : NULL;
    p->from = p->pid > 0 && answers ? fdopen(back[0], "rb") : NULL;
    if (p->to && (p->from || !answers)) return DT_OK;
    if (!p->to) close(there[1]);
    if (answers && !p->from) close(back[0]);
    return dt_fail(err, DT_ERR_IO, NULL, "'%s' cannot be started", python(args));
}

/* The first line of a file, or its last one that is not empty; "" when there is none. */
static const char *line_of(const char *path, bool last, char line[VERDICT])
{
    char next[VERDICT];
    FILE *f = fopen(path, "rb");
    line[0] = '\0';
    while (f && (last || !*line) && fgets(next, VERDICT, f)) {
        next[strcspn(next, "\n")] = '\0';
        if (*next) memcpy(line, next, VERDICT);
    }
    if (f) fclose(f);
    return line;
}

/* Warnings of the runtime, for the user to see. */
static void show_log(const cli_process *p)
{
    char piece[512];
    FILE *f = fopen(p->log, "rb");
    for (size_t n; f && (n = fread(piece, 1, sizeof piece, f)) > 0;)
        fwrite(piece, 1, n, stderr);
    if (f) fclose(f);
}

/* A script that ended in a way of its own. */
static dt_status no_verdict(const cli_process *p, const cli_args *args, int status, dt_error *err)
{
    const dt_where where = { .key = "--python" };
    char how[48], line[VERDICT];
    line_of(p->log, true, line);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_EXEC)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &where, "'%s' cannot be run%s%s", python(args),
                       *line ? ": " : "", line);
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "was ended by signal %d", WTERMSIG(status));
    else
        snprintf(how, sizeof how, "ended with exit status %d", WEXITSTATUS(status));
    return dt_fail(err, DT_ERR_IO, &where, "'%s' %s before it said whether all is equal%s%s",
                   python(args), how, *line ? ": " : "", line);
}

static dt_status judge(const cli_process *p, bool sent, const cli_args *args, int status,
                       bool *out_good, dt_error *err)
{
    static const char cannot[] = "cannot ", failed[] = "failed ";
    const dt_where where = { .key = "--runtime" };
    char verdict[VERDICT];
    line_of(p->verdict, false, verdict);
    if (strncmp(verdict, cannot, sizeof cannot - 1) == 0)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &where,
                       "'%s' cannot be run: %s; --python names an interpreter that has its "
                       "packages (tests/requirements*.txt), --compiler a C compiler",
                       args->runtime, verdict + sizeof cannot - 1);
    if (strncmp(verdict, failed, sizeof failed - 1) == 0)
        return dt_fail(err, DT_ERR_IO, &where, "'%s' failed: %s", args->runtime,
                       verdict + sizeof failed - 1);
    bool good = strcmp(verdict, "good") == 0;
    if (status != 0 || (!good && strcmp(verdict, "differs") != 0))
        return no_verdict(p, args, status, err);
    if (!sent)
        return dt_fail(err, DT_ERR_IO, &where, "'%s' ended before the last picture", p->script);
    show_log(p);
    *out_good = good;
    return DT_OK;
}

dt_status cli_process_finish(cli_process *p, bool whole, const cli_args *args, bool *out_good,
                             dt_error *err)
{
    int status = 0;
    bool sent = fclose(p->to) == 0 && whole;
    if (p->from) fclose(p->from);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    cli_stop_also(0);
    if (atomic_load(&cli_stop_requested)) return dt_fail(err, DT_ERR_IO, NULL, "stopped");
    return judge(p, sent, args, status, out_good, err);
}
