/* Networks in YAML, layer by layer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/inspect/inspect_yaml.h"

#include <string.h>

#include "train/net/net_yaml.h"

enum { SIDE = 32, CLASSES = 10 };

typedef struct view {
    const dt_graph *graph;
    int values; /* that were told already */
    void (*fn)(void *arg, const dt_inspect_layer_row *row);
    void *arg;
} view;

bool dt_inspect_is_yaml(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static void on_layer(void *arg, const char *name, const char *op, int value)
{
    view *v = arg;
    dt_inspect_layer_row row = { .name = name, .op = op, .shape = v->graph->value[value].shape };
    for (; v->values < v->graph->value_count; v->values++) {
        const dt_value *of = &v->graph->value[v->values];
        if (of->kind == DT_VALUE_PARAM || of->kind == DT_VALUE_BUFFER)
            row.params += dt_shape_count(&of->shape);
    }
    v->fn(v->arg, &row);
}

static dt_status look(const dt_yaml_net *net, dt_graph *g, view *v, dt_error *err)
{
    const dt_value picture = { .name = "input",
                               .kind = DT_VALUE_INPUT,
                               .batched = true,
                               .shape = DT_SHAPE(1, SIDE, SIDE, 3) };
    int classes = dt_yaml_net_classes(net), x, y;
    dt_builder b = { .graph = g, .err = err };
    DT_TRY(dt_graph_value(g, &picture, &x, err));
    DT_TRY(dt_graph_port(g, DT_PORT_INPUT, picture.name, x, err));
    return dt_yaml_net_build(net, &b, x, classes ? classes : CLASSES, &y, on_layer, v, err);
}

dt_status dt_inspect_yaml(const char *path, void (*fn)(void *arg, const dt_inspect_layer_row *row),
                          void *arg, const dt_alloc *a, dt_error *err)
{
    dt_yaml_net *net;
    dt_graph g;
    view v = { .graph = &g, .fn = fn, .arg = arg };
    DT_TRY(dt_yaml_net_open(path, a, &net, err));
    dt_status st = dt_graph_init(&g, a, err);
    if (st == DT_OK) {
        st = look(net, &g, &v, err);
        dt_graph_fini(&g);
    }
    dt_yaml_net_close(net);
    return st;
}
