/* The section `ptq`: quantization without training, stage by stage. A preset stands for a list of
 * stages, which is put into the document before the command line's keys change it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "recipes/section.h"

static const char method_key[] = "ptq.method=", section_key[] = "ptq.";

/* What the command line makes of the method: the last ptq.method=NAME, NULL: nothing. `out_any`: it
 * speaks of the section, which has a method then. */
static const char *asked_method(const dt_recipe_params *p, bool *out_any)
{
    const char *method = NULL;
    *out_any = false;
    for (size_t i = 0; i < p->override_count; i++) {
        if (strncmp(p->overrides[i], method_key, sizeof method_key - 1) == 0)
            method = p->overrides[i] + sizeof method_key - 1;
        if (strncmp(p->overrides[i], section_key, sizeof section_key - 1) == 0) *out_any = true;
    }
    return method;
}

static const char *default_method(const dt_reader *r)
{
    return dt_opt_find(r->section[DT_SECTION_PTQ].opts, "method")->text;
}

/* The preset's list in the place of ptq.stages. */
static dt_status put_preset(dt_reader *r, dt_yaml_node *ptq, const char *method,
                            const dt_where *where, dt_error *err)
{
    const dt_row *row;
    dt_yaml_node *list;
    DT_TRY(dt_table_get(r->tables->ptq_presets, method, where, &row, err));
    const char *text = r->tables->preset_text(row),
               *name = dt_arena_printf(r->arena, "preset %s", method);
    if (!name) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    DT_TRY(dt_yaml_parse(r->arena, name, text, strlen(text), &list, err));
    dt_yaml_node *old = dt_yaml_find(ptq, "stages");
    if (!old) return dt_yaml_attach(r->arena, ptq, "stages", list, err);
    dt_yaml_replace(old, list);
    return DT_OK;
}

dt_status dt_ptq_expand(dt_reader *r, const dt_recipe_params *p, dt_yaml_node *root, dt_error *err)
{
    bool speaks;
    char path[DT_YAML_PATH];
    const char *asked = asked_method(p, &speaks), *method = asked;
    dt_yaml_node *ptq = dt_yaml_find(root, "ptq");
    dt_where where = { .file = "command line", .key = "ptq.method" };
    if (!r->tables->ptq_presets || (!ptq && !asked && !speaks)) return DT_OK;
    if (!ptq) DT_TRY(dt_yaml_add(r->arena, root, DT_YAML_MAP, "ptq", NULL, NULL, &ptq, err));
    if (ptq->kind != DT_YAML_MAP) return DT_OK; /* its reader says what is wrong */
    if (!asked && dt_yaml_find(ptq, "stages")) return DT_OK;
    const dt_yaml_node *named = dt_yaml_find(ptq, "method");
    if (!asked && named) {
        method = dt_yaml_text(named);
        where = dt_yaml_where(named, path);
    }
    return put_preset(r, ptq, method ? method : default_method(r), &where, err);
}

dt_status dt_recipe_read_ptq(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    const dt_recipe_tables *t = r->tables;
    dt_recipe_ptq *q = &recipe->ptq;
    dt_yaml_node *out;
    if (!in || !t->ptq_stages) return DT_OK; /* and the effective recipe has no such section */
    DT_TRY(dt_section_map(r, recipe->state->effective, "ptq", in, &out, err));
    DT_TRY(dt_section_read(r, &r->section[DT_SECTION_PTQ], in, out, q, NULL, err));
    DT_TRY(dt_recipe_read_rows(recipe, t->ptq_stages, in, "stages", out, &q->stage, &q->stage_count,
                               err));
    q->enabled = true;
    return DT_OK;
}
