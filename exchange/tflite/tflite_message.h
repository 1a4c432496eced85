/* A TFLite model under construction: one subgraph, its tensors and operators, as a flatbuffer.
 * Facts of the schema (tensorflow/lite schema.fbs, version 3): numbers of fields, of operators, of
 * their options and of element types. The first failure (memory) sticks and is told when packing.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_TFLITE_TFLITE_MESSAGE_H
#define DT_EXCHANGE_TFLITE_TFLITE_MESSAGE_H

#include "core/shape.h"
#include "exchange/exporter.h"

typedef enum dt_tfl_type { /* numbers of the format */
                           DT_TFL_FLOAT = 0,
                           DT_TFL_S32 = 2,
                           DT_TFL_S8 = 9,
                           DT_TFL_S4 = 17,
} dt_tfl_type;

typedef enum dt_tfl_op {
    DT_TFL_ADD,
    DT_TFL_AVERAGE_POOL_2D,
    DT_TFL_CAST,
    DT_TFL_CONCATENATION,
    DT_TFL_CONV_2D,
    DT_TFL_DEPTHWISE_CONV_2D,
    DT_TFL_GATHER,
    DT_TFL_MAXIMUM,
    DT_TFL_MAX_POOL_2D,
    DT_TFL_MEAN,
    DT_TFL_MINIMUM,
    DT_TFL_MUL,
    DT_TFL_PAD,
    DT_TFL_PADV2,
    DT_TFL_RESHAPE,
    DT_TFL_RESIZE_NEAREST,
    DT_TFL_STRIDED_SLICE,
    DT_TFL_SUB,
    DT_TFL_TRANSPOSE,
    DT_TFL_OPS
} dt_tfl_op;

enum { DT_TFL_MAX_IN = 16, DT_TFL_MAX_OPTIONS = 8 };

/* A tensor: `data` NULL is computed, otherwise it is a constant. Scales are along `axis`. Elements
 * of DT_TFL_S4 come one a byte and are packed. */
typedef struct dt_tfl_tensor {
    const char *name;
    dt_tfl_type type;
    dt_shape shape; /* rank 0: a scalar */
    const void *data;
    const float *scale; /* [scales]; NULL: not quantized */
    int64_t scales;
    int zero_point, axis;
    int bits; /* of trained weights, for the report; 0: none */
} dt_tfl_tensor;

typedef struct dt_tflite dt_tflite;

dt_tflite *dt_tflite_new(const dt_alloc *a) DT_MUST_CHECK; /* NULL: no memory */
void dt_tflite_free(dt_tflite *m);                         /* NULL is fine */

/* Both copy what they are given. A tensor's number. */
int dt_tflite_tensor(dt_tflite *m, const dt_tfl_tensor *t);
/* `in` has in_count tensors, -1 is one left out. options: values of the operator's option fields in
 * the order of the schema, as many as tflite_message.c lists for it. */
void dt_tflite_node(dt_tflite *m, dt_tfl_op op, const int *in, int in_count, int out,
                    const int *options);

/* Name of an operator by its number in the format; others are called by that. */
void dt_tflite_operator(int64_t code, char name[DT_EXPORT_KIND_TEXT]);
void dt_tflite_describe(const dt_tflite *m, dt_export_report *report);
/* A file's text beside the model, by name (Model.metadata). */
void dt_tflite_metadata(dt_tflite *m, const char *name, const char *text);
/* The file's bytes, to be given back with dt_put(a, .). */
typedef struct dt_tflite_ends {
    int input[DT_GRAPH_PORTS], inputs, output[DT_GRAPH_PORTS], outputs; /* tensors */
    const char *in_name[DT_GRAPH_PORTS], *name[DT_GRAPH_PORTS];         /* in the signature */
} dt_tflite_ends;
dt_status dt_tflite_pack(dt_tflite *m, const char *description, const dt_tflite_ends *ends,
                         unsigned char **out_bytes, size_t *out_size, dt_error *err) DT_MUST_CHECK;

/* The bytes of a file are the model's: they can be read, and all its constants are there. A
 * dt_file_check; `model` is the dt_tflite. */
dt_status dt_tflite_check(void *model, const char *path, const unsigned char *bytes, size_t size,
                          dt_error *err) DT_MUST_CHECK;

#endif
