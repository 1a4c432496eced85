/* Counter-based random numbers: Philox-4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
 * easy as 1, 2, 3"). A stream is named by what it is for, so the numbers do not depend on the order
 * of calls, on threads, or on where a run was resumed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_RNG_H
#define DT_CORE_RNG_H

#include <stdint.h>

typedef enum dt_rng_use {
    DT_RNG_INIT = 1,    /* weight initialisation; a = hash of the tensor's name */
    DT_RNG_SHUFFLE = 2, /* order of an epoch; a = epoch */
    DT_RNG_AUGMENT = 3, /* a = epoch, b = sample */
    DT_RNG_RENDER = 4,  /* the built-in dataset; a = split, b = sample */
    DT_RNG_TEST = 5,
    DT_RNG_DROPOUT = 6, /* a = hash of the node's name, b = step */
    DT_RNG_ROUND = 8,   /* rounding at random; a = hash of the node's name, b = step */
    DT_RNG_PROBE = 9, /* signs of a probe of curvature; a = hash of the weight's name, b = number */
    DT_RNG_MIX = 7,   /* which pictures of a batch are mixed; a = epoch, b = batch */
} dt_rng_use;

typedef struct dt_rng {
    uint32_t key[2], counter[4], block[4];
    int left; /* numbers of `block` not yet given */
} dt_rng;

/* Starts the stream (seed, use, a, b); 2^32 blocks of four numbers each. */
void dt_rng_open(dt_rng *rng, uint64_t seed, dt_rng_use use, uint32_t a, uint64_t b);
/* Goes on at number 4 * `block` of the stream. */
void dt_rng_skip(dt_rng *rng, uint32_t block);
uint32_t dt_rng_u32(dt_rng *rng);
uint32_t dt_rng_below(dt_rng *rng, uint32_t n); /* 0..n-1, unbiased; n > 0 */
double dt_rng_uniform(dt_rng *rng);             /* [0, 1), 32 bits */
double dt_rng_normal(dt_rng *rng);              /* mean 0, deviation 1; Box-Muller */
/* Beta(a, a), by rejection (Johnk 1964): about 1.4 tries of two numbers at a = 0.8, 70 at 4. */
double dt_rng_beta(dt_rng *rng, double a); /* [0, 1]; a in 0.05..4 */

/* FNV-1a of a name, for stream parameters. */
uint32_t dt_hash_name(const char *name);

#endif
