/* Timing of training steps (a recipe's network and optimizer on random pictures, without a dataset)
 * and of single kernels. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_BENCH_BENCH_H
#define DT_TRAIN_BENCH_BENCH_H

#include "comm/comm.h"
#include "core/memory.h"
#include "recipes/recipe.h"
#include "train/bench/bench_roof.h"

typedef struct dt_bench_params {
    dt_recipe *recipe;
    bool is_float;          /* leave the recipe's quantizers out */
    int steps;              /* timed, after 3 to warm up; 0: 20 */
    int side;               /* pixels of the square pictures; 0: 32 */
    int threads;            /* 0: all processors */
    const char *isa;        /* highest kernel tier; NULL: the best */
    bool plain;             /* run the graph without the fusing pass */
    bool profile;           /* measure the rate of memory too */
    dt_memory_limit memory; /* checked before anything is taken; 0: not */
    const dt_alloc *alloc;
} dt_bench_params;

/* All nodes of one kind, per step. */
typedef struct dt_bench_op {
    const char *name; /* static */
    int nodes;
    double forward_ms, backward_ms;
    dt_bench_work forward, backward; /* what they must do at least */
} dt_bench_op;

enum { DT_BENCH_OPS = 32 };
typedef struct dt_bench_result {
    int64_t batch, params; /* samples; learned numbers */
    int threads, steps;
    const char *isa;              /* static */
    double ms_median, ms_min;     /* a step: forward, backward, update */
    double update_ms;             /* the optimizer's part, median */
    double images_per_s;          /* of the median step */
    double gflop;                 /* of the products of a step, forward and backward */
    double fma_peak;              /* GFLOP/s of FMAs in registers, measured on as many threads */
    double fma_share;             /* gflop / ms_median of it */
    double bandwidth;             /* GB/s read and written by as many threads; 0: not measured */
    double update_mb;             /* that the optimizer reads and writes */
    double planned_mb;            /* arena, parameters, gradients, optimizer; 10^6 bytes */
    double peak_mb;               /* most memory that the process has had */
    double base_mb;               /* of the process before anything was built */
    double arena_mb;              /* the plan's arena */
    double arena_real_mb;         /* growth of the process from just before it to the last step */
    double loader_share;          /* of a step's time: waiting for a batch of the loader */
    dt_bench_op op[DT_BENCH_OPS]; /* in the graph's order; measured in extra steps */
    int op_count;
} dt_bench_result;

/* One kernel on one shape. */
typedef struct dt_bench_kernel {
    const char *pass, *shape, *isa; /* static */
    int per_step;                   /* how often a step of ResNet-20 runs it */
    double ms, gops;                /* fastest run; 10^9 multiplications and additions a second */
    double fma_share;               /* of the FMA peak around the run; 0: an integer product */
} dt_bench_kernel;

typedef struct dt_bench_ops_params {
    int64_t batch;          /* 0: 128 */
    int threads;            /* 0: all processors */
    const char *isa;        /* highest kernel tier; NULL: the best */
    const char *only;       /* a shape's name; NULL: all */
    dt_memory_limit memory; /* checked before anything is taken; 0: not */
    void (*result)(void *arg, const dt_bench_kernel *kernel);
    void *arg;
    const dt_alloc *alloc;
} dt_bench_ops_params;

/* Times the convolution kernels on the shapes of ResNets and MobileNetV2, and calls `result` for
 * each. */
dt_status dt_bench_ops(const dt_bench_ops_params *params, dt_error *err) DT_MUST_CHECK;

/* Builds the recipe's network, starts its quantizers from the random batch, trains on that batch
 * and tells the times. Weights are random: model.init is not read. */
dt_status dt_bench_step(const dt_bench_params *params, dt_bench_result *out,
                        dt_error *err) DT_MUST_CHECK;

/* Times the loader of the recipe's training pictures, as a run would have it, after 2 batches to
 * warm up; `steps` batches. No network is built. */
typedef struct dt_bench_loader_result {
    int64_t batch, H, W; /* samples; pixels of a picture */
    int threads, batches;
    double ms, images_per_s; /* mean of a batch, and its rate */
    double peak_mb;          /* most memory that the process has had */
    int64_t skipped;         /* pictures that could not be read, with data.broken: skip */
} dt_bench_loader_result;
dt_status dt_bench_loader(const dt_bench_params *params, dt_bench_loader_result *out,
                          dt_error *err) DT_MUST_CHECK;

/* Times sums of so many numbers among the ranks, as a step has them, with nothing beside them.
 * NOMEM on all ranks: one would need more than the limit (NULL: none). */
typedef struct dt_bench_ranks_result {
    int64_t elements, bytes; /* bytes that this rank sent for one sum */
    int buckets;
    double ms; /* median */
} dt_bench_ranks_result;
dt_status dt_bench_ranks(dt_comm *comm, int64_t elements, int rounds, const dt_memory_limit *limit,
                         dt_bench_ranks_result *out, dt_error *err) DT_MUST_CHECK;

#endif
