/* Philox-4x32-10. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"

#include <math.h>

#include "core/mathx.h"

static void round_once(uint32_t c[4], const uint32_t k[2])
{
    uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k[0], n2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k[1];
    c[0] = n0;
    c[1] = (uint32_t)p1;
    c[2] = n2;
    c[3] = (uint32_t)p0;
}

static void refill(dt_rng *rng)
{
    uint32_t k[2] = { rng->key[0], rng->key[1] };
    for (int i = 0; i < 4; i++)
        rng->block[i] = rng->counter[i];
    for (int i = 0; i < 10; i++) {
        round_once(rng->block, k);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    rng->counter[0]++;
    rng->left = 4;
}

void dt_rng_open(dt_rng *rng, uint64_t seed, dt_rng_use use, uint32_t a, uint64_t b)
{
    /* counter = (block, a, b low, b high ^ use): streams differ in at least one word. */
    *rng = (dt_rng){
        .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
        .counter = { 0, a, (uint32_t)b, (uint32_t)(b >> 32) ^ ((uint32_t)use << 24) },
    };
}

void dt_rng_skip(dt_rng *rng, uint32_t block)
{
    rng->counter[0] = block;
    rng->left = 0;
}

uint32_t dt_rng_u32(dt_rng *rng)
{
    if (rng->left == 0) refill(rng);
    return rng->block[4 - rng->left--];
}

uint32_t dt_rng_below(dt_rng *rng, uint32_t n)
{
    uint32_t reject =
        (uint32_t)(-n) % n; /* 2^32 mod n: below it the low results would be likelier */
    for (;;) {
        uint64_t product = (uint64_t)dt_rng_u32(rng) * n;
        if ((uint32_t)product >= reject) return (uint32_t)(product >> 32);
    }
}

double dt_rng_uniform(dt_rng *rng)
{
    return dt_rng_u32(rng) * 0x1p-32;
}

double dt_rng_normal(dt_rng *rng)
{
    double u = (dt_rng_u32(rng) + 1.0) * 0x1p-32, v = dt_rng_uniform(rng); /* u in (0, 1] */
    return sqrt(-2.0 * dt_log(u)) * dt_cospi(2.0 * v);
}

double dt_rng_beta(dt_rng *rng, double a)
{
    for (;;) {
        double u = (dt_rng_u32(rng) + 1.0) * 0x1p-32, v = (dt_rng_u32(rng) + 1.0) * 0x1p-32;
        double x = dt_exp(dt_log(u) / a), y = dt_exp(dt_log(v) / a);
        if (x + y <= 1 && x + y > 0) return x / (x + y);
    }
}

uint32_t dt_hash_name(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h;
}
