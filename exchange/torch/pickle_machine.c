/* Reading, values and the stack of the pickle machine. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/torch/pickle_machine.h"

#include <string.h>

dt_status dt_pickle_bytes(struct dt_pickle_machine *m, size_t n, const unsigned char **out)
{
    if (n > m->size - m->at) return dt_pickle_damaged(m, "the file ends inside a pickle");
    *out = m->data + m->at;
    m->at += n;
    return DT_OK;
}

dt_status dt_pickle_number(struct dt_pickle_machine *m, size_t n, uint64_t *out)
{
    const unsigned char *p;
    DT_TRY(dt_pickle_bytes(m, n, &p));
    uint64_t v = 0;
    for (size_t i = n; i > 0; i--)
        v = v << 8 | p[i - 1];
    *out = v;
    return DT_OK;
}

dt_status dt_pickle_fresh(struct dt_pickle_machine *m, dt_pickle_kind kind, dt_pickle_value **out)
{
    if (m->values >= DT_PICKLE_MAX_VALUES) return dt_pickle_damaged(m, "too many values");
    dt_pickle_value *v = dt_arena_get(m->arena, sizeof *v);
    if (!v) return dt_pickle_no_memory(m);
    m->values++;
    v->kind = kind;
    *out = v;
    return DT_OK;
}

dt_status dt_pickle_room(struct dt_pickle_machine *m, void **array, size_t *capacity, size_t count,
                         size_t size)
{
    if (count > DT_PICKLE_MAX_VALUES) return dt_pickle_damaged(m, "stack or memo too deep");
    if (dt_grow(m->alloc, array, capacity, count, size, "pickle", NULL) != DT_OK)
        return dt_pickle_no_memory(m);
    return DT_OK;
}

dt_status dt_pickle_push(struct dt_pickle_machine *m, dt_pickle_value *v)
{
    void *stack = m->stack;
    DT_TRY(dt_pickle_room(m, &stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack));
    m->stack = stack;
    m->stack[m->depth++] = v;
    return DT_OK;
}

dt_status dt_pickle_push_new(struct dt_pickle_machine *m, dt_pickle_kind kind)
{
    dt_pickle_value *v;
    DT_TRY(dt_pickle_fresh(m, kind, &v));
    return dt_pickle_push(m, v);
}

dt_status dt_pickle_push_int(struct dt_pickle_machine *m, dt_pickle_kind kind, int64_t n)
{
    dt_pickle_value *v;
    DT_TRY(dt_pickle_fresh(m, kind, &v));
    v->integer = n;
    return dt_pickle_push(m, v);
}

size_t dt_pickle_reachable(const struct dt_pickle_machine *m)
{
    return m->depth - (m->marks ? m->mark[m->marks - 1] : 0);
}

dt_status dt_pickle_pop(struct dt_pickle_machine *m, dt_pickle_value **out)
{
    if (!dt_pickle_reachable(m)) return dt_pickle_damaged(m, "the stack is empty");
    *out = m->stack[--m->depth];
    return DT_OK;
}

dt_status dt_pickle_top(struct dt_pickle_machine *m, dt_pickle_value **out)
{
    if (!dt_pickle_reachable(m)) return dt_pickle_damaged(m, "the stack is empty");
    *out = m->stack[m->depth - 1];
    return DT_OK;
}

dt_status dt_pickle_push_mark(struct dt_pickle_machine *m)
{
    void *mark = m->mark;
    DT_TRY(dt_pickle_room(m, &mark, &m->mark_capacity, m->marks + 1, sizeof *m->mark));
    m->mark = mark;
    m->mark[m->marks++] = m->depth;
    return DT_OK;
}

dt_status dt_pickle_pop_mark(struct dt_pickle_machine *m, dt_pickle_value ***first, size_t *n)
{
    if (!m->marks) return dt_pickle_damaged(m, "a mark is missing");
    size_t start = m->mark[--m->marks];
    *first = m->stack + start;
    *n = m->depth - start;
    m->depth = start;
    return DT_OK;
}

dt_status dt_pickle_extend(struct dt_pickle_machine *m, dt_pickle_value *v,
                           dt_pickle_value *const *items, size_t n)
{
    if (n == 0) return DT_OK;
    if (v->count + n > v->capacity) {
        size_t want = v->capacity * 2 > v->count + n ? v->capacity * 2 : v->count + n, size;
        dt_pickle_value **bigger =
            dt_size_mul(want, sizeof *bigger, &size) ? dt_arena_get(m->arena, size) : NULL;
        if (!bigger) return dt_pickle_no_memory(m);
        if (v->count) memcpy(bigger, v->item, v->count * sizeof *bigger);
        v->item = bigger;
        v->capacity = want;
    }
    memcpy(v->item + v->count, items, n * sizeof *items);
    v->count += n;
    return DT_OK;
}

dt_status dt_pickle_text(struct dt_pickle_machine *m, dt_pickle_kind kind, size_t n,
                         dt_pickle_value **out)
{
    const unsigned char *p;
    if (n > DT_PICKLE_MAX_TEXT) return dt_pickle_damaged(m, "a string is too long");
    DT_TRY(dt_pickle_bytes(m, n, &p));
    DT_TRY(dt_pickle_fresh(m, kind, out));
    char *copy = dt_arena_get(m->arena, n + 1);
    if (!copy) return dt_pickle_no_memory(m);
    memcpy(copy, p, n);
    (*out)->text = copy;
    (*out)->size = n;
    return DT_OK;
}
