/* Puts files of numpy into an HDF5 file, as h5py's create_dataset(name, data=...) does:
 *     npy_to_hdf5 OUT.h5 NAME=FILE.npy... */
/* SPDX-License-Identifier: Apache-2.0 */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/array.h"

static hid_t type_of(dt_array_type type)
{
    const hid_t types[DT_ARRAY_TYPES] = {
        [DT_ARRAY_BOOL] = H5T_STD_U8LE,  [DT_ARRAY_U8] = H5T_STD_U8LE,
        [DT_ARRAY_I8] = H5T_STD_I8LE,    [DT_ARRAY_U16] = H5T_STD_U16LE,
        [DT_ARRAY_I16] = H5T_STD_I16LE,  [DT_ARRAY_I32] = H5T_STD_I32LE,
        [DT_ARRAY_I64] = H5T_STD_I64LE,  [DT_ARRAY_F32] = H5T_IEEE_F32LE,
        [DT_ARRAY_F64] = H5T_IEEE_F64LE,
    };
    return types[type];
}

static int put(hid_t file, char *pair)
{
    char *path = strchr(pair, '=');
    dt_array a;
    dt_error err = { .status = DT_OK };
    hsize_t dim[DT_MAX_RANK];
    if (!path) return 1;
    *path++ = '\0';
    if (dt_array_open(path, NULL, &a, &err) != DT_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    size_t size = (size_t)a.head.shape.dim[0] * dt_array_raw(&a);
    void *bytes = malloc(size);
    FILE *in = fopen(path, "rb");
    bool ok = bytes && in && fseek(in, (long)a.head.offset, SEEK_SET) == 0 &&
              fread(bytes, 1, size, in) == size;
    for (int i = 0; i < a.head.shape.rank; i++)
        dim[i] = (hsize_t)a.head.shape.dim[i];
    hid_t space = H5Screate_simple(a.head.shape.rank, dim, NULL), type = type_of(a.head.type);
    hid_t groups = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(groups, 1);
    hid_t set = H5Dcreate2(file, pair, type, space, groups, H5P_DEFAULT, H5P_DEFAULT);
    ok = ok && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0;
    H5Dclose(set);
    H5Pclose(groups);
    H5Sclose(space);
    if (in) fclose(in);
    free(bytes);
    dt_array_close(&a);
    return !ok;
}

int main(int argc, char **argv)
{
    hid_t file = argc > 2 ? H5Fcreate(argv[1], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT) : -1;
    int bad = file < 0;
    for (int i = 2; !bad && i < argc; i++)
        bad = put(file, argv[i]);
    if (file >= 0) bad = H5Fclose(file) < 0 || bad;
    return bad;
}
