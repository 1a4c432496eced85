/* Nodes that are one operator. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_patterns.h"

#include <math.h>
#include <string.h>

enum { LEAVES = 8, PARTS = 24 };

typedef struct patterns {
    dt_ox_walk *w;
    dt_ox_map makers; /* dt_ox_node by the name of its output */
    dt_ox_node *part[PARTS];
    int parts; /* of the match under way */
} patterns;

static bool is_one(const dt_ox_node *n, const char *op)
{
    return n && !n->absorbed && strcmp(n->op, op) == 0 && !*n->domain;
}

static dt_ox_node *maker(const patterns *p, const char *name)
{
    return *name ? dt_ox_map_find(&p->makers, name) : NULL;
}

static int readers(const patterns *p, const char *name)
{
    const dt_ox_reader *r = dt_ox_map_find(&p->w->readers, name);
    return r ? r->count : 0;
}

/* An initialiser, or what a Constant gives; NULL: it is computed. */
static const dt_ox_tensor *constant(const patterns *p, const char *name)
{
    const dt_ox_tensor *t = dt_ox_map_find(&p->w->file->constants, name);
    const dt_ox_node *n = t ? NULL : maker(p, name);
    const dt_ox_attr *a = is_one(n, "Constant") ? dt_ox_attr_of(n, "value") : NULL;
    return t ? t : a ? a->tensor : NULL;
}

static bool is_number(const patterns *p, const char *name, double value)
{
    const dt_ox_tensor *t = constant(p, name);
    const dt_ox_node *n = t ? NULL : maker(p, name);
    const dt_ox_attr *a = is_one(n, "Constant") ? dt_ox_attr_of(n, "value_float") : NULL;
    bool is = a || (t && !t->whole && t->count == 1);
    return is && fabs((double)(a ? a->f : t->x[0]) - value) <= 1e-4 * fabs(value);
}

/* The node becomes part of the match; only it may be read once more than `times`. */
static bool take(patterns *p, dt_ox_node *n, int times)
{
    if (p->parts == PARTS || n->out_count != 1 || readers(p, n->out[0]) != times) return false;
    p->part[p->parts++] = n;
    return true;
}

/* The node of that operator behind a name, which only the match reads, so many times. */
static dt_ox_node *part(patterns *p, const char *name, const char *op, int inputs, int times)
{
    dt_ox_node *n = maker(p, name);
    return is_one(n, op) && n->in_count == inputs && take(p, n, times) ? n : NULL;
}

/* The operand beside a number; NULL: none is that number. */
static const char *beside(const patterns *p, const dt_ox_node *n, double number)
{
    for (int k = 0; k < 2; k++)
        if (is_number(p, n->in[k], number)) return n->in[1 - k];
    return NULL;
}

/* Factors of a product, through products that nobody else reads. False: there are too many. */
static bool factors(patterns *p, const char *name, const char **leaf, int *count)
{
    dt_ox_node *n = maker(p, name);
    if (is_one(n, "Mul") && n->in_count == 2 && readers(p, name) == 1 && take(p, n, 1))
        return factors(p, n->in[0], leaf, count) && factors(p, n->in[1], leaf, count);
    if (*count == LEAVES) return false;
    leaf[(*count)++] = name;
    return true;
}

/* Takes one factor that is a number, or a name, out of the list. */
static bool drop_number(const patterns *p, const char **leaf, int *count, double value)
{
    for (int k = 0; k < *count; k++)
        if (is_number(p, leaf[k], value)) {
            leaf[k] = leaf[--*count];
            return true;
        }
    return false;
}

static bool drop_name(const char **leaf, int *count, const char *name)
{
    for (int k = 0; k < *count; k++)
        if (strcmp(leaf[k], name) == 0) {
            leaf[k] = leaf[--*count];
            return true;
        }
    return false;
}

/* x / sqrt 2 */
static bool is_over_root(patterns *p, const char *name, const char *x)
{
    const dt_ox_node *n = maker(p, name);
    if (is_one(n, "Div"))
        return part(p, name, "Div", 2, 1) && strcmp(n->in[0], x) == 0 &&
               is_number(p, n->in[1], sqrt(2));
    n = part(p, name, "Mul", 2, 1);
    const char *of = n ? beside(p, n, sqrt(0.5)) : NULL;
    return of && strcmp(of, x) == 0;
}

/* x^3 of the factors that are left */
static bool is_cube(patterns *p, const char **leaf, int count, const char *x)
{
    if (count == 1) {
        const dt_ox_node *n = part(p, leaf[0], "Pow", 2, 1);
        return n && strcmp(n->in[0], x) == 0 && is_number(p, n->in[1], 3);
    }
    for (int k = 0; k < 3; k++)
        if (!drop_name(leaf, &count, x)) return false;
    return count == 0;
}

/* sqrt(2/pi) (x + 0.044715 x^3) */
static bool is_bent(patterns *p, const char *name, const char *x)
{
    const char *leaf[LEAVES], *cube[LEAVES];
    int count = 0, cubes = 0;
    if (!factors(p, name, leaf, &count) || !drop_number(p, leaf, &count, 0.7978845608) ||
        count != 1)
        return false;
    const dt_ox_node *sum = part(p, leaf[0], "Add", 2, 1);
    if (!sum) return false;
    int k = strcmp(sum->in[0], x) == 0 ? 1 : 0;
    return strcmp(sum->in[1 - k], x) == 0 && factors(p, sum->in[k], cube, &cubes) &&
           drop_number(p, cube, &cubes, 0.044715) && is_cube(p, cube, cubes, x);
}

/* 1 + erf(x / sqrt 2), or 1 + tanh(...). */
static bool is_gate(patterns *p, const char *name, const char *x, bool *by_tanh)
{
    const dt_ox_node *sum = part(p, name, "Add", 2, 1);
    const char *of = sum ? beside(p, sum, 1) : NULL;
    if (!of) return false;
    *by_tanh = is_one(maker(p, of), "Tanh");
    const dt_ox_node *n = part(p, of, *by_tanh ? "Tanh" : "Erf", 1, 1);
    return n && (*by_tanh ? is_bent(p, n->in[0], x) : is_over_root(p, n->in[0], x));
}

/* ---- what it becomes ---- */

static dt_status become(patterns *p, dt_ox_node *n, const char *op, const char *const *in,
                        int in_count, const dt_ox_attr *attr, int attr_count)
{
    dt_arena *arena = p->w->file->arena;
    const char **names = dt_arena_get(arena, (size_t)in_count * sizeof *names);
    dt_ox_attr *copy = dt_arena_get(arena, (size_t)attr_count * sizeof *copy);
    if (!names || !copy) return dt_ox_no_memory(p->w);
    memcpy(names, in, (size_t)in_count * sizeof *names);
    memcpy(copy, attr, (size_t)attr_count * sizeof *copy);
    for (int i = 0; i < p->parts; i++)
        if (p->part[i] != n) p->part[i]->absorbed = true;
    n->op = op;
    n->in = names;
    n->in_count = in_count;
    n->attr = copy;
    n->attr_count = attr_count;
    return DT_OK;
}

/* 0.5 x (1 + erf(x / sqrt 2)) in any order, which ends at this product. */
static dt_status try_gelu(patterns *p, dt_ox_node *n)
{
    const char *leaf[LEAVES];
    int count = 0;
    p->parts = 0;
    if (!is_one(n, "Mul") || n->in_count != 2 || n->out_count != 1) return DT_OK;
    if (!factors(p, n->in[0], leaf, &count) || !factors(p, n->in[1], leaf, &count)) return DT_OK;
    if (!drop_number(p, leaf, &count, 0.5) || count != 2) return DT_OK;
    for (int k = 0, parts = p->parts; k < 2; k++) {
        bool by_tanh;
        p->parts = parts;
        if (!is_gate(p, leaf[k], leaf[1 - k], &by_tanh)) continue;
        const dt_ox_attr how = { .name = "approximate", .text = by_tanh ? "tanh" : "none" };
        return become(p, n, "Gelu", (const char *[]){ leaf[1 - k] }, 1, &how, 1);
    }
    return DT_OK;
}

/* The one axis of a mean that keeps its dimension; false: it is another. */
static bool mean_axis(const patterns *p, const dt_ox_node *n, int64_t *out)
{
    const dt_ox_attr *a = dt_ox_attr_of(n, "axes");
    const dt_ox_tensor *t = n->in_count > 1 ? constant(p, n->in[1]) : NULL;
    if (dt_ox_int(n, "keepdims", 1) != 1) return false;
    if (a && a->int_count == 1) *out = a->ints[0];
    if (!a && t && t->whole && t->count == 1) *out = t->n[0];
    return (a && a->int_count == 1) || (!a && t && t->whole && t->count == 1);
}

static dt_ox_node *mean_part(patterns *p, const char *name, int64_t *out_axis)
{
    dt_ox_node *n = maker(p, name);
    bool is =
        is_one(n, "ReduceMean") && n->in_count > 0 && mean_axis(p, n, out_axis) && take(p, n, 1);
    return is ? n : NULL;
}

/* (x - mean)^2, of what `centered` is; how often that is read by it. */
static bool is_square(patterns *p, const char *name, const char *centered, int *out_reads)
{
    const dt_ox_node *n = maker(p, name);
    *out_reads = is_one(n, "Pow") ? 1 : 2;
    if (is_one(n, "Pow"))
        return part(p, name, "Pow", 2, 1) && strcmp(n->in[0], centered) == 0 &&
               is_number(p, n->in[1], 2);
    return part(p, name, "Mul", 2, 1) && strcmp(n->in[0], centered) == 0 &&
           strcmp(n->in[1], centered) == 0;
}

/* The constant that only an `op` behind combines with what n gives; NULL: there is none. `n` is
 * that node then. */
static const char *constant_behind(patterns *p, dt_ox_node **n, const char *op)
{
    const dt_ox_reader *r = dt_ox_map_find(&p->w->readers, (*n)->out[0]);
    const dt_ox_node *reader = r && r->count == 1 ? r->node : NULL;
    if (!is_one(reader, op) || reader->in_count != 2 || reader->out_count != 1) return NULL;
    int k = strcmp(reader->in[0], (*n)->out[0]) == 0 ? 1 : 0;
    const dt_ox_tensor *t = constant(p, reader->in[k]);
    dt_ox_node *next = maker(p, reader->out[0]);
    if (!t || t->whole || t->count < 2 || !next || !take(p, *n, 1)) return NULL;
    *n = next;
    return reader->in[k];
}

/* (x - mean) / sqrt(var + eps), from this division on. */
static dt_status try_layernorm(patterns *p, dt_ox_node *n)
{
    int64_t axis, other;
    int reads;
    p->parts = 0;
    if (!is_one(n, "Div") || n->in_count != 2 || n->out_count != 1) return DT_OK;
    dt_ox_node *centered = maker(p, n->in[0]);
    const dt_ox_node *root = part(p, n->in[1], "Sqrt", 1, 1);
    const dt_ox_node *sum = root ? part(p, root->in[0], "Add", 2, 1) : NULL;
    if (!sum || !is_one(centered, "Sub") || centered->in_count != 2) return DT_OK;
    int k = constant(p, sum->in[0]) ? 0 : 1;
    const dt_ox_tensor *eps = constant(p, sum->in[k]);
    const dt_ox_node *var = mean_part(p, sum->in[1 - k], &axis);
    if (!eps || eps->whole || eps->count != 1 || !var) return DT_OK;
    if (!is_square(p, var->in[0], n->in[0], &reads)) return DT_OK;
    const dt_ox_node *mean = mean_part(p, centered->in[1], &other);
    if (!mean || other != axis || strcmp(mean->in[0], centered->in[0]) != 0) return DT_OK;
    if (!take(p, centered, 1 + reads)) return DT_OK;
    const dt_ox_attr how[] = { { .name = "axis", .i = axis },
                               { .name = "one_axis", .i = 1 },
                               { .name = "epsilon", .f = eps->x[0] } };
    const char *gamma = constant_behind(p, &n, "Mul");
    const char *beta = gamma ? constant_behind(p, &n, "Add") : NULL;
    const char *in[] = { centered->in[0], gamma ? gamma : "", beta ? beta : "" };
    return become(p, n, "LayerNormalization", in, beta ? 3 : gamma ? 2 : 1, how, 3);
}

static bool is_filled(const patterns *p, const char *name, float value)
{
    const dt_ox_tensor *t = constant(p, name);
    bool all = t && !t->whole && t->count > 0;
    for (int64_t i = 0; all && i < t->count; i++)
        all = t->x[i] == value;
    return all;
}

/* Reshape to [N,G,...], InstanceNormalization by 1 and 0, Reshape back, times and plus constants of
 * channels: what PyTorch writes for a group norm. Elements keep their order through both. */
static dt_status try_groupnorm(patterns *p, dt_ox_node *n)
{
    p->parts = 0;
    if (!is_one(n, "InstanceNormalization") || n->in_count != 3 || n->out_count != 1) return DT_OK;
    const dt_ox_tensor *scale = constant(p, n->in[1]);
    const dt_ox_node *to = part(p, n->in[0], "Reshape", 2, 1);
    const dt_ox_reader *r = dt_ox_map_find(&p->w->readers, n->out[0]);
    const dt_ox_node *back = r && r->count == 1 ? r->node : NULL;
    if (!to || !is_one(back, "Reshape") || back->out_count != 1 || !is_filled(p, n->in[1], 1) ||
        !is_filled(p, n->in[2], 0) || !take(p, n, 1))
        return DT_OK;
    dt_ox_node *last = maker(p, back->out[0]);
    const char *gamma = last ? constant_behind(p, &last, "Mul") : NULL;
    const char *beta = gamma ? constant_behind(p, &last, "Add") : NULL;
    if (!beta) return DT_OK;
    const dt_ox_attr how[] = { { .name = "num_groups", .i = scale->count },
                               { .name = "epsilon", .f = dt_ox_float(n, "epsilon", 1e-5f) } };
    return become(p, last, "GroupNormalization", (const char *[]){ to->in[0], gamma, beta }, 3, how,
                  2);
}

dt_status dt_ox_find_patterns(dt_ox_walk *w)
{
    patterns p = { .w = w, .makers = { .arena = w->file->arena } };
    for (int i = 0; i < w->file->node_count; i++)
        for (int k = 0; k < w->file->node[i].out_count; k++)
            if (*w->file->node[i].out[k])
                DT_TRY(
                    dt_ox_map_set(&p.makers, w->file->node[i].out[k], &w->file->node[i], w->err));
    for (int i = 0; i < w->file->node_count; i++) {
        DT_TRY(try_gelu(&p, &w->file->node[i]));
        DT_TRY(try_layernorm(&p, &w->file->node[i]));
        DT_TRY(try_groupnorm(&p, &w->file->node[i]));
    }
    return DT_OK;
}
