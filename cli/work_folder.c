/* Work folders: made, locked, removed. */
/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* nftw */
#include "cli/work_folder.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char prefix[] = "detent-work-";
enum { RANDOM = 6 /* letters behind the prefix */, AGE = 60 /* seconds */, OPEN_FOLDERS = 8 };

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = dt_get(NULL, size, "path");
    if (path) snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    (void)remove(path); /* what cannot be removed stays */
    return 0;
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* A folder of this user's that no process holds. One that has only just been made may not be locked
 * yet. */
static void remove_if_left(const char *path)
{
    struct stat st;
    dt_dir held;
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) return;
    if (time(NULL) - st.st_mtime < AGE || dt_dir_hold(&held, path, NULL) != DT_OK) return;
    remove_tree(path);
    dt_dir_release(&held);
}

static void remove_left(const char *parent)
{
    DIR *dir = opendir(parent);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        bool ours = strncmp(e->d_name, prefix, sizeof prefix - 1) == 0 &&
                    strlen(e->d_name) == sizeof prefix - 1 + RANDOM;
        char *path = ours ? join(parent, e->d_name) : NULL;
        if (path) remove_if_left(path);
        dt_put(NULL, path);
    }
    if (dir) closedir(dir);
}

dt_status cli_folder_make(cli_folder *f, dt_error *err)
{
    const char *parent = getenv("TMPDIR");
    if (!parent || !*parent) parent = "/tmp";
    *f = (cli_folder){ .held = { .fd = -1 } };
    remove_left(parent);
    char *path = join(parent, "detent-work-XXXXXX");
    if (!path) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
    if (!mkdtemp(path)) {
        int reason = errno;
        dt_put(NULL, path);
        return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = parent },
                       "no folder for temporary files can be made (TMPDIR): %s", strerror(reason));
    }
    f->path = path;
    dt_status st = dt_dir_hold(&f->held, path, err);
    if (st != DT_OK) cli_folder_remove(f);
    return st;
}

void cli_folder_remove(cli_folder *f)
{
    if (!f->path) return;
    remove_tree(f->path);
    dt_dir_release(&f->held);
    dt_put(NULL, f->path);
    *f = (cli_folder){ .held = { .fd = -1 } };
}

char *cli_folder_path(const cli_folder *f, const char *name)
{
    return join(f->path, name);
}
