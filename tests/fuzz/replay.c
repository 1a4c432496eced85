/* Regression run of a fuzz target without libFuzzer: every file of the given folders, whole and cut
 * off at 32 places. A target that finds a fault does not return. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* The bytes stand in memory of exactly their size, so that ASan sees reads behind them. */
static void feed(const unsigned char *data, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy) abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay(const char *folder)
{
    DIR *dir = opendir(folder);
    int files = 0;
    if (!dir) return 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char path[1400];
        unsigned char *data;
        size_t size;
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || n >= (int)sizeof path) continue;
        if (dt_file_read(NULL, path, 1 << 24, &data, &size, NULL) != DT_OK) continue;
        for (size_t k = 0; k <= 32; k++)
            feed(data, size * k / 32);
        dt_put(NULL, data);
        files++;
    }
    closedir(dir);
    return files;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int files = replay(argv[i]);
        printf("%d files of %s\n", files, argv[i]);
        if (files == 0) return 1;
    }
    return argc > 1 ? 0 : 1;
}
