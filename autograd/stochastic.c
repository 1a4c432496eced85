/* Rounding at random: plain loops, since drawing the numbers is what costs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/stochastic.h"

#include <tgmath.h>

#include "core/rng.h"
#include "core/thread.h"

typedef struct call {
    const dt_op_run *r;
    const dt_encode *e;
    int64_t at, n;
    const real *x, *g;
    real *y; /* or dx */
    bool sum;
    dt_encode_sums *part; /* by chunk */
} call;

static void open_stream(dt_rng *rng, const dt_op_run *r, int64_t at)
{
    dt_rng_open(rng, r->seed, DT_RNG_ROUND, r->stream, (uint64_t)r->step);
    dt_rng_skip(rng, (uint32_t)(at / 4));
    for (int64_t i = 0; i < at % 4; i++)
        (void)dt_rng_u32(rng);
}

/* The code of u; 24 bits of the number are what a float holds. */
static real code_of(const dt_encode *e, real u, uint32_t number)
{
    real U = (real)(number >> 8) / (real)16777216;
    real q = floor((u < e->qmin ? e->qmin : u > e->qmax ? e->qmax : u) + U);
    return q > e->qmax ? e->qmax : q; /* the sum may round up */
}

static int64_t chunk_of(const call *c, int64_t i)
{
    int64_t left = c->n - i * DT_POINT_CHUNK;
    return left < DT_POINT_CHUNK ? left : DT_POINT_CHUNK;
}

static int64_t chunks(int64_t n)
{
    return (n + DT_POINT_CHUNK - 1) / DT_POINT_CHUNK;
}

static void encode_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const call *c = arg;
    const dt_encode *e = c->e;
    int64_t first = chunk * DT_POINT_CHUNK, n = chunk_of(c, chunk);
    dt_rng rng;
    open_stream(&rng, c->r, c->at + first);
    for (int64_t i = first; i < first + n; i++) {
        real u = (c->x[i] - e->offset) / e->scale;
        c->y[i] = code_of(e, u, dt_rng_u32(&rng)) * e->scale + e->offset;
    }
}

void dt_stochastic_encode(const dt_op_run *r, const dt_encode *e, int64_t at, int64_t n,
                          const real *x, real *y)
{
    call c = { .r = r, .e = e, .at = at, .n = n, .x = x, .y = y };
    dt_parallel(r->threads, chunks(n), encode_chunk, &c);
}

static void back_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const call *c = arg;
    const dt_encode *e = c->e;
    int64_t first = chunk * DT_POINT_CHUNK, n = chunk_of(c, chunk);
    dt_encode_sums s = { 0 };
    real low, high;
    dt_rng rng;
    dt_encode_bounds(e, &low, &high);
    open_stream(&rng, c->r, c->at + first);
    for (int64_t i = first; i < first + n; i++) {
        real u = (c->x[i] - e->offset) / e->scale, q = code_of(e, u, dt_rng_u32(&rng)), g = c->g[i];
        real in = u <= low || u >= high ? 0 : g;
        s.residual += (double)(in * (q - u));
        s.inside += (double)in;
        s.below += (double)(u <= low ? g : 0);
        s.above += (double)(u >= high ? g : 0);
        if (c->y) c->y[i] = c->sum ? c->y[i] + in : in;
    }
    c->part[chunk] = s;
}

void dt_stochastic_back(const dt_op_run *r, const dt_encode *e, int64_t at, int64_t n,
                        const real *x, const real *g, real *dx, bool sum, dt_encode_sums *work,
                        dt_encode_sums *sums)
{
    call c = { r, e, at, n, x, g, dx, sum, work };
    *sums = (dt_encode_sums){ 0 };
    dt_parallel(r->threads, chunks(n), back_chunk, &c);
    for (int64_t i = 0; i < chunks(n); i++) {
        sums->residual += work[i].residual;
        sums->inside += work[i].inside;
        sums->below += work[i].below;
        sums->above += work[i].above;
    }
}
