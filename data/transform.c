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

static dt_status check_step(const dt_transform_step *s, const dt_transform_step *before, bool exact,
                            dt_extent *size, dt_error *err)
{
    const dt_where where = { .key = s->row->row.name };
    if (exact && s->row->random)
        return dt_fail(err, DT_ERR_RANGE, &where,
                       "is random, so it is for data.train; test pictures take resize and crop");
    if (before && before->row->stage > s->row->stage)
        return dt_fail(err, DT_ERR_RANGE, &where, "must stand before '%s', which works on %s",
                       before->row->row.name,
                       before->row->stage == DT_STAGE_BATCH ? "whole batches"
                                                            : "normalised pictures");
    if (s->row->stage != DT_STAGE_BYTES)
        DT_TRY(dt_transform_need_size(s->row->row.name, size, err));
    return s->row->check ? s->row->check(s->conf, size, err) : DT_OK;
}

dt_status dt_transform_check(const dt_transform_step *steps, int count, bool exact, dt_extent *size,
                             dt_error *err)
{
    double p = 0;
    if (count < 0 || count > DT_TRANSFORM_MAX)
        return dt_fail(err, DT_ERR_RANGE, NULL, "%d transforms; at most %d", count,
                       DT_TRANSFORM_MAX);
    for (int i = 0; i < count; i++) {
        if (!steps[i].row || (steps[i].row->row.conf_size && !steps[i].conf))
            return dt_fail(err, DT_ERR_ARG, NULL, "transform %d has no row or no options", i);
        DT_TRY(check_step(&steps[i], i ? &steps[i - 1] : NULL, exact, size, err));
        if (steps[i].row->stage != DT_STAGE_BATCH) continue;
        p += steps[i].row->probability(steps[i].conf);
        if (p > 1 + 1e-9)
            return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = steps[i].row->row.name },
                           "the p of transforms on batches add up to %g; at most 1, for a batch "
                           "gets one of them",
                           p);
    }
    return DT_OK;
}

dt_status dt_transform_apply(const dt_transform_step *steps, int count, dt_rng *rng, dt_sample *s,
                             dt_error *err)
{
    for (int i = 0; i < count; i++)
        if (steps[i].row->stage == DT_STAGE_BYTES)
            DT_TRY(steps[i].row->apply(steps[i].conf, rng, s, err));
    return DT_OK;
}

void dt_transform_change(const dt_transform_step *steps, int count, dt_rng *rng, dt_extent size,
                         float *x)
{
    for (int i = 0; i < count; i++)
        if (steps[i].row->stage == DT_STAGE_VALUES)
            steps[i].row->change(steps[i].conf, rng, size, x);
}

bool dt_transform_has_mix(const dt_transform_step *steps, int count)
{
    for (int i = 0; i < count; i++)
        if (steps[i].row->stage == DT_STAGE_BATCH) return true;
    return false;
}

bool dt_transform_mix(const dt_transform_step *steps, int count, dt_rng *rng, dt_extent size,
                      dt_mix *out)
{
    double left = dt_rng_uniform(rng);
    for (int i = 0; i < count; i++) {
        if (steps[i].row->stage != DT_STAGE_BATCH) continue;
        double p = steps[i].row->probability(steps[i].conf);
        if (left < p) {
            steps[i].row->mix(steps[i].conf, rng, size, out);
            return true;
        }
        left -= p;
    }
    return false;
}

dt_status dt_transform_need_size(const char *name, const dt_extent *size, dt_error *err)
{
    if (size->H > 0 && size->W > 0) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .key = name },
                   "needs pictures of one size; put random_resized_crop, or resize and "
                   "center_crop, before it");
}
