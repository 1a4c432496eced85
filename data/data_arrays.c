/* Arrays of any rank from files of numpy or HDF5: inputs [samples, ...], channels last, and
 * answers, one or several by name. Inputs are read from their files sample by sample; answers are
 * checked and kept at open.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

#include "data/array.h"
#include "data/array_targets.h"

typedef struct conf {
    dt_opt_str x, y, test_x, test_y;    /* files, relative to the root */
    dt_opt_words inputs, test_inputs;   /* NAME=FILE, in place of x and test_x */
    dt_opt_words targets, test_targets; /* the same of y and test_y */
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
    DT_OPT_WORDS(
        conf, inputs,
        "several inputs in place of x: NAME=FILE each; the network has them by these names"),
    DT_OPT_WORDS(conf, test_inputs, "the same of the test samples, in the same order"),
    { .key = "targets",
      .type = DT_OPT_TYPE_WORDS,
      .offset = offsetof(conf, targets),
      .help = "several answers in place of y: NAME=FILE each; `tasks` of the recipe name them",
      .given_only = true },
    { .key = "test_targets",
      .type = DT_OPT_TYPE_WORDS,
      .offset = offsetof(conf, test_targets),
      .help = "the same of the test samples",
      .given_only = true },
    DT_OPT_BOOL(conf, flatten, 0, "inputs are one row of numbers, whatever their shape"),
    DT_OPT_BOOL(conf, nonneg, 0, "no input is negative, so its quantizer needs no sign; checked"),
    DT_OPT_END,
};

typedef struct half { /* a split */
    char x_path[DT_DATA_PARTS][DT_DATA_PATH], y_path[DT_DATA_PATH];
    dt_array x[DT_DATA_PARTS];
    int parts;
    int64_t each;   /* numbers of a sample: of all its inputs */
    int32_t *label; /* [samples] */
    float *answer;  /* [samples,K], of several answers their records; NULL: labels, or the inputs
                       themselves */
} half;

typedef struct set {
    const dt_alloc *alloc;
    dt_answer kind;
    int64_t K; /* flags or numbers of a sample, elements of a record */
    bool nonneg;
    half split[DT_DATA_SPLITS];
} set;

static void close_set(void *self)
{
    set *s = self;
    for (int i = 0; i < DT_DATA_SPLITS; i++) {
        for (int k = 0; k < s->split[i].parts; k++)
            dt_array_close(&s->split[i].x[k]);
        dt_put(s->alloc, s->split[i].label);
        dt_put(s->alloc, s->split[i].answer);
    }
    dt_put(s->alloc, s);
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
        if (st == DT_OK && s->kind == DT_ANSWER_FLAGS)
            st = dt_array_check_flags(y->path, row, y->each, i, err);
    }
    dt_put(s->alloc, raw);
    return st;
}

/* As many as inputs, and as many to a sample as in the other split. */
static dt_status check_answers(set *s, const half *h, const dt_array *y, dt_error *err)
{
    const dt_where where = { .file = y->path };
    if (y->head.shape.dim[0] != h->x[0].head.shape.dim[0])
        return dt_fail(err, DT_ERR_SHAPE, &where, "has %lld samples, %s has %lld",
                       (long long)y->head.shape.dim[0], h->x[0].path,
                       (long long)h->x[0].head.shape.dim[0]);
    if (s->K && s->K != y->each)
        return dt_fail(err, DT_ERR_SHAPE, &where, "has %lld numbers to a sample, %s has %lld",
                       (long long)y->each, s->split[0].y_path, (long long)s->K);
    s->K = y->each;
    return DT_OK;
}

/* What a recipe says of a split: one file, or several by name. */
typedef struct half_conf {
    const char *x, *y, *x_key, *inputs_key, *y_key, *targets_key;
    const dt_opt_words *inputs, *targets;
} half_conf;

/* Several answers by name. */
static dt_status open_targets(set *s, half *h, const half_conf *c, const dt_data_params *p,
                              dt_data_info *info, dt_error *err)
{
    const dt_target_files f = { .words = c->targets,
                                .only = c->y,
                                .key = c->targets_key,
                                .samples = h->x[0].head.shape.dim[0],
                                .inputs = h->x[0].path };
    if (*c->y && (c->targets->count || p->wants > 1))
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = c->y_key },
                       "is one answer, `tasks` of the recipe want theirs by name; %s=[NAME=FILE, "
                       "...] tells them",
                       c->targets_key);
    return dt_array_targets(&f, p, info, &h->answer, &s->K, err);
}

static dt_status open_answers(set *s, half *h, const half_conf *c, const dt_data_params *p,
                              dt_data_info *info, dt_error *err)
{
    dt_array y;
    const char *name = c->y;
    if (c->targets->count)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = c->targets_key },
                       "names answers, and the recipe has no `tasks` that say which output is "
                       "trained on which");
    if (!*name && s->kind == DT_ANSWER_NUMBERS) {
        s->K = h->each;
        info->answers_itself = true;
        return DT_OK;
    }
    if (!*name)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "data.y" },
                       "and data.test_y name the files of the answers");
    DT_TRY(dt_array_path(p, name, h->y_path, err));
    DT_TRY(dt_array_open(h->y_path, s->alloc, &y, err));
    dt_status st = check_answers(s, h, &y, err);
    if (st == DT_OK)
        st = s->kind == DT_ANSWER_LABEL ? read_labels(s, h, &y, p, info, err)
                                        : read_values(s, h, &y, err);
    dt_array_close(&y);
    return st;
}

/* The shape of a sample: [C], [H,W,C], ... */
static dt_status shape_of(const dt_array *x, bool flatten, dt_shape *out, dt_error *err)
{
    char text[DT_SHAPE_TEXT];
    const dt_shape *s = &x->head.shape;
    if (s->rank < 2 || s->rank > 1 + DT_DATA_MAX_RANK)
        return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = x->path },
                       "has the shape %s; inputs have 1 to %d axes beside the samples",
                       dt_shape_print(s, text), DT_DATA_MAX_RANK);
    *out = (dt_shape){ .rank = s->rank - 1 };
    memcpy(out->dim, s->dim + 1, (size_t)out->rank * sizeof *s->dim);
    if (flatten) *out = DT_SHAPE(x->each);
    return DT_OK;
}

/* Of both splits the same. */
static dt_status same_shape(const char *path, const dt_shape *s, const dt_shape *before,
                            dt_error *err)
{
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    if (!before->rank || dt_shape_equal(s, before)) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = path },
                   "has samples of %s, the training file of %s", dt_shape_print(s, a),
                   dt_shape_print(before, b));
}

static dt_status open_array(half *h, int k, const char *file, const dt_data_params *p,
                            dt_error *err)
{
    const dt_array *first = &h->x[0];
    DT_TRY(dt_array_path(p, file, h->x_path[k], err));
    DT_TRY(dt_array_open(h->x_path[k], p->alloc, &h->x[k], err));
    h->parts = k + 1;
    h->each += h->x[k].each;
    if (h->x[k].head.shape.dim[0] == first->head.shape.dim[0]) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = h->x_path[k] },
                   "has %lld samples, %s has %lld", (long long)h->x[k].head.shape.dim[0],
                   first->path, (long long)first->head.shape.dim[0]);
}

/* Several: the input of the set is the record of them. */
static dt_status open_parts(half *h, const half_conf *hc, bool flatten, const dt_data_params *p,
                            dt_data_info *info, dt_error *err)
{
    const dt_where where = { .key = hc->inputs_key };
    int count = (int)hc->inputs->count;
    if (count > DT_DATA_PARTS || (info->parts && info->parts != count))
        return dt_fail(err, DT_ERR_RANGE, &where, "has %d inputs, %s %d", count,
                       count > DT_DATA_PARTS ? "at most" : "data.inputs has",
                       count > DT_DATA_PARTS ? DT_DATA_PARTS : info->parts);
    for (int k = 0; k < count; k++) {
        const char *file = "";
        dt_shape s;
        dt_data_part *part = &info->part[k];
        DT_TRY(dt_array_word(hc->inputs, k, hc->inputs_key, "input", part->name, &file, err));
        for (int i = 0; i < k; i++)
            if (strcmp(info->part[i].name, part->name) == 0)
                return dt_fail(err, DT_ERR_ARG, &where, "has '%s' twice", part->name);
        DT_TRY(open_array(h, k, file, p, err));
        DT_TRY(shape_of(&h->x[k], flatten, &s, err));
        DT_TRY(same_shape(h->x_path[k], &s, &part->shape, err));
        part->shape = s;
    }
    info->parts = count;
    info->input = DT_SHAPE(h->each);
    return DT_OK;
}

static dt_status open_inputs(half *h, const half_conf *hc, bool flatten, const dt_data_params *p,
                             dt_data_info *info, dt_error *err)
{
    dt_shape s;
    if (*hc->x && hc->inputs->count)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = hc->x_key },
                       "stands beside %s; one of them says what goes in", hc->inputs_key);
    if (hc->inputs->count) return open_parts(h, hc, flatten, p, info, err);
    if (!*hc->x)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = hc->x_key },
                       "is not given; it names the array of the inputs, %s those of several",
                       hc->inputs_key);
    if (info->parts)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = hc->x_key },
                       "is one input, training has %d; %s names them", info->parts, hc->inputs_key);
    DT_TRY(open_array(h, 0, hc->x, p, err));
    DT_TRY(shape_of(&h->x[0], flatten, &s, err));
    DT_TRY(same_shape(h->x_path[0], &s, &info->input, err));
    info->input = s;
    return DT_OK;
}

static dt_status open_split(set *s, const dt_data_params *p, dt_split split, dt_data_info *info,
                            dt_error *err)
{
    const conf *c = p->conf;
    half *h = &s->split[split];
    const half_conf hc = split == DT_SPLIT_TEST ? (half_conf){ .x = c->test_x,
                                                               .y = c->test_y,
                                                               .x_key = "data.test_x",
                                                               .inputs_key = "data.test_inputs",
                                                               .y_key = "data.test_y",
                                                               .targets_key = "data.test_targets",
                                                               .inputs = &c->test_inputs,
                                                               .targets = &c->test_targets }
                                                : (half_conf){ .x = c->x,
                                                               .y = c->y,
                                                               .x_key = "data.x",
                                                               .inputs_key = "data.inputs",
                                                               .y_key = "data.y",
                                                               .targets_key = "data.targets",
                                                               .inputs = &c->inputs,
                                                               .targets = &c->targets };
    DT_TRY(open_inputs(h, &hc, c->flatten, p, info, err));
    info->count[split] = h->x[0].head.shape.dim[0];
    if (info->count[split] > INT32_MAX)
        return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = h->x[0].path },
                       "has %lld samples; at most %d", (long long)info->count[split], INT32_MAX);
    return s->kind == DT_ANSWER_RECORD ? open_targets(s, h, &hc, p, info, err)
                                       : open_answers(s, h, &hc, p, info, err);
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
    for (int k = 0; k < h->parts; k++) {
        const dt_array *a = &h->x[k];
        DT_TRY(dt_bytes_want(room, dt_array_raw(a), err));
        DT_TRY(dt_array_read(a, index, room->data, x, err));
        for (int64_t i = 0; s->nonneg && i < a->each; i++)
            if (x[i] < 0)
                return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = a->path },
                               "element %lld of sample %lld is %g, but data.nonneg says that none "
                               "is negative",
                               (long long)i, (long long)index, (double)x[i]);
        x += a->each;
    }
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
    .answers = 1u << DT_ANSWER_LABEL | 1u << DT_ANSWER_FLAGS | 1u << DT_ANSWER_NUMBERS |
               1u << DT_ANSWER_RECORD,
    .open = open_set,
    .take = take,
    .close = close_set,
};
