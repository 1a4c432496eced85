/* What stages share: the float net beside the quantized one, passes over all pictures, quantized
 * weights, units. Inside ptq/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_ENGINE_H
#define DT_PTQ_ENGINE_H

#include "autograd/quantizer.h"
#include "ptq/ptq.h"

/* Values at a border of the net: of the quantized net and of the float one, over all pictures. The
 * float net comes after when it is read. */
typedef struct dt_ptq_stream {
    int at, plain_at;    /* values of the graph; dt_ptq.start at first */
    real *quant, *plain; /* [count, features]; NULL: the pictures */
} dt_ptq_stream;

enum { DT_PTQ_INPUTS = -2 }; /* where a value is asked for: all inputs, [record]; -1 is none */

struct dt_ptq {
    const dt_ptq_params *p;
    const dt_graph *g;
    int start; /* what goes in: the only input, or DT_PTQ_INPUTS */
    dt_ptq_output out[DT_GRAPH_PORTS];
    int outs; /* how many */
    const real *pictures; /* p->pictures, or those that a stage made */
    real *made;
    dt_graph bare;      /* the same values without quantizers: the float net */
    const int *bare_of; /* by value: what stands for it there */
    dt_state origin;    /* its parameters; without gradients */
    bool has_origin;
    bool *needed; /* by node: an output depends on it */
    int *border;  /* values through which all goes, in order; what goes in first */
    int border_count;
    dt_arena *arena;
    struct dt_ptq_values *values; /* arrays that are free, values.c */
    int stage, unit;              /* under way */
    double done, share;           /* of all work: before this unit, and what this stage is */
    int unit_count;               /* of this stage */
    dt_ptq_stream stream;
};

dt_status dt_ptq_init(dt_ptq *q, const dt_ptq_params *p, dt_error *err) DT_MUST_CHECK;
void dt_ptq_fini(dt_ptq *q);
/* The float net is what it is now. Called by dt_ptq_run before the first stage that is no
 * transform. */
dt_status dt_ptq_keep_origin(dt_ptq *q, dt_error *err) DT_MUST_CHECK;

dt_status dt_ptq_values_init(dt_ptq *q, dt_error *err) DT_MUST_CHECK;
void dt_ptq_values_fini(dt_ptq *q); /* fine before init */
bool dt_ptq_is_input(const dt_ptq *q, int value);
/* Which output a value is; -1: none. */
int dt_ptq_output_at(const dt_ptq *q, int value);
/* The values that are given where a pass begins at `value`, into `to` with room for DT_GRAPH_PORTS:
 * itself, or all inputs. Returns how many. */
int dt_ptq_given(const dt_ptq *q, int value, int *to);
/* Gives an executor its data [batch, features]; a plan of the float net has `value` under the number
 * that stands for it there. */
void dt_ptq_feed(const dt_ptq *q, dt_exec *e, int value, const real *data);
/* Elements of a value of one picture. */
int64_t dt_ptq_features(const dt_ptq *q, int value);
/* Array for `value` over all pictures, with anything in it, to be given back with dt_ptq_put before
 * dt_ptq_fini. IO: it lies in a file that the disk has no room for. */
dt_status dt_ptq_get(const dt_ptq *q, int value, real **out, dt_error *err) DT_MUST_CHECK;
void dt_ptq_put(const dt_ptq *q, real *values); /* NULL is fine */

/* Memory of a pass under way, until the next call. */
dt_status dt_ptq_scratch(const dt_ptq *q, size_t bytes, void **out, dt_error *err) DT_MUST_CHECK;

/* A pass over all pictures through a part of a net. */
typedef struct dt_ptq_pass {
    bool plain;       /* the float net, with its own parameters */
    int from;         /* value of the graph, or DT_PTQ_INPUTS */
    const real *data; /* [count, features] of it */
    const int *want;  /* values of the graph */
    int want_count;
    real *const *to; /* [want_count] of [count, features]; NULL among them: not kept */
} dt_ptq_pass;
dt_status dt_ptq_collect(dt_ptq *q, const dt_ptq_pass *pass, dt_error *err) DT_MUST_CHECK;

/* Brings the stream to a border further on (or back to what goes in), through the net as it is. */
dt_status dt_ptq_advance(dt_ptq *q, int border, dt_error *err) DT_MUST_CHECK;
/* Values of the quantized and of the float net, from the last border before them on. */
dt_status dt_ptq_read(dt_ptq *q, int value, real *quant, real *plain, dt_error *err) DT_MUST_CHECK;
/* The last border at or before a node. */
int dt_ptq_border_before(const dt_ptq *q, int node);
/* The data of the stream; of the float net at its border only behind dt_ptq_advance_plain. */
const real *dt_ptq_at(const dt_ptq *q, bool plain);
dt_status dt_ptq_advance_plain(dt_ptq *q, dt_error *err) DT_MUST_CHECK;
/* 10 log10 of what the float net gives at each value over what is wrong with it in the quantized
 * one, and the stream at `border`, in one pass of each net. Values lie behind the stream's border
 * and before `border`; -1: the stream stays. */
dt_status dt_ptq_compare(dt_ptq *q, const int *value, int count, int border, double *out_db,
                         dt_error *err) DT_MUST_CHECK;

/* ---- quantized weights ---- */

typedef struct dt_ptq_weight {
    const dt_node *site, *product; /* that reads it */
    const dt_fakequant_conf *conf;
    dt_quant_site at;
    int value;     /* the parameter */
    int64_t count; /* elements */
} dt_ptq_weight;

/* The quantized weight of a product; false: it has none. */
bool dt_ptq_weight_of(const dt_ptq *q, const dt_node *product, dt_ptq_weight *out);
/* The affine encoder of each group [at.groups]. Error UNSUPPORTED: the quantizer is another one. */
dt_status dt_ptq_encoders(const dt_ptq *q, const dt_ptq_weight *w, dt_encode *out,
                          dt_error *err) DT_MUST_CHECK;
/* Rounds to the nearest values of the grid, in place. Weights that are there stay, to the bit.
 * Methods whose transform has no such values (they map the whole tensor) are left as they are. */
void dt_ptq_round_nearest(const dt_ptq *q, const dt_ptq_weight *w, real *x);
/* How many codes of the weight differ from those of the float net's rounded to the nearest. */
int64_t dt_ptq_changed(const dt_ptq *q, const dt_ptq_weight *w);
/* All quantized weights onto their grids. */
dt_status dt_ptq_settle(const dt_ptq *q, dt_error *err) DT_MUST_CHECK;

/* The least and the largest value of an activation's grid: out[2]. */
void dt_ptq_site_ends(const dt_ptq *q, const dt_node *site, real *out);
/* Learned parameters of a quantizer, held to their floor: `before` [param][groups], see floor.h. */
void dt_ptq_hold(const dt_ptq *q, const dt_node *site, real *const *before);

/* ---- telling ---- */

/* Begins a stage's units; work is told by units and the share of one that is done. */
void dt_ptq_begin(dt_ptq *q, int unit_count);
dt_status dt_ptq_tell(dt_ptq *q, const char *unit, double share, dt_error *err) DT_MUST_CHECK;
/* A unit is done: before and after as in dt_ptq_result. */
dt_status dt_ptq_finish_unit(dt_ptq *q, dt_ptq_result *r, dt_error *err) DT_MUST_CHECK;
/* Is this unit of the stage one that an earlier run has done? */
bool dt_ptq_skips(const dt_ptq *q, int unit);
void dt_ptq_say(const dt_ptq *q, const char *fmt, ...) DT_PRINTF(2, 3);

#endif
