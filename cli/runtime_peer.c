/* Starting, feeding and ending the script. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runtime_peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SKIP = 77 };

dt_status cli_peer_find(cli_peer *p, const char *script, dt_error *err)
{
    static const char *const folders[] = { DT_SCRIPTS, DT_SOURCE_SCRIPTS };
    cli_peer peer = { .pid = 0 };
    bool found = false;
    for (size_t k = 0; !found && k < DT_ARRAY_LEN(folders); k++) {
        snprintf(peer.script, sizeof peer.script, "%s/%s", folders[k], script);
        found = access(peer.script, R_OK) == 0;
    }
    *p = peer;
    if (found) return DT_OK;
    return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "--runtime" },
                   "its script '%s' is neither in %s nor in %s", script, folders[0], folders[1]);
}

/* Sets an option of an exporter, if it has it. */
static dt_status set_option(const dt_exporter *e, void *conf, const char *key, const char *value,
                            dt_error *err)
{
    const dt_opt *opt = e->row.opts ? dt_opt_find(e->row.opts, key) : NULL;
    return opt ? dt_opt_set(opt, conf, value, &(dt_where){ .key = key }, err) : DT_OK;
}

dt_status cli_peer_export(cli_peer *p, const dt_session *s, const char *format,
                          const char *rounding, const cli_args *args, dt_error *err)
{
    struct dt_text_attr attr[CLI_SOURCE_TEXTS];
    const dt_export_source src = cli_source(s, attr);
    const dt_row *row;
    DT_TRY(dt_table_get(&dt_exporters, format, &(dt_where){ .key = "--format" }, &row, err));
    const dt_exporter *e = dt_exporter_of(row);
    strcpy(p->folder, "/tmp/detent-XXXXXX");
    if (!mkdtemp(p->folder)) {
        p->folder[0] = '\0';
        return dt_fail(err, DT_ERR_IO, NULL, "no temporary folder can be made");
    }
    void *conf = dt_get(NULL, e->row.conf_size, "exporter");
    if (!conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    snprintf(p->file, sizeof p->file, "%s/model.%s", p->folder, e->extension);
    dt_opt_defaults(e->row.opts, conf);
    dt_status st = set_option(e, conf, "rounding", rounding, err);
    if (st == DT_OK) st = set_option(e, conf, "prefix", "net", err);
    if (st == DT_OK && args->allow_float) st = set_option(e, conf, "allow_float", "true", err);
    if (st == DT_OK) st = e->write(&src, conf, p->file, NULL, err);
    dt_put(NULL, conf);
    return st;
}

/* The folder with all files in it. */
void cli_peer_remove(const cli_peer *p)
{
    char path[512];
    DIR *dir = p->folder[0] ? opendir(p->folder) : NULL;
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        snprintf(path, sizeof path, "%s/%s", p->folder, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) unlink(path);
    }
    if (!dir) return;
    closedir(dir);
    rmdir(p->folder);
}

/* In the child: the script, its input from `in`, its output to `out` (-1: as ours). */
static void become(const cli_peer *p, const cli_args *args, int in, int out)
{
    const char *python = args->python ? args->python : "python3";
    dup2(in, STDIN_FILENO);
    if (out >= 0) dup2(out, STDOUT_FILENO);
    execlp(python, python, p->script, args->json ? "--json" : "--text", (char *)NULL);
    _exit(EXIT_SKIP);
}

/* Ends that the child does not inherit, but for those it is given as input and output. */
static bool make_pipe(int ends[2])
{
    if (pipe(ends) != 0) return false;
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    return true;
}

dt_status cli_peer_start(cli_peer *p, const cli_args *args, bool answers, dt_error *err)
{
    int there[2], back[2] = { -1, -1 };
    if (!make_pipe(there)) return dt_fail(err, DT_ERR_IO, NULL, "no pipe can be made");
    if (answers && !make_pipe(back)) {
        close(there[0]);
        close(there[1]);
        return dt_fail(err, DT_ERR_IO, NULL, "no pipe can be made");
    }
    signal(SIGPIPE, SIG_IGN); /* a script that ends early is seen by its exit status */
    fflush(stdout);
    p->pid = fork();
    if (p->pid == 0) become(p, args, there[0], back[1]);
    close(there[0]);
    if (answers) close(back[1]);
    p->to = p->pid > 0 ? fdopen(there[1], "wb") : NULL;
    p->from = p->pid > 0 && answers ? fdopen(back[0], "rb") : NULL;
    if (p->to && (p->from || !answers)) return DT_OK;
    if (!p->to) close(there[1]);
    if (answers && !p->from) close(back[0]);
    return dt_fail(err, DT_ERR_IO, NULL, "'%s' cannot be started",
                   args->python ? args->python : "python3");
}

dt_status cli_peer_finish(cli_peer *p, bool whole, const cli_args *args, bool *out_good,
                          dt_error *err)
{
    int status = 0;
    bool sent = fclose(p->to) == 0 && whole;
    if (p->from) fclose(p->from);
    waitpid(p->pid, &status, 0);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == EXIT_SKIP)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "--runtime" },
                       "'%s' cannot be run: --python names an interpreter that has its packages "
                       "(tests/requirements*.txt), --compiler a C compiler",
                       args->runtime);
    if (code != 0 && code != 1)
        return dt_fail(err, DT_ERR_IO, &(dt_where){ .key = "--runtime" }, "'%s' failed", p->script);
    *out_good = code == 0 && sent;
    return DT_OK;
}
