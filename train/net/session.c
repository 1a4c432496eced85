/* Opening a recipe. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "exchange/foreign_vit.h"
#include "exchange/import.h"
#include "exchange/onnx/reader/onnx_graph.h"
#include "fakequant/quantizers.h"
#include "layers/models.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "ptq/ptq.h"
#include "train/net/budget.h"
#include "train/net/net_yaml.h"
#include "train/net/source.h"
#include "train/store/container.h"

static void bits_range(const dt_row *quantizer, int *out_min, int *out_max)
{
    *out_min = dt_quantizer_of(quantizer)->min_bits;
    *out_max = dt_quantizer_of(quantizer)->max_bits;
}

/* Of a list of layers. */
static dt_status layers_file(const char *path, dt_recipe_file *out, dt_error *err)
{
    dt_yaml_net *net;
    DT_TRY(dt_yaml_net_open(path, NULL, &net, err));
    memcpy(out->sha256, dt_yaml_net_sha256(net), DT_SHA256_HEX);
    out->classes = dt_yaml_net_classes(net);
    dt_yaml_net_close(net);
    return DT_OK;
}

static dt_status model_file(const dt_row *model, const char *path, dt_recipe_file *out,
                            dt_error *err)
{
    dt_onnx_net *net;
    if (((const dt_model *)(const void *)model)->describes) return layers_file(path, out, err);
    DT_TRY(dt_onnx_net_open(path, NULL, &net, err));
    memcpy(out->sha256, dt_onnx_net_sha256(net), DT_SHA256_HEX);
    out->classes = dt_onnx_net_classes(net);
    out->weights = true;
    out->quantized = dt_onnx_net_is_quantized(net);
    dt_onnx_net_close(net);
    return DT_OK;
}

static int data_classes(const dt_row *dataset, const char *root)
{
    const dt_dataset *set = (const dt_dataset *)(const void *)dataset;
    return set->classes ? set->classes(root) : 0;
}

const dt_recipe_tables dt_tables = {
    .models = &dt_models,
    .datasets = &dt_datasets,
    .transforms = &dt_transforms,
    .quantizers = &dt_quantizers,
    .optimizers = &dt_optimizers,
    .schedules = &dt_schedules,
    .dynamics = &dt_dynamics_rows,
    .tasks = &dt_tasks,
    .losses = &dt_losses,
    .ptq_stages = &dt_ptq_stages,
    .ptq_presets = &dt_ptq_presets,
    .preset_text = dt_ptq_preset_text,
    .data_opts = dt_data_opts,
    .data_conf_size = sizeof(dt_data_conf),
    .model_file = model_file,
    .data_classes = data_classes,
    .bits_range = bits_range,
};

dt_status dt_read_tensors(dt_import_job *job, dt_tensors *out, const dt_importer **out_importer,
                          dt_error *err)
{
    unsigned char *bytes;
    DT_TRY(dt_file_read(job->alloc, job->path, DT_IMPORT_MAX_BYTES, &bytes, &job->size, err));
    dt_tensors set = { 0 };
    dt_status st;
    const dt_importer *importer = dt_importer_of(bytes, job->size);
    job->bytes = bytes;
    if (importer && importer->is_codes)
        st = dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = job->path }, "%s",
                     importer->is_graph ? "is a network, not weights alone: model.onnx reads it; "
                                          "model.init takes the checkpoint that an export was of"
                                        : "is an exported model; model.init takes the checkpoint "
                                          "that it was made of");
    else
        st = dt_import_read(job, &set, err);
    *out_importer = importer;
    job->bytes = NULL;
    dt_put(job->alloc, bytes);
    if (st == DT_OK) *out = set;
    return st;
}

dt_status dt_session_steps(const dt_recipe *r, dt_split split, dt_transform_step *out,
                           int *out_count, dt_error *err)
{
    bool train = split == DT_SPLIT_TRAIN;
    const dt_recipe_choice *list = train ? r->data.train : r->data.test;
    size_t count = train ? r->data.train_count : r->data.test_count;
    if (count > DT_TRANSFORM_MAX)
        return dt_fail(err, DT_ERR_RANGE,
                       &(dt_where){ .file = r->name, .key = train ? "data.train" : "data.test" },
                       "%zu transforms; at most %d", count, DT_TRANSFORM_MAX);
    for (size_t i = 0; i < count; i++)
        out[i] =
            (dt_transform_step){ (const dt_transform *)(const void *)list[i].row, list[i].conf };
    *out_count = (int)count;
    return DT_OK;
}

/* What the transforms of a split make of the dataset's pictures. */
static dt_status extent_of(const dt_session *s, dt_split split, dt_extent *out, dt_error *err)
{
    dt_transform_step steps[DT_TRANSFORM_MAX];
    int count = 0;
    const char *key = split == DT_SPLIT_TRAIN ? "data.train" : "data.test";
    *out = (dt_extent){ dt_data_info_of(s->data)->H, dt_data_info_of(s->data)->W };
    DT_TRY(dt_session_steps(s->recipe, split, steps, &count, err));
    DT_TRY(dt_transform_check(steps, count, split != DT_SPLIT_TRAIN, out, err));
    return dt_transform_need_size(key, out, err);
}

/* Arrays have their shape, and no transforms. */
static dt_status check_arrays(const dt_session *s, dt_error *err)
{
    const dt_recipe_data *d = &s->recipe->data;
    const dt_row *row = d->train_count ? d->train[0].row : d->test_count ? d->test[0].row : NULL;
    if (!row) return DT_OK;
    return dt_fail(
        err, DT_ERR_UNSUPPORTED,
        &(dt_where){ .file = s->recipe->name, .key = d->train_count ? "data.train" : "data.test" },
        "'%s' is for pictures; the samples of '%s' are arrays", row->name, d->choice.row->name);
}

/* What the data has must be what the net gives. */
static dt_status check_outputs(const dt_session *s, const dt_data_info *info, dt_error *err)
{
    int outputs = s->recipe->model.classes;
    if (s->recipe->task_count) return DT_OK; /* check_targets, of the net's outputs */
    const char *set = s->recipe->data.choice.row->name;
    const dt_where where = { .file = s->recipe->name, .key = "model.classes" };
    if (info->answer == DT_ANSWER_LABEL && info->classes != outputs)
        return dt_fail(err, DT_ERR_RANGE, &where, "%d is not the %d classes of dataset '%s'",
                       outputs, info->classes, set);
    if (info->answer != DT_ANSWER_LABEL && info->answers != outputs)
        return dt_fail(
            err, DT_ERR_RANGE, &where, "%d outputs; samples of dataset '%s' have %lld %s", outputs,
            set, (long long)info->answers, info->answer == DT_ANSWER_FLAGS ? "flags" : "numbers");
    return DT_OK;
}

/* The same of `tasks`, when the net is there. */
static dt_status check_targets(const dt_session *s, dt_error *err)
{
    const dt_data_info *info = s->data ? dt_data_info_of(s->data) : NULL;
    for (int i = 0; info && s->recipe->task_count && i < s->net.goal.trained; i++) {
        const dt_goal_part *p = &s->net.goal.part[i];
        bool record = info->answer == DT_ANSWER_RECORD, label = p->task->answer == DT_ANSWER_LABEL;
        int64_t has = record && !label ? info->target[i].numbers
                      : record         ? info->target[i].classes
                                       : info->classes;
        char key[32];
        snprintf(key, sizeof key, "tasks.%d.target", i);
        const dt_where where = { .file = s->recipe->name, .key = key };
        /* Not every class need have samples, of which a picture set knows all. */
        if (label && (record ? has > p->K : has != p->K))
            return dt_fail(err, DT_ERR_RANGE, &where,
                           "has labels up to %lld, output '%s' has %lld numbers, which are classes",
                           (long long)has - 1, p->output, (long long)p->K);
        if (!label && has != p->K)
            return dt_fail(err, DT_ERR_SHAPE, &where,
                           "has %lld numbers to a sample, output '%s' has %lld", (long long)has,
                           p->output, (long long)p->K);
    }
    return DT_OK;
}

static dt_status set_extent(dt_session *s, dt_error *err)
{
    dt_extent test;
    if (dt_data_info_of(s->data)->input.rank) return check_arrays(s, err);
    DT_TRY(extent_of(s, DT_SPLIT_TRAIN, &s->picture, err));
    DT_TRY(extent_of(s, DT_SPLIT_TEST, &test, err));
    if (test.H == s->picture.H && test.W == s->picture.W) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = s->recipe->name, .key = "data.test" },
                   "gives %lldx%lld pictures, data.train %lldx%lld; both must be equal",
                   (long long)test.W, (long long)test.H, (long long)s->picture.W,
                   (long long)s->picture.H);
}

/* What `tasks` want of every sample: answers by name, or of a set that has one without a name that
 * one. */
static void want_targets(const dt_recipe *r, const dt_dataset *row,
                         dt_data_target want[DT_DATA_PARTS], dt_data_params *p)
{
    if (r->task_count == 0) return;
    const dt_net_task *first = (const dt_net_task *)(const void *)r->tasks[0].choice.row;
    const char *name = r->tasks[0].target;
    bool one = r->task_count == 1 && (!*name || strcmp(name, "label") == 0);
    p->answer = one && !(row->answers >> DT_ANSWER_RECORD & 1) ? first->answer : DT_ANSWER_RECORD;
    p->outputs = 0;
    for (size_t i = 0; i < r->task_count; i++) {
        const dt_recipe_task *t = &r->tasks[i];
        const dt_net_task *task = (const dt_net_task *)(const void *)t->choice.row;
        want[i] = (dt_data_target){ .kind = task->answer };
        snprintf(want[i].name, sizeof want[i].name, "%.*s", DT_DATA_PART_NAME - 1,
                 *t->target ? t->target : t->output);
    }
    p->want = want;
    p->wants = (int)r->task_count;
}

dt_status dt_session_open_data(dt_session *s, dt_data_need need, dt_error *err)
{
    const dt_recipe_data *d = &s->recipe->data;
    const dt_net_task *task = (const dt_net_task *)(const void *)s->recipe->task.choice.row;
    dt_data_target want[DT_DATA_PARTS];
    dt_data_params p = { .root = s->data_conf->root[0] ? s->data_conf->root : NULL,
                         .conf = d->choice.conf,
                         .alloc = s->alloc,
                         .memory = s->memory,
                         .threads = s->threads,
                         .orient = (dt_orient)s->data_conf->orientation,
                         .need = need,
                         .answer = task->answer,
                         .outputs = s->recipe->model.classes };
    const dt_dataset *row = (const dt_dataset *)(const void *)d->choice.row;
    want_targets(s->recipe, row, want, &p);
    if (row->needs_root && !p.root)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = s->recipe->name, .key = "data.root" },
                       "is not given; say data.root=DIR");
    DT_TRY(dt_data_open(row, &p, &s->data, err));
    DT_TRY(check_outputs(s, dt_data_info_of(s->data), err));
    return set_extent(s, err);
}

static int64_t number_attr(const dt_tensors *set, const char *key)
{
    const char *text = dt_tensors_attr(set, key);
    return text ? strtoll(text, NULL, 10) : 0;
}

/* A checkpoint's "49 10 1". */
static bool parse_shape(const char *text, dt_shape *out)
{
    *out = DT_SHAPE(1);
    while (text && *text) {
        char *end;
        long long n = strtoll(text, &end, 10);
        if (end == text || n < 1 || out->rank > DT_DATA_MAX_RANK) return false;
        out->dim[out->rank++] = n;
        text = end;
    }
    return out->rank > 1 && dt_shape_count(out) > 0;
}

/* Several: "picture 16 16 1;vector 4". */
static bool parse_parts(const char *text, dt_net_input *out)
{
    int64_t record = 0;
    for (out->parts = 0; *text; out->parts++) {
        char one[DT_SHAPE_TEXT];
        size_t n = strcspn(text, ";"), name = strcspn(text, " ;");
        dt_data_part *part = &out->part[out->parts];
        dt_shape s;
        if (out->parts == DT_DATA_PARTS || n - name >= sizeof one || name == 0 ||
            name >= sizeof part->name)
            return false;
        snprintf(part->name, sizeof part->name, "%.*s", (int)name, text);
        snprintf(one, sizeof one, "%.*s", (int)(n - name), text + name);
        if (!parse_shape(one, &s)) return false;
        part->shape = (dt_shape){ .rank = s.rank - 1 };
        memcpy(part->shape.dim, s.dim + 1, (size_t)part->shape.rank * sizeof *s.dim);
        record += dt_shape_count(&s);
        text += n + (text[n] == ';');
    }
    out->shape = DT_SHAPE(1, record);
    return out->parts > 1;
}

/* Arrays: of the dataset, or of the checkpoint. False: pictures. */
static bool array_of(const dt_session *s, dt_net_input *out)
{
    const dt_data_info *info = s->data ? dt_data_info_of(s->data) : NULL;
    const char *text = info ? NULL : dt_tensors_attr(&s->init, "input.shape");
    if (text && (parse_shape(text, &out->shape) || parse_parts(text, out))) {
        out->nonneg = number_attr(&s->init, "input.nonneg") != 0;
        return true;
    }
    if (!info || !info->input.rank) return false;
    out->parts = info->parts;
    memcpy(out->part, info->part, sizeof out->part);
    out->shape = (dt_shape){ .rank = info->input.rank + 1, .dim = { 1 } };
    memcpy(out->shape.dim + 1, info->input.dim, (size_t)info->input.rank * sizeof *info->input.dim);
    out->nonneg = info->input_nonneg;
    return true;
}

static bool takes_arrays(const dt_session *s)
{
    return ((const dt_dataset *)(const void *)s->recipe->data.choice.row)->take != NULL;
}

dt_status dt_session_input(const dt_session *s, dt_net_input *out, dt_error *err)
{
    float low, high;
    *out = (dt_net_input){ .H = 0 };
    if (array_of(s, out)) return DT_OK;
    out->parts = 0;
    if (!s->data && s->file_input.rank && takes_arrays(s)) {
        out->shape = s->file_input;
        return DT_OK;
    }
    dt_normalize_range(s->normalize, &low, &high);
    *out = (dt_net_input){ .low = (double)low, .high = (double)high };
    if (s->data) {
        out->H = s->picture.H;
        out->W = s->picture.W;
    } else if (s->file_input.rank == 4) {
        out->H = s->file_input.dim[1];
        out->W = s->file_input.dim[2];
    } else {
        out->H = number_attr(&s->init, "input.height");
        out->W = number_attr(&s->init, "input.width");
    }
    if (out->H > 0 && out->W > 0 && out->H <= DT_DATA_MAX_SIDE && out->W <= DT_DATA_MAX_SIDE)
        return DT_OK;
    return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = s->recipe->model.init },
                   "tells a picture size that is outside 1..%d", DT_DATA_MAX_SIDE);
}

/* The running means of dynamics.weight_ema in the place of the values. */
static dt_status take_means(dt_session *s, dt_error *err)
{
    int taken = 0;
    for (size_t i = 0; i < s->init.count; i++) {
        const char *name =
            dt_arena_printf(s->init.arena, "dynamics/weight_ema/mean/%s", s->init.item[i].name);
        if (!name) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
        const dt_named_tensor *mean = dt_tensors_find(&s->init, name);
        if (!mean || !dt_shape_equal(&mean->shape, &s->init.item[i].shape)) continue;
        s->init.item[i].data = mean->data;
        s->init.item[i].dtype = mean->dtype;
        taken++;
    }
    if (taken) return DT_OK;
    return dt_fail(
        err, DT_ERR_NOT_FOUND, &(dt_where){ .file = s->recipe->name, .key = "model.ema" },
        "%s has no running means; runs with dynamics.weight_ema keep them", s->recipe->model.init);
}

static dt_status read_init(dt_session *s, const dt_importer **out_importer, dt_error *err)
{
    const dt_recipe_model *m = &s->recipe->model;
    dt_import_job job = {
        .path = m->init, .alloc = s->alloc, .key = m->init_key, .key_name = "model.init_key"
    };
    DT_TRY(dt_read_tensors(&job, &s->init, out_importer, err));
    memcpy(s->init_note, job.note, sizeof job.note);
    return s->recipe->model.ema ? take_means(s, err) : DT_OK;
}

/* Foreign names to those of the net. */
static dt_status adapt_init(dt_session *s, dt_error *err)
{
    dt_tensors adapted;
    DT_TRY(dt_foreign_vit(&s->net.graph, &s->init, s->recipe->model.init, s->alloc, &adapted, err));
    s->init_file = s->init;
    s->init = adapted;
    return DT_OK;
}

static dt_status import_init(dt_session *s, const dt_importer *importer, dt_error *err)
{
    const dt_recipe_model *m = &s->recipe->model;
    s->source = importer->native ? DT_INIT_CHECKPOINT : DT_INIT_FOREIGN;
    const dt_net_file file = {
        .set = &s->init,
        .path = m->init,
        .importer = importer,
        .native = s->source == DT_INIT_CHECKPOINT,
        .allow_missing = m->allow_missing,
        .reinit = &m->reinit,
        .allow = &m->allow_unexpected,
        .missing_advice = "model.allow_missing=true starts them anew",
        .unexpected_advice =
            "model.allow_unexpected=NAME leaves them out, which may be a pattern or "
            "a list",
    };
    if (!file.native) DT_TRY(adapt_init(s, err));
    return dt_net_import(&s->net, &file, &s->report, err);
}

dt_status dt_session_open_dynamics(dt_session *s, dt_error *err)
{
    enum { MOST = 32 };
    dt_dynamics_choice choice[MOST];
    size_t count = s->recipe->dynamics_count;
    if (count > MOST) return dt_fail(err, DT_ERR_RANGE, NULL, "more than %d dynamics", MOST);
    for (size_t i = 0; i < count; i++)
        choice[i] = (dt_dynamics_choice){ s->recipe->dynamics[i].row, s->recipe->dynamics[i].conf };
    const dt_dynamics_params p = { .graph = &s->net.graph,
                                   .state = &s->net.state,
                                   .kernels = &s->kernels,
                                   .threads = s->threads,
                                   .choice = choice,
                                   .count = (int)count,
                                   .file = s->recipe->name,
                                   .alloc = s->alloc };
    return dt_dynamics_open(&s->dynamics, &p, err);
}

/* Keys that say what to take of a file need one. */
static dt_status check_init(const dt_recipe *r, dt_error *err)
{
    if (r->model.ema && !r->model.init[0])
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ r->name, 0, "model.ema" },
                       "needs model.init, the checkpoint whose running means it takes");
    if (r->model.init_key[0] && !r->model.init[0])
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ r->name, 0, "model.init_key" },
                       "needs model.init, the file that it chooses in");
    return DT_OK;
}

static dt_status check_labels(const dt_session *s, dt_error *err)
{
    if (!s->data || !dt_data_info_of(s->data)->unlabelled) return DT_OK;
    return dt_fail(
        err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = s->recipe->name, .key = "data.name" },
        "'%s' has no labels, for detent quantize; to train or to evaluate take 'folder', a "
        "sub-folder a class",
        s->recipe->data.choice.row->name);
}

static dt_status open_all(dt_session *s, const dt_session_params *p, dt_error *err)
{
    const dt_importer *importer = NULL;
    bool has_init = s->recipe->model.init[0] && !p->skip_init;
    DT_TRY(check_init(s->recipe, err));
    dt_net_input input;
    DT_TRY(dt_kernels_init(&s->kernels, p->isa, err));
    if (has_init) DT_TRY(dt_budget_check_file(s->recipe->model.init, &p->memory, err));
    if (has_init) DT_TRY(read_init(s, &importer, err));
    bool told = number_attr(&s->init, "input.height") || dt_tensors_attr(&s->init, "input.shape");
    if (p->no_data && !told) DT_TRY(dt_net_file_input(s->recipe, &s->file_input, err));
    if (!p->no_data || !(told || s->file_input.rank)) DT_TRY(dt_session_open_data(s, p->need, err));
    if (p->training || p->scores) DT_TRY(check_labels(s, err));
    DT_TRY(dt_session_input(s, &input, err));
    DT_TRY(dt_budget_check(s, p, &input, err));
    DT_TRY(dt_net_init(&s->net, s->recipe, &input, p->training || p->gradients, s->alloc, err));
    s->net.plain = p->plain;
    DT_TRY(check_targets(s, err));
    if (dt_net_brings_weights(s->recipe)) s->source = DT_INIT_FILE;
    if (has_init) DT_TRY(import_init(s, importer, err));
    DT_TRY(dt_session_name_classes(s, err));
    if (p->training || p->dynamics) DT_TRY(dt_session_open_dynamics(s, err));
    if (p->training || p->teacher)
        DT_TRY(dt_teacher_open(&s->teacher, s->recipe, &input, s->alloc, err));
    return p->training ? DT_OK : dt_session_judge(s, &s->net.graph, p->calibrate, err);
}

dt_status dt_session_start(dt_session *s, dt_recipe *recipe, int threads, const dt_alloc *alloc,
                           dt_error *err)
{
    *s = (dt_session){ .recipe = recipe, .alloc = alloc };
    s->threads = threads > 0 ? threads : dt_cpu_count();
    if (s->threads > DT_MAX_THREADS)
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "threads" }, "%d is outside 1..%d",
                       s->threads, DT_MAX_THREADS);
    s->data_conf = recipe->data.common;
    s->normalize = dt_normalizes;
    if (takes_arrays(s)) return DT_OK; /* loaders read the keys */
    return dt_normalize_of(s->data_conf, &s->own_normalize, &s->normalize, err);
}

dt_status dt_session_open(dt_session *s, const dt_session_params *p, dt_error *err)
{
    DT_TRY(dt_session_start(s, p->recipe, p->threads, p->alloc, err));
    s->memory = p->memory;
    dt_status st = open_all(s, p, err);
    if (st != DT_OK) dt_session_close(s);
    return st;
}

void dt_session_close(dt_session *s)
{
    dt_dynamics_close(&s->dynamics);
    dt_teacher_close(&s->teacher);
    dt_net_fini(&s->net);
    dt_data_close(s->data);
    dt_tensors_fini(&s->init);
    dt_tensors_fini(&s->init_file);
    dt_put(s->alloc, s->classes);
    *s = (dt_session){ 0 };
}

static dt_status open_loader(dt_session *s, dt_split split, dt_split transforms, int64_t batch,
                             const dt_share *share, dt_loader **out_loader, dt_error *err)
{
    dt_transform_step steps[DT_TRANSFORM_MAX];
    int count = 0;
    bool own = s->data_conf->normalize == DT_NORMALIZE_COUNT;
    DT_TRY(dt_session_steps(s->recipe, transforms, steps, &count, err));
    const dt_loader_params p = { .data = s->data,
                                 .split = split,
                                 .batch = batch,
                                 .first = share->first,
                                 .count = share->count,
                                 .of = share->batches,
                                 .val = s->data_conf->val,
                                 .most = s->recipe->eval.pictures,
                                 .seed = (uint64_t)s->recipe->train.seed,
                                 .normalize = s->normalize,
                                 .mean = own ? &s->data_conf->mean : NULL,
                                 .std = own ? &s->data_conf->std : NULL,
                                 .steps = steps,
                                 .step_count = count,
                                 .classes = s->recipe->model.classes,
                                 .skip_broken = s->data_conf->broken == DT_BROKEN_SKIP,
                                 .threads = dt_data_info_of(s->data)->coded ? s->threads : 1,
                                 .alloc = s->alloc };
    return dt_loader_open(&p, out_loader, err);
}

dt_status dt_session_loader(dt_session *s, dt_split split, int64_t batch, dt_loader **out_loader,
                            dt_error *err)
{
    return dt_session_loader_as(s, split, split, batch, out_loader, err);
}

dt_status dt_session_loader_as(dt_session *s, dt_split split, dt_split transforms, int64_t batch,
                               dt_loader **out_loader, dt_error *err)
{
    const dt_share whole = { .batches = 0 };
    return open_loader(s, split, transforms, batch, &whole, out_loader, err);
}

dt_status dt_session_train_loader(dt_session *s, const dt_share *share, dt_loader **out_loader,
                                  dt_error *err)
{
    return open_loader(s, DT_SPLIT_TRAIN, DT_SPLIT_TRAIN, s->data_conf->batch, share, out_loader,
                       err);
}

dt_status dt_session_calibrate_phase(dt_session *s, const dt_graph *graph, const dt_graph *before,
                                     dt_norms norms, dt_site_fn site, void *arg, dt_error *err)
{
    dt_loader *loader;
    dt_batch batch;
    DT_TRY(dt_session_loader(s, DT_SPLIT_TRAIN, s->data_conf->batch, &loader, err));
    dt_status st = dt_loader_next(loader, &batch, err);
    if (st == DT_OK)
        st = dt_net_calibrate_phase(&s->net, graph, before, norms, &s->kernels, s->threads, batch.x,
                                    dt_batch_answers(&batch), s->data_conf->batch, true, site, arg,
                                    s->alloc, err);
    dt_loader_close(loader);
    return st;
}

dt_status dt_session_calibrate(dt_session *s, dt_site_fn site, void *arg, int *out_flipped,
                               int *out_small, dt_error *err)
{
    *out_flipped = *out_small = 0;
    if (!s->kept) *out_flipped = dt_net_make_gamma_positive(&s->net, out_small);
    DT_TRY(dt_session_calibrate_phase(s, &s->net.graph, NULL, DT_NORMS_BATCH, site, arg, err));
    s->quantizers_ready = true;
    return DT_OK;
}
