/* Both gradients of a convolution, one after the other. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/thread.h"
#include "kernels/conv.h"

static void finish_picture(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_conv_back *b = arg;
    b->finish(b->arg, n, 1, b->dy + n * b->shape.OH * b->shape.OW * b->shape.O);
}

void dt_conv_finish(const dt_conv_back *b, int threads)
{
    dt_conv_back copy = *b;
    if (b->finish) dt_parallel(threads, b->shape.N, finish_picture, &copy);
}

void dt_conv_back_apart(const dt_conv_kernels *k, const dt_conv_back *b, void *workspace,
                        int threads)
{
    dt_conv_finish(b, threads);
    if (b->dw) k->wgrad(&b->shape, &b->x, b->dy, b->dw, workspace, threads);
    if (b->dx) k->dgrad(&b->shape, b->dy, b->w, b->dx, b->accumulate, workspace, threads);
}
