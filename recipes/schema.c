/* Sections of a recipe and the options that belong to no row. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/schema.h"

#include <limits.h>

static const dt_opt root_opts[] = {
    DT_OPT_STR(dt_recipe, name, "", "name of the run's folder; default: the file's name"),
    DT_OPT_END,
};

static const dt_opt model_opts[] = {
    DT_OPT_INT(dt_recipe_model, classes, 10, 1, 100000,
               "outputs: of classes, or what else the task wants"),
    DT_OPT_STR(dt_recipe_model, init, "", "checkpoint to start from, relative to the recipe"),
    DT_OPT_STR(
        dt_recipe_model, init_key, "",
        "what to read of `init`, of another program: a dictionary in it, or what names begin "
        "with; default: weights rather than averages"),
    DT_OPT_BOOL(dt_recipe_model, allow_missing, 0,
                "parameters that `init` lacks keep their random start"),
    DT_OPT_WORDS(dt_recipe_model, reinit,
                 "parameters that start anew though `init` or the model's file has them, as of a "
                 "classifier for other classes: names or patterns"),
    DT_OPT_WORDS(dt_recipe_model, allow_unexpected,
                 "tensors of `init` that the model lacks and that may be left out: names or "
                 "patterns (* any characters, ? one)"),
    DT_OPT_BOOL(dt_recipe_model, ema, 0,
                "read the running means that dynamics.weight_ema kept in `init`"),
    DT_OPT_END,
};

static const dt_opt quant_opts[] = {
    DT_OPT_ENUM(dt_recipe_quant, placement, DT_PLACEMENT_DEPLOY, "paper|deploy|trt|file",
                "paper: inputs and weights of layers; deploy: also adds, stream and pooling; file: "
                "where the model's file has quantizers, with their numbers"),
    DT_OPT_BOOL(dt_recipe_quant, share, 1,
                "layers that read one value in the same way share its quantizer; false: one each"),
    DT_OPT_STR(
        dt_recipe_quant, rounding, "fp32",
        "how the integer model rounds, in verify, eval --arith integer and a C export: fp32, "
        "unfused, xnnpack, single or double"),
    DT_OPT_BOOL(dt_recipe_quant, fold_norm, 0,
                "quantize weights times the factor of the batch norm behind them, as of the net "
                "whose batch norms were folded"),
    DT_OPT_END,
};

const dt_opt dt_side_opts[] = {
    DT_OPT_INT(dt_quant_choice, bits, 8, 1, 8, "bits per value"),
    DT_OPT_ENUM(dt_quant_choice, granularity, DT_PER_TENSOR, "tensor|channel|group",
                "one scale for a tensor, for each output channel, or for runs of `group` elements"),
    DT_OPT_INT(dt_quant_choice, group, 64, 1, 1000000,
               "elements of a group; must divide those of an output channel"),
    DT_OPT_ENUM(dt_quant_choice, ste, 0, "own|plain|clipped|ewgs|tanh|sigmoid|stochastic",
                "gradient of rounding: the method's own, passed everywhere or in the range only, "
                "scaled by the rounding error, of a soft staircase; stochastic: as clipped, and "
                "training rounds at random"),
    DT_OPT_FLOAT(dt_quant_choice, ste_strength, 0, 0, 32,
                 "delta of ewgs (for a range of 1), alpha of tanh, a of sigmoid; 0: 0.001, 0.4, 4"),
    DT_OPT_END,
};

static const dt_opt residual_opts[] = {
    { "bits", DT_OPT_TYPE_INT, offsetof(dt_recipe_quant, residual_bits), 8, 2, 8, NULL,
      "bits of the residual stream in placement deploy" },
    DT_OPT_END,
};

static const dt_opt train_opts[] = {
    DT_OPT_INT(dt_recipe_train, epochs, 30, 1, 100000, "passes over the training set"),
    DT_OPT_INT(dt_recipe_train, max_steps, 0, 0, INT_MAX,
               "ends the run early without changing the schedule; 0: no limit"),
    DT_OPT_INT(dt_recipe_train, accumulate, 1, 1, 4096,
               "batches of a step; their gradients are averaged, so a step has data.batch times as "
               "many samples"),
    DT_OPT_BOOL(dt_recipe_train, sync_norm, 0,
                "batch norms see all batches of a step together; every batch of a process then "
                "has memory of its own"),
    DT_OPT_INT(dt_recipe_train, seed, 1, 0, INT_MAX, "of every random number of the run"),
    DT_OPT_FLOAT(dt_recipe_train, label_smoothing, 0, 0, 0.999999,
                 "share of the target that is spread over all classes"),
    DT_OPT_FLOAT(dt_recipe_train, clip_norm, 0, 0, 1e6,
                 "largest norm of all gradients together; longer ones are scaled to it; 0: none"),
    DT_OPT_FLOAT(dt_recipe_train, save_minutes, 10, 0, 100000,
                 "minutes between checkpoints inside an epoch; 0: at its end only"),
    DT_OPT_INT(dt_recipe_train, log_steps, 50, 1, INT_MAX,
               "steps between two that the logs tell of"),
    DT_OPT_BOOL(dt_recipe_train, decay_norm, 0,
                "weight decay for norms, biases and embeddings too"),
    DT_OPT_BOOL(dt_recipe_train, quant_decay, 0, "weight decay for quantizer parameters too"),
    DT_OPT_FLOAT(dt_recipe_train, quant_lr, 1, 0, 1000,
                 "factor of the learning rate for quantizer parameters"),
    DT_OPT_END,
};

const dt_opt dt_phase_opts[] = {
    DT_OPT_INT(dt_recipe_phase, epoch, 0, 0, 100000, "epoch that it begins with, from 0"),
    DT_OPT_INT(dt_recipe_phase, weight_bits, 0, 0, 32,
               "no weight has fewer bits; 32: float; 0: as quant says"),
    DT_OPT_INT(dt_recipe_phase, activation_bits, 0, 0, 32, "the same for activations"),
    DT_OPT_ENUM(dt_recipe_phase, ranges, 0, "learn|frozen",
                "frozen: parameters of quantizers stay as they are"),
    DT_OPT_ENUM(dt_recipe_phase, norm, 0, "batch|frozen",
                "frozen: batch norms use their running statistics and leave them alone"),
    DT_OPT_END,
};

static const dt_opt distill_opts[] = {
    DT_OPT_STR(dt_recipe_distill, teacher, "", "checkpoint of a float net, relative to the recipe"),
    DT_OPT_STR(dt_recipe_distill, teacher_key, "", "what to read of `teacher`, as model.init_key"),
    DT_OPT_WORDS(dt_recipe_distill, allow_unexpected,
                 "tensors of `teacher` that its model lacks and that may be left out, as "
                 "model.allow_unexpected"),
    DT_OPT_FLOAT(dt_recipe_distill, temperature, 1, 0.01, 100,
                 "both nets' logits are divided by it; the loss is multiplied by its square"),
    DT_OPT_FLOAT(dt_recipe_distill, task, 1, 0, 1000, "factor of the loss with the labels"),
    DT_OPT_FLOAT(dt_recipe_distill, weight, 1, 0, 1000,
                 "factor of the cross entropy with the teacher's outputs"),
    DT_OPT_END,
};

static const dt_opt ptq_opts[] = {
    DT_OPT_INT(dt_recipe_ptq, images, 1024, 1, 1000000,
               "training pictures to calibrate and reconstruct on, without random transforms"),
    DT_OPT_INT(dt_recipe_ptq, batch, 64, 1, 8192, "pictures of a pass over them"),
    DT_OPT_ENUM(dt_recipe_ptq, score, DT_PTQ_SCORE_TEST, "test|val|none",
                "pictures that the result is measured on: the test split, data.val, or none"),
    DT_OPT_STR(dt_recipe_ptq, method, "blockwise",
               "what `stages` are unless they are given: see detent list presets"),
    DT_OPT_END,
};

static const dt_opt eval_opts[] = {
    { "batch", DT_OPT_TYPE_INT, offsetof(dt_recipe, eval.batch), 250, 1, 8192, NULL,
      "pictures at a time in evaluation" },
    { "pictures", DT_OPT_TYPE_INT, offsetof(dt_recipe, eval.pictures), 0, 0, INT_MAX, NULL,
      "only the first so many test pictures are evaluated; 0: all" },
    DT_OPT_END,
};

static const dt_opt expect_opts[] = {
    DT_OPT_FLOAT(dt_recipe_expect, top1, 0, 0, 100, "top-1 accuracy in percent"),
    DT_OPT_FLOAT(dt_recipe_expect, tolerance, 0.3, 0, 100, "percent that may be missing"),
    DT_OPT_ENUM(
        dt_recipe_expect, status, DT_EXPECT_PUBLISHED, "measured|published|not_run",
        "where the number is from: a run of this recipe or a paper; not_run: there is none"),
    DT_OPT_STR(dt_recipe_expect, source, "", "of the number: a table of a paper, a page of docs/"),
    DT_OPT_INT(dt_recipe_expect, epochs, 0, 0, 100000, "of training behind the number; 0: unsaid"),
    DT_OPT_INT(dt_recipe_expect, seeds, 0, 0, 1000,
               "runs that the number is the mean of; 0: unsaid"),
    DT_OPT_WORDS(
        dt_recipe_expect, sha256,
        "hashes of a measured run's final weights: TIER/LIBRARY=HASH, as repro tells them"),
    DT_OPT_WORDS(dt_recipe_expect, quick, "the same after the first quick_steps steps"),
    DT_OPT_INT(dt_recipe_expect, quick_steps, 20, 1, 100000, "steps of repro --quick"),
    DT_OPT_END,
};

static const dt_opt tasks_opts[] = {
    DT_OPT_STR(dt_recipe_task, output, "", "output of the network that is trained, by its name"),
    DT_OPT_STR(dt_recipe_task, target, "",
               "answer in the data that it is compared with; empty: that of the output's name, or "
               "the only one"),
    DT_OPT_FLOAT(dt_recipe_task, weight, 1, 0, 1e6, "factor of its loss in the sum of all"),
    DT_OPT_BOOL(dt_recipe_task, best, 0,
                "its first metric says which epoch is the best; of none: the loss does"),
    DT_OPT_END,
};

static const char *const root_others[] = { "model", "task",     "tasks",  "data",    "quant",
                                           "train", "dynamics", "phases", "distill", "ptq",
                                           "eval",  "expect",   NULL };
static const char *const ptq_others[] = { "stages", NULL };
static const char *const task_others[] = { "loss", NULL };
static const char *const model_paths[] = { "init", "onnx", "file", NULL };
static const char *const data_paths[] = { "root", NULL };
static const char *const distill_paths[] = { "teacher", "onnx", "file", NULL };
static const char *const data_others[] = { "train", "test", NULL };
static const char *const quant_others[] = { "weights", "activations", "residual", "first",
                                            "last",    "shortcut",    "rules",    NULL };
static const char *const train_others[] = { "optimizer", "schedule", "groups", "freeze", NULL };
const char *const dt_recipe_group_names[] = { "quant", "quant_weights", "quant_activations", NULL };

const char *const dt_unhashed_keys[] = { "name",
                                         "model.init",
                                         "model.onnx",
                                         "model.file",
                                         "model.init_key",
                                         "model.allow_unexpected",
                                         "model.reinit",
                                         "model.ema",
                                         "data.root",
                                         "expect",
                                         "train.max_steps",
                                         "train.save_minutes",
                                         "train.log_steps",
                                         "distill.teacher",
                                         "distill.onnx",
                                         "distill.file",
                                         "distill.teacher_key",
                                         "distill.allow_unexpected",
                                         NULL };

void dt_sections(const dt_recipe_tables *t, dt_section out[DT_SECTION_COUNT])
{
    const dt_section all[DT_SECTION_COUNT] = {
        [DT_SECTION_ROOT] = { .path = "", .opts = root_opts, .others = root_others },
        [DT_SECTION_MODEL] = { .path = "model",
                               .opts = model_opts,
                               .name_key = "name",
                               .table = t->models,
                               .path_keys = model_paths },
        [DT_SECTION_TASK] = { .path = "task",
                              .name_key = "name",
                              .table = t->tasks,
                              .fallback = t->tasks ? t->tasks->rows[0]->name : NULL,
                              .others = task_others },
        [DT_SECTION_LOSS] = { .path = "task.loss", .name_key = "name", .table = t->losses },
        [DT_SECTION_TASKS] = { .path = "tasks.N",
                               .opts = tasks_opts,
                               .name_key = "name",
                               .table = t->tasks,
                               .others = task_others },
        [DT_SECTION_TASKS_LOSS] = { .path = "tasks.N.loss",
                                    .name_key = "name",
                                    .table = t->losses },
        [DT_SECTION_DATA] = { .path = "data",
                              .opts = t->data_opts,
                              .name_key = "name",
                              .table = t->datasets,
                              .others = data_others,
                              .path_keys = data_paths },
        [DT_SECTION_QUANT] = { .path = "quant", .opts = quant_opts, .others = quant_others },
        [DT_SECTION_WEIGHTS] = { .path = "quant.weights",
                                 .opts = dt_side_opts,
                                 .name_key = "method",
                                 .table = t->quantizers },
        [DT_SECTION_ACTIVATIONS] = { .path = "quant.activations",
                                     .opts = dt_side_opts,
                                     .name_key = "method",
                                     .table = t->quantizers },
        [DT_SECTION_RESIDUAL] = { .path = "quant.residual", .opts = residual_opts },
        [DT_SECTION_TRAIN] = { .path = "train", .opts = train_opts, .others = train_others },
        [DT_SECTION_OPTIMIZER] = { .path = "train.optimizer",
                                   .name_key = "name",
                                   .table = t->optimizers,
                                   .fallback = "sgd" },
        [DT_SECTION_SCHEDULE] = { .path = "train.schedule",
                                  .name_key = "name",
                                  .table = t->schedules,
                                  .fallback = "cosine" },
        [DT_SECTION_DISTILL] = { .path = "distill",
                                 .opts = distill_opts,
                                 .name_key = "model",
                                 .table = t->models,
                                 .path_keys = distill_paths },
        [DT_SECTION_PTQ] = { .path = "ptq", .opts = ptq_opts, .others = ptq_others },
        [DT_SECTION_EVAL] = { .path = "eval", .opts = eval_opts },
        [DT_SECTION_EXPECT] = { .path = "expect", .opts = expect_opts, .given_only = true },
    };
    for (int i = 0; i < DT_SECTION_COUNT; i++)
        out[i] = all[i];
}
