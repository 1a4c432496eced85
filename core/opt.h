/* Option tables: the declared keys of everything that a recipe can configure. One table gives the
 * parser, the range checks, the defaults, `detent list keys` and the effective recipe. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_OPT_H
#define DT_CORE_OPT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

enum { DT_OPT_STR_MAX = 512, DT_OPT_LIST_MAX = 16, DT_OPT_WORD_MAX = 160 };

typedef char dt_opt_str[DT_OPT_STR_MAX]; /* NUL-terminated; empty = not given */
typedef struct dt_opt_ints {
    int count;
    int value[DT_OPT_LIST_MAX];
} dt_opt_ints;

typedef struct dt_opt_words {
    int count;
    char value[DT_OPT_LIST_MAX][DT_OPT_WORD_MAX]; /* without spaces, commas, brackets and quotes */
} dt_opt_words;

typedef struct dt_opt_floats {
    int count;
    double value[DT_OPT_LIST_MAX];
} dt_opt_floats;

typedef enum dt_opt_type {
    DT_OPT_END_MARK = 0,
    DT_OPT_TYPE_INT,    /* int */
    DT_OPT_TYPE_FLOAT,  /* double */
    DT_OPT_TYPE_BOOL,   /* bool */
    DT_OPT_TYPE_ENUM,   /* int: index into `choices` */
    DT_OPT_TYPE_STR,    /* dt_opt_str */
    DT_OPT_TYPE_INTS,   /* dt_opt_ints: ascending list, each inside min..max */
    DT_OPT_TYPE_WORDS,  /* dt_opt_words */
    DT_OPT_TYPE_FLOATS, /* dt_opt_floats: each inside min..max */
} dt_opt_type;

typedef struct dt_opt {
    const char *key;
    dt_opt_type type;
    size_t offset;    /* of the field in the configuration struct */
    double def;       /* default of numbers, booleans (0, 1) and enums (index) */
    double min, max;  /* inclusive */
    const char *text; /* STR: default; ENUM: choices "a|b|c" */
    const char *help; /* one line; units and meaning */
    /* ENUM: options over the same struct that a map in its place gives; the field is then one more
     * than the last choice (dt_opt_is_map). NULL: there is no such form. */
    const struct dt_opt *map;
    /* In the effective recipe only where a recipe gives it: for keys that are younger than recipes
     * whose hash must stay. */
    bool given_only;
} dt_opt;

#define DT_OPT_INT(conf, field, def, min, max, help)                                               \
    {                                                                                              \
#field, DT_OPT_TYPE_INT, offsetof(conf, field), def, min, max, NULL, help                  \
    }
#define DT_OPT_FLOAT(conf, field, def, min, max, help)                                             \
    {                                                                                              \
#field, DT_OPT_TYPE_FLOAT, offsetof(conf, field), def, min, max, NULL, help                \
    }
#define DT_OPT_BOOL(conf, field, def, help)                                                        \
    {                                                                                              \
#field, DT_OPT_TYPE_BOOL, offsetof(conf, field), def, 0, 1, NULL, help                     \
    }
#define DT_OPT_ENUM(conf, field, def, choices, help)                                               \
    {                                                                                              \
#field, DT_OPT_TYPE_ENUM, offsetof(conf, field), def, 0, 0, choices, help                  \
    }
/* With a form as a map of `options`. */
#define DT_OPT_ENUM_MAP(conf, field, def, choices, help, options)                                  \
    {                                                                                              \
#field, DT_OPT_TYPE_ENUM, offsetof(conf, field), def, 0, 0, choices, help, options         \
    }
#define DT_OPT_STR(conf, field, def, help)                                                         \
    {                                                                                              \
#field, DT_OPT_TYPE_STR, offsetof(conf, field), 0, 0, 0, def, help                         \
    }
#define DT_OPT_INTS(conf, field, min, max, help)                                                   \
    {                                                                                              \
#field, DT_OPT_TYPE_INTS, offsetof(conf, field), 0, min, max, NULL, help                   \
    }
#define DT_OPT_WORDS(conf, field, help)                                                            \
    {                                                                                              \
#field, DT_OPT_TYPE_WORDS, offsetof(conf, field), 0, 0, 0, NULL, help                      \
    }
#define DT_OPT_FLOATS(conf, field, min, max, help)                                                 \
    {                                                                                              \
#field, DT_OPT_TYPE_FLOATS, offsetof(conf, field), 0, min, max, NULL, help                 \
    }
#define DT_OPT_END                                                                                 \
    {                                                                                              \
        NULL, DT_OPT_END_MARK, 0, 0, 0, 0, NULL, NULL                                              \
    }

/* First member of every descriptor that a recipe can name. */
typedef struct dt_row {
    const char *name;
    const char *help;   /* one line; for methods: author, year, where */
    const dt_opt *opts; /* ends with DT_OPT_END; NULL: none */
    size_t conf_size;   /* bytes of the configuration struct; 0: none */
} dt_row;

/* A table: NULL-terminated array of rows, and what one row is called ("quantizer"). */
typedef struct dt_table {
    const char *kind;
    const dt_row *const *rows;
} dt_table;

/* NULL when there is none of that name. */
const dt_row *dt_table_find(const dt_table *table, const char *name);
/* As above, but a missing name is a user error that names the nearest row. */
dt_status dt_table_get(const dt_table *table, const char *name, const dt_where *where,
                       const dt_row **out_row, dt_error *err) DT_MUST_CHECK;

/* NULL when `key` is not in the table. */
const dt_opt *dt_opt_find(const dt_opt *opts, const char *key);
/* Writes every default into `conf`. `opts` may be NULL. */
void dt_opt_defaults(const dt_opt *opts, void *conf);
/* Parses `value` (for INTS: "30 60" or "[30, 60]"; for WORDS: "a" or "[a, b]") into the field,
 * checking type and range. */
dt_status dt_opt_set(const dt_opt *opt, void *conf, const char *value, const dt_where *where,
                     dt_error *err) DT_MUST_CHECK;
/* Prints the field's value as a recipe writes it; numbers round-trip. Returns `text`. */
const char *dt_opt_print(const dt_opt *opt, const void *conf, char *text, size_t size);
/* How many choices an ENUM has. */
int dt_opt_choices(const dt_opt *opt);
/* Is it in the form of a map? */
bool dt_opt_is_map(const dt_opt *opt, const void *conf);
/* Prints the rule of an option: "int 2..8", "one of a|b". Returns `text`. */
const char *dt_opt_rule(const dt_opt *opt, char *text, size_t size);

/* Nearest of `count` names by edit distance, NULL when none is near (more than a third differs). */
const char *dt_nearest(const char *name, const char *const *names, size_t count);
/* Unknown key: fails with the nearest valid one. */
dt_status dt_opt_unknown(const dt_opt *opts, const char *key, const dt_where *where, dt_error *err);

#endif
