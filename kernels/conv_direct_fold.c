/* Direct convolution for the vector tiers: gradient of an input of few channels, as of pictures.
 *
 * Its channels would leave most lanes of a vector empty. But the KW * C inputs that an output meets
 * in a row lie side by side, so first the taps of a column are summed up for all of them at once,
 * which is the gradient of a convolution of KW * C channels with a filter one pixel wide,
 *
 *   z[h,ow,kw,c] = sum over kh,o of dy[oh,ow,o] * w[o,kh,kw,c]    with oh*SH - PH + kh = h
 *
 * for a band of rows in scratch, and then these are added where they belong:
 *
 *   dx[h,x,c] = sum over ow,kw of z[h,ow,kw,c]    with ow*SW - PW + kw = x */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/conv_job.h"

bool dt_conv_folds(const dt_conv_shape *s)
{
    return s->G == 1 && s->C <= DT_CONV_NARROW && s->KW > 1 && s->DW == 0 &&
           s->KW * s->C <= DT_CONV_LANES;
}

dt_conv_shape dt_conv_fold_shape(const dt_conv_shape *s)
{
    dt_conv_shape tall = *s;
    tall.C = s->KW * s->C;
    tall.W = s->OW;
    tall.KW = tall.SW = 1;
    tall.PW = 0;
    return tall;
}

/* One row: z is [OW][M_padded]. */
static void fold_row(const dt_conv_job *j, const float *z, float *dx)
{
    const dt_conv_shape *s = j->s;
    int64_t M = j->p.M, width = s->W * s->C;
    for (int64_t ow = 0; ow < s->OW; ow++, z += j->p.M_padded) {
        int64_t at = (ow * s->SW - s->PW) * s->C;
        int64_t first = dt_min64(dt_max64(-at, 0), M), end = dt_min64(width - at, M);
        for (int64_t l = first; l < end; l++)
            dx[at + l] += z[l];
    }
}

void dt_conv_fold_band(const dt_conv_job *j, int64_t n, int64_t j0, const float *z)
{
    const dt_conv_plan *p = &j->p;
    int64_t width = j->s->W * j->s->C, step = p->h.out_step;
    int64_t end = dt_min64((j0 + p->band) * step, p->h.out);
    float *dx = j->out + n * p->h.out * width;
    for (int64_t row = j0 * step; row < end; row++, z += p->w.out * p->M_padded) {
        if (!j->accumulate) memset(dx + row * width, 0, (size_t)width * sizeof *dx);
        fold_row(j, z, dx + row * width);
    }
}
