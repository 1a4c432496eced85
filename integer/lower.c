/* Facts about a graph: what the logits need, who reads what, what is not quantized. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/lower.h"

#include <stdio.h>
#include <string.h>

#include "autograd/op_fold_norm.h"

bool dt_lower_is(const dt_node *node, const char *op)
{
    return node && strcmp(node->op->name, op) == 0;
}

bool dt_lower_is_product(const dt_node *node)
{
    return dt_lower_is(node, "conv2d") || dt_lower_is(node, "linear") ||
           dt_lower_is(node, "patch_embed");
}

bool dt_lower_is_attention(const dt_node *node)
{
    return dt_lower_is(node, "attention_scores") || dt_lower_is(node, "attention_mix");
}

bool dt_lower_is_float(const dt_node *node)
{
    return dt_lower_is(node, "gelu") || dt_lower_is(node, "layernorm") ||
           dt_lower_is(node, "softmax");
}

bool dt_lower_is_rectifier(const dt_node *node)
{
    return dt_lower_is(node, "relu") || dt_lower_is(node, "relu6");
}

static const dt_node *producer_of(const dt_graph *g, int value)
{
    int i = g->value[value].producer;
    return i >= 0 ? &g->node[i] : NULL;
}

const dt_node *dt_lower_site(const dt_graph *g, int value)
{
    for (;;) {
        const dt_node *n = producer_of(g, value);
        if (dt_lower_is(n, "fakequant")) return n;
        bool keeps = dt_lower_is(n, "pad_channels") || dt_lower_is(n, "maxpool") ||
                     dt_lower_is(n, "dropout") || /* nothing outside of training */
                     dt_lower_is(n, "fold_norm");
        if (!keeps) return NULL;
        value = n->in[0];
    }
}

int dt_lower_latent(const dt_graph *g, const dt_node *site)
{
    const dt_node *fold = producer_of(g, site->in[0]);
    return fold ? fold->in[DT_FOLD_W] : site->in[0];
}

const real *dt_lower_values(const dt_graph *g, const dt_state *state, const dt_node *site,
                            real *room, double *factor)
{
    const dt_node *fold = producer_of(g, site->in[0]);
    const real *w = state->data[dt_lower_latent(g, site)];
    const dt_shape *shape = &g->value[site->in[0]].shape;
    int64_t O = shape->dim[0], K = dt_shape_count(shape) / O;
    for (int64_t o = 0; o < O; o++) {
        double c = fold ? dt_fold_norm_factor(fold->conf, state->data[fold->in[DT_FOLD_GAMMA]][o],
                                              state->data[fold->in[DT_FOLD_VAR]][o])
                        : 1;
        if (factor) factor[o] = c;
        for (int64_t i = o * K; fold && i < (o + 1) * K; i++)
            room[i] = (real)((double)w[i] * c);
    }
    return fold ? room : w;
}

void dt_lower_cone(const dt_lower_source *src, bool *needed)
{
    const dt_graph *g = src->graph;
    for (int i = g->node_count - 1; i >= 0; i--) {
        needed[i] = false;
        for (int k = 0; k < g->node[i].out_count; k++) {
            int out = g->node[i].out[k];
            needed[i] =
                needed[i] || out == src->logits || dt_lower_readers(g, needed, out, NULL) > 0;
        }
    }
}

int dt_lower_readers(const dt_graph *g, const bool *needed, int value, const dt_node **out_reader)
{
    int count = 0, producer = g->value[value].producer;
    for (int i = producer + 1; i < g->node_count; i++)
        for (int k = 0; needed[i] && k < g->node[i].in_count; k++) {
            if (g->node[i].in[k] != value) continue;
            if (out_reader) *out_reader = &g->node[i];
            count++;
        }
    return count;
}

const dt_node *dt_lower_norm(const dt_graph *g, const bool *needed, const dt_node *conv)
{
    const dt_node *reader = NULL;
    if (!dt_lower_is(conv, "conv2d")) return NULL;
    bool alone = dt_lower_readers(g, needed, conv->out[0], &reader) == 1;
    return alone && dt_lower_is(reader, "batchnorm") && reader->in[0] == conv->out[0] ? reader
                                                                                      : NULL;
}

typedef struct list {
    char *text;
    size_t size, used;
    int count;
} list;

enum { LIST_NAMES = 6 };

static void add_missing(list *l, const char *what, const char *layer)
{
    if (l->count++ >= LIST_NAMES) return;
    int n = snprintf(l->text + l->used, l->size - l->used, "%s%s of '%s'", l->used ? ", " : "",
                     what, layer);
    if (n > 0) l->used += (size_t)n;
    if (l->used >= l->size) l->used = l->size - 1;
}

/* Is the value quantized by everyone who reads it, past the norm and the relu that are part of the
 * layer's integer form, and past nodes that take a part of it? The last value must be on a grid
 * itself. */
static bool is_quantized_after(const dt_lower_source *src, const bool *needed, int value)
{
    const dt_graph *g = src->graph;
    const dt_node *reader = NULL;
    while (dt_lower_readers(g, needed, value, &reader) == 1 &&
           (dt_lower_is(reader, "batchnorm") || dt_lower_is_rectifier(reader) ||
            dt_lower_is(reader, "dropout")))
        value = reader->out[0];
    if (value == src->logits) return false;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; needed[i] && k < g->node[i].in_count; k++) {
            const dt_node *n = &g->node[i];
            if (n->in[k] != value || dt_lower_is(n, "fakequant")) continue;
            if (!dt_lower_is(n, "slice") || !is_quantized_after(src, needed, n->out[0]))
                return false;
        }
    return true;
}

static void check_node(const dt_lower_source *src, const bool *needed, const dt_node *n, list *l)
{
    const dt_graph *g = src->graph;
    bool product = dt_lower_is_product(n), attention = dt_lower_is_attention(n);
    bool add = dt_lower_is(n, "add") || dt_lower_is(n, "class_token");
    bool pool = dt_lower_is(n, "gap");
    if (product && !dt_lower_site(g, n->in[1])) add_missing(l, "weights", n->name);
    for (int k = 0; k < (add || attention ? 2 : product || pool ? 1 : 0); k++)
        if (!dt_lower_site(g, n->in[k])) {
            add_missing(l, add ? "an addend" : attention ? "an operand" : "input", n->name);
            break;
        }
    if ((product || add || attention || pool) && !is_quantized_after(src, needed, n->out[0]))
        add_missing(l, "output", n->name);
}

int dt_lower_floats(const dt_lower_source *src, const bool *needed)
{
    int count = 0;
    for (int i = 0; i < src->graph->node_count; i++)
        count += needed[i] && dt_lower_is_float(&src->graph->node[i]);
    return count;
}

int dt_lower_missing(const dt_lower_source *src, const bool *needed, char *text, size_t size)
{
    list l = { text, size, 0, 0 };
    text[0] = '\0';
    for (int i = 0; i < src->graph->node_count; i++)
        if (needed[i]) check_node(src, needed, &src->graph->node[i], &l);
    return l.count;
}
