/* Running a plan: parameters and their gradients live in a state, everything else in one arena. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_EXEC_H
#define DT_AUTOGRAD_EXEC_H

#include "autograd/plan.h"

/* Parameters and buffers of a graph. Indexed by value id; NULL for other values. */
typedef struct dt_state {
    const dt_graph *graph;
    real **data;
    real **grad; /* parameters: those that the last backward pass wrote, NULL elsewhere (before the
                  * first: all, zero); NULL without gradients */
    real **grad_memory; /* by value: what grad[v] is where it is there */
    dt_arena *arena;
    size_t param_count; /* elements of all parameters */
    size_t bytes;
} dt_state;

/* Allocates and initialises: weights by fan_in and the stream (seed, INIT, name). */
dt_status dt_state_init(dt_state *s, const dt_graph *g, bool with_grads, uint64_t seed,
                        const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
/* The state of a graph that has the values of base's graph under their numbers, and more: those are
 * base's, parameters and buffers that were added have memory of their own. `base` must outlive it.
 */
dt_status dt_state_overlay(dt_state *s, const dt_graph *g, const dt_state *base, uint64_t seed,
                           const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
/* The parameters and buffers of `base`, with gradients of its own. `base` must outlive it. */
dt_status dt_state_twin(dt_state *s, const dt_state *base, const dt_alloc *a,
                        dt_error *err) DT_MUST_CHECK;
void dt_state_fini(dt_state *s);

/* Called around every forward node; run->out is filled when `after`. */
typedef dt_status (*dt_exec_hook)(void *arg, const dt_node *node, const dt_op_run *run, bool after,
                                  dt_error *err);

typedef struct dt_exec {
    const dt_plan *plan;
    const dt_kernels *kernels;
    dt_state *state;
    void **slot;                /* memory of each slot */
    void **input;               /* by value: memory of inputs and given values, the caller's */
    void *part[DT_GRAPH_PORTS]; /* by port, of several inputs or answers: [batch, ...] of each */
    const real **given_grad;    /* by value: gradients from outside, the caller's */
    dt_arena *arena;
    dt_exec_hook hook; /* NULL: none */
    void *hook_arg;
    uint64_t seed; /* of the random numbers of ops; the caller sets both before a forward pass */
    int64_t step;
    double *moves; /* [plan->moves]: forward leaves here what running statistics are moved by, for
                    * dt_exec_move, and they stay; NULL: they move. The caller's. */
    int batches;   /* whose statistics are joined, autograd/together.h; 0: this one's are its own */
    dt_replay replay; /* gradient tests */
    real **residual;  /* by node; gradient tests */
    /* Called in a backward pass when a node has done its part; NULL: not. */
    void (*after_back)(void *arg, int node);
    void *after_back_arg;
    bool lost; /* the last forward pass met values that are not finite, whatever came out of it */
    double *op_seconds; /* by node, 2 per node (forward, backward); NULL: not measured */
} dt_exec;

/* `memory` has plan->arena_bytes or more (64-byte aligned) and may be shared by executors that do
 * not run at the same time. NULL: the executor gets its own, one piece a slot in sanitizer builds.
 */
dt_status dt_exec_init(dt_exec *e, const dt_plan *p, dt_state *s, const dt_kernels *k, void *memory,
                       const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
void dt_exec_fini(dt_exec *e);

/* Borrowed until the next forward pass. */
void *dt_exec_value(const dt_exec *e, int value);
/* Of inputs and given values. `data` is borrowed and only read. */
void dt_exec_set_input(dt_exec *e, int value, const void *data);
/* All that goes into the graph by its ports: samples [batch, dt_graph_record]. Of one input `data`
 * is borrowed and only read; of several each gets its part, copied. */
void dt_exec_feed(dt_exec *e, const real *data);
/* The same of answers: one behind the other in a sample's record, whose elements have 4 bytes. */
void dt_exec_feed_answers(dt_exec *e, const void *data);
/* Outputs of the first n samples, [n, dt_graph_outputs]: of one output those of the executor, until
 * the next forward pass; of several put together in `room`. */
const real *dt_exec_outputs(const dt_exec *e, int64_t n, real *room);
/* Of the request's seeds, before a backward pass; `gradient` is borrowed until it ends. */
void dt_exec_set_gradient(dt_exec *e, int value, const real *gradient);
/* Of the request's `gradients`, after a backward pass and until the next forward pass; NULL:
 * nothing that was wanted depends on the value. */
const real *dt_exec_gradient(const dt_exec *e, int value);

/* Errors come from the hook only. */
dt_status dt_exec_forward(dt_exec *e, dt_error *err) DT_MUST_CHECK;
/* Moves running statistics by what a forward pass left: those of a step's batches, in order, after
 * all of them have run. */
void dt_exec_move(dt_exec *e, const double *moves);
/* Gradients into state->grad, of the parameters that the plan writes; the others have none then.
 * After a forward pass of a train plan. */
void dt_exec_backward(dt_exec *e);

#endif
