/* Exporters: one row in exporters.def and one file export_<name>.c for each format. They read the
 * graph and its state and nothing else, so a network of any origin can be written. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_EXPORTER_H
#define DT_EXCHANGE_EXPORTER_H

#include "autograd/exec.h"
#include "core/opt.h"
#include "core/tensorfile.h"
#include "integer/model.h"

/* What is written; everything is borrowed. */
typedef struct dt_export_source {
    const char *name; /* of the recipe */
    const dt_graph *graph;
    const dt_state *state;
    int input, logits;               /* values: the picture [N,H,W,C], and the output [N,classes];
                                        of several the first, the others are ports of the graph */
    const float *mean, *std;         /* [C], of pictures in 0..1; NULL: not known */
    bool levels;                     /* of pictures in 0..255 */
    const char *classes;             /* their names, a line each; NULL: not known */
    const char *class_output;        /* of several outputs the one that has these; NULL: none */
    const struct dt_text_attr *attr; /* texts to keep: recipe, hash */
    size_t attr_count;
    const char *version; /* of the writing program; NULL: not told */
    const dt_alloc *alloc;
} dt_export_source;

dt_lower_source dt_export_lower(const dt_export_source *src);
/* Refuses networks with parts that have no quantizer, and names them. */
dt_status dt_export_check_integer(const dt_export_source *src, const dt_lowered *l,
                                  dt_error *err) DT_MUST_CHECK;
/* The integer model of a lowering, for formats that are written node by node from it. */
dt_status dt_export_model(const dt_export_source *src, const dt_lowered *l, const char *contract,
                          dt_int_model **out, dt_error *err) DT_MUST_CHECK;

/* What a file holds, for people. */
enum { DT_EXPORT_KINDS = 24, DT_EXPORT_KIND_TEXT = 32 };
typedef struct dt_export_count {
    char name[DT_EXPORT_KIND_TEXT];
    int count;
} dt_export_count;
typedef struct dt_export_report {
    size_t bytes;
    char format[64];                         /* "ONNX opset 13, IR 7" */
    dt_export_count part[DT_EXPORT_KINDS];   /* nodes by type, or tensors by element type */
    dt_export_count layer[DT_EXPORT_KINDS];  /* layers by bits: "w4 a4" */
    dt_export_count memory[DT_EXPORT_KINDS]; /* bytes of what a program holds: "weights", ... */
    int part_count, layer_count, memory_count;
    size_t weight_bytes;  /* of the codes of weights in the file */
    size_t trained_bytes; /* what they need at their bits: see dt_export_low_bytes */
    int floats;           /* nodes that have no integer form and stay in float */
    int missing;          /* sites without a quantizer in what should be an integer model */
    double integer_macs;  /* of what stays in float in parts: see dt_lower_macs */
    const char *depends; /* on what in a runtime its results depend, a static text; NULL: on none */
} dt_export_report;

typedef struct dt_exporter {
    dt_row row;
    const char *extension; /* "onnx" */
    bool no_gain;          /* writes the lowering without gain, see dt_lower_source */
    /* Writes the file, atomically. `conf`: the row's options (NULL when it has none). `path` NULL:
     * everything is checked and reported, nothing is written. The same source gives the same
     * bytes. Errors: UNSUPPORTED (the format cannot say it; names the layer), NUMERIC, IO, NOMEM.
     */
    dt_status (*write)(const dt_export_source *src, const void *conf, const char *path,
                       dt_export_report *out_report, dt_error *err);
} dt_exporter;

extern const dt_table dt_exporters; /* kind "exporter"; rows are dt_exporter */

/* The descriptor whose first member is `row`. */
const dt_exporter *dt_exporter_of(const dt_row *row);

/* Bits of a conv or linear, as "w4 a8"; "float" stands where there is no quantizer. */
void dt_export_bits(const dt_graph *g, const dt_node *layer, char text[DT_EXPORT_KIND_TEXT]);
/* Counts the layers that the logits need, by bits, into report->layer. */
void dt_export_count_layers(const dt_export_source *src, dt_export_report *report);
/* What a file of these tensors holds, for formats that are only tensors. */
void dt_export_describe_tensors(const dt_export_source *src, const dt_tensors *set,
                                const char *format, dt_export_report *report);
/* Bytes of `count` weights of `bits` each, the last byte filled up: ceil(count bits / 8). */
size_t dt_export_low_bytes(size_t count, int bits);
/* Adds one to the entry of that name; silently drops what does not fit. */
void dt_export_tally(dt_export_count *list, int *count, const char *name);

#endif
