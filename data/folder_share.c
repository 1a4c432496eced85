/* One set of class folders for both splits: which pictures are test ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "data/folder_list.h"

/* A number of a picture that stays whatever other pictures come: of its path, by FNV-1a. */
static uint64_t lot(const char *path)
{
    uint64_t h = 0xcbf29ce484222325;
    for (; *path; path++)
        h = (h ^ (unsigned char)*path) * 0x100000001b3;
    return h ^ (h >> 32);
}

static int by_lot(const void *a, const void *b)
{
    const dt_folder_sample *x = a, *y = b;
    uint64_t p = lot(x->path), q = lot(y->path);
    return p < q ? -1 : p > q ? 1 : strcmp(x->path, y->path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const dt_folder_sample *)a)->path, ((const dt_folder_sample *)b)->path);
}

/* Those of the lowest lots are test pictures: one at least, and not all. */
dt_status dt_folder_share(dt_folder_sample *at, size_t *count, double share, bool is_test,
                          dt_error *err)
{
    size_t kept = 0;
    for (size_t i = 0, end; i < *count; i = end) {
        for (end = i; end < *count && at[end].label == at[i].label; end++)
            ;
        size_t n = end - i, test = (size_t)(share * (double)n + 0.5);
        if (n < 2)
            return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .key = "data.test_share" },
                           "needs two pictures of each class; %s is alone in its own", at[i].path);
        test = test < 1 ? 1 : test >= n ? n - 1 : test;
        qsort(at + i, n, sizeof *at, by_lot);
        size_t first = is_test ? i : i + test, those = is_test ? test : n - test;
        memmove(at + kept, at + first, those * sizeof *at);
        qsort(at + kept, those, sizeof *at, by_name);
        kept += those;
    }
    *count = kept;
    return DT_OK;
}
