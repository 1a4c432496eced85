/* The section `dynamics`: a map from rows to their options; a row that is named is in use. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/section.h"

static dt_status read_row(dt_recipe *recipe, const dt_row *row, const dt_yaml_node *in,
                          dt_yaml_node *section, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    dt_recipe_choice *choice = &recipe->dynamics[recipe->dynamics_count++];
    const dt_section s = { .opts = row->opts };
    const dt_yaml_node *map = in;
    dt_yaml_node *out;
    choice->row = row;
    if (in->kind == DT_YAML_SCALAR && !*in->text && !in->quoted) map = NULL; /* "row:" alone */
    DT_TRY(dt_conf_new(r->arena, row, &choice->conf, err));
    DT_TRY(dt_section_map(r, section, row->name, in, &out, err));
    return dt_section_read(r, &s, map, out, choice->conf, NULL, err);
}

dt_status dt_recipe_read_dynamics(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    const dt_table *table = r->tables->dynamics;
    dt_yaml_node *out;
    if (!in) return DT_OK; /* and the effective recipe has no such section */
    if (!table || in->kind != DT_YAML_MAP)
        return dt_node_fail(in, DT_ERR_FORMAT, err, "must be a map from rows to their options");
    DT_TRY(dt_section_map(r, recipe->state->effective, "dynamics", in, &out, err));
    size_t bytes;
    if (!dt_size_mul(in->count + 1, sizeof *recipe->dynamics, &bytes) ||
        !(recipe->dynamics = dt_arena_get(r->arena, bytes)))
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    for (const dt_yaml_node *n = in->first; n; n = n->next) {
        char path[DT_YAML_PATH];
        const dt_row *row;
        dt_where where = dt_yaml_where(n, path);
        DT_TRY(dt_table_get(table, n->key, &where, &row, err));
    }
    for (const dt_row *const *row = table->rows; *row; row++) {
        const dt_yaml_node *n = dt_yaml_find(in, (*row)->name);
        if (n) DT_TRY(read_row(recipe, *row, n, out, err));
    }
    return DT_OK;
}
