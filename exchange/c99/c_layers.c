/* The numbers of each step of a C export, as arrays and structs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/c99/c_text.h"

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

static int index_of(const dt_c_text *t, const dt_int_node *n)
{
    return (int)(n - t->m->node);
}

static void say_weights(dt_c_text *t, const dt_int_node *n)
{
    const dt_c_weights *w = &t->p->weights[index_of(t, n)];
    int i = index_of(t, n);
    dt_c_say(t, "static const uint8_t weights_%d[%zu] = {", i, w->size);
    dt_c_say_list(t, (int64_t)w->size, dt_c_at_u8, w->bytes);
    if (w->level) {
        dt_c_say(t, "static const int8_t level_%d[%d] = {", i, w->levels);
        dt_c_say_list(t, w->levels, at_s8, w->level);
    }
    dt_c_say(t, "static const int32_t bias_%d[%lld] = {", i, (long long)n->shape.O);
    dt_c_say_list(t, n->shape.O, at_s32, n->bias);
}

static bool is_first_reader(const dt_c_text *t, int step)
{
    for (int i = 0; i < step; i++)
        if (t->p->plan->step[i].sums == t->p->plan->step[step].sums) return false;
    return true;
}

static void say_grid(dt_c_text *t, const dt_lower_grid *g)
{
    dt_c_say(t, "    .out_zero = %d, .out_low = %d, .out_high = %d,\n};\n", g->zero_point, g->low,
             g->high);
}

static void say_product(dt_c_text *t, int step)
{
    const dt_c_step *s = &t->p->plan->step[step];
    const dt_int_node *n = s->sums;
    const dt_conv_shape *c = &n->shape;
    const channels both = { s->node, n };
    int i = index_of(t, n);
    bool level = t->p->weights[i].level;
    if (is_first_reader(t, step)) say_weights(t, n);
    dt_c_say(t, "static const int32_t m_%d[%lld] = {", step, (long long)c->O);
    dt_c_say_list(t, c->O, at_m, &both);
    dt_c_say(t, "static const int8_t shift_%d[%lld] = {", step, (long long)c->O);
    dt_c_say_list(t, c->O, at_shift, &both);
    dt_c_say(t, "static const struct product node_%d = {\n", step);
    dt_c_say(t, "    .height = %lld, .width = %lld, .channels = %lld, .zero = %d,\n",
             (long long)c->H, (long long)c->W, (long long)c->C,
             t->m->value[n->in[0]].grid.zero_point);
    dt_c_say(t, "    .out_height = %lld, .out_width = %lld, .out_channels = %lld,\n",
             (long long)c->OH, (long long)c->OW, (long long)c->O);
    dt_c_say(t, "    .kernel_h = %lld, .kernel_w = %lld, .stride_h = %lld, .stride_w = %lld,\n",
             (long long)c->KH, (long long)c->KW, (long long)c->SH, (long long)c->SW);
    dt_c_say(t, "    .pad_h = %lld, .pad_w = %lld, .groups = %lld,\n", (long long)c->PH,
             (long long)c->PW, (long long)c->G);
    dt_c_say(t, "    .bits = %d, .gain = %d, .weights = weights_%d, .bias = bias_%d,\n", n->bits,
             n->gain, i, i);
    if (level) dt_c_say(t, "    .level = level_%d,\n", i);
    dt_c_say(t, "    .m = m_%d, .shift = shift_%d,\n", step, step);
    say_grid(t, &t->m->value[s->node->out].grid);
}

static void say_mean(dt_c_text *t, int step)
{
    const dt_c_step *s = &t->p->plan->step[step];
    const dt_int_value *x = &t->m->value[s->in[0]];
    const dt_c_scale scale = dt_c_scale_of(&s->node->multiplier[0]); /* all are the same */
    dt_c_say(t, "static const struct mean node_%d = {\n", step);
    dt_c_say(t, "    .pixels = %lld, .channels = %lld, .zero = %d, .m = %ld, .shift = %d,\n",
             (long long)s->sums->pixels, (long long)x->C, x->grid.zero_point, (long)scale.m,
             scale.shift);
    say_grid(t, &t->m->value[s->node->out].grid);
}

static void say_add(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_int_value *y = &t->m->value[n->out];
    const dt_adder *d = &n->adder;
    dt_c_say(t, "static const struct add node_%d = {\n    .count = %lld,\n", step,
             (long long)dt_int_count(y));
    if (d->adding == DT_ADD_FIXED) {
        dt_c_scale a = dt_c_scale_of(&d->a_scale), b = dt_c_scale_of(&d->b_scale);
        dt_c_scale s = dt_c_scale_of(&d->y_scale);
        dt_c_say(t, "    .a_zero = %d, .a_m = %ld, .a_shift = %d,\n", d->a.zero_point, (long)a.m,
                 a.shift);
        dt_c_say(t, "    .b_zero = %d, .b_m = %ld, .b_shift = %d,\n", d->b.zero_point, (long)b.m,
                 b.shift);
        dt_c_say(t, "    .m = %ld, .shift = %d, .zero = %d,", (long)s.m, s.shift,
                 y->grid.zero_point);
    } else {
        const dt_c_sum *s = &t->p->sum[index_of(t, n)];
        dt_c_say(t,
                 "    .a = INT64_C(%lld), .b = INT64_C(%lld), .fixed = INT64_C(%lld),\n"
                 "    .shift = %d,",
                 (long long)s->a, (long long)s->b, (long long)s->fixed, s->shift);
    }
    dt_c_say(t, " .low = %d, .high = %d,\n};\n", y->grid.low, y->grid.high);
}

static void say_table(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_lower_grid *x = &t->m->value[n->in[0]].grid;
    dt_c_say(t, "static const uint8_t node_%d[%d] = {", step, x->high - x->low + 1);
    dt_c_say_list(t, x->high - x->low + 1, dt_c_at_u8, n->table + x->low);
}

static void say_maxpool(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_conv_shape *c = &n->shape;
    const dt_int_value *x = &t->m->value[n->in[0]], *y = &t->m->value[n->out];
    dt_c_say(
        t,
        "static const struct maxpool node_%d = {\n"
        "    .height = %lld, .width = %lld, .channels = %lld, .out_height = %lld, .out_width = "
        "%lld,\n"
        "    .kernel_h = %lld, .kernel_w = %lld, .stride_h = %lld, .stride_w = %lld,\n"
        "    .pad_h = %lld, .pad_w = %lld,\n};\n",
        step, (long long)x->H, (long long)x->W, (long long)x->C, (long long)y->H, (long long)y->W,
        (long long)c->KH, (long long)c->KW, (long long)c->SH, (long long)c->SW, (long long)c->PH,
        (long long)c->PW);
}

static void say_pad(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_int_value *x = &t->m->value[n->in[0]], *y = &t->m->value[n->out];
    dt_c_say(
        t,
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

void dt_c_say_numbers(dt_c_text *t, int step)
{
    char name[96], from[96], kind[96];
    const dt_c_step *s = &t->p->plan->step[step];
    const dt_int_value *y = &t->m->value[s->node->out];
    dt_c_say(t, "\n/* %d  %s%s%s: %s -> %lldx%lldx%lld */\n", step,
             s->sums ? dt_c_plain(s->sums->name, from) : "", s->sums ? ", " : "",
             dt_c_plain(s->node->name, name), what(s, kind), (long long)y->H, (long long)y->W,
             (long long)y->C);
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
