/* What a quantizer is, so that kernels, executor, optimizer, checkpoints and exporters need to know
 * no method by name. At most three parts:
 *   1. `transform` (optional): a map of the whole tensor with its own backward, and statistics
 *      (standardisation, tanh and maximum, row means).
 *   2. `plan`: for one group, what the kernels execute: a dt_encode (kernels/point.h).
 *   3. `param_grad`: turns the kernel's sums over a group into gradients of its parameters.
 * A group is a contiguous run of elements that shares parameters: the whole tensor, or one output
 * channel of a weight [O,...]. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_QUANTIZER_H
#define DT_AUTOGRAD_QUANTIZER_H

#include "core/opt.h"
#include "core/shape.h"
#include "core/status.h"
#include "kernels/point.h"

enum { DT_QUANT_MAX_PARAMS = 4, DT_QUANT_MAX_STATS = 4 };

/* Where a quantizer sits. From `count` on, sizes are those of the call at hand. */
typedef struct dt_quant_site {
    int bits;
    bool is_signed; /* codes may be negative */
    bool weight;    /* of a weight, not of an activation */
    int64_t groups;
    int64_t count;    /* elements of a group, batch included */
    int64_t features; /* elements of a group of one sample; of weights the same as count */
    int batches;      /* of a training step, whose samples gradient scales count; 0: 1 */
    int64_t inner;    /* elements along the last axis: a weight's input channels */
    bool has_range;   /* values are known to lie in range_low..range_high (pictures) */
    double range_low, range_high;
} dt_quant_site;

/* One number a group. Learned ones are parameters, others buffers; all are in checkpoints. */
typedef struct dt_quant_param {
    const char *name;
    bool learned;
    /* What published checkpoints call it, behind "<layer>."; NULL: nothing else. */
    const char *foreign_weight, *foreign_activation;
    /* Its name in this configuration, where that decides what the number means; NULL: `name`. */
    const char *(*name_of)(const void *conf);
} dt_quant_param;

/* How codes of a group mean values: value = scale * (level ? level[code] : code - zero_point). */
typedef struct dt_grid {
    double scale;
    int zero_point, qmin, qmax; /* uniform grids: codes qmin..qmax */
    int levels;
    const int *level; /* [levels], ascending integers; NULL: uniform */
} dt_grid;

/* ---- for the tests that run over all rows ---- */

/* A configuration to test, and what holds in it. */
typedef struct dt_quant_case {
    const char *conf; /* "key=value key=value"; "" is the default; NULL ends the list */
    bool homogeneous; /* y(c x; c params) = c y(x; params), and gradients follow */
    /* The backward pass takes statistics for constants: differences are taken behind the
     * transform. */
    bool statistics_constant;
    /* The published gradient of the parameters is no derivative; say where it is set what it is. */
    bool surrogate;
    bool not_idempotent; /* on purpose; say why where it is set */
    int least_bits;      /* the claims hold from here on; 0: at every width */
} dt_quant_case;

/* Worked numbers: arrays of n elements, the gradient of y is 1. */
typedef struct dt_quant_example {
    const char *conf; /* "key=value key=value" */
    int bits;
    bool is_signed;
    double param[DT_QUANT_MAX_PARAMS];
    int n;
    const double *x, *y, *dx;
    double dparam[DT_QUANT_MAX_PARAMS]; /* sums over the n elements, gradient scale included */
    bool weight;
} dt_quant_example;

/* ---- the descriptor ---- */

/* A number under the site's name in a file, of the group at hand. False: there is none. */
typedef bool (*dt_quant_read_fn)(void *arg, const char *name, double *out);

typedef struct dt_quantizer {
    dt_row row; /* help: author, year, where */
    int min_bits, max_bits;
    const dt_quant_param *params;
    int param_count;
    /* Refuses what the method does not have (bits or signs of one side), before anything is built;
     * NULL: it has everything inside min_bits..max_bits. The text names no place. */
    dt_status (*check)(const void *conf, const dt_quant_site *site, dt_error *err);
    int stat_count;               /* numbers a group that `transform` gives to `plan` */
    bool transforms_weights_only; /* activations go to the encoder as they are; no statistics */
    /* x, t: [groups * count]; stats: [groups][stat_count]. */
    void (*transform)(const void *conf, const dt_quant_site *site, const real *x, real *t,
                      real *stats);
    void (*transform_back)(const void *conf, const dt_quant_site *site, const real *x,
                           const real *t, const real *stats, const real *dt, real *dx);
    /* Parameters of one group from its (transformed) values x [site->count]. NULL: zeros. */
    dt_status (*init)(const void *conf, const dt_quant_site *site, const real *x, real *params,
                      dt_error *err);
    /* Parameters of one group from those of another form of the same range, at the same bits.
     * False: they are not there, or make no range. NULL: it knows only its own. */
    bool (*convert)(const void *conf, const dt_quant_site *site, dt_quant_read_fn read, void *arg,
                    real *params);
    /* A group with the even steps of another program's file: sets options (at their defaults), bits
     * and sign of the site, and the parameters, so that `grid` gives the values that `from` has.
     * False: it has no such steps. NULL: it takes none of others. */
    bool (*of_grid)(const dt_grid *from, dt_quant_site *site, void *conf, real *params);
    void (*plan)(const void *conf, const dt_quant_site *site, const real *params, const real *stats,
                 dt_encode *out);
    /* Of a range that is learned, all of one group; NULL in methods that learn none. Updates are
     * held to it by fakequant/floor.h.
     * `range`: the size of what `plan` makes of the parameters, a step or an extent; not positive
     * where they make no range. `out_first`: the size that it started with, in the same unit; 0 is
     * not known. */
    void (*range)(const void *conf, const dt_quant_site *site, const real *params, double *out_size,
                  double *out_first);
    /* Writes the range of `from`, times a positive factor, into `params`. */
    void (*resize)(const void *conf, const dt_quant_site *site, const real *from, double factor,
                   real *params);
    /* Puts parameters beyond what `plan` reads at the end of that, for files that others read.
     * NULL: it reads all. */
    void (*settle)(const void *conf, const dt_quant_site *site, real *params);
    /* The scale and offset that `plan` would give if it rounded neither (integer zero points,
     * powers of two); gradients are those of this plan, with its distance from the other one held
     * constant. For the tests; NULL: plan rounds nothing. */
    void (*plan_unrounded)(const void *conf, const dt_quant_site *site, const real *params,
                           const real *stats, dt_encode *out);
    void (*param_grad)(const void *conf, const dt_quant_site *site, const real *params,
                       const dt_encode *e, const dt_encode_sums *sums, real *grads);
    /* False: the codes of this configuration have no integer meaning and exporters refuse it.
     * NULL: of none. */
    bool (*grid)(const void *conf, const dt_quant_site *site, const real *params, const real *stats,
                 dt_grid *out);
    const char
        *grid_wants; /* options with which `grid` is true, for messages; NULL: it always is */
    /* True: here `plan` is affine with offset 0 and without a transform, and `grid` uniform; fused
     * passes may keep 1-byte codes q - qmin instead of values. NULL: never. */
    bool (*uniform)(const void *conf, const dt_quant_site *site);
    /* True: here `plan` has no offset and its q are the integers of `grid`, whose scale needs no
     * statistics; level sets too. Activations without a transform have q - qmin of at most 255,
     * weights q in -128..127. Then convolutions may sum up in integers. NULL: as `uniform`. */
    bool (*integer)(const void *conf, const dt_quant_site *site);
    /* Whether an offset is learned here: with the same codes, scales with and without one are of
     * other ranges. NULL: the same in all configurations. */
    bool (*has_offset)(const void *conf, const dt_quant_site *site);
    const dt_quant_case *cases;       /* NULL: the default, without claims */
    const dt_quant_example *examples; /* ends with n = 0 */
} dt_quantizer;

/* Does this quantizer transform what it meets at this site? */
static inline bool dt_quant_transforms(const dt_quantizer *q, const dt_quant_site *site)
{
    return q->transform && (site->weight || !q->transforms_weights_only);
}

/* What the gradient of rounding is taken for, at any site whose encoder is affine:
 *   OWN      as the quantizer's plan says
 *   PLAIN    passes everywhere; CLIPPED: passes inside the range
 *   EWGS     g (1 + delta sign(g) (x_n - q_n)) of Lee 2021 (arXiv:2104.00903), x_n and q_n with the
 *            range as 1; strength is delta
 *   TANH     of DSQ's soft staircase (Gong 2019, arXiv:1908.05033); strength is its alpha, fixed
 *   SIGMOID  of stacked sigmoids; strength is their a
 *   STOCHASTIC  as CLIPPED, and in training up or down at random (stochastic.h) */
typedef enum dt_ste_kind {
    DT_STE_OWN,
    DT_STE_PLAIN,
    DT_STE_CLIPPED,
    DT_STE_EWGS,
    DT_STE_TANH,
    DT_STE_SIGMOID,
    DT_STE_STOCHASTIC,
} dt_ste_kind;

typedef struct dt_ste {
    int kind;        /* dt_ste_kind */
    double strength; /* 0: EWGS 0.001, TANH 0.4, SIGMOID 4 */
} dt_ste;

/* Configuration of the fakequant op: inputs x, then the parameters in the quantizer's order, then
 * with `strength_in` the strength [1]. */
typedef struct dt_fakequant_conf {
    const dt_quantizer *quantizer;
    const void *options; /* of the quantizer's row */
    dt_quant_site site;
    dt_ste ste;
    /* Of EWGS on weights: its strength is an input, which dynamics may set (ewgs_curvature).
     * Otherwise it is ste.strength. */
    bool strength_in;
} dt_fakequant_conf;

/* The strength in use: the kind's default for 0. */
double dt_ste_strength(const dt_ste *ste);
/* Refuses a gradient of rounding that this site cannot have; the text names no place. */
dt_status dt_ste_check(const dt_fakequant_conf *c, dt_error *err) DT_MUST_CHECK;

#endif
