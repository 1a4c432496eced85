/* Relu and Clip, which is a ReLU or a ReLU6 where it can be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_hard.h"
#include "autograd/op_relu6.h"
#include "exchange/onnx/reader/onnx_fold.h"
#include "exchange/onnx/reader/onnx_grid.h"
#include "exchange/onnx/reader/onnx_order.h"

static const double OPEN = 1e30; /* no limit, as the operation says it */

static dt_status build_relu(dt_ox_walk *w)
{
    const dt_ox_value *v;
    DT_TRY(dt_ox_need_elements(w, 0, &v));
    return dt_ox_set_like(w, dt_layer_relu(w->b, w->layer, v->value), v);
}

/* One whole limit; `otherwise` where it is left out. */
static dt_status whole_limit(dt_ox_walk *w, int i, int64_t otherwise, int64_t *out)
{
    const dt_ox_tensor *t;
    DT_TRY(dt_ox_wholes(w, i, &t));
    if (t && t->count != 1) return dt_ox_refuse(w, "input %d is not one number", i);
    *out = t ? t->n[0] : otherwise;
    return DT_OK;
}

/* The limits of codes, inside those that they have. */
static dt_status code_limits(dt_ox_walk *w, int *low, int *high)
{
    int64_t least = 0, most = 0;
    DT_TRY(whole_limit(w, 1, *low, &least));
    DT_TRY(whole_limit(w, 2, *high, &most));
    if (least > *low) *low = (int)(least < *high ? least : *high);
    if (most < *high) *high = (int)(most > *low ? most : *low);
    if (*low < *high) return DT_OK;
    return dt_ox_refuse(w, "limits %lld..%lld leave no codes", (long long)least, (long long)most);
}

/* Of codes, as QCDQ has it: fewer bits than their type. */
static dt_status clip_codes(dt_ox_walk *w, const dt_ox_value *v)
{
    dt_ox_codes *c = dt_arena_get(w->file->arena, sizeof *c);
    dt_ox_value out = *v;
    if (!c) return dt_ox_no_memory(w);
    *c = *v->codes;
    DT_TRY(code_limits(w, &c->grid.low, &c->grid.high));
    out.codes = c;
    return dt_ox_set(w, 0, &out);
}

static dt_status fold_clip(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant;
    if (!t->whole || t->low == t->high)
        return dt_ox_refuse(w, "it has constants alone; of those it is read of codes");
    dt_ox_tensor *made = out[0] = dt_ox_make(w, true, t->rank, t->dim);
    DT_TRY(dt_ox_made(w, made));
    made->name = t->name;
    made->low = t->low;
    made->high = t->high;
    made->latent = t->latent;
    made->grid = t->grid;
    DT_TRY(code_limits(w, &made->low, &made->high));
    for (int64_t i = 0; i < t->count; i++)
        made->n[i] = t->n[i] < made->low ? made->low : t->n[i] > made->high ? made->high : t->n[i];
    return DT_OK;
}

static dt_status build_clip(dt_ox_walk *w)
{
    const dt_ox_value *v;
    float low, high;
    DT_TRY(dt_ox_need(w, 0, &v));
    if (v->codes) return clip_codes(w, v);
    DT_TRY(dt_ox_need_elements(w, 0, &v));
    DT_TRY(dt_ox_number(w, "min", 1, -INFINITY, &low));
    DT_TRY(dt_ox_number(w, "max", 2, INFINITY, &high));
    if (low == 0 && high >= 3e38f) return build_relu(w);
    if (!(low < high)) return dt_ox_refuse(w, "limits %g..%g", (double)low, (double)high);
    if (low == 0 && high == (float)DT_RELU6_HIGH)
        return dt_ox_set_like(w, dt_layer_relu6(w->b, w->layer, v->value), v);
    const dt_clip_conf c = { low > -OPEN ? (double)low : -OPEN, high < OPEN ? (double)high : OPEN };
    return dt_ox_set_like(w, dt_part_node(w->b, "clip", w->layer, &c, &v->value, 1), v);
}

const dt_ox_op dt_ox_op_Relu = { .name = "Relu", .in_min = 1, .in_max = 1, .build = build_relu };
const dt_ox_op dt_ox_op_Clip = { .name = "Clip",
                                 .in_min = 1,
                                 .in_max = 3,
                                 .fold = fold_clip,
                                 .build = build_clip,
                                 .takes_codes = true };
