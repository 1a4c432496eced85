/* Names of tensors in files of other programs: which of them a net's own names are hidden behind.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_FOREIGN_NAMES_H
#define DT_EXCHANGE_FOREIGN_NAMES_H

#include "exchange/import.h"

/* A name under which programs keep weights: of a dictionary, or of what stands in front of names.
 */
typedef struct dt_import_container {
    const char *name;
    bool average; /* running means of the weights beside them */
} dt_import_container;

/* Weights before averages; what comes first is taken. The last one's name is NULL. */
extern const dt_import_container dt_import_containers[];
/* The row of a name, NULL: none. */
const dt_import_container *dt_import_container_of(const char *name, size_t length);

/* Takes from the names of `set` what wrappers put there, and makes the choice of the job:
 * - `_orig_mod.` and its like anywhere, `module.` in front, each as often as it is there;
 * - `model.`, `net.` and the names of containers in front, again and again, where all tensors have
 *   one: it belongs to no net whose names only partly begin so;
 * - averages beside the weights that they are of go, and the note tells it;
 * - with a key that was no dictionary, only names with that prefix stay, without it.
 * `dictionaries`: a list of those in the file for messages, "" for none. NOT_FOUND: the key is not
 * there; FORMAT: two tensors have one name then. */
dt_status dt_import_names(dt_import_job *job, const dt_importer *importer, const char *dictionaries,
                          dt_tensors *set, dt_error *err) DT_MUST_CHECK;

/* A name behind the `module.` in front of it. */
const char *dt_import_plain(const char *name);
bool dt_import_has_key(const dt_import_job *job);
const char *dt_import_key_name(const dt_import_job *job);
/* Adds a sentence to the job's note. */
void dt_import_tell(dt_import_job *job, const char *fmt, ...) DT_PRINTF(2, 3);
/* Adds 'name' to a list in a text of `size` bytes, with `remark` behind it; what has no room or
 * cannot be shown is left out or replaced. */
void dt_import_list(char *text, size_t size, const char *name, const char *remark);

#endif
