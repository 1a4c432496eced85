/* The official CIFAR-10 files, when they are there: $DETENT_SHARED/data, by default beside the
 * source tree. Exit status 77 = skipped. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "core/file.h"
#include "data/dataset.h"

static int failed(const char *what)
{
    fprintf(stderr, "FAIL %s\n", what);
    return 1;
}

static int histogram(const dt_data *data, dt_split split, int64_t each)
{
    int64_t count[10] = { 0 };
    dt_sample s;
    dt_error err;
    dt_sample_init(&s, NULL);
    for (int64_t i = 0; i < 10 * each; i++) {
        if (dt_data_read(data, split, i, &s, &err) != DT_OK) return failed(err.text);
        count[s.label]++;
    }
    dt_sample_fini(&s);
    for (int k = 0; k < 10; k++)
        if (count[k] != each) return failed("classes are not equally frequent");
    return 0;
}

int main(void)
{
    const char *shared = getenv("DETENT_SHARED");
    char root[512], marker[600];
    snprintf(root, sizeof root, "%s/data", shared ? shared : DT_SHARED_DEFAULT);
    snprintf(marker, sizeof marker, "%s/cifar-10-batches-bin/test_batch.bin", root);
    if (!dt_file_exists(marker)) {
        printf("SKIP no %s\n", marker);
        return 77;
    }
    const dt_dataset *row = (const dt_dataset *)dt_table_find(&dt_datasets, "cifar10");
    dt_data *data;
    dt_error err;
    if (dt_data_open(row, &(dt_data_params){ .root = root }, &data, &err) != DT_OK)
        return failed(err.text);
    int bad =
        dt_data_count(data, DT_SPLIT_TRAIN) != 50000 || dt_data_count(data, DT_SPLIT_TEST) != 10000;
    bad = bad ? failed("sample counts") : histogram(data, DT_SPLIT_TEST, 1000);
    if (!bad) bad = histogram(data, DT_SPLIT_TRAIN, 5000);
    dt_data_close(data);
    return bad;
}
