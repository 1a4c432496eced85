/* The section `task`: what the net is trained for, and with which loss. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/section.h"

/* Without the section, and in the effective recipe there is none either: the first task. */
static dt_status first_task(dt_reader *r, dt_recipe_task *t, dt_error *err)
{
    t->choice.row = r->tables->tasks ? r->tables->tasks->rows[0] : NULL;
    return t->choice.row ? dt_conf_new(r->arena, t->choice.row, &t->choice.conf, err) : DT_OK;
}

dt_status dt_recipe_read_task(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    dt_recipe_task *t = &recipe->task;
    dt_yaml_node *out, *loss;
    if (!in) return first_task(r, t, err);
    if (!r->tables->tasks || !r->tables->losses)
        return dt_node_fail(in, DT_ERR_UNSUPPORTED, err, "this program knows no tasks");
    DT_TRY(dt_section_map(r, recipe->state->effective, "task", in, &out, err));
    DT_TRY(dt_section_read(r, &r->section[DT_SECTION_TASK], in, out, NULL, &t->choice, err));
    in = dt_yaml_find(in, "loss");
    if (!in) return DT_OK;
    DT_TRY(dt_section_map(r, out, "loss", in, &loss, err));
    return dt_section_read(r, &r->section[DT_SECTION_LOSS], in, loss, NULL, &t->loss, err);
}
