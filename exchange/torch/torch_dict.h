/* Which dictionary of a PyTorch checkpoint holds the net. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_TORCH_TORCH_DICT_H
#define DT_EXCHANGE_TORCH_TORCH_DICT_H

#include "exchange/import.h"
#include "exchange/torch/pickle.h"

enum { DT_TORCH_DEPTH = 5 }; /* dictionaries in each other */

typedef struct dt_torch_choice {
    const dt_pickle_value *dict[DT_TORCH_DEPTH]; /* from the file's object to the one of the net */
    int depth;
    bool keyed;             /* the job's key was one of the dictionaries */
    char dictionaries[200]; /* what could be chosen, for messages */
} dt_torch_choice;

/* Goes down from the dictionary `root` while one of the containers (foreign_names.h) holds tensors:
 * weights before averages. A dictionary of another name is taken where it is the only one and there
 * are no tensors beside it. The job's key names a dictionary at any depth; if none has its name,
 * `keyed` is false. The job's note tells a choice. FORMAT: several could be meant, and no key says
 * which. */
dt_status dt_torch_choose(dt_import_job *job, const dt_pickle_value *root, dt_torch_choice *out,
                          dt_error *err) DT_MUST_CHECK;

/* Inner tensor of a parameter, and other values as they are. */
const dt_pickle_value *dt_torch_unwrap(const dt_pickle_value *v);
bool dt_torch_is_tensor(const dt_pickle_value *v); /* unwrapped */

#endif
