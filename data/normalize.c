/* Normalisation by table. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/normalize.h"

const dt_normalize dt_normalizes[DT_NORMALIZE_COUNT] = {
    { "imagenet", { 0.485f, 0.456f, 0.406f }, { 0.229f, 0.224f, 0.225f } },
    { "cifar", { 0.491f, 0.482f, 0.447f }, { 0.247f, 0.243f, 0.262f } },
    { "none", { 0.0f, 0.0f, 0.0f }, { 1.0f, 1.0f, 1.0f } },
    { "half", { 0.5f, 0.5f, 0.5f }, { 0.5f, 0.5f, 0.5f } },
};

static dt_status channels(const dt_opt_floats *from, const char *key, float otherwise, float *out,
                          dt_error *err)
{
    if (from->count != 0 && from->count != 1 && from->count != DT_DATA_CHANNELS)
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = key },
                       "has %d numbers; one, or one for each of the 3 channels", from->count);
    for (int c = 0; c < DT_DATA_CHANNELS; c++)
        out[c] = from->count ? (float)from->value[from->count > 1 ? c : 0] : otherwise;
    return DT_OK;
}

dt_status dt_normalize_of(const dt_data_conf *c, dt_normalize *room, const dt_normalize **out,
                          dt_error *err)
{
    if (c->normalize < DT_NORMALIZE_COUNT) {
        *out = &dt_normalizes[c->normalize];
        return DT_OK;
    }
    *room = (dt_normalize){ .name = "own", .levels = c->range == 1 };
    DT_TRY(channels(&c->mean, "data.normalize.mean", 0, room->mean, err));
    DT_TRY(channels(&c->std, "data.normalize.std", 1, room->std, err));
    *out = room;
    return DT_OK;
}

void dt_normalize_fill(const dt_normalize *n, dt_normalize_table *out_table)
{
    for (int c = 0; c < DT_DATA_CHANNELS; c++)
        for (int v = 0; v < 256; v++) {
            float unit = n->levels ? (float)v : (float)v / 255.0f;
            out_table->value[c][v] = (unit - n->mean[c]) / n->std[c];
        }
}

void dt_normalize_range(const dt_normalize *n, float *out_min, float *out_max)
{
    dt_normalize_table t;
    dt_normalize_fill(n, &t);
    float lo = t.value[0][0], hi = lo;
    for (int c = 0; c < DT_DATA_CHANNELS; c++)
        for (int v = 0; v < 256; v++) {
            if (t.value[c][v] < lo) lo = t.value[c][v];
            if (t.value[c][v] > hi) hi = t.value[c][v];
        }
    *out_min = lo;
    *out_max = hi;
}

void dt_normalize_apply(const dt_normalize_table *table, int64_t pixels, const uint8_t *picture,
                        float *out_values)
{
    for (int64_t i = 0; i < pixels; i++)
        for (int c = 0; c < DT_DATA_CHANNELS; c++)
            out_values[3 * i + c] = table->value[c][picture[3 * i + c]];
}
