/* Reconstruction of one unit: some of its parameters are moved by gradients until its output comes
 * near to that of the float net (Nagel 2020, arXiv:2004.10568; Li 2021, arXiv:2102.05426). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_RECON_H
#define DT_PTQ_RECON_H

#include "optim/optimizer.h"
#include "ptq/units.h"

typedef struct dt_ptq_recon dt_ptq_recon;
typedef struct dt_ptq_variable dt_ptq_variable;

enum { DT_PTQ_VARIABLES = 8, DT_PTQ_LOSSES = 4 };

/* A variable of a unit under way. */
typedef struct dt_ptq_moving {
    const dt_ptq_variable *row;
    void *state; /* row->state_size bytes, zero at first */
    dt_ptq_recon *r;
} dt_ptq_moving;

/* What is moved: one file var_<name>.c, a row in variables.def. */
struct dt_ptq_variable {
    dt_row row;
    bool weights; /* moves weights; one such variable at most */
    size_t state_size;
    /* Gets its memory (dt_ptq_memory) and starts; marks the parameters whose gradients it wants in
     * r->wanted. */
    dt_status (*open)(dt_ptq_moving *m, dt_error *err);
    /* Before a forward pass: puts what stands for the weights into their place; their quantizers
     * are left out then. NULL: they are not. */
    void (*place)(dt_ptq_moving *m);
    /* After a backward pass: gradients are r->q->p->state->grad. */
    void (*step)(dt_ptq_moving *m);
    /* Puts the result into the net, with weights on their grids; NULL: it is there. `out`: the
     * share that was undecided. */
    void (*finish)(dt_ptq_moving *m, dt_ptq_result *out);
};

/* A loss of a unit under way. */
typedef struct dt_ptq_compared {
    const struct dt_ptq_loss *row;
    void *state; /* row->state_size bytes, zero at first */
    dt_ptq_recon *r;
} dt_ptq_compared;

/* Outputs of the unit for some pictures, at most r->batch. */
typedef struct dt_ptq_outputs {
    int64_t pictures;
    const int64_t *picture; /* which they are */
    const real *y, *t;      /* [pictures, features]: of the unit, and of the float net */
} dt_ptq_outputs;

/* What a unit's output is compared by: loss_<name>.c, a row in losses.def. */
typedef struct dt_ptq_loss {
    dt_row row;
    size_t state_size;
    /* Before anything is moved, with r->target there. NULL: nothing to do. */
    dt_status (*open)(dt_ptq_compared *c, dt_error *err);
    void (*close)(dt_ptq_compared *c); /* whatever came of open; NULL: nothing to do */
    /* The mean loss of the pictures; its gradient is added to dy [pictures, features] (NULL: not
     * wanted). */
    double (*measure)(dt_ptq_compared *c, const dt_ptq_outputs *o, real *dy);
} dt_ptq_loss;

/* loss.c: those of a recipe, which are added up. */
dt_status dt_ptq_losses_open(dt_ptq_recon *r, dt_error *err) DT_MUST_CHECK;
void dt_ptq_losses_close(dt_ptq_recon *r);
double dt_ptq_losses_measure(dt_ptq_recon *r, const dt_ptq_outputs *o, real *dy);
/* The mean over rows of the sum over channels of weight |y - t|^power, all [rows, C] (weight NULL:
 * 1); its gradient is added to dy (NULL: not wanted). */
double dt_ptq_pnorm(int threads, int64_t rows, int64_t C, const real *y, const real *t,
                    const real *weight, double power, real *dy);

typedef enum dt_ptq_input { DT_PTQ_QUANT, DT_PTQ_PLAIN, DT_PTQ_MIX } dt_ptq_input;

typedef struct dt_ptq_recon_conf {
    dt_opt_str unit, optimizer;
    dt_opt_words variables, loss;
    int input; /* dt_ptq_input */
    int iterations, batch;
    double share, drop, power;
    double lr, lr_step, lr_bias, lr_weight;
    double kl, temperature;
    double regularize, warmup, beta_start, beta_end;
} dt_ptq_recon_conf;

struct dt_ptq_recon {
    dt_ptq *q;
    const dt_ptq_unit *unit;
    const dt_ptq_recon_conf *conf;
    dt_ptq_compared loss[DT_PTQ_LOSSES];
    dt_ptq_moving variable[DT_PTQ_VARIABLES];
    int loss_count, variable_count;
    dt_arena *arena;
    dt_ptq_weight *weight; /* of the unit */
    int weight_count;
    bool *wanted; /* by value: parameters that get gradients */
    dt_graph graph, fused;
    dt_plan plan;
    dt_exec exec;
    real *quant, *plain,
        *target;         /* [count, features]: input in both nets, output of the float one */
    real *x, *t, *dy;    /* of a batch */
    int64_t *picture;    /* [batch] */
    int64_t batch, step; /* step: of this unit, from 0 */
    double progress;     /* 0..1 */
};

void *dt_ptq_memory(dt_ptq_recon *r, size_t bytes); /* zero; NULL: no memory */
int64_t dt_ptq_channels(const dt_ptq_recon *r);     /* of the unit's output */

/* ---- train.c: parameters that an optimizer moves, for variables ---- */

typedef struct dt_ptq_trained {
    real *value;      /* [n]: what is moved */
    const real *grad; /* [n] */
    real *state[DT_OPTIMIZER_STATES];
    size_t n;
} dt_ptq_trained;

typedef struct dt_ptq_trainer {
    const dt_optimizer *optimizer;
    void *conf;
} dt_ptq_trainer;

/* `name`: a row of the optimizers, at its defaults, without decay. */
dt_status dt_ptq_trainer_init(dt_ptq_recon *r, const char *name, dt_ptq_trainer *out,
                              dt_error *err) DT_MUST_CHECK;
dt_status dt_ptq_trained_init(dt_ptq_recon *r, const dt_ptq_trainer *t, real *value,
                              const real *grad, size_t n, dt_ptq_trained *out,
                              dt_error *err) DT_MUST_CHECK;
void dt_ptq_train(const dt_ptq_recon *r, const dt_ptq_trainer *t, dt_ptq_trained *what, double lr);
/* A cosine from 1 to 0 over the iterations. */
double dt_ptq_cosine(const dt_ptq_recon *r);

/* Runs the unit and gives the mean loss over all pictures in `r->quant`, with the net as it is. */
dt_status dt_ptq_recon_measure(dt_ptq_recon *r, double *out, dt_error *err) DT_MUST_CHECK;
/* One unit from its start to its end. What does not lower its loss is undone. */
dt_status dt_ptq_recon_unit(dt_ptq *q, const dt_ptq_unit *unit, const dt_ptq_recon_conf *conf,
                            dt_ptq_result *out, dt_error *err) DT_MUST_CHECK;

#endif
