/* Layers of rows: linear and ReLU in turn, then a linear layer without one. For numbers without a
 * place in a picture: features, flattened arrays, and, with a narrow layer in the middle and the
 * inputs themselves as answers, autoencoders. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "layers/models.h"
#include "layers/nodes.h"

typedef struct conf {
    dt_opt_words widths;
} conf;

static const dt_opt opts[] = {
    DT_OPT_WORDS(conf, widths, "outputs of the layers before the last, in order; none: [64]"),
    DT_OPT_END,
};

enum { WIDTH = 64, WIDEST = 1 << 20 };

/* -1 once anything failed. */
static int64_t width_of(dt_builder *b, const char *text)
{
    char *end;
    long long n = strtoll(text, &end, 10);
    if (end != text && !*end && n >= 1 && n <= WIDEST) return n;
    dt_builder_fail(b, dt_fail(b->err, DT_ERR_RANGE, &(dt_where){ .key = "model.widths" },
                               "'%s' is no whole number in 1..%d", text, WIDEST));
    return -1;
}

static int build(dt_builder *b, const void *options, int classes, int x)
{
    const conf *c = options;
    int layers = c->widths.count > 0 ? c->widths.count : 1;
    for (int i = 0; i < layers && b->status == DT_OK; i++) {
        int64_t width = c->widths.count > 0 ? width_of(b, c->widths.value[i]) : WIDTH;
        if (width < 0) return -1;
        x = dt_layer_linear(b, dt_layer_name(b, "fc%d", i + 1),
                            i == 0 ? DT_LAYER_FIRST : DT_LAYER_BODY, x, width);
        x = dt_layer_relu(b, dt_layer_name(b, "relu%d", i + 1), x);
    }
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}

extern const dt_model dt_model_mlp;
const dt_model dt_model_mlp = {
    .row = { "mlp", "linear layers and ReLU, for inputs of one axis", opts, sizeof(conf) },
    .axes = 1,
    .build = build,
};
