/* Windows of convolutions and poolings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_window.h"

#include <string.h>

enum { MOST = 1 << 16 };

/* Two positive numbers of an attribute, 1 without it. */
static dt_status pair(dt_ox_walk *w, const char *name, int out[2])
{
    const int64_t *list;
    int count;
    DT_TRY(dt_ox_list(w, name, -1, &list, &count));
    out[0] = out[1] = 1;
    if (count < 0) return DT_OK;
    if (count != 2) return dt_ox_refuse(w, "'%s' has %d numbers; 2 are read", name, count);
    for (int i = 0; i < 2; i++) {
        if (list[i] < 1 || list[i] > MOST)
            return dt_ox_refuse(w, "'%s' has %lld", name, (long long)list[i]);
        out[i] = (int)list[i];
    }
    return DT_OK;
}

static dt_status explicit_pads(dt_ox_walk *w, int out[4])
{
    const int64_t *list;
    int count;
    DT_TRY(dt_ox_list(w, "pads", -1, &list, &count));
    if (count >= 0 && count != 4)
        return dt_ox_refuse(w, "'pads' has %d numbers; 4 are read", count);
    for (int i = 0; i < 4; i++) {
        if (count == 4 && (list[i] < 0 || list[i] > MOST))
            return dt_ox_refuse(w, "'pads' has %lld", (long long)list[i]);
        out[i] = count == 4 ? (int)list[i] : 0;
    }
    return DT_OK;
}

/* As many outputs as the stride makes of the inputs; an odd zero goes behind, or in front. */
static void same_pads(const dt_ox_value *v, dt_ox_view *o, bool upper)
{
    for (int i = 0; i < 2; i++) {
        int64_t in = v->dim[2 + i], out = (in + o->stride[i] - 1) / o->stride[i];
        int64_t reach = (int64_t)(o->kernel[i] - 1) * o->dilation[i] + 1;
        int64_t all = (out - 1) * o->stride[i] + reach - in;
        if (all < 0) all = 0;
        o->pad[i] = (int)(upper ? all / 2 : all - all / 2);
        o->pad[2 + i] = (int)(all - o->pad[i]);
    }
}

dt_status dt_ox_view_of(dt_ox_walk *w, const dt_ox_value *v, const int64_t kernel[2], dt_ox_view *o)
{
    const char *automatic = dt_ox_text(w->node, "auto_pad", "NOTSET");
    bool upper = strcmp(automatic, "SAME_UPPER") == 0;
    DT_TRY(pair(w, "kernel_shape", o->kernel));
    DT_TRY(pair(w, "strides", o->stride));
    DT_TRY(pair(w, "dilations", o->dilation));
    DT_TRY(explicit_pads(w, o->pad));
    for (int i = 0; kernel && i < 2; i++) {
        if (kernel[i] < 1 || kernel[i] > MOST ||
            (dt_ox_attr_of(w->node, "kernel_shape") && o->kernel[i] != kernel[i]))
            return dt_ox_refuse(w, "'kernel_shape' is not that of its weight");
        o->kernel[i] = (int)kernel[i];
    }
    if (strcmp(automatic, "VALID") == 0)
        memset(o->pad, 0, sizeof o->pad);
    else if (upper || strcmp(automatic, "SAME_LOWER") == 0)
        same_pads(v, o, upper);
    else if (strcmp(automatic, "NOTSET") != 0 && *automatic)
        return dt_ox_refuse(w, "auto_pad '%.40s' is not read", automatic);
    for (int i = 0; v->padded && i < 4; i++)
        o->pad[i] += (int)v->pad[i];
    return DT_OK;
}
