/* Holding a run to its recipe. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/expect.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void dt_expect_tag(const char *isa, const char *blas, char out[DT_EXPECT_TAG])
{
    int n = snprintf(out, DT_EXPECT_TAG, "%s/%s", isa, blas);
    /* A word of a recipe's list: letters, digits and points, as in names of versions. */
    for (int i = (int)strlen(isa) + 1; i < n && i < DT_EXPECT_TAG - 1; i++)
        if (!isalnum((unsigned char)out[i]) && out[i] != '.') out[i] = '-';
}

dt_expect_weights dt_expect_compare(const dt_opt_words *recorded, const char *tag, const char *hex,
                                    const char **out_wanted)
{
    size_t n = strlen(tag);
    *out_wanted = NULL;
    for (int i = 0; i < recorded->count; i++) {
        const char *word = recorded->value[i];
        if (strncmp(word, tag, n) != 0 || word[n] != '=') continue;
        *out_wanted = word + n + 1;
        return strcmp(*out_wanted, hex) == 0 ? DT_WEIGHTS_EQUAL : DT_WEIGHTS_DIFFER;
    }
    return DT_WEIGHTS_UNKNOWN;
}

bool dt_expect_reached(const dt_recipe_expect *e, double percent)
{
    /* Counts of samples in percent: a tolerance that is met exactly is met. */
    return percent >= e->top1 - e->tolerance - 1e-9;
}
