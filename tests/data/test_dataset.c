/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <string.h>

#include "data/normalize.h"
#include "data/transform.h"
#include "tests/support/run.h"

START_TEST(rows_are_complete)
{
    for (const dt_row *const *r = dt_datasets.rows; *r; r++) {
        const dt_dataset *d = (const dt_dataset *)*r;
        ck_assert(d->open != NULL);
        ck_assert((d->read != NULL) != (d->take != NULL)); /* pictures or arrays */
        ck_assert(d->close != NULL);
        ck_assert_str_ne(d->row.help, "");
        ck_assert((d->row.opts != NULL) == (d->row.conf_size != 0));
    }
    ck_assert_ptr_nonnull(dt_table_find(&dt_datasets, "cifar10"));
    ck_assert_ptr_null(dt_table_find(&dt_datasets, "cifar"));
    for (const dt_row *const *r = dt_transforms.rows; *r; r++) {
        const dt_transform *t = (const dt_transform *)*r;
        ck_assert((t->apply != NULL) == (t->stage == DT_STAGE_BYTES));
        ck_assert((t->change != NULL) == (t->stage == DT_STAGE_VALUES));
        ck_assert((t->mix != NULL && t->probability != NULL) == (t->stage == DT_STAGE_BATCH));
        ck_assert_str_ne(t->row.help, "");
    }
}
END_TEST

START_TEST(common_options)
{
    dt_data_conf c;
    dt_opt_defaults(dt_data_opts, &c);
    ck_assert(c.batch == 128 && c.val == 0 && c.normalize == 0 && !*c.root);
    ck_assert_int_eq(dt_opt_set(dt_opt_find(dt_data_opts, "batch"), &c, "8193", NULL, NULL),
                     DT_ERR_RANGE);
    char text[64];
    for (c.normalize = 0; c.normalize < DT_NORMALIZE_COUNT; c.normalize++)
        ck_assert_str_eq(
            dt_opt_print(dt_opt_find(dt_data_opts, "normalize"), &c, text, sizeof text),
            dt_normalizes[c.normalize].name);
}
END_TEST

START_TEST(bad_arguments)
{
    dt_data *data;
    dt_error err;
    ck_assert_int_eq(dt_data_open(NULL, NULL, &data, &err), DT_ERR_ARG);
    const dt_dataset *row = (const dt_dataset *)dt_table_find(&dt_datasets, "cifar10");
    ck_assert_int_eq(dt_data_open(row, &(dt_data_params){ .root = "" }, &data, &err), DT_ERR_ARG);
    ck_assert_str_eq(err.text, "data.root: cifar10 needs the folder with its files");
    ck_assert_int_eq(
        dt_data_open(row, &(dt_data_params){ .root = "/nowhere", .threads = -1 }, &data, &err),
        DT_ERR_ARG);
    char name[5000], path[DT_DATA_PATH];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq(dt_data_path(path, "/tmp", name, &err), DT_ERR_ARG);
    ck_assert_str_eq(err.text, "/tmp: path is longer than 4095 bytes");
    dt_data_close(NULL);
}
END_TEST

DT_TEST_MAIN("dataset", rows_are_complete, common_options, bad_arguments)
