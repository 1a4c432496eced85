/* Direct convolution for the vector tiers: both gradients in one pass over dy.
 *
 * A task is a slice of the weight gradient. For one unit of pictures after the other it finishes
 * their dy in a scratch that stays in a second-level cache, makes dx of them, then adds their part
 * of dw. Sums are those of the two passes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/thread.h"
#include "kernels/conv_job.h"

enum { DY_BYTES = 512 << 10 }; /* most of the pictures in work: with all copies in such a cache */

typedef struct job {
    const dt_conv_back *b;
    dt_conv_job dx;
    dt_conv_wjob dw;
    int64_t picture; /* floats of a picture of dy */
    unsigned char *dy;
    size_t dy_bytes; /* per thread */
} job;

static int64_t picture_of(const dt_conv_shape *s)
{
    return s->OH * s->OW * s->O;
}

static size_t dy_bytes(const dt_conv_wplan *p, const dt_conv_shape *s)
{
    return dt_aligned(p->pictures * picture_of(s) * 4);
}

static bool fits(const dt_conv_wplan *p, const dt_conv_shape *s)
{
    return p->pieces == 1 && dy_bytes(p, s) <= DY_BYTES;
}

bool dt_conv_direct_together(const dt_conv_tiles *t, const dt_conv_back *b)
{
    dt_conv_wplan p = dt_conv_wplan_make(t, &b->shape, !b->x.x);
    return b->dw && fits(&p, &b->shape);
}

/* The pictures that start with `first`, finished. */
static const float *get_dy(const job *j, int64_t first, int64_t count, int thread)
{
    if (!j->b->finish) return j->b->dy + first * j->picture;
    float *dy = (float *)(void *)(j->dy + j->dy_bytes * (size_t)thread);
    j->b->finish(j->b->arg, first, count, dy);
    return dy;
}

static void run_slice(void *arg, int64_t slice, int thread)
{
    const job *j = arg;
    const dt_conv_wplan *p = &j->dw.p;
    const float *dy = NULL;
    dt_conv_wjob_clear(&j->dw, slice);
    int64_t end = p->units * (slice + 1) / p->slices;
    for (int64_t u = p->units * slice / p->slices; u < end; u++) {
        int64_t first = u / p->bands * p->pictures;
        int64_t count = dt_min64(p->pictures, j->b->shape.N - first);
        if (!dy || u % p->bands == 0) dy = get_dy(j, first, count, thread);
        for (int64_t i = 0; j->b->dx && i < count && u % p->bands == 0; i++)
            dt_conv_job_picture(&j->dx, first + i, dy + i * j->picture, thread);
        dt_conv_wjob_unit(&j->dw, slice, u, dy, thread);
    }
}

void dt_conv_direct_backward(const dt_conv_tiles *t, const dt_conv_back *b, void *workspace,
                             int threads)
{
    const dt_conv_shape *s = &b->shape;
    job j = { .b = b, .picture = picture_of(s) };
    j.dw = (dt_conv_wjob){
        .t = t, .s = s, .p = dt_conv_wplan_make(t, s, !b->x.x), .x = &b->x, .dw = b->dw
    };
    j.dx = (dt_conv_job){ .t = t,
                          .s = s,
                          .p = dt_conv_plan_make(t, s, 1),
                          .w = b->w,
                          .out = b->dx,
                          .accumulate = b->accumulate };
    unsigned char *at = workspace;
    dt_conv_wjob_begin(&j.dw, at);
    at += dt_aligned(dt_conv_wplan_bytes(&j.dw.p, threads));
    j.dy = at;
    j.dy_bytes = dy_bytes(&j.dw.p, s);
    at += j.dy_bytes * (size_t)(threads < 1 ? 1 : threads);
    if (b->dx) dt_conv_job_begin(&j.dx, at, threads);
    dt_parallel(threads, j.dw.p.slices, run_slice, &j);
    dt_conv_wjob_end(&j.dw, threads);
}

size_t dt_conv_direct_back_workspace(const dt_conv_tiles *t, const dt_conv_shape *s, int threads)
{
    size_t d = dt_conv_direct_workspace(t, s, DT_CONV_DGRAD, threads);
    dt_conv_wplan p = dt_conv_wplan_make(t, s, true); /* codes want no less */
    size_t w = dt_aligned(dt_conv_wplan_bytes(&p, threads));
    if (!fits(&p, s)) return d > w ? d : w;
    return d + w + dy_bytes(&p, s) * (size_t)(threads < 1 ? 1 : threads);
}
