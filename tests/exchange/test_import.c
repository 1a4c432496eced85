/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/import.h"

#include <string.h>

#include "tests/support/run.h"
#include "tests/support/testdata.h"

START_TEST(every_row_is_found_and_says_what_it_is)
{
    for (const dt_row *const *r = dt_importers.rows; *r; r++) {
        const dt_importer *importer = (const dt_importer *)(const void *)*r;
        ck_assert_ptr_eq(dt_table_find(&dt_importers, (*r)->name), *r);
        ck_assert_ptr_nonnull((*r)->help);
        ck_assert(!importer->probe((const unsigned char *)"", 0));
        ck_assert(!importer->probe((const unsigned char *)"GIF89a..............", 20));
    }
    ck_assert_ptr_nonnull(dt_table_find(&dt_importers, "torch"));
}
END_TEST

START_TEST(unknown_content_names_the_kinds)
{
    dt_tensors set;
    dt_error err;
    ck_assert_int_eq(dt_import_bytes("x.gif", (const unsigned char *)"GIF89a", 6, NULL, &set, &err),
                     DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(
        strstr(err.text, "x.gif: is no checkpoint of a known kind (detent, torch"));
}
END_TEST

START_TEST(files_are_read_by_content)
{
    char path[TESTDATA_PATH];
    dt_tensors set;
    dt_error err;
    ck_assert_int_eq(dt_import_file("/nowhere.pth", NULL, &set, &err), DT_ERR_NOT_FOUND);
    ck_assert_int_eq(dt_import_file(golden_path("torch/small_zip.pth", path), NULL, &set, &err),
                     DT_OK);
    ck_assert_uint_eq(set.count, 2);
    dt_tensors_fini(&set);
}
END_TEST

DT_TEST_MAIN("import", every_row_is_found_and_says_what_it_is, unknown_content_names_the_kinds,
             files_are_read_by_content)
