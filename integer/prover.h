/* What the `prove` of a form stands on. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_PROVER_H
#define DT_INTEGER_PROVER_H

#include "integer/form.h"
#include "integer/prove.h"

enum { DT_PAIRS = DT_CODES * DT_CODES };

typedef struct dt_prover {
    const dt_int_model *m;
    const dt_kernels *k;
    int threads;
    dt_proof_fn fn;
    void *arg;
    int32_t *threshold, *sums; /* [most steps], [most steps * 2][C] */
    float *scale;              /* [most C] */
    uint8_t *codes;            /* of sums */
    uint8_t *a, *b, *out;      /* [DT_PAIRS]: all pairs of codes, and room; b begins 0, 1, 2, ... */
} dt_prover;

/* A requantisation: what `engine` gives on both sides of every threshold, and the staircases of all
 * other contracts. */
typedef void dt_prove_requant(const dt_prover *p, const dt_int_node *n, int64_t rows,
                              const int32_t *sums, uint8_t *out);
void dt_prove_stairs(dt_prover *p, int node, dt_prove_requant *engine);
/* Codes [256 a][256 b], or [256] of one input, against the model's, over what its inputs can be.
 * `other`: whose they are; NULL: the engine's. `channel`: -1: of the whole node. */
void dt_prove_codes(dt_prover *p, int node, const dt_contract *other, int64_t channel,
                    const uint8_t *want, const uint8_t *got, bool pairs);
/* The same for what other contracts give: code(n, c, a, b) for all pairs. */
typedef void dt_prove_under(const dt_int_model *m, const dt_int_node *n, const dt_contract *c,
                            uint8_t *out);
void dt_prove_contracts(dt_prover *p, int node, const uint8_t *want, dt_prove_under *under);

#endif
