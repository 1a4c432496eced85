/* Our own checkpoints. The input describes a set of tensors and texts, which is written and read
 * back: it must be the same, or be refused before it is written. Then bytes are changed or cut off:
 * the reader must say so. Inputs that are files of their own go to the checks of the block.
 *
 * HDF5 whose checksum was made to fit a changed file is not tried: libhdf5 (1.10.8) overruns its
 * heap there within seconds. The checksum guards against damage; train/store/container.h says what
 * it does not guard against. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "tests/fuzz/fuzz_import.h"
#include "train/store/container.h"
#include "train/store/hdf5image.h"

enum { VERSION_AT = 8, LENGTH_AT = 16, HASH_AT = 24, MOST = 12, NAME = 48 };

/* Memory that libhdf5 keeps or loses is not ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

typedef struct input {
    const uint8_t *at;
    size_t left;
} input;

static unsigned next(input *in)
{
    if (in->left == 0) return 0;
    in->left--;
    return *in->at++;
}

static void next_name(input *in, char name[NAME])
{
    unsigned n = next(in) % NAME, i = 0;
    for (; i < n && in->left > 0; i++) {
        name[i] = (char)next(in);
        if (!name[i]) name[i] = '/';
    }
    name[i] = '\0';
}

static void add_tensor(input *in, dt_tensors *set)
{
    char name[NAME];
    dt_error err;
    next_name(in, name);
    dt_dtype dtype = (dt_dtype)(next(in) % (DT_BOOL + 1));
    dt_shape shape = { .rank = (int)(next(in) % (DT_MAX_RANK + 1)) };
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = 1 + next(in) % 3;
    if (dt_tensors_add(set, name, dtype, &shape, NULL, &err) != DT_OK) return;
    unsigned char *to = dt_tensors_data(set, set->count - 1);
    size_t n = (size_t)dt_shape_count(&shape) * dt_dtype_size(dtype);
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)(dtype == DT_BOOL ? next(in) & 1 : next(in));
}

static void add_text(input *in, dt_tensors *set)
{
    char key[NAME], value[NAME];
    next_name(in, key);
    next_name(in, value);
    if (dt_tensors_set_attr(set, key, value, NULL) != DT_OK) abort();
}

static void fit_block(uint8_t *file, size_t size)
{
    char hex[DT_SHA256_HEX];
    dt_sha256 h;
    dt_sha256_init(&h);
    dt_sha256_add(&h, file + DT_CONTAINER_BLOCK, size - DT_CONTAINER_BLOCK);
    dt_sha256_end(&h, hex);
    memcpy(file, "DETENT\r\n", 8);
    file[VERSION_AT] = DT_CONTAINER_VERSION;
    for (int i = 0; i < 8; i++)
        file[LENGTH_AT + i] = (uint8_t)((uint64_t)size >> 8 * i);
    memcpy(file + HASH_AT, hex, DT_SHA256_HEX - 1);
}

static void check_same(const dt_tensors *a, const dt_tensors *b)
{
    if (a->count != b->count || a->attr_count != b->attr_count) abort();
    for (size_t i = 0; i < a->count; i++) {
        const dt_named_tensor *x = &a->item[i], *y = dt_tensors_find(b, x->name);
        size_t n = (size_t)dt_shape_count(&x->shape) * dt_dtype_size(x->dtype);
        if (!y || x->dtype != y->dtype || !dt_shape_equal(&x->shape, &y->shape) ||
            memcmp(x->data, y->data, n) != 0)
            abort();
    }
    for (size_t i = 0; i < a->attr_count; i++) {
        const char *value = dt_tensors_attr(b, a->attr[i].key);
        if (!value || strcmp(value, a->attr[i].value) != 0) abort();
    }
}

static void round_trip(const dt_tensors *set, uint8_t *file, size_t size)
{
    dt_tensors again;
    dt_error err;
    if (dt_tensors_init(&again, NULL, &err) != DT_OK) abort();
    if (dt_container_read_bytes("fuzz", file, size, NULL, &again, &err) != DT_OK) abort();
    check_same(set, &again);
    dt_tensors_fini(&again);
}

/* One changed bit, or the file cut off, is always seen. */
static void damage(input *in, uint8_t *file, size_t size)
{
    dt_tensors set;
    dt_error err;
    size_t at = (next(in) * 256 + next(in)) % size, end = next(in) % 2 ? size : at;
    if (dt_tensors_init(&set, NULL, &err) != DT_OK) abort();
    file[at] ^= (uint8_t)(1 << next(in) % 8);
    if (dt_container_read_bytes("fuzz", file, end, NULL, &set, &err) == DT_OK) abort();
    dt_tensors_fini(&set);
    fuzz_import("detent", file, end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = { data, size };
    dt_tensors set;
    dt_error err = { 0 };
    uint8_t *file;
    size_t bytes;
    fuzz_import("detent", data, size);
    if (dt_tensors_init(&set, NULL, &err) != DT_OK) return 0;
    while (in.left > 6 && set.count + set.attr_count < MOST)
        if (next(&in) % 3)
            add_tensor(&in, &set);
        else
            add_text(&in, &set);
    dt_status st = dt_hdf5image_make("fuzz", &set, DT_CONTAINER_BLOCK, &file, &bytes, &err);
    if (st == DT_OK) {
        fit_block(file, bytes);
        round_trip(&set, file, bytes);
        damage(&in, file, bytes);
        dt_put(NULL, file);
    } else if (strncmp(err.text, "fuzz: ", 6) != 0) {
        abort();
    }
    dt_tensors_fini(&set);
    return 0;
}
