/* A script in a folder for the time of the command. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/script.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/work_folder.h"
#include "core/atomic.h"
#include "view_scripts.h"

enum { NO_EXEC = 127, STOPPED = 130, PATH_BYTES = 4096 };

static const struct {
    const char *name, *text;
} scripts[] = { view_ROWS };

static dt_status write_scripts(const cli_folder *folder, dt_error *err)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(scripts); i++) {
        char *path = cli_folder_path(folder, scripts[i].name);
        if (!path) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
        dt_status st = dt_file_write(path, scripts[i].text, strlen(scripts[i].text), err);
        dt_put(NULL, path);
        DT_TRY(st);
    }
    return DT_OK;
}

/* In the child; argv[0] becomes the script. */
static _Noreturn void become(const char *script, char **argv)
{
    char program[PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n > 0) {
        program[n] = '\0';
        setenv("DETENT_PROGRAM", program, 1);
    }
    setpgid(0, 0); /* signals that ask for an end reach all that it starts */
    setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* who is killed takes the script along */
    char python[] = "python3";
    argv[-1] = python; /* the program's own name stood there */
    argv[0] = (char *)(uintptr_t)script;
    execvp(python, argv - 1);
    fprintf(stderr, "detent: %s: cannot run: %s\n", python, strerror(errno));
    _exit(NO_EXEC);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return 1;
    if (WIFEXITED(status)) return WEXITSTATUS(status) == NO_EXEC ? 1 : WEXITSTATUS(status);
    return atomic_load(&cli_stop_requested) ? STOPPED : 1;
}

static int run_in(const cli_folder *folder, char **argv, dt_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%s.py", argv[0]);
    char *script = cli_folder_path(folder, name);
    if (!script) {
        dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
        return cli_fail(err);
    }
    cli_catch_stops();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) become(script, argv);
    int code = 1;
    if (pid > 0) {
        setpgid(pid, pid); /* here too, for it may be needed before the child ran */
        cli_stop_also(pid);
        code = wait_for(pid);
        cli_stop_also(0);
    } else {
        fprintf(stderr, "detent: %s: cannot start: %s\n", argv[0], strerror(errno));
    }
    dt_put(NULL, script);
    return code;
}

int cli_script(int argc, char **argv)
{
    dt_error err;
    cli_folder folder;
    (void)argc;
    if (cli_folder_make(&folder, &err) != DT_OK) return cli_fail(&err);
    int code = write_scripts(&folder, &err) == DT_OK ? run_in(&folder, argv, &err) : cli_fail(&err);
    cli_folder_remove(&folder);
    return code;
}
