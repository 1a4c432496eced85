/* What libdetent.so has for other languages: few functions, plain types, no structure that can
 * change. A function returns 0, or another number with one line in `error`. What is answered as
 * text is JSON. Names and meanings stay; what is new gets a name of its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DETENT_API_H
#define DETENT_API_H

#include <stddef.h>
#include <stdint.h>

#define DETENT_API 1 /* of detent_api_version */

enum { DETENT_ERROR = 512 };

typedef struct detent_words { /* "key.path=value" */
    const char *const *at;
    size_t count;
} detent_words;

/* Gets a JSON object, valid until it returns; another answer than 0 ends the work. */
typedef int detent_event(void *arg, const char *json);

int detent_api_version(void);
const char *detent_version(void);

/* Where a recipe is wanted, its text does as well: it begins with '{', and relative paths in it
 * start at the working directory. */

/* Trains; events are {"kind": "message" | "progress" | "epoch" | "end", ...}. `threads` 0: all. A
 * run that `event` ended is saved and can go on with `resume`. */
int detent_train(const char *recipe, const detent_words *overrides, const char *folder, int threads,
                 int resume, detent_event *event, void *arg, char error[DETENT_ERROR]);
/* Evaluates a recipe's model.init or a checkpoint on the test split; `event` gets the score. */
int detent_evaluate(const char *path, const detent_words *overrides, int threads,
                    detent_event *event, void *arg, char error[DETENT_ERROR]);

/* Quantizes without training, into a folder, as `detent quantize` does. `path`: a recipe, or a
 * net's .onnx file. `how`: "bits=W4A8", "method=NAME" (a preset), and for a net's file
 * "data=FOLDER" of pictures with "normalize=HOW", in place of the keys data.* and ptq.images.
 * Events are {"kind": "message" | "progress" | "unit" | "end", ...}; "end" has the report that the
 * folder gets. */
int detent_quantize(const char *path, const detent_words *overrides, const detent_words *how,
                    const char *folder, int threads, int resume, detent_event *event, void *arg,
                    char error[DETENT_ERROR]);

/* A network in memory, of a checkpoint or a recipe. Belongs to one thread at a time. */
typedef struct detent_net detent_net;
int detent_net_open(const char *path, const detent_words *overrides, int threads, detent_net **out,
                    char error[DETENT_ERROR]);
void detent_net_close(detent_net *net);
/* Height, width, channels and outputs; axes that a sample lacks are 1. */
void detent_net_sizes(const detent_net *net, int64_t out[4]);
/* The axes of a sample, channels last, the first four of them; how many there are. Of several inputs
 * a sample is one row, their numbers one behind the other. */
int detent_net_shape(const detent_net *net, int64_t dims[4]);
/* Outputs [n,K] of n samples x [n,H,W,C] (or as detent_net_shape tells), normalised as for
 * training. */
int detent_net_forward(detent_net *net, const float *x, int64_t n, float *out,
                       char error[DETENT_ERROR]);
/* The k-th input (output: 0) or output (1) by name, and the axes of a sample of it, channels last;
 * NULL behind the last. Samples and outputs of detent_net_forward have them one behind the other. */
enum { DETENT_AXES = 8 };
const char *detent_net_port(const detent_net *net, int output, int k, int64_t dims[DETENT_AXES],
                            int *rank);
/* Parameters and buffers by number, 0 .. count - 1, in our layouts ([O,KH,KW,I]); the numbers may
 * be written and are used by the next forward pass. */
int64_t detent_net_count(const detent_net *net);
const char *detent_net_tensor(detent_net *net, int64_t i, int64_t dims[DETENT_AXES], int *rank,
                              float **data);
/* What the codes of quantized values mean: for each site {"kind": "grid", "site", "signed", "low",
 * "high", "zero_point", "scale": [groups]}, of uneven levels also "levels"; value = scale (code -
 * zero_point). Sites whose grid follows from what is quantized are left out. */
int detent_net_grids(const detent_net *net, detent_event *event, void *arg,
                     char error[DETENT_ERROR]);
/* Writes it for another runtime; `format` is an exporter's name. */
int detent_net_export(detent_net *net, const char *format, const char *path,
                      char error[DETENT_ERROR]);

#endif
