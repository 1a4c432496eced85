/* Names of vision transformers: tables of what others call the parameters. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/foreign_vit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* '#' stands for a block's number; what follows a pattern that ends with '.' is kept. `part` 1..3:
 * of three rows of a joint tensor. */
typedef struct name_row {
    const char *from, *to;
    int part;
} name_row;

#define HF_BLOCK "encoder.layer.#."
#define TV_BLOCK "encoder.layers.encoder_layer_#."
static const name_row names[] = {
    /* huggingface/transformers: modeling_vit.py, modeling_deit.py */
    { "embeddings.cls_token", "cls_token" },
    { "embeddings.position_embeddings", "pos_embed" },
    { "embeddings.patch_embeddings.projection.", "patch_embed.proj." },
    { HF_BLOCK "layernorm_before.", "blocks.#.norm1." },
    { HF_BLOCK "layernorm_after.", "blocks.#.norm2." },
    { HF_BLOCK "attention.attention.query.", "blocks.#.attn.qkv.", 1 },
    { HF_BLOCK "attention.attention.key.", "blocks.#.attn.qkv.", 2 },
    { HF_BLOCK "attention.attention.value.", "blocks.#.attn.qkv.", 3 },
    { HF_BLOCK "attention.output.dense.", "blocks.#.attn.proj." },
    { HF_BLOCK "intermediate.dense.", "blocks.#.mlp.fc1." },
    { HF_BLOCK "output.dense.", "blocks.#.mlp.fc2." },
    { "layernorm.", "norm." },
    { "classifier.", "head." },
    { "cls_classifier.", "head." },
    /* pytorch/vision: torchvision/models/vision_transformer.py */
    { "class_token", "cls_token" },
    { "conv_proj.", "patch_embed.proj." },
    { "encoder.pos_embedding", "pos_embed" },
    { TV_BLOCK "ln_1.", "blocks.#.norm1." },
    { TV_BLOCK "ln_2.", "blocks.#.norm2." },
    { TV_BLOCK "self_attention.in_proj_weight", "blocks.#.attn.qkv.weight" },
    { TV_BLOCK "self_attention.in_proj_bias", "blocks.#.attn.qkv.bias" },
    { TV_BLOCK "self_attention.out_proj.", "blocks.#.attn.proj." },
    { TV_BLOCK "mlp.0.", "blocks.#.mlp.fc1." },
    { TV_BLOCK "mlp.linear_1.", "blocks.#.mlp.fc1." },
    { TV_BLOCK "mlp.3.", "blocks.#.mlp.fc2." },
    { TV_BLOCK "mlp.linear_2.", "blocks.#.mlp.fc2." },
    { "encoder.ln.", "norm." },
    { "heads.head.", "head." },
};
static const char *const prefixes[] = { "vit.", "deit." };

enum { NAME = 160 };

/* Does `name` fit the pattern? `number` (8 bytes) takes the digits, `*rest` what is behind. */
static bool fits(const char *pattern, const char *name, char *number, const char **rest)
{
    number[0] = '\0';
    for (; *pattern; pattern++) {
        if (*pattern != '#') {
            if (*pattern != *name++) return false;
            continue;
        }
        size_t digits = strspn(name, "0123456789");
        if (digits == 0 || digits > 4) return false;
        memcpy(number, name, digits);
        number[digits] = '\0';
        name += digits;
    }
    *rest = name;
    return pattern[-1] == '.' ? *name != '\0' : *name == '\0';
}

/* The graph's name for a tensor, in `to`; its part, or -1: the name stays as it is. */
static int translate(const dt_graph *g, const char *name, char *to)
{
    if (dt_graph_find(g, name) >= 0) return -1;
    for (size_t i = 0; i < DT_ARRAY_LEN(prefixes); i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) name += strlen(prefixes[i]);
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++) {
        char number[8];
        const char *rest, *hash = strchr(names[i].to, '#');
        if (!fits(names[i].from, name, number, &rest)) continue;
        int before = hash ? (int)(hash - names[i].to) : (int)strlen(names[i].to);
        snprintf(to, NAME, "%.*s%s%s%s", before, names[i].to, number, hash ? hash + 1 : "", rest);
        return dt_graph_find(g, to) >= 0 ? names[i].part : -1;
    }
    return -1;
}

typedef struct adapter {
    const dt_graph *g;
    const char *path;
    dt_tensors *out;
} adapter;

/* Index of an item by name, made with this shape when it is not there. */
static dt_status item_of(adapter *a, const char *name, const dt_shape *shape, size_t *out_index,
                         dt_error *err)
{
    const dt_named_tensor *t = dt_tensors_find(a->out, name);
    if (!t) {
        DT_TRY(dt_tensors_add(a->out, name, DT_F32, shape, NULL, err));
        t = dt_tensors_find(a->out, name);
    }
    *out_index = (size_t)(t - a->out->item);
    if (dt_shape_equal(&t->shape, shape)) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .key = name },
                   "its queries, keys and values have different shapes");
}

/* Are queries, keys and values of t's layer all there, and the joint tensor not? */
static bool is_complete(const dt_tensors *in, const dt_named_tensor *t, const char *joint)
{
    static const char *const parts[] = { ".query.", ".key.", ".value." };
    char name[NAME];
    const char *at = NULL;
    size_t length = 0;
    for (int i = 0; !at && i < 3; i++) {
        at = strstr(t->name, parts[i]);
        length = strlen(parts[i]);
    }
    for (int i = 0; at && i < 3; i++) {
        snprintf(name, sizeof name, "%.*s%s%s", (int)(at - t->name), t->name, parts[i],
                 at + length);
        if (!dt_tensors_find(in, name)) return false;
    }
    return at && !dt_tensors_find(in, joint);
}

/* Part 1..3 of a joint tensor: rows (part - 1) C .. part C. */
static dt_status join(adapter *a, const char *name, int part, const dt_named_tensor *t,
                      dt_error *err)
{
    dt_shape shape = t->shape;
    size_t index, n = (size_t)dt_shape_count(&t->shape);
    if (shape.rank < 1 || shape.rank > 2)
        return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .key = t->name }, "is no weight or bias");
    DT_TRY(dt_tensor_check(t, a->path, false, err));
    shape.dim[0] *= 3;
    DT_TRY(item_of(a, name, &shape, &index, err));
    float *to = dt_tensors_data(a->out, index);
    dt_to_f32(t->dtype, t->data, n, to + (size_t)(part - 1) * n);
    return DT_OK;
}

/* Keys' cubic convolution with a = -0.75, the weights of the four neighbours of a point that is
 * `x` (0..1) behind the second (Keys 1981; the constant is PyTorch's). */
static void cubic(double x, double w[4])
{
    const double a = -0.75;
    const double d[4] = { 1 + x, x, 1 - x, 2 - x };
    for (int i = 0; i < 4; i++) {
        double t = d[i];
        w[i] = t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1
                      : ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
    }
}

static int64_t inside(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* from [n,n,C] -> to [H,W,C] */
static void resize(const float *from, int64_t n, int64_t C, int64_t H, int64_t W, float *to)
{
    for (int64_t h = 0; h < H; h++)
        for (int64_t w = 0; w < W; w++) {
            double y = ((double)h + 0.5) * (double)n / (double)H - 0.5, ky[4], kx[4];
            double x = ((double)w + 0.5) * (double)n / (double)W - 0.5;
            int64_t top = (int64_t)floor(y), left = (int64_t)floor(x);
            cubic(y - floor(y), ky);
            cubic(x - floor(x), kx);
            for (int64_t c = 0; c < C; c++) {
                double sum = 0;
                for (int i = 0; i < 4; i++)
                    for (int j = 0; j < 4; j++) {
                        int64_t r = inside(top + i - 1, n), s = inside(left + j - 1, n);
                        sum += ky[i] * kx[j] * (double)from[(r * n + s) * C + c];
                    }
                to[(h * W + w) * C + c] = (float)sum;
            }
        }
}

/* Patches down and across; false: the graph has none. */
static bool grid_of(const dt_graph *g, int64_t *out_h, int64_t *out_w)
{
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        const dt_op_product *of = node->op->product;
        if (!of || g->value[node->in[of->x]].shape.rank != 4 ||
            g->value[node->out[0]].shape.rank != 3)
            continue; /* pictures in, tokens out: the patch embedding */
        const dt_shape *x = &g->value[node->in[of->x]].shape, *w = &g->value[node->in[of->w]].shape;
        *out_h = x->dim[1] / w->dim[1];
        *out_w = x->dim[2] / w->dim[2];
        return true;
    }
    return false;
}

/* The position embedding, on the graph's grid. */
static dt_status add_positions(adapter *a, const char *name, const dt_named_tensor *t,
                               dt_error *err)
{
    int v = dt_graph_find(a->g, name);
    const dt_shape *want = &a->g->value[v].shape, *have = &t->shape;
    int64_t H = 0, W = 0, n = 0, C = want->dim[2];
    if (have->rank == 3 && have->dim[1] > 1) n = (int64_t)sqrt((double)(have->dim[1] - 1));
    bool other = n > 0 && n * n + 1 == have->dim[1] && have->dim[0] == 1 && have->dim[2] == C &&
                 !dt_shape_equal(have, want) && grid_of(a->g, &H, &W);
    if (!other) return dt_tensors_add(a->out, name, t->dtype, have, t->data, err);
    DT_TRY(dt_tensor_check(t, a->path, false, err));
    size_t count = (size_t)dt_shape_count(have);
    float *plain = dt_arena_get(a->out->arena, count * sizeof *plain);
    if (!plain) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_to_f32(t->dtype, t->data, count, plain);
    DT_TRY(dt_tensors_add(a->out, name, DT_F32, want, NULL, err));
    float *to = dt_tensors_data(a->out, a->out->count - 1);
    memcpy(to, plain, (size_t)C * sizeof *to); /* the class token's own position */
    resize(plain + C, n, C, H, W, to + C);
    return DT_OK;
}

static dt_status adapt(adapter *a, const dt_tensors *in, dt_error *err)
{
    for (size_t i = 0; i < in->count; i++) {
        const dt_named_tensor *t = &in->item[i];
        char to[NAME];
        int part = translate(a->g, t->name, to);
        if (part > 0 && !is_complete(in, t, to)) part = -1;
        const char *name = part >= 0 ? to : t->name;
        if (part > 0)
            DT_TRY(join(a, name, part, t, err));
        else if (strcmp(name, "pos_embed") == 0 && dt_graph_find(a->g, name) >= 0)
            DT_TRY(add_positions(a, name, t, err));
        else
            DT_TRY(dt_tensors_add(a->out, name, t->dtype, &t->shape, t->data, err));
    }
    for (size_t i = 0; i < in->attr_count; i++)
        DT_TRY(dt_tensors_set_attr(a->out, in->attr[i].key, in->attr[i].value, err));
    return DT_OK;
}

dt_status dt_foreign_vit(const dt_graph *g, const dt_tensors *in, const char *path,
                         const dt_alloc *alloc, dt_tensors *out, dt_error *err)
{
    dt_tensors set;
    DT_TRY(dt_tensors_init(&set, alloc, err));
    adapter a = { g, path, &set };
    dt_status st = adapt(&a, in, err);
    if (st == DT_OK)
        *out = set;
    else
        dt_tensors_fini(&set);
    return st;
}
