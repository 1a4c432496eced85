/* A folder of PNG pictures, one sub-folder a class: <root>/train/<class>/<name>.png and
 * <root>/test/<class>/<name>.png, or <root>/<class>/<name>.png for both splits. Classes and files
 * are sorted by the bytes of their names. Pictures are decoded when they are read, so memory holds
 * the names only; the size of all is checked at open. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "data/picture.h"

enum { MAX_CLASSES = 100000, MAX_FILES = INT32_MAX };

/* Names in a folder; they live in the set's arena. */
typedef struct names {
    const char **at;
    size_t count, capacity;
} names;

typedef struct sample {
    const char *path; /* relative to the split's folder */
    int label;
} sample;

typedef struct split_files {
    const char *folder;
    sample *at;
    size_t count, capacity;
} split_files;

typedef struct set {
    const dt_alloc *alloc;
    dt_arena *arena;
    int64_t H, W;
    names classes;
    split_files split[DT_DATA_SPLITS];
} set;

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the names of the pictures");
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_png(const char *path)
{
    struct stat st;
    size_t n = strlen(path);
    if (n < 5 || (strcmp(path + n - 4, ".png") != 0 && strcmp(path + n - 4, ".PNG") != 0))
        return false;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static dt_status add_name(set *s, names *list, const char *name, dt_error *err)
{
    void *array = list->at;
    DT_TRY(dt_grow(s->alloc, &array, &list->capacity, list->count + 1, sizeof *list->at, "folder",
                   err));
    list->at = array;
    list->at[list->count] = dt_arena_strdup(s->arena, name);
    if (!list->at[list->count]) return no_memory(err);
    list->count++;
    return DT_OK;
}

/* Sorted names in `folder`: its sub-folders, or its PNG files. Hidden ones are passed over. */
static dt_status list(set *s, const char *folder, bool folders, names *out_list, dt_error *err)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return dt_fail(err, errno == ENOENT ? DT_ERR_NOT_FOUND : DT_ERR_IO,
                       &(dt_where){ .file = folder }, "cannot open: %s", strerror(errno));
    dt_status st = DT_OK;
    for (struct dirent *e = readdir(dir); e && st == DT_OK; e = readdir(dir)) {
        char path[DT_DATA_PATH];
        if (e->d_name[0] == '.') continue;
        st = dt_data_path(path, folder, e->d_name, err);
        if (st == DT_OK && (folders ? is_folder(path) : is_png(path)))
            st = add_name(s, out_list, e->d_name, err);
    }
    closedir(dir);
    if (st == DT_OK && out_list->count)
        qsort(out_list->at, out_list->count, sizeof *out_list->at, by_name);
    return st;
}

static dt_status add_class(set *s, split_files *f, int label, const char *name, dt_error *err)
{
    char folder[DT_DATA_PATH];
    names files = { 0 };
    DT_TRY(dt_data_path(folder, f->folder, name, err));
    dt_status st = list(s, folder, false, &files, err);
    if (st == DT_OK && files.count > MAX_FILES - f->count)
        st = dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = f->folder }, "too many pictures");
    void *array = f->at;
    if (st == DT_OK)
        st = dt_grow(s->alloc, &array, &f->capacity, f->count + files.count, sizeof *f->at,
                     "folder", err);
    f->at = array;
    for (size_t i = 0; i < files.count && st == DT_OK; i++) {
        char *path = dt_arena_printf(s->arena, "%s/%s", name, files.at[i]);
        if (!path)
            st = no_memory(err);
        else
            f->at[f->count++] = (sample){ path, label };
    }
    dt_put(s->alloc, files.at);
    return st;
}

static dt_status list_split(set *s, const char *root, const char *sub, split_files *f,
                            dt_error *err)
{
    f->folder =
        sub ? dt_arena_printf(s->arena, "%s/%s", root, sub) : dt_arena_strdup(s->arena, root);
    if (!f->folder) return no_memory(err);
    for (size_t i = 0; i < s->classes.count; i++)
        DT_TRY(add_class(s, f, (int)i, s->classes.at[i], err));
    if (f->count == 0)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = f->folder },
                       "no PNG file in any of its %zu class folders", s->classes.count);
    return DT_OK;
}

/* Both splits must have the same class folders, otherwise labels would mean different things. */
static dt_status check_classes(set *s, const char *test, dt_error *err)
{
    names other = { 0 };
    dt_status st = list(s, test, true, &other, err);
    size_t n = s->classes.count > other.count ? s->classes.count : other.count;
    for (size_t i = 0; i < n && st == DT_OK; i++) {
        const char *a = i < s->classes.count ? s->classes.at[i] : NULL;
        const char *b = i < other.count ? other.at[i] : NULL;
        if (a && b && strcmp(a, b) == 0) continue;
        bool only_train = a && (!b || strcmp(a, b) < 0);
        st = dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = test },
                     "class '%s' is only in %s; both splits need the same classes",
                     only_train ? a : b, only_train ? "train" : "test");
    }
    dt_put(s->alloc, other.at);
    return st;
}

static dt_status list_all(set *s, const char *root, dt_error *err)
{
    char train[DT_DATA_PATH], test[DT_DATA_PATH];
    DT_TRY(dt_data_path(train, root, "train", err));
    DT_TRY(dt_data_path(test, root, "test", err));
    bool has_train = is_folder(train), has_test = is_folder(test);
    if (has_train != has_test)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = root },
                       "has a folder %s, but none %s", has_train ? "train" : "test",
                       has_train ? "test" : "train");
    DT_TRY(list(s, has_train ? train : root, true, &s->classes, err));
    if (s->classes.count < 2 || s->classes.count > MAX_CLASSES)
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = has_train ? train : root },
                       "%zu class folders; 2..%d are needed", s->classes.count, MAX_CLASSES);
    if (has_train) DT_TRY(check_classes(s, test, err));
    DT_TRY(list_split(s, root, has_train ? "train" : NULL, &s->split[DT_SPLIT_TRAIN], err));
    return list_split(s, root, has_train ? "test" : NULL, &s->split[DT_SPLIT_TEST], err);
}

/* The first training picture sets the size; every other one must have it. */
static dt_status check_sizes(set *s, dt_error *err)
{
    const char *first = NULL;
    bool one_folder = strcmp(s->split[0].folder, s->split[1].folder) == 0;
    for (int k = 0; k < (one_folder ? 1 : DT_DATA_SPLITS); k++)
        for (size_t i = 0; i < s->split[k].count; i++) {
            char path[DT_DATA_PATH];
            int64_t H, W;
            DT_TRY(dt_data_path(path, s->split[k].folder, s->split[k].at[i].path, err));
            DT_TRY(dt_picture_size(path, &H, &W, err));
            if (!first) {
                first = s->split[k].at[i].path;
                s->H = H;
                s->W = W;
            }
            if (H != s->H || W != s->W)
                return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = path },
                               "%lldx%lld pixels; %s has %lldx%lld, all must be equal",
                               (long long)W, (long long)H, first, (long long)s->W, (long long)s->H);
        }
    return DT_OK;
}

static void close(void *self)
{
    set *s = self;
    for (int k = 0; k < DT_DATA_SPLITS; k++)
        dt_put(s->alloc, s->split[k].at);
    dt_put(s->alloc, s->classes.at);
    dt_arena_free(s->arena);
    dt_put(s->alloc, s);
}

static dt_status open(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                      dt_error *err)
{
    set *s = dt_get(p->alloc, sizeof *s, "folder");
    if (!s) return no_memory(err);
    s->alloc = p->alloc;
    s->arena = dt_arena_new(p->alloc, "folder");
    dt_status st = s->arena ? list_all(s, p->root, err) : no_memory(err);
    if (st == DT_OK) st = check_sizes(s, err);
    if (st != DT_OK) {
        close(s);
        return st;
    }
    *out_self = s;
    *out_info = (dt_data_info){ .classes = (int)s->classes.count,
                                .H = s->H,
                                .W = s->W,
                                .count = { (int64_t)s->split[0].count, (int64_t)s->split[1].count },
                                .class_names = s->classes.at };
    return DT_OK;
}

static dt_status read(const void *self, dt_split split, int64_t index, uint8_t *picture,
                      int *out_label, dt_error *err)
{
    const set *s = self;
    const sample *a = &s->split[split].at[index];
    char path[DT_DATA_PATH];
    DT_TRY(dt_data_path(path, s->split[split].folder, a->path, err));
    DT_TRY(dt_picture_read(path, s->H, s->W, picture, err));
    *out_label = a->label;
    return DT_OK;
}

extern const dt_dataset dt_dataset_folder;
const dt_dataset dt_dataset_folder = {
    .row = { "folder", "PNG pictures of one size, a sub-folder per class", NULL, 0 },
    .needs_root = true,
    .open = open,
    .read = read,
    .close = close,
};
