/* Quantization without training: a list of stages, each of which changes parameters of a net with
 * quantization sites so that it computes more nearly what the float net does. Whatever the stages
 * are, the result is
 *
 *   weights on the grids of their ordinary quantizers, parameters of ordinary quantizers, and float
 *   parameters (biases, batch norms)
 *
 * and nothing else, so that exporters, `verify` and training from it know nothing of how it came
 * about. Results depend on the net, the pictures, the stages and the seed, not on threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_PTQ_H
#define DT_PTQ_PTQ_H

#include "autograd/distribution.h"
#include "autograd/exec.h"
#include "core/dir.h"

/* What came of one unit of a stage. */
typedef struct dt_ptq_result {
    const char *stage, *unit;
    int at_stage, at_unit;    /* from 0 */
    double before, after;     /* mean loss of the unit's output, over all pictures */
    int64_t weights, changed; /* weights, and how many codes are no longer those of rounding to
                                 the nearest */
    double undecided; /* share of soft roundings that were still between two codes at the end */
} dt_ptq_result;

/* A quantized layer of the result. */
typedef struct dt_ptq_layer_result {
    const char *name;
    int bits, x_bits; /* of its weight and of what it reads; DT_PTQ_FLOAT: not quantized */
    int64_t weights;
    double sqnr_db; /* of its sums over all pictures; signal is the float net's; INFINITY: equal */
} dt_ptq_layer_result;
enum { DT_PTQ_FLOAT = 32 };

/* Any function may be NULL. */
typedef struct dt_ptq_events {
    void (*message)(void *arg, const char *text);
    /* What is done now, and the share of all work that is; false: stop (the run is DT_ERR_ARG with
     * the text "stopped"). */
    bool (*progress)(void *arg, const char *stage, const char *unit, double share);
    /* A unit is finished. The state is one that a later run can go on from, see dt_ptq_params. */
    dt_status (*unit)(void *arg, const dt_ptq_result *r, dt_error *err);
    /* Of every quantized layer, when all stages are done. */
    dt_status (*layer)(void *arg, const dt_ptq_layer_result *r, dt_error *err);
    void *arg;
} dt_ptq_events;

typedef struct dt_ptq dt_ptq;

/* A kind of stage: one file stage_<name>.c, a row in stages.def. */
typedef struct dt_ptq_stage {
    dt_row row;
    bool transforms; /* changes the float net without changing what it computes; such come first */
    bool makes_pictures;    /* instead of those of the parameters, as the first stage of all */
    bool reads_varied;      /* dt_ptq_params.varied */
    bool starts_quantizers; /* of weights and of activations */
    bool reads_quantized;   /* the net through its quantizers, which have been started then */
    /* Refuses options that this net or machine cannot have, before any work. NULL: none. */
    dt_status (*check)(dt_ptq *q, const void *conf, dt_error *err);
    dt_status (*run)(dt_ptq *q, const void *conf, dt_error *err);
} dt_ptq_stage;
extern const dt_table dt_ptq_stages; /* kind "stage" */

/* What stages name in their options. */
extern const dt_table dt_ptq_cutters;   /* kind "unit"; rows are dt_ptq_cutter, units.h */
extern const dt_table dt_ptq_variables; /* kind "variable", recon.h */
extern const dt_table dt_ptq_losses;    /* kind "loss", recon.h */
extern const dt_table dt_ptq_solvers;   /* kind "solver", solve.h */

/* A method by its name: the stages that it is, as a recipe writes them. One file
 * presets/<name>.yaml, a row in presets.def. */
typedef struct dt_ptq_preset {
    dt_row row;
    const char *text;
} dt_ptq_preset;
extern const dt_table dt_ptq_presets; /* kind "preset" */
const char *dt_ptq_preset_text(const dt_row *preset);

typedef struct dt_ptq_choice {
    const dt_row *row;
    const void *conf;
} dt_ptq_choice;

/* An output of the net, and how it is compared with the float net's. */
typedef struct dt_ptq_output {
    int value;
    const dt_distribution *says;
    double weight; /* of it, among those of all outputs */
} dt_ptq_output;

typedef struct dt_ptq_params {
    const dt_graph *graph; /* with sites, not fused */
    dt_state *state;       /* of it, with gradients; the float net, or where a run stopped */
    int input, logits;     /* values; of several inputs, which are ports of the graph, the first */
    const dt_ptq_output *output; /* [outputs]; NULL: the logits, of one class */
    int outputs;
    const dt_kernels *kernels;
    int threads;
    uint64_t seed;
    const real *pictures; /* [count,H,W,3], normalised, or what else goes in, of several inputs
                           * [count,record]; NULL where the first stage makes them */
    const real *varied;   /* the same as training changes them (crops, flips); NULL: it does not */
    int64_t count, batch; /* batch: of one pass */
    const dt_dir *spill;  /* values of all pictures lie in files of this folder; NULL: in memory */
    bool started;         /* quantizers have ranges: the net's file brought them */
    const dt_ptq_choice *stage;
    int stage_count;
    /* Of a run that goes on: the state after this many stages, and units of the next one; `start`
     * puts that state in the place of the float net's, which the run begins with. */
    int done_stages, done_units;
    dt_status (*start)(void *arg, dt_error *err);
    dt_ptq_events events;
    const dt_alloc *alloc;
} dt_ptq_params;

/* Runs all stages and puts the weights on their grids. Errors name stage, unit or site. */
dt_status dt_ptq_run(const dt_ptq_params *p, dt_error *err) DT_MUST_CHECK;

/* What the first batch norm of the float net p->state reads of the pictures, beside its running
 * statistics: pictures that are normalised in another way than those of training are told by it.
 * Where the file brought quantizers (p->started), the first one's range tells the same of nets
 * whose norms are folded. */
typedef struct dt_ptq_gap {
    bool has; /* false: there is no batch norm, or all its channels are dead */
    const char *name;
    double shift; /* mean |difference of means|, in deviations */
    double ratio; /* of variances, geometric mean */
    bool has_range;
    const char *site;           /* reads the pictures */
    double site_low, site_high; /* values of its grid */
    double read_low, read_high; /* of the pictures */
} dt_ptq_gap;
dt_status dt_ptq_first_norm(const dt_ptq_params *p, dt_ptq_gap *out, dt_error *err) DT_MUST_CHECK;
/* Would pictures as those of training read so? Bounds are wide: twice of either. */
bool dt_ptq_gap_fits(const dt_ptq_gap *gap);

#endif
