/* Proofs over everything that can occur, instead of pictures. A node that ends on codes is a
 * staircase of one sum a channel, or a table of codes; sums can only be bias + multiples of the
 * greatest common divisor of the channel's weights, between the extremes that its input's codes
 * allow. Rounding never falls as the sum grows, so two ways of rounding are equal for every sum
 * exactly when all their thresholds enclose the same sums.
 *
 * For every requantisation (conv, linear, pooling), addition and table:
 *   the engine's kernels, run on both sides of every threshold, on all pairs, on all codes, against
 *     the reference: equality for every picture, on this processor
 *   every other contract against the model's: where another runtime gives another code */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_PROVE_H
#define DT_INTEGER_PROVE_H

#include "integer/run.h"

/* One channel of a node (a whole node for additions and tables) under one way of rounding. */
typedef struct dt_proof {
    int node;
    const dt_contract *other; /* NULL: the engine */
    int64_t channel;          /* -1: an addition or a table */
    int64_t cases;            /* sums, pairs or codes that can occur */
    int64_t differ;           /* of them; of the engine, among the sums beside thresholds */
    int64_t first, second;    /* the first that differs: a sum, or the codes of a pair */
    int got, want;            /* codes there; want is the model's */
} dt_proof;
typedef void (*dt_proof_fn)(void *arg, const dt_proof *p);

/* Calls fn for every node, way and channel, in this order. Error: NOMEM. */
dt_status dt_int_prove(const dt_int_model *m, const dt_kernels *k, int threads, dt_proof_fn fn,
                       void *arg, const dt_alloc *a, dt_error *err) DT_MUST_CHECK;

#endif
