/* Trees of dictionaries, made by hand. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/torch/torch_dict.h"

#include <string.h>

#include "tests/support/run.h"

enum { MOST = 24 };
typedef dt_pickle_value value;

static value global = { .kind = DT_PICKLE_GLOBAL, .text = "torch._utils _rebuild_tensor" };
static value none = { .kind = DT_PICKLE_NONE };
static value *four[] = { &none, &none, &none, &none };
static value arguments = { .kind = DT_PICKLE_TUPLE, .item = four, .count = 4 };
static value *parts[] = { &global, &arguments };
static value tensor = { .kind = DT_PICKLE_CALL, .item = parts, .count = 2 };

typedef struct tree {
    value dict, key[MOST], *item[2 * MOST];
} tree;

static void put(tree *t, const char *name, value *v)
{
    size_t i = t->dict.count / 2;
    t->dict.kind = DT_PICKLE_DICT;
    t->dict.item = t->item;
    t->key[i] = (value){ .kind = DT_PICKLE_STR, .text = name, .size = strlen(name) };
    t->item[t->dict.count++] = &t->key[i];
    t->item[t->dict.count++] = v;
}

/* The dictionary that is chosen in `root`, NULL with an error. */
static const value *choose(const tree *root, const char *key, dt_import_job *job,
                           dt_torch_choice *c, dt_error *err)
{
    *job = (dt_import_job){ .path = "f", .key = key };
    if (dt_torch_choose(job, &root->dict, c, err) != DT_OK) return NULL;
    ck_assert_ptr_eq(c->dict[0], &root->dict);
    return c->dict[c->depth - 1];
}

static tree weights, means, empty, other;

static void setup(void)
{
    memset(&weights, 0, sizeof weights);
    memset(&means, 0, sizeof means);
    memset(&empty, 0, sizeof empty);
    memset(&other, 0, sizeof other);
    put(&weights, "w", &tensor);
    put(&means, "w", &tensor);
    put(&empty, "lr", &none);
    put(&other, "w", &tensor);
}

START_TEST(containers)
{
    static const char *const names[] = {
        "state_dict",     "model",  "net",       "model_state_dict",
        "weights",        "params", "model_ema", "state_dict_ema",
        "ema_state_dict", "module", "ema",       "anything"
    };
    dt_import_job job;
    dt_torch_choice c;
    dt_error err;
    setup();
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++) {
        tree root = { .dict.count = 0 };
        put(&root, "epoch", &none);
        put(&root, "optimizer", &empty.dict);
        put(&root, names[i], &weights.dict);
        ck_assert_ptr_eq(choose(&root, NULL, &job, &c, &err), &weights.dict);
        tree twice = { .dict.count = 0 };
        put(&twice, "model", &root.dict);
        ck_assert_ptr_eq(choose(&twice, NULL, &job, &c, &err), &weights.dict);
        ck_assert_int_eq(c.depth, 3);
    }
}
END_TEST

START_TEST(weights_come_before_averages)
{
    dt_import_job job;
    dt_torch_choice c;
    dt_error err;
    setup();
    tree root = { .dict.count = 0 };
    put(&root, "model_ema", &means.dict);
    put(&root, "model", &weights.dict);
    ck_assert_ptr_eq(choose(&root, NULL, &job, &c, &err), &weights.dict);
    ck_assert_str_eq(job.note, "took 'model'; the file has 'model_ema' (averages), 'model'; "
                               "model.init_key names another");
    ck_assert_ptr_eq(choose(&root, "model_ema", &job, &c, &err), &means.dict);
    ck_assert(c.keyed && !*job.note);
    /* A state that has no tensors is none. */
    tree lost = { .dict.count = 0 };
    put(&lost, "state_dict", &empty.dict);
    put(&lost, "model", &weights.dict);
    ck_assert_ptr_eq(choose(&lost, NULL, &job, &c, &err), &weights.dict);
    ck_assert(!*job.note);
    /* Weights outside of any dictionary. */
    tree flat = { .dict.count = 0 };
    put(&flat, "w", &tensor);
    put(&flat, "ema", &means.dict);
    ck_assert_ptr_eq(choose(&flat, NULL, &job, &c, &err), &flat.dict);
    ck_assert_ptr_nonnull(strstr(job.note, "took what is in no dictionary; the file has 'ema' "));
    /* Averages alone are taken, and it is told. */
    tree alone = { .dict.count = 0 };
    put(&alone, "ema", &means.dict);
    ck_assert_ptr_eq(choose(&alone, NULL, &job, &c, &err), &means.dict);
    ck_assert_ptr_nonnull(strstr(job.note, "took 'ema'; the file has 'ema' (averages)"));
}
END_TEST

START_TEST(keys)
{
    dt_import_job job;
    dt_torch_choice c;
    dt_error err;
    setup();
    tree both = { .dict.count = 0 }, root = { .dict.count = 0 };
    put(&both, "student", &weights.dict);
    put(&both, "teacher", &other.dict);
    put(&root, "nets", &both.dict);
    ck_assert_ptr_eq(choose(&root, "teacher", &job, &c, &err), &other.dict);
    ck_assert_ptr_null(choose(&both, NULL, &job, &c, &err));
    ck_assert_str_eq(err.text, "f: holds several dictionaries of tensors: 'student', 'teacher'; "
                               "model.init_key=NAME says which");
    ck_assert_ptr_eq(choose(&weights, "w", &job, &c, &err), &weights.dict); /* no dictionary */
    ck_assert(!c.keyed);
}
END_TEST

/* A tree that contains itself by every name ends, and soon. */
START_TEST(hostile_trees_end)
{
    dt_import_job job;
    dt_torch_choice c;
    dt_error err;
    static const char *const names[] = { "model",   "net",        "ema", "params",   "module",
                                         "weights", "a",          "b",   "c",        "d",
                                         "network", "state_dict", "e",   "swa_model" };
    tree root = { .dict.count = 0 };
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++)
        put(&root, names[i], &root.dict);
    ck_assert_ptr_eq(choose(&root, NULL, &job, &c, &err), &root.dict);
    ck_assert_int_eq(c.depth, DT_TORCH_DEPTH);
    ck_assert_ptr_eq(choose(&root, "nowhere", &job, &c, &err), &root.dict);
    ck_assert(!c.keyed);
}
END_TEST

DT_TEST_MAIN("torch_dict", containers, weights_come_before_averages, keys, hostile_trees_end)
