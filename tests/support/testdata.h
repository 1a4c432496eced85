/* Where test data lies: committed files under tests/golden, and the published checkpoints and
 * datasets that are too large to commit. DT_TEST_ROOT, the source root, comes from Meson. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_SUPPORT_TESTDATA_H
#define DT_TESTS_SUPPORT_TESTDATA_H

#include <stdio.h>
#include <stdlib.h>

#include "core/file.h"

enum { TESTDATA_PATH = 1024 };

static inline const char *golden_path(const char *name, char path[TESTDATA_PATH])
{
    snprintf(path, TESTDATA_PATH, "%s/tests/golden/%s", DT_TEST_ROOT, name);
    return path;
}

/* A file below $DETENT_SHARED, by default ../shared beside the source root. */
static inline const char *shared_path(const char *name, char path[TESTDATA_PATH])
{
    const char *shared = getenv("DETENT_SHARED");
    if (shared && *shared)
        snprintf(path, TESTDATA_PATH, "%s/%s", shared, name);
    else
        snprintf(path, TESTDATA_PATH, "%s/../shared/%s", DT_TEST_ROOT, name);
    return path;
}

/* For DT_TEST_MAIN_UNLESS: true, with a line that says why, when the file or folder is not there. */
static inline bool shared_is_absent(const char *name)
{
    char path[TESTDATA_PATH];
    if (dt_file_exists(shared_path(name, path))) return false;
    printf("SKIP: no %s; set DETENT_SHARED\n", path);
    return true;
}

#endif
