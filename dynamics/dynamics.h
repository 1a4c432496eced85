/* Training dynamics: what happens between the passes of a step beside the optimizer. One descriptor
 * a method, rows in dynamics.def, one file dynamic_<name>.c a row. A recipe's section `dynamics`
 * names rows; they combine, and run in the order of the table. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DYNAMICS_DYNAMICS_H
#define DT_DYNAMICS_DYNAMICS_H

#include "core/opt.h"
#include "dynamics/weights.h"

typedef struct dt_dynamics dt_dynamics;
typedef struct dt_dynamics_row dt_dynamics_row;

/* A row in use. */
typedef struct dt_dynamics_part {
    const dt_dynamics_row *row;
    const void *conf; /* of row->row.conf_size bytes, borrowed */
    void *state;      /* of row->state_size bytes, zero at first */
    dt_dynamics *all;
} dt_dynamics_part;

/* Statistics: one call a layer (layer NULL: all layers together). */
enum { DT_DYNAMICS_BINS = 10 };
typedef struct dt_dynamics_number {
    const char *key;
    int count; /* of value: 1, or the bins of a histogram */
    double value[DT_DYNAMICS_BINS];
} dt_dynamics_number;
typedef void (*dt_dynamics_report_fn)(void *arg, const char *row, const char *layer,
                                      const dt_dynamics_number *number, int count);

struct dt_dynamics_row {
    dt_row row;
    const char *needs; /* another row that must be in use; NULL: none */
    const char *why;   /* what it is needed for */
    size_t state_size;
    bool wants_norm;      /* uses dt_dynamics.norm_pass */
    bool wants_gradients; /* uses dt_dynamics.gradient_pass */
    /* Refuses what cannot work with this net, and gets its memory (dt_dynamics_tensor for what
     * checkpoints keep). The text names no place. */
    dt_status (*open)(dt_dynamics_part *p, dt_error *err);
    /* Every hook may be NULL. In a step, `gradient` runs between the backward pass and the
     * optimizer; `restore` right after the optimizer, before any row's `step`. Encoders of
     * all->weights are fresh in gradient and step. No hook of a step may allocate. */
    /* Before the first step, and when quantizers have been started anew: those of weights are the
     * sites that `begin`. */
    void (*start)(dt_dynamics_part *p);
    dt_status (*epoch)(dt_dynamics_part *p, dt_error *err); /* before an epoch's first step */
    void (*gradient)(dt_dynamics_part *p);
    void (*restore)(dt_dynamics_part *p);
    void (*step)(dt_dynamics_part *p);
    dt_status (*before_eval)(dt_dynamics_part *p, dt_error *err);
    void (*after_eval)(dt_dynamics_part *p); /* in the reverse order */
    void (*report)(dt_dynamics_part *p, dt_dynamics_report_fn fn, void *arg);
    /* A few words for the progress line. */
    void (*progress)(dt_dynamics_part *p, char *text, size_t size);
};

extern const dt_table dt_dynamics_rows; /* kind "dynamics"; rows are dt_dynamics_row */
const dt_dynamics_row *dt_dynamics_row_of(const dt_row *row);

/* A buffer that checkpoints keep as "dynamics/<name>". */
typedef struct dt_dynamics_tensor {
    const char *name;
    dt_shape shape;
    real *data;
} dt_dynamics_tensor;

/* Where the run is. */
typedef struct dt_dynamics_at {
    int64_t step; /* of the update under way, from 0 */
    int64_t steps_per_epoch, total_steps;
} dt_dynamics_at;

struct dt_dynamics {
    const dt_graph *graph;
    dt_state *state;
    const dt_kernels *kernels;
    int threads;
    dt_arena *arena;
    dt_dynamics_part *part;
    int count;
    dt_weights weights;
    dt_dynamics_tensor *tensor;
    int tensor_count, tensor_room;
    dt_dynamics_at at;
    bool compares;    /* a row wants evaluations without its estimate too */
    bool fresh;       /* encoders are those of the weights */
    bool norm_frozen; /* the phase leaves running statistics alone */
    /* Runs batch i of the training pictures forward with batch statistics, which replace the
     * running ones (the variance unbiased); nothing else changes. */
    dt_status (*norm_pass)(void *arg, int64_t batch, dt_error *err);
    void *norm_arg;
    /* Gradients of the parameters for batch i of the training pictures, by the graph in which
     * weights go into their layers as they are, without their quantizers; -1: the last batch again.
     * Running statistics change as in a step. */
    dt_status (*gradient_pass)(void *arg, int64_t batch, dt_error *err);
    void *pass_arg;
};

typedef struct dt_dynamics_choice {
    const dt_row *row;
    const void *conf;
} dt_dynamics_choice;

typedef struct dt_dynamics_params {
    const dt_graph *graph; /* borrowed, as state and kernels */
    dt_state *state;
    const dt_kernels *kernels;
    int threads;
    const dt_dynamics_choice *choice; /* in the order of the table */
    int count;
    const char *file; /* named in errors; NULL: none */
    const dt_alloc *alloc;
} dt_dynamics_params;

/* Errors name "dynamics.<row>". A set without rows is fine and its hooks do nothing. */
dt_status dt_dynamics_open(dt_dynamics *d, const dt_dynamics_params *p,
                           dt_error *err) DT_MUST_CHECK;
void dt_dynamics_close(dt_dynamics *d);
/* Whether any row in use has this hook's wish. */
bool dt_dynamics_wants_norm(const dt_dynamics *d);
bool dt_dynamics_wants_gradients(const dt_dynamics *d);

void dt_dynamics_start(dt_dynamics *d, const dt_dynamics_at *at);
dt_status dt_dynamics_epoch(dt_dynamics *d, const dt_dynamics_at *at, dt_error *err) DT_MUST_CHECK;
void dt_dynamics_forward(dt_dynamics *d); /* before a step's first forward pass */
void dt_dynamics_gradient(dt_dynamics *d, const dt_dynamics_at *at);
void dt_dynamics_step(dt_dynamics *d);
/* Around an evaluation, which sees codes that are held. `estimate` false: without rows that want
 * dt_dynamics.norm_pass. */
dt_status dt_dynamics_before_eval(dt_dynamics *d, bool estimate, dt_error *err) DT_MUST_CHECK;
void dt_dynamics_after_eval(dt_dynamics *d);
void dt_dynamics_report(dt_dynamics *d, dt_dynamics_report_fn fn, void *arg);
void dt_dynamics_progress(dt_dynamics *d, char *text, size_t size); /* "" when nothing is told */

/* ---- for rows ---- */

/* The state of another row; NULL: not in use. */
void *dt_dynamics_find(const dt_dynamics *d, const char *row);
/* Zeroed memory that checkpoints keep; NULL: no memory. `name` is "<row>/<what>/<owner>". */
real *dt_dynamics_tensor_new(dt_dynamics *d, const dt_shape *shape, const char *row,
                             const char *what, const char *owner);
/* The same for memory of the caller's that outlives d. False: no memory. */
bool dt_dynamics_tensor_of(dt_dynamics *d, const dt_shape *shape, const char *row, const char *what,
                           const char *owner, real *data);
/* One such tensor a site, with the weight's shape, for sites of up to max_bits bits: table by site,
 * NULL where it has more. NULL: no memory. */
real **dt_dynamics_site_tensors(dt_dynamics *d, const char *row, const char *what, int max_bits);
void *dt_dynamics_memory(dt_dynamics *d, size_t bytes); /* zeroed; NULL: no memory */
/* Cosine from `from` to `to` over what is left after the share `begin` of all steps; false before.
 */
bool dt_dynamics_ramp(const dt_dynamics *d, double begin, double from, double to, double *out);

#endif
