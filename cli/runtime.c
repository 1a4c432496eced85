/* Pipe to the script that runs another runtime. What goes through it:
 *
 *   one line of JSON: the file, the rounding, the shape of the picture, nodes that end on codes
 *   with their zero points, outputs, and --compiler if it is given
 *   for each batch: int64 n; float pictures [n,H,W,C]; codes [n,H,W,C] of each node in turn;
 *   float outputs [n,K], of each sample one behind the other.  n = 0 ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runtime.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/runtime_process.h"

/* A runtime has a row for each format that it can be compared in; the first is its default.
 * `rounding` is the contract that its kernels keep for that format. */
static const struct runtime {
    const char *name, *format, *rounding;
    const char *script, *proof; /* for pictures; for sums and pairs, NULL: none */
} runtimes[] = {
    { "c", "c", "fp32", "verify_c", NULL },
    { "ort", "onnx", "fp32", "verify_ort", "prove_ort" },
    { "ort", "qoperator", "fp32", "verify_ort", "prove_ort" },
    { "openvino", "onnx", "fp32", "verify_openvino", NULL }, /* keeps no contract: tells how far */
    { "qonnx", "qonnx", "unfused", "verify_qonnx", NULL },
    { "litert", "tflite", "xnnpack", "verify_litert", NULL },
    { "litert", "tflite_int4", "double", "verify_litert", NULL }, /* its int4 kernels are own */
};

/* NULL: none. */
static const struct runtime *find_runtime(const cli_args *args)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(runtimes); i++)
        if (strcmp(runtimes[i].name, args->runtime) == 0 &&
            (!args->format || strcmp(runtimes[i].format, args->format) == 0))
            return &runtimes[i];
    return NULL;
}

static dt_status get_runtime(const cli_args *args, const struct runtime **out, dt_error *err)
{
    char list[128] = "";
    *out = find_runtime(args);
    if (*out) return DT_OK;
    for (size_t i = 0; i < DT_ARRAY_LEN(runtimes); i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s %s", i ? ", " : "", runtimes[i].name,
                 runtimes[i].format);
    }
    return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "--runtime" },
                   "nothing compares '%s'%s%s; runtimes and their formats: %s", args->runtime,
                   args->format ? " with format " : "", args->format ? args->format : "", list);
}

const char *cli_runtime_rounding(const cli_args *args)
{
    const struct runtime *r = find_runtime(args);
    return r ? r->rounding : NULL;
}

const char *cli_runtime_format(const cli_args *args)
{
    const struct runtime *r = find_runtime(args);
    return r ? r->format : NULL;
}

static dt_status open_script(const cli_args *args, bool proof, cli_process *p, dt_error *err)
{
    const struct runtime *r;
    DT_TRY(get_runtime(args, &r, err));
    const char *script = proof ? r->proof : r->script;
    if (!script)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "--prove" },
                       "'%s' is compared with pictures only; ort is with both", r->name);
    return cli_process_open(p, script, err);
}

dt_status cli_runtime_check(const dt_session *s, const cli_args *args, dt_error *err)
{
    struct dt_text_attr attr[DT_SOURCE_TEXTS];
    const dt_export_source src = cli_source(s, attr);
    const dt_row *row = dt_table_find(&dt_targets, args->runtime);
    dt_target_report r = { .count = 0 };
    if (row) DT_TRY(dt_target_check(dt_target_of(row), &src, true, &r, err));
    for (int i = 0; i < r.count; i++)
        if (r.finding[i].rule->stops)
            return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "--runtime" },
                           "'%s' stops on this net, for %s; rule: %s; fix: %s", args->runtime,
                           r.finding[i].places, r.finding[i].rule->text, r.finding[i].rule->fix);
    return DT_OK;
}

static bool is_code(const dt_int_run *r, int node)
{
    return !r->model->value[r->model->node[node].out].is_sum;
}

json_t *cli_runtime_inputs(const dt_graph *g)
{
    json_t *list = json_array();
    for (int k = 0, v; (v = dt_graph_input(g, k)) >= 0; k++) {
        json_t *shape = json_array();
        for (int i = 1; i < g->value[v].shape.rank; i++)
            json_array_append_new(shape, json_integer((json_int_t)g->value[v].shape.dim[i]));
        json_array_append_new(list, json_pack("{s:s,s:o}", "name",
                                              dt_graph_port_name(g, v, "input"), "shape", shape));
    }
    return list;
}

/* Outputs by name, and how many numbers each has. */
static json_t *outputs_json(const dt_int_model *m, const dt_graph *g)
{
    json_t *list = json_array();
    for (int k = 0; k < m->outputs; k++)
        json_array_append_new(
            list,
            json_pack("{s:s,s:I}", "name", dt_graph_port_name(g, dt_graph_output(g, k), "logits"),
                      "count", (json_int_t)dt_int_count(&m->value[m->output[k]])));
    return list;
}

static bool send_header(cli_process *p, const dt_int_run *r, const dt_graph *g,
                        const cli_args *args)
{
    const dt_int_model *m = r->model;
    json_t *nodes = json_array();
    for (int i = 0; i < m->node_count; i++) {
        const dt_int_value *v = &m->value[m->node[i].out];
        if (is_code(r, i))
            json_array_append_new(
                nodes, json_pack("{s:s,s:I,s:I,s:I,s:I,s:i}", "name", m->node[i].name, "at",
                                 (json_int_t)(m->node[i].port ? m->node[i].at : -1), "H",
                                 (json_int_t)v->H, "W", (json_int_t)v->W, "C", (json_int_t)v->C,
                                 "zero", v->grid.zero_point));
    }
    json_t *o =
        json_pack("{s:s,s:s,s:o,s:o,s:o}", "model", p->file, "rounding", m->contract->name,
                  "inputs", cli_runtime_inputs(g), "outputs", outputs_json(m, g), "nodes", nodes);
    bool ok = o && (!args->compiler ||
                    json_object_set_new(o, "compiler", json_string(args->compiler)) == 0);
    ok = ok && json_dumpf(o, p->to, JSON_COMPACT) == 0 && fputc('\n', p->to) != EOF;
    json_decref(o);
    return ok;
}

static bool send_batch(cli_process *p, dt_int_run *r, const float *x, int64_t n, float *logits)
{
    const dt_int_model *m = r->model;
    size_t pixels = (size_t)(n * m->record);
    size_t classes = (size_t)(n * dt_int_outputs(m));
    dt_int_run_forward(r, x, n);
    dt_int_run_logits(r, logits);
    bool ok = fwrite(&n, sizeof n, 1, p->to) == 1 && fwrite(x, sizeof *x, pixels, p->to) == pixels;
    for (int i = 0; ok && i < m->node_count; i++) {
        size_t count = (size_t)(n * dt_int_count(&m->value[m->node[i].out]));
        if (is_code(r, i)) ok = fwrite(r->data[m->node[i].out], 1, count, p->to) == count;
    }
    return ok && fwrite(logits, sizeof *logits, classes, p->to) == classes;
}

/* False: the script has gone; its exit status says why. */
static dt_status feed(cli_process *p, dt_int_run *r, const dt_graph *g, dt_loader *loader,
                      const cli_args *args, bool *out_whole, dt_error *err)
{
    int64_t all = dt_loader_samples(loader), total = args->images ? args->images : 1000;
    size_t K = (size_t)dt_int_outputs(r->model);
    float *logits = dt_get_array(NULL, K * (size_t)r->room, sizeof *logits, "logits");
    if (!logits) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_status st = dt_loader_seek(loader, 0, 0, err);
    bool ok = st == DT_OK && send_header(p, r, g, args);
    if (total > all) total = all;
    const int64_t end = 0;
    int64_t done = 0;
    for (int64_t i = 0;
         ok && !atomic_load(&cli_stop_requested) && done < total && i < dt_loader_batches(loader);
         i++) {
        dt_batch batch;
        st = dt_loader_next(loader, &batch, err);
        if (st != DT_OK) break;
        if (batch.valid == 0) continue;
        int64_t n = batch.valid < total - done ? batch.valid : total - done;
        ok = send_batch(p, r, batch.x, n, logits);
        done += n;
    }
    *out_whole = ok && st == DT_OK && fwrite(&end, sizeof end, 1, p->to) == 1;
    dt_put(NULL, logits);
    return st;
}

static dt_status compare(cli_process *p, dt_session *s, const dt_int_model *m, const cli_args *args,
                         bool *out_good, dt_error *err)
{
    dt_int_run r;
    dt_loader *loader;
    bool whole = false;
    DT_TRY(dt_budget_check_run(s, m, DT_VERIFY_BATCH, err));
    DT_TRY(dt_int_run_init(&r, m, &dt_int_engine, &s->kernels, s->threads, DT_VERIFY_BATCH,
                           s->alloc, err));
    dt_status st = dt_session_loader(s, DT_SPLIT_TEST, DT_VERIFY_BATCH, &loader, err);
    if (st == DT_OK) {
        st = cli_process_start(p, args, false, err);
        if (st == DT_OK) {
            st = feed(p, &r, &s->net.graph, loader, args, &whole, err);
            dt_status end = cli_process_finish(p, whole, args, out_good, st == DT_OK ? err : NULL);
            st = st == DT_OK ? end : st;
        }
        dt_loader_close(loader);
    }
    dt_int_run_fini(&r);
    return st;
}

dt_status cli_runtime(dt_session *s, const dt_int_model *m, const cli_args *args, bool *out_good,
                      dt_error *err)
{
    cli_process p;
    DT_TRY(open_script(args, false, &p, err));
    dt_status st =
        cli_process_export(&p, s, cli_runtime_format(args), m->contract->name, args, err);
    if (st == DT_OK) st = compare(&p, s, m, args, out_good, err);
    cli_process_remove(&p);
    return st;
}

static json_t *grid_json(const dt_lower_grid *g)
{
    return json_pack("{s:f,s:i,s:i,s:i}", "scale", (double)g->scale, "zero", g->zero_point, "low",
                     g->low, "high", g->high);
}

static json_t *ints_json(const int32_t *v, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(v[i]));
    return list;
}

/* A requantisation: scales, reach and thresholds [C][high - low]. */
static json_t *stairs_json(const dt_int_model *m, const dt_int_node *n)
{
    const dt_int_node *from = dt_int_producer(m, n->in[0]);
    const dt_int_value *x = &m->value[n->in[0]], *y = &m->value[n->out];
    json_t *scales = json_array();
    for (int64_t c = 0; c < y->C; c++)
        json_array_append_new(scales, json_real((double)from->w_scale[c]));
    bool rows = from->form->ort_rows && y->H * y->W == 1 && from->shape.H == 1;
    const char *op = rows ? from->form->ort_rows : from->form->ort;
    return json_pack("{s:s,s:s,s:f,s:i,s:I,s:o,s:o,s:o,s:o,s:o}", "name", n->name, "operator", op,
                     "x_scale", (double)from->x_scale, "x_zero",
                     m->value[from->in[0]].grid.zero_point, "pixels", (json_int_t)from->pixels,
                     "w_scale", scales, "grid", grid_json(&y->grid), "low", ints_json(x->low, y->C),
                     "high", ints_json(x->high, y->C), "thresholds",
                     ints_json(n->threshold, y->C * (y->grid.high - y->grid.low)));
}

static json_t *pairs_json(const dt_int_model *m, const dt_int_node *n)
{
    json_t *codes = json_array();
    for (int i = 0; i < DT_CODES * DT_CODES; i++)
        json_array_append_new(codes, json_integer(n->pair[i]));
    return json_pack("{s:s,s:s,s:o,s:o,s:o,s:o}", "name", n->name, "operator", n->form->ort, "a",
                     grid_json(&m->value[n->in[0]].grid), "b", grid_json(&m->value[n->in[1]].grid),
                     "grid", grid_json(&m->value[n->out].grid), "codes", codes);
}

/* One line of JSON for each node, an empty line at the end. */
static bool send_nodes(cli_process *p, const dt_int_model *m)
{
    bool ok = true;
    for (int i = 0; ok && i < m->node_count; i++) {
        const dt_int_node *n = &m->node[i];
        if (!n->threshold && !n->pair) continue;
        json_t *o = n->pair ? pairs_json(m, n) : stairs_json(m, n);
        ok = o && json_dumpf(o, p->to, JSON_COMPACT) == 0 && fputc('\n', p->to) != EOF;
        json_decref(o);
    }
    return ok && fputc('\n', p->to) != EOF;
}

dt_status cli_runtime_prove(const dt_int_model *m, const cli_args *args, bool *out_good,
                            dt_error *err)
{
    cli_process p;
    DT_TRY(open_script(args, true, &p, err));
    dt_status st = cli_process_start(&p, args, false, err);
    if (st == DT_OK) {
        bool whole = send_nodes(&p, m);
        st = cli_process_finish(&p, whole, args, out_good, err);
    }
    cli_process_remove(&p);
    return st;
}
