/* The published checkpoints against what PyTorch reads from them: type, shape and SHA-256 of every
 * tensor (tests/golden/torch/checkpoints.txt, made by make_torch.py). Skipped when they are not
 * there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/file.h"
#include "exchange/import.h"
#include "tests/support/run.h"
#include "tests/support/testdata.h"

static void hash(const dt_named_tensor *t, char hex[DT_SHA256_HEX])
{
    dt_sha256 h;
    dt_sha256_init(&h);
    dt_sha256_add(&h, t->data, (size_t)dt_shape_count(&t->shape) * dt_dtype_size(t->dtype));
    dt_sha256_end(&h, hex);
}

START_TEST(every_tensor_is_what_pytorch_reads)
{
    char path[TESTDATA_PATH], file[64], last[64] = "", name[128], dtype[8], shape[32], sha[17];
    FILE *list = fopen(golden_path("torch/checkpoints.txt", path), "r");
    ck_assert_ptr_nonnull(list);
    dt_tensors set = { 0 };
    dt_error err = { 0 };
    size_t files = 0, tensors = 0, expected = 0;
    while (fscanf(list, "%63s %127s %7s %31s %16s", file, name, dtype, shape, sha) == 5) {
        if (strcmp(file, last) != 0) {
            char relative[128];
            ck_assert_uint_eq(tensors, set.count); /* the file holds no others */
            dt_tensors_fini(&set);
            snprintf(relative, sizeof relative, "checkpoints/%s", file);
            dt_status st = dt_import_file(shared_path(relative, path), NULL, &set, &err);
            ck_assert_msg(st == DT_OK, "%s", err.text);
            strcpy(last, file);
            tensors = 0;
            files++;
        }
        const dt_named_tensor *t = dt_tensors_find(&set, name);
        ck_assert_msg(t != NULL, "%s: %s", file, name);
        char hex[DT_SHA256_HEX], text[DT_SHAPE_TEXT];
        hash(t, hex);
        hex[16] = '\0';
        ck_assert_str_eq(hex, sha);
        ck_assert_str_eq(dt_shape_print(&t->shape, text), shape);
        ck_assert_str_eq(dt_dtype_name(t->dtype), dtype);
        tensors++;
        expected++;
    }
    ck_assert_uint_eq(tensors, set.count);
    ck_assert_uint_eq(files, 4);
    ck_assert_uint_eq(expected, 508);
    dt_tensors_fini(&set);
    fclose(list);
}
END_TEST

DT_TEST_MAIN_UNLESS(shared_is_absent("checkpoints"), "checkpoints",
                    every_tensor_is_what_pytorch_reads)
