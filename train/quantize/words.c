/* What widths mean as keys of a recipe. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "train/quantize/report.h"

bool dt_quantize_bits(const char *text, int *weights, int *activations)
{
    char *end;
    *weights = *activations = 0;
    if (*text != 'W' && *text != 'w') {
        *weights = *activations = (int)strtol(text, &end, 10);
        return end != text && !*end && *weights >= 1 && *weights <= 8;
    }
    *weights = (int)strtol(text + 1, &end, 10);
    if (end == text + 1 || *weights < 1 || *weights > 8) return false;
    if (!*end) return true;
    if (*end != 'A' && *end != 'a') return false;
    const char *second = end + 1;
    *activations = (int)strtol(second, &end, 10);
    return end != second && !*end && *activations >= 1 && *activations <= 8;
}

static void add(dt_quantize_words *words, const char *key, const char *value)
{
    snprintf(words->text[words->count++], sizeof words->text[0], "%s=%s", key, value);
}

static void add_side(dt_quantize_words *words, const char *side, int bits, bool is_float)
{
    char key[48], value[8];
    if (!bits) return;
    snprintf(key, sizeof key, "quant.%s.bits", side);
    snprintf(value, sizeof value, "%d", bits);
    add(words, key, value);
    snprintf(key, sizeof key, "quant.%s.method", side);
    if (is_float) add(words, key, "lsq");
}

void dt_quantize_add_words(const dt_recipe *r, int weights, int activations,
                           dt_quantize_words *words)
{
    const bool is_float = !r->quant.enabled;
    if (!r->ptq.enabled) add(words, "ptq.method", "blockwise");
    if (is_float && weights && !activations) activations = 8;
    add_side(words, "weights", weights, is_float);
    add_side(words, "activations", activations, is_float);
}
