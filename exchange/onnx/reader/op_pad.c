/* Pad with zeros or minus infinity, which the convolution or the pooling behind it takes in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "exchange/onnx/reader/onnx_ops.h"

/* Zeros in front of and behind every dimension of the file's value. */
static dt_status amounts(dt_ox_walk *w, int rank, int64_t *before, int64_t *behind)
{
    const int64_t *pads;
    int count, axis[DT_OX_RANK], axes;
    DT_TRY(dt_ox_list(w, "pads", 1, &pads, &count));
    DT_TRY(dt_ox_axes(w, "axes", 3, rank, axis, &axes));
    if (axes < 0) {
        axes = rank;
        for (int i = 0; i < rank; i++)
            axis[i] = i;
    }
    if (count != 2 * axes) return dt_ox_refuse(w, "'pads' is no list of two numbers for each axis");
    for (int i = 0; i < rank; i++)
        before[i] = behind[i] = 0;
    for (int k = 0; k < axes; k++) {
        before[axis[k]] = pads[k];
        behind[axis[k]] = pads[axes + k];
    }
    return DT_OK;
}

static dt_status build(dt_ox_walk *w)
{
    enum { MOST = 1 << 16 };
    const dt_ox_value *v;
    int64_t before[DT_OX_RANK], behind[DT_OX_RANK], any = 0;
    float fill;
    DT_TRY(dt_ox_need_value(w, 0, &v));
    if (strcmp(dt_ox_text(w->node, "mode", "constant"), "constant") != 0)
        return dt_ox_refuse(w, "mode '%.40s' is not read; constant is",
                            dt_ox_text(w->node, "mode", ""));
    DT_TRY(dt_ox_number(w, "value", 2, 0, &fill));
    DT_TRY(amounts(w, v->rank, before, behind));
    for (int i = 0; i < v->rank; i++)
        any |= before[i] | behind[i];
    if (!any) return dt_ox_set(w, 0, v);
    bool lowest = isinf(fill) && fill < 0;
    if (fill != 0 && !lowest)
        return dt_ox_refuse(w, "it pads with %g; 0 and -inf are read", (double)fill);
    DT_TRY(dt_ox_need_pixels(w, 0, &v));
    if (!dt_ox_is_picture(w, v)) return dt_ox_refuse(w, "it pads something that is no picture");
    for (int i = 0; i < 4; i++)
        if (before[i] < 0 || behind[i] < 0 || before[i] > MOST || behind[i] > MOST ||
            (i < 2 && (before[i] || behind[i])))
            return dt_ox_refuse(w, "it cuts, or pads channels; rows and columns are padded");
    dt_ox_value out = *v;
    out.padded = true;
    out.lowest = lowest;
    for (int i = 2; i < 4; i++) {
        out.pad[i - 2] = before[i];
        out.pad[i] = behind[i];
        out.dim[i] += before[i] + behind[i];
    }
    return dt_ox_set(w, 0, &out);
}

const dt_ox_op dt_ox_op_Pad = { .name = "Pad", .in_min = 1, .in_max = 4, .build = build };
