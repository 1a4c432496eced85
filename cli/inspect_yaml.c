/* detent inspect of a network in YAML. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspect_yaml.h"

#include <jansson.h>

typedef struct view {
    json_t *list; /* NULL: lines */
    int layers;
    int64_t params;
} view;

static void on_layer(void *arg, const dt_inspect_layer_row *row)
{
    view *v = arg;
    char shape[DT_SHAPE_TEXT];
    dt_shape_print(&row->shape, shape);
    v->params += row->params;
    if (v->list) {
        json_array_append_new(v->list,
                              json_pack("{s:s,s:s,s:s,s:I}", "name", row->name, "op", row->op,
                                        "output", shape, "parameters", (json_int_t)row->params));
        return;
    }
    if (v->layers++ == 0) printf("%-40s %-12s %-20s %12s\n", "layer", "op", "output", "parameters");
    printf("%-40s %-12s %-20s %12lld\n", row->name, row->op, shape, (long long)row->params);
}

int cli_inspect_yaml(const char *path, const cli_args *args)
{
    view v = { .list = args->json ? json_array() : NULL };
    dt_error err;
    dt_status st = dt_inspect_yaml(path, on_layer, &v, NULL, &err);
    if (args->json && st == DT_OK) {
        cli_print_json(json_pack("{s:o,s:I}", "layers", v.list, "parameters", (json_int_t)v.params),
                       9);
        return 0;
    }
    json_decref(v.list);
    if (st != DT_OK) return cli_fail(&err);
    printf("\n%d layers, %lld parameters; outputs are those of pictures of 32x32\n", v.layers,
           (long long)v.params);
    return 0;
}
