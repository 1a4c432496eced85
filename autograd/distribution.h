/* What an output of a net says of the answer, as a distribution over answers. It makes outputs of
 * any task comparable with those of another net, and their gradients those of a likelihood: all are
 * in nats, so what is said of several outputs can be added. A task names one (tasks/task.h). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_DISTRIBUTION_H
#define DT_AUTOGRAD_DISTRIBUTION_H

#include "autograd/op.h"
#include "core/rng.h"

typedef struct dt_distribution {
    const char *name;
    bool spreads; /* numbers around the output, whose spread is that of the float net's over pictures:
                   * dt_distribution_spread; `spread` is 1 for others */
    /* Adds KL(of z / temperature || of y / temperature) of one sample to *sum, in the order of the
     * outputs [K], and sets slope[K] (NULL: not wanted) to its gradient by y. `room`: [2K]. */
    void (*apart)(int64_t K, const real *z, const real *y, double temperature, double spread,
                  double *room, double *sum, real *slope);
    /* slope[K]: the gradient by y of -log of the likelihood of an answer that is drawn from y: its
     * mean is 0, and the mean of its square is Fisher's information. `room`: [K]. */
    void (*draw)(int64_t K, const real *y, double spread, dt_rng *rng, double *room, real *slope);
} dt_distribution;

/* One of K classes: softmax. */
extern const dt_distribution dt_categorical;
/* K flags, each by itself: sigmoid. */
extern const dt_distribution dt_bernoulli;
/* K numbers, each normal around the output; KL is the squared error over twice the spread. */
extern const dt_distribution dt_normal;

/* The variance over samples of outputs z, n rows of K numbers that begin `stride` apart, the mean of
 * that of each number; 1 where there is none, and of distributions that have no spread. */
double dt_distribution_spread(const dt_distribution *d, int64_t n, int64_t K, int64_t stride,
                              const real *z);

#endif
