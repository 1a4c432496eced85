/* detent inspect of an ONNX file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspect_onnx.h"

#include <stdio.h>

#include "cli/cli.h"

typedef struct view {
    json_t *list; /* NULL: lines */
    int seen, folded, passed, refused, waiting;
} view;

static const char *outcome(const dt_onnx_look *l)
{
    return l->waits      ? "waits"
           : l->refusal  ? "refused"
           : l->constant ? "constant"
           : l->nodes    ? "read"
                         : "passes";
}

/* Constants are counted, not listed. */
static void on_node(void *arg, const dt_onnx_look *l)
{
    view *v = arg;
    bool quiet = l->constant && !l->refusal;
    v->seen++;
    v->folded += quiet;
    v->passed += !l->refusal && !quiet;
    v->waiting += l->waits;
    v->refused += l->refusal && !l->waits;
    if (v->list) {
        json_t *o = json_pack("{s:o,s:o,s:s,s:o}", "name", cli_text_json(l->name), "operator",
                              cli_text_json(l->op), "outcome", outcome(l), "layer",
                              cli_text_json(l->layer));
        if (o && l->refusal) json_object_set_new(o, "reason", cli_text_json(l->refusal));
        json_array_append_new(v->list, o);
        return;
    }
    if (quiet) return;
    if (v->passed + v->refused + v->waiting == 1)
        printf("\n%-8s %-20s %-40s %s\n", "node", "operator", "layer", "why not");
    printf("%-8s %-20s %-40s %s\n", outcome(l), l->op, l->layer, l->refusal ? l->refusal : "");
}

int cli_inspect_onnx(const char *path, const dt_memory_limit *limit, json_t *o)
{
    view v = { .list = o ? json_array() : NULL };
    dt_error err;
    dt_status st = dt_inspect_onnx(path, on_node, &v, limit, &err);
    if (o) json_object_set_new(o, "nodes", v.list);
    if (st == DT_ERR_NOMEM) return cli_fail(&err);
    if (st != DT_OK) {
        fprintf(stderr, "detent: as a network it is not read: %s\n", err.text);
        return 0; /* it is inspected all the same */
    }
    if (!o)
        printf("\n%d nodes: %d read, %d of constants, %d refused, %d behind them\n", v.seen,
               v.passed, v.folded, v.refused, v.waiting);
    return 0;
}
