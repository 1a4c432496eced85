/* The teacher of a distilled net: a float net that is evaluated on every training batch. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_TEACHER_H
#define DT_TRAIN_NET_TEACHER_H

#include "core/file.h"
#include "train/net/net.h"

typedef struct dt_teacher {
    bool enabled;
    dt_net net;
    dt_plan plan;
    dt_exec exec;
    real *logits; /* [batch, classes] of the last batch */
    const dt_alloc *alloc;
    char note[DT_IMPORT_NOTE];  /* what was chosen of its file; "": nothing */
    char sha256[DT_SHA256_HEX]; /* of its parameters and statistics */
} dt_teacher;

/* Builds the float net that `recipe` names as the teacher and reads its checkpoint; nothing without
 * a section `distill`. Errors name the file or distill.teacher. `student` tells the input. */
dt_status dt_teacher_open(dt_teacher *t, const dt_recipe *recipe, const dt_net_input *input,
                          const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
/* The same net without its checkpoint, to count its memory. */
dt_status dt_teacher_count(dt_teacher *t, const dt_recipe *recipe, const dt_net_input *input,
                           const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
void dt_teacher_close(dt_teacher *t);

/* Its plan for batches of this size; t->plan.arena_bytes is what dt_teacher_start wants. */
dt_status dt_teacher_make_plan(dt_teacher *t, const dt_kernels *k, int64_t batch, int threads,
                               bool plain, dt_error *err) DT_MUST_CHECK;
/* `memory` as of dt_exec_init; it may be that of the step, which runs afterwards. */
dt_status dt_teacher_start(dt_teacher *t, const dt_kernels *k, void *memory,
                           dt_error *err) DT_MUST_CHECK;
/* t->logits of a batch of pictures. */
dt_status dt_teacher_run(dt_teacher *t, const float *x, dt_error *err) DT_MUST_CHECK;

#endif
