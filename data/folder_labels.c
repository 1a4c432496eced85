/* Reader of label files of flat folders. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/folder_files.h"

enum { MAX_BYTES = 1 << 28 };

enum { NONE = -1, TWO = -2 };

/* Position in a sorted list of the name that is text[0..n-1], or NONE. With `stems` an ending of a
 * listed name does not count; TWO: it is the stem of more than one. */
static int64_t find(const dt_names *names, const char *text, size_t n, bool stems)
{
    size_t low = 0, high = names->count;
    while (low < high) { /* first name that is not before the text */
        size_t middle = (low + high) / 2;
        if (strncmp(names->at[middle], text, n) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    int64_t found = NONE;
    for (; low < names->count && strncmp(names->at[low], text, n) == 0; low++) {
        const char *rest = names->at[low] + n;
        if (!*rest) return (int64_t)low;
        if (!stems || *rest != '.' || strchr(rest + 1, '.')) continue;
        if (found != NONE) return TWO;
        found = (int64_t)low;
    }
    return found;
}

static bool is_gap(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == '\r' || c == '\0';
}

/* Next word of a line that ends at `end`; its length. */
static size_t word(const char **at, const char *end)
{
    while (*at < end && is_gap(**at))
        (*at)++;
    size_t n = 0;
    while (*at + n < end && !is_gap((*at)[n]))
        n++;
    return n;
}

/* The two words of a line. */
typedef struct label_line {
    const char *file, *class;
    size_t file_size, class_size;
} label_line;

/* False: it is empty, or a heading. */
static bool split_line(const char *line, const char *end, int number, label_line *out)
{
    out->file = line;
    out->file_size = word(&out->file, end);
    if (out->file_size == 0) return false;
    if (number == 1 && out->file_size == 7 && memcmp(out->file, "ImageId", 7) == 0) return false;
    out->class = out->file + out->file_size;
    out->class_size = word(&out->class, end);
    return true;
}

static int shown(size_t n)
{
    return n > 100 ? 100 : (int)n;
}

typedef dt_status on_line(void *arg, const label_line *line, const dt_where *where, dt_error *err);

static dt_status each_line(const char *text, const char *end, const char *path, on_line *fn,
                           void *arg, dt_error *err)
{
    dt_where where = { .file = path };
    for (const char *line = text; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        label_line l;
        if (!stop) stop = end;
        where.line++;
        if (split_line(line, stop, where.line, &l)) {
            if (l.class_size == 0)
                return dt_fail(err, DT_ERR_FORMAT, &where,
                               "must be a file and its class, such as ILSVRC2012_val_00000001 "
                               "n01751748");
            DT_TRY(fn(arg, &l, &where, err));
        }
        line = stop + 1;
    }
    return DT_OK;
}

/* Reads the file and walks its lines. */
static dt_status walk(const char *path, on_line *fn, void *arg, const dt_alloc *alloc,
                      dt_error *err)
{
    unsigned char *data;
    size_t size;
    DT_TRY(dt_file_read(alloc, path, MAX_BYTES, &data, &size, err));
    size_t mark = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    bool wide = size >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0);
    const char *text = (const char *)data;
    dt_status st = wide ? dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = path },
                                  "is UTF-16; save it as UTF-8")
                        : each_line(text + mark, text + size, path, fn, arg, err);
    dt_put(alloc, data);
    return st;
}

typedef struct matcher {
    const dt_names *files, *classes;
    int *labels;
} matcher;

static dt_status match(void *arg, const label_line *l, const dt_where *where, dt_error *err)
{
    const matcher *m = arg;
    int64_t class = find(m->classes, l->class, l->class_size, false);
    if (class < 0)
        return dt_fail(err, DT_ERR_FORMAT, where, "'%.*s' is no class folder of the training split",
                       shown(l->class_size), l->class);
    int64_t file = find(m->files, l->file, l->file_size, true);
    if (file == TWO)
        return dt_fail(err, DT_ERR_FORMAT, where,
                       "'%.*s' may be two pictures; give it with its ending", shown(l->file_size),
                       l->file);
    if (file == NONE) return DT_OK; /* lists of the whole set may serve a part of it */
    if (m->labels[file] >= 0 && m->labels[file] != class)
        return dt_fail(err, DT_ERR_FORMAT, where, "'%.*s' has another class above",
                       shown(l->file_size), l->file);
    m->labels[file] = (int)class;
    return DT_OK;
}

dt_status dt_folder_labels(const char *path, const dt_names *files, const dt_names *classes,
                           int *labels, const dt_alloc *alloc, dt_error *err)
{
    matcher m = { files, classes, labels };
    for (size_t i = 0; i < files->count; i++)
        labels[i] = -1;
    DT_TRY(walk(path, match, &m, alloc, err));
    for (size_t i = 0; i < files->count; i++)
        if (labels[i] < 0)
            return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = path }, "has no line for %s",
                           files->at[i]);
    return DT_OK;
}

typedef struct namer {
    dt_folder_add *add;
    void *arg;
} namer;

static dt_status name_class(void *arg, const label_line *l, const dt_where *where, dt_error *err)
{
    const namer *n = arg;
    char name[256];
    if (l->class_size >= sizeof name)
        return dt_fail(err, DT_ERR_FORMAT, where, "a class has over %zu bytes", sizeof name - 1);
    memcpy(name, l->class, l->class_size);
    name[l->class_size] = '\0';
    return n->add(n->arg, name, err);
}

dt_status dt_folder_label_names(const char *path, dt_folder_add *add, void *arg,
                                const dt_alloc *alloc, dt_error *err)
{
    return walk(path, name_class, &(namer){ add, arg }, alloc, err);
}
