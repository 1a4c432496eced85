/* Listing and reading folders of pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/folder_files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "data/folder_list.h"
#include "data/orientation.h"

enum { MAX_CLASSES = 100000, MAX_FILES = INT32_MAX };

typedef struct split_files {
    const char *folder;
    dt_folder_sample *at;
    size_t count, capacity;
    dt_passed passed; /* inside class folders, or the flat one; names "<class>/<name>" */
    int64_t beside;   /* passed over beside the class folders */
    size_t empty;     /* classes without a picture */
    const char *first_empty;
} split_files;

struct dt_folder_set {
    const dt_alloc *alloc;
    dt_arena *arena; /* of all names */
    int64_t H, W;
    dt_names classes;
    split_files split[DT_DATA_SPLITS];
    bool lenient, is_same; /* is_same: both splits have all pictures */
    dt_data_note *notes;
    size_t note_count, note_capacity;
};

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the names of the pictures");
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* "<folder>: <what>" for the user. */
static dt_status note(dt_folder_set *s, bool fault, const char *text, dt_error *err)
{
    void *array = s->notes;
    DT_TRY(dt_grow(s->alloc, &array, &s->note_capacity, s->note_count + 1, sizeof *s->notes,
                   "folder", err));
    s->notes = array;
    s->notes[s->note_count] = (dt_data_note){ dt_arena_strdup(s->arena, text), fault };
    if (!s->notes[s->note_count].text) return no_memory(err);
    s->note_count++;
    return DT_OK;
}

static dt_status note_passed(dt_folder_set *s, const char *folder, int64_t count, const char *what,
                             const char *first, dt_error *err)
{
    char text[2 * DT_DATA_PATH];
    if (count == 0) return DT_OK;
    snprintf(text, sizeof text, "%s: passed over %lld %s, such as %s", folder, (long long)count,
             what, first);
    return note(s, false, text, err);
}

/* Sub-folders of a split's folder, with notes of what is none of its classes. */
static dt_status list_folders(dt_folder_set *s, const char *folder, bool flat_may_follow,
                              dt_names *out, dt_passed *passed, dt_error *err)
{
    *passed = (dt_passed){ 0 };
    DT_TRY(dt_folder_list(folder, true, s->alloc, s->arena, out, passed, err));
    DT_TRY(
        note_passed(s, folder, passed->folders, "hidden or system folders", passed->folder, err));
    if (flat_may_follow && out->count == 0) {
        passed->files = 0; /* they will be listed */
        return DT_OK;
    }
    return note_passed(s, folder, passed->files, "files beside the class folders", passed->file,
                       err);
}

static dt_status add_class_name(void *set, const char *name, dt_error *err)
{
    dt_folder_set *s = set;
    return dt_names_add(s->alloc, s->arena, &s->classes, name, err);
}

/* The classes that a label file names, sorted, each once. */
static dt_status label_classes(dt_folder_set *s, const char *label_file, dt_error *err)
{
    dt_names *c = &s->classes;
    DT_TRY(dt_folder_label_names(label_file, add_class_name, s, s->alloc, err));
    dt_names_sort(c);
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        if (n == 0 || strcmp(c->at[n - 1], c->at[i]) != 0) c->at[n++] = c->at[i];
    c->count = n;
    return DT_OK;
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

static void add_passed(split_files *f, const char *class, const dt_passed *p)
{
    if (p->files && f->passed.files == 0)
        snprintf(f->passed.file, sizeof f->passed.file, "%.100s/%.150s", class, p->file);
    if (p->folders && f->passed.folders == 0)
        snprintf(f->passed.folder, sizeof f->passed.folder, "%.100s/%.150s", class, p->folder);
    f->passed.files += p->files;
    f->passed.folders += p->folders;
}

/* A class without a picture, and what it holds instead: told, or kept for the refusal. */
static dt_status add_empty(dt_folder_set *s, split_files *f, const char *folder, const dt_passed *p,
                           dt_error *err)
{
    char text[3 * DT_DATA_PATH], files[400] = "", folders[400] = "";
    if (p->files)
        snprintf(files, sizeof files, "%lld files of other kinds, such as %s", (long long)p->files,
                 p->file);
    if (p->folders)
        snprintf(folders, sizeof folders, "%lld folders, which are not looked into, such as %s",
                 (long long)p->folders, p->folder);
    snprintf(text, sizeof text, "%s: a class without a PNG or JPEG file: it %s%s%s%s", folder,
             *files || *folders ? "holds " : "is empty", files, *files && *folders ? " and " : "",
             folders);
    if (s->lenient) return note(s, true, text, err);
    if (f->empty++ == 0) f->first_empty = dt_arena_strdup(s->arena, text);
    return f->first_empty ? DT_OK : no_memory(err);
}

static dt_status add_class(dt_folder_set *s, split_files *f, int label, const char *name,
                           dt_error *err)
{
    char folder[DT_DATA_PATH];
    dt_names files = { 0 };
    dt_passed passed = { 0 };
    DT_TRY(dt_data_path(folder, f->folder, name, err));
    dt_status st = dt_folder_list(folder, false, s->alloc, s->arena, &files, &passed, err);
    if (st == DT_OK) st = want_files(s, f, files.count, err);
    for (size_t i = 0; i < files.count && st == DT_OK; i++) {
        char *path = dt_arena_printf(s->arena, "%s/%s", name, files.at[i]);
        if (!path)
            st = no_memory(err);
        else
            f->at[f->count++] = (dt_folder_sample){ path, label };
    }
    if (st == DT_OK && files.count == 0) st = add_empty(s, f, folder, &passed, err);
    add_passed(f, name, &passed);
    dt_put(s->alloc, files.at);
    return st;
}

static dt_status note_split(dt_folder_set *s, const split_files *f, dt_error *err)
{
    DT_TRY(note_passed(s, f->folder, f->passed.files,
                       "files that are no PNG or JPEG by their names", f->passed.file, err));
    return note_passed(s, f->folder, f->passed.folders, "folders inside of classes",
                       f->passed.folder, err);
}

static dt_status list_split(dt_folder_set *s, split_files *f, dt_error *err)
{
    for (size_t i = 0; i < s->classes.count; i++)
        DT_TRY(add_class(s, f, (int)i, s->classes.at[i], err));
    if (f->count == 0)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = f->folder },
                       "no PNG or JPEG file in any of its %zu class folders", s->classes.count);
    if (f->empty > 1)
        return dt_fail(err, DT_ERR_FORMAT, NULL, "%s; %zu more classes have none", f->first_empty,
                       f->empty - 1);
    if (f->empty) return dt_fail(err, DT_ERR_FORMAT, NULL, "%s", f->first_empty);
    return note_split(s, f, err);
}

/* Pictures that lie in the split's folder itself; a file tells their classes. */
static dt_status list_flat(dt_folder_set *s, const char *label_file, split_files *f, dt_error *err)
{
    dt_names files = { 0 };
    dt_status st = dt_folder_list(f->folder, false, s->alloc, s->arena, &files, &f->passed, err);
    if (st == DT_OK && files.count == 0)
        st = dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = f->folder },
                     "has neither class folders nor PNG or JPEG files");
    if (st == DT_OK) st = want_files(s, f, files.count, err);
    int *labels =
        st == DT_OK ? dt_get_array(s->alloc, files.count, sizeof *labels, "folder") : NULL;
    if (st == DT_OK && !labels) st = no_memory(err);
    if (st == DT_OK) st = dt_folder_labels(label_file, &files, &s->classes, labels, s->alloc, err);
    for (size_t i = 0; i < files.count && st == DT_OK; i++)
        f->at[f->count++] = (dt_folder_sample){ files.at[i], labels[i] };
    dt_put(s->alloc, labels);
    dt_put(s->alloc, files.at);
    return st == DT_OK ? note_split(s, f, err) : st;
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
    dt_passed passed;
    dt_status st = list_folders(s, test->folder, spec->label_file != NULL, &other, &passed, err);
    test->beside = passed.files + passed.folders;
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

/* Pictures of the root's own classes: who gets which. */
static dt_status part(dt_folder_set *s, const dt_folder_spec *spec, const dt_data_params *p,
                      dt_error *err)
{
    char text[2 * DT_DATA_PATH];
    if (spec->test_share > 0) {
        for (int k = 0; k < DT_DATA_SPLITS; k++) {
            split_files *f = &s->split[k];
            DT_TRY(dt_folder_share(f->at, &f->count, spec->test_share, k == DT_SPLIT_TEST, err));
        }
        return DT_OK;
    }
    s->is_same = true;
    snprintf(text, sizeof text,
             "warning: %s: has no folder train; the same pictures are trained on and tested on; "
             "data.test_share=0.2 would keep a fifth for the test",
             p->root);
    return note(s, false, text, err);
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
        dt_passed passed;
        DT_TRY(list_folders(s, train->folder, false, &s->classes, &passed, err));
        train->beside = passed.files + passed.folders;
        DT_TRY(check_count(s, train->folder, err));
        if (wants_train) DT_TRY(list_split(s, train, err));
    }
    if (!l.one && spec->test_share > 0)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "data.test_share" },
                       "%s has folders of its splits; a share is taken of root/<class> only",
                       p->root);
    if (l.one) { /* what it holds is told once */
        size_t told = s->note_count;
        dt_status st = wants_test ? list_split(s, &s->split[DT_SPLIT_TEST], err) : DT_OK;
        if (wants_train) s->note_count = told;
        s->split[DT_SPLIT_TEST].beside = train->beside;
        return st == DT_OK ? part(s, spec, p, err) : st;
    }
    return l.test_name ? list_test(s, spec, &l, wants_test, err) : DT_OK;
}

/* As the picture is read: sides change where it is turned. */
static dt_status size_of(const dt_folder_set *s, const char *path, dt_orient orient, int64_t *H,
                         int64_t *W, dt_error *err)
{
    size_t size;
    DT_TRY(dt_picture_size(path, H, W, err));
    if (orient != DT_ORIENT_APPLY) return DT_OK;
    dt_bytes file = { .alloc = s->alloc };
    dt_status st = dt_bytes_read(&file, path, &size, err);
    if (st == DT_OK && dt_orientation_of(file.data, size) >= 5) {
        int64_t side = *H;
        *H = *W;
        *W = side;
    }
    dt_bytes_trim(&file, 0);
    return st;
}

/* The first training picture sets the size; every other one must have it. */
static dt_status check_sizes(dt_folder_set *s, dt_orient orient, dt_error *err)
{
    const char *first = NULL;
    bool same = s->split[0].count && s->is_same;
    for (int k = 0; k < (same ? 1 : DT_DATA_SPLITS); k++)
        for (size_t i = 0; i < s->split[k].count; i++) {
            char path[DT_DATA_PATH];
            int64_t H, W;
            DT_TRY(dt_data_path(path, s->split[k].folder, s->split[k].at[i].path, err));
            DT_TRY(size_of(s, path, orient, &H, &W, err));
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
    dt_put(s->alloc, s->notes);
    dt_put(s->alloc, s->classes.at);
    dt_arena_free(s->arena);
    dt_put(s->alloc, s);
}

static int64_t passed_of(const split_files *f)
{
    return f->count ? f->beside + f->passed.files + f->passed.folders : 0;
}

dt_status dt_folder_open(const dt_folder_spec *spec, const dt_data_params *p,
                         dt_folder_set **out_set, dt_data_info *out_info, dt_error *err)
{
    dt_folder_set *s = dt_get(p->alloc, sizeof *s, "folder");
    if (!s) return no_memory(err);
    s->alloc = p->alloc;
    s->lenient = p->lenient;
    s->arena = dt_arena_new(p->alloc, "folder");
    dt_status st = s->arena ? list_all(s, spec, p, err) : no_memory(err);
    if (st == DT_OK && spec->same_size) st = check_sizes(s, p->orient, err);
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
                                .class_names = s->classes.at,
                                .passed = { passed_of(&s->split[0]), passed_of(&s->split[1]) },
                                .notes = s->notes,
                                .note_count = s->note_count };
    return DT_OK;
}

dt_status dt_folder_name(const void *self, dt_split split, int64_t index, dt_sample_name *out,
                         dt_error *err)
{
    const dt_folder_set *s = self;
    const dt_folder_sample *a = &s->split[split].at[index];
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
