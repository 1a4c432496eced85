/* Names in a folder. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/folder_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

void dt_names_sort(dt_names *list)
{
    if (list->count) qsort(list->at, list->count, sizeof *list->at, by_name);
}

static bool has_picture_ending(const char *name)
{
    static const char *const endings[] = { ".png", ".jpg", ".jpeg" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && dot != name && i < DT_ARRAY_LEN(endings); i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

static bool is_system(const char *name)
{
    static const char *const names[] = { "__MACOSX",
                                         "__pycache__",
                                         "@eaDir",
                                         "#recycle",
                                         "lost+found",
                                         "$RECYCLE.BIN",
                                         "System Volume Information" };
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return name[0] == '.';
}

typedef enum kind { FOLDER, REGULAR, OTHER, NOWHERE } kind;

/* The listing tells what an entry is on most file systems; ask only where it does not, or where it
 * is a link: a folder may have a million entries. */
static kind kind_of(const char *folder, const struct dirent *e)
{
    char path[DT_DATA_PATH];
    struct stat st;
    if (e->d_type == DT_DIR) return FOLDER;
    if (e->d_type == DT_REG) return REGULAR;
    if (dt_data_path(path, folder, e->d_name, NULL) != DT_OK || stat(path, &st) != 0)
        return NOWHERE;
    return S_ISDIR(st.st_mode) ? FOLDER : S_ISREG(st.st_mode) ? REGULAR : OTHER;
}

static void pass(dt_passed *p, const char *name, bool is_folder)
{
    int64_t *count = is_folder ? &p->folders : &p->files;
    char *first = is_folder ? p->folder : p->file;
    if ((*count)++ == 0 || strcmp(name, first) < 0) snprintf(first, 256, "%s", name);
}

dt_status dt_names_add(const dt_alloc *alloc, dt_arena *arena, dt_names *list, const char *name,
                       dt_error *err)
{
    void *array = list->at;
    DT_TRY(
        dt_grow(alloc, &array, &list->capacity, list->count + 1, sizeof *list->at, "folder", err));
    list->at = array;
    list->at[list->count] = dt_arena_strdup(arena, name);
    if (!list->at[list->count])
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the names of the pictures");
    list->count++;
    return DT_OK;
}

/* Whether an entry is wanted; counts it where it is not. */
static dt_status look(const char *folder, const struct dirent *e, bool folders, dt_passed *passed,
                      bool *out_wanted, dt_error *err)
{
    const char *name = e->d_name;
    *out_wanted = false;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return DT_OK;
    kind k = kind_of(folder, e);
    bool hidden = folders ? is_system(name) : name[0] == '.';
    if (folders && !hidden && k == NOWHERE && !has_picture_ending(name)) {
        char path[DT_DATA_PATH + 256];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path },
                       "is a link that leads nowhere, or cannot be looked at");
    }
    *out_wanted = !hidden && (folders ? k == FOLDER
                                      : has_picture_ending(name) && (k == REGULAR || k == NOWHERE));
    if (!*out_wanted) pass(passed, name, k == FOLDER);
    return DT_OK;
}

dt_status dt_folder_list(const char *folder, bool folders, const dt_alloc *alloc, dt_arena *arena,
                         dt_names *out_list, dt_passed *passed, dt_error *err)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return dt_fail(err, errno == ENOENT ? DT_ERR_NOT_FOUND : DT_ERR_IO,
                       &(dt_where){ .file = folder }, "cannot open: %s", strerror(errno));
    dt_status st = DT_OK;
    for (struct dirent *e = readdir(dir); e && st == DT_OK; e = readdir(dir)) {
        bool wanted;
        st = look(folder, e, folders, passed, &wanted, err);
        if (st == DT_OK && wanted) st = dt_names_add(alloc, arena, out_list, e->d_name, err);
    }
    closedir(dir);
    dt_names_sort(out_list);
    return st;
}

int64_t dt_folder_count(const char *folder, bool folders)
{
    dt_names names = { 0 };
    dt_passed passed = { 0 };
    dt_arena *arena = dt_arena_new(dt_alloc_std(), "folder");
    bool read = arena && dt_folder_list(folder, folders, dt_alloc_std(), arena, &names, &passed,
                                        NULL) == DT_OK;
    dt_put(dt_alloc_std(), names.at);
    dt_arena_free(arena);
    return read ? (int64_t)names.count : -1;
}

int64_t dt_folder_count_in(const char *root, const char *name, bool folders)
{
    char path[DT_DATA_PATH];
    if (!name) return dt_folder_count(root, folders);
    return dt_data_path(path, root, name, NULL) == DT_OK ? dt_folder_count(path, folders) : -1;
}

bool dt_folder_has(const char *folder, bool folders)
{
    return dt_folder_count(folder, folders) > 0;
}

bool dt_folder_has_in(const char *root, const char *name, bool folders)
{
    return dt_folder_count_in(root, name, folders) > 0;
}
