/* Text of a C export. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "export/c_write.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "c99_texts.h"

typedef struct text {
    const dt_c_program *p;
    const dt_int_model *m;
    FILE *f;
} text;

static void say(text *t, const char *fmt, ...) DT_PRINTF(2, 3);
static void say(text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(t->f, fmt, args);
    va_end(args);
}

/* A fixed part, with the prefix in place of @net@ and @NET@. */
static void say_part(text *t, const char *part)
{
    while (*part) {
        size_t n = strcspn(part, "@");
        say(t, "%.*s", (int)n, part);
        part += n;
        if (!*part) break;
        say(t, "%s", strncmp(part, "@NET@", 5) == 0 ? t->p->macro : t->p->net);
        part += 5;
    }
    say(t, "\n");
}

/* A name from elsewhere, fit for a comment. */
static const char *plain(const char *name, char out[96])
{
    size_t i = 0;
    for (; name[i] && i < 95; i++)
        out[i] = isalnum((unsigned char)name[i]) || strchr("._-", name[i]) ? name[i] : '_';
    out[i] = '\0';
    return out;
}

/* Elements of an array, in lines of a hundred columns. */
static void say_list(text *t, int64_t n, int64_t (*at)(const void *data, int64_t i),
                     const void *data)
{
    int column = 0;
    for (int64_t i = 0; i < n; i++) {
        char item[32];
        int size = snprintf(item, sizeof item, "%lld,", (long long)at(data, i));
        if (column == 0 || column + 1 + size > 100) {
            say(t, "\n    %s", item);
            column = 4 + size;
        } else {
            say(t, " %s", item);
            column += 1 + size;
        }
    }
    say(t, "\n};\n");
}

static int64_t at_u8(const void *data, int64_t i)
{
    return ((const uint8_t *)data)[i];
}

static int64_t at_s8(const void *data, int64_t i)
{
    return ((const int8_t *)data)[i];
}

static int64_t at_s32(const void *data, int64_t i)
{
    return ((const int32_t *)data)[i];
}

typedef struct channels {
    const dt_int_node *requant, *product;
} channels;

static int64_t at_m(const void *data, int64_t o)
{
    const channels *c = data;
    int64_t m = dt_c_scale_of(&c->requant->multiplier[o]).m;
    return c->product->negated[o] ? -m : m;
}

static int64_t at_shift(const void *data, int64_t o)
{
    return dt_c_scale_of(&((const channels *)data)->requant->multiplier[o]).shift;
}

static int index_of(const text *t, const dt_int_node *n)
{
    return (int)(n - t->m->node);
}

/* --- header --- */

static void say_sizes(text *t)
{
    const dt_c_sizes *s = &t->p->sizes;
    say(t,
        " *   RAM    %zu bytes, static\n"
        " *   flash  %zu bytes of packed weights, %zu of biases, %zu of multipliers, %zu of "
        "tables\n",
        t->p->plan->arena_bytes, s->weights, s->biases, s->multipliers, s->tables);
}

static void say_macros(text *t)
{
    const dt_c_program *p = t->p;
    const dt_int_value *x = &t->m->value[p->plan->step[0].node->out];
    const dt_int_value *y = &t->m->value[t->m->logits];
    const char *M = p->macro;
    say(t,
        "#define %s_HEIGHT %lld\n#define %s_WIDTH %lld\n#define %s_CHANNELS %lld\n"
        "#define %s_INPUT_BYTES %lld /* codes, or pixels: [height][width][channels] */\n"
        "#define %s_CLASSES %lld\n#define %s_ARENA_BYTES %zu\n#define %s_WEIGHT_BYTES %zu\n"
        "#define %s_NODES %d /* that end on codes, the input among them */\n"
        "#define %s_ID 0x%.8s /* of this export */\n\n",
        M, (long long)x->H, M, (long long)x->W, M, (long long)x->C, M, (long long)dt_int_count(x),
        M, (long long)dt_int_count(y), M, p->plan->arena_bytes, M, p->sizes.weights, M,
        p->plan->steps, M, p->id);
    say(t,
        "/* What codes mean: value = scale * (code - zero). Input codes are in %d..%d. */\n"
        "#define %s_INPUT_SCALE %.9ef\n#define %s_INPUT_ZERO %d\n"
        "#define %s_LOGIT_SCALE %.9ef\n#define %s_LOGIT_ZERO %d\n\n",
        x->grid.low, x->grid.high, M, (double)x->grid.scale, M, x->grid.zero_point, M,
        (double)y->grid.scale, M, y->grid.zero_point);
}

static void say_functions(text *t)
{
    const char *net = t->p->net, *M = t->p->macro;
    if (t->p->pixel)
        say(t,
            "/* Pixels 0..255 to input codes; both may be the same memory. */\n"
            "void %s_encode(const uint8_t *pixels, uint8_t *codes);\n\n",
            net);
    say(t,
        "/* Input codes [%s_INPUT_BYTES] to codes of the logits [%s_CLASSES]. Not reentrant: there "
        "is "
        "one\n * static arena. */\n"
        "void %s_run(const uint8_t *input, uint8_t *logits);\n\n"
        "/* The class with the greatest logit, the first one of several. */\n"
        "int32_t %s_class(const uint8_t *logits);\n\n"
        "/* With -D%s_SELF_TEST: 0 when this build computes what Detent's reference does at every "
        "node, on\n * %d pictures of noise; otherwise 1 + the first node that differs. */\n"
        "int32_t %s_self_test(void);\n",
        M, M, net, net, M, DT_C_TESTS, net);
}

void dt_c_write_header(const dt_c_program *p, FILE *f)
{
    char name[96];
    text t = { p, p->plan->model, f };
    say(&t,
        "/* %s: a network in integer arithmetic, written by Detent%s%s. Rounding: %s.\n"
        " * The program around the numbers: SPDX-License-Identifier: Apache-2.0\n *\n",
        plain(p->src->name, name), p->src->version ? " " : "",
        p->src->version ? p->src->version : "", t.m->contract->name);
    say_sizes(&t);
    say(&t,
        " *\n * C99, integers only, no library, no memory from the heap. */\n"
        "#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n\n"
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
        p->macro, p->macro);
    say_macros(&t);
    say_functions(&t);
    say(&t, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

/* --- source: fixed parts --- */

static bool has_kind(const text *t, dt_int_kind kind)
{
    for (int i = 0; i < t->m->node_count; i++)
        if (t->m->node[i].kind == kind) return true;
    return false;
}

static void say_arithmetic(text *t)
{
    static const char *const requants[] = { [DT_ROUND_FP32] = c99_requant_fp32,
                                            [DT_ROUND_SINGLE] = c99_requant_single,
                                            [DT_ROUND_DOUBLE] = c99_requant_double };
    static const char *const adds[] = { [DT_ADD_FUSED] = c99_add_fused,
                                        [DT_ADD_UNFUSED] = c99_add_unfused,
                                        [DT_ADD_XNNPACK] = c99_add_xnnpack,
                                        [DT_ADD_FIXED] = c99_add_fixed };
    const dt_contract *c = t->m->contract;
    bool sums = has_kind(t, DT_INT_REQUANT), add = has_kind(t, DT_INT_ADD);
    bool floats = (sums && c->rounding == DT_ROUND_FP32) || (add && c->adding <= DT_ADD_UNFUSED);
    bool downs = (sums && c->rounding != DT_ROUND_FP32) || (add && c->adding == DT_ADD_XNNPACK);
    if (sums || add) say_part(t, c99_clamp);
    if (floats) say_part(t, c99_shift_even);
    if (downs) say_part(t, c99_shift_down);
    if (sums || (add && c->adding == DT_ADD_FIXED)) say_part(t, requants[c->rounding]);
    if (has_kind(t, DT_INT_PRODUCT)) say_part(t, c99_product);
    if (has_kind(t, DT_INT_MEAN)) say_part(t, c99_mean);
    if (add) say_part(t, adds[c->adding]);
    if (has_kind(t, DT_INT_TABLE)) say_part(t, c99_table);
    if (has_kind(t, DT_INT_MAXPOOL)) say_part(t, c99_maxpool);
    if (has_kind(t, DT_INT_PAD)) say_part(t, c99_pad);
}

/* --- source: numbers of one step each --- */

static void say_weights(text *t, const dt_int_node *n)
{
    const dt_c_weights *w = &t->p->weights[index_of(t, n)];
    int i = index_of(t, n);
    say(t, "static const uint8_t weights_%d[%zu] = {", i, w->size);
    say_list(t, (int64_t)w->size, at_u8, w->bytes);
    if (w->level) {
        say(t, "static const int8_t level_%d[%d] = {", i, w->levels);
        say_list(t, w->levels, at_s8, w->level);
    }
    say(t, "static const int32_t bias_%d[%lld] = {", i, (long long)n->shape.O);
    say_list(t, n->shape.O, at_s32, n->bias);
}

static bool is_first_reader(const text *t, int step)
{
    for (int i = 0; i < step; i++)
        if (t->p->plan->step[i].sums == t->p->plan->step[step].sums) return false;
    return true;
}

static void say_grid(text *t, const dt_lower_grid *g)
{
    say(t, "    .out_zero = %d, .out_low = %d, .out_high = %d,\n};\n", g->zero_point, g->low,
        g->high);
}

static void say_product(text *t, int step)
{
    const dt_c_step *s = &t->p->plan->step[step];
    const dt_int_node *n = s->sums;
    const dt_conv_shape *c = &n->shape;
    const channels both = { s->node, n };
    int i = index_of(t, n);
    bool level = t->p->weights[i].level;
    if (is_first_reader(t, step)) say_weights(t, n);
    say(t, "static const int32_t m_%d[%lld] = {", step, (long long)c->O);
    say_list(t, c->O, at_m, &both);
    say(t, "static const int8_t shift_%d[%lld] = {", step, (long long)c->O);
    say_list(t, c->O, at_shift, &both);
    say(t, "static const struct product node_%d = {\n", step);
    say(t, "    .height = %lld, .width = %lld, .channels = %lld, .zero = %d,\n", (long long)c->H,
        (long long)c->W, (long long)c->C, t->m->value[n->in[0]].grid.zero_point);
    say(t, "    .out_height = %lld, .out_width = %lld, .out_channels = %lld,\n", (long long)c->OH,
        (long long)c->OW, (long long)c->O);
    say(t, "    .kernel_h = %lld, .kernel_w = %lld, .stride_h = %lld, .stride_w = %lld,\n",
        (long long)c->KH, (long long)c->KW, (long long)c->SH, (long long)c->SW);
    say(t, "    .pad_h = %lld, .pad_w = %lld, .groups = %lld,\n", (long long)c->PH,
        (long long)c->PW, (long long)c->G);
    say(t, "    .bits = %d, .gain = %d, .weights = weights_%d, .bias = bias_%d,\n", n->bits,
        n->gain, i, i);
    if (level) say(t, "    .level = level_%d,\n", i);
    say(t, "    .m = m_%d, .shift = shift_%d,\n", step, step);
    say_grid(t, &t->m->value[s->node->out].grid);
}

static void say_mean(text *t, int step)
{
    const dt_c_step *s = &t->p->plan->step[step];
    const dt_int_value *x = &t->m->value[s->in[0]];
    const dt_c_scale scale = dt_c_scale_of(&s->node->multiplier[0]); /* all are the same */
    say(t, "static const struct mean node_%d = {\n", step);
    say(t, "    .pixels = %lld, .channels = %lld, .zero = %d, .m = %ld, .shift = %d,\n",
        (long long)s->sums->pixels, (long long)x->C, x->grid.zero_point, (long)scale.m,
        scale.shift);
    say_grid(t, &t->m->value[s->node->out].grid);
}

static void say_add(text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_int_value *y = &t->m->value[n->out];
    const dt_adder *d = &n->adder;
    say(t, "static const struct add node_%d = {\n    .count = %lld,\n", step,
        (long long)dt_int_count(y));
    if (d->adding == DT_ADD_FIXED) {
        dt_c_scale a = dt_c_scale_of(&d->a_scale), b = dt_c_scale_of(&d->b_scale);
        dt_c_scale s = dt_c_scale_of(&d->y_scale);
        say(t, "    .a_zero = %d, .a_m = %ld, .a_shift = %d,\n", d->a.zero_point, (long)a.m,
            a.shift);
        say(t, "    .b_zero = %d, .b_m = %ld, .b_shift = %d,\n", d->b.zero_point, (long)b.m,
            b.shift);
        say(t, "    .m = %ld, .shift = %d, .zero = %d,", (long)s.m, s.shift, y->grid.zero_point);
    } else {
        const dt_c_sum *s = &t->p->sum[index_of(t, n)];
        say(t,
            "    .a = INT64_C(%lld), .b = INT64_C(%lld), .fixed = INT64_C(%lld),\n"
            "    .shift = %d,",
            (long long)s->a, (long long)s->b, (long long)s->fixed, s->shift);
    }
    say(t, " .low = %d, .high = %d,\n};\n", y->grid.low, y->grid.high);
}

static void say_table(text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_lower_grid *x = &t->m->value[n->in[0]].grid;
    say(t, "static const uint8_t node_%d[%d] = {", step, x->high - x->low + 1);
    say_list(t, x->high - x->low + 1, at_u8, n->table + x->low);
}

static void say_maxpool(text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_conv_shape *c = &n->shape;
    const dt_int_value *x = &t->m->value[n->in[0]], *y = &t->m->value[n->out];
    say(t,
        "static const struct maxpool node_%d = {\n"
        "    .height = %lld, .width = %lld, .channels = %lld, .out_height = %lld, .out_width = "
        "%lld,\n"
        "    .kernel_h = %lld, .kernel_w = %lld, .stride_h = %lld, .stride_w = %lld,\n"
        "    .pad_h = %lld, .pad_w = %lld,\n};\n",
        step, (long long)x->H, (long long)x->W, (long long)x->C, (long long)y->H, (long long)y->W,
        (long long)c->KH, (long long)c->KW, (long long)c->SH, (long long)c->SW, (long long)c->PH,
        (long long)c->PW);
}

static void say_pad(text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_int_value *x = &t->m->value[n->in[0]], *y = &t->m->value[n->out];
    say(t,
        "static const struct pad node_%d = {\n"
        "    .width = %lld, .channels = %lld, .stride_h = %lld, .stride_w = %lld,\n"
        "    .out_height = %lld, .out_width = %lld, .out_channels = %lld, .before = %d, .zero = "
        "%d,\n"
        "};\n",
        step, (long long)x->W, (long long)x->C, (long long)n->shape.SH, (long long)n->shape.SW,
        (long long)y->H, (long long)y->W, (long long)y->C, n->before, y->grid.zero_point);
}

static const char *what(const dt_c_step *s, char out[96])
{
    const dt_int_node *n = s->sums;
    const dt_conv_shape *c = n ? &n->shape : NULL;
    if (!n || n->kind == DT_INT_MEAN)
        snprintf(out, 96, "%s", n ? "mean" : dt_int_kind_name[s->node->kind]);
    else
        snprintf(out, 96, "%lldx%lld product, stride %lld, groups %lld, %d-bit weights",
                 (long long)c->KH, (long long)c->KW, (long long)c->SH, (long long)c->G, n->bits);
    return out;
}

static void say_numbers(text *t, int step)
{
    char name[96], from[96], kind[96];
    const dt_c_step *s = &t->p->plan->step[step];
    const dt_int_value *y = &t->m->value[s->node->out];
    say(t, "\n/* %d  %s%s%s: %s -> %lldx%lldx%lld */\n", step,
        s->sums ? plain(s->sums->name, from) : "", s->sums ? ", " : "", plain(s->node->name, name),
        what(s, kind), (long long)y->H, (long long)y->W, (long long)y->C);
    if (s->sums && s->sums->kind == DT_INT_PRODUCT)
        say_product(t, step);
    else if (s->sums)
        say_mean(t, step);
    else if (s->node->kind == DT_INT_ADD)
        say_add(t, step);
    else if (s->node->kind == DT_INT_TABLE)
        say_table(t, step);
    else if (s->node->kind == DT_INT_MAXPOOL)
        say_maxpool(t, step);
    else
        say_pad(t, step);
}

/* --- source: the order of execution --- */

static const char *place(const text *t, int value, char out[32])
{
    const dt_c_plan *p = t->p->plan;
    if (value == p->step[0].node->out)
        snprintf(out, 32, "input");
    else if (value == t->m->logits)
        snprintf(out, 32, "logits");
    else
        snprintf(out, 32, "arena + %lld", (long long)p->offset[value]);
    return out;
}

static void say_call(text *t, int step)
{
    char x[32], b[32], y[32], name[96];
    const dt_c_step *s = &t->p->plan->step[step];
    int64_t count = dt_int_count(&t->m->value[s->node->out]);
    place(t, s->in[0], x);
    place(t, s->node->out, y);
    if (s->sums && s->sums->kind == DT_INT_PRODUCT)
        say(t, "    product(&node_%d, %s, %s, (int8_t *)arena + %zu);", step, x, y, s->work);
    else if (s->sums)
        say(t, "    mean(&node_%d, %s, %s);", step, x, y);
    else if (s->node->kind == DT_INT_ADD)
        say(t, "    add(&node_%d, %s, %s, %s);", step, x, place(t, s->in[1], b), y);
    else if (s->node->kind == DT_INT_TABLE)
        say(t, "    move(node_%d, %d, %s, %s, %lld);", step, t->m->value[s->in[0]].grid.low, x, y,
            (long long)count);
    else
        say(t, "    %s(&node_%d, %s, %s);", dt_int_kind_name[s->node->kind], step, x, y);
    say(t, " /* %s */\n    %s_TRACE(%d, %s, %lld);\n", plain(s->node->name, name), t->p->macro,
        step, y, (long long)count);
}

static void say_run(text *t)
{
    const dt_c_plan *p = t->p->plan;
    say(t,
        "\nvoid %s_run(const uint8_t *input, uint8_t *logits)\n{\n    %s_TRACE(0, input, "
        "%s_INPUT_BYTES);\n",
        t->p->net, t->p->macro, t->p->macro);
    for (int i = 1; i < p->steps; i++)
        say_call(t, i);
    say(t, "}\n\n");
}

/* --- source: the rest --- */

static void say_pixels(text *t)
{
    int64_t C = t->m->value[t->p->plan->step[0].node->out].C;
    if (!t->p->pixel) return;
    say(t,
        "/* Codes of the pixel values 0..255, normalised, by channel. */\n"
        "static const uint8_t pixel_code[%lld][256] = {\n",
        (long long)C);
    for (int64_t c = 0; c < C; c++) {
        say(t, "{");
        for (int i = 0; i < 256; i++)
            say(t, "%s%d,", i % 20 ? " " : "\n    ", t->p->pixel[c * 256 + i]);
        say(t, "\n},\n");
    }
    say(t, "};\n\n");
    say_part(t, c99_encode);
}

static void say_tests(text *t)
{
    const dt_c_plan *p = t->p->plan;
    const dt_lower_grid *x = &t->m->value[p->step[0].node->out].grid;
    int64_t K = dt_int_count(&t->m->value[t->m->logits]);
    say(t,
        "#ifdef %s_SELF_TEST\n#define INPUT_LOW %d\n#define INPUT_HIGH %d\n"
        "#define TEST_PICTURES %d\n"
        "static const uint8_t test_logits[TEST_PICTURES][%s_CLASSES] = {\n",
        t->p->macro, x->low, x->high, DT_C_TESTS, t->p->macro);
    for (int i = 0; i < DT_C_TESTS; i++) {
        say(t, "    {");
        for (int64_t k = 0; k < K; k++)
            say(t, "%s%d", k ? k % 20 ? ", " : ",\n     " : "", t->p->logits[i * K + k]);
        say(t, "},\n");
    }
    say(t, "};\nstatic const uint32_t test_crc[%s_NODES] = {", t->p->macro);
    for (int i = 0; i < p->steps; i++)
        say(t, "%sUINT32_C(0x%08lX),", i % 4 ? " " : "\n    ", (unsigned long)t->p->crc[i]);
    say(t, "\n};\n#endif\n\n");
    say_part(t, c99_self_test);
}

void dt_c_write_source(const dt_c_program *p, FILE *f)
{
    char name[96];
    text t = { p, p->plan->model, f };
    say(&t,
        "/* %s: see %s. */\n#include \"%s\"\n\n#include <stddef.h>\n\n"
        "#if %s_ID != 0x%.8s\n#error \"%s is of another export\"\n#endif\n\n",
        plain(p->src->name, name), p->header, p->header, p->macro, p->id, p->header);
    say_part(&t, c99_trace);
    say_arithmetic(&t);
    say(&t, "static uint8_t arena[%s_ARENA_BYTES];\n", p->macro);
    for (int i = 1; i < p->plan->steps; i++)
        say_numbers(&t, i);
    say_run(&t);
    say_pixels(&t);
    say_part(&t, c99_class);
    say_tests(&t);
}
