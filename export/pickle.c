/* Pickle machine: a stack, marks and a memo. Protocol: the opcodes' documentation in Python's
 * pickletools. Whatever would run code in Python (GLOBAL, REDUCE, NEWOBJ, BUILD) makes a node or is
 * dropped; only an OrderedDict is understood, as the dictionary that it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "export/pickle.h"

#include <string.h>

typedef dt_pickle_value value;

struct machine {
    const char *path;
    const unsigned char *data;
    size_t size, at; /* at: next byte to read */
    dt_arena *arena;
    const dt_alloc *alloc;
    value **stack, **memo, **persid;
    size_t *mark; /* depths of the stack */
    size_t depth, stack_capacity, marks, mark_capacity, memo_count, memo_capacity;
    size_t persids, persid_capacity, values;
    dt_error *err;
};

static dt_status fail(struct machine *m, dt_status status, const char *reason)
{
    const dt_where where = { .file = m->path };
    dt_fail(m->err, status, &where, "pickle byte %zu: %s", m->at, reason);
    return status; /* seen by the compiler to be no DT_OK, which dt_fail's result is not */
}

static dt_status damaged(struct machine *m, const char *reason)
{
    return fail(m, DT_ERR_FORMAT, reason);
}

static dt_status no_memory(struct machine *m)
{
    return fail(m, DT_ERR_NOMEM, "no memory");
}

/* Borrows the next `n` bytes. */
static dt_status bytes(struct machine *m, size_t n, const unsigned char **out)
{
    if (n > m->size - m->at) return damaged(m, "the file ends inside a pickle");
    *out = m->data + m->at;
    m->at += n;
    return DT_OK;
}

/* Little endian, `n` <= 8 bytes, without sign. */
static dt_status number(struct machine *m, size_t n, uint64_t *out)
{
    const unsigned char *p;
    DT_TRY(bytes(m, n, &p));
    uint64_t v = 0;
    for (size_t i = n; i > 0; i--)
        v = v << 8 | p[i - 1];
    *out = v;
    return DT_OK;
}

static dt_status fresh(struct machine *m, dt_pickle_kind kind, value **out)
{
    if (m->values >= DT_PICKLE_MAX_VALUES) return damaged(m, "too many values");
    value *v = dt_arena_get(m->arena, sizeof *v);
    if (!v) return no_memory(m);
    m->values++;
    v->kind = kind;
    *out = v;
    return DT_OK;
}

/* Grows one of the machine's own arrays to hold `count` elements. */
static dt_status room(struct machine *m, void **array, size_t *capacity, size_t count, size_t size)
{
    if (count > DT_PICKLE_MAX_VALUES) return damaged(m, "stack or memo too deep");
    if (dt_grow(m->alloc, array, capacity, count, size, "pickle", NULL) != DT_OK)
        return no_memory(m);
    return DT_OK;
}

static dt_status push(struct machine *m, value *v)
{
    void *stack = m->stack;
    DT_TRY(room(m, &stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack));
    m->stack = stack;
    m->stack[m->depth++] = v;
    return DT_OK;
}

static dt_status push_new(struct machine *m, dt_pickle_kind kind)
{
    value *v;
    DT_TRY(fresh(m, kind, &v));
    return push(m, v);
}

static dt_status push_int(struct machine *m, dt_pickle_kind kind, int64_t n)
{
    value *v;
    DT_TRY(fresh(m, kind, &v));
    v->integer = n;
    return push(m, v);
}

/* Values below the last mark cannot be reached. */
static size_t reachable(const struct machine *m)
{
    return m->depth - (m->marks ? m->mark[m->marks - 1] : 0);
}

static dt_status pop(struct machine *m, value **out)
{
    if (!reachable(m)) return damaged(m, "the stack is empty");
    *out = m->stack[--m->depth];
    return DT_OK;
}

static dt_status top(struct machine *m, value **out)
{
    if (!reachable(m)) return damaged(m, "the stack is empty");
    *out = m->stack[m->depth - 1];
    return DT_OK;
}

static dt_status push_mark(struct machine *m)
{
    void *mark = m->mark;
    DT_TRY(room(m, &mark, &m->mark_capacity, m->marks + 1, sizeof *m->mark));
    m->mark = mark;
    m->mark[m->marks++] = m->depth;
    return DT_OK;
}

/* Removes the last mark and what is above it; *first stays valid until the next push. */
static dt_status pop_mark(struct machine *m, value ***first, size_t *n)
{
    if (!m->marks) return damaged(m, "a mark is missing");
    size_t start = m->mark[--m->marks];
    *first = m->stack + start;
    *n = m->depth - start;
    m->depth = start;
    return DT_OK;
}

static dt_status extend(struct machine *m, value *v, value *const *items, size_t n)
{
    if (n == 0) return DT_OK;
    if (v->count + n > v->capacity) {
        size_t want = v->capacity * 2 > v->count + n ? v->capacity * 2 : v->count + n, size;
        value **bigger =
            dt_size_mul(want, sizeof *bigger, &size) ? dt_arena_get(m->arena, size) : NULL;
        if (!bigger) return no_memory(m);
        if (v->count) memcpy(bigger, v->item, v->count * sizeof *bigger);
        v->item = bigger;
        v->capacity = want;
    }
    memcpy(v->item + v->count, items, n * sizeof *items);
    v->count += n;
    return DT_OK;
}

static dt_status text(struct machine *m, dt_pickle_kind kind, size_t n, value **out)
{
    const unsigned char *p;
    if (n > DT_PICKLE_MAX_TEXT) return damaged(m, "a string is too long");
    DT_TRY(bytes(m, n, &p));
    DT_TRY(fresh(m, kind, out));
    char *copy = dt_arena_get(m->arena, n + 1);
    if (!copy) return no_memory(m);
    memcpy(copy, p, n);
    (*out)->text = copy;
    (*out)->size = n;
    return DT_OK;
}

static dt_status push_text(struct machine *m, size_t length_bytes)
{
    uint64_t n;
    value *v;
    DT_TRY(number(m, length_bytes, &n));
    DT_TRY(text(m, DT_PICKLE_STR, (size_t)n, &v));
    return push(m, v);
}

static dt_status push_long(struct machine *m)
{
    uint64_t n, v = 0;
    DT_TRY(number(m, 1, &n));
    if (n > 8) {
        value *big;
        DT_TRY(text(m, DT_PICKLE_BIGINT, (size_t)n, &big));
        return push(m, big);
    }
    DT_TRY(number(m, (size_t)n, &v));
    if (n > 0 && n < 8 && v >> (8 * n - 1)) v |= UINT64_MAX << (8 * n);
    return push_int(m, DT_PICKLE_INT, (int64_t)v);
}

static dt_status push_float(struct machine *m)
{
    const unsigned char *p;
    value *v;
    DT_TRY(bytes(m, 8, &p)); /* big endian, unlike everything else */
    uint64_t bits = 0;
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | p[i];
    DT_TRY(fresh(m, DT_PICKLE_FLOAT, &v));
    memcpy(&v->number, &bits, sizeof bits);
    return push(m, v);
}

static dt_status line(struct machine *m, const char **out, size_t *n)
{
    const unsigned char *start = m->data + m->at;
    const unsigned char *end = memchr(start, '\n', m->size - m->at);
    if (!end) return damaged(m, "the file ends inside a pickle");
    *n = (size_t)(end - start);
    if (*n == 0 || *n > 256 || memchr(start, '\0', *n))
        return damaged(m, "a global has a bad name");
    *out = (const char *)start;
    m->at += *n + 1;
    return DT_OK;
}

static dt_status name_global(struct machine *m, const char *module, size_t nm, const char *name,
                             size_t nn)
{
    value *v;
    DT_TRY(fresh(m, DT_PICKLE_GLOBAL, &v));
    v->text = dt_arena_printf(m->arena, "%.*s %.*s", (int)nm, module, (int)nn, name);
    if (!v->text) return no_memory(m);
    v->size = strlen(v->text);
    return push(m, v);
}

static dt_status push_global(struct machine *m)
{
    const char *module, *name;
    size_t nm, nn;
    DT_TRY(line(m, &module, &nm));
    DT_TRY(line(m, &name, &nn));
    return name_global(m, module, nm, name, nn);
}

static dt_status push_stack_global(struct machine *m)
{
    value *module, *name;
    DT_TRY(pop(m, &name));
    DT_TRY(pop(m, &module));
    if (module->kind != DT_PICKLE_STR || name->kind != DT_PICKLE_STR || module->size > 256 ||
        name->size > 256)
        return damaged(m, "a global has a bad name");
    return name_global(m, module->text, strlen(module->text), name->text, strlen(name->text));
}

static dt_status push_tuple(struct machine *m, value *const *items, size_t n)
{
    value *v;
    DT_TRY(fresh(m, DT_PICKLE_TUPLE, &v));
    DT_TRY(extend(m, v, items, n));
    return push(m, v);
}

static dt_status small_tuple(struct machine *m, size_t n)
{
    if (reachable(m) < n) return damaged(m, "the stack is empty");
    m->depth -= n;
    return push_tuple(m, m->stack + m->depth, n);
}

static dt_status marked_tuple(struct machine *m)
{
    value **items;
    size_t n;
    DT_TRY(pop_mark(m, &items, &n));
    return push_tuple(m, items, n);
}

/* Adds the `n` popped items to the collection on top; those of an opaque object are dropped. */
static dt_status add_items(struct machine *m, bool pairs, value *const *items, size_t n)
{
    value *v;
    DT_TRY(top(m, &v));
    if (v->kind == DT_PICKLE_CALL) return DT_OK;
    bool fits = pairs ? v->kind == DT_PICKLE_DICT && n % 2 == 0
                      : v->kind == DT_PICKLE_LIST || v->kind == DT_PICKLE_SET;
    if (!fits) return damaged(m, "items for something that is no collection");
    return extend(m, v, items, n);
}

static dt_status add_marked(struct machine *m, bool pairs)
{
    value **items;
    size_t n;
    DT_TRY(pop_mark(m, &items, &n));
    return add_items(m, pairs, items, n);
}

static dt_status add_few(struct machine *m, bool pairs)
{
    size_t n = pairs ? 2 : 1;
    if (reachable(m) <= n) return damaged(m, "the stack is empty");
    m->depth -= n;
    return add_items(m, pairs, m->stack + m->depth, n);
}

/* OrderedDict() and, from Python 2, OrderedDict([[key, value], ...]). */
static dt_status ordered_dict(struct machine *m, const value *args, value **out)
{
    value *dict;
    DT_TRY(fresh(m, DT_PICKLE_DICT, &dict));
    const value *list = args->count ? args->item[0] : NULL;
    /* A short pickle could call this on one long list again and again: the copies count. */
    if (list && list->count > DT_PICKLE_MAX_VALUES - m->values)
        return damaged(m, "too many values");
    m->values += list ? list->count : 0;
    for (size_t i = 0; list && i < list->count; i++) {
        const value *pair = list->item[i];
        bool is_pair = pair->kind == DT_PICKLE_LIST || pair->kind == DT_PICKLE_TUPLE;
        if (list->kind != DT_PICKLE_LIST || !is_pair || pair->count != 2)
            return damaged(m, "an OrderedDict of something that is no pair");
        DT_TRY(extend(m, dict, pair->item, 2));
    }
    *out = dict;
    return DT_OK;
}

static dt_status call(struct machine *m)
{
    value *args, *callee, *v;
    DT_TRY(pop(m, &args));
    DT_TRY(pop(m, &callee));
    if (args->kind != DT_PICKLE_TUPLE) return damaged(m, "arguments that are no tuple");
    if (dt_pickle_is(callee, DT_PICKLE_GLOBAL, "collections OrderedDict")) {
        DT_TRY(ordered_dict(m, args, &v));
    } else {
        value *const both[] = { callee, args };
        DT_TRY(fresh(m, DT_PICKLE_CALL, &v));
        DT_TRY(extend(m, v, both, 2));
    }
    return push(m, v);
}

/* State that Python would set on an object: dropped (an OrderedDict's `_metadata`, say). */
static dt_status build(struct machine *m)
{
    value *ignored;
    DT_TRY(pop(m, &ignored));
    return top(m, &ignored);
}

static dt_status persistent(struct machine *m)
{
    value *id, *v;
    DT_TRY(pop(m, &id));
    DT_TRY(fresh(m, DT_PICKLE_PERSID, &v));
    DT_TRY(extend(m, v, &id, 1));
    void *persid = m->persid;
    DT_TRY(room(m, &persid, &m->persid_capacity, m->persids + 1, sizeof *m->persid));
    m->persid = persid;
    m->persid[m->persids++] = v;
    return push(m, v);
}

static dt_status memo_put(struct machine *m, uint64_t index)
{
    value *v;
    DT_TRY(top(m, &v));
    if (index >= DT_PICKLE_MAX_VALUES) return damaged(m, "stack or memo too deep");
    void *memo = m->memo;
    DT_TRY(room(m, &memo, &m->memo_capacity, (size_t)index + 1, sizeof *m->memo));
    m->memo = memo;
    if (!m->memo[index]) m->memo_count++;
    m->memo[index] = v;
    return DT_OK;
}

static dt_status memo_get(struct machine *m, size_t length)
{
    uint64_t index;
    DT_TRY(number(m, length, &index));
    if (index >= m->memo_capacity || !m->memo[index])
        return damaged(m, "the memo has no such entry");
    return push(m, m->memo[index]);
}

static dt_status memo_put_at(struct machine *m, size_t length)
{
    uint64_t index;
    DT_TRY(number(m, length, &index));
    return memo_put(m, index);
}

static dt_status push_unsigned(struct machine *m, size_t length)
{
    uint64_t n;
    DT_TRY(number(m, length, &n));
    return push_int(m, DT_PICKLE_INT, (int64_t)n);
}

static dt_status push_signed32(struct machine *m)
{
    uint64_t n;
    DT_TRY(number(m, 4, &n));
    return push_int(m, DT_PICKLE_INT, n < 0x80000000u ? (int64_t)n : (int64_t)n - 0x100000000);
}

/* Reads and drops: the protocol number, a frame's length. */
static dt_status skip(struct machine *m, size_t n)
{
    const unsigned char *ignored;
    return bytes(m, n, &ignored);
}

static dt_status unknown(struct machine *m, unsigned char op)
{
    const dt_where where = { .file = m->path };
    return dt_fail(m->err, DT_ERR_UNSUPPORTED, &where,
                   "pickle byte %zu: opcode 0x%02x is none that a tensor file needs", m->at - 1,
                   op);
}

static dt_status step(struct machine *m, unsigned char op)
{
    switch (op) {
    case 0x80:
        return skip(m, 1); /* PROTO */
    case 0x95:
        return skip(m, 8); /* FRAME */
    case '(':
        return push_mark(m);
    case 'N':
        return push_new(m, DT_PICKLE_NONE);
    case 0x88:
        return push_int(m, DT_PICKLE_BOOL, 1);
    case 0x89:
        return push_int(m, DT_PICKLE_BOOL, 0);
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
        return push_new(m, DT_PICKLE_LIST);
    case ')':
        return push_new(m, DT_PICKLE_TUPLE);
    case '}':
        return push_new(m, DT_PICKLE_DICT);
    case 0x8f:
        return push_new(m, DT_PICKLE_SET);
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

static dt_status run(struct machine *m, dt_pickle *out)
{
    void *stack = NULL; /* there from the start: marks may point to its first place */
    DT_TRY(room(m, &stack, &m->stack_capacity, 64, sizeof *m->stack));
    m->stack = stack;
    for (;;) {
        uint64_t op;
        DT_TRY(number(m, 1, &op));
        if (op == '.') break;
        DT_TRY(step(m, (unsigned char)op));
    }
    DT_TRY(pop(m, &out->root));
    if (m->persids) {
        out->persid = dt_arena_get(m->arena, m->persids * sizeof *out->persid);
        if (!out->persid) return no_memory(m);
        memcpy(out->persid, m->persid, m->persids * sizeof *out->persid);
    }
    out->persid_count = m->persids;
    out->size = m->at;
    return DT_OK;
}

dt_status dt_pickle_read(const char *path, const unsigned char *data, size_t size, dt_arena *arena,
                         const dt_alloc *a, dt_pickle *out, dt_error *err)
{
    struct machine m = {
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
