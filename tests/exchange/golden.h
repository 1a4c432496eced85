/* Nets of one operation, written in every integer format together with pictures and the integer
 * model's codes: what golden.c and operators.c share. For each case and format there are the
 * exported file and a file NAME.FORMAT.golden, in the form that the scripts of `detent verify
 * --runtime` read (cli/runtime.c): golden_check.py runs them all. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_EXCHANGE_GOLDEN_H
#define DT_TESTS_EXCHANGE_GOLDEN_H

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "autograd/quantizer.h"
#include "tests/integer/models.h"

enum { PICTURES = 8, CLASSES = 5 };

typedef enum state { PLAIN, ODD_ZERO, DYADIC, SATURATING, STATES } state;
static const char *const state_name[STATES] = { "plain", "odd-zero", "dyadic", "saturating" };

static inline real nearest_power(real x)
{
    return (real)exp2(rint(log2((double)x)));
}

/* Scales that are powers of two, so that sums fall on ties; norms that keep them so. */
static inline void make_dyadic(testnet *t, const dt_node *n)
{
    real *const *data = t->net.state.data;
    const dt_graph *g = &t->net.graph;
    int64_t count = g->value[n->in[1]].shape.dim[0];
    if (n->op->quantizes)
        for (int64_t i = 0; i < dt_shape_count(&g->value[n->in[1]].shape); i++)
            data[n->in[1]][i] = nearest_power(data[n->in[1]][i]);
    if (!n->op->batch_stat) return;
    for (int64_t c = 0; c < count; c++) {
        data[n->in[DT_BN_GAMMA]][c] = c % 3 ? 1 : (real).5;
        data[n->in[DT_BN_VAR]][c] = (real)(1 - 1e-5);
        data[n->in[DT_BN_MEAN]][c] = 0;
        data[n->in[DT_BN_BETA]][c] = (real)((double)(c % 5 - 2) / 16);
    }
}

static inline void apply(testnet *t, state s)
{
    for (int i = 0; i < t->net.graph.node_count; i++) {
        const dt_node *n = &t->net.graph.node[i];
        const dt_fakequant_conf *c = dt_query_quantizer(n);
        real *const *data = t->net.state.data;
        if (s == DYADIC) make_dyadic(t, n);
        if (s == SATURATING && c)
            for (int64_t k = 0; k < dt_shape_count(&t->net.graph.value[n->in[1]].shape); k++)
                data[n->in[1]][k] /= c->site.weight ? 2 : 6;
        if (s == ODD_ZERO && c && !c->site.weight) /* scale and zero point */
            data[n->in[2]][0] = (real)(1 + 2 * (i * 37 % 60));
    }
}

static inline void make_recipe(char *text, size_t size, bool each, int bits, state s)
{
    const char *method = s == ODD_ZERO ? "asymmetric, form: scale_offset" : "lsq";
    snprintf(text, size,
             "model: {name: smallcnn, classes: %d, width: 4}\n" RECIPE_DATA
             "quant: {weights: {method: lsq, bits: %d, granularity: %s, narrow: yes}, "
             "activations: {method: %s, bits: %d}, "
             "first: {weights: %d, activations: 8}, last: {weights: %d, activations: 8}}\n",
             CLASSES, bits, each ? "channel" : "tensor", method, bits == 8 || s == ODD_ZERO ? 8 : 4,
             bits, bits);
}

typedef struct format {
    const char *name, *rounding;
} format;
static inline const dt_exporter *exporter_of(const format *f)
{
    const dt_row *row =
        dt_table_find(&dt_exporters, strcmp(f->name, "tflite-ref") == 0 ? "tflite" : f->name);
    ck_assert_ptr_nonnull(row);
    return dt_exporter_of(row);
}

static inline dt_int_model *lower(const testnet *t, const format *f)
{
    testnet as = *t;
    as.low.no_gain = exporter_of(f)->no_gain;
    return int_model(&as, f->rounding);
}

static inline bool is_code(const dt_int_model *m, int node)
{
    return !m->value[m->node[node].out].is_sum;
}

static inline void write_header(FILE *to, const dt_int_model *m, const char *file)
{
    json_t *nodes = json_array();
    for (int i = 0; i < m->node_count; i++) {
        const dt_int_value *v = &m->value[m->node[i].out];
        if (is_code(m, i))
            json_array_append_new(
                nodes, json_pack("{s:s,s:I,s:I,s:I,s:I,s:i}", "name", m->node[i].name, "at",
                                 (json_int_t)(m->node[i].port ? m->node[i].at : -1), "H",
                                 (json_int_t)v->H, "W", (json_int_t)v->W, "C", (json_int_t)v->C,
                                 "zero", v->grid.zero_point));
    }
    json_t *o = json_pack("{s:s,s:s,s:[{s:s,s:[iii]}],s:[{s:s,s:i}],s:o}", "model", file, "rounding",
                          m->contract->name, "inputs", "name", "input", "shape", TESTNET_SIDE,
                          TESTNET_SIDE, 3, "outputs", "name", "logits", "count", CLASSES, "nodes",
                          nodes);
    ck_assert_ptr_nonnull(o);
    json_dumpf(o, to, JSON_COMPACT);
    fputc('\n', to);
    json_decref(o);
}

static inline void write_batch(FILE *to, const dt_int_model *m, const float *x)
{
    dt_int_run r;
    float logits[PICTURES * CLASSES];
    const int64_t n = PICTURES, end = 0;
    ck_assert_int_eq(dt_int_run_init(&r, m, &dt_int_reference, NULL, 1, PICTURES, NULL, NULL),
                     DT_OK);
    dt_int_run_forward(&r, x, n);
    dt_int_run_logits(&r, logits);
    fwrite(&n, sizeof n, 1, to);
    fwrite(x, sizeof *x, (size_t)(n * TESTNET_SIDE * TESTNET_SIDE * 3), to);
    for (int i = 0; i < m->node_count; i++)
        if (is_code(m, i))
            fwrite(r.data[m->node[i].out], 1, (size_t)(n * dt_int_count(&m->value[m->node[i].out])),
                   to);
    fwrite(logits, sizeof *logits, PICTURES * CLASSES, to);
    fwrite(&end, sizeof end, 1, to);
    dt_int_run_fini(&r);
}

/* Is there an integer model to compare with? */
static inline bool has_model(const testnet *t)
{
    dt_lowered *l;
    dt_int_model *m = NULL;
    ck_assert_int_eq(dt_lower_new(&t->low, &l, NULL), DT_OK);
    bool has = dt_int_model_new(l, &dt_contracts[0], NULL, &m, NULL) == DT_OK;
    dt_int_model_free(m);
    dt_lower_free(l);
    return has;
}

/* What the exporter says; UNSUPPORTED also where it keeps parts in float. */
static inline dt_status try_format(const testnet *t, const format *f, const char *folder,
                                   const char *name, dt_error *err)
{
    char file[512], golden[512];
    const dt_exporter *e = exporter_of(f);
    snprintf(file, sizeof file, "%s/%s.%s.%s", folder, name, f->name, e->extension);
    snprintf(golden, sizeof golden, "%s/%s.%s.golden", folder, name, f->name);
    void *conf = dt_get(NULL, e->row.conf_size + 1, "conf");
    if (e->row.opts) dt_opt_defaults(e->row.opts, conf);
    const dt_opt *prefix = e->row.opts ? dt_opt_find(e->row.opts, "prefix") : NULL;
    if (prefix) ck_assert_int_eq(dt_opt_set(prefix, conf, "net", NULL, NULL), DT_OK);
    dt_status st = e->write(&t->src, conf, file, NULL, err);
    dt_put(NULL, conf);
    if (st != DT_OK) return st;
    if (!has_model(t))
        return dt_fail(err, DT_ERR_UNSUPPORTED, NULL, "op: stays in float between quantizers");
    FILE *to = fopen(golden, "wb");
    ck_assert_ptr_nonnull(to);
    dt_int_model *m = lower(t, f);
    float *x = int_pictures(PICTURES, 21);
    write_header(to, m, file);
    write_batch(to, m, x);
    dt_put(NULL, x);
    dt_int_model_free(m);
    ck_assert_int_eq(fclose(to), 0);
    return DT_OK;
}

static inline void write_format(const testnet *t, const format *f, const char *folder,
                                const char *name)
{
    dt_error err = { .text = "" };
    ck_assert_msg(try_format(t, f, folder, name, &err) == DT_OK, "%s: %s", name, err.text);
}

/* Norms of positive scale, as training starts with: the lowest code has no negative. */
static inline void make_positive(testnet *t)
{
    for (int i = 0; i < t->net.graph.node_count; i++) {
        const dt_node *n = &t->net.graph.node[i];
        if (!n->op->batch_stat) continue;
        for (int64_t c = 0; c < t->net.graph.value[n->in[DT_BN_GAMMA]].shape.dim[0]; c++)
            t->net.state.data[n->in[DT_BN_GAMMA]][c] =
                (real)fabs((double)t->net.state.data[n->in[DT_BN_GAMMA]][c]) + (real).1;
    }
}

#endif
