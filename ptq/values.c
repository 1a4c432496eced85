/* Arrays of all pictures' values. They are large, most live for one site or unit only, and a fresh
 * one costs more than what is put into it (pages have to be found and cleared): those that were
 * given back are given out again. There are never more of them than were in use at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spill.h"
#include "ptq/engine.h"

/* In front of every array, in a piece that keeps its alignment. */
typedef struct head {
    size_t room; /* bytes behind it */
} head;
enum { HEAD = 64, FREE = 16 };

struct dt_ptq_values {
    head *free[FREE];
    void *scratch;
    size_t scratch_bytes;
};

dt_status dt_ptq_values_init(dt_ptq *q, dt_error *err)
{
    q->values = dt_arena_get(q->arena, sizeof *q->values);
    return q->values ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

static void give_back(const dt_ptq *q, head *h)
{
    if (q->p->spill)
        dt_spill_put(h);
    else
        dt_put(q->p->alloc, h);
}

/* Those of less than `bytes`. */
static void drop_smaller(const dt_ptq *q, size_t bytes)
{
    for (int i = 0; i < FREE; i++) {
        head **h = &q->values->free[i];
        if (!*h || (*h)->room >= bytes) continue;
        give_back(q, *h);
        *h = NULL;
    }
}

void dt_ptq_values_fini(dt_ptq *q)
{
    if (q->values) {
        drop_smaller(q, SIZE_MAX);
        dt_put(q->p->alloc, q->values->scratch);
    }
    q->values = NULL;
}

dt_status dt_ptq_scratch(const dt_ptq *q, size_t bytes, void **out, dt_error *err)
{
    struct dt_ptq_values *v = q->values;
    if (bytes > v->scratch_bytes) {
        dt_put(q->p->alloc, v->scratch);
        v->scratch = dt_get(q->p->alloc, bytes, "step arena");
        v->scratch_bytes = v->scratch ? bytes : 0;
        if (!v->scratch)
            return dt_fail(err, DT_ERR_NOMEM, &(dt_where){ .key = "ptq.batch" },
                           "no memory for %.0f MB of a pass; take a smaller one",
                           (double)bytes / 1e6);
    }
    *out = v->scratch;
    return DT_OK;
}

/* The smallest free one that is large enough. */
static head *reuse(const dt_ptq *q, size_t bytes)
{
    head **best = NULL;
    for (int i = 0; i < FREE; i++) {
        head **h = &q->values->free[i];
        if (*h && (*h)->room >= bytes && (!best || (*h)->room < (*best)->room)) best = h;
    }
    if (!best) return NULL;
    head *found = *best;
    *best = NULL;
    return found;
}

static dt_status make(const dt_ptq *q, int value, size_t bytes, head **out, dt_error *err)
{
    void *memory;
    drop_smaller(q, bytes);
    if (q->p->spill) {
        DT_TRY(dt_spill_get(q->p->spill, HEAD + bytes, &memory, err));
    } else {
        memory = dt_get(q->p->alloc, HEAD + bytes, "values of all pictures");
        if (!memory)
            return dt_fail(err, DT_ERR_NOMEM, &(dt_where){ .key = "ptq.images" },
                           "no memory for %.0f MB, '%s' of %lld pictures; take less",
                           (double)bytes / 1e6,
                           value == DT_PTQ_INPUTS ? "inputs" : q->g->value[value].name,
                           (long long)q->p->count);
    }
    *out = memory;
    (*out)->room = bytes;
    return DT_OK;
}

dt_status dt_ptq_get(const dt_ptq *q, int value, real **out, dt_error *err)
{
    size_t n;
    *out = NULL;
    if (!dt_size_mul((size_t)q->p->count, (size_t)dt_ptq_features(q, value), &n) ||
        n > (SIZE_MAX - HEAD) / sizeof **out)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for pictures' values");
    head *h = reuse(q, n * sizeof **out);
    if (!h) DT_TRY(make(q, value, n * sizeof **out, &h, err));
    *out = (real *)(void *)((char *)h + HEAD);
    return DT_OK;
}

void dt_ptq_put(const dt_ptq *q, real *values)
{
    if (!values) return;
    head *h = (head *)(void *)((char *)values - HEAD);
    for (int i = 0; i < FREE; i++)
        if (!q->values->free[i]) {
            q->values->free[i] = h;
            return;
        }
    give_back(q, h);
}
