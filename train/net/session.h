/* A session: a recipe with its kernels, dataset and network. Training, evaluation and export start
 * from one. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_SESSION_H
#define DT_TRAIN_NET_SESSION_H

#include "core/memory.h"
#include "data/loader.h"
#include "dynamics/dynamics.h"
#include "train/net/share.h"
#include "train/net/teacher.h"

typedef enum dt_init_source { /* where the parameters came from */
                              DT_INIT_RANDOM,
                              DT_INIT_FILE,      /* the file that the model is read from */
                              DT_INIT_FOREIGN,   /* PyTorch or safetensors file */
                              DT_INIT_CHECKPOINT /* Detent's own */
} dt_init_source;

struct dt_session;

typedef struct dt_session_params {
    dt_recipe *recipe;
    int threads;       /* 0: all processors */
    const char *isa;   /* highest kernel tier; NULL: the best */
    bool training;     /* gradients are wanted, and the recipe's dynamics */
    bool gradients;    /* these without dynamics */
    bool dynamics;     /* these without gradients: to check them or to read their state */
    bool teacher;      /* read the teacher of `distill`, as training does: to check it */
    bool plain;        /* run the graph without the fusing pass */
    bool scores;       /* outputs are compared with the set's answers: it must have them */
    dt_data_need need; /* splits of the dataset that will be read; the others need not be there */
    bool no_data;   /* the dataset is opened only if neither `model.init` nor the model's own file
                       tells what a sample is */
    bool calibrate; /* every quantizer starts from data, whatever the file has */
    bool skip_init; /* parameters stay random: a resumed run brings its own */
    /* What is counted before it is taken (budget.h), beside the session itself. */
    dt_memory_limit memory;
    int64_t eval_batch;   /* evaluation at this batch; 0: none */
    const char *eval_key; /* that tells it */
    bool calibrates;      /* a calibration, though `calibrate` does not ask for one */
    /* More, from s->alloc, given back when it returns; `out_key`: of the largest plan's batch. */
    dt_status (*rest)(void *arg, struct dt_session *s, const char **out_key, dt_error *err);
    void *rest_arg;
    const dt_alloc *alloc;
} dt_session_params;

typedef struct dt_session {
    dt_recipe *recipe;
    const dt_alloc *alloc;
    dt_kernels kernels;
    int threads;
    dt_memory_limit memory; /* the most that may be used when the dataset is opened; 0: no limit */
    dt_data *data;          /* may be NULL with no_data */
    const dt_data_conf *data_conf;
    const dt_normalize *normalize;
    dt_normalize own_normalize; /* where that is no row of the table */
    dt_extent picture;          /* that the network sees */
    dt_shape file_input;        /* what the model's own file says, where nothing else does */
    dt_net net;
    dt_dynamics dynamics; /* without rows unless training or dynamics was asked for */
    dt_teacher teacher;   /* of recipes with `distill`, if training or teacher was asked for */
    dt_init_source source;
    dt_net_report report;
    char init_note[DT_IMPORT_NOTE]; /* what was chosen of `model.init`; "": nothing */
    dt_tensors init;      /* the file that was read, under our names; names of the report are its */
    dt_tensors init_file; /* what it borrows from, of foreign files */
    char *classes;        /* their names, a line each; NULL: not known (source.h) */
    bool quantizers_ready; /* there are none, or they have state */
    int kept;              /* quantizers that keep the file's state, see dt_session_judge */
} dt_session;

dt_status dt_session_open(dt_session *s, const dt_session_params *p, dt_error *err) DT_MUST_CHECK;
/* The first parts of it, for those who need no network: what the recipe and the machine say, and
 * the dataset with the size that its pictures get. */
dt_status dt_session_start(dt_session *s, dt_recipe *recipe, int threads, const dt_alloc *alloc,
                           dt_error *err) DT_MUST_CHECK;
/* What the opened data set, or the checkpoint of model.init, gives a net. FORMAT */
dt_status dt_session_input(const dt_session *s, dt_net_input *out, dt_error *err) DT_MUST_CHECK;
dt_status dt_session_open_data(dt_session *s, dt_data_need need, dt_error *err) DT_MUST_CHECK;
/* A part of dt_session_open, for budget.c. */
dt_status dt_session_open_dynamics(dt_session *s, dt_error *err) DT_MUST_CHECK;
void dt_session_close(dt_session *s);

/* The transforms of a split, into `out` with room for DT_TRANSFORM_MAX. */
dt_status dt_session_steps(const dt_recipe *r, dt_split split, dt_transform_step *out,
                           int *out_count, dt_error *err) DT_MUST_CHECK;
/* A loader over a split with the recipe's settings. */
dt_status dt_session_loader(dt_session *s, dt_split split, int64_t batch, dt_loader **out_loader,
                            dt_error *err) DT_MUST_CHECK;
/* The training batches of one process: a share of every step's. */
dt_status dt_session_train_loader(dt_session *s, const dt_share *share, dt_loader **out_loader,
                                  dt_error *err) DT_MUST_CHECK;

/* The same with the transforms of another split. */
dt_status dt_session_loader_as(dt_session *s, dt_split split, dt_split transforms, int64_t batch,
                               dt_loader **out_loader, dt_error *err) DT_MUST_CHECK;

/* Starts the quantizers of a phase's graph that the graph before lacks or has at other bits. */
dt_status dt_session_calibrate_phase(dt_session *s, const dt_graph *graph, const dt_graph *before,
                                     dt_norms norms, dt_site_fn site, void *arg,
                                     dt_error *err) DT_MUST_CHECK;

/* Which sites of `g`, the net's graph or that of a phase, keep the file's state: those that it has
 * and that were what they are here, in method, bits, sign, groups and codes (fakequant/kind.h).
 * Others start anew (net.anew); all do if `calibrate`. A file that does not say is taken at the
 * recipe's word, and all keep what the model's own file brings (net.given). Called by
 * dt_session_open with the net's graph, but for training. NUMERIC: what is kept is no range. */
dt_status dt_session_judge(dt_session *s, const dt_graph *g, bool calibrate,
                           dt_error *err) DT_MUST_CHECK;
/* A line for each site that starts anew though the file has quantizers, and what the file leaves
 * open. `say` may be NULL. */
void dt_session_tell_sites(const dt_session *s, const dt_graph *g,
                           void (*say)(void *arg, const char *text), void *arg);
/* The first such site and why, in `text`; how many there are. */
int dt_session_anew(const dt_session *s, const dt_graph *g, char *text, size_t size);

/* Makes gammas non-negative (nets that come without quantizer state) and starts the quantizers from
 * the first training batch. `out_flipped`, `out_small`: see dt_net_make_gamma_positive. */
dt_status dt_session_calibrate(dt_session *s, dt_site_fn site, void *arg, int *out_flipped,
                               int *out_small, dt_error *err) DT_MUST_CHECK;

/* Everything that a recipe can name in this build. */
extern const dt_recipe_tables dt_tables;

/* Reads the file job->path, our own or foreign, by content; of the job's bytes nothing is left. */
dt_status dt_read_tensors(dt_import_job *job, dt_tensors *out, const dt_importer **out_importer,
                          dt_error *err) DT_MUST_CHECK;

#endif
