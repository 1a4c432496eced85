/* Quantizers of other programs become sites. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_grid.h"

#include <math.h>
#include <string.h>

#include "autograd/op_fakequant.h"
#include "autograd/query.h"
#include "fakequant/quantizers.h"
#include "layers/site.h"

/* One number, or one for each of `axis`. */
static bool fits(const dt_ox_tensor *t, int rank, const int64_t *dim, int axis)
{
    return t->count == 1 || (t->rank == 1 && axis < rank && t->count == dim[axis]);
}

dt_status dt_ox_grid_read(dt_ox_walk *w, int scale, int zero, int rank, const int64_t *dim,
                          dt_ox_grid *out)
{
    int axis = 0;
    *out = (dt_ox_grid){ .axis = -1 };
    DT_TRY(dt_ox_reals(w, scale, &out->scale));
    DT_TRY(dt_ox_wholes(w, zero, &out->zero));
    if (!out->scale) return dt_ox_refuse(w, "it has no scale");
    if (dt_ox_int(w->node, "block_size", 0))
        return dt_ox_refuse(w, "scales of blocks are not read; one for a tensor, or for each of "
                               "its channels, is");
    if (out->scale->count != 1) {
        DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", 1), rank, &axis));
        out->axis = axis;
    }
    if (!fits(out->scale, rank, dim, axis) || (out->zero && out->zero->count != out->scale->count))
        return dt_ox_refuse(w, "its scale or zero point has another number of elements than its "
                               "input has channels");
    for (int64_t i = 0; i < out->scale->count; i++)
        if (!(out->scale->x[i] > 0) || !isfinite(out->scale->x[i]))
            return dt_ox_refuse(w, "its scale %lld is %g; scales are positive numbers",
                                (long long)i, (double)out->scale->x[i]);
    for (int64_t i = 0; out->zero && i < out->zero->count; i++)
        if (out->zero->n[i] < -65536 || out->zero->n[i] > 65536)
            return dt_ox_refuse(w, "its zero point %lld is %lld", (long long)i,
                                (long long)out->zero->n[i]);
    return DT_OK;
}

float dt_ox_grid_scale(const dt_ox_grid *g, int64_t group)
{
    return g->scale->x[g->axis < 0 ? 0 : group];
}

int dt_ox_grid_zero(const dt_ox_grid *g, int64_t group)
{
    return g->zero ? (int)g->zero->n[g->axis < 0 ? 0 : group] : 0;
}

int64_t dt_ox_grid_group(const dt_ox_grid *g, const dt_ox_tensor *t, int64_t i)
{
    int64_t inner = 1;
    if (g->axis < 0) return 0;
    for (int k = g->axis + 1; k < t->rank; k++)
        inner *= t->dim[k];
    return i / inner % t->dim[g->axis];
}

bool dt_ox_grid_is_alike(const dt_ox_grid *a, const dt_ox_grid *b)
{
    if (a->axis != b->axis || a->scale->count != b->scale->count) return false;
    for (int64_t i = 0; i < a->scale->count; i++)
        if (a->scale->x[i] != b->scale->x[i] || dt_ox_grid_zero(a, i) != dt_ox_grid_zero(b, i))
            return false;
    return true;
}

/* A quantizer with the steps of a grid. */
typedef struct fit {
    const dt_row *row;
    dt_quant_site site;
    void *conf;
    float *param[DT_QUANT_MAX_PARAMS]; /* [groups] */
} fit;

static bool fits_group(const dt_quantizer *q, const dt_ox_grid *g, int64_t group, fit *f)
{
    real params[DT_QUANT_MAX_PARAMS] = { 0 };
    const dt_grid from = { .scale = (double)dt_ox_grid_scale(g, group),
                           .zero_point = dt_ox_grid_zero(g, group),
                           .qmin = g->low,
                           .qmax = g->high };
    dt_opt_defaults(q->row.opts, f->conf);
    if (!q->of_grid(&from, &f->site, f->conf, params)) return false;
    for (int i = 0; i < q->param_count; i++)
        f->param[i][group] = (float)params[i];
    return true;
}

/* Every group has to have the same bits, sign and options. */
static bool fits_all(dt_ox_walk *w, const dt_quantizer *q, const dt_ox_grid *g, fit *f)
{
    dt_arena *arena = w->file->arena;
    size_t size = q->row.conf_size;
    void *first = dt_arena_get(arena, size + 1);
    f->conf = dt_arena_get(arena, size + 1);
    for (int i = 0; i < q->param_count; i++)
        if (!(f->param[i] = dt_arena_get(arena, (size_t)f->site.groups * sizeof(float))))
            return false;
    if (!first || !f->conf) return false;
    const dt_quant_site at = f->site;
    for (int64_t group = 0; group < at.groups; group++) {
        dt_quant_site before = f->site;
        f->site = at;
        if (!fits_group(q, g, group, f)) return false;
        if (group == 0) memcpy(first, f->conf, size);
        if (memcmp(first, f->conf, size) != 0 ||
            (group && (before.bits != f->site.bits || before.is_signed != f->site.is_signed)))
            return false;
    }
    return true;
}

/* One whose codes fused passes know, else any. */
static bool find_fit(dt_ox_walk *w, const dt_ox_grid *g, bool weight, fit *f)
{
    const dt_quant_site at = { .weight = weight, .groups = g->axis < 0 ? 1 : g->scale->count };
    for (int any = 0; any < 2; any++)
        for (const dt_row *const *row = dt_quantizers.rows; *row; row++) {
            const dt_quantizer *q = dt_quantizer_of(*row);
            *f = (fit){ .row = *row, .site = at };
            if (!q->of_grid || !fits_all(w, q, g, f)) continue;
            if (any || (q->uniform && q->uniform(f->conf, &f->site))) return true;
        }
    return false;
}

/* Is the node a quantizer with these numbers? */
static bool is_fit(const dt_ox_walk *w, const dt_node *n, const fit *f)
{
    const dt_fakequant_conf *c = dt_query_quantizer(n);
    if (!c || &c->quantizer->row != f->row || c->site.bits != f->site.bits ||
        c->site.is_signed != f->site.is_signed || c->site.groups != 1 ||
        memcmp(c->options, f->conf, f->row->conf_size) != 0)
        return false;
    for (int i = 1; i < n->in_count; i++) {
        const dt_ox_named *p = dt_ox_map_find(&w->params, w->b->graph->value[n->in[i]].name);
        if (!p || !p->data || p->data[0] != f->param[i - 1][0]) return false;
    }
    return true;
}

/* x, or what quantizes it, where that is on such a grid; -1: nothing is. */
static int on_grid(const dt_ox_walk *w, int x, const fit *f)
{
    const dt_graph *g = w->b->graph;
    const dt_node *n;
    for (int v = x; (n = dt_query_maker(g, v)) != NULL; v = n->in[0]) {
        if (is_fit(w, n, f)) return x;
        if (!n->op->moves_codes) break;
    }
    DT_QUERY_EACH_USE(u, g, x)
    if (u->input == 0 && is_fit(w, &g->node[u->node], f)) return g->node[u->node].out[0];
    return -1;
}

static int keep_values(dt_ox_walk *w, const dt_node *site, const fit *f)
{
    for (int i = 1; i < site->in_count; i++)
        if (dt_ox_keep_named(w, site->in[i], f->param[i - 1]) != DT_OK)
            return dt_builder_fail(w->b, dt_ox_no_memory(w));
    return site->out[0];
}

int dt_ox_site(dt_ox_walk *w, const char *layer, const char *name, int x, bool weight,
               const dt_ox_grid *g)
{
    fit f;
    if (w->b->status != DT_OK || x < 0) return -1;
    if (!weight && g->axis >= 0)
        return dt_builder_fail(w->b, dt_ox_refuse(w, "a scale for each channel of an activation "
                                                     "cannot leave the integer sum; one is read"));
    if (weight && g->axis > 0)
        return dt_builder_fail(w->b, dt_ox_refuse(w, "the scales of its weight are along another "
                                                     "axis than its outputs"));
    if (!find_fit(w, g, weight, &f))
        return dt_builder_fail(w->b, dt_ox_refuse(w,
                                                  "codes %d..%d around %d are no range of 2 to "
                                                  "8 bits, the same in every channel",
                                                  g->low, g->high, dt_ox_grid_zero(g, 0)));
    int known = weight ? -1 : on_grid(w, x, &f);
    if (known >= 0) return known;
    dt_placer p = { .graph = w->b->graph, .err = w->err };
    const dt_quant_choice choice = {
        .quantized = true, .method = f.row, .bits = f.site.bits, .conf = f.conf
    };
    int y = dt_site_add(&p, layer, name, x, &choice, f.site);
    if (y < 0) return dt_builder_fail(w->b, p.status);
    return keep_values(w, dt_query_maker(w->b->graph, y), &f);
}
