/* A folder of its own for a test that writes files. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_SUPPORT_TEMPDIR_H
#define DT_TESTS_SUPPORT_TEMPDIR_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct tempdir {
    char folder[64], file[96];
} tempdir;

/* Makes the folder; `file` is a name in it. */
static inline void tempdir_init(tempdir *t, const char *file)
{
    char folder[] = "/tmp/detent-test-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    strcpy(t->folder, folder);
    snprintf(t->file, sizeof t->file, "%s/%s", folder, file);
}

/* Removes the file (it may be gone) and the folder, which fails when anything else was left. */
static inline void tempdir_fini(const tempdir *t)
{
    remove(t->file);
    ck_assert_int_eq(rmdir(t->folder), 0);
}

#endif
