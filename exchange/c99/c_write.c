/* Text of a C export. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/c99/c_cell.h"

#include "c99_texts.h"

/* --- header --- */

static void say_sizes(dt_c_text *t)
{
    const dt_c_sizes *s = &t->p->sizes;
    dt_c_say(t,
             " *   RAM    %zu bytes, static\n"
             " *   flash  %zu bytes of packed weights, %zu of biases, %zu of multipliers, %zu of "
             "tables\n",
             t->p->plan->arena_bytes, s->weights, s->biases, s->multipliers, s->tables);
}

/* Of several inputs: where each begins in the input codes, and what its codes mean. */
static void say_inputs(dt_c_text *t)
{
    const char *M = t->p->macro;
    for (int i = 0, k = 0; i < t->p->plan->steps; i++) {
        const dt_int_node *n = t->p->plan->step[i].node;
        const dt_int_value *x = &t->m->value[n->out];
        char name[96];
        if (!n->port) continue;
        dt_c_say(t, "/* Input %d, '%s': codes in %d..%d. */\n", k, dt_c_plain(n->port, name),
                 x->grid.low, x->grid.high);
        dt_c_say(t,
                 "#define %s_IN%d_AT %lld\n#define %s_IN%d_HEIGHT %lld\n"
                 "#define %s_IN%d_WIDTH %lld\n#define %s_IN%d_CHANNELS %lld\n"
                 "#define %s_IN%d_SCALE %.9ef\n#define %s_IN%d_ZERO %d\n\n",
                 M, k, (long long)n->at, M, k, (long long)x->H, M, k, (long long)x->W, M, k,
                 (long long)x->C, M, k, (double)x->grid.scale, M, k, x->grid.zero_point);
        k++;
    }
}

static void say_input(dt_c_text *t)
{
    const dt_int_value *x = &t->m->value[t->p->plan->step[0].node->out];
    const char *M = t->p->macro;
    dt_c_say(t,
             "#define %s_HEIGHT %lld\n#define %s_WIDTH %lld\n#define %s_CHANNELS %lld\n"
             "/* Input codes are in %d..%d. */\n"
             "#define %s_INPUT_SCALE %.9ef\n#define %s_INPUT_ZERO %d\n\n",
             M, (long long)x->H, M, (long long)x->W, M, (long long)x->C, x->grid.low, x->grid.high,
             M, (double)x->grid.scale, M, x->grid.zero_point);
}

/* The parameter that outputs go to. */
static const char *output_of(const dt_c_text *t)
{
    return t->m->outputs > 1 ? "outputs" : "logits";
}

/* Of several outputs: where each begins in the codes that come out, and what they mean. */
static void say_outputs(dt_c_text *t)
{
    const char *M = t->p->macro;
    const dt_graph *g = t->p->src->graph;
    int64_t at = 0;
    for (int k = 0; k < t->m->outputs; k++) {
        const dt_int_value *y = &t->m->value[t->m->output[k]];
        char name[96];
        dt_c_say(t, "/* Output %d, '%s'. */\n", k,
                 dt_c_plain(dt_graph_port_name(g, dt_graph_output(g, k), "logits"), name));
        dt_c_say(t,
                 "#define %s_OUT%d_AT %lld\n#define %s_OUT%d_COUNT %lld\n"
                 "#define %s_OUT%d_SCALE %.9ef\n#define %s_OUT%d_ZERO %d\n\n",
                 M, k, (long long)at, M, k, (long long)dt_int_count(y), M, k, (double)y->grid.scale,
                 M, k, y->grid.zero_point);
        at += dt_int_count(y);
    }
}

static void say_macros(dt_c_text *t)
{
    const dt_c_program *p = t->p;
    const dt_int_value *y = &t->m->value[t->m->logits];
    const char *M = p->macro;
    bool several = t->m->outputs > 1;
    dt_c_say(t,
             "#define %s_INPUT_BYTES %lld /* codes%s: [height][width][channels] */\n"
             "#define %s_%s %lld%s\n#define %s_ARENA_BYTES %zu\n#define %s_WEIGHT_BYTES %zu\n"
             "#define %s_NODES %d /* that end on codes, inputs among them */\n"
             "#define %s_ID 0x%.8s /* of this export */\n\n"
             "/* What codes mean: value = scale * (code - zero). */\n",
             M, (long long)t->m->record, p->pixel ? ", or pixels" : "", M, dt_c_outputs(t),
             (long long)dt_int_outputs(t->m),
             several ? " /* codes of all outputs, one behind the other */" : "", M,
             p->plan->arena_bytes, M, p->sizes.weights, M, p->plan->steps, M, p->id);
    if (several)
        say_outputs(t);
    else
        dt_c_say(t, "#define %s_LOGIT_SCALE %.9ef\n#define %s_LOGIT_ZERO %d\n\n", M,
                 (double)y->grid.scale, M, y->grid.zero_point);
    if (dt_int_inputs(t->m) > 1)
        say_inputs(t);
    else
        say_input(t);
}

/* A text between quotes, in any character set of C: other bytes in octal. */
static void say_quoted(dt_c_text *t, const char *text, size_t size)
{
    dt_c_say(t, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c > 0x7e || strchr("\"\\?", c))
            dt_c_say(t, "\\%03o", c);
        else
            dt_c_say(t, "%c", c);
    }
    dt_c_say(t, "\"");
}

static void say_names(dt_c_text *t)
{
    const char *M = t->p->macro;
    dt_c_say(t,
             "/* static const char *const name[%s_CLASSES] = %s_CLASS_NAMES; */\n"
             "#define %s_CLASS_NAMES { \\\n    ",
             M, M, M);
    for (const char *name = t->p->src->classes; *name;) {
        size_t n = strcspn(name, "\n");
        say_quoted(t, name, n);
        name += n + (name[n] == '\n');
        dt_c_say(t, "%s", *name ? ", \\\n    " : " }\n\n");
    }
}

static void say_floats(dt_c_text *t, const char *what, const float *v, int64_t n)
{
    dt_c_say(t, "#define %s_INPUT_%s {", t->p->macro, what);
    for (int64_t i = 0; i < n; i++)
        dt_c_say(t, "%s %.9ef", i ? "," : "", (double)v[i]);
    dt_c_say(t, " }\n");
}

/* What _encode does with pixels, for who has other pictures. */
static void say_pictures(dt_c_text *t)
{
    const dt_export_source *src = t->p->src;
    int64_t C = t->m->value[t->p->plan->step[0].node->out].C;
    dt_c_say(t,
             "/* Pictures: %s[height][width][channel]; (level%s - MEAN) / STD, by channel. */\n"
             "#define %s_INPUT_RANGE %d\n",
             C == 3 ? "red, green, blue; " : "", src->levels ? "" : " / 255", t->p->macro,
             src->levels ? 255 : 1);
    say_floats(t, "MEAN", src->mean, C);
    say_floats(t, "STD", src->std, C);
    dt_c_say(t, "\n");
}

static void say_functions(dt_c_text *t)
{
    const char *net = t->p->net, *M = t->p->macro;
    if (t->p->pixel)
        dt_c_say(t,
                 "/* Pixels 0..255 to input codes; both may be the same memory. */\n"
                 "void %s_encode(const uint8_t *pixels, uint8_t *codes);\n\n",
                 net);
    bool several = t->m->outputs > 1;
    dt_c_say(t,
             "/* Input codes [%s_INPUT_BYTES] to codes of the %s [%s_%s]. Not reentrant: there "
             "is "
             "one\n * static arena. */\n"
             "void %s_run(const uint8_t *input, uint8_t *%s);\n\n",
             M, several ? "outputs" : "logits", M, dt_c_outputs(t), net, output_of(t));
    if (!several)
        dt_c_say(t,
                 "/* The class with the greatest logit, the first one of several. */\n"
                 "int32_t %s_class(const uint8_t *logits);\n\n",
                 net);
    dt_c_say(
        t,
        "/* With -D%s_SELF_TEST: 0 when this build computes what Detent's reference does at every "
        "node, on\n * %d pictures of noise; otherwise 1 + the first node that differs. */\n"
        "int32_t %s_self_test(void);\n",
        M, DT_C_TESTS, net);
}

void dt_c_write_header(const dt_c_program *p, dt_text *out)
{
    char name[96];
    dt_c_text t = { p, p->plan->model, out };
    dt_c_say(&t,
             "/* %s: a network in integer arithmetic, written by Detent%s%s. Rounding: %s.\n"
             " * The program around the numbers: SPDX-License-Identifier: Apache-2.0\n *\n",
             dt_c_plain(p->src->name, name), p->src->version ? " " : "",
             p->src->version ? p->src->version : "", t.m->contract->name);
    say_sizes(&t);
    dt_c_say(&t,
             " *\n * C99, integers only, no library, no memory from the heap. */\n"
             "#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n\n"
             "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
             p->macro, p->macro);
    say_macros(&t);
    if (p->src->classes) say_names(&t);
    if (p->pixel) say_pictures(&t);
    say_functions(&t);
    dt_c_say(&t, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

/* --- source: fixed parts --- */

/* Does a step have this form? */
static bool has_form(const dt_c_text *t, const dt_form *form)
{
    const dt_c_plan *p = t->p->plan;
    for (int i = 0; i < p->steps; i++)
        if (!dt_c_is_input(&p->step[i]) && dt_c_form(&p->step[i]) == form) return true;
    return false;
}

/* The same, and no form before it has its functions. */
static bool is_first_with(const dt_c_text *t, const dt_form *form)
{
    for (const dt_form *const *f = dt_forms; *f != form; f++)
        if ((*f)->c == form->c && has_form(t, *f)) return false;
    return form->c && has_form(t, form);
}

static void say_arithmetic(dt_c_text *t)
{
    static const char *const requants[] = { [DT_ROUND_FP32] = c99_requant_fp32,
                                            [DT_ROUND_SINGLE] = c99_requant_single,
                                            [DT_ROUND_DOUBLE] = c99_requant_double };
    const dt_contract *c = t->m->contract;
    unsigned uses = 0;
    for (const dt_form *const *f = dt_forms; *f; f++)
        if ((*f)->c && (*f)->c->uses && has_form(t, *f)) uses |= (*f)->c->uses(c);
    if (uses & DT_C_REQUANT)
        uses |= c->rounding == DT_ROUND_FP32 ? DT_C_SHIFT_EVEN : DT_C_SHIFT_DOWN;
    if (uses & DT_C_CLAMP) dt_c_say_part(t, c99_clamp);
    if (uses & DT_C_SHIFT_EVEN) dt_c_say_part(t, c99_shift_even);
    if (uses & DT_C_SHIFT_DOWN) dt_c_say_part(t, c99_shift_down);
    if (uses & DT_C_REQUANT) dt_c_say_part(t, requants[c->rounding]);
    for (const dt_form *const *f = dt_forms; *f; f++)
        if (is_first_with(t, *f)) dt_c_say_part(t, (*f)->c->text(c));
}

/* --- source: the order of execution --- */

/* Behind the outputs before it. */
static void place_output(const dt_c_text *t, int value, char out[DT_C_PLACE])
{
    int64_t at = 0;
    for (int k = 0; t->m->output[k] != value; k++)
        at += dt_int_count(&t->m->value[t->m->output[k]]);
    if (at)
        snprintf(out, DT_C_PLACE, "%s + %lld", output_of(t), (long long)at);
    else
        snprintf(out, DT_C_PLACE, "%s", output_of(t));
}

static void place(const dt_c_text *t, int value, char out[DT_C_PLACE])
{
    const dt_c_plan *p = t->p->plan;
    const dt_int_node *made = dt_int_producer(t->m, value);
    if (made->port && made->at)
        snprintf(out, DT_C_PLACE, "input + %lld", (long long)made->at);
    else if (made->port)
        snprintf(out, DT_C_PLACE, "input");
    else if (dt_int_output_at(t->m, value) >= 0)
        place_output(t, value, out);
    else
        snprintf(out, DT_C_PLACE, "arena + %lld", (long long)p->offset[value]);
}

static void say_call(dt_c_text *t, int step)
{
    char x[DT_INT_MAX_IN][DT_C_PLACE], y[DT_C_PLACE], name[96];
    const dt_c_step *s = &t->p->plan->step[step];
    int64_t count = dt_int_count(&t->m->value[s->node->out]);
    for (int i = 0; i < s->in_count; i++)
        place(t, s->in[i], x[i]);
    place(t, s->node->out, y);
    dt_c_say(t, "    ");
    dt_c_form(s)->c->call(t, step, x, y);
    dt_c_say(t, " /* %s */\n    %s_TRACE(%d, %s, %lld);\n", dt_c_plain(s->node->name, name),
             t->p->macro, step, y, (long long)count);
}

static void say_run(dt_c_text *t)
{
    const dt_c_plan *p = t->p->plan;
    const char *M = t->p->macro;
    dt_c_say(t, "\nvoid %s_run(const uint8_t *input, uint8_t *%s)\n{\n", t->p->net, output_of(t));
    for (int i = 0; i < p->steps; i++) {
        char x[DT_C_PLACE];
        const dt_int_node *n = p->step[i].node;
        if (!dt_c_is_input(&p->step[i])) {
            say_call(t, i);
            continue;
        }
        place(t, n->out, x);
        if (dt_int_inputs(t->m) == 1)
            dt_c_say(t, "    %s_TRACE(%d, input, %s_INPUT_BYTES);\n", M, i, M);
        else
            dt_c_say(t, "    %s_TRACE(%d, %s, %lld);\n", M, i, x,
                     (long long)dt_int_count(&t->m->value[n->out]));
    }
    dt_c_say(t, "}\n\n");
}

/* --- source: the rest --- */

static void say_pixels(dt_c_text *t)
{
    int64_t C = t->m->value[t->p->plan->step[0].node->out].C;
    if (!t->p->pixel) return;
    dt_c_say(t,
             "/* Codes of the pixel values 0..255, normalised, by channel. */\n"
             "static const uint8_t pixel_code[%lld][256] = {\n",
             (long long)C);
    for (int64_t c = 0; c < C; c++) {
        dt_c_say(t, "{");
        for (int i = 0; i < 256; i++)
            dt_c_say(t, "%s%d,", i % 20 ? " " : "\n    ", t->p->pixel[c * 256 + i]);
        dt_c_say(t, "\n},\n");
    }
    dt_c_say(t, "};\n\n");
    dt_c_say_part(t, c99_encode);
}

/* The lowest or highest code of element i of the input codes. */
static void say_test_limit(dt_c_text *t, const char *name, bool high)
{
    int left = dt_int_inputs(t->m);
    dt_c_say(t, "#define %s(i) (", name);
    for (int64_t at = 0; left > 0; at++) { /* inputs in the order of their places */
        const dt_int_node *n = dt_int_input_at(t->m, at);
        if (!n) continue;
        const dt_int_value *v = &t->m->value[n->out];
        left--;
        if (left) dt_c_say(t, "(i) < %lld ? ", (long long)(at + dt_int_count(v)));
        dt_c_say(t, "%d%s", high ? v->grid.high : v->grid.low, left ? " : " : "");
        at += dt_int_count(v) - 1;
    }
    dt_c_say(t, ")\n");
}

static void say_tests(dt_c_text *t)
{
    const dt_c_plan *p = t->p->plan;
    int64_t K = dt_int_outputs(t->m);
    dt_c_say(t, "#ifdef %s_SELF_TEST\n", t->p->macro);
    say_test_limit(t, "INPUT_LOW", false);
    say_test_limit(t, "INPUT_HIGH", true);
    dt_c_say(t,
             "#define TEST_PICTURES %d\n"
             "static const uint8_t test_logits[TEST_PICTURES][%s_%s] = {\n",
             DT_C_TESTS, t->p->macro, dt_c_outputs(t));
    for (int i = 0; i < DT_C_TESTS; i++) {
        dt_c_say(t, "    {");
        for (int64_t k = 0; k < K; k++)
            dt_c_say(t, "%s%d", k ? k % 20 ? ", " : ",\n     " : "", t->p->logits[i * K + k]);
        dt_c_say(t, "},\n");
    }
    dt_c_say(t, "};\nstatic const uint32_t test_crc[%s_NODES] = {", t->p->macro);
    for (int i = 0; i < p->steps; i++)
        dt_c_say(t, "%sUINT32_C(0x%08lX),", i % 4 ? " " : "\n    ", (unsigned long)t->p->crc[i]);
    dt_c_say(t, "\n};\n#endif\n\n");
    dt_c_say_part(t, c99_self_test);
}

void dt_c_write_source(const dt_c_program *p, dt_text *out)
{
    char name[96];
    dt_c_text t = { p, p->plan->model, out };
    dt_c_say(&t,
             "/* %s: see %s. */\n#include \"%s\"\n\n#include <stddef.h>\n\n"
             "#if %s_ID != 0x%.8s\n#error \"%s is of another export\"\n#endif\n\n",
             dt_c_plain(p->src->name, name), p->header, p->header, p->macro, p->id, p->header);
    dt_c_say_part(&t, c99_trace);
    say_arithmetic(&t);
    dt_c_say(&t, "static uint8_t arena[%s_ARENA_BYTES];\n", p->macro);
    for (int i = 0; i < p->plan->steps; i++)
        if (!dt_c_is_input(&p->plan->step[i])) dt_c_say_numbers(&t, i);
    say_run(&t);
    say_pixels(&t);
    if (t.m->outputs == 1) dt_c_say_part(&t, c99_class);
    say_tests(&t);
}
