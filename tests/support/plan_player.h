/* Plays a step on tokens instead of numbers: everything must be found where it was put, and no two
 * living tensors share memory. The player knows nothing of lifetimes: each write destroys what
 * overlaps it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_SUPPORT_PLAN_PLAYER_H
#define DT_TESTS_SUPPORT_PLAN_PLAYER_H

#include <stdarg.h>
#include <stdio.h>

#include "autograd/plan.h"

enum { PLAYER_DEAD = -1, PLAYER_GRAD = 1 << 20, PLAYER_SAVED = 2 << 20, PLAYER_WORK = 3 << 20 };

typedef struct player {
    const dt_plan *p;
    int *holds;      /* by slot: value, GRAD + value, SAVED + node, WORK + node, DEAD */
    char wrong[300]; /* the first finding; "": none */
} player;

static inline void player_expect(player *y, bool good, const char *fmt, ...) DT_PRINTF(3, 4);
static inline void player_expect(player *y, bool good, const char *fmt, ...)
{
    va_list args;
    if (good || y->wrong[0]) return;
    va_start(args, fmt);
    vsnprintf(y->wrong, sizeof y->wrong, fmt, args);
    va_end(args);
}

static inline bool player_meet(const dt_slot *a, const dt_slot *b)
{
    return a->bytes && b->bytes && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

static inline void player_put(player *y, int slot, int token)
{
    if (slot < 0) return;
    for (int i = 0; i < y->p->slot_count; i++)
        if (i != slot && player_meet(&y->p->slot[i], &y->p->slot[slot])) y->holds[i] = PLAYER_DEAD;
    y->holds[slot] = token;
}

static inline void player_want(player *y, int slot, int token, int node, const char *what)
{
    player_expect(y, slot < 0 || y->holds[slot] == token, "node %d '%s': its %s is gone", node,
                  y->p->graph->node[node].name, what);
}

static inline void player_forward(player *y, int i)
{
    const dt_plan *p = y->p;
    const dt_node *node = &p->graph->node[i];
    for (int j = 0; j < node->in_count; j++)
        player_want(y, p->value_slot[node->in[j]], node->in[j], i, "input");
    player_put(y, p->node[i].forward_work, PLAYER_WORK + i);
    player_put(y, p->node[i].saved, PLAYER_SAVED + i);
    for (int j = 0; j < node->out_count; j++)
        player_put(y, p->value_slot[node->out[j]], node->out[j]);
    /* All of them live at the same time. */
    player_want(y, p->node[i].forward_work, PLAYER_WORK + i, i, "scratch");
    player_want(y, p->node[i].saved, PLAYER_SAVED + i, i, "saved memory");
    for (int j = 0; j < node->in_count; j++) {
        int slot = p->value_slot[node->in[j]];
        bool replaced = node->op->inplace && j == 0 && slot == p->value_slot[node->out[0]];
        if (!replaced) player_want(y, slot, node->in[j], i, "input, while it runs,");
    }
    for (int j = 0; j < node->out_count; j++) {
        player_expect(y, p->value_slot[node->out[j]] >= 0, "node %d: no slot for an output", i);
        player_want(y, p->value_slot[node->out[j]], node->out[j], i, "output");
    }
}

/* Where a backward pass finds a value. */
static inline int player_slot_back(const dt_plan *p, int v)
{
    return p->remade_slot[v] >= 0 ? p->remade_slot[v] : p->value_slot[v];
}

/* The forward pass of a node that is repeated for backward. */
static inline void player_remake(player *y, int i)
{
    const dt_plan *p = y->p;
    const dt_node *node = &p->graph->node[i];
    player_put(y, p->node[i].remake_work, PLAYER_WORK + i);
    player_put(y, player_slot_back(p, node->out[0]), node->out[0]);
    player_want(y, p->node[i].remake_work, PLAYER_WORK + i, i, "scratch, once more,");
    for (int j = 0; j < node->in_count; j++)
        player_want(y, player_slot_back(p, node->in[j]), node->in[j], i, "input, once more,");
}

/* What the backward pass of a node reads. */
static inline void player_operands(player *y, int i)
{
    const dt_plan *p = y->p;
    const dt_node *node = &p->graph->node[i];
    for (int j = 0; j < node->in_count; j++)
        if (node->op->reads_in >> j & 1)
            player_want(y, player_slot_back(p, node->in[j]), node->in[j], i, "input, backward,");
    for (int j = 0; j < node->out_count; j++)
        if (node->op->reads_out >> j & 1)
            player_want(y, player_slot_back(p, node->out[j]), node->out[j], i, "output, backward,");
    player_want(y, p->node[i].saved, PLAYER_SAVED + i, i, "saved memory, backward,");
}

/* Of the outputs' gradients, those that there are. */
static inline void player_gradients(player *y, int i, const bool *replaced, const char *what)
{
    const dt_node *node = &y->p->graph->node[i];
    int found = 0;
    for (int j = 0; j < node->out_count; j++) {
        int slot = y->p->grad_slot[node->out[j]];
        if (slot < 0) continue;
        if (!replaced[j]) player_want(y, slot, PLAYER_GRAD + node->out[j], i, what);
        found++;
    }
    player_expect(y, found > 0, "node %d: no gradient of its outputs", i);
}

/* The output whose gradient's memory that of input j takes over, -1: none. */
static inline int player_shares(const dt_node *node, int j)
{
    if (node->op->grad_shares) return node->op->grad_shares(node->conf, j);
    return j == 0 && node->op->grad_inplace ? 0 : -1;
}

static inline void player_backward(player *y, int i)
{
    const dt_plan *p = y->p;
    const dt_node *node = &p->graph->node[i];
    const dt_plan_node *pn = &p->node[i];
    bool replaced[DT_OP_MAX_OUT] = { false };
    player_gradients(y, i, replaced, "output's gradient");
    if (pn->remakes >= 0) player_remake(y, pn->remakes);
    player_operands(y, i);
    player_put(y, pn->backward_work, PLAYER_WORK + i);
    for (int j = 0; j < node->in_count; j++) {
        int v = node->in[j], slot = p->grad_slot[v], shared = player_shares(node, j);
        if (!pn->wants[j] || p->graph->value[v].kind == DT_VALUE_PARAM) continue;
        player_expect(y, slot >= 0, "node %d: no slot for a gradient", i);
        player_put(y, pn->sum[j], PLAYER_WORK + i);
        if (pn->add[j]) player_want(y, slot, PLAYER_GRAD + v, i, "gradient to add to");
        for (int k = 0; k < node->out_count; k++) {
            if (slot != p->grad_slot[node->out[k]]) continue;
            player_expect(y, k == shared && !pn->add[j],
                          "node %d: gradients share memory that may not", i);
            replaced[k] = true;
        }
        player_put(y, slot, PLAYER_GRAD + v);
    }
    player_want(y, pn->backward_work, PLAYER_WORK + i, i, "scratch, backward,");
    player_operands(y, i);
    if (pn->unfinished_by >= 0) { /* its gradient is finished in this pass */
        int v = p->graph->node[pn->unfinished_by].in[0];
        player_want(y, player_slot_back(p, v), v, i, "reader's input");
        player_want(y, p->node[pn->unfinished_by].saved, PLAYER_SAVED + pn->unfinished_by, i,
                    "reader's saved memory");
    }
    player_gradients(y, i, replaced, "output's gradient, while it runs,");
}

/* From the plan's own lifetimes. */
static inline void player_slots(player *y)
{
    const dt_plan *p = y->p;
    for (int i = 0; i < p->slot_count; i++) {
        const dt_slot *a = &p->slot[i];
        player_expect(y, a->offset + a->bytes <= p->arena_bytes, "slot %d is beyond the arena", i);
        player_expect(y, a->offset % DT_ALIGN == 0, "slot %d is not aligned", i);
        player_expect(y, a->first <= a->last, "slot %d ends before it begins", i);
        for (int j = 0; j < i; j++) {
            const dt_slot *b = &p->slot[j];
            bool together = a->first <= b->last && b->first <= a->last;
            player_expect(y, !together || !player_meet(a, b), "slots %d and %d overlap", j, i);
        }
    }
}

/* Plays `p`, whose first output is where the backward pass begins; holds: room for its slots.
 * y->wrong tells the first finding. */
static inline void player_play(player *y, const dt_plan *p, int *holds, const int *outputs,
                               int output_count)
{
    int n = p->graph->node_count, backward = 0;
    *y = (player){ .p = p, .holds = holds };
    player_slots(y);
    for (int i = 0; i < p->slot_count; i++)
        y->holds[i] = PLAYER_DEAD;
    for (int i = 0; i < n; i++)
        if (p->node[i].runs) player_forward(y, i);
    if (p->mode == DT_MODE_TRAIN) player_put(y, p->grad_slot[outputs[0]], PLAYER_GRAD + outputs[0]);
    for (int i = n - 1; p->mode == DT_MODE_TRAIN && i >= 0; i--) {
        if (!p->node[i].runs_back) continue;
        player_backward(y, i);
        backward++;
    }
    player_expect(y, p->mode != DT_MODE_TRAIN || backward > n / 3, "%d of %d nodes run back",
                  backward, n);
    for (int i = 0; i < output_count; i++)
        player_expect(y, y->holds[p->value_slot[outputs[i]]] == outputs[i], "output %d is gone", i);
}

#endif
