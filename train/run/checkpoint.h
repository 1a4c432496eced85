/* A run's state on disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_CHECKPOINT_H
#define DT_TRAIN_RUN_CHECKPOINT_H

#include "core/dir.h"
#include "train/run/optim_state.h"
#include "train/run/run.h"

/* Copies all that evaluations may change: values of the net and the state of dynamics. The caller
 * ends the set. */
dt_status dt_checkpoint_keep(const dt_session *s, dt_tensors *out, dt_error *err) DT_MUST_CHECK;
/* A file is named by a folder that is held and its name there, or by NULL and its path. */
/* Writes parameters, buffers, optimizer state, position and recipe, atomically. `before`: training
 * goes on from these values, and what differs from them is an evaluation's that an undisturbed run
 * does not make here; they are written beside it as "resume/<name>". NULL: nothing is. */
dt_status dt_checkpoint_save(const dt_dir *in, const char *name, const dt_session *s,
                             const dt_optim_state *o, const dt_run_position *at,
                             const dt_tensors *before, dt_error *err) DT_MUST_CHECK;
/* The net alone, without a run's position: parameters, buffers, recipe, and the texts of `more`
 * (NULL: none). */
dt_status dt_checkpoint_save_net(const dt_dir *in, const char *name, const dt_session *s,
                                 const dt_tensors *more, dt_error *err) DT_MUST_CHECK;
/* Reads all of that back. Another recipe is refused with the keys that differ; another ISA tier
 * and another maker of dense products (dt_gemm_name) are told in `out_note` (empty:
 * none), since bits may then differ from an undisturbed run. */
enum { DT_CHECKPOINT_NOTE = 512 };
dt_status dt_checkpoint_load(const dt_dir *in, const char *name, dt_session *s,
                             const dt_optim_state *o, dt_run_position *at, char *out_note,
                             size_t note_size, dt_error *err) DT_MUST_CHECK;

/* The state of dynamics from a checkpoint's tensors; `path` names it in errors. */
dt_status dt_checkpoint_dynamics(const char *path, const dt_tensors *set, dt_dynamics *d,
                                 dt_error *err) DT_MUST_CHECK;

#endif
