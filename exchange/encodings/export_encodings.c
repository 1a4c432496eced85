/* Encodings of quantizers as JSON, for tools that keep the float network and simulate or compile it
 * with ranges of others: the format "0.6.1" of AIMET's encodings for PyTorch ("Encoding Format
 * Specification" of its documentation), by module.
 *
 *   {"version": "0.6.1",
 *    "activation_encodings": {MODULE: {"input": {"0": E}, "output": {"0": E}}},
 *    "param_encodings": {MODULE.weight: [E, one for each group]}}
 *   E = {"bitwidth", "dtype": "int", "is_symmetric": "True" or "False", "min", "max", "offset",
 * "scale"}
 *
 * A value is scale (code + offset), with codes 0..2^bitwidth - 1. A site is an output where it is
 * the only one of its value and a module makes that, else an input of whoever reads it. Weights are
 * those of the checkpoint: no norm is folded into them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/op_fakequant.h"
#include "autograd/quantizer.h"
#include "autograd/query.h"
#include "core/atomic.h"
#include "core/text.h"
#include "exchange/exporter.h"

static void say_name(dt_text *t, const char *name)
{
    dt_text_say(t, "\"");
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < ' ')
            dt_text_say(t, "\\u%04x", c);
        else
            dt_text_say(t, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    }
    dt_text_say(t, "\"");
}

/* What the codes of a group mean; refuses those that are no even steps. */
static dt_status grid_of(const dt_export_source *src, const dt_node *site, int64_t group,
                         dt_grid *out, dt_error *err)
{
    const dt_fakequant_conf *c = site->conf;
    const dt_quantizer *q = c->quantizer;
    real p[DT_QUANT_MAX_PARAMS];
    bool even = q->grid && !dt_quant_transforms(q, &c->site);
    for (int i = 0; even && i < q->param_count; i++)
        p[i] = src->state->data[site->in[1 + i]][group];
    if (even && q->settle) q->settle(c->options, &c->site, p);
    even = even && q->grid(c->options, &c->site, p, NULL, out) && !out->level;
    if (even) return DT_OK;
    return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = site->name },
                   "has no even steps of one scale and offset, which are all that encodings say; "
                   "--format safetensors has every grid");
}

static dt_status say_encoding(dt_text *t, const dt_export_source *src, const dt_node *site,
                              int64_t group, dt_error *err)
{
    dt_grid g;
    DT_TRY(grid_of(src, site, group, &g, err));
    const dt_fakequant_conf *c = site->conf;
    const int bits = c->site.bits, offset = g.qmin - g.zero_point;
    const double most = g.scale * (offset + (double)((1 << bits) - 1));
    dt_text_say(t,
                "{\"bitwidth\": %d, \"dtype\": \"int\", \"is_symmetric\": \"%s\", \"min\": %.9g, "
                "\"max\": %.9g, \"offset\": %d, \"scale\": %.9g}",
                bits, c->site.is_signed && g.zero_point == 0 ? "True" : "False", g.scale * offset,
                most, offset, g.scale);
    return DT_OK;
}

/* The site of an activation that a value is; NULL: another value. */
static const dt_node *site_of(const dt_graph *g, int value)
{
    const dt_node *n = dt_query_maker(g, value);
    const dt_fakequant_conf *c = dt_query_quantizer(n);
    return c && !c->site.weight ? n : NULL;
}

/* The one site that reads a value, beside whom nobody does; NULL: others do. */
static const dt_node *output_site(const dt_graph *g, const bool *needed, int value)
{
    const dt_node *reader = NULL;
    if (dt_query_readers(g, needed, value, &reader) != 1) return NULL;
    const dt_fakequant_conf *c = dt_query_quantizer(reader);
    return c && !c->site.weight ? reader : NULL;
}

/* Is a site told as the output of what it reads? */
static bool is_output(const dt_graph *g, const bool *needed, const dt_node *site)
{
    const dt_node *maker = dt_query_maker(g, site->in[0]);
    return maker && !maker->op->quantizes && output_site(g, needed, site->in[0]) == site;
}

/* A module's sites. `first`: none has been told yet. */
static dt_status say_module(dt_text *t, const dt_export_source *src, const bool *needed,
                            const dt_node *n, bool *first, dt_error *err)
{
    const dt_graph *g = src->graph;
    const dt_node *after = output_site(g, needed, n->out[0]);
    bool begun = false, inputs = false;
    for (int k = 0; k < n->in_count; k++) {
        const dt_node *site = site_of(g, n->in[k]);
        if (!site || is_output(g, needed, site)) continue;
        if (!begun) {
            dt_text_say(t, *first ? "\n" : ",\n");
            say_name(t, n->name);
            dt_text_say(t, ": {");
        }
        dt_text_say(t, "%s\"%d\": ", inputs ? ", " : "\"input\": {", k);
        DT_TRY(say_encoding(t, src, site, 0, err));
        begun = inputs = true;
        *first = false;
    }
    if (inputs) dt_text_say(t, "}");
    if (after) {
        if (!begun) {
            dt_text_say(t, *first ? "\n" : ",\n");
            say_name(t, n->name);
            dt_text_say(t, ": {");
        }
        dt_text_say(t, "%s\"output\": {\"0\": ", begun ? ", " : "");
        DT_TRY(say_encoding(t, src, after, 0, err));
        dt_text_say(t, "}");
        begun = true;
        *first = false;
    }
    if (begun) dt_text_say(t, "}");
    return DT_OK;
}

/* A parameter's sites, one a group. */
static dt_status say_weight(dt_text *t, const dt_export_source *src, const dt_node *site,
                            bool *first, dt_error *err)
{
    const dt_fakequant_conf *c = site->conf;
    dt_text_say(t, *first ? "\n" : ",\n");
    say_name(t, src->graph->value[dt_query_latent(src->graph, site->in[0])].name);
    dt_text_say(t, ": [");
    for (int64_t k = 0; k < c->site.groups; k++) {
        if (k) dt_text_say(t, ", ");
        DT_TRY(say_encoding(t, src, site, k, err));
    }
    dt_text_say(t, "]");
    *first = false;
    return DT_OK;
}

static dt_status say_all(dt_text *t, const dt_export_source *src, const bool *needed,
                         dt_export_report *report, dt_error *err)
{
    const dt_graph *g = src->graph;
    bool first = true;
    dt_text_say(t, "{\"version\": \"0.6.1\",\n\"activation_encodings\": {");
    for (int i = 0; i < g->node_count; i++)
        if (needed[i] && !g->node[i].op->quantizes)
            DT_TRY(say_module(t, src, needed, &g->node[i], &first, err));
    dt_text_say(t, "},\n\"param_encodings\": {");
    first = true;
    for (int i = 0; i < g->node_count; i++) {
        const dt_fakequant_conf *c = needed[i] ? dt_query_quantizer(&g->node[i]) : NULL;
        if (!c) continue;
        dt_export_tally(report->part, &report->part_count,
                        c->site.weight ? "parameters" : "activations");
        if (c->site.weight) DT_TRY(say_weight(t, src, &g->node[i], &first, err));
    }
    dt_text_say(t, "}}\n");
    return t->failed ? dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to export") : DT_OK;
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    dt_export_report report = { .format = "encodings, JSON 0.6.1" };
    dt_text t = { .alloc = src->alloc };
    bool *needed =
        dt_get(src->alloc, (size_t)src->graph->node_count * sizeof *needed + 1, "encodings");
    (void)options;
    if (!needed) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to export");
    dt_query_cone(src->graph, &src->logits, 1, needed);
    dt_status st = say_all(&t, src, needed, &report, err);
    if (st == DT_OK && path) st = dt_file_write(path, t.bytes, t.size, err);
    report.bytes = t.size;
    dt_export_count_layers(src, &report);
    dt_text_fini(&t);
    dt_put(src->alloc, needed);
    if (st == DT_OK && out_report) *out_report = report;
    return st;
}

const dt_exporter dt_exporter_encodings = {
    .row = { "encodings", "ranges of all quantizers as JSON, for tools that keep the float net",
             NULL, 0 },
    .extension = "json",
    .write = write,
};
