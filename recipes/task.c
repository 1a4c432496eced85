/* The section `task`: what the net is trained for, and with which loss; and the list `tasks`, which
 * says that of several outputs by name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "recipes/section.h"

enum { TASKS = 8 };

/* Without the section, and in the effective recipe there is none either: the first task. */
static dt_status first_task(dt_reader *r, dt_recipe_task *t, dt_error *err)
{
    t->choice.row = r->tables->tasks ? r->tables->tasks->rows[0] : NULL;
    return t->choice.row ? dt_conf_new(r->arena, t->choice.row, &t->choice.conf, err) : DT_OK;
}

static dt_status read_loss(dt_reader *r, dt_section_id id, const dt_yaml_node *in,
                           dt_yaml_node *out, dt_recipe_choice *choice, dt_error *err)
{
    dt_yaml_node *loss;
    in = dt_yaml_find(in, "loss");
    if (!in) return DT_OK;
    DT_TRY(dt_section_map(r, out, "loss", in, &loss, err));
    return dt_section_read(r, &r->section[id], in, loss, NULL, choice, err);
}

dt_status dt_recipe_read_task(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    dt_recipe_task *t = &recipe->task;
    dt_yaml_node *out;
    if (!in) return first_task(r, t, err);
    if (!r->tables->tasks || !r->tables->losses)
        return dt_node_fail(in, DT_ERR_UNSUPPORTED, err, "this program knows no tasks");
    DT_TRY(dt_section_map(r, recipe->state->effective, "task", in, &out, err));
    DT_TRY(dt_section_read(r, &r->section[DT_SECTION_TASK], in, out, NULL, &t->choice, err));
    return read_loss(r, DT_SECTION_LOSS, in, out, &t->loss, err);
}

/* An output has one task, and one task decides which epoch is the best. */
static dt_status check_task(const dt_recipe *recipe, const dt_yaml_node *in, size_t i,
                            dt_error *err)
{
    const dt_recipe_task *t = &recipe->tasks[i];
    const dt_yaml_node *output = dt_yaml_find(in, "output");
    if (!*t->output)
        return dt_node_fail(output ? output : in, DT_ERR_NOT_FOUND, err,
                            "needs an 'output' of the network, by its name");
    for (size_t k = 0; k < i; k++) {
        if (strcmp(recipe->tasks[k].output, t->output) == 0)
            return dt_node_fail(output, DT_ERR_RANGE, err, "'%s' has a task already, tasks.%zu",
                                t->output, k);
        if (recipe->tasks[k].best && t->best)
            return dt_node_fail(dt_yaml_find(in, "best"), DT_ERR_RANGE, err,
                                "'%s' decides already which epoch is the best",
                                recipe->tasks[k].output);
    }
    return DT_OK;
}

dt_status dt_recipe_read_tasks(dt_recipe *recipe, const dt_yaml_node *root, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    const dt_yaml_node *in = dt_yaml_find(root, "tasks");
    dt_yaml_node *list, *out;
    if (!in) return DT_OK; /* and the effective recipe has none */
    if (!r->tables->tasks || !r->tables->losses)
        return dt_node_fail(in, DT_ERR_UNSUPPORTED, err, "this program knows no tasks");
    if (dt_yaml_find(root, "task"))
        return dt_node_fail(in, DT_ERR_RANGE, err, "stands beside task; one of them says it all");
    if (in->kind != DT_YAML_SEQ || !in->first || in->count > TASKS)
        return dt_node_fail(in, DT_ERR_FORMAT, err,
                            "must be a list of 1 to %d maps, as - {output: class, name: classify}",
                            TASKS);
    recipe->tasks = dt_arena_get(r->arena, in->count * sizeof *recipe->tasks);
    if (!recipe->tasks) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    DT_TRY(dt_yaml_add(r->arena, recipe->state->effective, DT_YAML_SEQ, "tasks", NULL, in, &list,
                       err));
    for (const dt_yaml_node *n = in->first; n; n = n->next) {
        dt_recipe_task *t = &recipe->tasks[recipe->task_count];
        DT_TRY(dt_section_map(r, list, NULL, n, &out, err));
        DT_TRY(dt_section_read(r, &r->section[DT_SECTION_TASKS], n, out, t, &t->choice, err));
        DT_TRY(read_loss(r, DT_SECTION_TASKS_LOSS, n, out, &t->loss, err));
        DT_TRY(check_task(recipe, n, recipe->task_count, err));
        recipe->task_count++;
    }
    return DT_OK;
}
