/* Training steps on given batches, for the comparison with PyTorch (steps.py).
 *
 * usage: steps RECIPE BATCHES SIDE STEPS OUT ISA
 *
 * BATCHES has float pictures [STEPS,N,SIDE,SIDE,3], already normalised, then int32 labels
 * [STEPS,N], N being the recipe's batch. OUT gets tensors, each a line "name dimensions..." and its
 * floats: the losses, the logits of an evaluation of the first batch (eval_logits) and of the first
 * step, and its gradients in the engine's layout. ISA is the highest tier of kernels; exit status
 * 77 when this machine lacks it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/import.h"
#include "train/net/session.h"
#include "train/run/optim_state.h"

typedef struct run {
    dt_recipe *recipe;
    dt_kernels kernels;
    dt_net net;
    dt_optim_state optim;
    dt_plan plan;
    dt_exec exec;
    int64_t batch, side;
    int steps;
    float *pictures;
    int32_t *labels;
    FILE *out;
} run;

static dt_status load_weights(run *r, dt_error *err)
{
    dt_tensors set;
    dt_net_report report;
    const dt_importer *importer;
    dt_import_job job = { .path = r->recipe->model.init };
    DT_TRY(dt_read_tensors(&job, &set, &importer, err));
    const dt_net_file file = { .set = &set, .path = r->recipe->model.init, .importer = importer };
    dt_status st = dt_net_import(&r->net, &file, &report, err);
    dt_tensors_fini(&set);
    return st;
}

static dt_status read_batches(run *r, const char *path, dt_error *err)
{
    size_t rows = (size_t)(r->batch * r->steps), pixels = rows * (size_t)(r->side * r->side * 3);
    r->pictures = dt_get_array(NULL, pixels, sizeof *r->pictures, "batches");
    r->labels = dt_get_array(NULL, rows, sizeof *r->labels, "batches");
    FILE *f = fopen(path, "rb");
    bool ok = f && r->pictures && r->labels && fread(r->pictures, 4, pixels, f) == pixels &&
              fread(r->labels, 4, rows, f) == rows;
    if (f) fclose(f);
    return ok ? DT_OK : dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path }, "is too short");
}

static dt_status prepare(run *r, char **argv, dt_error *err)
{
    const dt_recipe_params p = { .tables = &dt_tables, .path = argv[1] };
    DT_TRY(dt_recipe_read(&p, &r->recipe, err));
    r->batch = ((const dt_data_conf *)r->recipe->data.common)->batch;
    r->side = atoi(argv[3]);
    r->steps = atoi(argv[4]);
    const dt_net_input input = { .H = r->side, .W = r->side, .low = -3, .high = 3 };
    DT_TRY(dt_net_init(&r->net, r->recipe, &input, true, NULL, err));
    DT_TRY(load_weights(r, err));
    DT_TRY(read_batches(r, argv[2], err));
    const int outputs[] = { r->net.loss, r->net.logits };
    DT_TRY(dt_optim_state_init(&r->optim, &r->recipe->train, &r->net.graph, NULL, err));
    DT_TRY(dt_plan_init(&r->plan,
                        &(dt_plan_request){ .graph = dt_net_steps(&r->net),
                                            .kernels = &r->kernels,
                                            .mode = DT_MODE_TRAIN,
                                            .batch = r->batch,
                                            .threads = dt_cpu_count(),
                                            .outputs = outputs,
                                            .output_count = 2 },
                        NULL, err));
    DT_TRY(dt_exec_init(&r->exec, &r->plan, &r->net.state, &r->kernels, NULL, NULL, err));
    r->out = fopen(argv[5], "wb");
    return r->out ? DT_OK : dt_fail(err, DT_ERR_IO, &(dt_where){ .file = argv[5] }, "cannot write");
}

static void put(run *r, const char *name, const dt_shape *shape, const real *x)
{
    fprintf(r->out, "%s", name);
    for (int i = 0; i < shape->rank; i++)
        fprintf(r->out, " %lld", (long long)shape->dim[i]);
    fprintf(r->out, "\n");
    fwrite(x, sizeof *x, (size_t)dt_shape_count(shape), r->out);
}

/* Before the first step, with running statistics. */
static dt_status evaluate(run *r, dt_error *err)
{
    dt_plan plan;
    dt_exec e = { 0 };
    const dt_shape logits = DT_SHAPE(r->batch, r->net.classes);
    DT_TRY(dt_plan_init(&plan,
                        &(dt_plan_request){ .graph = dt_net_steps(&r->net),
                                            .kernels = &r->kernels,
                                            .mode = DT_MODE_EVAL,
                                            .batch = r->batch,
                                            .threads = dt_cpu_count(),
                                            .outputs = &r->net.logits,
                                            .output_count = 1 },
                        NULL, err));
    dt_status st = dt_exec_init(&e, &plan, &r->net.state, &r->kernels, NULL, NULL, err);
    if (st == DT_OK) {
        dt_exec_set_input(&e, r->net.input, r->pictures);
        st = dt_exec_forward(&e, err);
    }
    if (st == DT_OK) put(r, "eval_logits", &logits, dt_exec_value(&e, r->net.logits));
    dt_exec_fini(&e);
    dt_plan_fini(&plan);
    return st;
}

static void put_first(run *r)
{
    const dt_graph *g = &r->net.graph;
    const dt_shape logits = DT_SHAPE(r->batch, r->net.classes);
    put(r, "logits", &logits, dt_exec_value(&r->exec, r->net.logits));
    for (int i = 0; i < g->value_count; i++)
        if (r->net.state.grad[i])
            put(r, g->value[i].name, &g->value[i].shape, r->net.state.grad[i]);
}

static dt_status steps(run *r, dt_error *err)
{
    real loss[64];
    double lr = dt_optimizer_lr(r->optim.optimizer, r->recipe->train.optimizer.conf);
    int64_t picture = r->side * r->side * 3;
    for (int i = 0; i < r->steps && i < 64; i++) {
        dt_exec_set_input(&r->exec, r->net.input, r->pictures + i * r->batch * picture);
        dt_exec_set_input(&r->exec, r->net.labels, r->labels + i * r->batch);
        DT_TRY(dt_exec_forward(&r->exec, err));
        dt_exec_backward(&r->exec);
        loss[i] = ((real *)dt_exec_value(&r->exec, r->net.loss))[0];
        if (i == 0) put_first(r);
        dt_optim_update(&r->optim, &r->net.state, lr, i);
    }
    const dt_shape shape = DT_SHAPE(r->steps);
    put(r, "losses", &shape, loss);
    return DT_OK;
}

int main(int argc, char **argv)
{
    static run r;
    dt_error err = { 0 };
    if (argc != 7) return 2;
    if (dt_kernels_init(&r.kernels, argv[6], &err) != DT_OK) return 77;
    dt_status st = prepare(&r, argv, &err);
    if (st == DT_OK) st = evaluate(&r, &err);
    if (st == DT_OK) st = steps(&r, &err);
    if (st != DT_OK) fprintf(stderr, "%s\n", err.text);
    if (r.out && fclose(r.out) != 0) st = DT_ERR_IO;
    dt_exec_fini(&r.exec);
    dt_plan_fini(&r.plan);
    dt_optim_state_fini(&r.optim);
    dt_net_fini(&r.net);
    dt_recipe_free(r.recipe);
    dt_put(NULL, r.pictures);
    dt_put(NULL, r.labels);
    return st != DT_OK;
}
