/* A hash of what a set holds, for telling whether two machines have the same one. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_LIST_HASH_H
#define DT_DATA_LIST_HASH_H

#include "core/file.h"
#include "data/dataset.h"

/* SHA-256 of the classes, the counts, and the name and label of every sample. Sets whose samples
 * have no names give those of DT_LIST_HASH_PICTURES pictures over each split instead, arrays so many
 * samples with their answers, and what inputs and answers are called. */
enum { DT_LIST_HASH_PICTURES = 256 };
dt_status dt_data_list_hash(const dt_data *data, const dt_alloc *a, char out[DT_SHA256_HEX],
                            dt_error *err) DT_MUST_CHECK;

#endif
