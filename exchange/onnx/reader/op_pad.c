/* Pad. Zeros or minus infinity around a picture wait for the convolution or the pooling behind,
 * which takes them in; whatever else is put around, or where something else reads it, is a node. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "exchange/onnx/reader/onnx_remap.h"
#include "exchange/onnx/reader/onnx_spread.h"

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

enum { MOST = 1 << 16 };

/* Does it put something around rows and columns of a picture, and nothing else? */
static bool is_around(const int64_t *before, const int64_t *behind)
{
    for (int i = 0; i < 4; i++)
        if (before[i] < 0 || behind[i] < 0 || (i < 2 && (before[i] || behind[i]))) return false;
    return true;
}

/* Adds a number that is no 0 where it was put: it is a buffer, which nothing trains. */
static dt_status fill_in(dt_ox_walk *w, const dt_ox_value *inner, const int64_t *before, float fill,
                         dt_ox_value *v)
{
    int64_t dim[DT_OX_RANK];
    const dt_ox_tensor *t;
    dt_ox_tensor *filled = dt_ox_make(w, false, v->rank, v->dim), *spread;
    DT_TRY(dt_ox_made(w, filled));
    for (int64_t e = 0; e < filled->count; e++) {
        int64_t left = e;
        bool inside = true;
        for (int i = v->rank; i-- > 0; left /= v->dim[i]) {
            dim[i] = left % v->dim[i] - before[i];
            inside = inside && dim[i] >= 0 && dim[i] < inner->dim[i];
        }
        filled->x[e] = inside ? 0 : fill;
    }
    DT_TRY(dt_ox_spread(w, v, filled, &spread));
    t = spread;
    const int turn[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    const dt_value kind = { .kind = DT_VALUE_BUFFER, .role = DT_ROLE_BIAS };
    const char *layer = dt_layer_name(w->b, "%s.filled", w->layer);
    int in[] = { v->value, dt_ox_param_of(w, layer, "fill", t, turn, t->rank, kind) };
    v->value = dt_part_node(w->b, "shift", layer, NULL, in, 2);
    return dt_ox_built(w);
}

/* Elements of any dimensions are put around, or cut off. */
static dt_status remap(dt_ox_walk *w, const dt_ox_value *v, const int64_t *before,
                       const int64_t *behind, dt_remap_border border, float fill)
{
    dt_remap_axis rule[DT_OX_RANK] = { { 0 } };
    dt_ox_value out;
    for (int i = 0; i < v->rank; i++) {
        int64_t size = v->dim[i] + before[i] + behind[i];
        if (!before[i] && !behind[i]) continue;
        if (size < 1) return dt_ox_refuse(w, "it leaves nothing of dimension %d", i);
        rule[i] = (dt_remap_axis){ size, 1, -before[i], 1, border };
    }
    DT_TRY(dt_ox_remap(w, v, rule, w->layer, &out));
    if (fill != 0) DT_TRY(fill_in(w, v, before, fill, &out));
    return dt_ox_set(w, 0, &out);
}

static dt_status border_of(dt_ox_walk *w, dt_remap_border *out)
{
    static const char *const modes[DT_REMAP_BORDERS] = {
        [DT_REMAP_FILL] = "constant",
        [DT_REMAP_EDGE] = "edge",
        [DT_REMAP_REFLECT] = "reflect",
        [DT_REMAP_WRAP] = "wrap",
    };
    const char *mode = dt_ox_text(w->node, "mode", "constant");
    for (int i = 0; i < DT_REMAP_BORDERS; i++)
        if (strcmp(mode, modes[i]) == 0) {
            *out = (dt_remap_border)i;
            return DT_OK;
        }
    return dt_ox_refuse(w, "mode '%.40s' is not read; constant, edge, reflect and wrap are", mode);
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    int64_t before[DT_OX_RANK], behind[DT_OX_RANK], any = 0;
    dt_remap_border border = DT_REMAP_FILL;
    float fill;
    DT_TRY(dt_ox_need_value(w, 0, &v));
    DT_TRY(border_of(w, &border));
    DT_TRY(dt_ox_number(w, "value", 2, 0, &fill));
    DT_TRY(amounts(w, v->rank, before, behind));
    for (int i = 0; i < v->rank; i++) {
        any |= before[i] | behind[i];
        if (before[i] < -MOST || behind[i] < -MOST || before[i] > MOST || behind[i] > MOST)
            return dt_ox_refuse(w, "it pads dimension %d by more than %d", i, MOST);
    }
    if (!any) return dt_ox_set(w, 0, v);
    if (border != DT_REMAP_FILL) return remap(w, v, before, behind, border, 0);
    bool lowest = isinf(fill) && fill < 0;
    if (!isfinite(fill) && !lowest)
        return dt_ox_refuse(w, "it pads with %g; numbers and -inf are read", (double)fill);
    bool waits = v->rank == 4 && (fill == 0 || lowest) && is_around(before, behind) &&
                 (dt_ox_is_picture(w, v) || dt_ox_is_rows(w, v));
    if (waits) DT_TRY(dt_ox_need_pixels(w, 0, &v));
    if (!waits && lowest)
        return dt_ox_refuse(w, "it pads with -inf what are no rows and columns of a picture");
    if (!waits) return remap(w, v, before, behind, border, fill);
    dt_ox_value out = *v;
    out.padded = true;
    out.lowest = lowest;
    out.layer = w->layer;
    for (int i = 2; i < 4; i++) {
        out.pad[i - 2] = before[i];
        out.pad[i] = behind[i];
        out.dim[i] += before[i] + behind[i];
    }
    return dt_ox_set(w, 0, &out);
}

const dt_ox_op dt_ox_op_Pad = { .name = "Pad", .in_min = 1, .in_max = 4, .build = build };
