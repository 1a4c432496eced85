/* Values that wait for DequantizeLinear. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_codes.h"

#include "exchange/onnx/reader/onnx_grid.h"

dt_status dt_ox_refuse_codes(dt_ox_walk *w, const dt_ox_op *op)
{
    for (int i = 0; i < w->node->in_count && !(op && (op->takes_codes || op->moves)); i++) {
        const dt_ox_value *v = dt_ox_input(w, i);
        if (v && v->codes)
            return dt_ox_refuse(w,
                                "its input '%.120s' is integer codes; operators between "
                                "DequantizeLinear and QuantizeLinear are read (the QDQ form)",
                                w->node->in[i]);
    }
    return DT_OK;
}

/* The values of these names, but constants, are codes, or (NULL) the numbers that they are of. */
static void set_codes(dt_ox_walk *w, const char **names, int count, dt_ox_codes *codes)
{
    for (int i = 0; i < count; i++) {
        dt_ox_value *v = *names[i] ? dt_ox_map_find(&w->values, names[i]) : NULL;
        if (v && !v->constant) v->codes = codes;
    }
}

/* The codes that a node moves; NULL: it moves none. */
static dt_ox_codes *moved_codes(const dt_ox_walk *w, const dt_ox_op *op)
{
    for (int i = 0; op->moves && i < w->node->in_count; i++) {
        const dt_ox_value *v = dt_ox_input(w, i);
        if (v && v->codes) return v->codes;
    }
    return NULL;
}

static dt_status check_alike(dt_ox_walk *w, const dt_ox_codes *codes)
{
    for (int i = 0; i < w->node->in_count; i++) {
        const dt_ox_value *v = dt_ox_input(w, i);
        if (!v || v->constant) continue;
        if (!v->codes || codes->grid.axis >= 0 ||
            !dt_ox_grid_is_alike(&v->codes->grid, &codes->grid))
            return dt_ox_refuse(w, "its inputs are not codes of one scale and zero point");
    }
    return DT_OK;
}

dt_status dt_ox_build(dt_ox_walk *w, const dt_ox_op *op)
{
    dt_ox_codes *codes = moved_codes(w, op);
    if (!codes) return op->build(w);
    DT_TRY(check_alike(w, codes));
    set_codes(w, w->node->in, w->node->in_count, NULL);
    dt_status st = op->build(w);
    set_codes(w, w->node->in, w->node->in_count, codes);
    if (st == DT_OK) set_codes(w, w->node->out, w->node->out_count, codes);
    return st;
}
