/* Whether a packed dataset is in the file as it was written. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <zlib.h>

#include "data/pack.h"

static dt_status not_read_back(const dt_pack_written *w, dt_error *err)
{
    return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = w->path },
                   "what was written cannot be read back; nothing is kept");
}

/* Whether the file has a text of `size` bytes there, filled up with NUL. */
static bool has_text(int fd, uint64_t at, uint64_t size, const char *text)
{
    char found[DT_PACK_MAX_NAME], want[DT_PACK_MAX_NAME] = { 0 };
    if (size > sizeof found || strlen(text) >= size) return false;
    memcpy(want, text, strlen(text));
    return dt_pack_pread(fd, "", at, found, (size_t)size, NULL) == DT_OK &&
           memcmp(found, want, (size_t)size) == 0;
}

/* Sample i as the file has it. */
static dt_status check_entry(const dt_pack_written *w, size_t i, const unsigned char *row,
                             dt_error *err)
{
    const dt_pack_entry *e = &w->entries[i];
    dt_sample_name name;
    const uint64_t want[DT_PACK_COLUMNS] = { e->start, e->size, e->label, e->crc };
    DT_TRY(dt_data_name(w->data, (dt_split)e->split, e->sample, &name, err));
    bool same =
        has_text(w->fd, w->head->names + i * w->head->name_size, w->head->name_size, name.name);
    for (int c = 0; c < DT_PACK_COLUMNS; c++)
        same = same && dt_pack_number(row + 8 * c, 8) == want[c];
    DT_TRY(dt_bytes_want(w->window, e->size ? e->size : 1, err));
    DT_TRY(
        dt_pack_pread(w->fd, w->path, w->head->pictures + e->start, w->window->data, e->size, err));
    if (same && crc32(0, w->window->data, (uInt)e->size) == e->crc) return DT_OK;
    return not_read_back(w, err);
}

dt_status dt_pack_read_back(const dt_pack_written *w, dt_error *err)
{
    enum { ROW = 8 * DT_PACK_COLUMNS, MOST = 1024 };
    unsigned char rows[MOST * ROW];
    unsigned char want[DT_PACK_BLOCK], block[DT_PACK_BLOCK];
    dt_pack_head_write(w->head, want);
    DT_TRY(dt_pack_pread(w->fd, w->path, 0, block, sizeof block, err));
    if (memcmp(block, want, dt_pack_hashed(DT_PACK_VERSION)) != 0) return not_read_back(w, err);
    const char *const *names = dt_data_info_of(w->data)->class_names;
    for (uint64_t i = 0; i < w->head->classes; i++)
        if (!has_text(w->fd, w->head->class_names + i * w->head->class_size, w->head->class_size,
                      names[i]))
            return not_read_back(w, err);
    for (size_t i = 0; i < w->count; i += MOST) {
        size_t n = w->count - i < MOST ? w->count - i : MOST;
        DT_TRY(dt_pack_pread(w->fd, w->path, w->head->index + i * ROW, rows, n * ROW, err));
        for (size_t j = 0; j < n; j++)
            DT_TRY(check_entry(w, i + j, rows + j * ROW, err));
    }
    return DT_OK;
}
