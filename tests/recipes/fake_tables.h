/* Small tables with every kind of option, for tests of the recipe reader; optimizers and schedules
 * are the real ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_RECIPES_FAKE_TABLES_H
#define DT_TESTS_RECIPES_FAKE_TABLES_H

#include <string.h>

#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "recipes/recipe.h"

typedef struct fake_net {
    int shortcut;
    dt_opt_str head;
} fake_net;
static const dt_opt net_opts[] = {
    DT_OPT_ENUM(fake_net, shortcut, 0, "pad|conv", "skip branch"),
    DT_OPT_STR(fake_net, head, "linear", "name of the head"),
    DT_OPT_END,
};
static const dt_row net20 = { "resnet20", "", net_opts, sizeof(fake_net) };
static const dt_row net32 = { "resnet32", "", net_opts, sizeof(fake_net) };
static const dt_row net44 = { "resnet44", "", net_opts, sizeof(fake_net) };
static const dt_row net56 = { "resnet56", "", net_opts, sizeof(fake_net) };
/* Read from a file. */
typedef struct fake_file {
    dt_opt_str onnx, sha256;
} fake_file;
static const dt_opt file_opts[] = {
    DT_OPT_STR(fake_file, onnx, "", "file"),
    DT_OPT_STR(fake_file, sha256, "", "its hash"),
    DT_OPT_END,
};
static const dt_row filed = { "onnx", "", file_opts, sizeof(fake_file) };
/* The same of another kind of file. */
typedef struct fake_layers {
    dt_opt_str file, sha256;
} fake_layers;
static const dt_opt layers_opts[] = {
    DT_OPT_STR(fake_layers, file, "", "file"),
    DT_OPT_STR(fake_layers, sha256, "", "its hash"),
    DT_OPT_END,
};
static const dt_row layered = { "file", "", layers_opts, sizeof(fake_layers) };
static const dt_row *const nets[] = { &net20, &net32, &net44, &net56, &filed, &layered, NULL };

typedef struct fake_data {
    int batch, normalize, val;
    dt_opt_str root;
} fake_data;
static const dt_opt data_opts[] = {
    DT_OPT_INT(fake_data, batch, 128, 1, 8192, "pictures a step"),
    DT_OPT_STR(fake_data, root, "", "folder"),
    DT_OPT_ENUM(fake_data, normalize, 0, "imagenet|cifar|none", "mean and deviation"),
    DT_OPT_INT(fake_data, val, 0, 0, 50000, "pictures for validation"),
    DT_OPT_END,
};
typedef struct fake_cifar {
    int limit;
} fake_cifar;
static const dt_opt cifar_opts[] = {
    DT_OPT_INT(fake_cifar, limit, 0, 0, 50000, "pictures at most"),
    DT_OPT_END,
};
static const dt_row cifar = { "cifar10", "", cifar_opts, sizeof(fake_cifar) };
static const dt_opt clash_opts[] = {
    { "train", DT_OPT_TYPE_INT, offsetof(fake_cifar, limit), 0, 0, 9, NULL, "clashes" },
    DT_OPT_END,
};
static const dt_row clash = { "clash", "", clash_opts, sizeof(fake_cifar) };
static const dt_row *const sets[] = { &cifar, &clash, NULL };

typedef struct fake_crop {
    int pad;
    bool mirror;
} fake_crop;
static const dt_opt crop_opts[] = {
    DT_OPT_INT(fake_crop, pad, 4, 0, 16, "border"),
    DT_OPT_BOOL(fake_crop, mirror, 0, "mirror the border"),
    DT_OPT_END,
};
static const dt_row crop = { "pad_crop", "", crop_opts, sizeof(fake_crop) };
static const dt_row flip = { "hflip", "", NULL, 0 };
static const dt_row *const transforms[] = { &crop, &flip, NULL };

typedef struct fake_lsq {
    double grad_scale;
    int act_n;
} fake_lsq;
static const dt_opt lsq_opts[] = {
    DT_OPT_FLOAT(fake_lsq, grad_scale, 1, 0, 100, "factor of the scale's gradient"),
    DT_OPT_ENUM(fake_lsq, act_n, 0, "numel|features", "what N counts"),
    DT_OPT_END,
};
static const dt_row none = { "none", "", NULL, 0 };
static const dt_row lsq = { "lsq", "", lsq_opts, sizeof(fake_lsq) };
typedef struct fake_pact {
    double alpha;
} fake_pact;
static const dt_opt pact_opts[] = {
    DT_OPT_FLOAT(fake_pact, alpha, 6, 0, 100, "first clipping value"),
    DT_OPT_END,
};
static const dt_row pact = { "pact", "", pact_opts, sizeof(fake_pact) };
static const dt_row *const quantizers[] = { &none, &lsq, &pact, NULL };

/* pact: 2 bits at least. */
static inline void fake_bits(const dt_row *quantizer, int *min, int *max)
{
    *min = quantizer == &pact ? 2 : 1;
    *max = 8;
}

static const dt_table model_table = { "model", nets }, set_table = { "dataset", sets },
                      transform_table = { "transform", transforms },
                      quantizer_table = { "quantizer", quantizers };
typedef struct fake_tracker {
    double momentum;
} fake_tracker;
static const dt_opt tracker_opts[] = {
    DT_OPT_FLOAT(fake_tracker, momentum, 0.001, 0, 1, "weight of a step"),
    DT_OPT_END,
};
static const dt_row tracker = { "tracker", "", tracker_opts, sizeof(fake_tracker) };
static const dt_row damper = { "damper", "", NULL, 0 };
static const dt_row *const dynamics_rows[] = { &tracker, &damper, NULL };
static const dt_table dynamics_table = { "dynamics", dynamics_rows };
typedef struct fake_task {
    int limit;
} fake_task;
static const dt_opt task_opts[] = {
    DT_OPT_INT(fake_task, limit, 1, 0, 9, "of what is measured"),
    DT_OPT_END,
};
typedef struct fake_loss {
    double delta;
} fake_loss;
static const dt_opt loss_opts[] = {
    DT_OPT_FLOAT(fake_loss, delta, 1, 0, 9, "how far"),
    DT_OPT_END,
};
static const dt_row sort_task = { "sort", "", NULL, 0 };
static const dt_row measure_task = { "measure", "", task_opts, sizeof(fake_task) };
static const dt_row near_loss = { "near", "", NULL, 0 };
static const dt_row far_loss = { "far", "", loss_opts, sizeof(fake_loss) };
static const dt_row *const task_rows[] = { &sort_task, &measure_task, NULL };
static const dt_row *const loss_rows[] = { &near_loss, &far_loss, NULL };
static const dt_table task_table = { "task", task_rows }, loss_table = { "loss", loss_rows };
/* What every file is. */
static inline dt_status fake_model_file(const dt_row *model, const char *path, dt_recipe_file *out,
                                        dt_error *err)
{
    (void)model;
    out->weights = true;
    if (strstr(path, "none"))
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = path }, "is not there");
    snprintf(out->sha256, DT_SHA256_HEX, "%zu bytes of name", strlen(path));
    out->classes = 7;
    out->quantized = strstr(path, "qdq") != NULL;
    return DT_OK;
}

/* A folder "some" has five classes, others do not tell. */
static inline int fake_data_classes(const dt_row *dataset, const char *root)
{
    (void)dataset;
    return strstr(root, "some") ? 5 : 0;
}

static const dt_recipe_tables fake_tables = { .models = &model_table,
                                              .datasets = &set_table,
                                              .transforms = &transform_table,
                                              .quantizers = &quantizer_table,
                                              .optimizers = &dt_optimizers,
                                              .schedules = &dt_schedules,
                                              .dynamics = &dynamics_table,
                                              .tasks = &task_table,
                                              .losses = &loss_table,
                                              .data_opts = data_opts,
                                              .data_conf_size = sizeof(fake_data),
                                              .model_file = fake_model_file,
                                              .data_classes = fake_data_classes,
                                              .bits_range = fake_bits };

/* Reads a text as /r/x.yaml with overrides (NULL-terminated; NULL: none). */
static inline dt_status fake_read(const char *text, const char *const *overrides, dt_recipe **out,
                                  dt_error *err)
{
    size_t n = 0;
    while (overrides && overrides[n])
        n++;
    const dt_recipe_params p = { .tables = &fake_tables,
                                 .path = "/r/x.yaml",
                                 .text = text,
                                 .overrides = overrides,
                                 .override_count = n };
    return dt_recipe_read(&p, out, err);
}

#define FAKE_BASE "model: {name: resnet20}\ndata: {name: cifar10}\n"

#endif
