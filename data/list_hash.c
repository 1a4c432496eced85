/* Hashes of sets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/list_hash.h"

#include <string.h>

static void add_number(dt_sha256 *h, int64_t x)
{
    dt_sha256_add(h, &x, sizeof x);
}

static void add_text(dt_sha256 *h, const char *text)
{
    dt_sha256_add(h, text, strlen(text) + 1);
}

static dt_status add_names(dt_sha256 *h, const dt_data *data, dt_split split, const dt_alloc *a,
                           dt_error *err)
{
    dt_status st = DT_OK;
    dt_sample_name *name = dt_get(a, sizeof *name, "data");
    if (!name) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a name");
    for (int64_t i = 0; st == DT_OK && i < dt_data_count(data, split); i++) {
        st = dt_data_name(data, split, i, name, err);
        if (st != DT_OK) break;
        add_text(h, name->name);
        add_number(h, name->label);
    }
    dt_put(a, name);
    return st;
}

static dt_status add_picture(dt_sha256 *h, const dt_data *data, dt_split split, int64_t i,
                             dt_sample *at, dt_error *err)
{
    DT_TRY(dt_data_read(data, split, i, at, err));
    const dt_picture *p = &at->picture;
    add_number(h, at->label);
    dt_sha256_add(h, p->rgb.data, (size_t)(p->H * p->W * DT_DATA_CHANNELS));
    return DT_OK;
}

static dt_status add_pictures(dt_sha256 *h, const dt_data *data, dt_split split, const dt_alloc *a,
                              dt_error *err)
{
    dt_sample at;
    dt_status st = DT_OK;
    int64_t n = dt_data_count(data, split),
            k = DT_LIST_HASH_PICTURES < n ? DT_LIST_HASH_PICTURES : n;
    dt_sample_init(&at, a);
    for (int64_t i = 0; st == DT_OK && i < k; i++)
        st = add_picture(h, data, split, i * n / k, &at, err);
    dt_sample_fini(&at);
    return st;
}

static void add_shape(dt_sha256 *h, const dt_shape *s)
{
    add_number(h, s->rank);
    for (int i = 0; i < s->rank; i++)
        add_number(h, s->dim[i]);
}

/* What samples of arrays are. */
static void add_ports(dt_sha256 *h, const dt_data_info *info)
{
    add_shape(h, &info->input);
    for (int i = 0; i < info->parts; i++) {
        add_text(h, info->part[i].name);
        add_shape(h, &info->part[i].shape);
    }
    for (int i = 0; i < info->targets; i++) {
        add_text(h, info->target[i].name);
        add_number(h, info->target[i].numbers);
    }
}

static size_t answer_bytes(const dt_data_info *info)
{
    if (info->answers_itself) return 0;
    return info->answer == DT_ANSWER_LABEL ? sizeof(int32_t)
                                           : (size_t)info->answers * sizeof(float);
}

static dt_status add_arrays(dt_sha256 *h, const dt_data *data, dt_split split, const dt_alloc *a,
                            dt_error *err)
{
    const dt_data_info *info = dt_data_info_of(data);
    const size_t x = (size_t)dt_shape_count(&info->input) * sizeof(float), y = answer_bytes(info);
    const int64_t n = dt_data_count(data, split);
    const int64_t k = DT_LIST_HASH_PICTURES < n ? DT_LIST_HASH_PICTURES : n;
    dt_bytes room = { .alloc = a };
    unsigned char *sample = dt_get(a, x + y, "data");
    dt_status st = sample ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a sample");
    for (int64_t i = 0; st == DT_OK && i < k; i++) {
        st = dt_data_take(data, split, i * n / k, &room, (float *)(void *)sample, sample + x, err);
        if (st == DT_OK) dt_sha256_add(h, sample, x + y);
    }
    dt_put(a, sample);
    dt_put(a, room.data);
    return st;
}

/* Whether samples have names is asked of the first. */
static dt_status add_split(dt_sha256 *h, const dt_data *data, dt_split split, const dt_alloc *a,
                           dt_error *err)
{
    int64_t n = dt_data_count(data, split);
    add_number(h, n);
    if (n == 0) return DT_OK;
    if (dt_data_info_of(data)->input.rank) return add_arrays(h, data, split, a, err);
    dt_sample_name *name = dt_get(a, sizeof *name, "data");
    if (!name) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a name");
    dt_status st = dt_data_name(data, split, 0, name, NULL);
    dt_put(a, name);
    return st == DT_ERR_UNSUPPORTED ? add_pictures(h, data, split, a, err)
                                    : add_names(h, data, split, a, err);
}

dt_status dt_data_list_hash(const dt_data *data, const dt_alloc *a, char out[DT_SHA256_HEX],
                            dt_error *err)
{
    dt_sha256 h;
    const dt_data_info *info = dt_data_info_of(data);
    dt_sha256_init(&h);
    add_number(&h, info->classes);
    add_number(&h, info->H);
    add_number(&h, info->W);
    for (int i = 0; info->class_names && i < info->classes; i++)
        add_text(&h, info->class_names[i]);
    if (info->input.rank) add_ports(&h, info);
    DT_TRY(add_split(&h, data, DT_SPLIT_TRAIN, a, err));
    DT_TRY(add_split(&h, data, DT_SPLIT_TEST, a, err));
    dt_sha256_end(&h, out);
    return DT_OK;
}
