/* Lists of rows with their options: transforms of pictures, stages of `ptq`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/section.h"

dt_status dt_recipe_read_row(dt_recipe *recipe, const dt_table *table, const dt_yaml_node *in,
                             dt_yaml_node *list, dt_recipe_choice *choice, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    dt_yaml_node *out, *map;
    const dt_yaml_node *arg = NULL;
    if (in->kind == DT_YAML_MAP && in->count == 1)
        arg = in->first;
    else if (in->kind != DT_YAML_SCALAR)
        return dt_node_fail(in, DT_ERR_FORMAT, err, "must be a %s's name, or name: options",
                            table->kind);
    char path[DT_YAML_PATH];
    dt_where where = dt_yaml_where(in, path);
    DT_TRY(dt_table_get(table, arg ? arg->key : in->text, &where, &choice->row, err));
    const dt_row *row = choice->row;
    DT_TRY(dt_conf_new(r->arena, row, &choice->conf, err));
    if (!row->opts || !row->opts->type) {
        if (arg && (arg->kind != DT_YAML_MAP || arg->count))
            return dt_node_fail(arg, DT_ERR_NOT_FOUND, err, "'%s' has no options", row->name);
        return dt_yaml_add(r->arena, list, DT_YAML_SCALAR, NULL, row->name, in, &out, err);
    }
    const dt_section s = { .opts = row->opts };
    DT_TRY(dt_section_map(r, list, NULL, in, &out, err));
    DT_TRY(dt_section_map(r, out, row->name, arg, &map, err));
    if (!arg || arg->kind == DT_YAML_MAP)
        return dt_section_read(r, &s, arg, map, choice->conf, NULL, err);
    DT_TRY(dt_option_set(arg, row->opts, choice->conf, err));
    for (const dt_opt *o = row->opts; o->type; o++)
        DT_TRY(dt_option_emit(r, map, o, choice->conf, arg, err));
    return DT_OK;
}

dt_status dt_recipe_read_rows(dt_recipe *recipe, const dt_table *table, const dt_yaml_node *in,
                              const char *key, dt_yaml_node *out, dt_recipe_choice **out_at,
                              size_t *out_count, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    dt_yaml_node *list;
    in = dt_yaml_find(in, key);
    DT_TRY(dt_yaml_add(r->arena, out, DT_YAML_SEQ, key, NULL, in, &list, err));
    if (!in) return DT_OK;
    if (in->kind != DT_YAML_SEQ)
        return dt_node_fail(in, DT_ERR_FORMAT, err, "must be a list of %ss", table->kind);
    size_t bytes;
    if (!dt_size_mul(in->count, sizeof **out_at, &bytes))
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    *out_at = dt_arena_get(r->arena, bytes);
    if (!*out_at) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    for (const dt_yaml_node *n = in->first; n; n = n->next)
        DT_TRY(dt_recipe_read_row(recipe, table, n, list, &(*out_at)[(*out_count)++], err));
    return DT_OK;
}
