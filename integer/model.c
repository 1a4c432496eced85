/* What the integer model says of itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/form.h"

int64_t dt_int_count(const dt_int_value *v)
{
    return v->H * v->W * v->C;
}

const dt_int_node *dt_int_producer(const dt_int_model *m, int value)
{
    for (int i = 0; i < m->node_count; i++)
        if (m->node[i].out == value) return &m->node[i];
    return NULL;
}

const dt_int_node *dt_int_sums(const dt_int_model *m, const dt_int_node *n)
{
    if (n->in_count == 0 || !m->value[n->in[0]].is_sum) return NULL;
    return dt_int_producer(m, n->in[0]);
}

void dt_int_model_free(dt_int_model *m)
{
    if (m) dt_arena_free(m->arena);
}

void dt_int_model_round(dt_int_model *m, const dt_contract *c)
{
    m->contract = c;
    for (int i = 0; i < m->node_count; i++)
        if (m->node[i].form->round) m->node[i].form->round(m, &m->node[i]);
}
