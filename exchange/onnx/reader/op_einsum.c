/* Einsum of two values: transposed and joined so that it is a MatMul, split and transposed again.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "exchange/onnx/reader/onnx_steps.h"

/* Labels of the operands and of the result: one letter a dimension. */
typedef struct equation {
    char in[2][DT_OX_RANK + 1], out[DT_OX_RANK + 1];
} equation;

/* Labels up to an end, each once. False: there are others, or too many. */
static bool read_labels(const char **text, const char *end, char *out)
{
    int n = 0;
    for (; **text && !strchr(end, **text); (*text)++) {
        if (**text == ' ') continue;
        if (!isalpha((unsigned char)**text) || n == DT_OX_RANK || memchr(out, **text, (size_t)n))
            return false;
        out[n++] = **text;
    }
    out[n] = '\0';
    return true;
}

static bool read_equation(const char *text, equation *e)
{
    if (!read_labels(&text, ",", e->in[0]) || *text++ != ',') return false;
    if (!read_labels(&text, "-,", e->in[1]) || text[0] != '-' || text[1] != '>') return false;
    text += 2;
    if (!read_labels(&text, "", e->out)) return false;
    for (const char *p = e->out; *p; p++)
        if (!strchr(e->in[0], *p) && !strchr(e->in[1], *p)) return false;
    for (int k = 0; k < 2; k++) /* nothing is summed within one operand */
        for (const char *p = e->in[k]; *p; p++)
            if (!strchr(e->in[1 - k], *p) && !strchr(e->out, *p)) return false;
    return true;
}

/* Labels by what they are: of both and of the result; of one; summed. */
typedef struct groups {
    char batch[DT_OX_RANK + 1], own[2][DT_OX_RANK + 1], sum[DT_OX_RANK + 1];
} groups;

static void push(char *list, char label)
{
    size_t n = strlen(list);
    list[n] = label;
    list[n + 1] = '\0';
}

static groups groups_of(const equation *e)
{
    groups g;
    memset(&g, 0, sizeof g);
    for (const char *p = e->out; *p; p++) {
        bool a = strchr(e->in[0], *p), b = strchr(e->in[1], *p);
        push(a && b ? g.batch : a ? g.own[0] : g.own[1], *p);
    }
    for (const char *p = e->in[0]; *p; p++)
        if (!strchr(e->out, *p)) push(g.sum, *p);
    return g;
}

/* Its dimension of a label, by the operand that has it. */
static int64_t size_of(const dt_ox_walk *w, const equation *e, char label)
{
    for (int k = 0; k < 2; k++) {
        const char *at = strchr(e->in[k], label);
        if (at) return dt_ox_input(w, k)->dim[at - e->in[k]];
    }
    return 1;
}

/* A list of dimensions: the batch's, then what each of two groups is together. */
static int dims_of(const dt_ox_walk *w, const equation *e, const char *batch, const char *rows,
                   const char *columns, int64_t *dim)
{
    int n = 0;
    for (; *batch; batch++)
        dim[n++] = size_of(w, e, *batch);
    dim[n] = dim[n + 1] = 1;
    for (; *rows; rows++)
        dim[n] *= size_of(w, e, *rows);
    for (; *columns; columns++)
        dim[n + 1] *= size_of(w, e, *columns);
    return n + 2;
}

/* `to` of a value whose dimensions are `from`: a Transpose. */
static dt_status turn(dt_ox_walk *w, const char *from, const char *to, const char *in,
                      const char *out)
{
    int64_t perm[DT_OX_RANK];
    int n = (int)strlen(to);
    for (int i = 0; i < n; i++)
        perm[i] = strchr(from, to[i]) - from;
    const dt_ox_attr attr = dt_ox_attr_ints("perm", perm, n);
    return dt_ox_step(w, "Transpose", (const char *[]){ in, NULL }, out, &attr, 1);
}

static dt_status reshape(dt_ox_walk *w, const char *in, int rank, const int64_t *dim,
                         const char *shape, const char *out)
{
    DT_TRY(dt_ox_between_list(w, shape, rank, dim));
    return dt_ox_step(w, "Reshape", (const char *[]){ in, shape, NULL }, out, NULL, 0);
}

/* Operand k as a stack of matrices. */
static dt_status operand(dt_ox_walk *w, const equation *e, const groups *g, int k, const char **out)
{
    char order[3 * DT_OX_RANK + 1];
    const char *rows = k ? g->sum : g->own[0], *columns = k ? g->own[1] : g->sum;
    int64_t dim[DT_OX_RANK + 2];
    const char *turned = dt_ox_between(w, k ? "b" : "a");
    const char *shape = dt_ox_between(w, k ? "b_shape" : "a_shape");
    *out = dt_ox_between(w, k ? "right" : "left");
    if (!turned || !shape || !*out) return dt_ox_no_memory(w);
    strcpy(order, g->batch);
    strcat(order, rows);
    strcat(order, columns);
    DT_TRY(turn(w, e->in[k], order, w->node->in[k], turned));
    int rank = dims_of(w, e, g->batch, rows, columns, dim);
    return reshape(w, turned, rank, dim, shape, *out);
}

static dt_status build(dt_ox_walk *w)
{
    const char *text = dt_ox_text(w->node, "equation", "");
    const char *a, *b, *product = dt_ox_between(w, "product"), *split = dt_ox_between(w, "split");
    const char *shape = dt_ox_between(w, "shape");
    equation e;
    char order[3 * DT_OX_RANK + 1];
    int64_t dim[DT_OX_RANK + 2];
    if (!product || !split || !shape) return dt_ox_no_memory(w);
    if (w->node->in_count != 2 || !read_equation(text, &e))
        return dt_ox_refuse(w,
                            "'%.60s' is not read; two operands whose dimensions are in both, or in "
                            "one and the result, are",
                            text);
    for (int k = 0; k < 2; k++) {
        const dt_ox_value *v = dt_ox_input(w, k);
        bool fits = (int)strlen(e.in[k]) == v->rank && strlen(e.out) + 2 <= DT_OX_RANK;
        for (int i = 0; fits && i < v->rank; i++)
            fits = v->dim[i] == size_of(w, &e, e.in[k][i]);
        if (!fits) return dt_ox_refuse(w, "'%.60s' does not fit operand %d", text, k);
    }
    groups g = groups_of(&e);
    DT_TRY(operand(w, &e, &g, 0, &a));
    DT_TRY(operand(w, &e, &g, 1, &b));
    DT_TRY(dt_ox_step(w, "MatMul", (const char *[]){ a, b, NULL }, product, NULL, 0));
    strcpy(order, g.batch);
    strcat(order, g.own[0]);
    strcat(order, g.own[1]);
    int rank = (int)strlen(order);
    for (int i = 0; i < rank; i++)
        dim[i] = size_of(w, &e, order[i]);
    DT_TRY(reshape(w, product, rank, dim, shape, split));
    return turn(w, order, e.out, split, w->node->out[0]);
}

const dt_ox_op dt_ox_op_Einsum = { .name = "Einsum", .in_min = 2, .in_max = 2, .build = build };
