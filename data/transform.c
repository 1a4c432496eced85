/* The table of transforms and their chain. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/transform.h"

#define DT_TRANSFORM(name) extern const dt_transform dt_transform_##name;
#include "data/transforms.def"
#undef DT_TRANSFORM

#define DT_TRANSFORM(name) &dt_transform_##name.row,
static const dt_row *const rows[] = {
#include "data/transforms.def"
    NULL
};
#undef DT_TRANSFORM

const dt_table dt_transforms = { "transform", rows };

dt_status dt_transform_check(const dt_transform_step *steps, int count, int64_t H, int64_t W,
                             dt_error *err)
{
    if (count < 0 || count > DT_TRANSFORM_MAX)
        return dt_fail(err, DT_ERR_RANGE, NULL, "%d transforms; at most %d", count,
                       DT_TRANSFORM_MAX);
    for (int i = 0; i < count; i++) {
        if (!steps[i].row || (steps[i].row->row.conf_size && !steps[i].conf))
            return dt_fail(err, DT_ERR_ARG, NULL, "transform %d has no row or no options", i);
        if (steps[i].row->check) DT_TRY(steps[i].row->check(steps[i].conf, H, W, err));
    }
    return DT_OK;
}

const uint8_t *dt_transform_apply(const dt_transform_step *steps, int count, dt_rng *rng, int64_t H,
                                  int64_t W, uint8_t *a, uint8_t *b)
{
    for (int i = 0; i < count; i++) {
        steps[i].row->apply(steps[i].conf, rng, H, W, a, b);
        uint8_t *swap = a;
        a = b;
        b = swap;
    }
    return a;
}
