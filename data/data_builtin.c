/* Pictures drawn at open: needs no files, for first steps and for tests of whole runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <string.h>

#include "core/thread.h"
#include "data/render.h"

enum { TASK = 64 /* pictures */ };

typedef struct conf {
    int train_pictures, test_pictures; /* `train` alone is the list of transforms in a recipe */
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, train_pictures, 10000, 1, 1000000, "training pictures"),
    DT_OPT_INT(conf, test_pictures, 2000, 1, 1000000, "test pictures"),
    DT_OPT_END,
};

typedef struct set {
    const dt_alloc *alloc;
    int64_t count[DT_DATA_SPLITS];
    uint8_t *pictures[DT_DATA_SPLITS]; /* [count,32,32,3] */
} set;

typedef struct job {
    set *s;
    dt_split split;
} job;

static void draw(void *arg, int64_t task, int thread)
{
    (void)thread;
    const job *j = arg;
    int64_t n = j->s->count[j->split], end = (task + 1) * TASK < n ? (task + 1) * TASK : n;
    for (int64_t i = task * TASK; i < end; i++)
        dt_render((uint32_t)j->split, (uint64_t)i, j->s->pictures[j->split] + i * DT_RENDER_BYTES);
}

static void close(void *self)
{
    set *s = self;
    for (int i = 0; i < DT_DATA_SPLITS; i++)
        dt_put(s->alloc, s->pictures[i]);
    dt_put(s->alloc, s);
}

static dt_status open(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                      dt_error *err)
{
    const conf *c = p->conf;
    set *s = dt_get(p->alloc, sizeof *s, "builtin");
    if (!s) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to open the dataset");
    *s = (set){ .alloc = p->alloc, .count = { c->train_pictures, c->test_pictures } };
    for (int i = 0; i < DT_DATA_SPLITS; i++) {
        if (!dt_data_needs(p->need, (dt_split)i)) {
            s->count[i] = 0;
            continue;
        }
        s->pictures[i] = dt_get_array(p->alloc, (size_t)s->count[i], DT_RENDER_BYTES, "builtin");
        if (s->pictures[i]) continue;
        close(s);
        const char *const keys[] = { "data.train_pictures", "data.test_pictures" };
        return dt_fail(err, DT_ERR_NOMEM, &(dt_where){ .key = keys[i] }, "no memory for %d",
                       i ? c->test_pictures : c->train_pictures);
    }
    for (int i = 0; i < DT_DATA_SPLITS; i++)
        dt_parallel(p->threads, (s->count[i] + TASK - 1) / TASK, draw, &(job){ s, (dt_split)i });
    *out_self = s;
    *out_info = (dt_data_info){ .classes = DT_RENDER_CLASSES,
                                .H = DT_RENDER_SIDE,
                                .W = DT_RENDER_SIDE,
                                .count = { s->count[0], s->count[1] },
                                .class_names = dt_render_class_names };
    return DT_OK;
}

static dt_status read(const void *self, dt_split split, int64_t index, dt_sample *out,
                      dt_error *err)
{
    const set *s = self;
    DT_TRY(dt_picture_shape(&out->picture, DT_RENDER_SIDE, DT_RENDER_SIDE, err));
    memcpy(out->picture.rgb.data, s->pictures[split] + index * DT_RENDER_BYTES, DT_RENDER_BYTES);
    out->label = (int)(index % DT_RENDER_CLASSES);
    return DT_OK;
}

extern const dt_dataset dt_dataset_builtin;
const dt_dataset dt_dataset_builtin = {
    .row = { "builtin", "ten shapes drawn by the program itself, 32x32; needs no files", opts,
             sizeof(conf) },
    .open = open,
    .read = read,
    .close = close,
};
