/* The numbers of each step of a C export, as arrays and structs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/c99/c_cell.h"

int64_t dt_c_at_s8(const void *data, int64_t i)
{
    return ((const int8_t *)data)[i];
}

int64_t dt_c_at_s32(const void *data, int64_t i)
{
    return ((const int32_t *)data)[i];
}

bool dt_c_is_first(const dt_c_plan *p, int step)
{
    for (int i = 0; i < step; i++)
        if (p->step[step].sums && p->step[i].sums == p->step[step].sums) return false;
    return true;
}

void dt_c_say_grid(dt_c_text *t, const dt_lower_grid *g)
{
    dt_c_say(t, "    .out_zero = %d, .out_low = %d, .out_high = %d,\n};\n", g->zero_point, g->low,
             g->high);
}

unsigned dt_c_uses_requant(const dt_contract *c)
{
    (void)c;
    return DT_C_CLAMP | DT_C_REQUANT;
}

void dt_c_say_numbers(dt_c_text *t, int step)
{
    char name[96], from[96], kind[96];
    const dt_c_step *s = &t->p->plan->step[step];
    const dt_int_value *y = &t->m->value[s->node->out];
    const dt_form *form = dt_c_form(s);
    snprintf(kind, sizeof kind, "%s", form->name);
    if (form->c->what) form->c->what(s->sums ? s->sums : s->node, kind);
    dt_c_say(t, "\n/* %d  %s%s%s: %s -> %lldx%lldx%lld */\n", step,
             s->sums ? dt_c_plain(s->sums->name, from) : "", s->sums ? ", " : "",
             dt_c_plain(s->node->name, name), kind, (long long)y->H, (long long)y->W,
             (long long)y->C);
    form->c->numbers(t, step);
}
