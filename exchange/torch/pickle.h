/* A reader of Python pickles that executes nothing: it builds a tree of plain values in which a
 * class or function is only its name and a call is only a node. What the names may mean is the
 * caller's decision; exchange/torch/import_torch.c has the list. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_TORCH_PICKLE_H
#define DT_EXCHANGE_TORCH_PICKLE_H

#include "core/alloc.h"

typedef enum dt_pickle_kind {
    DT_PICKLE_NONE,
    DT_PICKLE_BOOL,   /* integer: 0, 1 */
    DT_PICKLE_INT,    /* integer */
    DT_PICKLE_BIGINT, /* text, size: two's complement, little endian, more than 8 bytes */
    DT_PICKLE_FLOAT,  /* number */
    DT_PICKLE_STR,    /* text, size; may hold NUL bytes, has one behind it */
    DT_PICKLE_TUPLE,  /* item */
    DT_PICKLE_LIST,   /* item */
    DT_PICKLE_SET,    /* item */
    DT_PICKLE_DICT,   /* item: key, value, key, value, ...; OrderedDict too */
    DT_PICKLE_GLOBAL, /* text: "module name" */
    DT_PICKLE_PERSID, /* item[0]: the identifier of something stored outside the pickle */
    DT_PICKLE_CALL,   /* item[0]: what would be called, item[1]: its arguments */
} dt_pickle_kind;

/* The tree may share nodes and may contain itself: never walk it without a bound on the depth. */
typedef struct dt_pickle_value {
    dt_pickle_kind kind;
    int64_t integer;
    double number;
    const char *text;
    size_t size; /* bytes of text */
    struct dt_pickle_value **item;
    size_t count, capacity;
} dt_pickle_value;

typedef struct dt_pickle {
    dt_pickle_value *root;
    dt_pickle_value **persid; /* every persistent identifier, in order of appearance */
    size_t persid_count;
    size_t size; /* bytes of the pickle, its STOP included */
} dt_pickle;

/* Limits: a pickle of more than these is refused. */
enum {
    DT_PICKLE_MAX_BYTES = 64 << 20,
    DT_PICKLE_MAX_VALUES = 1 << 20, /* also of the stack, the marks and the memo */
    DT_PICKLE_MAX_TEXT = 1 << 20,   /* bytes of one string */
};

/* Reads the pickle that starts at `data`; bytes behind its STOP are not looked at. The values live
 * in `arena`; `a` is for the machine's own stack. Opcodes: those of protocol 2 that PyTorch writes,
 * and their protocol 4 forms. Errors: FORMAT (damaged, truncated or over a limit), UNSUPPORTED (an
 * opcode outside the list), NOMEM; the text starts with `path`. */
dt_status dt_pickle_read(const char *path, const unsigned char *data, size_t size, dt_arena *arena,
                         const dt_alloc *a, dt_pickle *out, dt_error *err) DT_MUST_CHECK;

/* Value of a string key of a DICT, NULL when there is none (or `dict` is no DICT). */
const dt_pickle_value *dt_pickle_find(const dt_pickle_value *dict, const char *key);
/* True for a string without NUL bytes that equals `text`. */
bool dt_pickle_is(const dt_pickle_value *v, dt_pickle_kind kind, const char *text);
/* The name that a value depends on: of a GLOBAL, or of what a CALL would call; NULL: none. */
const char *dt_pickle_global(const dt_pickle_value *v);

#endif
