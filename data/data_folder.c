/* A folder of pictures, one sub-folder a class: <root>/train/<class>/<name> and
 * <root>/test/<class>/<name> (or val), or <root>/<class>/<name> for both splits, which then have
 * the same pictures or, with test_share, some each. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/folder_list.h"

typedef struct conf {
    int sizes; /* 0 equal, 1 any */
    double test_share;
} conf;

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, sizes, 0, "equal|any",
                "equal: every picture is checked at the start; any: transforms give the size"),
    DT_OPT_FLOAT(conf, test_share, 0, 0, 0.9,
                 "of pictures that lie in root/<class>: the share of each class that is test, and "
                 "no training, picture; 0: all are both"),
    DT_OPT_END,
};

static dt_status open(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                      dt_error *err)
{
    const conf *c = p->conf;
    const dt_folder_spec spec = { .test = { "test", "val" },
                                  .root_is_both = true,
                                  .test_share = c->test_share,
                                  .same_size = c->sizes == 0 };
    dt_folder_set *set;
    DT_TRY(dt_folder_open(&spec, p, &set, out_info, err));
    *out_self = set;
    return DT_OK;
}

static bool holds(const char *root)
{
    static const char *const splits[] = { "train", "test", "val" };
    for (size_t i = 0; i < DT_ARRAY_LEN(splits); i++) {
        if (dt_folder_has_in(root, splits[i], true)) return true;
        if (dt_folder_has_in(root, splits[i], false)) return false;
    }
    return !dt_folder_has(root, false) && dt_folder_has(root, true);
}

/* Those of the first split that is there, or of the root. */
static int classes(const char *root)
{
    static const char *const in[] = { "train", "test", "val", NULL };
    int64_t count = -1;
    for (size_t i = 0; i < DT_ARRAY_LEN(in) && count < 0; i++)
        count = dt_folder_count_in(root, in[i], true);
    return count > 0 && count <= DT_DATA_MAX_CLASSES ? (int)count : 0;
}

extern const dt_dataset dt_dataset_folder;
const dt_dataset dt_dataset_folder = {
    .row = { "folder", "PNG and JPEG pictures, a sub-folder per class", opts, sizeof(conf) },
    .needs_root = true,
    .holds = holds,
    .classes = classes,
    .open = open,
    .read = dt_folder_read,
    .name = dt_folder_name,
    .close = dt_folder_close,
};
