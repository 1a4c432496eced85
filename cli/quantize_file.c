/* detent quantize NET --data FOLDER: the recipe that it stands for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/quantize_file.h"

#include <string.h>

/* The recipe's words: the file, what the options say, what the command line says. */
static dt_status put_words(cli_quantize_file *f, const cli_args *args, const dt_net_source *source,
                           dt_error *err)
{
    int ours;
    DT_TRY(dt_quantize_file_words(source, f->word, &ours, err));
    if (args->word_count + ours > CLI_MAX_WORDS)
        return dt_fail(err, DT_ERR_ARG, NULL, "more than %d words", CLI_MAX_WORDS);
    f->args = *args;
    f->args.text = f->text;
    for (int i = 0; i < ours; i++)
        f->args.words[1 + i] = f->word[i];
    for (int i = 1; i < args->word_count; i++)
        f->args.words[ours + i] = args->words[i];
    f->args.word_count += ours;
    return DT_OK;
}

dt_status cli_quantize_source(const cli_args *args, cli_quantize_file *f, dt_error *err)
{
    const char *file = args->words[0];
    *f = (cli_quantize_file){ .args = *args };
    if (!dt_is_net_file(file)) {
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
    dt_status st = put_words(f, args, &source, err);
    if (st != DT_OK) cli_quantize_file_fini(f);
    return st;
}

void cli_quantize_file_fini(cli_quantize_file *f)
{
    dt_quantize_file_words_fini(f->word);
    dt_put(NULL, f->text);
    memset(f, 0, sizeof *f);
}
