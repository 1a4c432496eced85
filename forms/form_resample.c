/* Pixels between pixels: weights are no numbers of few bits, so this stays in float between
 * quantizers.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_resample.h"
#include "exchange/onnx/onnx_walker.h"
#include "integer/builder.h"

/* The factor of one side, from which runtimes compute as many pixels. */
static float scale_of(int64_t in, int64_t out)
{
    float scale = (float)out / (float)in;
    while ((int64_t)floorf((float)in * scale) < out)
        scale = nextafterf(scale, INFINITY);
    return scale;
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *n)
{
    static const char *const aligns[] = { [DT_RESAMPLE_CENTERS] = "half_pixel",
                                          [DT_RESAMPLE_CORNERS] = "align_corners",
                                          [DT_RESAMPLE_FIRST] = "asymmetric" };
    const dt_resample_conf *c = n->conf;
    const dt_shape *s = &w->src->graph->value[n->in[0]].shape;
    const float scale[] = { 1, 1, scale_of(s->dim[1], c->height), scale_of(s->dim[2], c->width) };
    const dt_onnx_attr attr[] = {
        { .name = "mode", .text = c->cubic ? "cubic" : "linear" },
        { .name = "coordinate_transformation_mode", .text = aligns[c->align] },
        { .name = c->cubic ? "cubic_coeff_a" : NULL, .is_float = true, .f = (float)c->a },
        { .name = NULL },
    };
    const char *out = dt_onnx_out(w, n, "Resize");
    const char *in[] = { dt_onnx_floats(w, n->in[0]), "", dt_onnx_text(w->m, "%s.scales", n->name),
                         NULL };
    dt_onnx_constant(w->m, in[2], DT_ONNX_FLOAT, &DT_SHAPE(4), scale);
    dt_onnx_node(w->m, "Resize", in, out, attr);
    return dt_onnx_set(w, n, out);
}

const dt_form dt_form_resample = { .name = "resample", .onnx = onnx };
