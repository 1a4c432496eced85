/* Writer of packed datasets: a window of files is read and decoded by all threads, then appended by
 * libhdf5, so memory does not grow with the set. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/atomic.h"
#include "core/thread.h"
#include "data/hdf5.h"

enum { MOST_FILES = 512 /* of a window */, NAME_ROWS = 1024 };

typedef struct item { /* of a window */
    size_t start, size;
    uint32_t crc, label;
    int64_t H, W;
    bool broken;
} item;

typedef struct packer {
    const dt_pack_params *p;
    hid_t file, pictures;
    dt_pack_head head;
    uint64_t total, written; /* bytes of all files, and of those in `pictures` */
    dt_pack_entry *entries;
    size_t count;
    /* The window: samples first..first+n-1 of a split. */
    dt_split split;
    int64_t first, n;
    item items[MOST_FILES];
    dt_bytes window;
    dt_sample *thread; /* [threads] */
    dt_pack_report report;
    char *temporary; /* in which the file is made; NULL: not yet */
} packer;

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to pack a dataset");
}

static dt_status hdf5_failed(const packer *k, dt_error *err)
{
    return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = k->p->path },
                   "cannot be written; is the disk full?");
}

static dt_status size_of(const char *path, size_t *out, dt_error *err)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path }, "cannot read: %s",
                       strerror(errno));
    if (about.st_size < 0 || about.st_size > DT_PICTURE_MAX_FILE)
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = path },
                       "%lld bytes; at most %d are packed", (long long)about.st_size,
                       DT_PICTURE_MAX_FILE);
    *out = (size_t)about.st_size;
    return DT_OK;
}

/* First pass: how long `pictures` and the names will be. */
static dt_status measure(packer *k, dt_error *err)
{
    dt_sample_name name;
    for (int split = 0; split < DT_DATA_SPLITS; split++)
        for (int64_t i = 0; i < dt_data_count(k->p->data, (dt_split)split); i++) {
            size_t size = 0, length;
            DT_TRY(dt_data_name(k->p->data, (dt_split)split, i, &name, err));
            if (!name.path[0])
                return dt_fail(err, DT_ERR_UNSUPPORTED, NULL, "the set is packed already");
            if (size_of(name.path, &size, NULL) != DT_OK) size = 0; /* told in the second pass */
            k->total += size;
            length = strlen(name.name) + 1;
            if (length > k->head.name_size) k->head.name_size = length;
        }
    return DT_OK;
}

/* --- libhdf5 --- */

static hid_t text_type(size_t size)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, size);
    return t;
}

/* A contiguous dataset of rank 1 or 2; closes `type`. */
static hid_t make_set(const packer *k, const char *name, hid_t type, hsize_t rows, hsize_t columns)
{
    const hsize_t dim[2] = { rows, columns };
    hid_t space = H5Screate_simple(columns > 1 ? 2 : 1, dim, NULL),
          plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(plist, false);
    H5Pset_layout(plist, H5D_CONTIGUOUS);
    H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER);
    hid_t set = H5Dcreate2(k->file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Pclose(plist);
    H5Sclose(space);
    H5Tclose(type);
    return set;
}

/* Rows first..first+count-1 of a dataset. */
static bool write_rows(hid_t set, hid_t type, hsize_t first, hsize_t count, hsize_t columns,
                       const void *data)
{
    const hsize_t start[2] = { first, 0 }, size[2] = { count, columns };
    int rank = columns > 1 ? 2 : 1;
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(rank, size, NULL);
    bool good = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL) >= 0 &&
                H5Dwrite(set, type, memory, space, H5P_DEFAULT, data) >= 0;
    H5Sclose(space);
    H5Sclose(memory);
    return good;
}

static dt_status create(packer *k, dt_error *err)
{
    DT_TRY(dt_temporary_make(k->p->path, &k->temporary, err));
    hid_t plist = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(plist, DT_PACK_BLOCK);
    k->file = H5Fcreate(k->temporary, H5F_ACC_TRUNC, plist, H5P_DEFAULT);
    H5Pclose(plist);
    if (k->file < 0) return hdf5_failed(k, err);
    k->pictures = make_set(k, "pictures", H5Tcopy(H5T_STD_U8LE), k->total ? k->total : 1, 1);
    return k->pictures < 0 ? hdf5_failed(k, err) : DT_OK;
}

/* --- a window --- */

static dt_status read_into(const char *path, void *to, size_t size, dt_error *err)
{
    FILE *f;
    DT_TRY(dt_file_open(path, &f, err));
    setvbuf(f, NULL, _IONBF, 0);
    bool same = fread(to, 1, size, f) == size && fgetc(f) == EOF;
    fclose(f);
    if (same) return DT_OK;
    return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path }, "has changed while it was packed");
}

static dt_status load(packer *k, int64_t i, int thread, dt_error *err)
{
    item *t = &k->items[i];
    dt_sample_name name;
    DT_TRY(dt_data_name(k->p->data, k->split, k->first + i, &name, err));
    t->label = (uint32_t)name.label;
    uint8_t *data = k->window.data + t->start;
    DT_TRY(read_into(name.path, data, t->size, err));
    t->crc = (uint32_t)crc32(0, data, (uInt)t->size);
    dt_picture *picture = &k->thread[thread].picture;
    DT_TRY(dt_picture_decode(data, t->size, name.path, picture, err));
    t->H = picture->H;
    t->W = picture->W;
    return DT_OK;
}

static void load_task(void *arg, int64_t i, int thread)
{
    packer *k = arg;
    k->items[i].broken = load(k, i, thread, NULL) != DT_OK;
    dt_sample_trim(&k->thread[thread], DT_PACK_WINDOW);
}

/* As many samples as fit; a file that cannot be asked for its size has none, and fails later. */
static dt_status choose(packer *k, dt_error *err)
{
    int64_t left = dt_data_count(k->p->data, k->split) - k->first;
    size_t bytes = 0;
    for (k->n = 0; k->n < left && k->n < MOST_FILES; k->n++) {
        dt_sample_name name;
        size_t size = 0;
        DT_TRY(dt_data_name(k->p->data, k->split, k->first + k->n, &name, err));
        if (size_of(name.path, &size, NULL) != DT_OK) size = 0;
        if (k->n && bytes + size > DT_PACK_WINDOW) break;
        k->items[k->n] = (item){ .start = bytes, .size = size };
        bytes += size;
    }
    dt_bytes_trim(&k->window, 2 * (size_t)DT_PACK_WINDOW);
    return dt_bytes_want(&k->window, bytes ? bytes : 1, err);
}

static dt_status append(packer *k, int64_t i, dt_error *err)
{
    const item *t = &k->items[i];
    if (k->written + t->size > k->total) /* files that grew since they were measured */
        return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = k->p->path },
                       "the pictures have changed while they were packed");
    if (!write_rows(k->pictures, H5T_NATIVE_UINT8, k->written, t->size, 1,
                    k->window.data + t->start))
        return hdf5_failed(k, err);
    k->entries[k->count++] = (dt_pack_entry){ .start = k->written,
                                              .size = t->size,
                                              .label = t->label,
                                              .crc = t->crc,
                                              .sample = (uint32_t)(k->first + i),
                                              .split = (uint8_t)k->split };
    if (k->count == 1) {
        k->head.height = (uint64_t)t->H;
        k->head.width = (uint64_t)t->W;
    } else if ((uint64_t)t->H != k->head.height || (uint64_t)t->W != k->head.width) {
        k->head.height = k->head.width = 0; /* and so it stays: no picture has none */
    }
    k->written += t->size;
    k->report.count[k->split]++;
    return DT_OK;
}

static dt_status pack_window(packer *k, dt_error *err)
{
    int threads = k->p->threads > 0 ? k->p->threads : 1;
    DT_TRY(choose(k, err));
    dt_parallel(threads, k->n, load_task, k);
    for (int64_t i = 0; i < k->n; i++) {
        if (!k->items[i].broken) {
            DT_TRY(append(k, i, err));
            continue;
        }
        dt_error why;
        dt_status st = load(k, i, 0, &why); /* again, for its text */
        if (st == DT_ERR_NOMEM || !k->p->skip_broken) {
            if (err) *err = why;
            return st == DT_OK ? dt_fail(err, DT_ERR_IO, NULL, "a picture changes") : st;
        }
        if (k->report.skipped++ == 0) k->report.first = why;
    }
    k->first += k->n;
    return DT_OK;
}

static dt_status pack_pictures(packer *k, dt_error *err)
{
    int64_t total = dt_data_count(k->p->data, DT_SPLIT_TRAIN) +
                    dt_data_count(k->p->data, DT_SPLIT_TEST),
            before = 0;
    for (int split = 0; split < DT_DATA_SPLITS; split++) {
        int64_t count = dt_data_count(k->p->data, (dt_split)split);
        k->split = (dt_split)split;
        for (k->first = 0; k->first < count;) {
            DT_TRY(pack_window(k, err));
            if (k->p->progress && !k->p->progress(k->p->arg, before + k->first, total, k->written))
                return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = k->p->path },
                               "stopped; nothing is written");
        }
        before += count;
        if (count && k->report.count[split] == 0)
            return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = k->p->path },
                           "no picture of the %s split can be read", split ? "test" : "training");
    }
    return DT_OK;
}

/* --- the rest of the file --- */

static bool write_index(packer *k)
{
    hid_t set = make_set(k, "index", H5Tcopy(H5T_STD_U64LE), k->count, DT_PACK_COLUMNS);
    uint64_t rows[NAME_ROWS][DT_PACK_COLUMNS];
    bool good = set >= 0;
    for (size_t i = 0; i < k->count && good; i += NAME_ROWS) {
        size_t n = k->count - i < NAME_ROWS ? k->count - i : NAME_ROWS;
        for (size_t j = 0; j < n; j++) {
            const dt_pack_entry *e = &k->entries[i + j];
            const uint64_t row[DT_PACK_COLUMNS] = { e->start, e->size, e->label, e->crc };
            memcpy(rows[j], row, sizeof row);
        }
        good = write_rows(set, H5T_NATIVE_UINT64, i, n, DT_PACK_COLUMNS, rows);
    }
    if (good) k->head.index = H5Dget_offset(set);
    return H5Dclose(set) >= 0 && good;
}

/* Strings of `size` bytes, filled up with NUL, by way of a few rows of memory. */
static dt_status write_names(packer *k, char *rows, dt_error *err)
{
    size_t size = (size_t)k->head.name_size;
    hid_t type = text_type(size), set = make_set(k, "names", text_type(size), k->count, 1);
    dt_status st = set >= 0 ? DT_OK : hdf5_failed(k, err);
    for (size_t i = 0; i < k->count && st == DT_OK; i += NAME_ROWS) {
        size_t n = k->count - i < NAME_ROWS ? k->count - i : NAME_ROWS;
        memset(rows, 0, NAME_ROWS * size);
        for (size_t j = 0; j < n && st == DT_OK; j++) {
            dt_sample_name name;
            const dt_pack_entry *e = &k->entries[i + j];
            st = dt_data_name(k->p->data, (dt_split)e->split, e->sample, &name, err);
            if (st == DT_OK) memcpy(rows + j * size, name.name, strlen(name.name));
        }
        if (st == DT_OK && !write_rows(set, type, i, n, 1, rows)) st = hdf5_failed(k, err);
    }
    if (st == DT_OK) k->head.names = H5Dget_offset(set);
    if (H5Dclose(set) < 0 && st == DT_OK) st = hdf5_failed(k, err);
    H5Tclose(type);
    return st;
}

static dt_status write_classes(packer *k, dt_error *err)
{
    const dt_data_info *info = dt_data_info_of(k->p->data);
    size_t size = 1;
    for (int i = 0; i < info->classes; i++)
        if (strlen(info->class_names[i]) + 1 > size) size = strlen(info->class_names[i]) + 1;
    char *text = dt_get_array(k->p->alloc, (size_t)info->classes, size, "pack");
    if (!text) return no_memory(err);
    for (int i = 0; i < info->classes; i++)
        memcpy(text + (size_t)i * size, info->class_names[i], strlen(info->class_names[i]));
    hid_t type = text_type(size),
          set = make_set(k, "classes", text_type(size), (hsize_t)info->classes, 1);
    bool good = set >= 0 && write_rows(set, type, 0, (hsize_t)info->classes, 1, text);
    if (good) k->head.class_names = H5Dget_offset(set);
    if (H5Dclose(set) < 0) good = false;
    H5Tclose(type);
    dt_put(k->p->alloc, text);
    k->head.classes = (uint64_t)info->classes;
    k->head.class_size = size;
    return good ? DT_OK : hdf5_failed(k, err);
}

static dt_status write_tables(packer *k, dt_error *err)
{
    if (!write_index(k)) return hdf5_failed(k, err);
    char *rows = dt_get_array(k->p->alloc, NAME_ROWS, (size_t)k->head.name_size, "pack");
    if (!rows) return no_memory(err);
    dt_status st = write_names(k, rows, err);
    dt_put(k->p->alloc, rows);
    if (st == DT_OK) st = write_classes(k, err);
    k->head.pictures = H5Dget_offset(k->pictures);
    k->head.picture_bytes = k->written;
    k->head.count[0] = (uint64_t)k->report.count[0];
    k->head.count[1] = (uint64_t)k->report.count[1];
    return st;
}

/* Ends libhdf5's part; the block is ours. */
static dt_status close_file(packer *k, dt_error *err)
{
    bool good = true;
    if (k->pictures >= 0) good = H5Dclose(k->pictures) >= 0;
    if (k->file >= 0) good = H5Fclose(k->file) >= 0 && good;
    k->pictures = k->file = -1;
    return good ? DT_OK : hdf5_failed(k, err);
}

static dt_status write_block(packer *k, int fd, dt_error *err)
{
    unsigned char block[DT_PACK_BLOCK];
    char hex[DT_SHA256_HEX];
    struct stat about;
    if (fstat(fd, &about) != 0) return hdf5_failed(k, err);
    k->head.version = DT_PACK_VERSION;
    k->head.length = (uint64_t)about.st_size;
    dt_pack_head_write(&k->head, block);
    DT_TRY(dt_pack_hash(fd, k->temporary, &k->head, block, hex, err));
    memcpy(block + dt_pack_hashed(DT_PACK_VERSION), hex, DT_SHA256_HEX - 1);
    return pwrite(fd, block, sizeof block, 0) == sizeof block ? DT_OK : hdf5_failed(k, err);
}

/* What a disk has is not always what it was told. */
static dt_status read_back(packer *k, int fd, dt_error *err)
{
    const dt_pack_written w = { .fd = fd,
                                .path = k->p->path,
                                .head = &k->head,
                                .data = k->p->data,
                                .entries = k->entries,
                                .count = k->count,
                                .window = &k->window };
    return dt_pack_read_back(&w, err);
}

static dt_status pack_all(packer *k, dt_error *err)
{
    DT_TRY(measure(k, err));
    DT_TRY(create(k, err));
    DT_TRY(pack_pictures(k, err));
    DT_TRY(write_tables(k, err));
    DT_TRY(close_file(k, err));
    int fd = open(k->temporary, O_RDWR | O_CLOEXEC);
    if (fd < 0) return hdf5_failed(k, err);
    dt_status st = write_block(k, fd, err);
    if (st == DT_OK) st = read_back(k, fd, err);
    if (close(fd) != 0 && st == DT_OK) st = hdf5_failed(k, err);
    if (st == DT_OK) st = dt_file_commit(k->temporary, k->p->path, err);
    k->report.bytes = k->head.length;
    return st;
}

static dt_status get_memory(packer *k, dt_error *err)
{
    size_t n = (size_t)dt_data_count(k->p->data, DT_SPLIT_TRAIN) +
               (size_t)dt_data_count(k->p->data, DT_SPLIT_TEST);
    size_t threads = k->p->threads > 0 ? (size_t)k->p->threads : 1;
    k->entries = dt_get_array(k->p->alloc, n, sizeof *k->entries, "pack");
    k->thread = dt_get_array(k->p->alloc, threads, sizeof *k->thread, "pack");
    if (!k->entries || !k->thread) return no_memory(err);
    for (size_t i = 0; i < threads; i++)
        dt_sample_init(&k->thread[i], k->p->alloc);
    k->window.alloc = k->p->alloc;
    return DT_OK;
}

dt_status dt_pack_write(const dt_pack_params *p, dt_pack_report *out, dt_error *err)
{
    if (!dt_data_info_of(p->data)->class_names || strlen(p->path) >= DT_DATA_PATH)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = p->path },
                       "the name is too long, or the set has no class names");
    packer *k = dt_get(p->alloc, sizeof *k, "pack");
    if (!k) return no_memory(err);
    k->p = p;
    k->file = k->pictures = -1;
    dt_hdf5 hdf5;
    dt_hdf5_begin(&hdf5);
    dt_status st = get_memory(k, err);
    if (st == DT_OK) st = pack_all(k, err);
    if (st != DT_OK) {
        dt_status ignored = close_file(k, NULL);
        (void)ignored;
        if (k->temporary) remove(k->temporary);
    } else {
        *out = k->report;
    }
    dt_hdf5_end(&hdf5);
    for (int i = 0; k->thread && i < (p->threads > 0 ? p->threads : 1); i++)
        dt_sample_fini(&k->thread[i]);
    dt_bytes_trim(&k->window, 0);
    dt_put(p->alloc, k->thread);
    dt_put(p->alloc, k->entries);
    dt_put(NULL, k->temporary);
    dt_put(p->alloc, k);
    return st;
}
