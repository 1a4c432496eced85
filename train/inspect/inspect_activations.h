/* How activations meet their grids: values outside of them, and what rounding costs, over pictures.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_INSPECT_INSPECT_ACTIVATIONS_H
#define DT_TRAIN_INSPECT_INSPECT_ACTIVATIONS_H

#include "train/inspect/inspect.h"
#include "train/net/session.h"

typedef struct dt_inspect_fit {
    double signal, noise; /* sums of squares: of values, of values minus what they became */
    int64_t count, clipped;
    int64_t bin[DT_INSPECT_BINS];
    bool has_grid; /* otherwise `clipped` and `bin` mean nothing */
} dt_inspect_fit;

/* Adds `count` values of one group of a site to `fit`. `room` has as many. */
void dt_inspect_fit_add(dt_inspect_fit *fit, const dt_fakequant_conf *c, const dt_quant_site *site,
                        const real *params, const real *stats, const real *x, real *room);
/* 10 log10(signal / noise); +inf when nothing was lost. */
double dt_inspect_sqnr(const dt_inspect_fit *fit);

enum { DT_INSPECT_BATCH = 32 };
/* Numbers of the largest value of a kind in a graph, of one sample. */
int64_t dt_inspect_largest(const dt_graph *g, dt_value_kind kind);
/* The first `pictures` of the session's test split through its float net; `fit` (by node of the
 * graph, zeroed) is filled for quantizers of activations. Errors: IO, NOMEM. */
dt_status dt_inspect_activations(dt_session *s, const dt_graph *graph, int64_t pictures,
                                 dt_inspect_fit *fit, dt_error *err) DT_MUST_CHECK;

#endif
