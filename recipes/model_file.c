/* Models that are read from a file: which key names the row, and what the file tells; and how many
 * classes the data's folder has, where the recipe does not say it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "recipes/section.h"

/* A key of `model` that is a row's name and, too, an option of that row; NULL: none. */
static const dt_yaml_node *naming_key(const dt_table *models, const dt_yaml_node *model)
{
    for (const dt_yaml_node *n = model ? model->first : NULL; n; n = n->next) {
        const dt_row *row = n->key ? dt_table_find(models, n->key) : NULL;
        if (row && dt_opt_find(row->opts, n->key)) return n;
    }
    return NULL;
}

static dt_status add(dt_recipe *recipe, dt_yaml_node *model, const dt_yaml_node *origin,
                     const char *key, const char *text, dt_error *err)
{
    dt_yaml_node *made;
    if (dt_yaml_find(model, key)) return DT_OK;
    return dt_yaml_add(recipe->state->reader.arena, model, DT_YAML_SCALAR, key, text, origin, &made,
                       err);
}

dt_status dt_recipe_data_classes(dt_recipe *recipe, dt_yaml_node *in, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    dt_yaml_node *model = dt_yaml_find(in, "model"), *data = dt_yaml_find(in, "data");
    const dt_yaml_node *name = dt_yaml_find(data, "name"), *root = dt_yaml_find(data, "root");
    const char *set = name ? dt_yaml_text(name) : NULL, *path = NULL;
    const dt_row *row = set ? dt_table_find(r->tables->datasets, set) : NULL;
    if (!model || model->kind != DT_YAML_MAP || dt_yaml_find(model, "classes") || !row || !root ||
        !r->tables->data_classes)
        return DT_OK;
    DT_TRY(dt_section_path(r, root, &path, err));
    int count = path && *path ? r->tables->data_classes(row, path) : 0;
    char classes[16];
    snprintf(classes, sizeof classes, "%d", count);
    return count ? add(recipe, model, root, "classes", classes, err) : DT_OK;
}

/* Nothing in the file says what it expects of samples. */
static dt_status check_normalize(const dt_yaml_node *in, const dt_yaml_node *file, dt_error *err)
{
    if (dt_yaml_find(dt_yaml_find(in, "data"), "normalize")) return DT_OK;
    return dt_node_fail(
        file, DT_ERR_NOT_FOUND, err,
        "does not tell what it expects of samples: say data.normalize, as none "
        "(0..1), half (-1..1), imagenet, or {mean: 0, std: 1, range: 255} (0..255); of arrays "
        "{mean: 0, std: 1} (as they are)");
}

/* The file's quantizers, unless the recipe says something of quantizers. */
static dt_status add_quant(dt_recipe *recipe, dt_yaml_node *in, const dt_yaml_node *origin,
                           dt_error *err)
{
    dt_yaml_node *quant;
    if (dt_yaml_find(in, "quant")) return DT_OK;
    DT_TRY(dt_yaml_add(recipe->state->reader.arena, in, DT_YAML_MAP, "quant", NULL, origin, &quant,
                       err));
    return add(recipe, quant, origin, "placement", "file", err);
}

dt_status dt_recipe_model_file(dt_recipe *recipe, dt_yaml_node *in, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    dt_yaml_node *model = dt_yaml_find(in, "model");
    const dt_yaml_node *file = naming_key(r->tables->models, model);
    dt_recipe_file told = { .sha256 = "" };
    char classes[16];
    const char *path;
    if (!file || !r->tables->model_file || dt_yaml_find(model, "sha256")) return DT_OK;
    DT_TRY(add(recipe, model, file, "name", file->key, err));
    DT_TRY(dt_section_path(r, file, &path, err));
    if (!path || !*path) return DT_OK; /* told when the option is read */
    const dt_row *row = dt_table_find(r->tables->models, file->key);
    DT_TRY(r->tables->model_file(row, path, &told, err));
    if (told.weights) DT_TRY(check_normalize(in, file, err));
    DT_TRY(add(recipe, model, file, "sha256", told.sha256, err));
    if (told.quantized) DT_TRY(add_quant(recipe, in, file, err));
    snprintf(classes, sizeof classes, "%d", told.classes);
    return told.classes ? add(recipe, model, file, "classes", classes, err) : DT_OK;
}
