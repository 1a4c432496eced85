/* Several answers of a sample. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/array_targets.h"

#include <stdio.h>
#include <string.h>

#include "data/array.h"

dt_status dt_array_path(const dt_data_params *p, const char *file, char path[DT_DATA_PATH],
                        dt_error *err)
{
    if (file[0] != '/') return dt_data_path(path, p->root, file, err);
    snprintf(path, DT_DATA_PATH, "%s", file);
    return DT_OK;
}

dt_status dt_array_word(const dt_opt_words *words, int k, const char *key, const char *what,
                        char name[DT_DATA_PART_NAME], const char **out_file, dt_error *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const char *word = words->value[k];
    size_t n = strcspn(word, "=");
    const dt_where where = { .key = key };
    if (n == 0 || n >= DT_DATA_PART_NAME || strspn(word, plain) != n || word[n] != '=' ||
        !word[n + 1])
        return dt_fail(err, DT_ERR_FORMAT, &where,
                       "'%.100s' is no NAME=FILE with a name of letters, digits, '_', '-' and '.', "
                       "shorter than %d",
                       word, DT_DATA_PART_NAME);
    if (name[0] && (strncmp(name, word, n) != 0 || name[n]))
        return dt_fail(err, DT_ERR_ARG, &where, "%s %d is '%.*s', that of training '%s'", what,
                       k + 1, (int)n, word, name);
    snprintf(name, DT_DATA_PART_NAME, "%.*s", (int)n, word);
    *out_file = word + n + 1;
    return DT_OK;
}

dt_status dt_array_check_flags(const char *path, const float *row, int64_t count, int64_t sample,
                               dt_error *err)
{
    for (int64_t k = 0; k < count; k++)
        if (row[k] != 0 && row[k] != 1)
            return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .file = path },
                           "flag %lld of sample %lld is %g; flags are 0 or 1", (long long)k,
                           (long long)sample, (double)row[k]);
    return DT_OK;
}

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to open the arrays");
}

/* The file of a name among the words; the names of all are checked. */
static dt_status find(const dt_target_files *f, const char *want, const char **out_file,
                      dt_error *err)
{
    char name[DT_OPT_LIST_MAX][DT_DATA_PART_NAME] = { "" };
    const char *names[DT_OPT_LIST_MAX];
    *out_file = NULL;
    for (int k = 0; k < f->words->count; k++) {
        const char *file;
        DT_TRY(dt_array_word(f->words, k, f->key, "target", name[k], &file, err));
        names[k] = name[k];
        for (int i = 0; i < k; i++)
            if (strcmp(name[i], name[k]) == 0)
                return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = f->key }, "has '%s' twice",
                               name[k]);
        if (strcmp(name[k], want) == 0) *out_file = file;
    }
    if (*out_file) return DT_OK;
    const char *near = dt_nearest(want, names, (size_t)f->words->count);
    return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = f->key }, "has no target '%s'%s%s%s",
                   want, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static dt_status check(const dt_target_files *f, const dt_array *y, dt_data_target *t,
                       dt_error *err)
{
    const dt_where where = { .file = y->path };
    if (y->head.shape.dim[0] != f->samples)
        return dt_fail(err, DT_ERR_SHAPE, &where, "has %lld samples, %s has %lld",
                       (long long)y->head.shape.dim[0], f->inputs, (long long)f->samples);
    if (t->kind == DT_ANSWER_LABEL && y->each != 1)
        return dt_fail(err, DT_ERR_SHAPE, &where,
                       "has %lld numbers to a sample; target '%s' is labels, one each",
                       (long long)y->each, t->name);
    if (t->numbers && t->numbers != y->each)
        return dt_fail(err, DT_ERR_SHAPE, &where,
                       "has %lld numbers to a sample, target '%s' of training %lld",
                       (long long)y->each, t->name, (long long)t->numbers);
    t->numbers = y->each;
    return DT_OK;
}

/* Labels as they are in memory. */
static dt_status read_labels(const dt_array *y, dt_data_target *t, float *to, int64_t words,
                             const dt_alloc *a, dt_error *err)
{
    int64_t n = y->head.shape.dim[0];
    int32_t *label = dt_get_array(a, (size_t)n, sizeof *label, "arrays");
    if (!label) return no_memory(err);
    dt_status st = dt_array_integers(y, 0, DT_DATA_MAX_CLASSES - 1, label, a, err);
    for (int64_t i = 0; st == DT_OK && i < n; i++) {
        memcpy(to + i * words, &label[i], sizeof label[i]);
        if (label[i] >= t->classes) t->classes = label[i] + 1;
    }
    dt_put(a, label);
    return st;
}

static dt_status read_values(const dt_array *y, const dt_data_target *t, float *to, int64_t words,
                             const dt_alloc *a, dt_error *err)
{
    void *raw = dt_get(a, dt_array_raw(y), "arrays");
    if (!raw) return no_memory(err);
    dt_status st = DT_OK;
    for (int64_t i = 0; st == DT_OK && i < y->head.shape.dim[0]; i++) {
        st = dt_array_read(y, i, raw, to + i * words, err);
        if (st == DT_OK && t->kind == DT_ANSWER_FLAGS)
            st = dt_array_check_flags(y->path, to + i * words, y->each, i, err);
    }
    dt_put(a, raw);
    return st;
}

/* The arrays of one split, opened and checked. */
typedef struct opened {
    char path[DT_DATA_PARTS][DT_DATA_PATH];
    dt_array y[DT_DATA_PARTS];
    int count;
} opened;

static dt_status open_all(opened *o, const dt_target_files *f, const dt_data_params *p,
                          dt_data_info *info, int64_t *out_words, dt_error *err)
{
    *out_words = 0;
    for (int k = 0; k < p->wants; k++) {
        const char *file;
        dt_data_target *t = &info->target[k];
        memcpy(t->name, p->want[k].name, sizeof t->name);
        t->kind = p->want[k].kind;
        if (*f->only)
            file = f->only;
        else
            DT_TRY(find(f, t->name, &file, err));
        DT_TRY(dt_array_path(p, file, o->path[k], err));
        DT_TRY(dt_array_open(o->path[k], p->alloc, &o->y[k], err));
        o->count = k + 1;
        DT_TRY(check(f, &o->y[k], t, err));
        *out_words += t->numbers;
    }
    info->targets = p->wants;
    return DT_OK;
}

static dt_status read_all(const opened *o, const dt_data_params *p, dt_data_info *info,
                          int64_t words, float *to, dt_error *err)
{
    for (int k = 0; k < o->count; k++) {
        dt_data_target *t = &info->target[k];
        DT_TRY(t->kind == DT_ANSWER_LABEL ? read_labels(&o->y[k], t, to, words, p->alloc, err)
                                          : read_values(&o->y[k], t, to, words, p->alloc, err));
        to += t->numbers;
    }
    return DT_OK;
}

dt_status dt_array_targets(const dt_target_files *f, const dt_data_params *p, dt_data_info *info,
                           float **out_records, int64_t *out_words, dt_error *err)
{
    opened *o = dt_get(p->alloc, sizeof *o, "arrays");
    if (!o) return no_memory(err);
    float *to = NULL;
    dt_status st = open_all(o, f, p, info, out_words, err);
    if (st == DT_OK) {
        to = dt_get_array(p->alloc, (size_t)f->samples * (size_t)*out_words, sizeof *to, "arrays");
        st = to ? read_all(o, p, info, *out_words, to, err) : no_memory(err);
    }
    for (int k = 0; k < o->count; k++)
        dt_array_close(&o->y[k]);
    dt_put(p->alloc, o);
    if (st == DT_OK)
        *out_records = to;
    else
        dt_put(p->alloc, to);
    return st;
}
