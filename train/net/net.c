/* Building a recipe's network. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/net.h"

#include <string.h>

#include "autograd/fuse.h"
#include "autograd/op_distill.h"
#include "data/transform.h"
#include "fakequant/quantizers.h"
#include "integer/contract.h"
#include "layers/models.h"
#include "layers/place.h"
#include "train/net/net_file.h"
#include "train/net/net_goal.h"

static dt_status choose(void *arg, const char *layer, dt_layer_role role, dt_side side,
                        dt_quant_choice *out, dt_error *err)
{
    return dt_recipe_site(arg, layer, role, side, out, err);
}

/* Streams and logits: LSQ with its defaults, at the residual's bits. */
static dt_status residual_choice(dt_net *net, int bits, dt_quant_choice *out, dt_error *err)
{
    const dt_row *row;
    DT_TRY(dt_table_get(&dt_quantizers, "lsq", NULL, &row, err));
    void *conf = dt_arena_get(net->graph.arena, row->conf_size);
    if (!conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_opt_defaults(row->opts, conf);
    *out = (dt_quant_choice){ .quantized = true, .method = row, .bits = bits, .conf = conf };
    return DT_OK;
}

dt_shape dt_net_input_shape(const dt_net_input *input)
{
    return input->shape.rank ? input->shape : DT_SHAPE(1, input->H, input->W, 3);
}

int64_t dt_net_input_count(const dt_net *net)
{
    return dt_graph_record(&net->graph);
}

static dt_status add_input(dt_net *net, const char *name, const dt_shape *shape, bool nonneg,
                           int *out, dt_error *err)
{
    const dt_value v = {
        .name = name, .kind = DT_VALUE_INPUT, .batched = true, .shape = *shape, .nonneg = nonneg
    };
    DT_TRY(dt_graph_value(&net->graph, &v, out, err));
    return dt_graph_port(&net->graph, DT_PORT_INPUT, name, *out, err);
}

/* Several by their names; a single one is "input". */
static dt_status add_data(dt_net *net, const dt_net_input *input, dt_error *err)
{
    const dt_shape one = dt_net_input_shape(input);
    if (input->parts == 0)
        return add_input(net, "input", &one, input->shape.rank ? input->nonneg : input->low >= 0,
                         &net->input, err);
    for (int k = 0, v; k < input->parts; k++) {
        const dt_data_part *part = &input->part[k];
        dt_shape s = { .rank = part->shape.rank + 1, .dim = { 1 } };
        memcpy(s.dim + 1, part->shape.dim, (size_t)part->shape.rank * sizeof *s.dim);
        DT_TRY(add_input(net, part->name, &s, input->nonneg, &v, err));
        if (k == 0) net->input = v;
    }
    return DT_OK;
}

static dt_status add_inputs(dt_net *net, const dt_net_input *input, dt_error *err)
{
    const dt_goal_part *p = &net->goal.part[0];
    DT_TRY(add_data(net, input, err));
    if (net->goal.trained == 0) return DT_OK; /* of `tasks`, whose answers come last */
    return dt_net_add_answer(net, p, p->task->wanted, &net->labels, err);
}

/* The loss of steps that mix pictures: the same over targets [N,classes]. */
static dt_status add_soft_loss(dt_net *net, const dt_recipe *recipe, dt_error *err)
{
    const dt_goal_part *p = &net->goal.part[0];
    if (recipe->task_count)
        return dt_fail(
            err, DT_ERR_UNSUPPORTED, &(dt_where){ recipe->name, 0, "data.train" },
            "mixes samples, which `tasks` cannot; a recipe of one output with `task` can");
    if (!p->loss->shares)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ recipe->name, 0, "data.train" },
                       "mixes samples, and loss '%s' takes no shares of classes",
                       p->loss->row.name);
    const dt_value targets = { .name = "targets",
                               .kind = DT_VALUE_INPUT,
                               .batched = true,
                               .shape = DT_SHAPE(1, net->classes) };
    DT_TRY(dt_graph_value(&net->graph, &targets, &net->targets, err));
    return dt_net_add_loss(net, p, "soft_loss", net->logits, net->targets, &net->step_loss, err);
}

/* The loss of steps with a teacher, over that of the task. */
static dt_status add_teacher(dt_net *net, const dt_recipe *recipe, dt_error *err)
{
    const dt_recipe_distill *d = &recipe->distill;
    const dt_net_task *task = net->goal.part[0].task;
    if (recipe->task_count)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ recipe->name, 0, "distill" },
                       "is for a net of one output, whose recipe has `task` and not `tasks`");
    if (!task->distill)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "distill" },
                       "task '%s' has no loss over a teacher", task->row.name);
    const dt_value teacher = { .name = "teacher",
                               .kind = DT_VALUE_INPUT,
                               .batched = true,
                               .shape = DT_SHAPE(1, net->classes) };
    const dt_distill_conf conf = { d->temperature, d->task, d->weight };
    DT_TRY(dt_graph_value(&net->graph, &teacher, &net->teacher, err));
    const int in[] = { net->step_loss, net->logits, net->teacher };
    return dt_graph_node(&net->graph, task->distill, "distill_loss", &conf, in, 3, &net->step_loss,
                         err);
}

static bool mixes(const dt_recipe *recipe)
{
    for (size_t i = 0; i < recipe->data.train_count; i++) {
        const dt_transform *t = (const dt_transform *)(const void *)recipe->data.train[i].row;
        if (t->stage == DT_STAGE_BATCH) return true;
    }
    return false;
}

/* The net with quantizers in the place of the plain one. */
static dt_status place(dt_net *net, dt_recipe *recipe, const dt_net_input *input, const dt_alloc *a,
                       dt_error *err)
{
    const dt_recipe_quant *q = &recipe->quant;
    dt_place_params p = { .policy = &dt_policies[q->placement],
                          .choose = choose,
                          .choose_arg = recipe,
                          .share = q->share,
                          .batches = recipe->train.accumulate,
                          .input_open = input->shape.rank > 0,
                          .input_low = input->low,
                          .input_high = input->high };
    dt_graph placed;
    DT_TRY(residual_choice(net, q->residual_bits, &p.residual, err));
    int *value = dt_arena_get(net->graph.arena, sizeof *value * (size_t)net->graph.value_count);
    if (!value) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
    DT_TRY(dt_place(&net->graph, &p, a, &placed, value, err));
    net->input = value[net->input];
    if (net->goal.trained && !recipe->task_count) net->labels = value[net->labels];
    net->logits = value[net->logits];
    dt_graph_fini(&net->graph);
    net->graph = placed;
    return dt_recipe_check_rules_used(recipe, err);
}

/* What is checked early of the section `quant`, though it is needed later. */
static dt_status check_quant(const dt_net *net, const dt_recipe *recipe, dt_error *err)
{
    const dt_contract *contract;
    const dt_policy *policy = &dt_policies[recipe->quant.placement];
    if (!recipe->quant.enabled) return DT_OK;
    if (policy->given && !net->given)
        return dt_fail(err, DT_ERR_ARG,
                       &(dt_where){ .file = recipe->name, .key = "quant.placement" },
                       "'%s' is for models that a file brings with its quantizers; '%s' has none, "
                       "deploy places them",
                       policy->name, recipe->model.choice.row->name);
    return dt_contract_get(recipe->quant.rounding, "quant.rounding", &contract, err);
}

/* The model must take such inputs. */
static dt_status check_axes(const dt_recipe *recipe, const dt_net_input *input, dt_error *err)
{
    const dt_model *model = (const dt_model *)(const void *)recipe->model.choice.row;
    dt_shape x = dt_net_input_shape(input);
    int takes = model->axes ? model->axes : 3;
    char text[DT_SHAPE_TEXT];
    if (input->parts && !model->inputs)
        return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ recipe->name, 0, "model.name" },
                       "'%s' takes one input, the data gives %d ('%s', ...); a network in YAML, "
                       "model.file, takes several",
                       model->row.name, input->parts, input->part[0].name);
    if (takes < 0 || x.rank == 1 + takes) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ recipe->name, 0, "model.name" },
                   "'%s' takes inputs of %d %s beside the samples, the data gives %s%s",
                   model->row.name, takes, takes == 1 ? "axis" : "axes", dt_shape_print(&x, text),
                   takes == 1 ? "; of arrays data.flatten makes one" : "");
}

static dt_status build(dt_net *net, dt_recipe *recipe, const dt_net_input *input, const dt_alloc *a,
                       dt_error *err)
{
    DT_TRY(dt_net_goal_begin(net, recipe, err));
    DT_TRY(add_inputs(net, input, err));
    DT_TRY(check_axes(recipe, input, err));
    dt_builder b = { .graph = &net->graph, .err = err };
    const dt_model *model = (const dt_model *)(const void *)recipe->model.choice.row;
    const dt_model_source *file = dt_net_model_file(recipe);
    if (file)
        DT_TRY(dt_net_file_build(net, recipe, file, &b, err));
    else
        net->logits = model->build(&b, recipe->model.choice.conf, net->classes, net->input);
    DT_TRY(b.status);
    DT_TRY(dt_net_goal_port(net, recipe, err));
    DT_TRY(check_quant(net, recipe, err));
    if (recipe->quant.enabled && !net->given) DT_TRY(place(net, recipe, input, a, err));
    if (recipe->quant.enabled && recipe->quant.fold_norm) DT_TRY(dt_net_fold(net, err));
    DT_TRY(dt_net_goal_end(net, recipe, err));
    net->step_loss = net->loss;
    if (mixes(recipe)) DT_TRY(add_soft_loss(net, recipe, err));
    return recipe->distill.enabled ? add_teacher(net, recipe, err) : DT_OK;
}

static dt_status init_graph(dt_net *net, dt_recipe *recipe, const dt_net_input *input,
                            const dt_alloc *a, dt_error *err)
{
    *net = (dt_net){
        .H = input->H, .W = input->W, .classes = recipe->model.classes, .targets = -1, .teacher = -1
    };
    DT_TRY(dt_graph_init(&net->graph, a, err));
    return build(net, recipe, input, a, err);
}

dt_status dt_net_count(dt_recipe *recipe, const dt_net_input *input, const dt_alloc *a,
                       size_t *out_bytes, dt_error *err)
{
    dt_net net;
    dt_status st = init_graph(&net, recipe, input, a, err);
    size_t bytes = 0;
    for (int i = 0; i < net.graph.value_count; i++) {
        const dt_value *v = &net.graph.value[i];
        if (dt_value_in_state(v)) bytes += (size_t)dt_shape_count(&v->shape) * sizeof(real);
    }
    dt_net_fini(&net);
    if (st == DT_OK) *out_bytes = bytes;
    return st;
}

dt_status dt_net_init(dt_net *net, dt_recipe *recipe, const dt_net_input *input, bool with_grads,
                      const dt_alloc *a, dt_error *err)
{
    dt_status st = init_graph(net, recipe, input, a, err);
    int keep[DT_NET_WANTED];
    if (st == DT_OK) st = dt_fuse(&net->graph, keep, dt_net_keep(net, keep), &net->fused, a, err);
    if (st == DT_OK)
        st = dt_state_init(&net->state, &net->graph, with_grads, (uint64_t)recipe->train.seed, a,
                           err);
    if (st == DT_OK)
        dt_net_file_fill(net, recipe);
    else
        dt_net_fini(net);
    return st;
}

void dt_net_fini(dt_net *net)
{
    dt_onnx_net_close(net->file);
    dt_state_fini(&net->state);
    dt_graph_fini(&net->fused);
    dt_graph_fini(&net->graph);
    *net = (dt_net){ 0 };
}

int dt_net_wanted(const dt_net *net, dt_mode mode, int out[DT_NET_WANTED])
{
    int count = 0;
    out[count++] = mode == DT_MODE_TRAIN ? net->step_loss : net->loss;
    for (int p = 0; p < (mode == DT_MODE_TRAIN ? net->goal.trained : net->goal.count); p++)
        out[count++] = dt_net_output(net, p);
    return count;
}

int dt_net_output(const dt_net *net, int part)
{
    const dt_graph *g = &net->graph;
    for (int i = 0; i < g->port_count; i++)
        if (g->port[i].kind == DT_PORT_OUTPUT &&
            strcmp(g->port[i].name, net->goal.part[part].output) == 0)
            return g->port[i].value;
    return net->logits;
}

int dt_net_keep(const dt_net *net, int out[DT_NET_WANTED])
{
    int count = dt_net_wanted(net, DT_MODE_EVAL, out);
    out[count++] = net->step_loss;
    return count;
}

const dt_graph *dt_net_steps(const dt_net *net)
{
    return net->plain ? &net->graph : &net->fused;
}

bool dt_net_is_quantized(const dt_net *net)
{
    for (int i = 0; i < net->graph.node_count; i++)
        if (net->graph.node[i].op->quantizes) return true;
    return false;
}
