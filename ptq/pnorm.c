/* Errors to a power: what losses of units are made of. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/mathx.h"
#include "core/thread.h"
#include "ptq/recon.h"

enum { CHUNK = 1 << 14, PIECES = 1 << 10 };

typedef struct call {
    int64_t n, chunk, rows;
    const real *y, *t, *weight;
    real *dy;
    double power;
    double sum[PIECES];
} call;

static double power_of(double x, double p)
{
    return x > 0 ? dt_exp(p * dt_log(x)) : 0;
}

static void task(void *arg, int64_t i, int thread)
{
    (void)thread;
    call *c = arg;
    int64_t begin = i * c->chunk, end = begin + c->chunk < c->n ? begin + c->chunk : c->n;
    const double scale = 1 / (double)c->rows;
    double sum = 0;
    for (int64_t k = begin; k < end; k++) {
        double d = (double)c->y[k] - (double)c->t[k], w = c->weight ? (double)c->weight[k] : 1, g;
        if (c->power == 2) {
            sum += w * d * d;
            g = 2 * d;
        } else {
            double size = fabs(d), below = power_of(size, c->power - 1);
            sum += w * below * size;
            g = copysign(c->power * below, d);
        }
        if (c->dy) c->dy[k] += (real)(w * g * scale);
    }
    c->sum[i] = sum;
}

double dt_ptq_pnorm(int threads, int64_t rows, int64_t C, const real *y, const real *t,
                    const real *weight, double power, real *dy)
{
    call c = {
        .n = rows * C, .rows = rows, .y = y, .t = t, .weight = weight, .dy = dy, .power = power
    };
    double sum = 0;
    c.chunk = (c.n + PIECES - 1) / PIECES;
    if (c.chunk < CHUNK) c.chunk = CHUNK;
    int64_t pieces = (c.n + c.chunk - 1) / c.chunk;
    dt_parallel(threads, pieces, task, &c);
    for (int64_t i = 0; i < pieces; i++)
        sum += c.sum[i];
    return sum / (double)rows;
}
