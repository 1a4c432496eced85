/* Reader of the CIFAR binary files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/cifar_file.h"

#include "core/file.h"

typedef struct records {
    unsigned char *data;
    int64_t count;
} records;

struct dt_cifar_set {
    const dt_alloc *alloc;
    dt_cifar_layout layout;
    int label; /* which label byte is the class */
    int train_files;
    records train[DT_CIFAR_MAX_FILES], test;
};

static size_t record_size(const dt_cifar_layout *layout)
{
    return (size_t)layout->labels + DT_CIFAR_BYTES;
}

dt_status dt_cifar_check(const dt_cifar_layout *layout, const uint8_t *data, size_t size,
                         const char *file, int64_t *out_records, dt_error *err)
{
    const dt_where where = { .file = file };
    size_t step = record_size(layout);
    if (size == 0) return dt_fail(err, DT_ERR_FORMAT, &where, "is empty");
    if (size % step != 0)
        return dt_fail(err, DT_ERR_FORMAT, &where, "%zu bytes is no multiple of %zu", size, step);
    size_t n = size / step;
    if (n > DT_CIFAR_MAX_RECORDS)
        return dt_fail(err, DT_ERR_FORMAT, &where, "%zu records; at most %d are read", n,
                       DT_CIFAR_MAX_RECORDS);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < layout->labels; k++)
            if (data[i * step + k] >= layout->classes[k])
                return dt_fail(err, DT_ERR_FORMAT, &where,
                               "label %d of record %zu is outside 0..%d", data[i * step + k], i,
                               layout->classes[k] - 1);
    *out_records = (int64_t)n;
    return DT_OK;
}

void dt_cifar_record(const dt_cifar_layout *layout, const uint8_t *data, int64_t index,
                     uint8_t *picture, int labels[DT_CIFAR_MAX_LABELS])
{
    enum { PLANE = DT_CIFAR_SIDE * DT_CIFAR_SIDE };
    const uint8_t *r = data + (size_t)index * record_size(layout), *plane = r + layout->labels;
    for (int k = 0; k < layout->labels; k++)
        labels[k] = r[k];
    for (int i = 0; i < PLANE; i++) // [3,32,32] -> [32,32,3]
        for (int c = 0; c < 3; c++)
            picture[3 * i + c] = plane[c * PLANE + i];
}

static dt_status load(const dt_cifar_set *set, const char *folder, const char *name, records *f,
                      dt_error *err)
{
    char path[DT_DATA_PATH];
    DT_TRY(dt_data_path(path, folder, name, err));
    size_t size;
    DT_TRY(dt_file_read(set->alloc, path, record_size(&set->layout) * DT_CIFAR_MAX_RECORDS,
                        &f->data, &size, err));
    return dt_cifar_check(&set->layout, f->data, size, path, &f->count, err);
}

/* The first file that is read tells whether this is the folder. */
static dt_status load_first(dt_cifar_set *set, const dt_cifar_spec *spec, const char *folder,
                            const char *name, records *f, dt_error *err)
{
    dt_status st = load(set, folder, name, f, err);
    if (st != DT_ERR_NOT_FOUND) return st;
    return dt_fail(err, st, &(dt_where){ .file = folder }, "has neither %s nor a sub-folder %s",
                   name, spec->folder);
}

static dt_status load_train(dt_cifar_set *set, const dt_cifar_spec *spec, const char *folder,
                            bool is_parent, dt_data_info *info, dt_error *err)
{
    for (int i = 0; spec->train[i]; i++) {
        records *f = &set->train[i];
        DT_TRY(is_parent ? load(set, folder, spec->train[i], f, err)
                         : load_first(set, spec, folder, spec->train[i], f, err));
        set->train_files = i + 1;
        info->count[DT_SPLIT_TRAIN] += set->train[i].count;
        if (set->train[i].count != set->train[0].count) /* cut off between two records */
            return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = folder },
                           "%s has %lld records, %s has %lld; they must be equal", spec->train[i],
                           (long long)set->train[i].count, spec->train[0],
                           (long long)set->train[0].count);
    }
    return DT_OK;
}

static dt_status load_all(dt_cifar_set *set, const dt_cifar_spec *spec, const dt_data_params *p,
                          dt_data_info *info, dt_error *err)
{
    char inner[DT_DATA_PATH];
    DT_TRY(dt_data_path(inner, p->root, spec->folder, err));
    bool is_parent = dt_file_exists(inner), train = dt_data_needs(p->need, DT_SPLIT_TRAIN);
    const char *folder = is_parent ? inner : p->root;
    if (train) DT_TRY(load_train(set, spec, folder, is_parent, info, err));
    if (!dt_data_needs(p->need, DT_SPLIT_TEST)) return DT_OK;
    DT_TRY(train || is_parent ? load(set, folder, spec->test, &set->test, err)
                              : load_first(set, spec, folder, spec->test, &set->test, err));
    info->count[DT_SPLIT_TEST] = set->test.count;
    return DT_OK;
}

bool dt_cifar_holds(const dt_cifar_spec *spec, const char *root)
{
    char folder[DT_DATA_PATH], path[DT_DATA_PATH];
    if (dt_data_path(path, root, spec->test, NULL) == DT_OK && dt_file_exists(path)) return true;
    return dt_data_path(folder, root, spec->folder, NULL) == DT_OK &&
           dt_data_path(path, folder, spec->test, NULL) == DT_OK && dt_file_exists(path);
}

dt_status dt_cifar_open(const dt_cifar_spec *spec, int label, const dt_data_params *p,
                        dt_cifar_set **out_set, dt_data_info *out_info, dt_error *err)
{
    dt_cifar_set *set = dt_get(p->alloc, sizeof *set, "cifar");
    if (!set) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to open the dataset");
    set->alloc = p->alloc;
    set->layout = spec->layout;
    set->label = label;
    dt_data_info info = { .classes = spec->layout.classes[label],
                          .H = DT_CIFAR_SIDE,
                          .W = DT_CIFAR_SIDE };
    dt_status st = load_all(set, spec, p, &info, err);
    if (st != DT_OK) {
        dt_cifar_close(set);
        return st;
    }
    *out_set = set;
    *out_info = info;
    return DT_OK;
}

dt_status dt_cifar_read(const void *self, dt_split split, int64_t index, dt_sample *out,
                        dt_error *err)
{
    const dt_cifar_set *set = self;
    const records *f = &set->test;
    if (split == DT_SPLIT_TRAIN) /* every training file has the same number of records */
        for (f = set->train; index >= f->count; f++)
            index -= f->count;
    int labels[DT_CIFAR_MAX_LABELS];
    DT_TRY(dt_picture_shape(&out->picture, DT_CIFAR_SIDE, DT_CIFAR_SIDE, err));
    dt_cifar_record(&set->layout, f->data, index, out->picture.rgb.data, labels);
    out->label = labels[set->label];
    return DT_OK;
}

void dt_cifar_close(void *self)
{
    dt_cifar_set *set = self;
    for (int i = 0; i < DT_CIFAR_MAX_FILES; i++)
        dt_put(set->alloc, set->train[i].data);
    dt_put(set->alloc, set->test.data);
    dt_put(set->alloc, set);
}
