/* Means and maxima over any dimensions: what they are over becomes the pixels of a picture. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_mean.h"

#include "autograd/op_maxpool.h"
#include "exchange/onnx/reader/onnx_names.h"

/* Are those the rows and columns of the engine's picture? */
static bool is_pixels(const dt_ox_walk *w, const dt_ox_value *v, const bool *over)
{
    if (v->order || v->factor || dt_ox_shape(w, v)->rank != 4) return false;
    for (int i = 0; i < v->rank; i++) {
        bool pixel = v->axis[i] == 1 || v->axis[i] == 2;
        if (over[i] != pixel && v->dim[i] > 1) return false;
        if (over[i] && !pixel) return false;
    }
    const dt_shape *s = dt_ox_shape(w, v);
    int64_t all = 1;
    for (int i = 0; i < v->rank; i++)
        all *= over[i] ? v->dim[i] : 1;
    return all == s->dim[1] * s->dim[2];
}

/* [N,what is averaged,1,what is left] */
static dt_status as_picture(dt_ox_walk *w, const dt_ox_value *v, const bool *over, dt_ox_value *out)
{
    const dt_ox_order from = dt_ox_order_of(w, v);
    dt_ox_order to = from;
    dt_ox_value picture = *v;
    int parts = 0;
    picture.rank = 4;
    for (int i = 0; i < 4; i++)
        picture.dim[i] = 1;
    for (int pass = 0; pass < 3; pass++) /* batch, averaged, left */
        for (int k = 0; k < from.parts; k++) {
            dt_ox_part p = from.part[k];
            int of = p.axis == 0 ? 0 : over[p.dim] ? 1 : 2;
            if (p.axis == 0 && over[p.dim]) return dt_ox_refuse(w, "it is over the batch");
            if (of != pass) continue;
            p.dim = of == 2 ? 3 : of;
            picture.dim[p.dim] *= p.count;
            to.part[parts++] = p;
        }
    picture.order = &to;
    return dt_ox_settle_as(w, &picture, out);
}

/* The greatest of a whole picture, as [N,1,1,C]. */
static int greatest(dt_ox_walk *w, int x)
{
    const dt_shape *s = &w->b->graph->value[x].shape;
    const dt_maxpool_conf c = { { (int)s->dim[1], (int)s->dim[2], 1, 1, 0, 0, 0, 0 } };
    const char *name = dt_ox_part_name(w, "greatest");
    if (!name) return dt_builder_fail(w->b, dt_ox_no_memory(w));
    return dt_part_node(w->b, "maxpool", name, &c, &x, 1);
}

dt_status dt_ox_build_mean(dt_ox_walk *w, const bool *over, bool keep, bool of_greatest)
{
    const dt_ox_value *v;
    dt_ox_value moved;
    int rank = 0;
    int64_t dim[DT_OX_RANK], left = 1;
    DT_TRY(dt_ox_need(w, 0, &v));
    if (v->constant || v->padded || v->factor) DT_TRY(dt_ox_need_value(w, 0, &v));
    if (is_pixels(w, v, over))
        moved = *v;
    else
        DT_TRY(as_picture(w, v, over, &moved));
    dt_ox_order from = dt_ox_order_of(w, v), to = { .layer = w->layer };
    int batch = 0;
    for (int k = 0; k < from.parts; k++)
        if (from.part[k].axis == 0) batch = from.part[k].dim;
    for (int i = 0; i < v->rank; i++)
        left *= over[i] ? 1 : v->dim[i];
    for (int i = 0; i < v->rank; i++) {
        if (over[i] && !keep) continue;
        dim[rank] = over[i] ? 1 : v->dim[i];
        left /= dim[rank];
        if (i == batch) to.part[to.parts++] = (dt_ox_part){ 0, rank, 1, 1 };
        if (dim[rank] > 1) to.part[to.parts++] = (dt_ox_part){ 1, rank, dim[rank], left };
        rank++;
    }
    if (of_greatest) moved.value = greatest(w, moved.value);
    int y = dt_layer_gap(w->b, w->layer, moved.value);
    DT_TRY(dt_ox_built(w));
    return dt_ox_set_order(w, 0, &(dt_ox_value){ .value = y }, &to, rank, dim);
}
