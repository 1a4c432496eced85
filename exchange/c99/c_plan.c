/* Steps, lifetimes, and places in the arena. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/c99/c_cell.h"

#include "autograd/plan.h"

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to plan a C program");
}

static dt_status refuse(const dt_int_node *n, const char *rule, dt_error *err)
{
    return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name }, "%s", rule);
}

static dt_status add_step(dt_c_plan *p, const dt_int_node *n, dt_error *err)
{
    dt_c_step *s = &p->step[p->steps];
    const dt_int_node *sums = dt_int_sums(p->model, n), *from = sums ? sums : n;
    *s = (dt_c_step){ .node = n, .sums = sums, .in_count = from->in_count };
    for (int i = 0; i < from->in_count; i++)
        s->in[i] = from->in[i];
    p->steps++;
    for (int i = 0; dt_c_is_input(s) && i < p->steps - 1; i++)
        if (dt_c_is_input(&p->step[i]) && p->step[i].node->at == n->at)
            return refuse(n, "a C program has each input quantized in one way", err);
    if (dt_c_is_input(s)) return DT_OK;
    if (!from->form->c) return dt_form_refuse(from->form, from->name, "C", err);
    if (from->form->c->work) s->work_bytes = from->form->c->work(from);
    return DT_OK;
}

/* Last step that reads a value; the step that makes it when there is none. */
static int last_read(const dt_c_plan *p, int value, int made)
{
    for (int i = p->steps - 1; i > made; i--)
        for (int k = 0; k < p->step[i].in_count; k++)
            if (p->step[i].in[k] == value) return i;
    return made;
}

/* Input whose memory a step can write its output to, being as large; -1: none. */
static int reused(const dt_c_plan *p, const int *slot_of, int i)
{
    const dt_c_step *s = &p->step[i];
    if (dt_c_is_input(s) || !dt_c_form(s)->c->in_place) return -1;
    int64_t count = dt_int_count(&p->model->value[s->node->out]);
    for (int k = 0; k < s->in_count; k++)
        if (slot_of[s->in[k]] >= 0 && last_read(p, s->in[k], 0) == i &&
            dt_int_count(&p->model->value[s->in[k]]) == count)
            return slot_of[s->in[k]];
    return -1;
}

/* Gives every step's output and work a slot. */
static int make_slots(const dt_c_plan *p, dt_slot *slot, int *slot_of, int *work_of)
{
    const dt_int_model *m = p->model;
    int count = 0;
    for (int i = 0; i < p->steps; i++) {
        int value = p->step[i].node->out;
        work_of[i] = -1;
        if (p->step[i].work_bytes) {
            work_of[i] = count;
            slot[count++] = (dt_slot){ DT_SLOT_WORK, i, i, i, p->step[i].work_bytes, 0 };
        }
        if (dt_c_is_input(&p->step[i]) || dt_int_output_at(m, value) >= 0) continue;
        int old = reused(p, slot_of, i), last = last_read(p, value, i);
        slot_of[value] = old >= 0 ? old : count;
        if (old >= 0)
            slot[old].last = last;
        else
            slot[count++] = (dt_slot){
                DT_SLOT_VALUE, value, i, last, (size_t)dt_int_count(&m->value[value]), 0
            };
    }
    return count;
}

static dt_status place(dt_c_plan *p, dt_arena *arena, dt_error *err)
{
    size_t values = (size_t)p->model->value_count, steps = (size_t)p->steps;
    dt_slot *slot = dt_arena_get(arena, 2 * steps * sizeof *slot);
    int *slot_of = dt_arena_get(arena, values * sizeof *slot_of);
    int *work_of = dt_arena_get(arena, steps * sizeof *work_of);
    p->offset = dt_arena_get(arena, values * sizeof *p->offset);
    if (!slot || !slot_of || !work_of || !p->offset) return no_memory(err);
    for (size_t i = 0; i < values; i++)
        slot_of[i] = -1;
    int count = make_slots(p, slot, slot_of, work_of);
    DT_TRY(dt_slots_place(slot, count, arena, &p->arena_bytes, err));
    for (size_t i = 0; i < values; i++)
        p->offset[i] = slot_of[i] >= 0 ? (int64_t)slot[slot_of[i]].offset : -1;
    for (size_t i = 0; i < steps; i++)
        p->step[i].work = work_of[i] >= 0 ? slot[work_of[i]].offset : 0;
    return DT_OK;
}

dt_status dt_c_plan_make(const dt_int_model *m, dt_arena *arena, dt_c_plan *out, dt_error *err)
{
    dt_c_plan p = { .model = m };
    p.step = dt_arena_get(arena, (size_t)m->node_count * sizeof *p.step);
    if (!p.step) return no_memory(err);
    for (int i = 0; i < m->node_count; i++)
        if (!m->value[m->node[i].out].is_sum) DT_TRY(add_step(&p, &m->node[i], err));
    for (int64_t at = 0; at < m->record;) { /* the codes are those of all inputs */
        const dt_int_node *n = dt_int_input_at(m, at);
        if (!n)
            return dt_fail(err, DT_ERR_UNSUPPORTED, NULL,
                           "an input is read by nothing, which a C program has no codes of");
        at += dt_int_count(&m->value[n->out]);
    }
    DT_TRY(place(&p, arena, err));
    if (p.arena_bytes > INT32_MAX)
        return dt_fail(err, DT_ERR_UNSUPPORTED, NULL,
                       "its activations need %zu bytes, a C program "
                       "has at most %d",
                       p.arena_bytes, INT32_MAX);
    *out = p;
    return DT_OK;
}
