/* What a file of tensors holds: our own checkpoints and everything that can be imported. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_INSPECT_INSPECT_H
#define DT_TRAIN_INSPECT_INSPECT_H

#include "core/file.h"
#include "core/memory.h"
#include "core/tensorfile.h"
#include "dynamics/dynamics.h"
#include "train/inspect/inspect_layers.h"

typedef struct dt_inspection {
    const char *format; /* name of the importer's row: "detent", "torch", "safetensors"; static */
    size_t bytes;       /* of the file */
    bool native;        /* one of our checkpoints; optimizer state is among the tensors */
    bool is_graph;      /* it describes a network, which `model: {onnx: ...}` reads */
    dt_tensors set;     /* tensors and texts, owned */
    char sha256[DT_SHA256_HEX]; /* of weights, buffers and quantizer state: not the optimizer's */
} dt_inspection;

/* Reads a file by its content, if `limit` has room for it (NULL: whatever there is). Errors as
 * dt_import_file, and NOMEM; on failure `out` is untouched. */
dt_status dt_inspect_open(const char *path, const dt_memory_limit *limit, const dt_alloc *a,
                          dt_inspection *out, dt_error *err) DT_MUST_CHECK;
void dt_inspect_close(dt_inspection *inspection);

/* True for a tensor that belongs to the net and not to the run: optimizer, dynamics. */
bool dt_inspect_is_model(const char *name);

/* Where values lie, seen from their grid: DT_INSPECT_BINS bins of equal width from an eighth of the
 * grid's length below its lowest value to an eighth above its highest; what is further out is in
 * the outer bins. */
enum { DT_INSPECT_BINS = 60 };

typedef struct dt_inspect_site {
    const char *name, *method; /* borrowed until the callback returns */
    int bits;
    bool is_signed, weight;
    bool has_grid;  /* codes have an integer meaning: qmin..qmax */
    int qmin, qmax; /* of the first group */
    int64_t groups;
    double scale_low, scale_high; /* smallest and largest of the groups */
    double low, high;             /* values of qmin and qmax */
    int64_t at_floor;             /* groups whose learned range is at its floor */
    bool measured;                /* on pictures: what follows */
    double clipped, sqnr_db;      /* share of values outside of the grid; +inf: nothing lost */
    const int64_t *bin;           /* [DT_INSPECT_BINS], lives as long as `name` */
} dt_inspect_site;
typedef void (*dt_inspect_fn)(void *arg, const dt_inspect_site *site);

/* Of a quantizer's node, with the state's parameters; `fit` with count 0: not measured. */
dt_inspect_site dt_inspect_site_of(const dt_state *state, const dt_node *node,
                                   const struct dt_inspect_fit *fit);

/* What a caller of dt_inspect_sites wants to hear. */
typedef struct dt_inspect_events {
    dt_inspect_fn site;
    void (*layer)(void *arg, const dt_inspect_layer *l); /* conv2d and linear; NULL: not wanted */
    dt_dynamics_report_fn dynamics; /* statistics of the recipe's dynamics; NULL: not wanted */
    void *arg;
    int64_t pictures; /* of the test split, to measure activations on; 0: no dataset is opened */
    const char *const *overrides; /* of the recipe: "data.root=..." */
    size_t override_count;
    dt_memory_limit memory; /* the most to use; 0: whatever there is */
} dt_inspect_events;

/* Calls `site` for every quantization site of one of our checkpoints, in graph order, by building
 * the net that its recipe describes (a dataset is needed for `pictures` only). `out_params`:
 * elements of all parameters. ARG for foreign files; otherwise what a session reports, such as a
 * quantizer of another build. */
dt_status dt_inspect_sites(const dt_inspection *inspection, const char *path,
                           const dt_inspect_events *events, size_t *out_params,
                           dt_error *err) DT_MUST_CHECK;

#endif
