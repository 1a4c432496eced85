/* Random pictures as a dataset that no recipe can name. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_BENCH_BENCH_DATA_H
#define DT_TRAIN_BENCH_BENCH_DATA_H

#include "data/dataset.h"

/* Its configuration: square pictures of `side` pixels, labels below `classes`. */
typedef struct dt_bench_data_conf {
    int64_t side;
    int classes;
} dt_bench_data_conf;

extern const dt_dataset dt_bench_data;

#endif
