/* CIFAR-10: 50,000 training and 10,000 test pictures of 10 classes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/cifar_file.h"

static const char *const names[] = { "airplane", "automobile", "bird",  "cat",  "deer",
                                     "dog",      "frog",       "horse", "ship", "truck" };

static const dt_cifar_spec spec = {
    .layout = { .labels = 1, .classes = { 10 } },
    .folder = "cifar-10-batches-bin",
    .train = { "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
               "data_batch_5.bin", NULL },
    .test = "test_batch.bin",
};

static dt_status open(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                      dt_error *err)
{
    dt_cifar_set *set;
    DT_TRY(dt_cifar_open(&spec, 0, p, &set, out_info, err));
    out_info->class_names = names;
    *out_self = set;
    return DT_OK;
}

static bool holds(const char *root)
{
    return dt_cifar_holds(&spec, root);
}

extern const dt_dataset dt_dataset_cifar10;
const dt_dataset dt_dataset_cifar10 = {
    .row = { "cifar10", "CIFAR-10, 32x32, 10 classes (Krizhevsky 2009), binary version", NULL, 0 },
    .needs_root = true,
    .holds = holds,
    .open = open,
    .read = dt_cifar_read,
    .close = dt_cifar_close,
};
