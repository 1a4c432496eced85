/* Functions of one input as ONNX operators, and tables of codes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/opt.h"
#include "exchange/onnx/onnx_walker.h"

const char *dt_onnx_gather(dt_onnx *m, const char *prefix, const char *x, const uint8_t *table,
                           int64_t tables, bool flat)
{
    const char *rows = dt_onnx_text(m, "%s.table", prefix);
    const char *index = dt_onnx_text(m, "%s/Cast", prefix);
    const char *out = dt_onnx_text(m, "%s/Gather", prefix);
    const dt_onnx_attr to[] = { { .name = "to", .i = DT_ONNX_S32 }, { .name = NULL } };
    const dt_shape all = DT_SHAPE(tables * DT_CODES);
    dt_onnx_constant(m, rows, DT_ONNX_U8, &all, table);
    dt_onnx_node(m, "Cast", (const char *[]){ x, NULL }, index, to);
    if (tables > 1) {
        const dt_shape each = flat ? DT_SHAPE(tables) : DT_SHAPE(1, tables, 1, 1);
        const char *first = dt_onnx_text(m, "%s.first", prefix), *at = index;
        int32_t *begin = dt_arena_get(dt_onnx_arena(m), (size_t)tables * sizeof *begin);
        for (int64_t c = 0; begin && c < tables; c++)
            begin[c] = (int32_t)(c * DT_CODES);
        if (begin) dt_onnx_constant(m, first, DT_ONNX_S32, &each, begin);
        index = dt_onnx_text(m, "%s/Index", prefix);
        dt_onnx_node(m, "Add", (const char *[]){ at, first, NULL }, index, NULL);
    }
    dt_onnx_node(m, "Gather", (const char *[]){ rows, index, NULL }, out, NULL);
    return out;
}

enum { DEPTH = 4, WORD = 48, ATTRS = 3 };

typedef struct program {
    dt_onnx *m;
    const char *prefix, *x, *out;
    const dt_op *op;
    const void *conf;
    const char *stack[DEPTH];
    int depth, made;
} program;

/* How many inputs an operator takes. */
static int inputs_of(const char *op)
{
    static const char *const two[] = { "Add", "Sub", "Mul", "Div", "Pow", "Min", "Max" };
    for (size_t i = 0; i < DT_ARRAY_LEN(two); i++)
        if (strcmp(op, two[i]) == 0) return 2;
    return strcmp(op, "Clip") == 0 ? 3 : 1;
}

static bool option(const program *p, const char *key, float *out)
{
    const dt_opt *o = p->op->opts ? dt_opt_find(p->op->opts, key) : NULL;
    if (!o || o->type != DT_OPT_TYPE_FLOAT) return false;
    double value;
    memcpy(&value, (const char *)p->conf + o->offset, sizeof value);
    *out = (float)value;
    return true;
}

static bool push(program *p, const char *name)
{
    if (p->depth == DEPTH) return false;
    p->stack[p->depth++] = name;
    return true;
}

static bool push_number(program *p, float value)
{
    const char *name = dt_onnx_text(p->m, "%s.%d", p->prefix, p->made++);
    dt_onnx_constant(p->m, name, DT_ONNX_FLOAT, &dt_onnx_scalar, &value);
    return push(p, name);
}

/* "Name:option,option" */
static bool apply(program *p, char *word, bool last)
{
    dt_onnx_attr attr[ATTRS + 1] = { { .name = NULL } };
    char *keys = strchr(word, ':'), *save = NULL;
    if (keys) *keys++ = '\0';
    int count = 0, takes = inputs_of(word);
    for (char *k = keys ? strtok_r(keys, ",", &save) : NULL; k; k = strtok_r(NULL, ",", &save)) {
        if (count == ATTRS || !option(p, k, &attr[count].f)) return false;
        attr[count].is_float = true;
        attr[count++].name = dt_onnx_text(p->m, "%s", k);
        attr[count].name = NULL;
    }
    if (p->depth < takes) return false;
    const char *in[4] = { NULL };
    p->depth -= takes;
    for (int i = 0; i < takes; i++)
        in[i] = p->stack[p->depth + i];
    const char *out = last ? p->out : dt_onnx_text(p->m, "%s/%s%d", p->prefix, word, p->made++);
    dt_onnx_node(p->m, word, in, out, count ? attr : NULL);
    return push(p, out);
}

static bool run_word(program *p, char *word, bool last)
{
    float number;
    if (strcmp(word, "x") == 0) return push(p, p->x);
    if (isupper((unsigned char)*word)) return apply(p, word, last);
    if (islower((unsigned char)*word)) return option(p, word, &number) && push_number(p, number);
    return push_number(p, strtof(word, NULL));
}

const char *dt_onnx_function(dt_onnx *m, const char *prefix, const dt_op *op, const void *conf,
                             const char *x, const char *out)
{
    program p = { .m = m, .prefix = prefix, .x = x, .out = out, .op = op, .conf = conf };
    for (const char *at = op->onnx_of ? op->onnx_of(conf) : op->onnx; at && *at;) {
        char word[WORD];
        size_t n = strcspn(at, " ");
        if (n >= WORD) return NULL;
        memcpy(word, at, n);
        word[n] = '\0';
        at += n + (at[n] == ' ');
        if (!run_word(&p, word, !*at)) return NULL;
    }
    return p.depth == 1 && p.stack[0] == out ? out : NULL;
}
