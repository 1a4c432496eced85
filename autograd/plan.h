/* A plan is (graph, batch, mode) and what is wanted of them: shapes of every value, lifetimes of
 * every tensor, and where each lies in one arena. Time runs forward through the nodes 0..n-1 and
 * back: the backward pass of node i happens at 2n-1-i. Tensors whose lifetimes do not meet share
 * memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_PLAN_H
#define DT_AUTOGRAD_PLAN_H

#include "autograd/graph.h"
#include "core/thread.h"

typedef enum dt_slot_kind {
    DT_SLOT_VALUE,
    DT_SLOT_GRAD,
    DT_SLOT_SAVED,
    DT_SLOT_WORK,
    DT_SLOT_SUM, /* gradient of an op that cannot add, before it is added */
} dt_slot_kind;

typedef struct dt_slot {
    dt_slot_kind kind;
    int owner;       /* value (VALUE, GRAD) or node */
    int first, last; /* lifetime, inclusive */
    size_t bytes, offset;
} dt_slot;

typedef struct dt_plan_node {
    bool runs, runs_back;
    int saved, forward_work, backward_work; /* slots, -1: none */
    int sum[DT_OP_MAX_IN];                  /* slots of gradients to be added, -1: none */
    bool wants[DT_OP_MAX_IN];               /* input i gets a gradient */
    bool add[DT_OP_MAX_IN];                 /* ... that is added to what is there */
    bool leaves;       /* the gradient of input 0 is finished by its producer's backward pass */
    int unfinished_by; /* node that left this one's gradient unfinished, -1: none */
    int remakes;       /* node that runs forward again before this one's backward pass, -1: none */
    int remake_work;   /* slot: forward_work of that pass */
    int64_t moves;     /* where its numbers are among those of dt_plan.moves, -1: it has none */
} dt_plan_node;

typedef struct dt_plan {
    const dt_graph *graph;
    dt_mode mode;
    dt_norms norms; /* never OF_MODE */
    int64_t batch;
    int threads;
    dt_shape *shape;  /* by value */
    int *value_slot;  /* by value, -1: no memory in the arena */
    int *remade_slot; /* by value: of one that is made again for backward, -1: value_slot */
    int *grad_slot;   /* by value, -1: none, or a parameter's */
    bool *writes;     /* by value: the backward pass gives it a gradient */
    bool *given;      /* by value: comes from outside */
    bool *keeps_grad; /* by value: its gradient is there to the end */
    int *seed;        /* values whose gradients come from outside; none: loss */
    int seed_count;
    int loss;           /* TRAIN without seeds; -1: none */
    dt_plan_node *node; /* by node */
    dt_slot *slot;
    int slot_count;
    int64_t moves;      /* numbers that running statistics are moved by, dt_op_statistics.count */
    size_t arena_bytes; /* what the step needs */
    size_t sum_bytes;   /* what it would need without sharing */
    dt_arena *arena;
} dt_plan;

/* What is to be computed of a graph: all of it, or a part between values that are given and values
 * that are wanted. Lists are read by dt_plan_init only. */
typedef struct dt_plan_request {
    const dt_graph *graph; /* borrowed by the plan */
    const dt_kernels *kernels;
    dt_mode mode;
    dt_norms norms;
    int64_t batch;
    int threads;
    const int *outputs; /* values kept to the end of the step */
    int output_count;
    /* Values that come from outside (dt_exec_set_input), whatever computes them in the graph: their
     * makers do not run for them. */
    const int *given;
    int given_count;
    /* ---- DT_MODE_TRAIN ---- */
    /* Values whose gradients come from outside (dt_exec_set_gradient). None: outputs[0] is the
     * loss, a single number, whose gradient is 1. */
    const int *seeds;
    int seed_count;
    /* Values (given ones too) whose gradients are there after the backward pass
     * (dt_exec_gradient). */
    const int *gradients;
    int gradient_count;
    const bool *frozen; /* by value: parameters that get no gradient; NULL: none */
} dt_plan_request;

dt_status dt_plan_init(dt_plan *p, const dt_plan_request *r, const dt_alloc *a,
                       dt_error *err) DT_MUST_CHECK;
void dt_plan_fini(dt_plan *p);

/* Gives every slot an offset such that slots whose lifetimes meet do not overlap: larger ones
 * first, each as low as it fits. `arena` is for scratch memory. Error: NOMEM. */
dt_status dt_slots_place(dt_slot *slot, int count, dt_arena *arena, size_t *out_bytes,
                         dt_error *err) DT_MUST_CHECK;

/* Bytes of a value at the plan's batch. */
size_t dt_plan_value_bytes(const dt_plan *p, int value);
/* "train batch 128: arena 512.3 MB (1200.1 MB without sharing), values .., gradients .." */
void dt_plan_print(const dt_plan *p, char *text, size_t size);
/* Multiply-accumulates of one forward pass, of a node and of all. */
int64_t dt_plan_node_macs(const dt_plan *p, int node);
int64_t dt_plan_macs(const dt_plan *p);

#endif
