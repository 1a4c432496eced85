/* Prints the graphs that recipes stand for, one line a value and a node, the same on every machine:
 *     graphs RECIPE [KEY=VALUE...]   the text
 *     graphs --sums LIST ROOT        a line "SHA-256 of the text, RECIPE, overrides" for each line
 *                                    of LIST, whose last words are those
 * Plain and fused, of the recipe and of each of its phases. tests/train/graphs.py compares. Of each
 * graph plans are made and played (support/plan_player.h). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/fuse.h"
#include "autograd/op_attention.h"
#include "autograd/op_chain.h"
#include "autograd/op_conv2d.h"
#include "autograd/op_encode_codes.h"
#include "autograd/op_gelu.h"
#include "autograd/op_layernorm.h"
#include "autograd/op_linear_codes.h"
#include "autograd/op_loss_sum.h"
#include "core/memory.h"
#include "layers/models.h"
#include "tests/support/plan_player.h"
#include "train/net/session.h"

typedef struct printer {
    dt_sha256 sum;
    bool quiet; /* only the sum */
} printer;

static void say(printer *p, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof text) abort();
    dt_sha256_add(&p->sum, text, (size_t)n);
    if (!p->quiet) fputs(text, stdout);
}

static void say_opts(printer *p, const dt_opt *opts, const void *conf)
{
    char text[DT_OPT_STR_MAX];
    for (const dt_opt *o = opts; o && o->key; o++)
        say(p, " %s=%s", o->key, dt_opt_print(o, conf, text, sizeof text));
}

static void say_quant(printer *p, const char *which, const dt_fakequant_conf *c)
{
    if (!c) return;
    const dt_quant_site *s = &c->site;
    say(p, " %s={%s", which, c->quantizer->row.name);
    say_opts(p, c->quantizer->row.opts, c->options);
    say(p, " bits=%d signed=%d weight=%d groups=%lld batches=%d", s->bits, s->is_signed, s->weight,
        (long long)s->groups, s->batches);
    if (s->has_range) say(p, " range=%.9g..%.9g", s->range_low, s->range_high);
    say(p, " ste=%d,%.9g delta=%.9g}", c->ste.kind, c->ste.strength,
        c->strength_in ? dt_ste_strength(&c->ste) : 0.0);
}

static void say_chain(printer *p, const void *conf)
{
    const dt_chain_conf *c = conf;
    say(p, " eps=%.9g momentum=%.9g sums=%d", c->norm.eps, c->norm.momentum, c->sums);
    for (int i = 0; i < c->count; i++) {
        const dt_chain_stage *s = &c->stage[i];
        say(p, " stage=%d in=%d out=%d codes=%d", (int)s->kind, s->in, s->out, s->codes);
        say_quant(p, "quant", s->quant);
    }
}

static void say_conv(printer *p, const void *conf)
{
    const dt_conv2d_codes_conf *c = conf;
    say(p, " stride=%d,%d pad=%d,%d groups=%d sums=%d center=%d", c->conv.stride_h,
        c->conv.stride_w, c->conv.pad_h, c->conv.pad_w, c->conv.groups, c->sums,
        c->sums ? c->center : 0);
    say_quant(p, "x", c->x);
    say_quant(p, "w", c->w);
}

static void say_linear(printer *p, const void *conf)
{
    const dt_linear_codes_conf *c = conf;
    say_quant(p, "x", c->x);
    say_quant(p, "w", c->w);
}

static void say_encode(printer *p, const void *conf)
{
    const dt_encode_codes_conf *c = conf;
    say(p, " of=%d eps=%.9g by_tanh=%d", (int)c->of,
        c->of == DT_ENCODE_LAYERNORM ? ((const dt_layernorm_conf *)c->function)->eps : 0.0,
        c->of == DT_ENCODE_GELU && ((const dt_gelu_conf *)c->function)->by_tanh);
    say_quant(p, "quant", c->quant);
}

static void say_attention(printer *p, const void *conf)
{
    const dt_attention_conf *c = conf;
    say(p, " heads=%d scale=%.9g", c->heads.heads, c->heads.scale);
    for (int i = 0; i < DT_ATTENTION_SITES; i++)
        say_quant(p, "quant", c->quant[i]);
}

static void say_fakequant(printer *p, const void *conf)
{
    say_quant(p, "quant", conf);
}

static void say_loss_sum(printer *p, const void *conf)
{
    const dt_loss_sum_conf *c = conf;
    for (int i = 0; i < DT_LOSS_SUM_MOST; i++)
        say(p, " weight=%.9g", c->weight[i]);
}

/* Configurations that have no options, such as those that point at quantizers. */
static const struct {
    const char *op;
    void (*say)(printer *p, const void *conf);
} without_options[] = {
    { "attention", say_attention }, { "chain", say_chain },         { "conv2d_codes", say_conv },
    { "encode_codes", say_encode }, { "fakequant", say_fakequant }, { "linear_codes", say_linear },
    { "loss_sum", say_loss_sum },
};

static void say_conf(printer *p, const dt_node *n)
{
    say_opts(p, n->op->opts, n->conf);
    for (size_t i = 0; i < DT_ARRAY_LEN(without_options); i++)
        if (strcmp(without_options[i].op, n->op->name) == 0) {
            without_options[i].say(p, n->conf);
            return;
        }
    if (n->op->conf_size && !n->op->opts) {
        fprintf(stderr, "graphs: no way to print the configuration of '%s'\n", n->op->name);
        exit(1);
    }
}

static void say_ids(printer *p, const char *what, const int *id, int count)
{
    say(p, " %s", what);
    for (int i = 0; i < count; i++)
        say(p, "%s%d", i ? "," : "=", id[i]);
}

/* The node that has v among its outputs, -1: none. */
static int producer_of(const dt_graph *g, int v)
{
    int at = g->value[v].producer;
    for (int i = 0; at >= 0 && i < g->node[at].out_count; i++)
        if (g->node[at].out[i] == v) return at;
    return -1;
}

static void say_graph(printer *p, const char *title, const dt_graph *g)
{
    say(p, "graph %s: %d values, %d nodes\n", title, g->value_count, g->node_count);
    for (int i = 0; i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        char shape[DT_SHAPE_TEXT];
        say(p,
            "value %d %s%s%s kind=%d %s batched=%d nonneg=%d store=%d producer=%d role=%d "
            "layout=%d init=%d fan_in=%lld\n",
            i, v->name, v->alias ? " alias=" : "", v->alias ? v->alias : "", (int)v->kind,
            dt_shape_print(&v->shape, shape), v->batched, v->nonneg, (int)v->store,
            producer_of(g, i), (int)v->role, (int)v->layout, (int)v->init, (long long)v->fan_in);
    }
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *n = &g->node[i];
        say(p, "node %d %s %s", i, n->op->name, n->name);
        say_ids(p, "in", n->in, n->in_count);
        say_ids(p, "out", n->out, n->out_count);
        say_conf(p, n);
        say(p, "\n");
    }
}

/* A plan of a step or of an evaluation, played. */
static dt_status play_plan(const dt_graph *g, dt_mode mode, int loss, int logits, dt_error *err)
{
    const int outputs[] = { loss, logits };
    dt_kernels k;
    dt_plan plan;
    player y;
    DT_TRY(dt_kernels_init(&k, "", err));
    const dt_plan_request request = { .graph = g,
                                      .kernels = &k,
                                      .mode = mode,
                                      .batch = 4,
                                      .threads = 2,
                                      .outputs = outputs,
                                      .output_count = 2 };
    DT_TRY(dt_plan_init(&plan, &request, NULL, err));
    int *holds = dt_get_array(NULL, (size_t)plan.slot_count + 1, sizeof *holds, "test");
    if (!holds) abort();
    player_play(&y, &plan, holds, outputs, 2);
    dt_put(NULL, holds);
    dt_plan_fini(&plan);
    if (!y.wrong[0]) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, NULL, "plan of mode %d: %s", (int)mode, y.wrong);
}

static dt_status play_both(const dt_net *net, const dt_graph *g, dt_error *err)
{
    DT_TRY(play_plan(g, DT_MODE_TRAIN, net->step_loss, net->logits, err));
    return play_plan(g, DT_MODE_EVAL, net->loss, net->logits, err);
}

static dt_status say_both(printer *p, const char *title, const dt_net *net, const dt_graph *g,
                          dt_error *err)
{
    const int keep[] = { net->loss, net->logits, net->step_loss };
    dt_graph fused;
    DT_TRY(dt_fuse(g, keep, 3, &fused, NULL, err));
    say_graph(p, title, g);
    say_graph(p, "of steps", &fused);
    dt_status st = play_both(net, g, err);
    if (st == DT_OK) st = play_both(net, &fused, err);
    dt_graph_fini(&fused);
    return st;
}

static dt_status say_net(printer *p, const dt_net *net, const dt_recipe *recipe, dt_error *err)
{
    say(p, "input=%d labels=%d targets=%d teacher=%d logits=%d loss=%d step_loss=%d\n", net->input,
        net->labels, net->targets, net->teacher, net->logits, net->loss, net->step_loss);
    DT_TRY(say_both(p, "of the recipe", net, &net->graph, err));
    for (size_t i = 0; i < recipe->phase_count; i++) {
        dt_graph phase;
        char title[64];
        snprintf(title, sizeof title, "of the phase from epoch %d", recipe->phase[i].epoch);
        DT_TRY(dt_net_phase(net, &recipe->phase[i], NULL, &phase, err));
        dt_status st = say_both(p, title, net, &phase, err);
        dt_graph_fini(&phase);
        DT_TRY(st);
    }
    return DT_OK;
}

/* What the recipe's transforms make of its pictures; those of folders have any size. Arrays are as
 * large as those that the recipes are for. */
static dt_status picture_of(const dt_recipe *r, dt_net_input *out, dt_error *err)
{
    const dt_dataset *set = (const dt_dataset *)(const void *)r->data.choice.row;
    const dt_model *model = (const dt_model *)(const void *)r->model.choice.row;
    dt_transform_step steps[DT_TRANSFORM_MAX];
    *out = (dt_net_input){ .shape = model->axes == 1 ? DT_SHAPE(1, 640) : DT_SHAPE(1, 49, 10, 1) };
    if (set->take) return DT_OK;
    bool small = strcmp(r->data.choice.row->name, "imagenet") != 0;
    dt_extent e = { small ? 32 : 0, small ? 32 : 0 };
    for (size_t i = 0; i < r->data.train_count; i++)
        steps[i] = (dt_transform_step){ (const dt_transform *)(const void *)r->data.train[i].row,
                                        r->data.train[i].conf };
    DT_TRY(dt_transform_check(steps, (int)r->data.train_count, false, &e, err));
    float low, high;
    const dt_data_conf *common = r->data.common;
    dt_normalize_range(&dt_normalizes[common->normalize], &low, &high);
    *out = (dt_net_input){ .H = e.H, .W = e.W, .low = (double)low, .high = (double)high };
    return DT_OK;
}

static dt_status say_recipe(printer *p, const char *path, const char *const *overrides,
                            size_t count, dt_error *err)
{
    const dt_recipe_params params = {
        .tables = &dt_tables, .path = path, .overrides = overrides, .override_count = count
    };
    dt_recipe *recipe;
    dt_net_input input;
    dt_net net;
    dt_measure blank; /* starting values would take most of the time */
    DT_TRY(dt_measure_init(&blank, err));
    DT_TRY(dt_recipe_read(&params, &recipe, err));
    dt_status st = picture_of(recipe, &input, err);
    if (st == DT_OK) st = dt_net_init(&net, recipe, &input, false, &blank.alloc, err);
    if (st == DT_OK) {
        st = say_net(p, &net, recipe, err);
        dt_net_fini(&net);
    }
    dt_recipe_free(recipe);
    dt_measure_fini(&blank);
    return st;
}

/* A line of the list: a sum (ignored), a recipe, overrides between tabs. */
static int sum_line(char *line, const char *root)
{
    enum { MOST = 8 };
    char path[1024], hex[DT_SHA256_HEX];
    const char *word[MOST + 2];
    size_t count = 0;
    for (char *at = strtok(line, "\t\n"); at && count < DT_ARRAY_LEN(word);
         at = strtok(NULL, "\t\n"))
        word[count++] = at;
    if (count < 2) return 0;
    printer p = { .quiet = true };
    dt_error err = { .status = DT_OK };
    snprintf(path, sizeof path, "%s/%s", root, word[1]);
    dt_sha256_init(&p.sum);
    if (say_recipe(&p, path, word + 2, count - 2, &err) != DT_OK) {
        fprintf(stderr, "graphs: %s: %s\n", word[1], err.text);
        return 1;
    }
    dt_sha256_end(&p.sum, hex);
    printf("%s", hex);
    for (size_t i = 1; i < count; i++)
        printf("\t%s", word[i]);
    printf("\n");
    return 0;
}

static int sums(const char *list, const char *root)
{
    char line[2048];
    FILE *f = fopen(list, "r");
    int failed = f ? 0 : 1;
    if (!f) fprintf(stderr, "graphs: cannot open %s\n", list);
    while (f && fgets(line, sizeof line, f))
        failed |= sum_line(line, root);
    if (f) fclose(f);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--sums") == 0) return sums(argv[2], argv[3]);
    if (argc < 2) {
        fprintf(stderr, "usage: graphs RECIPE [KEY=VALUE...] | graphs --sums LIST ROOT\n");
        return 1;
    }
    printer p = { .quiet = false };
    dt_error err = { .status = DT_OK };
    dt_sha256_init(&p.sum);
    if (say_recipe(&p, argv[1], (const char *const *)argv + 2, (size_t)argc - 2, &err) == DT_OK)
        return 0;
    fprintf(stderr, "graphs: %s\n", err.text);
    return 1;
}
