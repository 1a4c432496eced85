/* What the integer model says of itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "integer/form.h"

void dt_int_mark_rows(const dt_int_model *m, const dt_graph *g, bool *flat)
{
    for (int i = 0; i < m->node_count; i++)
        for (int p = 0; m->node[i].port && p < g->port_count; p++)
            if (g->port[p].kind == DT_PORT_INPUT && strcmp(g->port[p].name, m->node[i].port) == 0)
                flat[m->node[i].out] = g->value[g->port[p].value].shape.rank == 2;
}

const dt_int_node *dt_int_input_at(const dt_int_model *m, int64_t at)
{
    for (int i = 0; i < m->node_count; i++)
        if (m->node[i].port && m->node[i].at == at) return &m->node[i];
    return NULL;
}

int dt_int_inputs(const dt_int_model *m)
{
    int n = 0;
    for (int i = 0; i < m->node_count; i++)
        n += m->node[i].port != NULL;
    return n;
}

int64_t dt_int_outputs(const dt_int_model *m)
{
    int64_t n = 0;
    for (int k = 0; k < m->outputs; k++)
        n += dt_int_count(&m->value[m->output[k]]);
    return n;
}

int dt_int_output_at(const dt_int_model *m, int value)
{
    for (int k = 0; k < m->outputs; k++)
        if (m->output[k] == value) return k;
    return -1;
}

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
