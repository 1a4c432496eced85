/* Training steps on one batch, for check.py: `detent train` writes a checkpoint for every pass over
 * so small a data set, which takes longer than the steps.
 *
 * usage: train RECIPE STEPS OUT
 *
 * The batch are the first test pictures. Quantizers start from data, as in a run. Prints the loss
 * of every step, a line each, and writes the net as a checkpoint. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "data/loader.h"
#include "train/run/checkpoint.h"
#include "train/run/hold.h"

typedef struct run {
    dt_session s;
    dt_optim_state optim;
    dt_hold hold;
    dt_loader *loader;
    dt_plan plan;
    dt_exec exec;
} run;

static dt_status open_plan(run *r, dt_error *err)
{
    DT_TRY(dt_plan_init(&r->plan,
                        &(dt_plan_request){ .graph = dt_net_steps(&r->s.net),
                                            .kernels = &r->s.kernels,
                                            .mode = DT_MODE_TRAIN,
                                            .batch = r->s.data_conf->batch,
                                            .threads = r->s.threads,
                                            .outputs = &r->s.net.loss,
                                            .output_count = 1 },
                        NULL, err));
    return dt_exec_init(&r->exec, &r->plan, &r->s.net.state, &r->s.kernels, NULL, NULL, err);
}

static dt_status prepare(run *r, dt_recipe *recipe, dt_error *err)
{
    int flipped, small;
    const dt_session_params p = { .recipe = recipe, .training = true, .calibrate = true };
    DT_TRY(dt_session_open(&r->s, &p, err));
    DT_TRY(dt_session_calibrate(&r->s, NULL, NULL, &flipped, &small, err));
    DT_TRY(dt_optim_state_init(&r->optim, &recipe->train, &r->s.net.graph, NULL, err));
    DT_TRY(dt_hold_init(&r->hold, &r->s.net.graph, NULL, err));
    DT_TRY(dt_session_loader(&r->s, DT_SPLIT_TEST, r->s.data_conf->batch, &r->loader, err));
    return open_plan(r, err);
}

static dt_status on_held(void *arg, const dt_hold_event *e, dt_error *err)
{
    (void)arg;
    (void)e;
    (void)err;
    return DT_OK;
}

static dt_status one_step(run *r, double lr, int64_t step, dt_error *err)
{
    dt_state *state = &r->s.net.state;
    DT_TRY(dt_exec_forward(&r->exec, err));
    dt_exec_backward(&r->exec);
    printf("%.9g\n", (double)((real *)dt_exec_value(&r->exec, r->s.net.loss))[0]);
    dt_hold_begin(&r->hold, state);
    dt_optim_update(&r->optim, state, lr, step);
    return dt_hold_end(&r->hold, &r->s.net.graph, &r->optim, state, on_held, NULL, err);
}

static dt_status steps(run *r, int count, dt_error *err)
{
    dt_batch batch;
    double lr = dt_optimizer_lr(r->optim.optimizer, r->s.recipe->train.optimizer.conf);
    DT_TRY(dt_loader_seek(r->loader, 0, 0, err));
    DT_TRY(dt_loader_next(r->loader, &batch, err));
    dt_exec_set_input(&r->exec, r->s.net.input, batch.x);
    dt_exec_set_input(&r->exec, r->s.net.labels, dt_batch_answers(&batch));
    for (int i = 0; i < count; i++)
        DT_TRY(one_step(r, lr, i, err));
    return DT_OK;
}

int main(int argc, char **argv)
{
    static run r;
    dt_error err = { 0 };
    dt_recipe *recipe = NULL;
    if (argc != 4) return 2;
    const dt_recipe_params p = { .tables = &dt_tables, .path = argv[1] };
    dt_status st = dt_recipe_read(&p, &recipe, &err);
    if (st == DT_OK) st = prepare(&r, recipe, &err);
    if (st == DT_OK) st = steps(&r, atoi(argv[2]), &err);
    if (st == DT_OK) st = dt_checkpoint_save_net(NULL, argv[3], &r.s, NULL, &err);
    if (st != DT_OK) fprintf(stderr, "%s\n", err.text);
    dt_exec_fini(&r.exec);
    dt_plan_fini(&r.plan);
    dt_loader_close(r.loader);
    dt_hold_fini(&r.hold);
    dt_optim_state_fini(&r.optim);
    dt_session_close(&r.s);
    dt_recipe_free(recipe);
    return st != DT_OK;
}
