/* The recipe of a net that is a file and of pictures that are a folder. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/text.h"
#include "exchange/onnx/reader/onnx_graph.h"
#include "train/quantize/from_file.h"

enum { IMAGES = 1024, BATCH = 128 };
#define TEST_SHARE "0.2"

typedef struct found {
    int classes;  /* of the net; 0: it does not tell */
    int64_t H, W; /* its pictures'; 0: any */
    const dt_dataset *row;
    bool shares;       /* pictures of the root are parted */
    bool any_size;     /* the row is told that sizes differ */
    dt_data_info info; /* without its pointers */
} found;

static dt_status look_at_net(const char *path, found *f, dt_error *err)
{
    dt_onnx_net *net;
    DT_TRY(dt_onnx_net_open(path, NULL, &net, err));
    f->classes = dt_onnx_net_classes(net);
    dt_onnx_net_size(net, &f->H, &f->W);
    dt_onnx_net_close(net);
    return DT_OK;
}

/* Are there folders of splits? */
static bool is_parted(const char *root)
{
    static const char *const splits[] = { "train", "test", "val" };
    for (size_t i = 0; i < DT_ARRAY_LEN(splits); i++) {
        char path[DT_DATA_PATH];
        struct stat st;
        if (dt_data_path(path, root, splits[i], NULL) == DT_OK && stat(path, &st) == 0 &&
            S_ISDIR(st.st_mode))
            return true;
    }
    return false;
}

static dt_status open_set(const char *root, found *f, dt_error *err)
{
    const dt_row *row = &f->row->row;
    const dt_opt *sizes = row->opts ? dt_opt_find(row->opts, "sizes") : NULL;
    const dt_opt *share = row->opts ? dt_opt_find(row->opts, "test_share") : NULL;
    void *conf = dt_get(NULL, row->conf_size + 1, "dataset");
    dt_data *data = NULL;
    if (!conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to open the dataset");
    if (row->opts) dt_opt_defaults(row->opts, conf);
    f->shares = share && !is_parted(root);
    dt_data_params p = { .root = root, .conf = conf, .need = DT_NEED_BOTH, .outputs = f->classes };
    dt_status st = f->shares ? dt_opt_set(share, conf, TEST_SHARE, NULL, err) : DT_OK;
    if (st == DT_OK) st = dt_data_open(f->row, &p, &data, err);
    if (st == DT_ERR_FORMAT && sizes) { /* it may be sizes that differ: they are asked for then */
        f->any_size = true;
        st = dt_opt_set(sizes, conf, "any", NULL, err);
        if (st == DT_OK) st = dt_data_open(f->row, &p, &data, err);
    }
    if (st == DT_OK) f->info = *dt_data_info_of(data);
    dt_data_close(data);
    dt_put(NULL, conf);
    return st;
}

static dt_status check(const dt_net_source *s, const found *f, dt_error *err)
{
    const dt_where where = { .file = s->folder };
    if (f->info.unlabelled || f->classes == 0 || f->info.classes == f->classes) return DT_OK;
    return dt_fail(
        err, DT_ERR_RANGE, &where,
        "has pictures of %d classes, the net has %d outputs; pictures without labels lie "
        "in one folder without sub-folders",
        f->info.classes, f->classes);
}

/* Pictures of the net's own size are left; others get it as is common: the shorter side an eighth
 * longer, then the middle. */
static void say_transforms(dt_text *t, const found *f)
{
    const bool fits = f->info.H && (!f->H || (f->info.H == f->H && f->info.W == f->W));
    if (fits || f->H <= 0 || f->H != f->W) return; /* what is not said then, the session tells */
    for (int k = 0; k < DT_DATA_SPLITS; k++)
        dt_text_say(t, "  %s: [resize: %lld, center_crop: %lld]\n", k ? "test" : "train",
                    (long long)(f->H * 8 + 3) / 7, (long long)f->H);
}

static void say_data(dt_text *t, const dt_net_source *s, const found *f)
{
    const int64_t train = f->info.count[DT_SPLIT_TRAIN];
    dt_text_say(t, "data:\n  name: %s\n  normalize: %s\n  batch: %lld\n", f->row->row.name,
                s->normalize, (long long)(train < BATCH ? train : BATCH));
    if (f->any_size) dt_text_say(t, "  sizes: any\n");
    if (f->shares) dt_text_say(t, "  test_share: " TEST_SHARE "\n");
    say_transforms(t, f);
    dt_text_say(t, "ptq: {images: %lld}\n", (long long)(train < IMAGES ? train : IMAGES));
}

static dt_status look_at_pictures(const dt_net_source *s, found *f, dt_error *err)
{
    if (!s->normalize)
        return dt_fail(
            err, DT_ERR_ARG, &(dt_where){ .file = s->net },
            "does not tell what it expects of pictures: say --normalize none (0..1), half "
            "(-1..1), imagenet, cifar or '{mean: 0, std: 1, range: 255}' (0..255)");
    DT_TRY(look_at_net(s->net, f, err));
    f->row = dt_data_for(s->folder);
    if (!f->row)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = s->folder },
                       "is no folder with PNG or JPEG files, class folders or CIFAR's files");
    DT_TRY(open_set(s->folder, f, err));
    return check(s, f, err);
}

dt_status dt_quantize_recipe_of(const dt_net_source *s, char **out, dt_error *err)
{
    found f = { .classes = 0 };
    dt_text t = { .alloc = NULL };
    if (s->folder) DT_TRY(look_at_pictures(s, &f, err));
    dt_text_say(&t,
                "model: {name: onnx}\n"
                "quant:\n  placement: deploy\n"
                "  weights: {method: lsq, bits: 8, granularity: channel, narrow: yes, init: mse}\n"
                "  activations: {method: lsq, bits: 8, init: mse}\n");
    if (s->folder) say_data(&t, s, &f);
    if (t.failed) {
        dt_text_fini(&t);
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    }
    *out = t.bytes;
    return DT_OK;
}

bool dt_is_net_file(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot, ".onnx") == 0;
}

/* "name=net" of "folder/net.onnx" */
static char *name_word(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    return dt_format(NULL, "name=%.*s", (int)(strrchr(base, '.') - base), base);
}

dt_status dt_quantize_file_words(const dt_net_source *s, char *out[DT_QUANTIZE_FILE_WORDS],
                                 int *out_count, dt_error *err)
{
    int n = 0;
    memset(out, 0, DT_QUANTIZE_FILE_WORDS * sizeof *out);
    out[n++] = dt_format(NULL, "model.onnx=%s", s->net);
    out[n++] = name_word(s->net);
    if (s->folder) out[n++] = dt_format(NULL, "data.root=%s", s->folder);
    for (int i = 0; i < n; i++)
        if (!out[i]) {
            dt_quantize_file_words_fini(out);
            return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
        }
    *out_count = n;
    return DT_OK;
}

void dt_quantize_file_words_fini(char *words[DT_QUANTIZE_FILE_WORDS])
{
    for (int i = 0; i < DT_QUANTIZE_FILE_WORDS; i++) {
        dt_put(NULL, words[i]);
        words[i] = NULL;
    }
}
