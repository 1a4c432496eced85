/* Whole recipes: values, messages, effective text, hash. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/recipe.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/recipes/fake_tables.h"
#include "tests/support/run.h"
#include "train/net/session.h"

static dt_recipe *must_read(const char *text, const char *const *overrides)
{
    dt_recipe *r = NULL;
    dt_error err = { 0 };
    ck_assert_msg(fake_read(text, overrides, &r, &err) == DT_OK, "%s", err.text);
    return r;
}

START_TEST(defaults)
{
    dt_recipe *r = must_read(FAKE_BASE, NULL);
    ck_assert_str_eq(r->name, "x");
    ck_assert_str_eq(r->model.choice.row->name, "resnet20");
    ck_assert_str_eq(((const fake_net *)r->model.choice.conf)->head, "linear");
    ck_assert(r->model.classes == 10 && !*r->model.init && !r->model.allow_missing);
    ck_assert_int_eq(((const fake_data *)r->data.common)->batch, 128);
    ck_assert_uint_eq(r->data.train_count, 0);
    ck_assert(!r->quant.enabled);
    ck_assert(r->train.epochs == 30 && r->train.max_steps == 0 && r->train.seed == 1);
    ck_assert(r->train.label_smoothing == 0 && r->train.save_minutes == 10);
    ck_assert(r->train.quant_lr == 1 && !r->train.decay_norm && !r->train.quant_decay);
    ck_assert_str_eq(r->train.optimizer.row->name, "sgd");
    ck_assert_str_eq(r->train.schedule.row->name, "cosine");
    ck_assert_int_eq(r->eval.batch, 250);
    ck_assert(!r->expect.has_top1 && r->expect.tolerance == 0.3);
    dt_recipe_free(r);
}
END_TEST

static const char *const full =
    "name: my run\n"
    "model: {name: resnet32, classes: 100, init: w.th, allow_missing: yes, shortcut: conv}\n"
    "data:\n  name: cifar10\n  root: ../d\n  batch: 64\n  normalize: cifar\n  limit: 7\n"
    "  train: [pad_crop: 2, hflip, pad_crop: {mirror: true}, pad_crop]\n"
    "train:\n  epochs: 5\n  max_steps: 9\n  seed: 3\n  label_smoothing: 0.1\n  quant_lr: 0.5\n"
    "  decay_norm: true\n  optimizer: {lr: 0.2, nesterov: on}\n"
    "  schedule: {name: multistep, milestones: [2, 4], warmup: 0.5}\n"
    "eval: {batch: 10}\n"
    "expect: {top1: 91.6, status: measured, sha256: [avx2/Blas-1="
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]}\n";

START_TEST(values)
{
    dt_recipe *r = must_read(full, NULL);
    ck_assert_str_eq(r->name, "my run");
    ck_assert_str_eq(r->model.init, "/r/w.th");
    ck_assert(r->model.classes == 100 && r->model.allow_missing);
    ck_assert_int_eq(((const fake_net *)r->model.choice.conf)->shortcut, 1);
    const fake_data *d = r->data.common;
    ck_assert(d->batch == 64 && d->normalize == 1);
    ck_assert_str_eq(d->root, "/r/../d");
    ck_assert_int_eq(((const fake_cifar *)r->data.choice.conf)->limit, 7);
    ck_assert_uint_eq(r->data.train_count, 4);
    const fake_crop *c0 = r->data.train[0].conf, *c2 = r->data.train[2].conf;
    const fake_crop *c3 = r->data.train[3].conf;
    ck_assert(c0->pad == 2 && !c0->mirror && c2->pad == 4 && c2->mirror && c3->pad == 4);
    ck_assert_ptr_eq(r->data.train[1].row, &flip);
    ck_assert(r->train.epochs == 5 && r->train.max_steps == 9 && r->train.seed == 3);
    ck_assert(r->train.label_smoothing == 0.1 && r->train.quant_lr == 0.5 && r->train.decay_norm);
    const dt_optimizer *o = (const dt_optimizer *)(const void *)r->train.optimizer.row;
    ck_assert(dt_optimizer_lr(o, r->train.optimizer.conf) == 0.2);
    const dt_schedule *s = (const dt_schedule *)(const void *)r->train.schedule.row;
    ck_assert(dt_schedule_lr(s, r->train.schedule.conf, 1, 2, 1, 5) == 0.1);
    ck_assert_int_eq(r->eval.batch, 10);
    ck_assert(r->expect.has_top1 && r->expect.top1 == 91.6 &&
              r->expect.status == DT_EXPECT_MEASURED && r->expect.sha256.count == 1 &&
              !strncmp(r->expect.sha256.value[0], "avx2/Blas-1=01", 14));
    dt_recipe_free(r);
}
END_TEST

START_TEST(effective_text_is_complete_and_reads_back)
{
    dt_recipe *r = must_read(FAKE_BASE, NULL);
    ck_assert_str_eq(
        r->text, "name: x\nmodel:\n  name: resnet20\n  classes: 10\n  init: ''\n  init_key: ''\n"
                 "  allow_missing: false\n  reinit: []\n  allow_unexpected: []\n  ema: false\n  "
                 "shortcut: pad\n  "
                 "head: linear\n"
                 "data:\n  name: cifar10\n  batch: 128\n  root: ''\n  normalize: imagenet\n"
                 "  val: 0\n  limit: 0\n  train: []\n  test: []\nquant: none\n"
                 "train:\n  epochs: 30\n  max_steps: 0\n  accumulate: 1\n  "
                 "sync_norm: false\n  seed: 1\n  "
                 "label_smoothing: 0\n  clip_norm: 0\n"
                 "  save_minutes: 10\n  log_steps: 50\n  decay_norm: false\n  quant_decay: false\n "
                 " quant_lr: 1\n"
                 "  optimizer:\n    name: sgd\n    lr: 0.1\n    momentum: 0.9\n"
                 "    nesterov: false\n    weight_decay: 0.0001\n"
                 "  schedule:\n    name: cosine\n    min_lr: 0\n    warmup: 0\n"
                 "    warmup_from: 0\neval:\n  batch: 250\n  pictures: 0\nexpect: {}\n");
    dt_recipe_free(r);
    r = must_read(full, NULL);
    dt_recipe *again = must_read(r->text, NULL);
    ck_assert_str_eq(r->text, again->text);
    ck_assert_str_eq(r->hash, again->hash);
    dt_recipe_free(again);
    dt_recipe_free(r);
}
END_TEST

START_TEST(hash_leaves_out_what_changes_no_result)
{
    dt_recipe *base = must_read(FAKE_BASE, NULL);
    ck_assert_uint_eq(strlen(base->hash), 64);
    static const struct {
        const char *override;
        bool same;
    } cases[] = {
        { "name=other", true },
        { "model.init=/w", true },
        { "model.init_key=ema", true },
        { "data.root=/d", true },
        { "train.max_steps=5", true },
        { "train.save_minutes=1", true },
        { "expect={top1: 5}", true },
        { "train.epochs=30", true },
        { "train.epochs=31", false },
        { "train.optimizer.lr=1e-1", true },
        { "train.optimizer.lr=0.2", false },
        { "train.seed=2", false },
        { "data.batch=64", false },
        { "data.train=[hflip]", false },
        { "model.name=resnet32", false },
        { "quant={weights: {method: lsq}}", false },
        { "quant=none", true },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        dt_recipe *r = must_read(FAKE_BASE, (const char *const[]){ cases[i].override, NULL });
        ck_assert_msg((strcmp(r->hash, base->hash) == 0) == cases[i].same, "%s", cases[i].override);
        dt_recipe_free(r);
    }
    dt_recipe_free(base);
}
END_TEST

START_TEST(messages)
{
    static const char *const cases[][2] = {
        { "x", "/r/x.yaml:1: a recipe is a map of sections" },
        { "data: {name: cifar10}\n", "/r/x.yaml:1: model: 'name' must name a model; there are: "
                                     "resnet20, resnet32, resnet44, resnet56, onnx, file" },
        { "model: {name: resnet2}\n",
          "/r/x.yaml:1: model.name: unknown model 'resnet2', did you mean 'resnet20'?" },
        { FAKE_BASE "trian: {}\n", "/r/x.yaml:3: trian: unknown key, did you mean 'train'?" },
        { FAKE_BASE "train:\n  epochs: 0\n", "/r/x.yaml:4: train.epochs: 0 is outside 1..100000" },
        { FAKE_BASE "train:\n  epochs:\n",
          "/r/x.yaml:4: train.epochs: has no value; it must be a whole number in 1..100000" },
        { FAKE_BASE "train:\n  epochs: [1]\n",
          "/r/x.yaml:4: train.epochs: a list is not a whole number in 1..100000" },
        { FAKE_BASE "train: {optimizer: sgd}\n",
          "/r/x.yaml:3: train.optimizer: must be a map of keys with 'name'" },
        { FAKE_BASE "train:\n  optimizer:\n    name: sgd\n    momentun: 1\n",
          "/r/x.yaml:6: train.optimizer.momentun: unknown key, did you mean 'momentum'?" },
        { FAKE_BASE "train: {schedule: {milestones: [1]}}\n",
          "/r/x.yaml:3: train.schedule.milestones: unknown key; there are: name, min_lr, warmup, "
          "warmup_from" },
        { FAKE_BASE "train: {schedule: {name: multistep, milestones: [2, 1]}}\n",
          "/r/x.yaml:3: train.schedule.milestones: [2, 1] is not an ascending list of whole "
          "numbers "
          "in 1..100000" },
        { FAKE_BASE "train: {schedule: {name: multistep, milestones: [[2]]}}\n",
          "/r/x.yaml:3: train.schedule.milestones: a list is not an ascending list of whole "
          "numbers "
          "in 1..100000" },
        { "model: {name: resnet20, shortcat: pad}\ndata: {name: cifar10}\n",
          "/r/x.yaml:1: model.shortcat: unknown key, did you mean 'shortcut'?" },
        { "model: {name: resnet20}\ndata: {name: cifar10, train: [flip]}\n",
          "/r/x.yaml:2: data.train.0: unknown transform 'flip', did you mean 'hflip'?" },
        { "model: {name: resnet20}\ndata: {name: cifar10, train: [pad_crop: 99]}\n",
          "/r/x.yaml:2: data.train.0.pad_crop: 99 is outside 0..16" },
        { "model: {name: resnet20}\ndata: {name: cifar10, train: [pad_crop: {pat: 9}]}\n",
          "/r/x.yaml:2: data.train.0.pad_crop.pat: unknown key, did you mean 'pad'?" },
        { "model: {name: resnet20}\ndata: {name: cifar10, train: [hflip: 1]}\n",
          "/r/x.yaml:2: data.train.0.hflip: 'hflip' has no options" },
        { "model: {name: resnet20}\ndata: {name: cifar10, train: [{hflip: 1, pad_crop: 2}]}\n",
          "/r/x.yaml:2: data.train.0: must be a transform's name, or name: options" },
        { "model: {name: resnet20}\ndata: {name: cifar10, train: hflip}\n",
          "/r/x.yaml:2: data.train: must be a list of transforms" },
        { "model: {name: resnet20}\ndata: {name: clash}\n",
          "dataset 'clash' has an option 'train', a key of 'data' itself" },
        { FAKE_BASE "expect: {top1: 1, sha256: [12]}\n",
          "/r/x.yaml:3: expect.sha256: '12' is not TIER/LIBRARY=HASH with the 64 lower-case "
          "hexadecimal digits of a SHA-256" },
        { FAKE_BASE "expect: {tolerance: 1}\n",
          "/r/x.yaml:3: expect: has no top1; status: not_run says that there is no number yet" },
        { FAKE_BASE "name: a/b\n", "/r/x.yaml:3: name: 'a/b' is no name of a folder: it may not "
                                   "have / or start with a dot" },
        { FAKE_BASE "train: {seed: 1, seed: 2}\n",
          "/r/x.yaml:3: train.seed: repeated key, first in line 3" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        dt_recipe *r = NULL;
        dt_error err = { 0 };
        ck_assert_msg(fake_read(cases[i][0], NULL, &r, &err) != DT_OK, "%s", cases[i][0]);
        ck_assert_str_eq(err.text, cases[i][1]);
        ck_assert_ptr_null(r);
    }
}
END_TEST

/* Rows in the order of the table; the section is in the effective text only if it is given. */
START_TEST(dynamics)
{
    dt_recipe *r = must_read(FAKE_BASE, NULL);
    ck_assert_uint_eq(r->dynamics_count, 0);
    ck_assert_ptr_null(strstr(r->text, "dynamics"));
    dt_recipe_free(r);
    r = must_read(FAKE_BASE "dynamics: {damper: , tracker: {momentum: 0.5}}\n", NULL);
    ck_assert_uint_eq(r->dynamics_count, 2);
    ck_assert_str_eq(r->dynamics[0].row->name, "tracker");
    ck_assert_double_eq(((const fake_tracker *)r->dynamics[0].conf)->momentum, .5);
    ck_assert_str_eq(r->dynamics[1].row->name, "damper");
    dt_recipe *again = must_read(r->text, NULL);
    ck_assert_str_eq(again->text, r->text);
    ck_assert_str_eq(again->hash, r->hash);
    dt_recipe_free(again);
    dt_recipe_free(r);
    static const char *const bad[][2] = {
        { "dynamics: [tracker]\n", "dynamics: must be a map" },
        { "dynamics: {traker: {}}\n", "did you mean 'tracker'?" },
        { "dynamics: {tracker: {momentun: 1}}\n", "dynamics.tracker.momentun: unknown key" },
        { "dynamics: {tracker: {momentum: 2}}\n", "dynamics.tracker.momentum: 2 is outside 0..1" },
        { "dynamics: {tracker: 1}\n", "dynamics.tracker: must be a map of keys" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(bad); i++) {
        char text[512];
        dt_error err = { 0 };
        snprintf(text, sizeof text, "%s%s", FAKE_BASE, bad[i][0]);
        ck_assert_int_ne(fake_read(text, NULL, &r, &err), DT_OK);
        ck_assert_msg(strstr(err.text, bad[i][1]) != NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(phases)
{
    dt_recipe *r = must_read(FAKE_BASE "phases: [{epoch: 0, weight_bits: 32}, {epoch: 2, norm: "
                                       "frozen}]\ntrain: {epochs: 3}\n",
                             NULL);
    ck_assert_uint_eq(r->phase_count, 2);
    ck_assert_int_eq(r->phase[0].weight_bits, 32);
    ck_assert(r->phase[1].epoch == 2 && r->phase[1].norm == 1 && r->phase[1].weight_bits == 0);
    dt_recipe *again = must_read(r->text, NULL);
    ck_assert_str_eq(again->text, r->text);
    dt_recipe_free(again);
    dt_recipe_free(r);
    static const char *const bad[][2] = {
        { "phases: {epoch: 1}\n", "phases: must be a list" },
        { "phases: [{norm: frozen}]\n", "phases.0: needs an 'epoch'" },
        { "phases: [{epoch: 30}]\n", "phases.0.epoch: 30 is after the last epoch" },
        { "phases: [{epoch: 3}, {epoch: 2}]\n", "phases.1.epoch: 2 is not after 3" },
        { "phases: [{epoch: 3, weight_bits: 16}]\n", "phases.0.weight_bits: 16 is neither" },
        { "train: {groups: {qant: {lr: 1}}}\n", "train.groups.qant: unknown key, did you mean" },
        { "train: {groups: {quant: {lrr: 1}}}\n", "train.groups.quant.lrr: unknown key" },
        { "train: {groups: {'fc.*': {lrr: 1}}}\n", "train.groups.fc.*.lrr: unknown key" },
        { "train: {freeze: {a: 1}}\n", "train.freeze: " },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(bad); i++) {
        char text[512];
        dt_error err = { 0 };
        snprintf(text, sizeof text, "%s%s", FAKE_BASE, bad[i][0]);
        ck_assert_int_ne(fake_read(text, NULL, &r, &err), DT_OK);
        ck_assert_msg(strstr(err.text, bad[i][1]) != NULL, "%s", err.text);
    }
}
END_TEST

/* Patterns of parameters are in the effective text only if they are given, in their order. */
START_TEST(patterns_of_parameters)
{
    dt_error err = { .text = "" };
    dt_recipe *r;
    ck_assert_msg(fake_read(FAKE_BASE
                            "train: {groups: {'fc.*': {lr: 0.5}, '*.bias': {lr: 2}}, freeze: "
                            "['conv1*', a.weight]}\n",
                            NULL, &r, &err) == DT_OK,
                  "%s", err.text);
    ck_assert_int_eq(r->train.named_count, 2);
    ck_assert_str_eq(r->train.named[1].pattern, "*.bias");
    ck_assert_int_eq(r->train.freeze.count, 2);
    ck_assert_str_eq(r->train.freeze.value[0], "conv1*");
    ck_assert_ptr_nonnull(strstr(r->text, "freeze: [conv1*, a.weight]"));
    dt_recipe_free(r);
    ck_assert_int_eq(fake_read(FAKE_BASE, NULL, &r, &err), DT_OK);
    ck_assert_ptr_null(strstr(r->text, "freeze"));
    dt_recipe_free(r);
}
END_TEST

START_TEST(overrides_and_paths)
{
    char cwd[400], want[600];
    ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
    dt_recipe *r = must_read(full, (const char *const[]){ "model.init=./in/w", "data.root=/abs",
                                                          "train.schedule={name: constant}",
                                                          "data.train.0=hflip", NULL });
    snprintf(want, sizeof want, "%s/in/w", cwd);
    ck_assert_str_eq(r->model.init, want);
    ck_assert_str_eq(((const fake_data *)r->data.common)->root, "/abs");
    ck_assert_str_eq(r->train.schedule.row->name, "constant");
    ck_assert_ptr_eq(r->data.train[0].row, &flip);
    dt_recipe_free(r);
    dt_error err;
    r = NULL;
    ck_assert_int_eq(fake_read(full, (const char *const[]){ "train.lr=1", NULL }, &r, &err),
                     DT_ERR_NOT_FOUND);
    ck_assert_msg(strncmp(err.text, "command line: train.lr: unknown key", 35) == 0, "%s",
                  err.text);
    ck_assert_int_eq(fake_read(full, (const char *const[]){ "eval.batch=0", NULL }, &r, &err),
                     DT_ERR_RANGE);
    ck_assert_str_eq(err.text, "command line: eval.batch: 0 is outside 1..8192");
}
END_TEST

/* A key that is a text takes an override as it stands, and the effective recipe gives it back. */
/* Lists of patterns, from the file and as they stand in an override; they change no result. */
START_TEST(patterns_of_tensors)
{
    static const char *const ways[] = { "model.allow_unexpected=[*.ls1.gamma, head.*]",
                                        "model.allow_unexpected=['*.ls1.gamma', \"head.*\"]" };
    const char *text = "model: {name: resnet20, allow_unexpected: ['*.ls1.gamma', head.*]}\n"
                       "data: {name: cifar10}\n";
    dt_recipe *plain = must_read(FAKE_BASE, NULL);
    for (int i = 0; i < 3; i++) {
        dt_recipe *r = i < 2 ? must_read(FAKE_BASE, (const char *const[]){ ways[i], NULL })
                             : must_read(text, NULL);
        dt_recipe *again = must_read(r->text, NULL);
        const dt_opt_words *w = &again->model.allow_unexpected;
        ck_assert(w->count == 2 && strcmp(w->value[0], "*.ls1.gamma") == 0);
        ck_assert_str_eq(w->value[1], "head.*");
        ck_assert_str_eq(r->hash, plain->hash);
        dt_recipe_free(again);
        dt_recipe_free(r);
    }
    dt_recipe *r = must_read(FAKE_BASE, (const char *const[]){ "model.allow_unexpected=*", NULL });
    ck_assert_str_eq(r->model.allow_unexpected.value[0], "*");
    dt_recipe_free(r);
    dt_recipe_free(plain);
}
END_TEST

START_TEST(texts_as_they_stand)
{
    static const char *const odd[] = {
        "set #2",       "a: b",      "#x",     "{x",
        "{a: b}",       "[x",        "[x]",    "*x",
        "&x",           "!x",        "%x",     "@x",
        "`x",           "~",         "null",   "-",
        "- x",          "yes",       "1e3",    "'x'",
        "\"x\"",        "'x",        "\"x",    "x ",
        " x",           "|",         ">",      "? x",
        ": x",          "x:",        "a, b",   "a\\b",
        "\tx",          "x=y",       "a\nb",   "a\n",
        "\x01\x7f",     "\xc3\xa4",  "---",    "...",
        "--- x",        "a\n\n b",   "a\r\nb", "\xef\xbb\xbfx",
        "\xe2\x80\xa8", "%YAML 1.1", " ",
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(odd); i++) {
        char root[64], head[64], want[64], layers[64];
        snprintf(root, sizeof root, "data.root=/%s", odd[i]);
        snprintf(head, sizeof head, "model.head=%s", odd[i]);
        snprintf(layers, sizeof layers, "quant.rules.0.layers=%s", odd[i]);
        snprintf(want, sizeof want, "/%s", odd[i]);
        dt_recipe *r =
            must_read("model: {name: resnet20}\ndata: {name: cifar10}\n"
                      "quant: {weights: {method: lsq}, rules: [{layers: c, weights: 3}]}\n",
                      (const char *const[]){ root, head, layers, NULL });
        dt_recipe *again = must_read(r->text, NULL);
        for (int k = 0; k < 2; k++) {
            const dt_recipe *at = k ? again : r;
            ck_assert_str_eq(((const fake_data *)at->data.common)->root, want);
            ck_assert_str_eq(((const fake_net *)at->model.choice.conf)->head, odd[i]);
        }
        ck_assert_str_eq(r->text, again->text);
        ck_assert_str_eq(r->hash, again->hash);
        dt_quant_choice c;
        if (!strpbrk(odd[i], "*?")) {
            ck_assert_int_eq(
                dt_recipe_site(again, odd[i], DT_LAYER_BODY, DT_SIDE_WEIGHTS, &c, NULL), DT_OK);
            ck_assert_int_eq(c.bits, 3);
        }
        dt_recipe_free(again);
        dt_recipe_free(r);
    }
    dt_recipe *r = must_read(full, (const char *const[]){ "model.init=", "data.root=a #2", NULL });
    ck_assert_str_eq(r->model.init, "");
    const char *root = ((const fake_data *)r->data.common)->root;
    ck_assert_str_eq(root + strlen(root) - 5, "/a #2");
    dt_recipe_free(r);
    static const char *const bad[][2] = {
        { "eval.batch=*x", "command line: eval.batch: YAML aliases are refused; put a text" },
        { "train.epochs=[1", "command line: train.epochs: no YAML: did not find expected ','" },
        { "quant=[1", "command line: quant: no YAML: " },
        { "data.train={", "command line: data.train: no YAML: " },
        { "data.batch=", "command line: data.batch: has no value" },
        { "data.root=\xff", "command line: data.root: is not UTF-8" },
        { "model.name=*x", "command line: model.name: unknown model '*x'" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(bad); i++) {
        dt_error err = { 0 };
        ck_assert_int_ne(fake_read(full, (const char *const[]){ bad[i][0], NULL }, &r, &err),
                         DT_OK);
        ck_assert_msg(strncmp(err.text, bad[i][1], strlen(bad[i][1])) == 0, "%s", err.text);
    }
}
END_TEST

START_TEST(relative_recipe_path)
{
    char cwd[400], want[600];
    ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
    const dt_recipe_params p = {
        .tables = &fake_tables,
        .path = "sub/run.v2.yml",
        .text = "model: {name: resnet20, init: ./w}\ndata: {name: cifar10}\n"
    };
    dt_recipe *r;
    ck_assert_int_eq(dt_recipe_read(&p, &r, NULL), DT_OK);
    snprintf(want, sizeof want, "%s/sub/w", cwd);
    ck_assert_str_eq(r->model.init, want);
    ck_assert_str_eq(r->name, "run.v2");
    dt_recipe_free(r);
    const dt_recipe_params nothing = { .tables = &fake_tables };
    ck_assert_int_eq(dt_recipe_read(&nothing, &r, NULL), DT_ERR_ARG);
    dt_recipe_free(NULL);
}
END_TEST

/* Fails the request number `left` and all after it. */
typedef struct failing {
    int left, held;
} failing;

static void *failing_get(void *self, size_t size, const char *tag)
{
    failing *f = self;
    if (f->left-- <= 0) return NULL;
    f->held++;
    return dt_alloc_std()->get(NULL, size, tag);
}

static void failing_put(void *self, void *memory, size_t size)
{
    ((failing *)self)->held--;
    dt_alloc_std()->put(NULL, memory, size);
}

START_TEST(every_allocation_may_fail)
{
    int n = 0;
    for (dt_status st = DT_ERR_NOMEM; st != DT_OK; n++) {
        failing f = { n, 0 };
        const dt_alloc a = { failing_get, failing_put, &f };
        const char *const overrides[] = { "quant={weights: {method: lsq}, rules: [{layers: c, "
                                          "weights: 3}]}" };
        const dt_recipe_params p = { .tables = &fake_tables,
                                     .path = "/r/x.yaml",
                                     .text = full,
                                     .overrides = overrides,
                                     .override_count = 1,
                                     .alloc = &a };
        dt_recipe *r = NULL;
        dt_error err;
        st = dt_recipe_read(&p, &r, &err);
        if (st != DT_OK) ck_assert_msg(st == DT_ERR_NOMEM, "%d: %s", n, err.text);
        dt_recipe_free(r);
        ck_assert_int_eq(f.held, 0);
        ck_assert_int_lt(n, 10000);
    }
    ck_assert_int_gt(n, 5);
}
END_TEST

/* Does a file's name start with the model's? Dashes and underscores are left out, and a size of
 * patches that the model's name ends with may be. */
static bool starts_with_model(const char *file, const char *model)
{
    for (; *model && strncmp(model, "_patch", 6) != 0; model++) {
        if (*model == '_') continue;
        if (*file == '-') file++;
        if (*model != *file++) return false;
    }
    return true;
}

/* Every recipe of a folder is read with the real tables; its name says what is in it. */
static int read_folder(const char *name)
{
    char path[600];
    int count = 0;
    snprintf(path, sizeof path, SOURCE_ROOT "/recipes/%s", name);
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *e; (e = readdir(folder));) {
        size_t length = strlen(e->d_name);
        if (length < 5 || strcmp(e->d_name + length - 5, ".yaml") != 0) continue;
        snprintf(path, sizeof path, SOURCE_ROOT "/recipes/%s/%s", name, e->d_name);
        const dt_recipe_params p = { .tables = &dt_tables, .path = path };
        dt_recipe *r = NULL;
        dt_error err = { 0 };
        ck_assert_msg(dt_recipe_read(&p, &r, &err) == DT_OK, "%s", err.text);
        ck_assert_int_eq(strncmp(r->name, e->d_name, length - 5), 0);
        const char *model = r->model.choice.row->name;
        ck_assert_msg(starts_with_model(e->d_name, model), "%s has a %s", e->d_name, model);
        ck_assert(r->quant.enabled == (strstr(e->d_name, "-w") != NULL));
        bool deploy = strstr(e->d_name, "-lsq-") && !strstr(e->d_name, "paper");
        ck_assert_int_eq(r->quant.placement == DT_PLACEMENT_DEPLOY, deploy);
        dt_recipe_free(r);
        count++;
    }
    closedir(folder);
    return count;
}

START_TEST(shipped_recipes)
{
    ck_assert_int_ge(read_folder("cifar10"), 8);
    ck_assert_int_ge(read_folder("imagenet"), 9);
}
END_TEST

/* Overrides the base recipe with `format` of each row's name; what is read must read back equal,
 * which also shows that no row has an option that its section has too. */
static void name_every_row(const dt_table *table, const char *format)
{
    for (const dt_row *const *row = table->rows; *row; row++) {
        char override[200];
        const char *name = (*row)->name, *const overrides[] = { override };
        bool list = table == dt_tables.transforms, side = table == dt_tables.quantizers;
        snprintf(override, sizeof override, "%s%s%s", format, name,
                 list   ? "]}"
                 : side ? "}}"
                        : "}");
        dt_recipe_params p = { .tables = &dt_tables,
                               .path = "/r/x.yaml",
                               .text = FAKE_BASE,
                               .overrides = overrides,
                               .override_count = 1 };
        dt_recipe *r = NULL, *again = NULL;
        dt_error err = { 0 };
        ck_assert_msg(dt_recipe_read(&p, &r, &err) == DT_OK, "%s: %s", override, err.text);
        p.text = r->text;
        p.override_count = 0;
        ck_assert_msg(dt_recipe_read(&p, &again, &err) == DT_OK, "%s: %s", override, err.text);
        ck_assert_str_eq(r->text, again->text);
        ck_assert_str_eq(r->hash, again->hash);
        dt_recipe_free(again);
        dt_recipe_free(r);
    }
}

START_TEST(every_row_of_the_real_tables)
{
    name_every_row(dt_tables.models, "model={name: ");
    name_every_row(dt_tables.datasets, "data={name: ");
    name_every_row(dt_tables.transforms, "data={name: cifar10, train: [");
    name_every_row(dt_tables.quantizers,
                   "quant={first: none, last: none, weights: {bits: 4, method: ");
    name_every_row(dt_tables.optimizers, "train.optimizer={name: ");
    name_every_row(dt_tables.schedules, "train.schedule={name: ");
}
END_TEST

DT_TEST_MAIN("recipe", defaults, values, patterns_of_parameters,
             effective_text_is_complete_and_reads_back, hash_leaves_out_what_changes_no_result,
             messages, dynamics, phases, overrides_and_paths, patterns_of_tensors,
             texts_as_they_stand, relative_recipe_path, every_allocation_may_fail, shipped_recipes,
             every_row_of_the_real_tables)
