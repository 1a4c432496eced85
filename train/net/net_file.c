/* Networks whose graph is read from a file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/net_file.h"

#include <stdio.h>
#include <string.h>

#include "core/glob.h"
#include "exchange/layout.h"
#include "layers/place.h"
#include "train/net/net_yaml.h"

static const dt_model *model_of(const dt_recipe *recipe)
{
    return (const dt_model *)(const void *)recipe->model.choice.row;
}

bool dt_net_brings_weights(const dt_recipe *recipe)
{
    return dt_net_model_file(recipe) && !model_of(recipe)->describes;
}

const dt_model_source *dt_net_model_file(const dt_recipe *recipe)
{
    const dt_model *model = model_of(recipe);
    return model->file ? model->file(recipe->model.choice.conf) : NULL;
}

dt_status dt_net_file_input(const dt_recipe *recipe, dt_shape *out, dt_error *err)
{
    dt_onnx_net *net;
    *out = (dt_shape){ .rank = 0 };
    if (!dt_net_brings_weights(recipe)) return DT_OK;
    DT_TRY(dt_onnx_net_open(dt_net_model_file(recipe)->path, NULL, &net, err));
    dt_onnx_net_input(net, out);
    dt_onnx_net_close(net);
    return DT_OK;
}

static dt_status check_file(const char *sha256, const dt_model_source *f, dt_error *err)
{
    if (!*f->sha256 || strcmp(f->sha256, sha256) == 0) return DT_OK;
    return dt_fail(
        err, DT_ERR_FORMAT, &(dt_where){ .file = f->path },
        "is another file than the recipe's: its SHA-256 is %.16s..., model.sha256 %.16s...", sha256,
        f->sha256);
}

static bool starts_anew(const dt_recipe *recipe, const char *name)
{
    const dt_opt_words *patterns = &recipe->model.reinit;
    for (int i = 0; i < patterns->count; i++)
        if (dt_glob_match(patterns->value[i], name)) return true;
    return false;
}

/* Is the layer among those that the recipe starts anew? */
static bool is_anew(const dt_recipe *recipe, const char *layer)
{
    char name[256];
    snprintf(name, sizeof name, "%s.weight", layer);
    return starts_anew(recipe, name);
}

/* A list of layers has as many outputs as the recipe has classes, where it says `classes`. */
static dt_status build_layers(dt_net *net, const dt_recipe *recipe, const dt_model_source *f,
                              dt_builder *b, dt_error *err)
{
    dt_yaml_net *file;
    DT_TRY(dt_yaml_net_open(f->path, NULL, &file, err));
    dt_status st = check_file(dt_yaml_net_sha256(file), f, err);
    if (st == DT_OK)
        st = dt_yaml_net_build(file, b, net->input, net->classes, &net->logits, NULL, NULL, err);
    dt_yaml_net_close(file);
    if (st != DT_OK || recipe->task_count || dt_graph_output(&net->graph, 1) >= 0 ||
        net->graph.value[net->logits].shape.dim[1] == net->classes)
        return st;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = recipe->name, .key = "model.classes" },
                   "%d differs from the %lld outputs of %s; a last layer with out: classes has as "
                   "many",
                   net->classes, (long long)net->graph.value[net->logits].shape.dim[1], f->path);
}

dt_status dt_net_file_build(dt_net *net, const dt_recipe *recipe, const dt_model_source *f,
                            dt_builder *b, dt_error *err)
{
    char key[64];
    snprintf(key, sizeof key, "model.%s", model_of(recipe)->row.name);
    if (!*f->path)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = recipe->name, .key = key },
                       "is not given; say %s=FILE", key);
    if (model_of(recipe)->describes) return build_layers(net, recipe, f, b, err);
    DT_TRY(dt_onnx_net_open(f->path, NULL, &net->file, err));
    DT_TRY(check_file(dt_onnx_net_sha256(net->file), f, err));
    net->given = recipe->quant.enabled && dt_policies[recipe->quant.placement].given;
    if (net->given && !dt_onnx_net_is_quantized(net->file))
        return dt_fail(err, DT_ERR_NOT_FOUND,
                       &(dt_where){ .file = recipe->name, .key = "quant.placement" },
                       "'%s': %s has no quantizers; deploy places some",
                       dt_policies[recipe->quant.placement].name, f->path);
    int classes = recipe->task_count ? 0 : net->classes; /* of `tasks`: those of the file */
    if (recipe->task_count) dt_onnx_net_want_all(net->file);
    DT_TRY(dt_onnx_net_build(net->file, b, net->input, classes, net->given, &net->logits, err));
    const char *last = dt_onnx_net_resized(net->file);
    if (recipe->task_count) return DT_OK;
    const dt_shape *s = &net->graph.value[net->logits].shape;
    if (s->dim[1] == net->classes && (!last || is_anew(recipe, last))) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = recipe->name, .key = "model.classes" },
                   "%d differs from the %d outputs of %s; model.reinit=%s.* starts its last layer "
                   "anew",
                   net->classes, dt_onnx_net_classes(net->file), f->path, last ? last : "LAYER");
}

void dt_net_file_fill(dt_net *net, const dt_recipe *recipe)
{
    for (int i = 0; net->file && i < net->graph.value_count; i++) {
        const dt_value *v = &net->graph.value[i];
        const float *from = dt_layout_is_kept(v) && !starts_anew(recipe, v->name)
                                ? dt_onnx_net_values(net->file, v->name)
                                : NULL;
        for (int64_t k = 0; from && k < dt_shape_count(&v->shape); k++)
            net->state.data[i][k] = (real)from[k];
    }
    dt_onnx_net_close(net->file);
    net->file = NULL;
}
