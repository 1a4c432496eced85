/* What a file says of its own use, to those who have the file alone: the classes, how a picture is
 * laid out and normalised, what codes mean at both ends. The same keys and texts in every format:
 *
 *   class.names    the classes in the order of the outputs, a line each
 *   input.layout   "NCHW", "NHWC"
 *   input.size     "32 32": height and width
 *   input.colour   "RGB"
 *   input.range    "1" or "255": what the greatest level of a pixel is before
 *   input.mean     is subtracted and
 *   input.std      divides: a number for each channel
 *   input.grid     {"scale":..,"zero_point":..,"low":..,"high":..} of the first quantizer
 *   inputs         "sound 20 10 1;told 4": of several their names and shapes, in place of those
 *   output.grid    the same of the output; of several
 *   outputs        "class 10;box 4": their names and how many numbers each has
 *   output.grids   {"class":{"scale":..,..},"box":{..}}
 *   class.output   the one that has classes with names
 *
 * What is not known is left out. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_USAGE_H
#define DT_EXCHANGE_USAGE_H

#include "exchange/exporter.h"

enum { DT_USAGE_TEXTS = 14 };

typedef struct dt_usage {
    struct dt_text_attr text[DT_USAGE_TEXTS];
    int count;
} dt_usage;

typedef struct dt_usage_ends {
    const char *layout;                          /* of the file's input; of pictures */
    const dt_lower_grid *input;                  /* NULL: none, or not on codes */
    const dt_lower_grid *output[DT_GRAPH_PORTS]; /* the same, in the order of the ports */
    int offset; /* of the file's codes to those of the grids: 0, -128 */
} dt_usage_ends;

/* Texts in the arena. Errors: NOMEM. */
dt_status dt_usage_make(const dt_export_source *src, const dt_usage_ends *ends, dt_arena *arena,
                        dt_usage *out, dt_error *err) DT_MUST_CHECK;
/* The ends of a lowering: the quantizers that read the input and make outputs. */
dt_usage_ends dt_usage_of_lowered(const dt_lowered *l, const char *layout);
/* And of the integer model that was made of it. */
dt_usage_ends dt_usage_of_model(const dt_int_model *m, const char *layout, int offset);

/* The texts as attributes of a set of tensors. */
dt_status dt_usage_add(const dt_export_source *src, const dt_usage_ends *ends, dt_tensors *set,
                       dt_error *err) DT_MUST_CHECK;
/* The text of a key; NULL: not known. */
const char *dt_usage_get(const dt_usage *u, const char *key);

#endif
