/* Arrays of any rank from files of numpy or HDF5: inputs [samples, ...], channels last, and
 * answers. Inputs are read from their files sample by sample; answers are checked and kept at open.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

#include "data/array.h"

typedef struct conf {
    dt_opt_str x, y, test_x, test_y; /* files, relative to the root */
    bool flatten, nonneg;
} conf;

static const dt_opt opts[] = {
    DT_OPT_STR(conf, x, "",
               "training inputs [samples, ...]: a .npy file in the root, or FILE.h5:NAME"),
    DT_OPT_STR(conf, y, "",
               "their answers: labels [samples], flags [samples,K] or numbers "
               "[samples,K]; none: the inputs themselves, as numbers"),
    DT_OPT_STR(conf, test_x, "", "test inputs"),
    DT_OPT_STR(conf, test_y, "", "their answers"),
    DT_OPT_BOOL(conf, flatten, 0, "inputs are one row of numbers, whatever their shape"),
    DT_OPT_BOOL(conf, nonneg, 0, "no input is negative, so its quantizer needs no sign; checked"),
    DT_OPT_END,
};

typedef struct half { /* a split */
    char x_path[DT_DATA_PATH], y_path[DT_DATA_PATH];
    dt_array x;
    int32_t *label; /* [samples] */
    float *answer;  /* [samples,K]; NULL: labels, or the inputs themselves */
} half;

typedef struct set {
    const dt_alloc *alloc;
    dt_answer kind;
    int64_t K; /* flags or numbers of a sample */
    bool nonneg;
    half split[DT_DATA_SPLITS];
} set;

static void close_set(void *self)
{
    set *s = self;
    for (int i = 0; i < DT_DATA_SPLITS; i++) {
        dt_array_close(&s->split[i].x);
        dt_put(s->alloc, s->split[i].label);
        dt_put(s->alloc, s->split[i].answer);
    }
    dt_put(s->alloc, s);
}

static dt_status path_of(const dt_data_params *p, const char *name, char path[DT_DATA_PATH],
                         dt_error *err)
{
    if (name[0] != '/') return dt_data_path(path, p->root, name, err);
    snprintf(path, DT_DATA_PATH, "%s", name);
    return DT_OK;
}

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to open the arrays");
}

static dt_status read_labels(set *s, half *h, const dt_array *y, const dt_data_params *p,
                             dt_data_info *info, dt_error *err)
{
    int64_t n = y->head.shape.dim[0], most = p->outputs > 0 ? p->outputs : DT_DATA_MAX_CLASSES;
    h->label = dt_get_array(s->alloc, (size_t)n, sizeof *h->label, "arrays");
    if (!h->label) return no_memory(err);
    DT_TRY(dt_array_integers(y, 0, most - 1, h->label, s->alloc, err));
    for (int64_t i = 0; i < n; i++)
        if (h->label[i] >= info->classes) info->classes = h->label[i] + 1;
    if (p->outputs > 0) info->classes = p->outputs; /* not every class need have samples */
    return DT_OK;
}

static dt_status check_flags(const dt_array *y, const float *row, int64_t sample, dt_error *err)
{
    for (int64_t k = 0; k < y->each; k++)
        if (row[k] != 0 && row[k] != 1)
            return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .file = y->path },
                           "flag %lld of sample %lld is %g; flags are 0 or 1", (long long)k,
                           (long long)sample, (double)row[k]);
    return DT_OK;
}

/* Flags or numbers. */
static dt_status read_values(const set *s, half *h, const dt_array *y, dt_error *err)
{
    int64_t n = y->head.shape.dim[0];
    void *raw = dt_get(s->alloc, dt_array_raw(y), "arrays");
    h->answer = dt_get_array(s->alloc, (size_t)n * (size_t)y->each, sizeof *h->answer, "arrays");
    dt_status st = raw && h->answer ? DT_OK : no_memory(err);
    for (int64_t i = 0; st == DT_OK && i < n; i++) {
        float *row = h->answer + i * y->each;
        st = dt_array_read(y, i, raw, row, err);
        if (st == DT_OK && s->kind == DT_ANSWER_FLAGS) st = check_flags(y, row, i, err);
    }
    dt_put(s->alloc, raw);
    return st;
}

/* As many as inputs, and as many to a sample as in the other split. */
static dt_status check_answers(set *s, const half *h, const dt_array *y, dt_error *err)
{
    const dt_where where = { .file = y->path };
    if (y->head.shape.dim[0] != h->x.head.shape.dim[0])
        return dt_fail(err, DT_ERR_SHAPE, &where, "has %lld samples, %s has %lld",
                       (long long)y->head.shape.dim[0], h->x.path,
                       (long long)h->x.head.shape.dim[0]);
    if (s->K && s->K != y->each)
        return dt_fail(err, DT_ERR_SHAPE, &where, "has %lld numbers to a sample, %s has %lld",
                       (long long)y->each, s->split[0].y_path, (long long)s->K);
    s->K = y->each;
    return DT_OK;
}

static dt_status open_answers(set *s, half *h, const char *name, const dt_data_params *p,
                              dt_data_info *info, dt_error *err)
{
    dt_array y;
    if (!*name && s->kind == DT_ANSWER_NUMBERS) {
        s->K = h->x.each;
        info->answers_itself = true;
        return DT_OK;
    }
    if (!*name)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "data.y" },
                       "and data.test_y name the files of the answers");
    DT_TRY(path_of(p, name, h->y_path, err));
    DT_TRY(dt_array_open(h->y_path, s->alloc, &y, err));
    dt_status st = check_answers(s, h, &y, err);
    if (st == DT_OK)
        st = s->kind == DT_ANSWER_LABEL ? read_labels(s, h, &y, p, info, err)
                                        : read_values(s, h, &y, err);
    dt_array_close(&y);
    return st;
}

/* The shape of a sample: [C], [H,W,C], ...; of both splits the same. */
static dt_status set_input(const half *h, bool flatten, dt_data_info *info, dt_error *err)
{
    const dt_shape *x = &h->x.head.shape;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    dt_shape s = { .rank = x->rank - 1 };
    if (x->rank < 2 || x->rank > 1 + DT_DATA_MAX_RANK)
        return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = h->x.path },
                       "has the shape %s; inputs have 1 to %d axes beside the samples",
                       dt_shape_print(x, a), DT_DATA_MAX_RANK);
    memcpy(s.dim, x->dim + 1, (size_t)s.rank * sizeof *s.dim);
    if (flatten) s = DT_SHAPE(h->x.each);
    if (info->input.rank && !dt_shape_equal(&s, &info->input))
        return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = h->x.path },
                       "has samples of %s, the training file of %s", dt_shape_print(&s, a),
                       dt_shape_print(&info->input, b));
    info->input = s;
    return DT_OK;
}

static dt_status open_split(set *s, const dt_data_params *p, dt_split split, dt_data_info *info,
                            dt_error *err)
{
    const conf *c = p->conf;
    half *h = &s->split[split];
    bool test = split == DT_SPLIT_TEST;
    const char *x = test ? c->test_x : c->x, *y = test ? c->test_y : c->y;
    if (!*x)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = test ? "data.test_x" : "data.x" },
                       "is not given; it names the array of the %s inputs",
                       test ? "test" : "training");
    DT_TRY(path_of(p, x, h->x_path, err));
    DT_TRY(dt_array_open(h->x_path, s->alloc, &h->x, err));
    DT_TRY(set_input(h, c->flatten, info, err));
    info->count[split] = h->x.head.shape.dim[0];
    if (info->count[split] > INT32_MAX)
        return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = h->x.path },
                       "has %lld samples; at most %d", (long long)info->count[split], INT32_MAX);
    return open_answers(s, h, y, p, info, err);
}

static dt_status open_set(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                          dt_error *err)
{
    const conf *c = p->conf;
    set *s = dt_get(p->alloc, sizeof *s, "arrays");
    if (!s) return no_memory(err);
    dt_data_info info = { .answer = p->answer, .input_nonneg = c->nonneg };
    *s = (set){ .alloc = p->alloc, .kind = p->answer, .nonneg = c->nonneg };
    dt_status st = DT_OK;
    for (int i = 0; st == DT_OK && i < DT_DATA_SPLITS; i++)
        if (dt_data_needs(p->need, (dt_split)i)) st = open_split(s, p, (dt_split)i, &info, err);
    if (st != DT_OK) {
        close_set(s);
        return st;
    }
    info.answers = s->kind == DT_ANSWER_LABEL ? 1 : s->K;
    *out_self = s;
    *out_info = info;
    return DT_OK;
}

static dt_status take(const void *self, dt_split split, int64_t index, dt_bytes *room, float *x,
                      void *answer, dt_error *err)
{
    const set *s = self;
    const half *h = &s->split[split];
    DT_TRY(dt_bytes_want(room, dt_array_raw(&h->x), err));
    DT_TRY(dt_array_read(&h->x, index, room->data, x, err));
    for (int64_t i = 0; s->nonneg && i < h->x.each; i++)
        if (x[i] < 0)
            return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = h->x.path },
                           "element %lld of sample %lld is %g, but data.nonneg says that none is "
                           "negative",
                           (long long)i, (long long)index, (double)x[i]);
    if (h->label)
        memcpy(answer, &h->label[index], sizeof h->label[index]);
    else if (h->answer)
        memcpy(answer, h->answer + index * s->K, (size_t)s->K * sizeof *x);
    return DT_OK;
}

extern const dt_dataset dt_dataset_arrays;
const dt_dataset dt_dataset_arrays = {
    .row = { "arrays", "arrays of numpy (.npy) or in HDF5, with labels, flags or numbers", opts,
             sizeof(conf) },
    .needs_root = true,
    .answers = 1u << DT_ANSWER_LABEL | 1u << DT_ANSWER_FLAGS | 1u << DT_ANSWER_NUMBERS,
    .open = open_set,
    .take = take,
    .close = close_set,
};
