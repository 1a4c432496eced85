/* Reader of label files of flat folders. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/folder_files.h"

enum { MAX_BYTES = 1 << 28 };

/* Position in a sorted list of the name that is text[0..n-1], -1: none. With `stems` an ending of a
 * listed name does not count. */
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
    for (; low < names->count && strncmp(names->at[low], text, n) == 0; low++) {
        const char *rest = names->at[low] + n;
        if (!*rest || (stems && *rest == '.' && !strchr(rest + 1, '.'))) return (int64_t)low;
    }
    return -1;
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

static dt_status read_line(const char *line, const char *end, const dt_where *where,
                           const dt_names *files, const dt_names *classes, int *labels,
                           dt_error *err)
{
    const char *at = line;
    size_t n = word(&at, end);
    if (n == 0 || (where->line == 1 && n == 7 && memcmp(at, "ImageId", 7) == 0)) return DT_OK;
    int64_t file = find(files, at, n, true);
    const char *name = at;
    int name_size = n > 100 ? 100 : (int)n;
    at += n;
    n = word(&at, end);
    if (n == 0)
        return dt_fail(err, DT_ERR_FORMAT, where,
                       "must be a file and its class, such as ILSVRC2012_val_00000001 n01751748");
    int64_t class = find(classes, at, n, false);
    if (class < 0)
        return dt_fail(err, DT_ERR_FORMAT, where, "'%.*s' is no class folder of the training split",
                       n > 100 ? 100 : (int)n, at);
    if (file < 0) return DT_OK; /* lists of the whole set may serve a part of it */
    if (labels[file] >= 0 && labels[file] != class)
        return dt_fail(err, DT_ERR_FORMAT, where, "'%.*s' has another class above", name_size,
                       name);
    labels[file] = (int)class;
    return DT_OK;
}

dt_status dt_folder_labels(const char *path, const dt_names *files, const dt_names *classes,
                           int *labels, const dt_alloc *alloc, dt_error *err)
{
    unsigned char *data;
    size_t size;
    dt_where where = { .file = path };
    for (size_t i = 0; i < files->count; i++)
        labels[i] = -1;
    DT_TRY(dt_file_read(alloc, path, MAX_BYTES, &data, &size, err));
    const char *text = (const char *)data, *end = text + size;
    dt_status st = DT_OK;
    for (const char *line = text; line < end && st == DT_OK;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        where.line++;
        st = read_line(line, stop, &where, files, classes, labels, err);
        line = stop + 1;
    }
    dt_put(alloc, data);
    where.line = 0;
    for (size_t i = 0; i < files->count && st == DT_OK; i++)
        if (labels[i] < 0)
            st = dt_fail(err, DT_ERR_FORMAT, &where, "has no line for %s", files->at[i]);
    return st;
}
