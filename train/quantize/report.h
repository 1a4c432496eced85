/* What came of a quantization, as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_QUANTIZE_REPORT_H
#define DT_TRAIN_QUANTIZE_REPORT_H

#include "train/quantize/quantize.h"

struct json_t; /* of jansson.h, which who uses these includes */

/* The caller's to put back; NULL: no memory. */
struct json_t *dt_quantize_json(const dt_session *s, const dt_quantize_report *r) DT_MUST_CHECK;
/* Writes <folder>/report.json. */
dt_status dt_quantize_write(const char *folder, const struct json_t *o,
                            dt_error *err) DT_MUST_CHECK;
/* Without labels no metric is claimed; the float net is compared with all the same. */
bool dt_quantize_has_labels(const dt_session *s);

/* "8", "W4A8", "w4": bits of weights and activations, 1..8; 0: not said. False: it is no such
 * width. */
bool dt_quantize_bits(const char *text, int *out_weights, int *out_activations);

/* Keys of a recipe. */
enum { DT_QUANTIZE_WORDS = 6 };
typedef struct dt_quantize_words {
    char text[DT_QUANTIZE_WORDS][96];
    int count;
} dt_quantize_words;
/* Appends what makes `r` one that can be quantized at these bits: a method and quantizers where it
 * has none. 0, 0: at its own. */
void dt_quantize_add_words(const dt_recipe *r, int weights, int activations,
                           dt_quantize_words *words);

#endif
