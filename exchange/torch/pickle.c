/* Pickle machine: a stack, marks and a memo. Protocol: the opcodes' documentation in Python's
 * pickletools. Whatever would run code in Python (GLOBAL, REDUCE, NEWOBJ, BUILD) makes a node or is
 * dropped; only an OrderedDict is understood, as the dictionary that it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/torch/pickle_machine.h"

#include <string.h>

static dt_status push_text(struct dt_pickle_machine *m, size_t length_bytes)
{
    uint64_t n;
    dt_pickle_value *v;
    DT_TRY(dt_pickle_number(m, length_bytes, &n));
    DT_TRY(dt_pickle_text(m, DT_PICKLE_STR, (size_t)n, &v));
    return dt_pickle_push(m, v);
}

static dt_status push_long(struct dt_pickle_machine *m)
{
    uint64_t n, v = 0;
    DT_TRY(dt_pickle_number(m, 1, &n));
    if (n > 8) {
        dt_pickle_value *big;
        DT_TRY(dt_pickle_text(m, DT_PICKLE_BIGINT, (size_t)n, &big));
        return dt_pickle_push(m, big);
    }
    DT_TRY(dt_pickle_number(m, (size_t)n, &v));
    if (n > 0 && n < 8 && v >> (8 * n - 1)) v |= UINT64_MAX << (8 * n);
    return dt_pickle_push_int(m, DT_PICKLE_INT, (int64_t)v);
}

static dt_status push_float(struct dt_pickle_machine *m)
{
    const unsigned char *p;
    dt_pickle_value *v;
    DT_TRY(dt_pickle_bytes(m, 8, &p)); /* big endian, unlike everything else */
    uint64_t bits = 0;
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | p[i];
    DT_TRY(dt_pickle_fresh(m, DT_PICKLE_FLOAT, &v));
    memcpy(&v->number, &bits, sizeof bits);
    return dt_pickle_push(m, v);
}

static dt_status line(struct dt_pickle_machine *m, const char **out, size_t *n)
{
    const unsigned char *start = m->data + m->at;
    const unsigned char *end = memchr(start, '\n', m->size - m->at);
    if (!end) return dt_pickle_damaged(m, "the file ends inside a pickle");
    *n = (size_t)(end - start);
    if (*n == 0 || *n > 256 || memchr(start, '\0', *n))
        return dt_pickle_damaged(m, "a global has a bad name");
    *out = (const char *)start;
    m->at += *n + 1;
    return DT_OK;
}

static dt_status name_global(struct dt_pickle_machine *m, const char *module, size_t nm,
                             const char *name, size_t nn)
{
    dt_pickle_value *v;
    DT_TRY(dt_pickle_fresh(m, DT_PICKLE_GLOBAL, &v));
    v->text = dt_arena_printf(m->arena, "%.*s %.*s", (int)nm, module, (int)nn, name);
    if (!v->text) return dt_pickle_no_memory(m);
    v->size = strlen(v->text);
    return dt_pickle_push(m, v);
}

static dt_status push_global(struct dt_pickle_machine *m)
{
    const char *module, *name;
    size_t nm, nn;
    DT_TRY(line(m, &module, &nm));
    DT_TRY(line(m, &name, &nn));
    return name_global(m, module, nm, name, nn);
}

static dt_status push_stack_global(struct dt_pickle_machine *m)
{
    dt_pickle_value *module, *name;
    DT_TRY(dt_pickle_pop(m, &name));
    DT_TRY(dt_pickle_pop(m, &module));
    if (module->kind != DT_PICKLE_STR || name->kind != DT_PICKLE_STR || module->size > 256 ||
        name->size > 256)
        return dt_pickle_damaged(m, "a global has a bad name");
    return name_global(m, module->text, strlen(module->text), name->text, strlen(name->text));
}

static dt_status push_tuple(struct dt_pickle_machine *m, dt_pickle_value *const *items, size_t n)
{
    dt_pickle_value *v;
    DT_TRY(dt_pickle_fresh(m, DT_PICKLE_TUPLE, &v));
    DT_TRY(dt_pickle_extend(m, v, items, n));
    return dt_pickle_push(m, v);
}

static dt_status small_tuple(struct dt_pickle_machine *m, size_t n)
{
    if (dt_pickle_reachable(m) < n) return dt_pickle_damaged(m, "the stack is empty");
    m->depth -= n;
    return push_tuple(m, m->stack + m->depth, n);
}

static dt_status marked_tuple(struct dt_pickle_machine *m)
{
    dt_pickle_value **items;
    size_t n;
    DT_TRY(dt_pickle_pop_mark(m, &items, &n));
    return push_tuple(m, items, n);
}

/* Adds the `n` popped items to the collection on top; those of an opaque object are dropped. */
static dt_status add_items(struct dt_pickle_machine *m, bool pairs, dt_pickle_value *const *items,
                           size_t n)
{
    dt_pickle_value *v;
    DT_TRY(dt_pickle_top(m, &v));
    if (v->kind == DT_PICKLE_CALL) return DT_OK;
    bool fits = pairs ? v->kind == DT_PICKLE_DICT && n % 2 == 0
                      : v->kind == DT_PICKLE_LIST || v->kind == DT_PICKLE_SET;
    if (!fits) return dt_pickle_damaged(m, "items for something that is no collection");
    return dt_pickle_extend(m, v, items, n);
}

static dt_status add_marked(struct dt_pickle_machine *m, bool pairs)
{
    dt_pickle_value **items;
    size_t n;
    DT_TRY(dt_pickle_pop_mark(m, &items, &n));
    return add_items(m, pairs, items, n);
}

static dt_status add_few(struct dt_pickle_machine *m, bool pairs)
{
    size_t n = pairs ? 2 : 1;
    if (dt_pickle_reachable(m) <= n) return dt_pickle_damaged(m, "the stack is empty");
    m->depth -= n;
    return add_items(m, pairs, m->stack + m->depth, n);
}

/* OrderedDict() and, from Python 2, OrderedDict([[key, value], ...]). */
static dt_status ordered_dict(struct dt_pickle_machine *m, const dt_pickle_value *args,
                              dt_pickle_value **out)
{
    dt_pickle_value *dict;
    DT_TRY(dt_pickle_fresh(m, DT_PICKLE_DICT, &dict));
    const dt_pickle_value *list = args->count ? args->item[0] : NULL;
    /* A short pickle could call this on one long list again and again: the copies count. */
    if (list && list->count > DT_PICKLE_MAX_VALUES - m->values)
        return dt_pickle_damaged(m, "too many values");
    m->values += list ? list->count : 0;
    for (size_t i = 0; list && i < list->count; i++) {
        const dt_pickle_value *pair = list->item[i];
        bool is_pair = pair->kind == DT_PICKLE_LIST || pair->kind == DT_PICKLE_TUPLE;
        if (list->kind != DT_PICKLE_LIST || !is_pair || pair->count != 2)
            return dt_pickle_damaged(m, "an OrderedDict of something that is no pair");
        DT_TRY(dt_pickle_extend(m, dict, pair->item, 2));
    }
    *out = dict;
    return DT_OK;
}

static dt_status call(struct dt_pickle_machine *m)
{
    dt_pickle_value *args, *callee, *v;
    DT_TRY(dt_pickle_pop(m, &args));
    DT_TRY(dt_pickle_pop(m, &callee));
    if (args->kind != DT_PICKLE_TUPLE) return dt_pickle_damaged(m, "arguments that are no tuple");
    if (dt_pickle_is(callee, DT_PICKLE_GLOBAL, "collections OrderedDict")) {
        DT_TRY(ordered_dict(m, args, &v));
    } else {
        dt_pickle_value *const both[] = { callee, args };
        DT_TRY(dt_pickle_fresh(m, DT_PICKLE_CALL, &v));
        DT_TRY(dt_pickle_extend(m, v, both, 2));
    }
    return dt_pickle_push(m, v);
}

/* State that Python would set on an object: dropped (an OrderedDict's `_metadata`, say). */
static dt_status build(struct dt_pickle_machine *m)
{
    dt_pickle_value *ignored;
    DT_TRY(dt_pickle_pop(m, &ignored));
    return dt_pickle_top(m, &ignored);
}

static dt_status persistent(struct dt_pickle_machine *m)
{
    dt_pickle_value *id, *v;
    DT_TRY(dt_pickle_pop(m, &id));
    DT_TRY(dt_pickle_fresh(m, DT_PICKLE_PERSID, &v));
    DT_TRY(dt_pickle_extend(m, v, &id, 1));
    void *persid = m->persid;
    DT_TRY(dt_pickle_room(m, &persid, &m->persid_capacity, m->persids + 1, sizeof *m->persid));
    m->persid = persid;
    m->persid[m->persids++] = v;
    return dt_pickle_push(m, v);
}

static dt_status memo_put(struct dt_pickle_machine *m, uint64_t index)
{
    dt_pickle_value *v;
    DT_TRY(dt_pickle_top(m, &v));
    if (index >= DT_PICKLE_MAX_VALUES) return dt_pickle_damaged(m, "stack or memo too deep");
    void *memo = m->memo;
    DT_TRY(dt_pickle_room(m, &memo, &m->memo_capacity, (size_t)index + 1, sizeof *m->memo));
    m->memo = memo;
    if (!m->memo[index]) m->memo_count++;
    m->memo[index] = v;
    return DT_OK;
}

static dt_status memo_get(struct dt_pickle_machine *m, size_t length)
{
    uint64_t index;
    DT_TRY(dt_pickle_number(m, length, &index));
    if (index >= m->memo_capacity || !m->memo[index])
        return dt_pickle_damaged(m, "the memo has no such entry");
    return dt_pickle_push(m, m->memo[index]);
}

static dt_status memo_put_at(struct dt_pickle_machine *m, size_t length)
{
    uint64_t index;
    DT_TRY(dt_pickle_number(m, length, &index));
    return memo_put(m, index);
}

static dt_status push_unsigned(struct dt_pickle_machine *m, size_t length)
{
    uint64_t n;
    DT_TRY(dt_pickle_number(m, length, &n));
    return dt_pickle_push_int(m, DT_PICKLE_INT, (int64_t)n);
}

static dt_status push_signed32(struct dt_pickle_machine *m)
{
    uint64_t n;
    DT_TRY(dt_pickle_number(m, 4, &n));
    return dt_pickle_push_int(m, DT_PICKLE_INT,
                              n < 0x80000000u ? (int64_t)n : (int64_t)n - 0x100000000);
}

/* Reads and drops: the protocol number, a frame's length. */
static dt_status skip(struct dt_pickle_machine *m, size_t n)
{
    const unsigned char *ignored;
    return dt_pickle_bytes(m, n, &ignored);
}

static dt_status unknown(struct dt_pickle_machine *m, unsigned char op)
{
    const dt_where where = { .file = m->path };
    return dt_fail(m->err, DT_ERR_UNSUPPORTED, &where,
                   "pickle byte %zu: opcode 0x%02x is none that a tensor file needs", m->at - 1,
                   op);
}

static dt_status step(struct dt_pickle_machine *m, unsigned char op)
{
    switch (op) {
    case 0x80:
        return skip(m, 1); /* PROTO */
    case 0x95:
        return skip(m, 8); /* FRAME */
    case '(':
        return dt_pickle_push_mark(m);
    case 'N':
        return dt_pickle_push_new(m, DT_PICKLE_NONE);
    case 0x88:
        return dt_pickle_push_int(m, DT_PICKLE_BOOL, 1);
    case 0x89:
        return dt_pickle_push_int(m, DT_PICKLE_BOOL, 0);
    case 'J':
        return push_signed32(m);
    case 'K':
        return push_unsigned(m, 1);
    case 'M':
        return push_unsigned(m, 2);
    case 0x8a:
        return push_long(m); /* LONG1 */
    case 'G':
        return push_float(m);
    case 'X':
        return push_text(m, 4); /* BINUNICODE */
    case 'U':                   /* SHORT_BINSTRING */
    case 0x8c:
        return push_text(m, 1); /* SHORT_BINUNICODE */
    case ']':
        return dt_pickle_push_new(m, DT_PICKLE_LIST);
    case ')':
        return dt_pickle_push_new(m, DT_PICKLE_TUPLE);
    case '}':
        return dt_pickle_push_new(m, DT_PICKLE_DICT);
    case 0x8f:
        return dt_pickle_push_new(m, DT_PICKLE_SET);
    case 't':
        return marked_tuple(m);
    case 0x85:
        return small_tuple(m, 1);
    case 0x86:
        return small_tuple(m, 2);
    case 0x87:
        return small_tuple(m, 3);
    case 'a':
        return add_few(m, false);
    case 's':
        return add_few(m, true);
    case 0x90: /* ADDITEMS */
    case 'e':
        return add_marked(m, false);
    case 'u':
        return add_marked(m, true);
    case 'q':
        return memo_put_at(m, 1);
    case 'r':
        return memo_put_at(m, 4);
    case 0x94:
        return memo_put(m, m->memo_count); /* MEMOIZE */
    case 'h':
        return memo_get(m, 1);
    case 'j':
        return memo_get(m, 4);
    case 'c':
        return push_global(m);
    case 0x93:
        return push_stack_global(m);
    case 'R': /* REDUCE */
    case 0x81:
        return call(m); /* NEWOBJ */
    case 'b':
        return build(m);
    case 'Q':
        return persistent(m);
    default:
        return unknown(m, op);
    }
}

static dt_status run(struct dt_pickle_machine *m, dt_pickle *out)
{
    void *stack = NULL; /* there from the start: marks may point to its first place */
    DT_TRY(dt_pickle_room(m, &stack, &m->stack_capacity, 64, sizeof *m->stack));
    m->stack = stack;
    for (;;) {
        uint64_t op;
        DT_TRY(dt_pickle_number(m, 1, &op));
        if (op == '.') break;
        DT_TRY(step(m, (unsigned char)op));
    }
    DT_TRY(dt_pickle_pop(m, &out->root));
    if (m->persids) {
        out->persid = dt_arena_get(m->arena, m->persids * sizeof *out->persid);
        if (!out->persid) return dt_pickle_no_memory(m);
        memcpy(out->persid, m->persid, m->persids * sizeof *out->persid);
    }
    out->persid_count = m->persids;
    out->size = m->at;
    return DT_OK;
}

dt_status dt_pickle_read(const char *path, const unsigned char *data, size_t size, dt_arena *arena,
                         const dt_alloc *a, dt_pickle *out, dt_error *err)
{
    struct dt_pickle_machine m = {
        .path = path, .data = data, .size = size, .arena = arena, .alloc = a, .err = err
    };
    if (m.size > DT_PICKLE_MAX_BYTES) m.size = DT_PICKLE_MAX_BYTES;
    dt_pickle result = { 0 };
    dt_status st = run(&m, &result);
    dt_put(a, m.stack);
    dt_put(a, m.mark);
    dt_put(a, m.memo);
    dt_put(a, m.persid);
    if (st == DT_OK) *out = result;
    return st;
}

bool dt_pickle_is(const dt_pickle_value *v, dt_pickle_kind kind, const char *text)
{
    return v && v->kind == kind && v->text && v->size == strlen(text) &&
           memcmp(v->text, text, v->size) == 0;
}

const dt_pickle_value *dt_pickle_find(const dt_pickle_value *dict, const char *key)
{
    if (!dict || dict->kind != DT_PICKLE_DICT) return NULL;
    for (size_t i = 0; i + 1 < dict->count; i += 2)
        if (dt_pickle_is(dict->item[i], DT_PICKLE_STR, key)) return dict->item[i + 1];
    return NULL;
}

const char *dt_pickle_global(const dt_pickle_value *v)
{
    if (v && v->kind == DT_PICKLE_CALL) v = v->item[0];
    return v && v->kind == DT_PICKLE_GLOBAL ? v->text : NULL;
}
