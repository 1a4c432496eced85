/* Recipes: what to train, as a YAML file and command-line overrides, checked against the option
 * tables of whatever it names. Reading fills every default, so nobody asks the file again. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_RECIPES_RECIPE_H
#define DT_RECIPES_RECIPE_H

#include "core/alloc.h"
#include "core/file.h"
#include "core/opt.h"
#include "fakequant/choice.h"

/* A model's file. */
typedef struct dt_recipe_file {
    char sha256[DT_SHA256_HEX]; /* of all that belongs to it: the model's key `sha256` */
    int classes;                /* 0: it does not say */
    bool weights;               /* it brings them, trained on pictures of some range */
    bool quantized; /* it brings quantizers, which are those of a recipe without `quant` */
} dt_recipe_file;

/* What a recipe can name. The tables belong to their folders; tests pass small ones. */
typedef struct dt_recipe_tables {
    const dt_table *models, *datasets, *transforms, *quantizers, *optimizers, *schedules;
    const dt_table *dynamics;       /* NULL: none */
    const dt_table *tasks, *losses; /* of tasks the first is the default; NULL: none */
    /* Stages and presets of `ptq`; NULL: none. A preset's text is the YAML list that `ptq.stages`
     * is in its stead. */
    const dt_table *ptq_stages, *ptq_presets;
    const char *(*preset_text)(const dt_row *preset);
    const dt_opt *data_opts; /* common options of `data`, over data_conf_size bytes; may be NULL */
    size_t data_conf_size;
    /* What the file tells that a model is read from. NULL: no model is. */
    dt_status (*model_file)(const dt_row *model, const char *path, dt_recipe_file *out,
                            dt_error *err);
    /* How many classes a data set's folder has; 0: that cannot be told. NULL: of none. */
    int (*data_classes)(const dt_row *dataset, const char *root);
    /* Bits that a quantizer can do, inside 1..8; NULL: 1..8 for all. */
    void (*bits_range)(const dt_row *quantizer, int *out_min, int *out_max);
} dt_recipe_tables;

/* A row and its options, of row->conf_size bytes (NULL when 0). */
typedef struct dt_recipe_choice {
    const dt_row *row;
    void *conf;
} dt_recipe_choice;

typedef struct dt_recipe_model {
    dt_recipe_choice choice;
    int classes;
    bool allow_missing;
    bool ema;                      /* read the running means that a run with weight_ema kept */
    dt_opt_str init;               /* absolute path; empty: random weights */
    dt_opt_str init_key;           /* dictionary or prefix of `init` to read; empty: chosen */
    dt_opt_words reinit;           /* patterns of parameters that no file gives: they start anew */
    dt_opt_words allow_unexpected; /* patterns of tensors of `init` that may be left out */
} dt_recipe_model;

typedef struct dt_recipe_task {
    dt_recipe_choice choice;
    dt_recipe_choice loss; /* row NULL: the task's own */
    /* ---- of an element of `tasks` ---- */
    dt_opt_str output; /* of the net */
    dt_opt_str target; /* of the data; empty: called as the output, or the only one */
    double weight;     /* of its loss */
    bool best;         /* its first metric says which epoch is the best */
} dt_recipe_task;

typedef struct dt_recipe_data {
    dt_recipe_choice choice;
    void *common;                   /* filled after tables->data_opts */
    dt_recipe_choice *train, *test; /* transforms of training and of other pictures, in order */
    size_t train_count, test_count;
} dt_recipe_data;

/* The rest of the section is asked per layer: dt_recipe_site. */
typedef struct dt_recipe_quant {
    bool enabled; /* false: a float net */
    int placement;
    bool share;          /* consumers of one quantized value share one node */
    dt_opt_str rounding; /* contract of the integer model, a name of integer/contract.h */
    bool fold_norm;      /* weights are quantized as those of the net with batch norms folded */
    int residual_bits;
    int rules; /* how many there are */
} dt_recipe_quant;

/* Optimizers of quantizers' parameters; the later, the closer. */
typedef enum dt_recipe_group {
    DT_GROUP_QUANT,
    DT_GROUP_QUANT_WEIGHTS,
    DT_GROUP_QUANT_ACTIVATIONS,
    DT_GROUP_COUNT
} dt_recipe_group;
extern const char *const dt_recipe_group_names[DT_GROUP_COUNT + 1]; /* ends with NULL */

/* The same of parameters whose names match a pattern, quantizers' apart; later ones win. */
typedef struct dt_recipe_named_group {
    const char *pattern; /* core/glob.h */
    dt_recipe_choice choice;
} dt_recipe_named_group;

/* From an epoch on; what is not given is as the rest of the recipe says. */
enum { DT_RECIPE_PHASES = 15 };
typedef struct dt_recipe_phase {
    int epoch;                        /* from 0 */
    int weight_bits, activation_bits; /* no site has fewer; 32: float; 0: as they are */
    int ranges, norm;                 /* 1: frozen */
} dt_recipe_phase;

typedef struct dt_recipe_train {
    dt_recipe_choice group[DT_GROUP_COUNT]; /* row NULL: not given */
    dt_recipe_choice optimizer, schedule;
    dt_recipe_named_group *named;
    int named_count;
    dt_opt_words freeze; /* patterns of parameters that stay as they are */
    int epochs, max_steps, accumulate, seed, log_steps;
    double label_smoothing, clip_norm, save_minutes, quant_lr;
    bool sync_norm, decay_norm, quant_decay;
} dt_recipe_train;

/* A float net whose outputs are targets beside the labels. */
typedef struct dt_recipe_distill {
    bool enabled;
    dt_recipe_choice model;        /* the student's unless another one is named */
    dt_opt_str teacher;            /* absolute path of its checkpoint */
    dt_opt_str teacher_key;        /* as model.init_key */
    dt_opt_words allow_unexpected; /* as model's */
    double temperature, task, weight;
} dt_recipe_distill;

/* Quantization without training: what is done to the net, stage by stage. */
typedef struct dt_recipe_ptq {
    bool enabled;
    int images, batch, score; /* score: dt_ptq_score */
    dt_opt_str method;        /* the preset that `stage` was, for reports */
    dt_recipe_choice *stage;
    size_t stage_count;
} dt_recipe_ptq;
typedef enum dt_ptq_score { DT_PTQ_SCORE_TEST, DT_PTQ_SCORE_VAL, DT_PTQ_SCORE_NONE } dt_ptq_score;

typedef enum dt_expect_status {
    DT_EXPECT_MEASURED,
    DT_EXPECT_PUBLISHED,
    DT_EXPECT_NOT_RUN
} dt_expect_status;
typedef struct dt_recipe_expect {
    bool has_top1;
    double top1, tolerance; /* percent */
    int status;
    dt_opt_str source; /* of the number: a paper's table, a page of docs/ */
    int epochs, seeds; /* of training; runs that the number is the mean of; 0: unsaid */
    /* Hashes of weights, buffers and quantizer state as `inspect --sha256` tells them: words
     * TAG=HEX, see train/run/expect.h. At the end of a measured run, and after the first
     * `quick_steps`. */
    dt_opt_words sha256, quick;
    int quick_steps;
} dt_recipe_expect;

typedef struct dt_recipe {
    dt_opt_str name;
    dt_recipe_model model;
    dt_recipe_task task;   /* of a net with one output */
    dt_recipe_task *tasks; /* of one with several, or whose output has a name; count 0: none */
    size_t task_count;
    dt_recipe_data data;
    dt_recipe_quant quant;
    dt_recipe_train train;
    dt_recipe_choice *dynamics; /* rows in use, in the order of the table */
    size_t dynamics_count;
    dt_recipe_distill distill;
    dt_recipe_ptq ptq;
    dt_recipe_phase phase[DT_RECIPE_PHASES]; /* by epoch, ascending */
    size_t phase_count;
    struct {
        int batch, pictures;
    } eval;
    dt_recipe_expect expect;
    char hash[DT_SHA256_HEX]; /* of the effective recipe without the keys that change no result */
    const char *text;         /* the effective recipe: complete, in one order, read back equal */
    const char *hashed;       /* what `hash` is of: no folder or file of this machine is in it */
    struct dt_recipe_state *state;
} dt_recipe;

typedef struct dt_recipe_params {
    const dt_recipe_tables *tables; /* borrowed until dt_recipe_free */
    const char *path;               /* file; its folder is where relative paths start */
    const char *text; /* NULL: read `path`; else the document, named `path` (or "text") */
    size_t text_size; /* 0: strlen(text) */
    const char *const *overrides; /* "train.lr=0.1": value in YAML, or as it stands where the
                                     key is a text; list elements by number */
    size_t override_count;
    const dt_alloc *alloc; /* NULL: dt_alloc_std(); borrowed until dt_recipe_free */
} dt_recipe_params;

/* Reads and checks a recipe. User errors name file and line, or "command line", key, value and
 * rule. One thread at a time may use the result; free it with dt_recipe_free. */
dt_status dt_recipe_read(const dt_recipe_params *params, dt_recipe **out_recipe,
                         dt_error *err) DT_MUST_CHECK;
void dt_recipe_free(dt_recipe *recipe); /* NULL is fine */

/* Later ones win: quant.weights / quant.activations, then first / last / shortcut, then the rules
 * in order. Keys are merged; a change of method resets the method's own options. Once a side is
 * `none`, only a later `method` quantizes it again. Every rule that matches `layer` counts as used.
 */
dt_status dt_recipe_site(dt_recipe *recipe, const char *layer, dt_layer_role role, dt_side side,
                         dt_quant_choice *out_choice, dt_error *err) DT_MUST_CHECK;
/* Call after the last dt_recipe_site: a rule that matched no layer is NOT_FOUND. */
dt_status dt_recipe_check_rules_used(const dt_recipe *recipe, dt_error *err) DT_MUST_CHECK;

/* Calls fn(user, key, a, b) for every key whose value differs between two effective recipes and
 * that can change a result; an absent value is NULL. For refused resumes. Errors: FORMAT, NOMEM. */
typedef void (*dt_recipe_diff_fn)(void *user, const char *key, const char *a, const char *b);
dt_status dt_recipe_diff(const char *text_a, const char *text_b, dt_recipe_diff_fn fn, void *user,
                         const dt_alloc *alloc, dt_error *err) DT_MUST_CHECK;

/* One key that a recipe may have. Texts live until the callback returns. */
typedef struct dt_recipe_key {
    const char *key;  /* "quant.weights.bits" */
    const char *row;  /* "sgd": a key of this row only; NULL: always */
    const char *type; /* "int", "float", "bool", "enum", "text", "list", "name", "map" */
    const char *def;  /* default as in a recipe, "" when there is none */
    const char *rule; /* "a whole number in 1..8" */
    const char *help;
} dt_recipe_key;
typedef void (*dt_recipe_key_fn)(void *user, const dt_recipe_key *key);
/* Calls fn for every key, section by section. */
void dt_recipe_list_keys(const dt_recipe_tables *tables, dt_recipe_key_fn fn, void *user);

/* What is in the place of a key or an option (without its dashes) that other programs have; NULL:
 * nothing is known of it. */
const char *dt_recipe_elsewhere(const char *word);

#endif
