/* detent quantize NET --data FOLDER: the recipe that it stands for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/quantize_file.h"

#include <string.h>
#include <strings.h>

static bool is_net(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot, ".onnx") == 0;
}

enum { WORDS = CLI_QUANTIZE_WORDS };

/* "name=net" of "folder/net.onnx" */
static char *name_word(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    return dt_format(NULL, "name=%.*s", (int)(strrchr(base, '.') - base), base);
}

/* The recipe's words: the file, what the options say, what the command line says. */
static dt_status put_words(cli_quantize_file *f, const cli_args *args, dt_error *err)
{
    f->word[0] = dt_format(NULL, "model.onnx=%s", args->words[0]);
    f->word[1] = dt_format(NULL, "data.root=%s", args->data);
    f->word[2] = name_word(args->words[0]);
    if (!f->word[0] || !f->word[1] || !f->word[2])
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    if (args->word_count + WORDS > CLI_MAX_WORDS)
        return dt_fail(err, DT_ERR_ARG, NULL, "more than %d words", CLI_MAX_WORDS);
    f->args = *args;
    f->args.text = f->text;
    for (int i = 0; i < WORDS; i++)
        f->args.words[1 + i] = f->word[i];
    for (int i = 1; i < args->word_count; i++)
        f->args.words[WORDS + i] = args->words[i];
    f->args.word_count += WORDS;
    return DT_OK;
}

dt_status cli_quantize_source(const cli_args *args, cli_quantize_file *f, dt_error *err)
{
    const char *file = args->words[0];
    *f = (cli_quantize_file){ .args = *args };
    if (!is_net(file)) {
        const char *option = args->data ? "--data" : args->normalize ? "--normalize" : NULL;
        if (!option) return DT_OK;
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = option },
                       "is for a net's file, such as net.onnx; %s is a recipe, which has data.%s",
                       file, args->data ? "root" : "normalize");
    }
    if (!args->data)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = file },
                       "is a net without pictures: say --data FOLDER, with or without labels");
    const dt_net_source source = { .net = file,
                                   .folder = args->data,
                                   .normalize = args->normalize };
    DT_TRY(dt_quantize_recipe_of(&source, &f->text, err));
    dt_status st = put_words(f, args, err);
    if (st != DT_OK) cli_quantize_file_fini(f);
    return st;
}

void cli_quantize_file_fini(cli_quantize_file *f)
{
    for (int i = 0; i < WORDS; i++)
        dt_put(NULL, f->word[i]);
    dt_put(NULL, f->text);
    memset(f, 0, sizeof *f);
}
