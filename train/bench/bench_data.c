/* Random pictures as a dataset, for benchmarks: reading one costs a copy, as with CIFAR. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/bench/bench_data.h"

#include <string.h>

#include "core/rng.h"

enum { PICTURES = 256, SAMPLES = 1 << 20 };

typedef struct set {
    const dt_alloc *alloc;
    dt_bench_data_conf conf;
    uint8_t *pictures; /* [PICTURES,H,W,3] */
} set;

static size_t picture_size(const set *s)
{
    return (size_t)(s->conf.side * s->conf.side) * DT_DATA_CHANNELS;
}

static dt_status open_set(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                          dt_error *err)
{
    set *s = dt_get(p->alloc, sizeof *s, "bench");
    if (!s) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for random pictures");
    memcpy(&s->conf, p->conf, sizeof s->conf);
    s->alloc = p->alloc;
    s->pictures = dt_get_array(p->alloc, PICTURES, picture_size(s), "bench");
    if (!s->pictures) {
        dt_put(p->alloc, s);
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for random pictures");
    }
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (size_t i = 0; i < PICTURES * picture_size(s); i++)
        s->pictures[i] = (uint8_t)dt_rng_u32(&rng);
    *out_self = s;
    *out_info = (dt_data_info){ .classes = s->conf.classes,
                                .H = s->conf.side,
                                .W = s->conf.side,
                                .count = { SAMPLES, SAMPLES } };
    return DT_OK;
}

static dt_status read_picture(const void *self, dt_split split, int64_t index, dt_sample *out,
                              dt_error *err)
{
    const set *s = self;
    (void)split;
    DT_TRY(dt_picture_shape(&out->picture, s->conf.side, s->conf.side, err));
    memcpy(out->picture.rgb.data, s->pictures + (size_t)(index % PICTURES) * picture_size(s),
           picture_size(s));
    out->label = (int)(index % s->conf.classes);
    return DT_OK;
}

static void close_set(void *self)
{
    set *s = self;
    dt_put(s->alloc, s->pictures);
    dt_put(s->alloc, s);
}

static const dt_opt opts[] = { DT_OPT_END };

const dt_dataset dt_bench_data = {
    .row = { "random", "random pictures", opts, sizeof(dt_bench_data_conf) },
    .open = open_set,
    .read = read_picture,
    .close = close_set,
};
