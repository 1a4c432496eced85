/* The C form of an operation: its functions in C99, its numbers, its call. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_C99_C_CELL_H
#define DT_EXCHANGE_C99_C_CELL_H

#include "exchange/c99/c_text.h"
#include "integer/form.h"

/* Functions of the shared arithmetic that a form's text calls. */
typedef enum dt_c_uses {
    DT_C_CLAMP = 1,
    DT_C_SHIFT_EVEN = 2,
    DT_C_SHIFT_DOWN = 4,
    DT_C_REQUANT = 8, /* of the contract, with the shift that it wants */
} dt_c_uses;

enum { DT_C_PLACE = 32 };

typedef struct dt_c_cell {
    const char *(*text)(const dt_contract *c);
    unsigned (*uses)(const dt_contract *c); /* NULL: nothing */
    bool in_place;                          /* the output may lie where an input was */
    size_t (*work)(const dt_int_node *n);   /* bytes that only a step needs; NULL: 0 */
    /* What is made of a node once, dt_c_program.packed of it. NULL: nothing is. */
    dt_status (*pack)(const dt_int_node *n, dt_arena *arena, void **out, dt_error *err);
    /* Adds the bytes of a step; `first`: no step before it has the same sums. NULL: nothing. */
    void (*sizes)(const dt_c_program *p, const dt_c_step *s, bool first, dt_c_sizes *out);
    /* Arrays and structs "..._<step>". */
    void (*numbers)(dt_c_text *t, int step);
    /* `x`: where the inputs lie, `y`: the output; texts of expressions. */
    void (*call)(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y);
    /* The node in a comment; NULL: the form's name. */
    void (*what)(const dt_int_node *n, char out[96]);
} dt_c_cell;

/* The form that writes a step: of its sums, or of its node. */
static inline const dt_form *dt_c_form(const dt_c_step *s)
{
    return s->sums ? s->sums->form : s->node->form;
}

/* What was made of a node. */
static inline const void *dt_c_packed(const dt_c_program *p, const dt_int_node *n)
{
    return p->packed[n - p->plan->model->node];
}

/* Does no step before this one have its sums? */
bool dt_c_is_first(const dt_c_plan *p, int step);
/* ".out_zero = ..., .out_low = ..., .out_high = ...,\n};\n" */
void dt_c_say_grid(dt_c_text *t, const dt_lower_grid *g);
int64_t dt_c_at_s8(const void *data, int64_t i);
int64_t dt_c_at_s32(const void *data, int64_t i);
/* `uses` of what is requantised. */
unsigned dt_c_uses_requant(const dt_contract *c);

#endif
