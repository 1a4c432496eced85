/* ONNX files as networks: whatever is built has its values, and what is refused has one line. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "exchange/onnx/reader/onnx_graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_values(const dt_onnx_net *net, const dt_graph *g)
{
    volatile float sink = 0;
    for (int i = 0; i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        if (v->kind != DT_VALUE_PARAM && v->kind != DT_VALUE_BUFFER) continue;
        const float *x = dt_onnx_net_values(net, v->name);
        if (!x) abort();
        for (int64_t k = 0; k < dt_shape_count(&v->shape); k++)
            sink += x[k];
    }
    (void)sink;
}

static void build(dt_onnx_net *net)
{
    const dt_value picture = {
        .name = "input", .kind = DT_VALUE_INPUT, .batched = true, .shape = DT_SHAPE(1, 8, 8, 3)
    };
    dt_graph g;
    dt_error err = { .text = "" };
    dt_builder b = { .graph = &g };
    int x, y;
    if (dt_graph_init(&g, NULL, NULL) != DT_OK || dt_graph_value(&g, &picture, &x, NULL) != DT_OK)
        abort();
    dt_status st = dt_onnx_net_build(net, &b, x, 0, true, &y, &err);
    if (st == DT_OK) check_values(net, &g);
    if (st != DT_OK && (!*err.text || strchr(err.text, '\n'))) abort();
    dt_graph_fini(&g);
}

static void count(void *arg, const dt_onnx_look *look)
{
    *(int *)arg += look->nodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int way = 0; way < 2; way++) {
        dt_onnx_net *net;
        dt_error err = { .text = "" };
        int nodes = 0;
        if (dt_onnx_net_open_bytes("fuzz", data, size, NULL, &net, &err) != DT_OK) {
            if (strncmp(err.text, "fuzz", 4) != 0 || strchr(err.text, '\n')) abort();
            return 0;
        }
        if (way == 0)
            build(net);
        else if (dt_onnx_net_look(net, count, &nodes, &err) != DT_OK && !*err.text)
            abort();
        dt_onnx_net_close(net);
    }
    return 0;
}
