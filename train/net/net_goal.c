/* The goal of a network. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/net_goal.h"

#include <stdio.h>
#include <string.h>

#include "autograd/op_loss_sum.h"

_Static_assert((int)DT_GOAL_PARTS <= (int)DT_LOSS_SUM_MOST, "a loss_sum takes those of all parts");

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
}

/* Where a task stands in the recipe: "task", or "tasks.N" of the part. */
static const char *place_of(const dt_recipe *recipe, int part, const char *key, char text[48])
{
    if (recipe->task_count)
        snprintf(text, 48, "tasks.%d.%s", part, key);
    else
        snprintf(text, 48, "task.%s", key);
    return text;
}

static const dt_recipe_task *task_of(const dt_recipe *recipe, int part)
{
    return recipe->task_count ? &recipe->tasks[part] : &recipe->task;
}

static dt_status set_task(dt_goal_part *g, const dt_recipe *recipe, int part, dt_error *err)
{
    char key[48];
    const dt_recipe_task *t = task_of(recipe, part);
    const dt_row *row = t->loss.row;
    g->task = (const dt_net_task *)(const void *)t->choice.row;
    g->conf = t->choice.conf;
    g->weight = recipe->task_count ? t->weight : 1;
    if (!row) DT_TRY(dt_table_get(&dt_losses, g->task->loss, NULL, &row, err));
    g->loss = (const dt_loss *)(const void *)row;
    if (g->loss->answer != g->task->answer)
        return dt_fail(
            err, DT_ERR_ARG, &(dt_where){ recipe->name, 0, place_of(recipe, part, "loss", key) },
            "'%s' compares with other answers than those of task '%s', whose own is '%s'",
            row->name, g->task->row.name, g->task->loss);
    return DT_OK;
}

dt_status dt_net_goal_begin(dt_net *net, const dt_recipe *recipe, dt_error *err)
{
    dt_goal *g = &net->goal;
    *g = (dt_goal){ .decides = -1 };
    if (recipe->task_count) return DT_OK;
    DT_TRY(set_task(&g->part[0], recipe, 0, err));
    g->trained = g->count = 1;
    g->decides = 0;
    g->K = g->part[0].K = net->classes;
    return DT_OK;
}

/* The names of all outputs, for messages. */
static void list_outputs(const dt_graph *g, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < g->port_count && used < size; i++)
        if (g->port[i].kind == DT_PORT_OUTPUT)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                     g->port[i].name);
}

/* A part of every output: of the record, in the order of the ports. `at`, K, output. */
static dt_status set_outputs(const dt_graph *g, dt_goal_part out[DT_GOAL_PARTS], int *out_count,
                             dt_error *err)
{
    int64_t at = 0;
    *out_count = 0;
    for (int i = 0; i < g->port_count; i++) {
        const dt_port *p = &g->port[i];
        const dt_shape *s = &g->value[p->value].shape;
        if (p->kind != DT_PORT_OUTPUT) continue;
        if (*out_count == DT_GOAL_PARTS)
            return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = p->name },
                           "is one output more than the %d that a net may have", DT_GOAL_PARTS);
        out[(*out_count)++] = (dt_goal_part){ .output = p->name, .K = dt_shape_count(s), .at = at };
        at += dt_shape_count(s);
    }
    return DT_OK;
}

static int find_part(const dt_goal_part *all, int count, const char *output)
{
    for (int i = 0; i < count; i++)
        if (strcmp(all[i].output, output) == 0) return i;
    return -1;
}

static dt_status unknown_output(const dt_recipe *recipe, int part, const dt_graph *g,
                                const dt_goal_part *all, int count, dt_error *err)
{
    char key[48], text[400];
    const char *names[DT_GOAL_PARTS], *want = recipe->tasks[part].output;
    for (int i = 0; i < count; i++)
        names[i] = all[i].output;
    const char *near = dt_nearest(want, names, (size_t)count);
    list_outputs(g, text, sizeof text);
    return dt_fail(err, DT_ERR_NOT_FOUND,
                   &(dt_where){ recipe->name, 0, place_of(recipe, part, "output", key) },
                   "'%s' is no output of the network, whose are: %s%s%s%s", want, text,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Parts in the order of the tasks; outputs without one come last. */
static dt_status match_tasks(dt_net *net, const dt_recipe *recipe, dt_error *err)
{
    dt_goal *g = &net->goal;
    dt_goal_part all[DT_GOAL_PARTS];
    bool taken[DT_GOAL_PARTS] = { false };
    size_t answer_at = 0;
    DT_TRY(set_outputs(&net->graph, all, &g->count, err));
    g->trained = (int)recipe->task_count;
    for (int i = 0; i < g->trained; i++) {
        int at = find_part(all, g->count, recipe->tasks[i].output);
        if (at < 0) return unknown_output(recipe, i, &net->graph, all, g->count, err);
        taken[at] = true;
        g->part[i] = all[at];
        DT_TRY(set_task(&g->part[i], recipe, i, err));
        g->part[i].output = recipe->tasks[i].output; /* which outlives the graph */
        g->part[i].answer_at = answer_at;
        answer_at += dt_goal_part_bytes(&g->part[i]);
        if (recipe->tasks[i].best || g->trained == 1) g->decides = i;
    }
    for (int k = 0, to = g->trained; k < g->count; k++)
        if (!taken[k]) g->part[to++] = all[k];
    g->K = dt_graph_outputs(&net->graph);
    return DT_OK;
}

dt_status dt_net_goal_port(dt_net *net, const dt_recipe *recipe, dt_error *err)
{
    const char *name = recipe->task_count ? "output" : net->goal.part[0].task->output;
    if (dt_graph_output(&net->graph, 0) >= 0) return DT_OK;
    return dt_graph_port(&net->graph, DT_PORT_OUTPUT, name, net->logits, err);
}

static dt_status match_outputs(dt_net *net, const dt_recipe *recipe, dt_error *err)
{
    char text[400];
    dt_goal_part *only = &net->goal.part[0];
    dt_graph *g = &net->graph;
    if (recipe->task_count) return match_tasks(net, recipe, err);
    list_outputs(g, text, sizeof text);
    if (dt_graph_output(g, 1) >= 0)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ recipe->name, 0, "task" },
                       "is that of one output, the network has several: %s; tasks=[{output: %s, "
                       "name: %s}, ...] says what each is trained for",
                       text, dt_graph_port_name(g, net->logits, "NAME"), only->task->row.name);
    only->output = dt_graph_port_name(g, net->logits, only->task->output);
    return DT_OK;
}

/* The loss's options, in the graph's memory. `smoothed`: it had labels that could be. */
static dt_status set_loss_conf(dt_net *net, const dt_recipe *recipe, int part, bool *smoothed,
                               dt_error *err)
{
    dt_goal_part *g = &net->goal.part[part];
    const dt_recipe_task *t = task_of(recipe, part);
    const dt_row *row = &g->loss->row;
    void *conf = dt_arena_get(net->graph.arena, row->conf_size ? row->conf_size : 1);
    if (!conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_opt_defaults(row->opts, conf);
    if (t->loss.conf) memcpy(conf, t->loss.conf, row->conf_size);
    if (g->loss->smooth) {
        g->loss->smooth(conf, recipe->train.label_smoothing);
        *smoothed = true;
    }
    g->loss_conf = conf;
    return DT_OK;
}

static dt_status set_loss_confs(dt_net *net, const dt_recipe *recipe, dt_error *err)
{
    double share = recipe->train.label_smoothing;
    bool smoothed = false;
    for (int i = 0; i < net->goal.trained; i++)
        DT_TRY(set_loss_conf(net, recipe, i, &smoothed, err));
    if (smoothed || share <= 0) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, &(dt_where){ recipe->name, 0, "train.label_smoothing" },
                   "%g: loss '%s' has no labels that could be smoothed", share,
                   net->goal.part[0].loss->row.name);
}

dt_status dt_net_add_answer(dt_net *net, const dt_goal_part *p, const char *name, int *out,
                            dt_error *err)
{
    bool label = p->task->answer == DT_ANSWER_LABEL;
    const dt_value v = { .name = name,
                         .kind = DT_VALUE_INPUT,
                         .batched = true,
                         .shape = label ? DT_SHAPE(1) : DT_SHAPE(1, p->K),
                         .store = label ? DT_STORE_INT32 : DT_STORE_REAL };
    DT_TRY(dt_graph_value(&net->graph, &v, out, err));
    return dt_graph_port(&net->graph, DT_PORT_ANSWER, name, *out, err);
}

dt_status dt_net_add_loss(dt_net *net, const dt_goal_part *p, const char *name, int output,
                          int answers, int *out, dt_error *err)
{
    const int in[] = { output, answers };
    return dt_graph_node(&net->graph, p->loss->row.name, name, p->loss_conf, in, 2, out, err);
}

static int output_of(const dt_graph *g, const char *name)
{
    for (int i = 0; i < g->port_count; i++)
        if (g->port[i].kind == DT_PORT_OUTPUT && strcmp(g->port[i].name, name) == 0)
            return g->port[i].value;
    return -1;
}

/* Answers are called as the outputs that are compared with them. */
static dt_status add_losses(dt_net *net, dt_error *err)
{
    dt_loss_sum_conf sum = { { 0 } };
    int loss[DT_GOAL_PARTS], answer;
    const dt_goal *g = &net->goal;
    bool alone = g->trained == 1 && g->part[0].weight == 1;
    for (int i = 0; i < g->trained; i++) {
        const dt_goal_part *p = &g->part[i];
        const char *name = alone ? "loss" : dt_arena_printf(net->graph.arena, "loss.%s", p->output);
        if (!name) return no_memory(err);
        DT_TRY(dt_net_add_answer(net, p, p->output, &answer, err));
        if (i == 0) net->labels = answer;
        DT_TRY(dt_net_add_loss(net, p, name, output_of(&net->graph, p->output), answer, &loss[i],
                               err));
        sum.weight[i] = p->weight;
    }
    net->loss = loss[0];
    if (alone) return DT_OK;
    return dt_graph_node(&net->graph, "loss_sum", "loss", &sum, loss, g->trained, &net->loss, err);
}

dt_status dt_net_goal_end(dt_net *net, const dt_recipe *recipe, dt_error *err)
{
    DT_TRY(match_outputs(net, recipe, err));
    DT_TRY(set_loss_confs(net, recipe, err));
    if (recipe->task_count) return add_losses(net, err);
    return dt_net_add_loss(net, &net->goal.part[0], "loss", net->logits, net->labels, &net->loss,
                           err);
}
