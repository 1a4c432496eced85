/* Edges of a net where a factor of each channel can be moved from what makes a value into what
 * reads it, without changing what the net computes: a norm, then only what a positive factor passes
 * through (limits from 0 up, what moves values along), then products. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_EDGES_H
#define DT_PTQ_EDGES_H

#include "ptq/engine.h"

enum { DT_PTQ_READERS = 16 };

typedef struct dt_ptq_edge {
    const dt_node *norm; /* its result is times in[1] plus in[2] */
    int value;           /* what products read, before their quantizers */
    int64_t C;
    const dt_node *product[DT_PTQ_READERS];
    int products;
    bool offsets; /* products can take up an offset of each channel: they read no padding, and have
                     biases or batch norms */
    bool limited; /* on the way to some of them values end at 0: only offsets that values never fall
                     below pass */
} dt_ptq_edge;

/* Can an offset be moved as well, whatever the values are? */
static inline bool dt_ptq_edge_shifts(const dt_ptq_edge *e)
{
    return e->offsets && !e->limited;
}

/* The edge of a norm; false: there is none. */
bool dt_ptq_edge_of(const dt_ptq *q, const dt_node *norm, dt_ptq_edge *out);
/* The largest |weight| that reads each channel, of all products; out [C]. */
void dt_ptq_edge_columns(const dt_ptq *q, const dt_ptq_edge *e, double *out);
/* Divides channel c by factor[c] > 0 after taking shift[c] away (NULL: nothing), and multiplies and
 * adds in the products; with `shift` only where the edge has `offsets`. */
void dt_ptq_edge_fold(const dt_ptq *q, const dt_ptq_edge *e, const double *factor,
                      const double *shift);
/* a^alpha / w^beta, both at least 1e-5 (SmoothQuant, Xiao 2022, arXiv:2211.10438, eq. 4). */
double dt_ptq_edge_factor(double a, double w, double alpha, double beta);

#endif
