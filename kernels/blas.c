/* The process has one such library: its functions are found once, and are the same ever after. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/thread.h"
#include "kernels/blas_library.h"

enum { MIB = 1 << 20, LIBRARY = 48 * MIB, BUFFER = 128 * MIB }; /* of 0.3.21 on x86-64: 40, 128 */

typedef struct symbol {
    const char *name;
    size_t offset;
} symbol;
static const symbol symbols[] = {
    { "cblas_sgemm", offsetof(dt_blas, sgemm) },
    { "cblas_dgemm", offsetof(dt_blas, dgemm) },
    { "dpotrf_", offsetof(dt_blas, potrf) },
    { "dpotri_", offsetof(dt_blas, potri) },
    { "openblas_set_num_threads", offsetof(dt_blas, set_num_threads) },
    { "openblas_get_config", offsetof(dt_blas, get_config) },
    { "openblas_get_corename", offsetof(dt_blas, get_corename) },
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static dt_blas blas;
static bool loaded;

size_t dt_blas_room(int threads)
{
    int processors = dt_cpu_count(); /* for which it gets buffers at once */
    int buffers = threads > processors ? threads : processors;
    return LIBRARY + (size_t)(buffers > 1 ? buffers : 2) * BUFFER;
}

static dt_status find_all(void *library, dt_blas *out, dt_error *err)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(symbols); i++) {
        void *found = dlsym(library, symbols[i].name);
        if (!found)
            return dt_fail(err, DT_ERR_NOT_FOUND, NULL, "%s has no %s", DT_BLAS_LIBRARY,
                           symbols[i].name);
        memcpy((unsigned char *)out + symbols[i].offset, &found, sizeof found);
    }
    return DT_OK;
}

/* The one that came with us, if any did; else the machine's. NULL: dlerror tells. */
static void *open_library(void)
{
    const char *beside = DT_BLAS_BESIDE;
    void *library = beside ? dlopen(beside, RTLD_NOW | RTLD_LOCAL) : NULL;
    return library ? library : dlopen(DT_BLAS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
}

static dt_status load(int threads, dt_error *err)
{
    size_t room = dt_memory_address_room(), want = dt_blas_room(threads);
    if (room < want)
        return dt_fail(
            err, DT_ERR_NOMEM, NULL,
            "OpenBLAS wants %zu MB of address space for %d threads, the limit (ulimit -v) "
            "leaves %zu MB",
            want / MIB, threads, room / MIB);
    void *library = open_library();
    if (!library) return dt_fail(err, DT_ERR_NOT_FOUND, NULL, "no OpenBLAS: %s", dlerror());
    dt_status st = find_all(library, &blas, err);
    if (st != DT_OK) dlclose(library);
    return st;
}

dt_status dt_blas_load(int threads, dt_error *err)
{
    dt_status st = DT_OK;
    pthread_mutex_lock(&lock);
    if (!loaded) st = load(threads, err);
    loaded = loaded || st == DT_OK;
    pthread_mutex_unlock(&lock);
    return st;
}

const dt_blas *dt_blas_get(void)
{
    return &blas;
}

void dt_blas_serial(void)
{
    blas.set_num_threads(1);
}

void dt_blas_name(char *text, size_t size)
{
    *text = '\0';
    if (dt_blas_load(1, NULL) != DT_OK) return;
    const char *config = blas.get_config(); /* name, version, then how it was built */
    size_t name = strcspn(config, " ");
    size_t words = name + (config[name] ? 1 + strcspn(config + name + 1, " ") : 0);
    snprintf(text, size, "%.*s %s", (int)words, config, blas.get_corename());
}
