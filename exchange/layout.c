/* Layouts of foreign files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/layout.h"

#include <string.h>

bool dt_layout_is_kept(const dt_value *v)
{
    return v->kind == DT_VALUE_PARAM || v->kind == DT_VALUE_BUFFER;
}

dt_shape dt_layout_shape(const dt_value *v)
{
    const dt_shape *s = &v->shape;
    if (v->layout == DT_LAYOUT_SAME) return *s;
    return DT_SHAPE(s->dim[0], s->dim[3], s->dim[1], s->dim[2]);
}

static void permute(const dt_shape *ohwi, size_t size, const unsigned char *from, unsigned char *to,
                    bool to_ohwi)
{
    size_t O = (size_t)ohwi->dim[0], I = (size_t)ohwi->dim[3];
    size_t pixels = (size_t)(ohwi->dim[1] * ohwi->dim[2]);
    for (size_t o = 0; o < O; o++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t i = 0; i < I; i++) {
                size_t ours = (o * pixels + p) * I + i, theirs = (o * I + i) * pixels + p;
                memcpy(to + size * (to_ohwi ? ours : theirs),
                       from + size * (to_ohwi ? theirs : ours), size);
            }
}

void dt_layout_to_foreign(const dt_shape *ohwi, size_t size, const void *from, void *to)
{
    permute(ohwi, size, from, to, false);
}

void dt_layout_from_foreign(const dt_shape *ohwi, size_t size, const void *from, void *to)
{
    permute(ohwi, size, from, to, true);
}

dt_status dt_layout_collect(const dt_graph *g, const dt_state *state, bool native, dt_tensors *set,
                            dt_error *err)
{
    for (int i = 0; i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        if (!dt_layout_is_kept(v)) continue;
        bool moved = v->layout == DT_LAYOUT_OIHW && !native;
        dt_shape shape = native ? v->shape : dt_layout_shape(v);
        DT_TRY(dt_tensors_add(set, v->name, DT_F32, &shape, moved ? NULL : state->data[i], err));
        if (moved)
            dt_layout_to_foreign(&v->shape, sizeof(real), state->data[i],
                                 dt_tensors_data(set, set->count - 1));
    }
    return DT_OK;
}
