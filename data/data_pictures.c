/* Pictures without labels: PNG and JPEG files of a folder, in no sub-folders. <root>/train/<name>
 * and <root>/test/<name> (or val), or <root>/<name>, of which a share is kept for the test. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>

#include "data/folder_list.h"

typedef struct conf {
    double test_share;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, test_share, 0, 0, 0.9,
                 "of pictures that lie in root: the share that is test, and no training, picture, "
                 "chosen by their names; 0: all are both"),
    DT_OPT_END,
};

typedef struct split_files {
    char folder[DT_DATA_PATH];
    dt_folder_sample *at; /* [count] */
    size_t count;
} split_files;

typedef struct set {
    const dt_alloc *alloc;
    dt_arena *arena; /* of all names */
    split_files split[DT_DATA_SPLITS];
    dt_data_note note;
} set;

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the names of the pictures");
}

static bool folder_in(const char *root, const char *name, char out[DT_DATA_PATH])
{
    struct stat st;
    return dt_data_path(out, root, name, NULL) == DT_OK && stat(out, &st) == 0 &&
           S_ISDIR(st.st_mode);
}

/* The root itself serves both splits where it has no folder of either. */
static bool find_folders(set *s, const char *root)
{
    split_files *train = &s->split[DT_SPLIT_TRAIN], *test = &s->split[DT_SPLIT_TEST];
    bool has_train = folder_in(root, "train", train->folder);
    bool has_test = folder_in(root, "test", test->folder) || folder_in(root, "val", test->folder);
    if (has_train || has_test) {
        if (!has_train) train->folder[0] = '\0';
        if (!has_test) test->folder[0] = '\0';
        return true;
    }
    for (int k = 0; k < DT_DATA_SPLITS; k++)
        snprintf(s->split[k].folder, DT_DATA_PATH, "%s", root);
    return false;
}

static dt_status list(set *s, split_files *f, dt_error *err)
{
    dt_names names = { 0 };
    dt_passed passed = { 0 };
    dt_status st = dt_folder_list(f->folder, false, s->alloc, s->arena, &names, &passed, err);
    if (st == DT_OK && (names.count == 0 || names.count > INT32_MAX))
        st = dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = f->folder }, "has %s%s",
                     names.count ? "too many pictures" : "no PNG or JPEG files",
                     passed.folders ? "; sub-folders are not looked into" : "");
    if (st == DT_OK) f->at = dt_get_array(s->alloc, names.count, sizeof *f->at, "folder");
    if (st == DT_OK && !f->at) st = no_memory(err);
    for (size_t i = 0; st == DT_OK && i < names.count; i++)
        f->at[f->count++] = (dt_folder_sample){ names.at[i], 0 };
    dt_put(s->alloc, names.at);
    return st;
}

static dt_status list_all(set *s, const dt_data_params *p, dt_error *err)
{
    const double share = ((const conf *)p->conf)->test_share;
    const bool parted = find_folders(s, p->root);
    if (parted && share > 0)
        return dt_fail(
            err, DT_ERR_ARG, &(dt_where){ .key = "data.test_share" },
            "%s has folders of its splits; a share is taken of pictures in the root only", p->root);
    for (int k = 0; k < DT_DATA_SPLITS; k++) {
        split_files *f = &s->split[k];
        if (!dt_data_needs(p->need, k)) continue;
        if (!f->folder[0] && p->need == DT_NEED_ANY) continue;
        if (!f->folder[0])
            return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = p->root },
                           "has no folder %s", k == DT_SPLIT_TRAIN ? "train" : "test or val");
        DT_TRY(list(s, f, err));
        if (share > 0) DT_TRY(dt_folder_share(f->at, &f->count, share, k == DT_SPLIT_TEST, err));
    }
    if (parted || share > 0) return DT_OK;
    s->note.text = dt_arena_printf(
        s->arena,
        "warning: %s: what is measured is measured on the pictures that it was made of; "
        "data.test_share=0.2 would keep a fifth for that",
        p->root);
    return s->note.text ? DT_OK : no_memory(err);
}

/* Their size, if it is the same for all; 0: transforms must give one. What cannot be read is told
 * when it is. */
static void find_size(const set *s, dt_orient orient, int64_t *out_H, int64_t *out_W)
{
    *out_H = *out_W = 0;
    if (orient == DT_ORIENT_APPLY) return;
    for (int k = 0; k < DT_DATA_SPLITS; k++)
        for (size_t i = 0; i < s->split[k].count; i++) {
            char path[DT_DATA_PATH];
            int64_t H, W;
            if (dt_data_path(path, s->split[k].folder, s->split[k].at[i].path, NULL) != DT_OK ||
                dt_picture_size(path, &H, &W, NULL) != DT_OK)
                continue;
            if (*out_H && (H != *out_H || W != *out_W)) {
                *out_H = *out_W = 0;
                return;
            }
            *out_H = H;
            *out_W = W;
        }
}

static void close(void *self)
{
    set *s = self;
    for (int k = 0; k < DT_DATA_SPLITS; k++)
        dt_put(s->alloc, s->split[k].at);
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
    dt_status st = s->arena ? list_all(s, p, err) : no_memory(err);
    if (st != DT_OK) {
        close(s);
        return st;
    }
    *out_info = (dt_data_info){ .classes = p->outputs > 0 ? p->outputs : 1,
                                .unlabelled = true,
                                .coded = true,
                                .count = { (int64_t)s->split[0].count, (int64_t)s->split[1].count },
                                .notes = &s->note,
                                .note_count = s->note.text != NULL };
    find_size(s, p->orient, &out_info->H, &out_info->W);
    *out_self = s;
    return DT_OK;
}

static dt_status name(const void *self, dt_split split, int64_t index, dt_sample_name *out,
                      dt_error *err)
{
    const split_files *f = &((const set *)self)->split[split];
    snprintf(out->name, sizeof out->name, "%s", f->at[index].path);
    out->label = 0;
    return dt_data_path(out->path, f->folder, f->at[index].path, err);
}

static dt_status read(const void *self, dt_split split, int64_t index, dt_sample *out,
                      dt_error *err)
{
    dt_sample_name n;
    DT_TRY(name(self, split, index, &n, err));
    out->label = 0;
    return dt_picture_read(n.path, out, err);
}

static bool holds(const char *root)
{
    return dt_folder_has_in(root, "train", false) || dt_folder_has_in(root, "test", false) ||
           dt_folder_has_in(root, "val", false) || dt_folder_has(root, false);
}

extern const dt_dataset dt_dataset_pictures;
const dt_dataset dt_dataset_pictures = {
    .row = { "pictures", "PNG and JPEG pictures of one folder, without labels", opts,
             sizeof(conf) },
    .needs_root = true,
    .holds = holds,
    .open = open,
    .read = read,
    .name = name,
    .close = close,
};
