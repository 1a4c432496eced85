/* Sites, pieces and encoders of quantized weights. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "dynamics/weights.h"

#include <string.h>

#include "autograd/op_fakequant.h"
#include "core/thread.h"

enum { TASK = 4 * DT_POINT_BLOCK }; /* elements of a task, about */

static const dt_fakequant_conf *weight_quantizer(const dt_graph *g, const dt_node *node)
{
    const dt_fakequant_conf *c = node->conf;
    if (strcmp(node->op->name, "fakequant") != 0 || !c->site.weight) return NULL;
    return g->value[node->in[0]].kind == DT_VALUE_PARAM ? c : NULL;
}

static void add_site(dt_weights *w, const dt_graph *g, const dt_node *node, int64_t *groups)
{
    dt_weight_site *s = &w->site[w->count++];
    const dt_value *v = &g->value[node->in[0]];
    const dt_fakequant_conf *c = node->conf;
    *s = (dt_weight_site){ .name = node->name,
                           .weight = v->name,
                           .active = true,
                           .conf = c,
                           .site = dt_fakequant_site(c, &v->shape),
                           .value = node->in[0],
                           .count = dt_shape_count(&v->shape),
                           .at = w->elements,
                           .first_group = *groups };
    for (int i = 1; i < node->in_count; i++)
        s->param[i - 1] = node->in[i];
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

dt_status dt_weights_init(dt_weights *w, const dt_graph *g, const dt_state *state, int threads,
                          dt_arena *arena, dt_error *err)
{
    *w = (dt_weights){ .state = state, .threads = threads };
    int64_t groups = 0;
    size_t pieces = 0;
    bool transforms = false;
    w->site = dt_arena_get(arena, sizeof *w->site * (size_t)(g->node_count + 1));
    for (int i = 0; w->site && i < g->node_count; i++) {
        const dt_fakequant_conf *c = weight_quantizer(g, &g->node[i]);
        w->folded = w->folded || strcmp(g->node[i].op->name, "fold_norm") == 0;
        if (!c) continue;
        add_site(w, g, &g->node[i], &groups);
        pieces += (size_t)pieces_of(&w->site[w->count - 1].site);
        transforms = transforms || dt_quant_transforms(c->quantizer, &c->site);
    }
    w->piece = dt_arena_get(arena, sizeof *w->piece * (pieces + 1));
    w->task = dt_arena_get(arena, sizeof *w->task * (pieces + 1));
    w->encode = dt_arena_get(arena, sizeof *w->encode * (size_t)(groups + 1));
    w->stats = dt_arena_get(arena, sizeof(real) * DT_QUANT_MAX_STATS * (size_t)(groups + 1));
    if (transforms) w->transformed = dt_arena_get(arena, sizeof(real) * (size_t)w->elements);
    if (!w->site || !w->piece || !w->task || !w->encode || !w->stats ||
        (transforms && !w->transformed))
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the weights' sites");
    cut(w);
    return DT_OK;
}

void dt_weights_bind(dt_weights *w, const dt_graph *g)
{
    for (int i = 0; i < w->count; i++) {
        dt_weight_site *s = &w->site[i];
        s->active = false;
        for (int k = 0; k < g->node_count; k++) {
            const dt_fakequant_conf *c = weight_quantizer(g, &g->node[k]);
            if (!c || strcmp(g->node[k].name, s->name) != 0) continue;
            s->active = true;
            s->conf = c;
            s->site.bits = c->site.bits;
        }
    }
}

static void refresh(dt_weights *w, const dt_weight_site *s)
{
    const dt_quantizer *q = s->conf->quantizer;
    bool transforms = dt_quant_transforms(q, &s->site);
    real *stats = w->stats + s->first_group * DT_QUANT_MAX_STATS, params[DT_QUANT_MAX_PARAMS];
    void *param[DT_QUANT_MAX_PARAMS];
    for (int i = 0; i < q->param_count; i++)
        param[i] = w->state->data[s->param[i]];
    if (transforms)
        q->transform(s->conf->options, &s->site, w->state->data[s->value], w->transformed + s->at,
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
        const real *x = dt_quant_transforms(s->conf->quantizer, &s->site)
                            ? w->transformed + s->at
                            : w->state->data[s->value];
        c->fn(c->arg, i, s, p, x + p->begin, &w->encode[s->first_group + p->group]);
    }
}

void dt_weights_each(dt_weights *w, dt_weight_fn fn, void *arg)
{
    each c = { w, fn, arg };
    dt_parallel(w->threads, w->task_count, each_task, &c);
}
