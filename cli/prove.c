/* detent verify --prove */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prove.h"

#include <jansson.h>

enum { WAYS = 8 }; /* the engine, then the rows of dt_contracts */

/* All channels of a node under one way of rounding. */
typedef struct cell {
    int64_t cases, differ, channels;
    dt_proof first;
    bool done; /* the model's own contract, or one that rounds nothing here, is not */
} cell;

typedef struct table {
    const dt_int_model *m;
    cell *cells;  /* [node][WAYS] */
    json_t *list; /* of channels that differ, NULL: text */
} table;

static int way_of(const dt_contract *c)
{
    return c ? 1 + (int)(c - dt_contracts) : 0;
}

static const char *way_name(int way)
{
    return way ? dt_contracts[way - 1].name : "engine";
}

static void on_proof(void *arg, const dt_proof *p)
{
    table *t = arg;
    int way = way_of(p->other);
    cell *c = &t->cells[p->node * WAYS + way];
    c->done = true;
    c->cases += p->cases;
    if (p->differ == 0) return;
    if (c->channels++ == 0) c->first = *p;
    c->differ += p->differ;
    if (!t->list) return;
    json_t *o = json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:i,s:i}", "node", t->m->node[p->node].name,
                          "rounding", way_name(way), "cases", (json_int_t)p->cases, "differ",
                          (json_int_t)p->differ, "first", (json_int_t)p->first, "second",
                          (json_int_t)p->second, "got", p->got, "want", p->want);
    if (o && p->channel >= 0) json_object_set_new(o, "channel", json_integer(p->channel));
    json_array_append_new(t->list, o);
}

static int ways(void)
{
    int n = 1;
    while (dt_contracts[n - 1].name)
        n++;
    return n;
}

static void print_cell(const cell *c)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)c->differ);
    printf(" %11s", c->done ? text : "");
}

static void print_place(const table *t, int node, int way)
{
    const cell *c = &t->cells[node * WAYS + way];
    const dt_proof *p = &c->first;
    printf("  %-28s %-8s %lld of %lld %s", t->m->node[node].name, way_name(way),
           (long long)c->differ, (long long)c->cases, p->channel < 0 ? "pairs" : "sums");
    if (p->channel < 0)
        printf(", first at codes %lld and %lld", (long long)p->first, (long long)p->second);
    else
        printf(" in %lld of %lld channels, first in channel %lld at %lld", (long long)c->channels,
               (long long)t->m->value[t->m->node[node].out].C, (long long)p->channel,
               (long long)p->first);
    printf(": %d, not %d\n", p->got, p->want);
}

static void print_rows(const table *t, int count)
{
    printf("codes that differ from %s, over every sum, pair and code that can occur\n\n%-28s %-8s "
           "%13s",
           t->m->contract->name, "node", "kind", "cases");
    for (int w = 0; w < count; w++)
        printf(" %11s", way_name(w));
    puts("");
    for (int i = 0; i < t->m->node_count; i++) {
        const cell *c = &t->cells[i * WAYS];
        if (!c->done) continue;
        printf("%-28s %-8s %13lld", t->m->node[i].name, t->m->node[i].form->name,
               (long long)c->cases);
        for (int w = 0; w < count; w++)
            print_cell(&c[w]);
        puts("");
    }
}

/* True when nothing differs in this way. */
static bool is_equal(const table *t, int way)
{
    bool equal = true;
    for (int i = 0; i < t->m->node_count; i++)
        equal = equal && t->cells[i * WAYS + way].differ == 0;
    return equal;
}

static void print_text(const table *t)
{
    int count = ways();
    print_rows(t, count);
    for (int w = 0; w < count; w++)
        for (int i = 0; i < t->m->node_count; i++)
            if (t->cells[i * WAYS + w].differ) print_place(t, i, w);
    puts("");
    for (int w = 0; w < count; w++)
        if (w != way_of(t->m->contract))
            printf("%-8s %s\n", way_name(w),
                   is_equal(t, w) ? "gives the same codes for every picture"
                                  : "differs, see above");
    puts(is_equal(t, 0) ? "proved" : "NOT proved");
}

static void print_json(const table *t)
{
    json_t *equal = json_object();
    for (int w = 0; w < ways(); w++)
        if (w != way_of(t->m->contract))
            json_object_set_new(equal, way_name(w), json_boolean(is_equal(t, w)));
    json_t *o = json_pack("{s:b,s:s,s:o,s:O}", "proved", is_equal(t, 0), "rounding",
                          t->m->contract->name, "equal", equal, "differ", t->list);
    cli_print_json(o, 0);
}

dt_status cli_prove(const dt_session *s, const dt_int_model *m, const cli_args *args,
                    bool *out_good, dt_error *err)
{
    table t = { .m = m };
    t.cells = dt_get_array(NULL, (size_t)m->node_count * WAYS, sizeof *t.cells, "proof");
    if (!t.cells) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    if (args->json) t.list = json_array();
    dt_status st = dt_int_prove(m, &s->kernels, s->threads, on_proof, &t, NULL, err);
    if (st == DT_OK) {
        *out_good = is_equal(&t, 0);
        if (args->json)
            print_json(&t);
        else
            print_text(&t);
    }
    json_decref(t.list);
    dt_put(NULL, t.cells);
    return st;
}
