/* Which layers mind how many bits: of every quantized weight and every width, what a metric says
 * that it does to the float net alone; and the widths that do the least for a budget. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_SENSITIVITY_H
#define DT_PTQ_SENSITIVITY_H

#include "ptq/ptq.h"

enum { DT_PTQ_WIDTHS = 8 };

typedef struct dt_ptq_mixed_layer {
    const char *name; /* of the layer, as rules name it */
    bool fixed;       /* reads the picture or gives the logits: its bits stay */
    int bits;         /* of the recipe */
    int x_bits;       /* of its input; DT_PTQ_FLOAT: not quantized */
    int64_t weights, macs;
    int64_t time_ns[DT_PTQ_WIDTHS + 1]; /* by bits, of a table (dt_ptq_latency_parse) */
    double damage[DT_PTQ_WIDTHS];       /* by width */
    int chosen;                         /* index of a width, by an allocator; -1: as it is */
} dt_ptq_mixed_layer;

typedef struct dt_ptq_mixed {
    int count, widths;
    int width[DT_PTQ_WIDTHS]; /* ascending */
    dt_ptq_mixed_layer *layer;
    /* [count * widths]^2, symmetric: what two layers at two widths do together beside the sum of
     * what each does alone; NULL: damages add up. */
    double *pair;
    const dt_alloc *alloc;
} dt_ptq_mixed;

/* metric_<name>.c, rows of metrics.def. */
extern const dt_table dt_ptq_metrics; /* kind "metric" */

typedef struct dt_ptq_sense_params {
    const char *metric;
    const char *range; /* initialiser of weights' ranges; "": the quantizers' own */
    const int *width;  /* [widths], ascending */
    int widths;
    int probes; /* of metrics that draw */
    /* Called when layers are known, before they are measured: may refuse, and sets time_ns. NULL:
     * nothing. */
    dt_status (*look)(void *arg, dt_ptq_mixed *m, dt_error *err);
    void *arg;
} dt_ptq_sense_params;

/* Of the float net p->state (stages are not read); the state is as before when it returns. Error
 * RANGE: a width that a method has not. */
dt_status dt_ptq_sensitivity(const dt_ptq_params *p, const dt_ptq_sense_params *s,
                             dt_ptq_mixed *out, dt_error *err) DT_MUST_CHECK;
void dt_ptq_mixed_fini(dt_ptq_mixed *m);

/* ---- allocation ---- */

/* What widths cost: resource_<name>.c, rows of resources.def. */
typedef struct dt_ptq_resource {
    dt_row row;
    int64_t (*cost)(const dt_ptq_mixed_layer *l, int bits);
    const char *unit;
    double per_unit;  /* of the unit, such as 8 bits of a byte */
    bool wants_table; /* costs are those of a file */
} dt_ptq_resource;
extern const dt_table dt_ptq_resources; /* kind "resource" */
/* A table of measured times, which may come from anybody: lines of "layer,weight bits,input
 * bits,microseconds", the first one may be a heading. Fills time_ns of all layers that may change,
 * at every width, for their input's bits; lines of other layers and bits are passed over. `file`:
 * for errors. Errors: FORMAT: a line that is none, a time outside 0..1e9, two times for the same;
 * NOT_FOUND: a layer's time at a width is missing. */
dt_status dt_ptq_latency_parse(const char *file, const char *text, dt_ptq_mixed *m,
                               dt_error *err) DT_MUST_CHECK;
/* Of all layers but fixed ones; `chosen` NULL: as chosen in `m`. */
int64_t dt_ptq_cost(const dt_ptq_mixed *m, const dt_ptq_resource *r, const int *chosen);
double dt_ptq_damage(const dt_ptq_mixed *m, const int *chosen);

/* A point of the front: nothing costs less and does less damage. */
typedef struct dt_ptq_point {
    int64_t cost;
    double damage;
} dt_ptq_point;

/* How widths are chosen: alloc_<name>.c, rows of allocators.def. Sets `chosen` of all layers that
 * are not fixed so that they cost no more than `budget`; `front` (NULL: not wanted) gets up to
 * `front_room` points, cheapest first. Error RANGE: the budget is below the least possible, which
 * is told. */
typedef struct dt_ptq_allocator {
    dt_row row;
    dt_status (*choose)(dt_ptq_mixed *m, const dt_ptq_resource *r, int64_t budget,
                        dt_ptq_point *front, int front_room, int *out_front, dt_error *err);
} dt_ptq_allocator;
extern const dt_table dt_ptq_allocators; /* kind "allocator" */
/* The budget is possible; otherwise RANGE. */
dt_status dt_ptq_check_budget(const dt_ptq_mixed *m, const dt_ptq_resource *r, int64_t budget,
                              dt_error *err) DT_MUST_CHECK;

#endif
