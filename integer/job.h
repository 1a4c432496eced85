/* What the forms of operations share when they execute nodes. The reference's loops stand on this
 * and on nothing else: no kernel, so that an error in one cannot hide. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_JOB_H
#define DT_INTEGER_JOB_H

#include "core/thread.h"
#include "integer/form.h"

/* A node on one picture, or one task of the engine. */
typedef struct dt_int_job {
    const dt_int_run *r;
    const dt_int_node *n;
    const dt_int_value *x, *y; /* first input (NULL: the picture) and output */
} dt_int_job;

static inline const dt_int_value *dt_int_value_of(const dt_int_run *r, int id)
{
    return &r->model->value[id];
}

/* Input `which` of one picture: uint8_t codes or int32_t sums. */
static inline const void *dt_int_input(const dt_int_job *j, int which, int64_t picture)
{
    int id = j->n->in[which];
    const dt_int_value *v = dt_int_value_of(j->r, id);
    int64_t size = v->is_sum ? (int64_t)sizeof(int32_t) : 1;
    return (const char *)j->r->data[id] + picture * dt_int_count(v) * size;
}

static inline uint8_t *dt_int_codes(const dt_int_job *j, int64_t picture)
{
    return (uint8_t *)j->r->data[j->n->out] + picture * dt_int_count(j->y);
}

static inline int32_t *dt_int_out_sums(const dt_int_job *j, int64_t picture)
{
    return (int32_t *)j->r->data[j->n->out] + picture * dt_int_count(j->y);
}

static inline dt_int_job dt_int_job_of(const dt_int_run *r, const dt_int_node *n)
{
    return (dt_int_job){ r, n, n->in[0] >= 0 ? dt_int_value_of(r, n->in[0]) : NULL,
                         dt_int_value_of(r, n->out) };
}

/* task(job, picture, thread) for every picture. */
static inline void dt_int_each_picture(const dt_int_run *r, const dt_int_node *n, dt_task task)
{
    dt_int_job j = dt_int_job_of(r, n);
    dt_parallel(r->threads, r->n, task, &j);
}

/* ---- the engine's kernels ---- */

static inline dt_code_grid dt_int_grid_of(const dt_int_value *v)
{
    return (dt_code_grid){ v->grid.scale, v->grid.zero_point, v->grid.low, v->grid.high };
}

/* Elements of the output of all pictures. */
static inline int64_t dt_int_out_count(const dt_int_run *r, const dt_int_node *n)
{
    return r->n * dt_int_count(dt_int_value_of(r, n->out));
}

/* code(f, k) for the elements 0..count-1, a chunk a task: contracts in fixed point. */
typedef struct dt_int_formula {
    int32_t (*code)(const struct dt_int_formula *f, int64_t k);
    const dt_int_node *n;
    const dt_int_value *y;
    const void *a, *b;
    uint8_t *out;
    int64_t count;
} dt_int_formula;
void dt_int_each_element(int threads, const dt_int_formula *f);

#endif
