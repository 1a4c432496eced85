/* Ranks: what the launcher says, and what is told to people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ranks.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What launchers tell their processes: Open MPI's, those of MPICH's kind and Slurm by PMI, and all
 * that speak PMIx, which do not tell the size here. */
static const struct {
    const char *size, *rank;
} launchers[] = {
    { "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK" },
    { "PMI_SIZE", "PMI_RANK" },
    { NULL, "PMIX_RANK" },
};

/* Whether there are others, and this one's number among them. */
static bool launched(int *out_rank)
{
    *out_rank = 0;
    for (size_t i = 0; i < DT_ARRAY_LEN(launchers); i++) {
        const char *rank = getenv(launchers[i].rank);
        const char *size = launchers[i].size ? getenv(launchers[i].size) : NULL;
        if (!rank || (launchers[i].size && !size)) continue;
        *out_rank = atoi(rank);
        return !size || atoi(size) > 1;
    }
    return false;
}

/* Beside the program, as in a build folder, and where it is installed. */
static dt_status join(const cli_args *args, const char *name, dt_comm **out, dt_error *err)
{
    char own[PATH_MAX] = "", beside[PATH_MAX + 32];
    if (readlink("/proc/self/exe", own, sizeof own - 1) < 0) own[0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash) *slash = '\0';
    snprintf(beside, sizeof beside, "%s/detent-%s.so", own, name);
    char *installed = dt_format(NULL, "%s/detent-%s.so", DT_MODULES, name);
    if (!installed) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    const char *const modules[] = { beside, installed, NULL };
    const dt_comm_params p = { .name = name, .modules = modules, .seconds = args->comm_seconds };
    dt_status st = dt_comm_open(&p, out, err);
    dt_put(NULL, installed);
    return st;
}

bool cli_ranks_join(const cli_args *args, dt_comm **out)
{
    dt_error err;
    int rank;
    bool others = launched(&rank);
    const char *name = args->comm ? args->comm : others ? "mpi" : "none";
    *out = NULL;
    if (join(args, name, out, &err) == DT_OK) return true;
    if (rank == 0) cli_fail(&err);
    return false;
}

int cli_ranks_leave(dt_comm *comm, int code)
{
    if (dt_comm_is_lost(comm)) dt_comm_end_all(comm, code);
    dt_comm_close(comm);
    return code;
}

int cli_ranks_fail(dt_comm *comm, const dt_error *err)
{
    return dt_comm_tells(comm) ? cli_fail(err) : 1;
}

int cli_ranks_threads(const dt_comm *comm, const cli_args *args)
{
    int here = dt_comm_here(comm), mine = dt_cpu_count();
    if (args->threads || here == 1) return args->threads;
    if (mine < sysconf(_SC_NPROCESSORS_ONLN)) return mine; /* bound by the launcher */
    return mine > here ? mine / here : 1;
}

dt_memory_limit cli_ranks_memory(const dt_comm *comm, const cli_args *args)
{
    dt_memory_limit limit = args->memory;
    if (!args->memory_given) limit.bytes /= (size_t)dt_comm_here(comm);
    return limit;
}

dt_status cli_ranks_build(char out[DT_SHA256_HEX], dt_error *err)
{
    unsigned char *bytes;
    size_t size;
    dt_sha256 h;
    DT_TRY(dt_file_read(NULL, "/proc/self/exe", SIZE_MAX / 2, &bytes, &size, err));
    dt_sha256_init(&h);
    dt_sha256_add(&h, bytes, size);
    dt_sha256_end(&h, out);
    dt_put(NULL, bytes);
    return DT_OK;
}
