/* What rows of operators ask and say: inputs, numbers that are attributes in one version and inputs
 * in another, outputs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exchange/onnx/reader/onnx_remap.h"

dt_status dt_ox_refuse(dt_ox_walk *w, const char *fmt, ...)
{
    char text[320];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (w->brief) return dt_fail(w->err, DT_ERR_UNSUPPORTED, NULL, "%s", text);
    const char *name = *w->node->name ? w->node->name : w->layer;
    return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ w->file->path, 0, name }, "%s: %s",
                   w->node->op, text);
}

dt_status dt_ox_no_memory(dt_ox_walk *w)
{
    return dt_fail(w->err, DT_ERR_NOMEM, &(dt_where){ .file = w->file->path }, "no memory");
}

const dt_ox_value *dt_ox_input(const dt_ox_walk *w, int i)
{
    if (i < 0 || i >= w->node->in_count || !*w->node->in[i]) return NULL;
    return dt_ox_map_find(&w->values, w->node->in[i]);
}

dt_status dt_ox_need(dt_ox_walk *w, int i, const dt_ox_value **out)
{
    *out = dt_ox_input(w, i);
    return *out ? DT_OK : dt_ox_refuse(w, "input %d is not there", i);
}

dt_status dt_ox_need_value(dt_ox_walk *w, int i, const dt_ox_value **out)
{
    DT_TRY(dt_ox_need(w, i, out));
    if ((*out)->constant) return dt_ox_refuse(w, "input %d is constant", i);
    if ((*out)->padded) DT_TRY(dt_ox_pad(w, w->node->in[i], out));
    bool waits = (*out)->order || (*out)->factor;
    return waits ? dt_ox_settle(w, w->node->in[i], -1, out) : DT_OK;
}

dt_status dt_ox_need_picture(dt_ox_walk *w, int i, const dt_ox_value **out)
{
    DT_TRY(dt_ox_need_value(w, i, out));
    bool other = (*out)->rank == 4 && !dt_ox_is_picture(w, *out) && !dt_ox_is_rows(w, *out);
    return other ? dt_ox_settle(w, w->node->in[i], 1, out) : DT_OK;
}

dt_status dt_ox_need_pixels(dt_ox_walk *w, int i, const dt_ox_value **out)
{
    DT_TRY(dt_ox_need_picture(w, i, out));
    bool rows = (*out)->rank == 4 && !dt_ox_is_picture(w, *out) && dt_ox_is_rows(w, *out);
    return rows ? dt_ox_settle_pixel(w, w->node->in[i], out) : DT_OK;
}

static dt_status constant(dt_ox_walk *w, int i, bool whole, const dt_ox_tensor **out)
{
    const dt_ox_value *v = dt_ox_input(w, i);
    *out = NULL;
    if (!v) return DT_OK;
    if (!v->constant)
        return dt_ox_refuse(w, "input %d ('%.80s') is computed; it is read where it is constant", i,
                            w->node->in[i]);
    if (v->constant->whole != whole)
        return dt_ox_refuse(w, "input %d has %s, %s are wanted", i,
                            whole ? "real numbers" : "whole numbers",
                            whole ? "whole ones" : "real ones");
    *out = v->constant;
    return DT_OK;
}

dt_status dt_ox_reals(dt_ox_walk *w, int i, const dt_ox_tensor **out)
{
    return constant(w, i, false, out);
}

dt_status dt_ox_wholes(dt_ox_walk *w, int i, const dt_ox_tensor **out)
{
    return constant(w, i, true, out);
}

dt_status dt_ox_number(dt_ox_walk *w, const char *name, int i, float otherwise, float *out)
{
    const dt_ox_tensor *t = NULL;
    *out = dt_ox_float(w->node, name, otherwise);
    if (dt_ox_attr_of(w->node, name) || i < 0) return DT_OK;
    DT_TRY(dt_ox_reals(w, i, &t));
    if (t && t->count != 1) return dt_ox_refuse(w, "input %d is not one number", i);
    if (t) *out = t->x[0];
    return DT_OK;
}

dt_status dt_ox_list(dt_ox_walk *w, const char *name, int i, const int64_t **out, int *out_count)
{
    enum { MOST = 1024 };
    const dt_ox_attr *a = dt_ox_attr_of(w->node, name);
    const dt_ox_tensor *t = NULL;
    *out = NULL;
    *out_count = -1;
    if (!a && i >= 0) DT_TRY(dt_ox_wholes(w, i, &t));
    if ((a && a->int_count > MOST) || (t && t->count > MOST))
        return dt_ox_refuse(w, "'%s' has more than %d elements", name, MOST);
    if (a) *out = a->ints, *out_count = (int)a->int_count;
    if (t) *out = t->n, *out_count = (int)t->count;
    return DT_OK;
}

dt_status dt_ox_axis(dt_ox_walk *w, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return dt_ox_refuse(w, "axis %lld is outside of %d dimensions", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return DT_OK;
}

dt_status dt_ox_axes(dt_ox_walk *w, const char *name, int i, int rank, int *out, int *out_count)
{
    const int64_t *list;
    DT_TRY(dt_ox_list(w, name, i, &list, out_count));
    if (*out_count > DT_OX_RANK) return dt_ox_refuse(w, "'%s' has more than 8 axes", name);
    for (int k = 0; k < *out_count; k++)
        DT_TRY(dt_ox_axis(w, list[k], rank, &out[k]));
    return DT_OK;
}

dt_status dt_ox_set(dt_ox_walk *w, int k, const dt_ox_value *v)
{
    if (k >= w->node->out_count || !*w->node->out[k]) return DT_OK;
    dt_ox_value *copy = dt_arena_get(w->file->arena, sizeof *copy);
    if (!copy) return dt_ox_no_memory(w);
    *copy = *v;
    return dt_ox_map_set(&w->values, w->node->out[k], copy, w->err);
}

dt_status dt_ox_built(const dt_ox_walk *w)
{
    return w->b->status;
}

dt_status dt_ox_set_like(dt_ox_walk *w, int y, const dt_ox_value *v)
{
    dt_ox_value out = *v;
    DT_TRY(dt_ox_built(w));
    out.value = y;
    return dt_ox_set(w, 0, &out);
}

dt_status dt_ox_set_picture(dt_ox_walk *w, int y, int rank)
{
    static const int order[] = { 0, 3, 1, 2 };
    DT_TRY(dt_ox_built(w));
    dt_ox_value out = { .value = y, .rank = rank };
    const dt_shape *s = dt_ox_shape(w, &out);
    for (int i = 0; i < rank; i++) {
        out.axis[i] = s->rank == 4 ? order[i] : i < s->rank ? i : -1;
        out.dim[i] = out.axis[i] >= 0 ? s->dim[out.axis[i]] : 1;
    }
    return dt_ox_set(w, 0, &out);
}

dt_status dt_ox_set_constant(dt_ox_walk *w, int k, dt_ox_tensor *t)
{
    dt_ox_value out = { .constant = t, .value = -1, .rank = t->rank };
    memcpy(out.dim, t->dim, sizeof out.dim);
    return dt_ox_set(w, k, &out);
}
