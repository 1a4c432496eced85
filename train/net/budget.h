/* Memory, counted before it is taken. What a session and its caller will ask for is asked for once
 * from an allocator that only counts (core/memory.h), by the same functions; what that comes to is
 * compared with what there is, and the key that would help is named. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_BUDGET_H
#define DT_TRAIN_NET_BUDGET_H

#include "core/memory.h"
#include "integer/run.h"
#include "train/net/session.h"

/* Half of what is available and, whole, of the room below RLIMIT_AS. */
dt_memory_limit dt_memory_limit_default(void);

/* Opens what params and the session's picture tell, in blank memory, with params->rest behind it.
 * Nothing is done without a limit. Errors: NOMEM, too much is wanted; those of the functions that
 * are tried. */
dt_status dt_budget_check(const dt_session *s, const dt_session_params *params,
                          const dt_net_input *input, dt_error *err) DT_MUST_CHECK;
/* A file that is read whole, and the tensors made of it. */
dt_status dt_budget_check_file(const char *path, const dt_memory_limit *limit,
                               dt_error *err) DT_MUST_CHECK;
/* Whatever `open` opens and closes again in s->alloc, beside a loader of `room` samples. Nothing is
 * done without a limit (s->memory). */
typedef dt_status (*dt_budget_open)(void *arg, dt_session *s, dt_error *err);
dt_status dt_budget_check_open(const dt_session *s, int64_t room, dt_budget_open open, void *arg,
                               dt_error *err) DT_MUST_CHECK;
/* The same of an execution of the integer model of the session's net, for `room` samples. */
dt_status dt_budget_check_run(const dt_session *s, const dt_int_model *m, int64_t room,
                              dt_error *err) DT_MUST_CHECK;
/* `bytes` more than are in use, for something that has no recipe; `advice` says what needs less. */
dt_status dt_budget_check_bytes(size_t bytes, const dt_memory_limit *limit, const char *what,
                                const char *advice, dt_error *err) DT_MUST_CHECK;
/* For what cannot be counted before: an allocator that gives no more than what is left below the
 * limit (NULL: no limit), and what to say of the status of a function that worked in it: where it
 * was refused memory the bytes, with `what` and `advice` as above. */
void dt_budget_hold(dt_capped *out, const dt_memory_limit *limit);
dt_status dt_budget_held(const dt_capped *c, dt_status st, const dt_memory_limit *limit,
                         const char *what, const char *advice, dt_error *err) DT_MUST_CHECK;
/* What a loader holds: two batches of `samples` such inputs. SIZE_MAX / 2: too much to count. */
size_t dt_budget_loader_bytes(const dt_net_input *input, int classes, int64_t samples);
/* The same for a measure that the caller has made: `recipe` tells the model's options. */
dt_status dt_budget_compare(const dt_measure *m, const dt_memory_limit *limit,
                            const dt_recipe *recipe, const dt_net_input *input,
                            const char *step_key, dt_error *err) DT_MUST_CHECK;

#endif
