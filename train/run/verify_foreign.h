/* The float network beside another program that runs its exported file. Nets with nodes that have
 * no integer form (layer norm, softmax) have no integer model to compare with; but between
 * two quantizers the float network says what must come out.
 *
 * Isolated: at every quantizer the other program's codes take the place of the network's, so every
 * part of the network between quantizers gets what the other program had there, and its codes are
 * compared. With the biases of the file (dt_lower_round_biases) the order of float sums then moves a
 * code by one at most, nearly always where the value lies at the middle of two codes, to DT_FOREIGN_TIE
 * of a step: these are counted apart. Of a softmax between quantizers the codes are known exactly
 * (integer/shares.h).
 * Chained: the network by itself; its classes are compared. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_VERIFY_FOREIGN_H
#define DT_TRAIN_RUN_VERIFY_FOREIGN_H

#include "integer/shares.h"
#include "train/run/verify.h"

#define DT_FOREIGN_TIE (1.0 / 256)

typedef struct dt_foreign_site { /* an activation's quantizer that the picture reaches */
    const dt_node *node;
    dt_lower_grid grid;
    dt_shape shape; /* of a picture's codes: [H,W,C], [T,C], [heads,T,T], [C] */
    bool is_map;    /* [H,W,C], which others have as [C,H,W] */
    const dt_node *softmax; /* that it quantizes alone, of codes; NULL: none */
    dt_lower_grid x;        /* of the softmax */
    int64_t checked, differ, ties, largest; /* differ: ties not among them; largest: of both */
} dt_foreign_site;

typedef struct dt_foreign {
    dt_net *net;
    dt_foreign_site *site;
    int site_count;
    int *site_of; /* by node of the graph; -1: none */
    dt_evaluator f;
    const dt_alloc *alloc;
    const uint8_t *codes; /* of the batch under way: [n, site's shape] of each site in turn; NULL: F
                             goes by itself */
    uint8_t *shares; /* codes of the softmax that ran last [n, site's shape] */
    int8_t *tie; /* of the quantizer under way, 1, -1: the next code is as near; 0 [n, its shape] */
    int64_t n;
    int64_t pictures, same[DT_GOAL_PARTS]; /* same: both mean the same, by part of the goal */
    dt_score score, score_foreign;         /* without losses */
    float *predictions[2];                 /* [DT_VERIFY_BATCH][predicted] */
} dt_foreign;

/* `lowered` is of the net, and read here only. */
dt_status dt_foreign_init(dt_foreign *v, dt_net *net, const dt_lowered *lowered,
                          const dt_kernels *k, int threads, const dt_alloc *a,
                          dt_error *err) DT_MUST_CHECK;
void dt_foreign_fini(dt_foreign *v);

/* Codes of a picture, of all sites. */
int64_t dt_foreign_codes(const dt_foreign *v);
/* n <= DT_VERIFY_BATCH pictures x [n,H,W,C] with the other program's codes (as in `codes` above)
 * and outputs [n,K]. The batch has DT_VERIFY_BATCH pictures. */
dt_status dt_foreign_batch(dt_foreign *v, const dt_batch *batch, int64_t n, const uint8_t *codes,
                           const float *outputs, dt_error *err) DT_MUST_CHECK;
/* First site with a code that is more than one apart, or known exactly and another; -1: none. */
int dt_foreign_first(const dt_foreign *v);

#endif
