/* Networks in YAML from memory: what is refused has one line of reason; what is accepted is a
 * graph. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/graph.h"
#include "train/net/net_yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void build(const dt_yaml_net *net)
{
    const dt_value picture = {
        .name = "input", .kind = DT_VALUE_INPUT, .batched = true, .shape = DT_SHAPE(1, 32, 32, 3)
    };
    dt_graph g;
    dt_error err = { .text = "" };
    dt_builder b = { .graph = &g };
    int x, y = -1;
    if (dt_graph_init(&g, NULL, NULL) != DT_OK || dt_graph_value(&g, &picture, &x, NULL) != DT_OK)
        abort();
    dt_status st = dt_yaml_net_build(net, &b, x, 10, &y, NULL, NULL, &err);
    if (st == DT_OK && (y < 0 || g.value[y].shape.rank != 2)) abort();
    if (st != DT_OK && (strncmp(err.text, "fuzz", 4) != 0 || strchr(err.text, '\n'))) abort();
    dt_graph_fini(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dt_yaml_net *net;
    dt_error err = { .text = "" };
    dt_status st = dt_yaml_net_open_text("fuzz", (const char *)data, size, NULL, &net, &err);
    if (st != DT_OK) {
        if (strncmp(err.text, "fuzz", 4) != 0 || strchr(err.text, '\n')) abort();
        return 0;
    }
    build(net);
    dt_yaml_net_close(net);
    return 0;
}
