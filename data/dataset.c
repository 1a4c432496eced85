/* The table of datasets and the checks that are the same for every row. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <stdio.h>

enum { SMALL = 1 << 20 /* bytes that are always there */ };

#define DT_DATASET(name) extern const dt_dataset dt_dataset_##name;
#include "data/datasets.def"
#undef DT_DATASET

#define DT_DATASET(name) &dt_dataset_##name.row,
static const dt_row *const rows[] = {
#include "data/datasets.def"
    NULL
};
#undef DT_DATASET

const dt_table dt_datasets = { "dataset", rows };

static const dt_opt normalize_opts[] = {
    DT_OPT_FLOATS(dt_data_conf, mean, -1e6, 1e6, "of red, green and blue, or one for all; 0"),
    DT_OPT_FLOATS(dt_data_conf, std, 1e-9, 1e6, "of red, green and blue, or one for all; 1"),
    DT_OPT_ENUM(dt_data_conf, range, 0, "1|255", "values of pixels go from 0 to this"),
    DT_OPT_END,
};

const dt_opt dt_data_opts[] = {
    DT_OPT_INT(dt_data_conf, batch, 128, 1, 8192, "samples of one step"),
    DT_OPT_STR(dt_data_conf, root, "", "folder with the dataset's files, or its parent"),
    DT_OPT_ENUM_MAP(dt_data_conf, normalize, 0, "imagenet|cifar|none|half",
                    "mean and deviation that pictures are normalised with", normalize_opts),
    DT_OPT_INT(dt_data_conf, val, 0, 0, INT32_MAX, "training samples kept back for validation"),
    DT_OPT_ENUM(dt_data_conf, broken, DT_BROKEN_ERROR, "error|skip",
                "pictures that cannot be read: end the run, or leave them out and count them"),
    DT_OPT_ENUM(
        dt_data_conf, orientation, DT_ORIENT_IGNORE, "ignore|apply",
        "what EXIF says of the way up: ignored, as in torchvision, or JPEG files are turned "
        "upright"),
    DT_OPT_END,
};

struct dt_data {
    const dt_dataset *row;
    const dt_alloc *alloc;
    dt_capped own; /* of the row, over `alloc` */
    void *self;
    dt_orient orient;
    dt_data_info info;
};

const dt_dataset *dt_data_for(const char *root)
{
    for (size_t i = 0; rows[i]; i++) {
        const dt_dataset *d = (const dt_dataset *)(const void *)rows[i];
        if (d->holds && d->holds(root)) return d;
    }
    return NULL;
}

static dt_status open_row(const dt_dataset *row, dt_data_params *p, dt_data *d, dt_error *err)
{
    if (p->conf || row->row.conf_size == 0) return row->open(p, &d->self, &d->info, err);
    void *defaults = dt_get(p->alloc, row->row.conf_size, "dataset conf");
    if (!defaults) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to open the dataset");
    dt_opt_defaults(row->row.opts, defaults);
    p->conf = defaults;
    dt_status st = row->open(p, &d->self, &d->info, err);
    dt_put(p->alloc, defaults);
    return st;
}

/* The row's text, which may name a key, and the bytes. */
static dt_status too_much(const dt_data_params *p, size_t used, size_t wanted, dt_error *err)
{
    const dt_error why = err ? *err : (dt_error){ .text = "" };
    return dt_fail(err, DT_ERR_NOMEM, NULL,
                   "%.200s: more than %zu bytes of memory are needed and %zu may be used (%s), in "
                   "use already %zu; fewer samples need less",
                   why.text, wanted < SIZE_MAX - used ? wanted + used : SIZE_MAX, p->memory.bytes,
                   p->memory.why, used);
}

/* Opens the row in what may be used. */
static dt_status open_within(const dt_dataset *row, dt_data_params *p, dt_data *d, dt_error *err)
{
    const size_t limit = p->memory.bytes, used = limit ? dt_memory_resident() : 0;
    const size_t room = !limit ? SIZE_MAX : limit > used + SMALL ? limit - used : SMALL;
    dt_capped_init(&d->own, d->alloc, room);
    p->alloc = &d->own.alloc;
    dt_status st = open_row(row, p, d, err);
    d->own.limit = SIZE_MAX; /* what is read later is others' to count */
    return st == DT_ERR_NOMEM && d->own.refused ? too_much(p, used, d->own.refused, err) : st;
}

dt_status dt_data_open(const dt_dataset *row, const dt_data_params *params, dt_data **out_data,
                       dt_error *err)
{
    const dt_where where = { .key = "data.root" };
    if (!row || !params || !out_data || params->threads < 0)
        return dt_fail(err, DT_ERR_ARG, NULL, "dt_data_open: bad argument");
    dt_data_params p = *params;
    if (!p.alloc) p.alloc = dt_alloc_std();
    if (p.threads == 0) p.threads = 1;
    if (!p.root) p.root = "";
    if (row->needs_root && !*p.root)
        return dt_fail(err, DT_ERR_ARG, &where, "%s needs the folder with its files",
                       row->row.name);
    unsigned has = row->answers ? row->answers : 1u << DT_ANSWER_LABEL;
    if (!(has >> p.answer & 1))
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "data.name" },
                       "samples of '%s' have labels; the task wants %s, which 'arrays' can have",
                       row->row.name,
                       p.answer == DT_ANSWER_FLAGS    ? "flags"
                       : p.answer == DT_ANSWER_RECORD ? "several answers, or one by name"
                                                      : "numbers");
    dt_data *d = dt_get(p.alloc, sizeof *d, "dataset");
    if (!d) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to open the dataset");
    d->row = row;
    d->alloc = p.alloc;
    d->orient = p.orient;
    dt_status st = open_within(row, &p, d, err);
    if (st != DT_OK) {
        dt_put(d->alloc, d);
        return st;
    }
    *out_data = d;
    return DT_OK;
}

const dt_data_info *dt_data_info_of(const dt_data *data)
{
    return &data->info;
}

int64_t dt_data_count(const dt_data *data, dt_split split)
{
    return split == DT_SPLIT_TRAIN || split == DT_SPLIT_TEST ? data->info.count[split] : 0;
}

static dt_status check_index(const dt_data *data, dt_split split, int64_t index, dt_error *err)
{
    int64_t count = dt_data_count(data, split);
    if (index >= 0 && index < count) return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, NULL, "sample %lld is outside 0..%lld of %s",
                   (long long)index, (long long)count - 1, data->row->row.name);
}

dt_status dt_data_read(const dt_data *data, dt_split split, int64_t index, dt_sample *out,
                       dt_error *err)
{
    DT_TRY(check_index(data, split, index, err));
    out->orient = data->orient;
    out->orientation = 1;
    if (data->row->read) return data->row->read(data->self, split, index, out, err);
    return dt_fail(err, DT_ERR_UNSUPPORTED, NULL, "the samples of %s are no pictures",
                   data->row->row.name);
}

dt_status dt_data_take(const dt_data *data, dt_split split, int64_t index, dt_bytes *room, float *x,
                       void *answer, dt_error *err)
{
    DT_TRY(check_index(data, split, index, err));
    return data->row->take(data->self, split, index, room, x, answer, err);
}

dt_status dt_data_name(const dt_data *data, dt_split split, int64_t index, dt_sample_name *out,
                       dt_error *err)
{
    DT_TRY(check_index(data, split, index, err));
    if (data->row->name) return data->row->name(data->self, split, index, out, err);
    return dt_fail(err, DT_ERR_UNSUPPORTED, NULL, "the samples of %s are no files",
                   data->row->row.name);
}

void dt_data_close(dt_data *data)
{
    if (!data) return;
    data->row->close(data->self);
    dt_put(data->alloc, data);
}

bool dt_data_needs(dt_data_need need, dt_split split)
{
    return need != (split == DT_SPLIT_TEST ? DT_NEED_TRAIN : DT_NEED_TEST);
}

dt_status dt_data_path(char path[DT_DATA_PATH], const char *folder, const char *name, dt_error *err)
{
    const dt_where where = { .file = folder };
    int n = snprintf(path, DT_DATA_PATH, "%s/%s", folder, name);
    if (n < 0 || n >= DT_DATA_PATH)
        return dt_fail(err, DT_ERR_ARG, &where, "path is longer than %d bytes", DT_DATA_PATH - 1);
    return DT_OK;
}
