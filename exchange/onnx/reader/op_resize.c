/* Resize and Upsample: to the nearest pixels, which is an index for each row and column, or to what
 * lies between them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/op_resample.h"
#include "exchange/onnx/reader/onnx_remap.h"

/* What the node says. */
typedef struct resize {
    int64_t to[DT_OX_RANK];
    float scale[DT_OX_RANK];
    const char *transform, *nearest;
} resize;

/* Numbers by dimension, or by the dimensions of the attribute `axes`. */
static dt_status axes_of(dt_ox_walk *w, int rank, int *axis, int *count)
{
    DT_TRY(dt_ox_axes(w, "axes", -1, rank, axis, count));
    if (*count >= 0) return DT_OK;
    *count = rank;
    for (int i = 0; i < rank; i++)
        axis[i] = i;
    return DT_OK;
}

/* Sizes and factors of all dimensions. Inputs: `scales`, or behind it sizes. */
static dt_status sizes(dt_ox_walk *w, const dt_ox_value *v, int scales, resize *out)
{
    const dt_ox_tensor *s = NULL;
    const int64_t *size = NULL;
    int axis[DT_OX_RANK], axes, count = -1;
    DT_TRY(axes_of(w, v->rank, axis, &axes));
    if (scales > 1) DT_TRY(dt_ox_list(w, "sizes", scales + 1, &size, &count));
    if (count < 0) DT_TRY(dt_ox_reals(w, scales, &s));
    if (count < 0 ? !s || s->count != axes : count != axes)
        return dt_ox_refuse(w, "it has no factor and no size for each dimension");
    for (int i = 0; i < v->rank; i++) {
        out->to[i] = v->dim[i];
        out->scale[i] = 1;
    }
    for (int k = 0; k < axes; k++) {
        int i = axis[k];
        float f = s ? s->x[k] : (float)size[k] / (float)v->dim[i];
        double to = size ? (double)size[k] : floor((double)v->dim[i] * (double)f);
        if (!(to >= 1 && to <= DT_RESAMPLE_MOST) || !(f > 0))
            return dt_ox_refuse(w, "it gives dimension %d %g elements; 1 to %d are read", i, to,
                                DT_RESAMPLE_MOST);
        out->to[i] = (int64_t)to;
        out->scale[i] = f;
    }
    return DT_OK;
}

/* Where place i lies in the input, as runtimes compute it. */
static float place_of(const resize *r, int dim, int64_t in, int64_t i)
{
    const float at = (float)i, f = r->scale[dim];
    const int64_t out = r->to[dim];
    if (strcmp(r->transform, "asymmetric") == 0) return at / f;
    if (strcmp(r->transform, "align_corners") == 0)
        return out > 1 ? at * (float)(in - 1) / (float)(out - 1) : 0;
    if (strcmp(r->transform, "pytorch_half_pixel") == 0 && out <= 1) return 0;
    return (at + 0.5f) / f - 0.5f;
}

static int64_t nearest_of(const resize *r, float x)
{
    if (strcmp(r->nearest, "floor") == 0) return (int64_t)floorf(x);
    if (strcmp(r->nearest, "ceil") == 0) return (int64_t)ceilf(x);
    if (strcmp(r->nearest, "round_prefer_ceil") == 0) return (int64_t)floorf(x + 0.5f);
    return (int64_t)ceilf(x - 0.5f); /* round_prefer_floor */
}

static dt_status build_nearest(dt_ox_walk *w, const dt_ox_value *v, const resize *r)
{
    dt_remap_axis rule[DT_OX_RANK] = { { 0 } };
    dt_ox_value out;
    for (int i = 0; i < v->rank; i++) {
        if (r->to[i] == v->dim[i] && r->scale[i] == 1) continue;
        int64_t *index = dt_arena_get(w->file->arena, (size_t)r->to[i] * sizeof *index);
        if (!index) return dt_ox_no_memory(w);
        for (int64_t k = 0; k < r->to[i]; k++) {
            int64_t at = nearest_of(r, place_of(r, i, v->dim[i], k));
            index[k] = at < 0 ? 0 : at < v->dim[i] ? at : v->dim[i] - 1;
        }
        if (!dt_remap_fit(index, r->to[i], v->dim[i], &rule[i]))
            return dt_ox_refuse(w, "%lld of %lld elements are no rule of one slope",
                                (long long)r->to[i], (long long)v->dim[i]);
    }
    DT_TRY(dt_ox_remap(w, v, rule, w->layer, &out));
    return dt_ox_set(w, 0, &out);
}

/* Is a factor that of the sizes? Otherwise places are other ones. */
static bool is_whole(const resize *r, const dt_ox_value *v, int dim)
{
    const float f = (float)r->to[dim] / (float)v->dim[dim];
    return fabsf(r->scale[dim] - f) <= 1e-6f * f;
}

static dt_status build_between(dt_ox_walk *w, const dt_ox_value *v, const resize *r, bool cubic)
{
    const bool corners = strcmp(r->transform, "align_corners") == 0,
               first = strcmp(r->transform, "asymmetric") == 0;
    dt_resample_conf c;
    memset(&c, 0, sizeof c);
    DT_TRY(dt_ox_need_pixels(w, 0, &v));
    if (!dt_ox_is_picture(w, v) || r->to[0] != v->dim[0] || r->to[1] != v->dim[1])
        return dt_ox_refuse(w, "it resizes what are no rows and columns of [N,C,H,W]");
    if (!corners && (!is_whole(r, v, 2) || !is_whole(r, v, 3)))
        return dt_ox_refuse(w, "its factors are not those of %lldx%lld and %lldx%lld pixels",
                            (long long)v->dim[2], (long long)v->dim[3], (long long)r->to[2],
                            (long long)r->to[3]);
    if (dt_ox_int(w->node, "antialias", 0) || dt_ox_int(w->node, "exclude_outside", 0))
        return dt_ox_refuse(w, "antialias and exclude_outside are not read");
    c.height = (int)r->to[2];
    c.width = (int)r->to[3];
    c.align = corners ? DT_RESAMPLE_CORNERS : first ? DT_RESAMPLE_FIRST : DT_RESAMPLE_CENTERS;
    c.cubic = cubic;
    c.a = cubic ? (double)dt_ox_float(w->node, "cubic_coeff_a", -0.75f) : 0;
    return dt_ox_set_picture(w, dt_part_node(w->b, "resample", w->layer, &c, &v->value, 1), 4);
}

static dt_status build(dt_ox_walk *w, int scales, resize *r)
{
    static const char *const known[] = { "half_pixel", "pytorch_half_pixel", "align_corners",
                                         "asymmetric", NULL };
    const char *mode = dt_ox_text(w->node, "mode", "nearest");
    const dt_ox_value *v;
    int k = 0;
    DT_TRY(dt_ox_need_value(w, 0, &v));
    DT_TRY(sizes(w, v, scales, r));
    while (known[k] && strcmp(known[k], r->transform) != 0)
        k++;
    if (!known[k]) return dt_ox_refuse(w, "coordinates '%.40s' are not read", r->transform);
    bool same = true;
    for (int i = 0; i < v->rank; i++)
        same = same && r->to[i] == v->dim[i] && r->scale[i] == 1;
    if (same) return dt_ox_set(w, 0, v);
    if (strcmp(mode, "nearest") == 0) return build_nearest(w, v, r);
    bool cubic = strcmp(mode, "cubic") == 0;
    if (cubic || strcmp(mode, "linear") == 0 || strcmp(mode, "bilinear") == 0)
        return build_between(w, v, r, cubic);
    return dt_ox_refuse(w, "mode '%.40s' is not read; nearest, linear and cubic are", mode);
}

static dt_status build_resize(dt_ox_walk *w)
{
    const bool old = w->file->opset < 11; /* inputs X and scales, which say nothing of centers */
    const char *policy = dt_ox_text(w->node, "keep_aspect_ratio_policy", "stretch");
    resize r = { .transform =
                     old ? "asymmetric"
                         : dt_ox_text(w->node, "coordinate_transformation_mode", "half_pixel"),
                 .nearest =
                     old ? "floor" : dt_ox_text(w->node, "nearest_mode", "round_prefer_floor") };
    if (strcmp(policy, "stretch") != 0)
        return dt_ox_refuse(w, "keep_aspect_ratio_policy '%.40s' is not read", policy);
    return build(w, old ? 1 : 2, &r);
}

static dt_status build_upsample(dt_ox_walk *w)
{
    resize r = { .transform = "asymmetric", .nearest = "floor" };
    return build(w, 1, &r);
}

const dt_ox_op dt_ox_op_Resize = {
    .name = "Resize", .in_min = 1, .in_max = 4, .build = build_resize
};
const dt_ox_op dt_ox_op_Upsample = {
    .name = "Upsample", .in_min = 1, .in_max = 2, .build = build_upsample
};
