/* Packed datasets: the files of a set, as they are, in one HDF5 file that is read by position.
 *
 * Bytes 0..511 are a block of our own (an HDF5 user block, so h5dump and h5py open the file as it
 * is); numbers are little endian:
 *
 *     0  magic "DETDATA\n"           8  u32 version     12  u32 classes
 *    16  u64 length of the file     24  u64 training pictures     32  u64 test pictures
 *    40  u64 bytes of a class name  48  u64 bytes of a picture's name
 *    56  u64 start of `pictures`    64  u64 its bytes
 *    72  u64 start of `index`       80  u64 start of `names`      88  u64 start of `classes`
 *    96  u64 height and 104 u64 width of all pictures; 0 both: they differ
 *   112  SHA-256 of bytes 0..111, index, names and classes, as 64 hexadecimal digits; zeros
 *
 * Version 1 has no sizes: its hash is that of bytes 0..95 and stands at 96. It is read, with sizes
 * that are not known. One of the splits may be empty.
 *
 * Behind it four contiguous datasets: `pictures` u8, the files one after another; `index` u64
 * [N,4]: start in `pictures`, bytes, label and CRC-32 of each picture, training pictures first;
 * `names` and `classes`, strings of one length. The reader needs no libhdf5: it checks the block,
 * the hash and every number of the index when it opens the file, and a picture's CRC-32 when it
 * reads that. Both guard against damage, not malice; a hostile file can show any picture, but no
 * read leaves it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_PACK_H
#define DT_DATA_PACK_H

#include "core/file.h"
#include "data/dataset.h"

enum {
    DT_PACK_BLOCK = 512,
    DT_PACK_VERSION = 2,
    DT_PACK_COLUMNS = 4, /* of the index */
    DT_PACK_MAX_NAME = 4096,
};

/* What the block tells; the hash is that of the file. */
typedef struct dt_pack_head {
    uint64_t version; /* of a file that is read */
    uint64_t classes, length, count[DT_DATA_SPLITS], class_size, name_size;
    uint64_t pictures, picture_bytes, index, names, class_names; /* starts and one size */
    uint64_t height, width;                                      /* of every picture, or 0 */
} dt_pack_head;
void dt_pack_head_write(const dt_pack_head *h, unsigned char block[DT_PACK_BLOCK]);
/* FORMAT, UNSUPPORTED: no such block, another version, or regions that are not inside the file. */
dt_status dt_pack_head_read(const unsigned char block[DT_PACK_BLOCK], const char *path,
                            uint64_t file_length, dt_pack_head *out, dt_error *err) DT_MUST_CHECK;
/* Bytes of the block that are hashed; the hash follows them. */
size_t dt_pack_hashed(uint64_t version);
/* The hash that belongs behind the block's numbers, from the file's bytes, a window at a time. */
dt_status dt_pack_hash(int fd, const char *path, const dt_pack_head *h,
                       const unsigned char block[DT_PACK_BLOCK], char hex[DT_SHA256_HEX],
                       dt_error *err) DT_MUST_CHECK;
/* `size` bytes of the file from `at` on; IO. Any thread. */
dt_status dt_pack_pread(int fd, const char *path, uint64_t at, void *data, size_t size,
                        dt_error *err) DT_MUST_CHECK;
uint64_t dt_pack_number(const unsigned char *from, size_t bytes);

/* A picture of a file that is written. */
typedef struct dt_pack_entry {
    uint64_t start, size; /* in `pictures` */
    uint32_t label, crc;
    uint32_t sample; /* of the split, as the dataset numbers it */
    uint8_t split;
} dt_pack_entry;

/* What a file was written from. */
typedef struct dt_pack_written {
    int fd;
    const char *path; /* for messages */
    const dt_pack_head *head;
    const dt_data *data;
    const dt_pack_entry *entries; /* [count] */
    size_t count;
    dt_bytes *window; /* room for a picture */
} dt_pack_written;
/* Reads all of it again: a disk may lose what it took. IO when something differs. */
dt_status dt_pack_read_back(const dt_pack_written *w, dt_error *err) DT_MUST_CHECK;

typedef struct dt_pack_report {
    int64_t count[DT_DATA_SPLITS], skipped;
    uint64_t bytes;
    dt_error first; /* why the first picture was left out */
} dt_pack_report;

/* Called between windows; false ends the work. */
typedef bool (*dt_pack_progress)(void *arg, int64_t done, int64_t total, uint64_t bytes);

typedef struct dt_pack_params {
    const dt_data *data; /* its samples are files */
    const char *path;
    int threads;      /* 0: one */
    bool skip_broken; /* leave pictures out that cannot be decoded; otherwise the first ends it */
    dt_pack_progress progress; /* may be NULL */
    void *arg;
    const dt_alloc *alloc;
} dt_pack_params;

/* Decodes every picture (so what a packed file holds can be read) and writes the file beside
 * `path`, read back, synced and renamed. Memory: the index, and a window of DT_PACK_WINDOW bytes of
 * files or one larger file, with a decoded picture for each thread. Only one thread of a process
 * may write (libhdf5). Errors: UNSUPPORTED (samples are no files); ARG (stopped by `progress`);
 * those of files. */
enum { DT_PACK_WINDOW = 32 << 20 };
dt_status dt_pack_write(const dt_pack_params *p, dt_pack_report *out, dt_error *err) DT_MUST_CHECK;

#endif
