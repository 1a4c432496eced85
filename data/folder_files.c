/* Listing and reading folders of pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/folder_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/file.h"

enum { MAX_CLASSES = 100000, MAX_FILES = INT32_MAX };

typedef struct sample {
    const char *path; /* relative to the split's folder */
    int label;
} sample;

typedef struct split_files {
    const char *folder;
    sample *at;
    size_t count, capacity;
} split_files;

struct dt_folder_set {
    const dt_alloc *alloc;
    dt_arena *arena; /* of all names */
    int64_t H, W;
    dt_names classes;
    split_files split[DT_DATA_SPLITS];
};

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

static bool has_picture_ending(const char *name)
{
    static const char *const endings[] = { ".png", ".jpg", ".jpeg" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && dot != name && i < DT_ARRAY_LEN(endings); i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

/* The listing tells what an entry is on most file systems; ask only where it does not, or where it
 * is a link: a folder may have a million entries. */
static bool is_wanted(const char *folder, const struct dirent *e, bool folders, char *path)
{
    struct stat st;
    if (e->d_name[0] == '.' || (!folders && !has_picture_ending(e->d_name))) return false;
    if (e->d_type == DT_DIR || e->d_type == DT_REG) return folders == (e->d_type == DT_DIR);
    if (dt_data_path(path, folder, e->d_name, NULL) != DT_OK || stat(path, &st) != 0) return false;
    return folders ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode);
}

static dt_status add_name(dt_folder_set *s, dt_names *list, const char *name, dt_error *err)
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

static dt_status add_class_name(void *set, const char *name, dt_error *err)
{
    dt_folder_set *s = set;
    return add_name(s, &s->classes, name, err);
}

/* The classes that a label file names, sorted, each once. */
static dt_status label_classes(dt_folder_set *s, const char *label_file, dt_error *err)
{
    dt_names *c = &s->classes;
    DT_TRY(dt_folder_label_names(label_file, add_class_name, s, s->alloc, err));
    if (c->count) qsort(c->at, c->count, sizeof *c->at, by_name);
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        if (n == 0 || strcmp(c->at[n - 1], c->at[i]) != 0) c->at[n++] = c->at[i];
    c->count = n;
    return DT_OK;
}

/* Sorted names in `folder`: its sub-folders, or its pictures. Hidden ones are passed over. */
static dt_status list(dt_folder_set *s, const char *folder, bool folders, dt_names *out_list,
                      dt_error *err)
{
    char path[DT_DATA_PATH];
    DIR *dir = opendir(folder);
    if (!dir)
        return dt_fail(err, errno == ENOENT ? DT_ERR_NOT_FOUND : DT_ERR_IO,
                       &(dt_where){ .file = folder }, "cannot open: %s", strerror(errno));
    dt_status st = DT_OK;
    for (struct dirent *e = readdir(dir); e && st == DT_OK; e = readdir(dir))
        if (is_wanted(folder, e, folders, path)) st = add_name(s, out_list, e->d_name, err);
    closedir(dir);
    if (st == DT_OK && out_list->count)
        qsort(out_list->at, out_list->count, sizeof *out_list->at, by_name);
    return st;
}

static dt_status want_files(dt_folder_set *s, split_files *f, size_t more, dt_error *err)
{
    if (more > MAX_FILES - f->count)
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = f->folder }, "too many pictures");
    void *array = f->at;
    DT_TRY(dt_grow(s->alloc, &array, &f->capacity, f->count + more, sizeof *f->at, "folder", err));
    f->at = array;
    return DT_OK;
}

static dt_status add_class(dt_folder_set *s, split_files *f, int label, const char *name,
                           dt_error *err)
{
    char folder[DT_DATA_PATH];
    dt_names files = { 0 };
    DT_TRY(dt_data_path(folder, f->folder, name, err));
    dt_status st = list(s, folder, false, &files, err);
    if (st == DT_OK) st = want_files(s, f, files.count, err);
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

static dt_status list_split(dt_folder_set *s, split_files *f, dt_error *err)
{
    for (size_t i = 0; i < s->classes.count; i++)
        DT_TRY(add_class(s, f, (int)i, s->classes.at[i], err));
    if (f->count == 0)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = f->folder },
                       "no PNG or JPEG file in any of its %zu class folders", s->classes.count);
    return DT_OK;
}

/* Pictures that lie in the split's folder itself; a file tells their classes. */
static dt_status list_flat(dt_folder_set *s, const char *label_file, split_files *f, dt_error *err)
{
    dt_names files = { 0 };
    dt_status st = list(s, f->folder, false, &files, err);
    if (st == DT_OK && files.count == 0)
        st = dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = f->folder },
                     "has neither class folders nor PNG or JPEG files");
    if (st == DT_OK) st = want_files(s, f, files.count, err);
    int *labels =
        st == DT_OK ? dt_get_array(s->alloc, files.count, sizeof *labels, "folder") : NULL;
    if (st == DT_OK && !labels) st = no_memory(err);
    if (st == DT_OK) st = dt_folder_labels(label_file, &files, &s->classes, labels, s->alloc, err);
    for (size_t i = 0; i < files.count && st == DT_OK; i++)
        f->at[f->count++] = (sample){ files.at[i], labels[i] };
    dt_put(s->alloc, labels);
    dt_put(s->alloc, files.at);
    return st;
}

/* Both splits must have the same class folders, otherwise labels would mean different things. */
static dt_status check_classes(dt_folder_set *s, const dt_names *other, const char *test,
                               const char *test_name, dt_error *err)
{
    size_t n = s->classes.count > other->count ? s->classes.count : other->count;
    for (size_t i = 0; i < n; i++) {
        const char *a = i < s->classes.count ? s->classes.at[i] : NULL;
        const char *b = i < other->count ? other->at[i] : NULL;
        if (a && b && strcmp(a, b) == 0) continue;
        bool only_train = a && (!b || strcmp(a, b) < 0);
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = test },
                       "class '%s' is only in %s; both splits need the same classes",
                       only_train ? a : b, only_train ? "train" : test_name);
    }
    return DT_OK;
}

static dt_status check_count(const dt_folder_set *s, const char *folder, dt_error *err)
{
    if (s->classes.count >= 2 && s->classes.count <= MAX_CLASSES) return DT_OK;
    return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = folder },
                   "%zu class folders; 2..%d are needed", s->classes.count, MAX_CLASSES);
}

/* What lies in the root. Classes are the folders of the training split, without it those of the
 * test split, or the names in the label file of a flat one. */
typedef struct layout {
    const char *root, *test_name; /* NULL: no folder of the test split */
    bool has_train;
    bool one; /* the root's own classes serve both splits */
} layout;

static dt_status find_folders(dt_folder_set *s, const dt_folder_spec *spec, dt_data_need need,
                              layout *out, dt_error *err)
{
    const dt_where where = { .file = out->root };
    split_files *train = &s->split[DT_SPLIT_TRAIN], *test = &s->split[DT_SPLIT_TEST];
    train->folder = dt_arena_printf(s->arena, "%s/train", out->root);
    if (!train->folder) return no_memory(err);
    for (const char *const *t = spec->test; *t && !out->test_name; t++) {
        test->folder = dt_arena_printf(s->arena, "%s/%s", out->root, *t);
        if (!test->folder) return no_memory(err);
        if (is_folder(test->folder)) out->test_name = *t;
    }
    out->has_train = is_folder(train->folder);
    out->one = !out->has_train && !out->test_name && (spec->root_is_both || !is_folder(out->root));
    if (out->one) {
        train->folder = test->folder = dt_arena_strdup(s->arena, out->root);
        return train->folder ? DT_OK : no_memory(err);
    }
    bool any = need == DT_NEED_ANY;
    if (!out->has_train && need != DT_NEED_TEST && !(any && out->test_name))
        return dt_fail(err, DT_ERR_NOT_FOUND, &where, "has no folder train");
    if (!out->test_name && need != DT_NEED_TRAIN && !(any && out->has_train))
        return dt_fail(err, DT_ERR_NOT_FOUND, &where, "has %s %s%s%s",
                       out->has_train ? "a folder train, but no folder" : "no folder",
                       spec->test[0], spec->test[1] ? " or " : "",
                       spec->test[1] ? spec->test[1] : "");
    return DT_OK;
}

/* The test split has class folders or, where a row knows label files, pictures of its own. */
static dt_status list_test(dt_folder_set *s, const dt_folder_spec *spec, const layout *l,
                           bool is_wanted, dt_error *err)
{
    split_files *test = &s->split[DT_SPLIT_TEST];
    char labels[DT_DATA_PATH];
    dt_names other = { 0 };
    dt_status st = list(s, test->folder, true, &other, err);
    bool flat = st == DT_OK && spec->label_file && other.count == 0;
    if (st == DT_OK && !flat && l->has_train)
        st = check_classes(s, &other, test->folder, l->test_name, err);
    if (!l->has_train && !flat) {
        s->classes = other;
        other = (dt_names){ 0 };
    }
    dt_put(s->alloc, other.at);
    DT_TRY(st);
    if (flat) DT_TRY(dt_data_path(labels, l->root, spec->label_file, err));
    if (flat && !l->has_train) DT_TRY(label_classes(s, labels, err));
    if (!l->has_train) DT_TRY(check_count(s, flat ? labels : test->folder, err));
    if (!is_wanted) return DT_OK;
    return flat ? list_flat(s, labels, test, err) : list_split(s, test, err);
}

static dt_status list_all(dt_folder_set *s, const dt_folder_spec *spec, const dt_data_params *p,
                          dt_error *err)
{
    layout l = { .root = p->root };
    split_files *train = &s->split[DT_SPLIT_TRAIN];
    bool wants_train = dt_data_needs(p->need, DT_SPLIT_TRAIN),
         wants_test = dt_data_needs(p->need, DT_SPLIT_TEST);
    DT_TRY(find_folders(s, spec, p->need, &l, err));
    if (l.has_train || l.one) {
        DT_TRY(list(s, train->folder, true, &s->classes, err));
        DT_TRY(check_count(s, train->folder, err));
        if (wants_train) DT_TRY(list_split(s, train, err));
    }
    if (l.one) return wants_test ? list_split(s, &s->split[DT_SPLIT_TEST], err) : DT_OK;
    return l.test_name ? list_test(s, spec, &l, wants_test, err) : DT_OK;
}

/* The first training picture sets the size; every other one must have it. */
static dt_status check_sizes(dt_folder_set *s, dt_error *err)
{
    const char *first = NULL;
    bool same = s->split[0].count && strcmp(s->split[0].folder, s->split[1].folder) == 0;
    for (int k = 0; k < (same ? 1 : DT_DATA_SPLITS); k++)
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
                               "%lldx%lld pixels; %s has %lldx%lld, all must be equal or "
                               "data.sizes be any",
                               (long long)W, (long long)H, first, (long long)s->W, (long long)s->H);
        }
    return DT_OK;
}

void dt_folder_close(void *self)
{
    dt_folder_set *s = self;
    for (int k = 0; k < DT_DATA_SPLITS; k++)
        dt_put(s->alloc, s->split[k].at);
    dt_put(s->alloc, s->classes.at);
    dt_arena_free(s->arena);
    dt_put(s->alloc, s);
}

dt_status dt_folder_open(const dt_folder_spec *spec, const dt_data_params *p,
                         dt_folder_set **out_set, dt_data_info *out_info, dt_error *err)
{
    dt_folder_set *s = dt_get(p->alloc, sizeof *s, "folder");
    if (!s) return no_memory(err);
    s->alloc = p->alloc;
    s->arena = dt_arena_new(p->alloc, "folder");
    dt_status st = s->arena ? list_all(s, spec, p, err) : no_memory(err);
    if (st == DT_OK && spec->same_size) st = check_sizes(s, err);
    if (st != DT_OK) {
        dt_folder_close(s);
        return st;
    }
    *out_set = s;
    *out_info = (dt_data_info){ .classes = (int)s->classes.count,
                                .H = s->H,
                                .W = s->W,
                                .coded = true,
                                .count = { (int64_t)s->split[0].count, (int64_t)s->split[1].count },
                                .class_names = s->classes.at };
    return DT_OK;
}

dt_status dt_folder_name(const void *self, dt_split split, int64_t index, dt_sample_name *out,
                         dt_error *err)
{
    const dt_folder_set *s = self;
    const sample *a = &s->split[split].at[index];
    snprintf(out->name, sizeof out->name, "%s", a->path);
    out->label = a->label;
    return dt_data_path(out->path, s->split[split].folder, a->path, err);
}

dt_status dt_folder_read(const void *self, dt_split split, int64_t index, dt_sample *out,
                         dt_error *err)
{
    const dt_folder_set *s = self;
    dt_sample_name n;
    DT_TRY(dt_folder_name(self, split, index, &n, err));
    DT_TRY(dt_picture_read(n.path, out, err));
    if (s->H && (out->picture.H != s->H || out->picture.W != s->W)) /* changed since open */
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = n.path },
                       "%lldx%lld pixels; all pictures must have %lldx%lld",
                       (long long)out->picture.W, (long long)out->picture.H, (long long)s->W,
                       (long long)s->H);
    out->label = n.label;
    return DT_OK;
}
