/* Keys and options that other programs have, and what is here in their place. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "recipes/recipe.h"

#define PROCESSORS                                                                                 \
    "everything runs on processors here (--threads: how many, --isa: which instructions); other "  \
    "machines take what detent export writes (detent list targets)"

const char *dt_recipe_elsewhere(const char *word)
{
    static const struct {
        const char *word, *told;
    } rows[] = {
        { "accelerator", PROCESSORS },
        { "cuda", PROCESSORS },
        { "device", PROCESSORS },
        { "devices", PROCESSORS },
        { "gpu", PROCESSORS },
        { "gpus", PROCESSORS },
        { "batch_size", "the key is data.batch" },
        { "learning_rate", "the key is train.optimizer.lr" },
        { "lr", "the key is train.optimizer.lr" },
        { "num_workers", "--threads is for reading, too" },
        { "workers", "--threads is for reading, too" },
        { "amp", "tensors are float32; bits of quantizers: quant.weights.bits" },
        { "precision", "tensors are float32; bits of quantizers: quant.weights.bits" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].word, word) == 0) return rows[i].told;
    return NULL;
}
