/* The pickle machine's memory: what is left to read, a stack with marks, a memo. pickle.c has the
 * opcodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_TORCH_PICKLE_MACHINE_H
#define DT_EXCHANGE_TORCH_PICKLE_MACHINE_H

#include "exchange/torch/pickle.h"

struct dt_pickle_machine {
    const char *path;
    const unsigned char *data;
    size_t size, at; /* at: next byte to read */
    dt_arena *arena;
    const dt_alloc *alloc;
    dt_pickle_value **stack, **memo, **persid;
    size_t *mark; /* depths of the stack */
    size_t depth, stack_capacity, marks, mark_capacity, memo_count, memo_capacity;
    size_t persids, persid_capacity, values;
    dt_error *err;
};

static inline dt_status dt_pickle_fail(struct dt_pickle_machine *m, dt_status status,
                                       const char *reason)
{
    const dt_where where = { .file = m->path };
    dt_fail(m->err, status, &where, "pickle byte %zu: %s", m->at, reason);
    return status; /* seen by the compiler to be no DT_OK, which dt_fail's result is not */
}

static inline dt_status dt_pickle_damaged(struct dt_pickle_machine *m, const char *reason)
{
    return dt_pickle_fail(m, DT_ERR_FORMAT, reason);
}

static inline dt_status dt_pickle_no_memory(struct dt_pickle_machine *m)
{
    return dt_pickle_fail(m, DT_ERR_NOMEM, "no memory");
}

/* Borrows the next `n` bytes. */
dt_status dt_pickle_bytes(struct dt_pickle_machine *m, size_t n,
                          const unsigned char **out) DT_MUST_CHECK;
/* Little endian, `n` <= 8 bytes, without sign. */
dt_status dt_pickle_number(struct dt_pickle_machine *m, size_t n, uint64_t *out) DT_MUST_CHECK;
dt_status dt_pickle_fresh(struct dt_pickle_machine *m, dt_pickle_kind kind,
                          dt_pickle_value **out) DT_MUST_CHECK;
/* Grows one of the machine's own arrays to hold `count` elements. */
dt_status dt_pickle_room(struct dt_pickle_machine *m, void **array, size_t *capacity, size_t count,
                         size_t size) DT_MUST_CHECK;
dt_status dt_pickle_push(struct dt_pickle_machine *m, dt_pickle_value *v) DT_MUST_CHECK;
dt_status dt_pickle_push_new(struct dt_pickle_machine *m, dt_pickle_kind kind) DT_MUST_CHECK;
dt_status dt_pickle_push_int(struct dt_pickle_machine *m, dt_pickle_kind kind,
                             int64_t n) DT_MUST_CHECK;
/* Values below the last mark cannot be reached. */
size_t dt_pickle_reachable(const struct dt_pickle_machine *m);
dt_status dt_pickle_pop(struct dt_pickle_machine *m, dt_pickle_value **out) DT_MUST_CHECK;
dt_status dt_pickle_top(struct dt_pickle_machine *m, dt_pickle_value **out) DT_MUST_CHECK;
dt_status dt_pickle_push_mark(struct dt_pickle_machine *m) DT_MUST_CHECK;
/* Removes the last mark and what is above it; *first stays valid until the next push. */
dt_status dt_pickle_pop_mark(struct dt_pickle_machine *m, dt_pickle_value ***first,
                             size_t *n) DT_MUST_CHECK;
dt_status dt_pickle_extend(struct dt_pickle_machine *m, dt_pickle_value *v,
                           dt_pickle_value *const *items, size_t n) DT_MUST_CHECK;
dt_status dt_pickle_text(struct dt_pickle_machine *m, dt_pickle_kind kind, size_t n,
                         dt_pickle_value **out) DT_MUST_CHECK;

#endif
