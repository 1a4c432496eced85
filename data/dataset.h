/* Datasets: samples with their answers by split and index, RGB pictures with labels or arrays. A
 * row of the table describes a kind of dataset; dt_data is one that was opened. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_DATASET_H
#define DT_DATA_DATASET_H

#include "core/alloc.h"
#include "core/answer.h"
#include "core/memory.h"
#include "core/opt.h"
#include "core/shape.h"
#include "data/picture.h"

typedef enum dt_split {
    DT_SPLIT_TRAIN = 0,
    DT_SPLIT_TEST = 1,
    DT_SPLIT_VAL = 2, /* cut from the training samples by the loader; no dataset stores it */
} dt_split;

enum {
    DT_DATA_SPLITS = 2,   /* splits a dataset stores */
    DT_DATA_CHANNELS = 3, /* R, G, B */
    DT_DATA_MAX_SIDE = DT_PICTURE_MAX_SIDE,
    DT_DATA_MAX_RANK = DT_MAX_RANK - 1, /* axes of an array's sample */
    DT_DATA_MAX_CLASSES = 100000, /* where nothing else limits them */
    DT_DATA_PATH = 4096,          /* bytes of a path, as many as the kernel takes */
};

/* Which splits the caller reads. One that is not asked for is not opened: its files need not be
 * there, and it counts 0 samples. */
typedef enum dt_data_need {
    DT_NEED_BOTH,
    DT_NEED_TRAIN,
    DT_NEED_TEST,
    DT_NEED_ANY, /* those that are there, one at least; rows without folders take it as BOTH */
} dt_data_need;

/* Something about a set's files that the user should hear. */
typedef struct dt_data_note {
    const char *text; /* one line, with the place */
    bool fault;       /* opening would refuse it, but was asked to go on */
} dt_data_note;

/* One of several inputs of a sample. */
enum { DT_DATA_PARTS = 8, DT_DATA_PART_NAME = 48 };
typedef struct dt_data_part {
    char name[DT_DATA_PART_NAME]; /* letters, digits, '_', '-' and '.' */
    dt_shape shape;               /* of a sample, channels last */
} dt_data_part;

/* One of several answers of a sample, by name. */
typedef struct dt_data_target {
    char name[DT_DATA_PART_NAME];
    dt_answer kind;  /* LABEL, FLAGS or NUMBERS */
    int64_t numbers; /* flags or numbers of a sample; of labels 1 */
    int classes;     /* labels are 0..classes-1 */
} dt_data_target;

/* What an opened dataset holds. */
typedef struct dt_data_info {
    dt_shape input; /* of an array's sample, channels last; rank 0: pictures. Of several inputs that
                       of a record [n]: all numbers of a sample, one input behind the other */
    dt_data_part part[DT_DATA_PARTS]; /* the inputs, in the order of the record */
    int parts;                        /* 0: there is one, `input` */
    bool input_nonneg;                /* no value of an array is negative */
    bool answers_itself; /* answers are the inputs, which `take` leaves to the loader */
    bool unlabelled;     /* labels are 0 and mean nothing */
    dt_answer answer;
    int64_t answers;                      /* flags or numbers of a sample; elements of a record */
    dt_data_target target[DT_DATA_PARTS]; /* the answers of a record, in its order */
    int targets;                          /* 0: there is one answer, without a name */
    int classes;                          /* labels are 0..classes-1 */
    int64_t H, W;                   /* pixels of every picture, 1..DT_DATA_MAX_SIDE; 0: they differ,
                                       and transforms must give them one size */
    bool coded;                     /* reading decodes: it costs milliseconds, not a copy */
    int64_t count[DT_DATA_SPLITS];  /* samples of TRAIN and TEST, 1..2^31-1 where asked for */
    const char *const *class_names; /* [classes], lives as long as the set; NULL: not known */
    int64_t passed[DT_DATA_SPLITS]; /* files and folders that are no part of the set */
    const dt_data_note *notes;      /* [note_count], live as long as the set */
    size_t note_count;
} dt_data_info;

typedef struct dt_data_params {
    const char *root;      /* folder with the files or its parent; NULL: none */
    const void *conf;      /* options of the row (row.conf_size bytes); NULL: its defaults */
    const dt_alloc *alloc; /* NULL: dt_alloc_std(); must outlive the set */
    dt_memory_limit memory; /* NOMEM: opening takes more, with what is in use; a set of less than a
                               megabyte is always opened */
    int threads;            /* for work at open; 0: one */
    dt_data_need need;
    dt_orient orient;           /* of files that tell how they are to be seen */
    dt_answer answer;           /* that is wanted of every sample */
    int outputs;                /* labels must be below; 0: not told */
    const dt_data_target *want; /* with RECORD: names and kinds of the answers, in their order */
    int wants;
    bool lenient; /* for checking: classes without pictures are notes, not errors */
} dt_data_params;

/* Where a sample comes from, for messages and packing. */
typedef struct dt_sample_name {
    char path[DT_DATA_PATH]; /* of the file; empty: it has none of its own */
    char name[DT_DATA_PATH]; /* "<class>/<file>", relative to the split's folder */
    int label;
} dt_sample_name;

/* Descriptor of a kind of dataset. */
typedef struct dt_dataset {
    dt_row row; /* must be first */
    bool needs_root;
    /* Does a folder hold what the row reads, as far as names tell? NULL: it is not looked for. */
    bool (*holds)(const char *root);
    /* How many classes a folder has, as far as names tell; 0: they do not. NULL: it is not known
     * before the set is open. */
    int (*classes)(const char *root);
    unsigned answers; /* bit i: it has answers of that kind (dt_answer); 0: labels */
    /* Opens and checks everything that can be checked without reading every picture. Fills
     * `*out_self` (given to read and close) and `*out_info` on success only. `p->conf` is set. */
    dt_status (*open)(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                      dt_error *err);
    /* Reads sample `index` (inside its split) into out->picture and out->label; the other buffers
     * of `out` are there to be used. Many threads may read at once, each with a sample of its
     * own. */
    dt_status (*read)(const void *self, dt_split split, int64_t index, dt_sample *out,
                      dt_error *err);
    /* Rows of arrays, in place of `read`: the values of sample `index` [info.input], and its
     * answer, an int32_t or info.answers floats. `room` is the thread's. FORMAT: a value is nan. */
    dt_status (*take)(const void *self, dt_split split, int64_t index, dt_bytes *room, float *x,
                      void *answer, dt_error *err);
    /* Names sample `index` without reading it; NULL: samples are not files. */
    dt_status (*name)(const void *self, dt_split split, int64_t index, dt_sample_name *out,
                      dt_error *err);
    void (*close)(void *self);
} dt_dataset;

/* All rows; every dt_row in it is the first member of a dt_dataset. */
extern const dt_table dt_datasets;

/* The first row that a folder is for; NULL: none is. */
const dt_dataset *dt_data_for(const char *root);

/* Keys of the recipe's `data` section that belong to no row. */
typedef struct dt_data_conf {
    int batch; /* samples */
    dt_opt_str root;
    int normalize;           /* index into dt_normalizes; DT_NORMALIZE_COUNT: the three below */
    dt_opt_floats mean, std; /* of values in 0..range: of all channels, or one each */
    int range;               /* 0: 1, 1: 255 */
    int val;                 /* samples taken from the training split for validation */
    int broken;              /* dt_data_broken */
    int orientation;         /* dt_orient: IGNORE or APPLY */
} dt_data_conf;

/* What a picture that cannot be read means. */
typedef enum dt_data_broken { DT_BROKEN_ERROR, DT_BROKEN_SKIP } dt_data_broken;
extern const dt_opt dt_data_opts[];

/* An opened dataset; const after open, so threads may share it. */
typedef struct dt_data dt_data;

dt_status dt_data_open(const dt_dataset *row, const dt_data_params *params, dt_data **out_data,
                       dt_error *err) DT_MUST_CHECK;
const dt_data_info *dt_data_info_of(const dt_data *data); /* lives as long as `data` */
/* Number of samples of TRAIN or TEST; 0 for VAL. */
int64_t dt_data_count(const dt_data *data, dt_split split);
/* Reads one sample into out->picture and out->label. RANGE when `index` is outside the split;
 * otherwise what the files give. On failure the picture may be half written. */
dt_status dt_data_read(const dt_data *data, dt_split split, int64_t index, dt_sample *out,
                       dt_error *err) DT_MUST_CHECK;
/* The same of arrays, see dt_dataset.take. */
dt_status dt_data_take(const dt_data *data, dt_split split, int64_t index, dt_bytes *room, float *x,
                       void *answer, dt_error *err) DT_MUST_CHECK;
/* UNSUPPORTED when the samples are no files. */
dt_status dt_data_name(const dt_data *data, dt_split split, int64_t index, dt_sample_name *out,
                       dt_error *err) DT_MUST_CHECK;
void dt_data_close(dt_data *data); /* NULL is fine */

/* For rows: whether the split is to be opened, ANY included. */
bool dt_data_needs(dt_data_need need, dt_split split);
/* For rows: "<folder>/<name>" into `path`; ARG when it does not fit. */
dt_status dt_data_path(char path[DT_DATA_PATH], const char *folder, const char *name,
                       dt_error *err) DT_MUST_CHECK;

#endif
