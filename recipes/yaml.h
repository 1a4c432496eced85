/* YAML documents as a tree of nodes that know their place. libyaml reads and writes; this adds what
 * a configuration needs: no aliases, tags or second documents, no repeated keys, and limits. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_RECIPES_YAML_H
#define DT_RECIPES_YAML_H

#include "core/alloc.h"

enum {
    DT_YAML_MAX_BYTES = 1 << 20,
    DT_YAML_MAX_DEPTH = 32,
    DT_YAML_MAX_NODES = 10000, /* of one document */
    DT_YAML_PATH = 256,        /* bytes of a dotted path in messages; longer ones are cut */
};

typedef enum dt_yaml_kind { DT_YAML_SCALAR, DT_YAML_MAP, DT_YAML_SEQ } dt_yaml_kind;

/* A node lives in the arena that it was made in. Change the tree only through the functions. */
typedef struct dt_yaml_node {
    dt_yaml_kind kind;
    bool quoted;      /* scalar in quotes or a block: never "no value" */
    const char *text; /* scalar: NUL-terminated UTF-8; otherwise NULL */
    const char *raw;  /* value of an override as it stands, for keys that are texts; else NULL */
    const char
        *fault; /* scalar of an override: why it is no YAML, so that texts alone may take it */
    const char *key;  /* in a map: its key; otherwise NULL */
    size_t index;     /* place among its parent's children */
    size_t count;     /* of children */
    const char *file; /* as in messages */
    int line, column; /* of the key, or of a value that has none; from 1; 0: unknown */
    struct dt_yaml_node *parent, *first, *last, *next;
} dt_yaml_node;

/* Reads a document of `size` bytes. `file` names it in messages; NULL:
 * they have no place. Errors: FORMAT (with line), NOMEM.
 * An empty document is an error. */
dt_status dt_yaml_parse(dt_arena *arena, const char *file, const char *text, size_t size,
                        dt_yaml_node **out_root, dt_error *err) DT_MUST_CHECK;
/* The same from a file of at most DT_YAML_MAX_BYTES; `a` holds its bytes meanwhile. */
dt_status dt_yaml_read(dt_arena *arena, const dt_alloc *a, const char *path,
                       dt_yaml_node **out_root, dt_error *err) DT_MUST_CHECK;

/* Child of a map by key, child of a list by place; NULL when there is none. */
dt_yaml_node *dt_yaml_find(const dt_yaml_node *map, const char *key);
dt_yaml_node *dt_yaml_at(const dt_yaml_node *parent, size_t index);

/* Adds a child at the end. `key` (NULL in a list) and `text` (NULL unless scalar) are copied; the
 * place is that of `origin`, or the parent's when NULL. `parent` NULL makes a root. */
dt_status dt_yaml_add(dt_arena *arena, dt_yaml_node *parent, dt_yaml_kind kind, const char *key,
                      const char *text, const dt_yaml_node *origin, dt_yaml_node **out_node,
                      dt_error *err) DT_MUST_CHECK;
/* Puts `node`, a root, where `old` is, under its key. */
void dt_yaml_replace(dt_yaml_node *old, dt_yaml_node *node);
/* Makes `node`, a root, the last child of `parent`. `key`: NULL in a list; copied. */
dt_status dt_yaml_attach(dt_arena *arena, dt_yaml_node *parent, const char *key, dt_yaml_node *node,
                         dt_error *err) DT_MUST_CHECK;

/* What a key that is a text gets: `raw`, or the text of a scalar; NULL of a map or list. */
const char *dt_yaml_text(const dt_yaml_node *node);
/* Place for messages; `path` holds the dotted key ("quant.rules.0.layers") and must outlive it. */
dt_where dt_yaml_where(const dt_yaml_node *node, char path[DT_YAML_PATH]);
/* Dotted key of a node, "" for the root. Returns `path`. */
const char *dt_yaml_path(const dt_yaml_node *node, char path[DT_YAML_PATH]);

/* Writes the tree in block style; dt_yaml_parse reads it back. Nodes whose dotted path is in `skip`
 * (NULL-terminated; may be NULL) are left out. The NUL-terminated text goes back with dt_put(a, .).
 * FORMAT names a text that is not UTF-8. */
dt_status dt_yaml_print(const dt_alloc *a, const dt_yaml_node *root, const char *const *skip,
                        char **out_text, dt_error *err) DT_MUST_CHECK;

#endif
