/* The quantized weights of a net as the rows of dynamics see them: one site a fakequant node of a
 * parameter, cut into pieces that share an encoder. Where a batch norm is folded into a weight
 * (`quant.fold_norm`), its quantizer reads the weight times factors, one for each output channel.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DYNAMICS_WEIGHTS_H
#define DT_DYNAMICS_WEIGHTS_H

#include "autograd/exec.h"
#include "autograd/quantizer.h"

typedef struct dt_weight_site {
    const char *name;   /* of the node, "layer1.0.conv1.weight_quant" */
    const char *weight; /* of the parameter */
    bool active;        /* quantized in the graph that is bound */
    bool begins;        /* was not before that graph was, or at other bits */
    const dt_fakequant_conf *conf;
    dt_quant_site site;
    int value, param[DT_QUANT_MAX_PARAMS]; /* value ids */
    int strength;                          /* of the gradient of rounding: value id, -1: fixed */
    int64_t count;                         /* elements */
    int64_t at;                            /* of its first element among those of all sites */
    int64_t first_group;                   /* its first encoder */
    const struct dt_fold_norm_conf *fold;  /* NULL: no batch norm is folded into it */
    int gamma, var;                        /* of the batch norm: value ids */
    double *factor;                        /* of the batch norm, [O] */
    int64_t channel;                       /* elements of an output channel */
    const real *held; /* codes that a row holds, DT_NOT_HELD elsewhere; NULL: none does */
} dt_weight_site;

/* At most DT_POINT_BLOCK elements of one group. */
typedef struct dt_weight_piece {
    int site;
    int64_t group, begin, n; /* begin: within the site's tensor */
} dt_weight_piece;

typedef struct dt_weights {
    dt_weight_site *site;
    int count;
    dt_weight_piece *piece;
    int64_t piece_count;
    int64_t *task; /* [task_count + 1]: first piece of each */
    int64_t task_count;
    int64_t elements;  /* of all sites */
    dt_encode *encode; /* by group */
    real *stats;       /* by group, DT_QUANT_MAX_STATS each */
    real *folded;      /* [elements]: weights times factors; NULL: no site has them */
    real *transformed; /* [elements]; NULL: no site has a transform */
    const dt_state *state;
    int threads;
} dt_weights;

/* Finds the sites of `g` and cuts them up; memory of `arena`. */
dt_status dt_weights_init(dt_weights *w, const dt_graph *g, const dt_state *state, int threads,
                          dt_arena *arena, dt_error *err) DT_MUST_CHECK;
/* Another graph over the same values: bits may differ, quantizers may be missing. `fresh`: every
 * site of it begins. */
void dt_weights_bind(dt_weights *w, const dt_graph *g, bool fresh);
/* Factors of folded batch norms as the next forward pass sees them. Until the next call they are
 * those of that pass, whose running variances have moved on when its gradients are there. */
void dt_weights_fold(dt_weights *w);
/* Encoders of the weights and scales as they are now. Call before dt_weights_each. */
void dt_weights_refresh(dt_weights *w);

/* Of the last refresh, [count]: what the site's quantizer reads, and that after its transform. */
real *dt_weights_read(const dt_weights *w, const dt_weight_site *s);
const real *dt_weights_rounded(const dt_weights *w, const dt_weight_site *s);
/* What element i of the site is multiplied by before it is read. */
static inline double dt_weight_factor(const dt_weight_site *s, int64_t i)
{
    return s->fold ? s->factor[i / s->channel] : 1;
}

/* Calls fn once a piece of an active site, several threads at a time; `index` is the piece's, x its
 * values after the transform. */
typedef void (*dt_weight_fn)(void *arg, int64_t index, const dt_weight_site *site,
                             const dt_weight_piece *piece, const real *x, const dt_encode *e);
void dt_weights_each(dt_weights *w, dt_weight_fn fn, void *arg);

#endif
