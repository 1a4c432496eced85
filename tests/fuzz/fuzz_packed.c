/* A packed dataset. Its hash is made to fit where the block makes sense, so that what lies behind
 * the hash is reached too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/pack.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* The bytes as a file that has no name any more; -1: no room. */
static int open_bytes(const unsigned char *data, size_t size)
{
    char path[] = "/tmp/detent-fuzz-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) return -1;
    unlink(path);
    if (write(fd, data, size) == (ssize_t)size) return fd;
    close(fd);
    return -1;
}

static void make_hash_fit(int fd, const unsigned char *data, size_t size)
{
    dt_pack_head head;
    char hex[DT_SHA256_HEX];
    if (size < DT_PACK_BLOCK || dt_pack_head_read(data, "fuzz", size, &head, NULL) != DT_OK ||
        dt_pack_hash(fd, "fuzz", &head, data, hex, NULL) != DT_OK)
        return;
    if (pwrite(fd, hex, DT_SHA256_HEX - 1, (off_t)dt_pack_hashed(head.version)) < 0) abort();
}

static void read_all(const dt_data *set)
{
    dt_sample s;
    dt_sample_init(&s, NULL);
    const dt_data_info *info = dt_data_info_of(set);
    for (int i = 0; i < info->classes; i++)
        if (strlen(info->class_names[i]) > DT_PACK_MAX_NAME) abort();
    for (int split = 0; split < DT_DATA_SPLITS; split++)
        for (int64_t i = 0; i < info->count[split] && i < 20; i++) {
            dt_error err = { 0 };
            dt_status st = dt_data_read(set, (dt_split)split, i, &s, &err);
            if (st == DT_OK ? s.label < 0 || s.label >= info->classes : !*err.text) abort();
        }
    dt_sample_fini(&s);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char path[64];
    dt_error err = { 0 };
    dt_data *set;
    int fd = open_bytes(data, size);
    if (fd < 0) return 0;
    make_hash_fit(fd, data, size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const dt_dataset *row = (const dt_dataset *)dt_table_find(&dt_datasets, "packed");
    if (dt_data_open(row, &(dt_data_params){ .root = path }, &set, &err) == DT_OK) {
        read_all(set);
        dt_data_close(set);
    } else if (!*err.text) {
        abort();
    }
    close(fd);
    return 0;
}
