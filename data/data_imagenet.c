/* ImageNet as it is unpacked: <root>/train/<wnid>/<name>.JPEG, and <root>/val/<wnid>/<name>.JPEG or
 * <root>/val/<name>.JPEG with a file that tells their classes. Pictures have any size. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/folder_files.h"

typedef struct conf {
    dt_opt_str val_labels;
} conf;

static const dt_opt opts[] = {
    DT_OPT_STR(conf, val_labels, "val_labels.txt",
               "lines of file and class, below root, for pictures in val itself"),
    DT_OPT_END,
};

static dt_status open(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                      dt_error *err)
{
    const conf *c = p->conf;
    const dt_folder_spec spec = { .test = { "val" }, .label_file = c->val_labels };
    dt_folder_set *set;
    DT_TRY(dt_folder_open(&spec, p, &set, out_info, err));
    *out_self = set;
    return DT_OK;
}

extern const dt_dataset dt_dataset_imagenet;
const dt_dataset dt_dataset_imagenet = {
    .row = { "imagenet", "train/<wnid> and val/<wnid>, or val with a label file; JPEG of any size",
             opts, sizeof(conf) },
    .needs_root = true,
    .open = open,
    .read = dt_folder_read,
    .name = dt_folder_name,
    .close = dt_folder_close,
};
