/* Sites, pieces and encoders of quantized weights. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "dynamics/weights.h"

#include <string.h>

#include "autograd/op_fakequant.h"
#include "autograd/op_fold_norm.h"
#include "core/thread.h"

enum { TASK = 4 * DT_POINT_BLOCK }; /* elements of a task, about */

/* The fold_norm node that makes a value; NULL: something else does. */
static const dt_node *fold_before(const dt_graph *g, int value)
{
    int at = g->value[value].producer;
    return at >= 0 && g->node[at].op->folds_norm ? &g->node[at] : NULL;
}

static const dt_fakequant_conf *weight_quantizer(const dt_graph *g, const dt_node *node)
{
    const dt_fakequant_conf *c = node->conf;
    if (!node->op->quantizes || !c->site.weight) return NULL;
    const dt_node *fold = fold_before(g, node->in[0]);
    return g->value[fold ? fold->in[DT_FOLD_W] : node->in[0]].kind == DT_VALUE_PARAM ? c : NULL;
}

static void add_site(dt_weights *w, const dt_graph *g, const dt_node *node, int64_t *groups)
{
    dt_weight_site *s = &w->site[w->count++];
    const dt_node *fold = fold_before(g, node->in[0]);
    int value = fold ? fold->in[DT_FOLD_W] : node->in[0];
    const dt_value *v = &g->value[value];
    const dt_fakequant_conf *c = node->conf;
    *s = (dt_weight_site){ .name = node->name,
                           .weight = v->name,
                           .active = true,
                           .begins = true,
                           .conf = c,
                           .site = dt_fakequant_site(c, &v->shape),
                           .value = value,
                           .count = dt_shape_count(&v->shape),
                           .at = w->elements,
                           .first_group = *groups };
    for (int i = 0; i < c->quantizer->param_count; i++)
        s->param[i] = node->in[1 + i];
    s->strength = c->strength_in ? node->in[1 + c->quantizer->param_count] : -1;
    if (fold) {
        s->fold = fold->conf;
        s->gamma = fold->in[DT_FOLD_GAMMA], s->var = fold->in[DT_FOLD_VAR];
        s->channel = s->count / v->shape.dim[0];
    }
    w->elements += s->count;
    *groups += s->site.groups;
}

static int64_t pieces_of(const dt_quant_site *s)
{
    return s->groups * ((s->count + DT_POINT_BLOCK - 1) / DT_POINT_BLOCK);
}

static void cut(dt_weights *w)
{
    int64_t in_task = 0;
    for (int i = 0; i < w->count; i++) {
        const dt_quant_site *s = &w->site[i].site;
        for (int64_t group = 0; group < s->groups; group++)
            for (int64_t at = 0; at < s->count; at += DT_POINT_BLOCK) {
                int64_t left = s->count - at, n = left < DT_POINT_BLOCK ? left : DT_POINT_BLOCK;
                if (in_task == 0) w->task[w->task_count++] = w->piece_count;
                in_task = in_task + n < TASK ? in_task + n : 0;
                w->piece[w->piece_count++] =
                    (dt_weight_piece){ i, group, group * s->count + at, n };
            }
    }
    w->task[w->task_count] = w->piece_count;
}

/* Memory that only some nets need. */
static bool get_copies(dt_weights *w, dt_arena *arena)
{
    size_t bytes = sizeof(real) * (size_t)w->elements;
    for (int i = 0; i < w->count; i++) {
        dt_weight_site *s = &w->site[i];
        bool transforms = dt_quant_transforms(s->conf->quantizer, &s->site);
        if (transforms && !w->transformed && !(w->transformed = dt_arena_get(arena, bytes)))
            return false;
        if (!s->fold) continue;
        if (!w->folded && !(w->folded = dt_arena_get(arena, bytes))) return false;
        s->factor = dt_arena_get(arena, sizeof *s->factor * (size_t)(s->count / s->channel));
        if (!s->factor) return false;
    }
    return true;
}

dt_status dt_weights_init(dt_weights *w, const dt_graph *g, const dt_state *state, int threads,
                          dt_arena *arena, dt_error *err)
{
    *w = (dt_weights){ .state = state, .threads = threads };
    int64_t groups = 0;
    size_t pieces = 0;
    w->site = dt_arena_get(arena, sizeof *w->site * (size_t)(g->node_count + 1));
    for (int i = 0; w->site && i < g->node_count; i++) {
        if (!weight_quantizer(g, &g->node[i])) continue;
        add_site(w, g, &g->node[i], &groups);
        pieces += (size_t)pieces_of(&w->site[w->count - 1].site);
    }
    w->piece = dt_arena_get(arena, sizeof *w->piece * (pieces + 1));
    w->task = dt_arena_get(arena, sizeof *w->task * (pieces + 1));
    w->encode = dt_arena_get(arena, sizeof *w->encode * (size_t)(groups + 1));
    w->stats = dt_arena_get(arena, sizeof(real) * DT_QUANT_MAX_STATS * (size_t)(groups + 1));
    if (!w->site || !w->piece || !w->task || !w->encode || !w->stats || !get_copies(w, arena))
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the weights' sites");
    cut(w);
    dt_weights_fold(w);
    return DT_OK;
}

void dt_weights_bind(dt_weights *w, const dt_graph *g, bool fresh)
{
    for (int i = 0; i < w->count; i++) {
        dt_weight_site *s = &w->site[i];
        int before = s->active && !fresh ? s->site.bits : 0;
        s->active = s->begins = false;
        for (int k = 0; k < g->node_count; k++) {
            const dt_fakequant_conf *c = weight_quantizer(g, &g->node[k]);
            if (!c || strcmp(g->node[k].name, s->name) != 0) continue;
            s->active = true;
            s->begins = c->site.bits != before;
            s->conf = c;
            s->site.bits = c->site.bits;
        }
    }
}

void dt_weights_fold(dt_weights *w)
{
    for (int i = 0; i < w->count; i++) {
        const dt_weight_site *s = &w->site[i];
        for (int64_t o = 0; s->fold && o < s->count / s->channel; o++)
            s->factor[o] = dt_fold_norm_factor(s->fold, w->state->data[s->gamma][o],
                                               w->state->data[s->var][o]);
    }
}

real *dt_weights_read(const dt_weights *w, const dt_weight_site *s)
{
    return s->fold ? w->folded + s->at : w->state->data[s->value];
}

const real *dt_weights_rounded(const dt_weights *w, const dt_weight_site *s)
{
    bool transforms = dt_quant_transforms(s->conf->quantizer, &s->site);
    return transforms ? w->transformed + s->at : dt_weights_read(w, s);
}

static void refresh(dt_weights *w, const dt_weight_site *s)
{
    const dt_quantizer *q = s->conf->quantizer;
    bool transforms = dt_quant_transforms(q, &s->site);
    real *stats = w->stats + s->first_group * DT_QUANT_MAX_STATS, params[DT_QUANT_MAX_PARAMS];
    void *param[DT_QUANT_MAX_PARAMS];
    for (int i = 0; i < q->param_count; i++)
        param[i] = w->state->data[s->param[i]];
    const real *x = w->state->data[s->value];
    for (int64_t i = 0; s->fold && i < s->count; i++) /* as op_fold_norm.c */
        w->folded[s->at + i] = (real)((double)x[i] * dt_weight_factor(s, i));
    if (transforms)
        q->transform(s->conf->options, &s->site, dt_weights_read(w, s), w->transformed + s->at,
                     stats);
    for (int64_t group = 0; group < s->site.groups; group++)
        dt_fakequant_plan(s->conf, &s->site, param,
                          transforms ? stats + group * q->stat_count : NULL, group, params,
                          &w->encode[s->first_group + group]);
}

void dt_weights_refresh(dt_weights *w)
{
    for (int i = 0; i < w->count; i++)
        if (w->site[i].active) refresh(w, &w->site[i]);
}

typedef struct each {
    dt_weights *w;
    dt_weight_fn fn;
    void *arg;
} each;

static void each_task(void *arg, int64_t t, int thread)
{
    (void)thread;
    const each *c = arg;
    const dt_weights *w = c->w;
    for (int64_t i = w->task[t]; i < w->task[t + 1]; i++) {
        const dt_weight_piece *p = &w->piece[i];
        const dt_weight_site *s = &w->site[p->site];
        if (!s->active) continue;
        c->fn(c->arg, i, s, p, dt_weights_rounded(w, s) + p->begin,
              &w->encode[s->first_group + p->group]);
    }
}

void dt_weights_each(dt_weights *w, dt_weight_fn fn, void *arg)
{
    each c = { w, fn, arg };
    dt_parallel(w->threads, w->task_count, each_task, &c);
}
