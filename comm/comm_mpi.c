/* Ranks that an MPI launcher started. MPI is in a module of its own, which is loaded when it is
 * asked for: the program starts on machines that have none, and one build of the program goes with
 * the module of any MPI. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "comm/comm.h"
#include "core/file.h"

static dt_status load(const char *path, const dt_link_calls **out, dt_error *err)
{
    const dt_where where = { .file = path };
    /* Global: parts of MPI that it loads itself look for its symbols. It stays to the end of the
     * process, for MPI cannot be started twice. */
    void *module = dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
    if (!module) return dt_fail(err, DT_ERR_IO, NULL, "%s", dlerror());
    const dt_link_calls *calls = dlsym(module, DT_LINK_SYMBOL);
    if (calls && calls->version == DT_LINK_VERSION) {
        *out = calls;
        return DT_OK;
    }
    dlclose(module);
    if (!calls) return dt_fail(err, DT_ERR_FORMAT, &where, "is no module of detent");
    return dt_fail(err, DT_ERR_UNSUPPORTED, &where,
                   "is of another build of detent (version %d, this one takes %d)", calls->version,
                   DT_LINK_VERSION);
}

static dt_status find(const dt_comm_params *p, const dt_link_calls **out_calls, dt_error *err)
{
    char tried[300] = "";
    for (const char *const *path = p->modules; path && *path; path++) {
        if (dt_file_exists(*path)) return load(*path, out_calls, err);
        size_t used = strlen(tried);
        snprintf(tried + used, sizeof tried - used, "%s%s", used ? ", " : "", *path);
    }
    return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "comm mpi" },
                   "this build has no MPI, looked for %s; build it where MPI's development files "
                   "are (libopenmpi-dev or libmpich-dev), or say --comm none",
                   *tried ? tried : "nothing");
}

const dt_comm_row dt_comm_mpi = {
    .row = { "mpi", "the ranks that mpirun or Slurm has started", NULL, 0 },
    .find = find,
};
