/* Memory whose pages are those of a file without a name: where the system wants the memory for
 * something else it writes them there, so that far more can be held than there is. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_SPILL_H
#define DT_CORE_SPILL_H

#include "core/dir.h"

/* `bytes` of zeros, in a file of the folder that nobody else sees and that is gone when it is given
 * back or the process ends. The file gets its room now: a full disk is told here. IO, NOMEM (no
 * address space). */
dt_status dt_spill_get(const dt_dir *in, size_t bytes, void **out, dt_error *err) DT_MUST_CHECK;
void dt_spill_put(void *memory); /* of dt_spill_get; NULL is fine */

#endif
