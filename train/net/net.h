/* A recipe's network: its graph, its parameters, and what is done to them before training. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_NET_H
#define DT_TRAIN_NET_NET_H

#include "autograd/exec.h"
#include "core/tensorfile.h"
#include "data/dataset.h"
#include "exchange/import.h"
#include "layers/models.h"
#include "recipes/recipe.h"
#include "tasks/task.h"

typedef struct dt_net {
    dt_graph graph; /* as the model describes it: what is saved, exported and reported */
    dt_graph fused; /* the same for steps, see autograd/fuse.h */
    bool plain;     /* steps run `graph` */
    dt_state state;
    /* Values; of several inputs, answers and outputs the first, see dt_graph_input and the like. */
    int input, labels, logits, loss;
    int targets;   /* of steps that mix pictures; otherwise -1 */
    int teacher;   /* logits of a teacher, an input of steps; -1: none */
    int step_loss; /* of steps: over targets, with a teacher; otherwise `loss` */
    int64_t H, W;
    int classes;              /* that the recipe says: outputs, where there is one */
    dt_goal goal;             /* what it is trained for */
    struct dt_onnx_net *file; /* that the graph is of, until the net is made; NULL: none */
    bool given;               /* that file's quantizers are the sites, with its numbers */
    bool *anew; /* by value: the site with this first parameter starts from data; NULL: all do */
} dt_net;

/* What goes in: a picture of that size, with the range of its values after normalising; or, with a
 * shape [1,...], an array whose range is not known. */
typedef struct dt_net_input {
    int64_t H, W;
    double low, high;
    dt_shape shape;
    bool nonneg;                      /* of an array: no value is negative */
    dt_data_part part[DT_DATA_PARTS]; /* several inputs, whose record `shape` is */
    int parts;                        /* 0: there is one */
} dt_net_input;
/* [1,H,W,3] or the array's; of several inputs the record's, [1,n]. */
dt_shape dt_net_input_shape(const dt_net_input *input);
/* Numbers of one sample that goes in. */
int64_t dt_net_input_count(const dt_net *net);

/* Builds the graph that the recipe describes, and its parameters at their initial values. */
dt_status dt_net_init(dt_net *net, dt_recipe *recipe, const dt_net_input *input, bool with_grads,
                      const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
/* Bytes of the parameters and buffers of that graph, which is built and given back. */
dt_status dt_net_count(dt_recipe *recipe, const dt_net_input *input, const dt_alloc *a,
                       size_t *out_bytes, dt_error *err) DT_MUST_CHECK;
void dt_net_fini(dt_net *net);
/* For dt_net_init: puts fold_norm nodes around the quantizers of weights that a batch norm follows
 * (net_fold.c). Error: NOT_FOUND, there are none. */
dt_status dt_net_fold(dt_net *net, dt_error *err) DT_MUST_CHECK;

/* The graph that training and evaluation plan. */
const dt_graph *dt_net_steps(const dt_net *net);
/* What of it a plan wants: the loss, of TRAIN that of steps, and outputs, of TRAIN those with a
 * task. Returns how many. */
enum { DT_NET_WANTED = DT_GOAL_PARTS + 2 };
int dt_net_wanted(const dt_net *net, dt_mode mode, int out[DT_NET_WANTED]);
/* What passes over the graph keep: all of that. */
int dt_net_keep(const dt_net *net, int out[DT_NET_WANTED]);
/* The value of a part of the goal. */
int dt_net_output(const dt_net *net, int part);

/* What came of importing tensors by name. The lists name up to DT_NET_NAMES of them. */
enum { DT_NET_NAMES = 8 };
typedef struct dt_net_report {
    int matched, missing, unexpected; /* all that are unexpected were allowed */
    const char *missing_name[DT_NET_NAMES], *unexpected_name[DT_NET_NAMES]; /* borrowed */
    int reinit;          /* that stay as they are */
    bool has_quantizers; /* the file had state of quantizers */
    /* Parameters of quantizers that it has not, though it has others; the first. */
    int quantizers_missing;
    const char *missing_quantizer;
    int converted; /* quantizers whose state was that of another form (net_convert.h) */
} dt_net_report;

/* A file's tensors, and what may be amiss with them. */
typedef struct dt_net_file {
    const dt_tensors *set;
    const char *path;            /* for messages, with `key` */
    const char *key;             /* of the recipe that names the file; NULL: none */
    const dt_importer *importer; /* says what is beside the net; NULL: nothing is */
    bool native;                 /* in the engine's layouts; else conv weights are [O,I,KH,KW] */
    bool allow_missing;          /* what is missing stays as it is */
    const dt_opt_words *reinit;  /* patterns of parameters that stay as they are, of a native file
                                  * those of another shape only; NULL: none */
    const dt_opt_words *allow;   /* patterns of unexpected tensors that are left out; NULL: none */
    const char *missing_advice;  /* what allows them, for messages; NULL: nothing does */
    const char *unexpected_advice;
} dt_net_file;

/* Copies tensors whose names and shapes fit. Quantizer state may be missing: it is initialised from
 * data, and that of a site in another form is left out. A wrong shape is SHAPE; a missing or
 * unexpected tensor that is not allowed NOT_FOUND, and so is a file of less than a quarter of the
 * net's tensors, whatever is allowed; a value that is not finite or a negative variance NUMERIC.
 * Nothing is changed on failure. */
dt_status dt_net_import(dt_net *net, const dt_net_file *file, dt_net_report *out_report,
                        dt_error *err) DT_MUST_CHECK;

/* Whether a file has all parameters of a site, or such as are read into them (`out_converted`). */
bool dt_net_has_site(const dt_graph *g, const dt_node *site, const dt_tensors *set,
                     bool *out_converted);
/* Refuses learned ranges that are none: a scale that is not finite or not positive would be used as
 * another one (NUMERIC; the text names `path`, site, group and number). Of the sites of `sites`, a
 * graph over the net's values, but for those that start `anew` (by value, see dt_net; NULL: none
 * does). */
dt_status dt_net_check_ranges(const dt_graph *sites, const dt_state *state, const bool *anew,
                              const char *path, dt_error *err) DT_MUST_CHECK;

/* Adds all parameters and buffers to a set, in the engine's own layout ([O,KH,KW,I]) or torch's.
 * Native data is borrowed from the net. */
dt_status dt_net_export(const dt_net *net, bool native, dt_tensors *set,
                        dt_error *err) DT_MUST_CHECK;

/* The file that the recipe's model is read from; NULL: none. */
const dt_model_source *dt_net_model_file(const dt_recipe *recipe);
/* Does that file have weights? */
bool dt_net_brings_weights(const dt_recipe *recipe);
/* What that file says of a sample, with a batch of one; rank 0: nothing, or there is none. */
dt_status dt_net_file_input(const dt_recipe *recipe, dt_shape *out, dt_error *err) DT_MUST_CHECK;

bool dt_net_is_quantized(const dt_net *net); /* has sites */

/* Makes every batch-norm scale non-negative, exactly: (w, b, mean, gamma) -> (-w, -b, -mean,
 * |gamma|) for each channel with gamma < 0 whose input is a conv that nothing else reads. Returns
 * how many channels were changed; `out_small` counts those with |gamma| below 1e-3. */
int dt_net_make_gamma_positive(dt_net *net, int *out_small);

/* Starts quantizers from data: runs a batch of samples forward, norms by its statistics, each
 * quantizer starting from what reaches it. Calls `site` for each in graph order. */
typedef struct dt_site_report {
    const char *name;
    const char *method;
    int bits;
    bool is_signed, weight;
    int64_t groups;
    double scale;   /* of the first group */
    double sqnr_db; /* signal to quantization noise at the start */
} dt_site_report;
typedef void (*dt_site_fn)(void *arg, const dt_site_report *report);
/* `init` false: parameters are left alone, only the report is made. */
dt_status dt_net_calibrate(dt_net *net, const dt_kernels *k, int threads, const float *x,
                           const void *answers, int64_t batch, bool init, dt_site_fn site,
                           void *arg, const dt_alloc *a, dt_error *err) DT_MUST_CHECK;

/* The graph of a phase, over the net's values (net_phase.c). Errors name the site or the key. */
dt_status dt_net_phase(const dt_net *net, const dt_recipe_phase *phase, const dt_alloc *a,
                       dt_graph *out, dt_error *err) DT_MUST_CHECK;
/* Whether a site is none of `before` (NULL: no site is), or has other bits there. */
bool dt_net_is_new_site(const dt_graph *before, const dt_node *site);
/* As dt_net_calibrate, of a phase's graph: only sites that are new, norms as the phase has them. */
dt_status dt_net_calibrate_phase(dt_net *net, const dt_graph *graph, const dt_graph *before,
                                 dt_norms norms, const dt_kernels *k, int threads, const float *x,
                                 const void *answers, int64_t batch, bool init, dt_site_fn site,
                                 void *arg, const dt_alloc *a, dt_error *err) DT_MUST_CHECK;

#endif
