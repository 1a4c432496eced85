/* From a lowering to the integer model: a walk over the graph. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/model.h"

#include <string.h>

#include "autograd/op_conv2d.h"
#include "autograd/op_maxpool.h"
#include "autograd/op_pad_channels.h"
#include "autograd/op_relu6.h"
#include "autograd/quantizer.h"
#include "autograd/query.h"

const char *const dt_int_kind_name[DT_INT_KINDS] = { "input", "product", "mean",    "requant",
                                                     "add",   "table",   "maxpool", "pad" };

/* What a value of the graph is here. Sums and additions wait for the grid that they end on. */
typedef enum form_kind { FORM_FLOAT, FORM_PICTURE, FORM_CODES, FORM_SUMS, FORM_ADDITION } form_kind;
typedef struct form {
    form_kind kind;
    int a, b; /* values of the model */
    bool relu, relu6;
} form;

typedef struct builder {
    const dt_lowered *l;
    const dt_graph *g;
    dt_int_model *m;
    form *form; /* by value of the graph */
    dt_error *err;
} builder;

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the integer model");
}

static dt_status refuse(const builder *b, const dt_node *n, const char *rule)
{
    return dt_fail(b->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name }, "%s", rule);
}

int64_t dt_int_count(const dt_int_value *v)
{
    return v->H * v->W * v->C;
}

const dt_int_node *dt_int_producer(const dt_int_model *m, int value)
{
    for (int i = 0; i < m->node_count; i++)
        if (m->node[i].out == value) return &m->node[i];
    return NULL;
}

/* A node and its output, which has the shape of a value of the graph. */
static dt_int_node *add_node(builder *b, dt_int_kind kind, const dt_node *n, int a, int c)
{
    dt_int_model *m = b->m;
    const dt_shape *s = &b->g->value[n->out[0]].shape;
    bool picture = s->rank == 4;
    m->value[m->value_count] = (dt_int_value){ .H = picture ? s->dim[1] : 1,
                                               .W = picture ? s->dim[2] : 1,
                                               .C = s->dim[s->rank - 1] };
    dt_int_node *node = &m->node[m->node_count++];
    *node = (dt_int_node){ .kind = kind, .in = { a, c }, .out = m->value_count++ };
    node->name = dt_arena_strdup(m->arena, n->name);
    return node->name ? node : NULL;
}

static void set_form(builder *b, const dt_node *n, form_kind kind, int a)
{
    b->form[n->out[0]] = (form){ .kind = kind, .a = a };
}

static dt_conv_shape conv_shape_of(const builder *b, const dt_node *n)
{
    const dt_shape *w = &b->g->value[n->in[1]].shape, *x = &b->g->value[n->in[0]].shape;
    const dt_shape *y = &b->g->value[n->out[0]].shape;
    if (w->rank == 2)
        return (dt_conv_shape){ 1, 1, 1, w->dim[1], w->dim[0], 1, 1, 1, 1, 0, 0, 1, 1, 1 };
    const dt_conv2d_conf *c = n->conf;
    return (dt_conv_shape){
        1,           x->dim[1],   x->dim[2], x->dim[3], w->dim[0], w->dim[1], w->dim[2],
        c->stride_h, c->stride_w, c->pad_h,  c->pad_w,  c->groups, y->dim[1], y->dim[2],
    };
}

/* Reach of every channel's sums; refuses those that may leave 32 bits. */
static dt_status set_reach(builder *b, const dt_node *n, dt_int_node *node)
{
    dt_int_value *y = &b->m->value[node->out];
    const dt_lower_grid *x = &b->m->value[node->in[0]].grid;
    int64_t K = node->kind == DT_INT_PRODUCT
                    ? node->shape.KH * node->shape.KW * node->shape.C / node->shape.G
                    : 0;
    y->is_sum = true;
    y->low = dt_arena_get(b->m->arena, (size_t)y->C * sizeof *y->low);
    y->high = dt_arena_get(b->m->arena, (size_t)y->C * sizeof *y->high);
    if (!y->low || !y->high) return no_memory(b->err);
    for (int64_t c = 0; c < y->C; c++) {
        int64_t low = (x->low - x->zero_point) * node->pixels;
        int64_t high = (x->high - x->zero_point) * node->pixels;
        if (node->kind == DT_INT_PRODUCT)
            dt_int_reach(node->weight + c * K, K, x, node->bias[c], &low, &high);
        if (low < INT32_MIN || high >= INT32_MAX)
            return refuse(b, n, "its sums may leave 32 bits; fewer bits or a narrower layer fit");
        y->low[c] = (int32_t)low;
        y->high[c] = (int32_t)high;
    }
    return DT_OK;
}

static dt_status copy_product(builder *b, const dt_lower_product *p, dt_int_node *node)
{
    dt_arena *arena = b->m->arena;
    size_t O = (size_t)p->O, count = (size_t)(p->O * p->K);
    node->weight = dt_arena_get(arena, count);
    node->negated = dt_arena_get(arena, O * sizeof *node->negated);
    node->bias = dt_arena_get(arena, O * sizeof *node->bias);
    node->w_scale = dt_arena_get(arena, O * sizeof *node->w_scale);
    if (!node->weight || !node->negated || !node->bias || !node->w_scale) return no_memory(b->err);
    memcpy(node->weight, p->code, count);
    memcpy(node->negated, p->negated, O * sizeof *node->negated);
    if (p->has_bias) memcpy(node->bias, p->bias_code, O * sizeof *node->bias);
    for (size_t o = 0; o < O; o++)
        node->w_scale[o] = p->scale[p->scales > 1 ? o : 0];
    node->bits = p->bits;
    node->gain = p->gain;
    return DT_OK;
}

static dt_status walk_product(builder *b, const dt_node *n)
{
    const form *x = &b->form[n->in[0]];
    const dt_lower_product *p = b->l->product[dt_query_index(b->g, n)];
    if (x->kind != FORM_CODES) return refuse(b, n, "its input has no integer codes");
    if (!p->quantized || !p->bias_code) return refuse(b, n, "its weights have no integer codes");
    const dt_lower_grid *grid = &b->m->value[x->a].grid;
    dt_int_node *node = add_node(b, DT_INT_PRODUCT, n, x->a, -1);
    if (!node) return no_memory(b->err);
    node->shape = conv_shape_of(b, n);
    node->x_scale = grid->scale;
    const dt_conv_shape *s = &node->shape;
    bool pads = s->PH || s->PW || (s->OH - 1) * s->SH + s->KH > s->H || dt_conv_cols(s) > s->W;
    if (pads && (grid->zero_point < grid->low || grid->zero_point > grid->high))
        return refuse(b, n, "it pads with zeros, which its input's codes cannot say");
    DT_TRY(copy_product(b, p, node));
    DT_TRY(set_reach(b, n, node));
    set_form(b, n, FORM_SUMS, node->out);
    return DT_OK;
}

static dt_status walk_mean(builder *b, const dt_node *n)
{
    const form *x = &b->form[n->in[0]];
    if (x->kind != FORM_CODES) return refuse(b, n, "its input has no integer codes");
    dt_int_node *node = add_node(b, DT_INT_MEAN, n, x->a, -1);
    if (!node) return no_memory(b->err);
    const dt_int_value *v = &b->m->value[x->a];
    node->x_scale = v->grid.scale;
    node->pixels = v->H * v->W;
    node->w_scale = dt_arena_get(b->m->arena, (size_t)v->C * sizeof *node->w_scale);
    if (!node->w_scale) return no_memory(b->err);
    for (int64_t c = 0; c < v->C; c++)
        node->w_scale[c] = 1;
    DT_TRY(set_reach(b, n, node));
    set_form(b, n, FORM_SUMS, node->out);
    return DT_OK;
}

/* Memory for what dt_int_model_round fills. */
static dt_status make_room(builder *b, dt_int_node *node)
{
    const dt_int_value *y = &b->m->value[node->out];
    size_t C = (size_t)y->C, steps = (size_t)(y->grid.high - y->grid.low);
    dt_arena *arena = b->m->arena;
    if (node->kind == DT_INT_REQUANT) {
        node->multiplier = dt_arena_get(arena, C * sizeof *node->multiplier);
        node->threshold = dt_arena_get(arena, C * steps * sizeof *node->threshold + 1);
        if (!node->multiplier || !node->threshold) return no_memory(b->err);
    }
    if (node->kind == DT_INT_ADD) node->pair = dt_arena_get(arena, DT_CODES * DT_CODES);
    if (node->kind == DT_INT_TABLE) node->table = dt_arena_get(arena, DT_CODES);
    bool has =
        (node->kind != DT_INT_ADD || node->pair) && (node->kind != DT_INT_TABLE || node->table);
    return has ? DT_OK : no_memory(b->err);
}

/* A node that ends on a grid: the form's kind says which. */
static dt_status end_on_grid(builder *b, const dt_node *n, const form *x, dt_lower_grid grid)
{
    static const dt_int_kind kinds[] = { [FORM_PICTURE] = DT_INT_INPUT,
                                         [FORM_CODES] = DT_INT_TABLE,
                                         [FORM_SUMS] = DT_INT_REQUANT,
                                         [FORM_ADDITION] = DT_INT_ADD };
    int second = x->kind == FORM_ADDITION ? x->b : -1;
    dt_int_node *node = add_node(b, kinds[x->kind], n, x->kind == FORM_PICTURE ? -1 : x->a, second);
    if (!node) return no_memory(b->err);
    if (x->relu && grid.low < grid.zero_point) grid.low = grid.zero_point;
    if (x->relu6) dt_lower_cap(&grid);
    if (grid.low >= grid.high) return refuse(b, n, "has fewer than two codes");
    b->m->value[node->out].grid = grid;
    DT_TRY(make_room(b, node));
    set_form(b, n, FORM_CODES, node->out);
    return DT_OK;
}

static dt_status walk_site(builder *b, const dt_node *n)
{
    const dt_fakequant_conf *c = n->conf;
    const form x = b->form[n->in[0]];
    if (c->site.weight) return DT_OK;
    if (x.kind == FORM_FLOAT) return refuse(b, n, "quantizes a value that was computed in float");
    return end_on_grid(b, n, &x, *b->l->grid[dt_query_index(b->g, n)]);
}

static dt_status walk_relu(builder *b, const dt_node *n)
{
    form x = b->form[n->in[0]];
    x.relu = true;
    double low, high;
    n->op->limits(n->conf, &low, &high);
    x.relu6 = x.relu6 || high == DT_RELU6_HIGH; /* a ReLU behind it leaves its cap */
    if (x.kind == FORM_CODES) return end_on_grid(b, n, &x, b->m->value[x.a].grid);
    if (x.kind != FORM_SUMS && x.kind != FORM_ADDITION)
        return refuse(b, n, "its input has no integer form");
    b->form[n->out[0]] = x;
    return DT_OK;
}

static dt_status walk_batchnorm(builder *b, const dt_node *n)
{
    const form *x = &b->form[n->in[0]];
    const dt_node *conv = dt_query_maker(b->g, n->in[0]);
    if (!conv || dt_query_norm(b->g, b->l->needed, conv) != n)
        return refuse(b, n, "a batch norm that is not alone behind a conv has no integer form");
    b->form[n->out[0]] = *x;
    return DT_OK;
}

static dt_status walk_add(builder *b, const dt_node *n)
{
    const form *x = &b->form[n->in[0]], *y = &b->form[n->in[1]];
    if (x->kind != FORM_CODES || y->kind != FORM_CODES)
        return refuse(b, n, "an addend has no integer codes");
    b->form[n->out[0]] = (form){ .kind = FORM_ADDITION, .a = x->a, .b = y->a };
    return DT_OK;
}

/* maxpool and pad_channels move codes. */
static dt_int_node *move_codes(builder *b, dt_int_kind kind, const dt_node *n)
{
    const form *x = &b->form[n->in[0]];
    dt_int_node *node = add_node(b, kind, n, x->a, -1);
    if (!node) return NULL;
    b->m->value[node->out].grid = b->m->value[x->a].grid;
    set_form(b, n, FORM_CODES, node->out);
    return node;
}

static dt_status walk_maxpool(builder *b, const dt_node *n)
{
    const dt_maxpool_conf *c = n->conf;
    if (b->form[n->in[0]].kind != FORM_CODES) return refuse(b, n, "its input has no integer codes");
    dt_int_node *node = move_codes(b, DT_INT_MAXPOOL, n);
    if (!node) return no_memory(b->err);
    const dt_int_value *x = &b->m->value[node->in[0]], *y = &b->m->value[node->out];
    node->shape = (dt_conv_shape){ .H = x->H,
                                   .W = x->W,
                                   .C = x->C,
                                   .KH = c->kernel,
                                   .KW = c->kernel,
                                   .SH = c->stride,
                                   .SW = c->stride,
                                   .PH = c->pad,
                                   .PW = c->pad,
                                   .OH = y->H,
                                   .OW = y->W };
    return DT_OK;
}

static dt_status walk_pad(builder *b, const dt_node *n)
{
    const dt_pad_channels_conf *c = n->conf;
    if (b->form[n->in[0]].kind != FORM_CODES) return refuse(b, n, "its input has no integer codes");
    dt_int_node *node = move_codes(b, DT_INT_PAD, n);
    if (!node) return no_memory(b->err);
    const dt_lower_grid *grid = &b->m->value[node->out].grid;
    if (grid->zero_point < grid->low || grid->zero_point > grid->high)
        return refuse(b, n, "it adds zero channels, which its input's codes cannot say");
    node->shape = (dt_conv_shape){ .SH = c->stride, .SW = c->stride };
    node->before = c->before;
    return DT_OK;
}

/* Around the quantizer of a weight: part of its convolution, as that is. */
static dt_status walk_fold(builder *b, const dt_node *n)
{
    (void)b;
    (void)n;
    return DT_OK;
}

typedef struct walker {
    const char *op;
    dt_status (*walk)(builder *b, const dt_node *n);
} walker;

static const walker walkers[] = {
    { "add", walk_add },        { "batchnorm", walk_batchnorm }, { "conv2d", walk_product },
    { "fakequant", walk_site }, { "fold_norm", walk_fold },      { "gap", walk_mean },
    { "linear", walk_product }, { "maxpool", walk_maxpool },     { "pad_channels", walk_pad },
    { "relu", walk_relu },      { "relu6", walk_relu },          { NULL, NULL },
};

static dt_status walk(builder *b, const dt_node *n)
{
    const walker *w = dt_op_row(n->op, walkers, sizeof *w);
    if (w) return w->walk(b, n);
    return dt_fail(b->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                   "operation '%s' has no integer form", n->op->name);
}

/* Names the first node that has no integer form. */
static dt_status refuse_floats(builder *b)
{
    int i = 0;
    while (!b->l->needed[i] || !b->g->node[i].op->in_float)
        i++;
    return dt_fail(b->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = b->g->node[i].name },
                   "operation '%s' has no integer form, as %d nodes of this network; --format onnx "
                   "keeps them in float between quantizers, verify --runtime ort compares that",
                   b->g->node[i].op->name, b->l->floats);
}

static dt_status build(builder *b)
{
    const dt_lowered *l = b->l;
    dt_int_model *m = b->m;
    size_t nodes = (size_t)b->g->node_count + 1;
    m->node = dt_arena_get(m->arena, nodes * sizeof *m->node);
    m->value = dt_arena_get(m->arena, nodes * sizeof *m->value);
    b->form = dt_arena_get(m->arena, (size_t)b->g->value_count * sizeof *b->form);
    if (!m->node || !m->value || !b->form) return no_memory(b->err);
    if (l->missing)
        return dt_fail(b->err, DT_ERR_UNSUPPORTED, NULL,
                       "there is no integer model: %d sites have no quantizer (%s%s)", l->missing,
                       l->missing_text, l->missing > 6 ? ", ..." : "");
    if (l->floats) return refuse_floats(b);
    b->form[l->src.input].kind = FORM_PICTURE;
    for (int i = 0; i < b->g->node_count; i++)
        if (l->needed[i]) DT_TRY(walk(b, &b->g->node[i]));
    if (b->form[l->src.logits].kind != FORM_CODES)
        return dt_fail(b->err, DT_ERR_UNSUPPORTED, NULL, "the logits have no integer codes");
    m->logits = b->form[l->src.logits].a;
    return DT_OK;
}

dt_status dt_int_model_new(const dt_lowered *l, const dt_contract *c, const dt_alloc *a,
                           dt_int_model **out, dt_error *err)
{
    dt_arena *arena = dt_arena_new(a, "integer model");
    dt_int_model *m = arena ? dt_arena_get(arena, sizeof *m) : NULL;
    dt_status st = DT_ERR_NOMEM;
    if (m) {
        *m = (dt_int_model){ .arena = arena };
        builder b = { .l = l, .g = l->src.graph, .m = m, .err = err };
        st = build(&b);
    } else {
        st = no_memory(err);
    }
    if (st != DT_OK) {
        dt_arena_free(arena);
        return st;
    }
    dt_int_model_round(m, c);
    *out = m;
    return DT_OK;
}

void dt_int_model_free(dt_int_model *m)
{
    if (m) dt_arena_free(m->arena);
}

static void round_sums(const dt_int_model *m, dt_int_node *n)
{
    const dt_int_value *x = &m->value[n->in[0]], *y = &m->value[n->out];
    const dt_int_node *from = dt_int_producer(m, n->in[0]);
    for (int64_t c = 0; c < y->C; c++) {
        n->multiplier[c] = from->pixels ? dt_multiplier_mean(m->contract, from->x_scale,
                                                             y->grid.scale, from->pixels)
                                        : dt_multiplier_product(m->contract, from->x_scale,
                                                                from->w_scale[c], y->grid.scale);
        dt_int_thresholds(&n->multiplier[c], &y->grid, x->low[c], x->high[c],
                          n->threshold + c * (y->grid.high - y->grid.low));
    }
}

static void round_pairs(const dt_int_model *m, dt_int_node *n)
{
    n->adder = dt_adder_make(m->contract, &m->value[n->in[0]].grid, &m->value[n->in[1]].grid,
                             &m->value[n->out].grid);
    for (int a = 0; a < DT_CODES; a++)
        for (int b = 0; b < DT_CODES; b++)
            n->pair[a * DT_CODES + b] = (uint8_t)dt_adder_apply(&n->adder, a, b);
}

void dt_int_model_round(dt_int_model *m, const dt_contract *c)
{
    m->contract = c;
    for (int i = 0; i < m->node_count; i++) {
        dt_int_node *n = &m->node[i];
        if (n->kind == DT_INT_REQUANT) round_sums(m, n);
        if (n->kind == DT_INT_ADD) round_pairs(m, n);
        for (int code = 0; n->kind == DT_INT_TABLE && code < DT_CODES; code++)
            n->table[code] =
                (uint8_t)dt_grid_move(&m->value[n->in[0]].grid, &m->value[n->out].grid, code);
    }
}
